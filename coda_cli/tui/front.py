"""The `Front` of the screen: what slash commands ask for, and what keys on a message lead to."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coda_cli.chat import attach, clipboard, commands, editor, shell
from coda_cli.chat.entry import Entry
from coda_cli.chat.front import Feature, FrontKind, Option
from coda_cli.chat.session import ChatSession
from coda_cli.engine.core.errors import CodaError, UsageError
from coda_cli.engine.rendering.blocks import code_blocks
from coda_cli.tui import private

if TYPE_CHECKING:
    from coda_cli.chat.comparison import Comparison
    from coda_cli.engine.generation import Generation
    from coda_cli.tui.app import CodaApp


class TuiFront:
    """One per application. Methods that wait for a person must run in a worker of the app."""

    def __init__(self, app: CodaApp) -> None:
        self._app = app
        self.session: ChatSession = app.session
        self._shell: asyncio.Task[shell.ShellResult] | None = None

    @property
    def kind(self) -> FrontKind:
        """The screen."""
        return "tui"

    # ---- what is typed ----------------------------------------------------------------------------------------------

    async def take(self, text: str, typed: str) -> None:
        """What was sent from the prompt: a command, a line for the shell, or a question."""
        try:
            if typed.startswith("!"):
                await self._run_shell(text[1:])
            elif not await commands.run(self, text):
                await self._ask(text, typed)
        except CodaError as error:
            self.fail(error)
            self._app.prompt.restore(typed)

    async def _ask(self, text: str, typed: str) -> None:
        app = self._app
        prepared = await attach.prepare(text, app.attached)
        app.attached.clear()
        app.show_attached()
        if self.session.editing is not None:
            self._leave_editing()
            self.start(await self.session.submit(prepared.text, prepared.media))
        else:
            app.flow.submit(prepared.text, prepared.media)

    async def _run_shell(self, command: str) -> None:
        app = self._app
        app.transcript.jump_to_end()
        app.status.doing(f"$ {' '.join(command.split())[:40]}")
        self._shell = asyncio.ensure_future(shell.run_shell(command))
        try:
            result = await self._shell
        finally:
            self._shell = None
            app.status.rest()
        self.session.join_shell(result)
        app.transcript.add(Entry(app.flow.fresh("shell"), "note", result.message))

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

        return bool(await self._app.push_screen_wait(Confirm(question)))

    async def ask_text(self, title: str, *, initial: str = "", secret: bool = False) -> str | None:
        """One line."""
        from coda_cli.tui.screens.ask_text import AskText

        return await self._app.push_screen_wait(AskText(title, initial=initial, secret=secret))

    async def edit_text(self, text: str) -> str | None:
        """In the person's editor, which has the terminal meanwhile."""
        try:
            with self._app.suspend():
                return editor.edit(text)
        except CodaError as error:
            self.fail(error)
            return None

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
        from coda_cli.tui.screens.compare import Compare

        return await self._app.push_screen_wait(Compare(comparison))

    def put_prompt(self, text: str, attachments: Sequence[Path] = ()) -> None:
        """Into the prompt."""
        if text or not attachments:
            self._app.prompt.put(text)
        self._app.attached.extend(path for path in attachments if path not in self._app.attached)
        self._app.show_attached()
        self._app.query_one("#prompt-row").set_class(self.session.editing is not None, "-editing")
        self._app.prompt.focus()

    def copy(self, text: str) -> str:
        """To the clipboard; returns how."""
        return clipboard.copy(text, lambda data: private.write_raw(self._app, data))

    async def own(self, feature: Feature, argument: str) -> bool:
        """What the screen has a way of its own for."""
        from coda_cli.tui import features

        return await features.run(self._app, self, feature, argument)

    def quit(self) -> None:
        """Leave."""
        self._app.run_worker(self._app.leave(), exit_on_error=False)

    # ---- keys -------------------------------------------------------------------------------------------------------

    def copied(self, text: str, *, quiet: bool = False) -> None:
        """Copy, and say how."""
        how = self.copy(text)
        if not quiet or not how.startswith("terminal"):
            self._app.notify(f"copied to the {how}", timeout=3, markup=False)

    async def act(self, action: str, entry_id: str) -> None:
        """What a key does to the message under the cursor."""
        entry = next((one for one in self.session.shown if one.id == entry_id), None)
        try:
            await self._act(action, entry_id, entry)
        except CodaError as error:
            self.fail(error)

    async def _act(self, action: str, entry_id: str, entry: Entry | None) -> None:
        if action == "retry":
            self.start(await self.session.retry(entry_id if entry is not None else None))
            return
        if entry is None:
            raise UsageError("this is no message of the chat", hint="j and k walk through the messages")
        match action:
            case "copy":
                self.copied(entry.text)
            case "copy_code":
                await self._copy_code(entry)
            case "edit":
                await commands.run(self, f"/edit {entry_id}")
            case "retry_with":
                name = await self._choose_model()
                if name is not None:
                    self.start(await self.session.retry(entry_id, self.session.parse(name)))
            case "fork":
                await commands.run(self, f"/fork {entry_id}")
            case "pin":
                await commands.run(self, f"/{'unpin' if entry.pinned else 'pin'} {entry_id}")
            case "hide":
                if self.session.conversation_id is not None:
                    await self.session.conversations.hide(self.session.conversation_id, entry_id)
                    await self.reload()
                    self.note("hidden, and no longer sent; /restore brings it back")
            case "previous_sibling" | "next_sibling":
                if await self.session.step_sibling(entry_id, -1 if action == "previous_sibling" else 1):
                    await self.reload()
            case _:
                raise UsageError(f"there is no action {action!r}")

    async def _copy_code(self, entry: Entry) -> None:
        blocks = code_blocks(entry.text)
        if not blocks:
            raise UsageError("this message has no code block", hint="y copies all of it")
        chosen: int | None = 0
        if len(blocks) > 1:
            options = [
                Option(block.strip().split("\n", 1)[0], f"{block.count(chr(10))} lines", block) for block in blocks
            ]
            chosen = await self.choose("Copy which block", options)
        if chosen is not None:
            self.copied(blocks[chosen])

    async def _choose_model(self) -> str | None:
        from coda_cli.tui import features

        return await features.choose_model(self._app)

    async def rewind(self) -> None:
        """Esc twice: the last question back into the prompt, to be asked otherwise."""
        node = await self.session.last_question()
        if node is not None:
            await commands.run(self, f"/edit {node.message.message_id}")

    def _leave_editing(self) -> None:
        self._app.query_one("#prompt-row").remove_class("-editing")

    async def write_in_editor(self) -> None:
        """Ctrl+G: the prompt in the person's editor."""
        written = await self.edit_text(self._app.prompt.expanded)
        if written is not None:
            self._app.prompt.put(written.rstrip("\n"))

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
            self.put_prompt(f"/{command.name} ")

    async def go_to(self, conversation_id: str, at: str | None = None, text: str = "") -> None:
        """Open another chat."""
        try:
            if self._app.flow.busy:
                raise UsageError("an answer is under way", hint="Esc stops it; what came is kept")
            self.session.drafts.save(self.session.conversation_id, self._app.prompt.text_for_draft())
            await self.session.switch_to(conversation_id)
            await self.reload(at, text)
        except CodaError as error:
            self.fail(error)

    async def open_link(self, url: str) -> None:
        """Ask, then open *url* in the browser."""
        if await self.confirm(f"Open {url} in the browser?"):
            await asyncio.to_thread(webbrowser.open, url)

    async def ask_and_leave(self) -> None:
        """Quit, after a question if an answer is under way."""
        if not self._app.flow.busy or await self.confirm("An answer is under way. Stop it and quit?"):
            await self._app.leave()
