"""The `Front` of the screen: what slash commands ask for."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.app import SuspendNotSupported

from coda_cli.chat import attach, clipboard, commands, editor, shell
from coda_cli.chat.entry import Entry
from coda_cli.chat.file_blocks import split_files, with_files_of
from coda_cli.chat.front import Feature, FrontKind, Option
from coda_cli.chat.session import ChatSession, Queued
from coda_cli.engine.core.errors import CodaError, UsageError
from coda_cli.tui import private
from coda_cli.tui.on_messages import OnMessages

if TYPE_CHECKING:
    from coda_cli.chat.comparison import Comparison
    from coda_cli.engine.generation import Generation
    from coda_cli.tui.app import CodaApp

_LOOK: Final = 0.1
"""Seconds between two looks at the output of a command that runs."""


class TuiFront:
    """One per application. Methods that wait for a person must run in a worker of the app."""

    def __init__(self, app: CodaApp) -> None:
        self._app = app
        self.session: ChatSession = app.session
        self._on_messages = OnMessages(app, self)
        self._shell: asyncio.Task[shell.ShellResult] | None = None
        self._asking = asyncio.Lock()
        self._before_edit = ""
        self._outside = False  # another program has the terminal
        self._again: Queued | None = None  # a question that was taken out of the queue to be edited: its files stay

    @property
    def kind(self) -> FrontKind:
        """The screen."""
        return "tui"

    # ---- what is typed ----------------------------------------------------------------------------------------------

    async def take(self, text: str, typed: str, draft: str) -> None:
        """What was sent from the prompt: a command, a line for the shell, or a question.

        *typed* is *text* without what was pasted in blocks, *draft* what puts it back into the prompt.
        """
        try:
            if typed.startswith("!"):
                await self._run_shell(text[1:])
            elif not (typed.startswith("/") and await commands.run(self, text)):
                async with self._asking:  # a question that has files to read is not overtaken by the next one
                    await self._ask(text, typed)
        except CodaError as error:
            self.fail(error)
            if self._app.prompt.is_blank:
                self._app.prompt.restore(draft)

    async def take_nothing(self) -> None:
        """Enter in an empty prompt: an edit is given up, or what waits is asked."""
        if not self.give_up_editing() and self.session.queue and not self._app.flow.busy:
            self._app.flow.ask_next(anyway=True)

    async def command(self, line: str) -> None:
        """A slash command that a key stands for."""
        await commands.run(self, line)

    async def _ask(self, text: str, typed: str) -> None:
        app = self._app
        editing = self.session.editing
        if editing is not None and app.flow.busy:
            raise UsageError("an answer is under way", hint="Esc stops it, then the edited question can be sent")
        prepared = await attach.prepare(text, app.attached, typed=typed)
        app.attached.clear()
        app.show_attached()
        said, media = prepared.text, prepared.media
        again, self._again = self._again, None
        if again is not None:
            said, media = with_files_of(again.text, said), (*again.media, *media)
        if editing is not None:
            generation = await self.session.submit(said, media)
            self._left_editing()
            app.flow.start(generation, media)
        else:
            app.flow.submit(said, media)

    async def _run_shell(self, command: str) -> None:
        app = self._app
        if self._shell is not None:
            raise UsageError("a command of the shell is running", hint="Esc stops it")
        app.transcript.jump_to_end()
        app.status.doing(f"$ {' '.join(command.split())[:40]}")
        running, entry_id = shell.Running(command), app.flow.fresh("shell")
        self._shell = asyncio.ensure_future(shell.run_shell(command, watch=running.add))
        looking_on = asyncio.ensure_future(self._look_on(running, entry_id))
        try:
            result = await self._shell
        finally:
            self._shell = None
            app.status.rest()
            looking_on.cancel()
            await asyncio.wait([looking_on])
            app.transcript.discard(entry_id)
        self.session.join_shell(result)
        app.note(f"{result.message}\n\nThis goes along with the next question.")

    async def _look_on(self, running: shell.Running, entry_id: str) -> None:
        """Show the latest lines of a command that takes a while, so often that an eye can follow."""
        transcript = self._app.transcript
        await asyncio.sleep(_LOOK)
        transcript.add(Entry(entry_id, "note", running.message))
        while True:
            await asyncio.sleep(_LOOK)
            if running.changed:
                transcript.replace(Entry(entry_id, "note", running.message))

    def stop_shell(self) -> bool:
        """Stop the `!command` that is running; whether there was one."""
        if self._shell is None:
            return False
        self._shell.cancel()
        return True

    # ---- Front ------------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """A quiet line in the transcript."""
        self._app.note(text)

    def fail(self, error: CodaError) -> None:
        """An error with its hint, in the transcript."""
        self._app.flow.fail(error)

    async def choose(self, title: str, options: Sequence[Option]) -> int | None:
        """From a list that can be filtered."""
        from coda_cli.tui.screens.picker import Picker

        return await self._app.push_screen_wait(Picker(title, options))

    async def confirm(self, question: str) -> bool:
        """Yes or no; no by default."""
        from coda_cli.tui.screens.confirm import Confirm

        return await self._app.push_screen_wait(Confirm(question))

    async def ask_text(self, title: str, *, initial: str = "", secret: bool = False) -> str | None:
        """One line."""
        from coda_cli.tui.screens.ask_text import AskText

        return await self._app.push_screen_wait(AskText(title, initial=initial, secret=secret))

    async def edit_text(self, text: str) -> str | None:
        """In the person's editor, which has the terminal meanwhile. An answer under way goes on coming."""
        if self._outside:
            return None  # the key was pressed twice
        self._outside = True
        written, problem = None, None
        try:
            with self._app.suspend():
                private.silence(self._app)
                try:
                    written = await editor.edit(text)
                except CodaError as error:  # `suspend` takes the terminal back only where nothing is raised in it
                    problem = error
        except SuspendNotSupported:
            problem = UsageError("an editor needs the whole screen", hint="start without --inline")
        finally:
            self._outside = False
        if problem is not None:
            self.fail(problem)
        self._app.refresh(layout=True)
        return written

    def document(self, title: str, markdown: str) -> None:
        """Something to read and close."""
        from coda_cli.tui.screens.reader import Reader

        self._app.push_screen(Reader(title, markdown))

    async def reload(self, at: str | None = None, text: str = "") -> None:
        """Show the chat anew."""
        await self._app.open_chat(at=at, text=text)

    def start(self, generation: Generation) -> None:
        """Show an answer as it comes."""
        self._app.flow.start(generation)

    async def compare(self, comparison: Comparison) -> int | None:
        """Side by side; the chosen one's index."""
        from coda_cli.tui import features

        return await features.compare(self._app, comparison)

    def put_prompt(self, text: str, attachments: Sequence[Path] = ()) -> None:
        """Into the prompt."""
        app = self._app
        row = app.query_one("#prompt-row")
        if self.session.editing is not None and not row.has_class("-editing"):
            self._before_edit = app.prompt.text_for_draft()
        if text or not attachments:
            app.prompt.put(text)
        app.attached.extend(path for path in attachments if path not in app.attached)
        app.show_attached()
        app.show_editing()
        app.prompt.focus()

    def copy(self, text: str) -> str:
        """To the clipboard; returns how."""
        return clipboard.copy(text, lambda data: private.write_raw(self._app, data))

    async def own(self, feature: Feature, argument: str) -> bool:
        """What the screen has a way of its own for."""
        from coda_cli.tui import features

        return await features.run(self._app, self, feature, argument)

    def quit(self) -> None:
        """Leave."""
        self._app.work(self.ask_and_leave())

    # ---- editing ----------------------------------------------------------------------------------------------------

    def give_up_editing(self) -> bool:
        """Ask no earlier question anew after all; whether one was being edited. What stood in the prompt is back."""
        if self.session.editing is None:
            return False
        self.session.editing = None
        self._left_editing()
        self._app.prompt.restore(self._before_edit)
        self._app.tell("the edit is given up")
        return True

    def _left_editing(self) -> None:
        self._app.show_editing()

    async def rewind(self) -> None:
        """Esc twice: the last question back into the prompt, to be asked otherwise."""
        node = await self.session.last_question()
        if node is not None:
            await commands.run(self, f"/edit {node.message.message_id}")

    async def write_in_editor(self) -> None:
        """Ctrl+G: the prompt in the person's editor."""
        written = await self.edit_text(self._app.prompt.expanded)
        if written is not None:
            self._app.prompt.put(written.rstrip("\n"))

    # ---- the queue --------------------------------------------------------------------------------------------------

    def waiting(self) -> list[str]:
        """The questions that wait, as they were typed."""
        return [split_files(one.text)[0] for one in self.session.queue]

    def edit_waiting(self, one: Queued) -> None:
        """Take *one* out of the queue and into the prompt; files that went along still do."""
        self.session.queue.remove(one)
        self._again = one if one.media or split_files(one.text)[1] else None
        self._app.prompt.put(split_files(one.text)[0])
        self._app.show_queue()
        self._app.prompt.focus()

    # ---- keys -------------------------------------------------------------------------------------------------------

    def copied(self, text: str, *, quiet: bool = False) -> None:
        """Copy, and say how."""
        how = self.copy(text)
        if not quiet or not how.startswith(("terminal", "clipboard")):
            self._app.tell(f"copied: {how}")

    async def copy_current(self) -> None:
        """Copy what is selected, else the message under the cursor, else the newest answer."""
        transcript = self._app.transcript
        text = transcript.selected_text() or self._app.prompt.selected_text
        if text:
            self.copied(text)
        elif transcript.has_focus and transcript.current is not None:
            await self.act("copy", transcript.current.id)
        else:
            await commands.run(self, "/copy")

    async def act(self, action: str, entry_id: str) -> None:
        """What a key does to the message under the cursor."""
        await self._on_messages.act(action, entry_id)

    async def palette(self) -> None:
        """Ctrl+P: every command."""
        known = commands.commands("tui")
        options = [
            Option(f"/{one.name} {one.arguments}".rstrip(), one.help, f"{one.name} {' '.join(one.aliases)} {one.help}")
            for one in known
        ]
        chosen = await self.choose("Commands", options)
        if chosen is None:
            return
        command = known[chosen]
        if command.arguments.startswith("[") or not command.arguments:
            await commands.run(self, f"/{command.name}")
        else:
            self._app.prompt.put(f"/{command.name} ")
            self._app.prompt.focus()

    async def go_to(self, conversation_id: str, at: str | None = None, text: str = "") -> None:
        """Open another chat, at the message *at* on whatever branch that is."""
        session = self.session
        if self._app.flow.busy:
            raise UsageError("an answer is under way", hint="Esc stops it; what came is kept")
        if conversation_id != session.conversation_id:
            session.drafts.save(session.conversation_id, self._app.prompt.text_for_draft())
            await session.switch_to(conversation_id)
            self._app.status.tell(model=session.spec_name(session.spec))
        if at is not None and at not in {node.message.message_id for node in (await session.opened()).path()}:
            await session.conversations.branch(conversation_id, at)
        await self.reload(at, text)

    async def open_link(self, url: str) -> None:
        """Ask, then open *url* in the browser."""
        if await self.confirm(f"Open {url} in the browser?"):
            await asyncio.to_thread(webbrowser.open, url)

    async def ask_and_leave(self) -> None:
        """Quit, after a question if an answer is under way."""
        if not self._app.flow.answering or await self.confirm("An answer is under way. Stop it and quit?"):
            await self._app.leave()
