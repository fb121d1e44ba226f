"""`coda chat --plain`: the chat as lines, for a screen reader, a slow line, a log, a pipe.

Answers go to stdout, notes and errors to stderr. What has been written is never touched again: no colour, no spinner,
choices are numbered.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from coda_cli.chat import clipboard, commands
from coda_cli.chat.attach import Prepared, prepare
from coda_cli.chat.comparison import Comparison
from coda_cli.chat.editor import edit
from coda_cli.chat.entry import numbered
from coda_cli.chat.front import Feature, FrontKind, Option
from coda_cli.chat.remembering import remember_end
from coda_cli.chat.session import ChatSession
from coda_cli.chat.shell import run_shell
from coda_cli.engine.core.errors import CodaError, LLMError
from coda_cli.engine.core.messages import MediaPart
from coda_cli.engine.generation import Generation
from coda_cli.engine.rendering.sanitize import Sanitizer, sanitize
from coda_cli.plain.answers import Reader, ended
from coda_cli.plain.asking import Asking
from coda_cli.plain.choosing import Chooser
from coda_cli.plain.lines import one_line, spoken
from coda_cli.plain.messages import told, took
from coda_cli.plain.output import Output
from coda_cli.plain.source import Interrupt, LineSource, Source, draws_prompts

EXIT_PIPE: Final = 141
_LATEST: Final = 6
"""Messages that are shown of a chat that is opened."""
_LAST_TURN: Final = 2
"""And of one that has changed: the rest has been said already."""


async def run(
    session: ChatSession,
    *,
    first: str | None = None,
    media: Sequence[MediaPart] = (),
    typed: str = "",
    pick: bool = False,
    notes: Sequence[str] = (),
) -> int:
    """The chat, until the person leaves it; returns the exit code.

    *first* is asked at once, with *media*; *typed* stands in the prompt. *pick*: a list of chats comes first. *notes*
    are quiet lines to begin with. On a terminal leaving is no failure; with a pipe for stdin the code is that of the
    last thing that failed. A cancellation keeps everything and is raised again. The caller closes the manager.
    """
    return await PlainChat(session).run(first, media, typed=typed, pick=pick, notes=notes)


class PlainChat:
    """The front end of one session. It is a `Front`."""

    def __init__(self, session: ChatSession, *, source: Source | None = None, output: Output | None = None) -> None:
        self.session = session
        self._out = output if output is not None else Output()
        self._source: Source = source if source is not None else self._make_source()
        self._chooser = Chooser(self._source, self._out)
        self._asking = Asking(self._source, self._out)
        session.manager.set_approver(self._asking if self._source.interactive else None)
        self._default = ""
        self._attached: list[Path] = []
        self._wanted: Generation | None = None
        self._leaving: int | None = None
        self._code = 0
        self._raw = False
        self._pressed = False  # Ctrl-C, once
        self._shown_chat: str | None = None
        self._stopper: Callable[[], object] | None = None  # of what is under way beside an answer
        self._main: asyncio.Task[object] | None = None

    @property
    def kind(self) -> FrontKind:
        """The plain one."""
        return "plain"

    def _make_source(self) -> Source:
        if draws_prompts():
            from coda_cli.plain.prompt import TerminalSource  # with prompt-toolkit, which a pipe needs not

            return TerminalSource(self, self.fail)
        return LineSource(shown=self._out.put if sys.stdin is not None and sys.stdin.isatty() else None)

    # ---- the loop -------------------------------------------------------------------------------------------------

    async def run(
        self,
        first: str | None = None,
        media: Sequence[MediaPart] = (),
        *,
        typed: str = "",
        pick: bool = False,
        notes: Sequence[str] = (),
    ) -> int:
        """See `run` of the module."""
        self._main = asyncio.current_task()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for gone in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(gone, self._leave, 128 + gone)
        try:
            for note in notes:
                self.note(note)
            await self._greet(typed)
            if pick:
                await commands.run(self, "/resume")
            if first is not None or media:
                await self._answer_to(Prepared(first or "", tuple(media)))
            while self._leaving is None:
                await self._turn()
        except EOFError:
            pass
        except BrokenPipeError:
            await self._stop_and_keep()
            self._out.abandon()
            return EXIT_PIPE
        except asyncio.CancelledError:
            self._keep_draft()
            if self._leaving is None:
                raise
            if self._main is not None:
                self._main.uncancel()
        finally:
            await self._stop_and_keep()
            await remember_end(self.session)
        if self._leaving:
            return self._leaving
        return 0 if self._source.interactive else self._code

    def _interrupt(self) -> None:
        """Ctrl-C that came as a signal: it stops what is under way, else it ends the program."""
        if not self._stop():
            if self._source.interactive and not self._source.prefills and not self._pressed:
                self._pressed = True  # the terminal sends a signal where a prompt would see a key
                self.note("press Ctrl+C again to leave")
                return
            self._leave(0 if self._pressed else 128 + signal.SIGINT)

    def _leave(self, code: int) -> None:
        self._leaving = code
        self._stop()
        if self._main is not None:
            self._main.cancel()

    def _stop(self) -> bool:
        if self._stopper is not None:
            self._stopper()
            return True
        generation = self.session.generation
        if generation is not None and self.session.busy:
            generation.cancel()
            return True
        return False

    async def _stop_and_keep(self) -> None:
        """The part of an answer that came, and what stands in the prompt."""
        generation = self.session.generation
        if generation is not None and self.session.busy:
            generation.cancel()
            try:
                await generation
            except LLMError:
                pass
        self.session.drafts.flush()

    def _keep_draft(self) -> None:
        if typed := self._source.typed():
            self.session.drafts.note(self.session.conversation_id, typed)

    async def _greet(self, typed: str) -> None:
        try:
            provider, model = await self.session.model_name()
            who = f"{provider}/{model} answers"
        except CodaError as error:
            who = f"no model answers yet ({one_line(error.message)})"
        self.note(f"{who}; /model changes that, /help lists the commands, Ctrl+D leaves")
        if self.session.incognito:
            self.note("incognito: nothing of this chat is kept")
        if self.session.conversation_id is not None:
            await self.reload()
        await self.session.refresh_recent()
        self._default = typed or self.session.drafts.load(self.session.conversation_id)

    async def _turn(self) -> None:
        """One line of the person's, and what it leads to."""
        default, self._default = self._default, ""
        self._out.flush()
        try:
            text = await self._source.prompt(default)
        except Interrupt as pressed:
            await self._interrupted(empty=pressed.empty)
            return
        await self._take(text)

    async def _interrupted(self, *, empty: bool) -> None:
        """Ctrl-C at the prompt drops what stands in it; the second one in a row leaves."""
        self.session.editing = None
        self._pressed = True
        self.note("press Ctrl+C again to leave" if empty else "dropped; press Ctrl+C again to leave")
        try:
            text = await self._source.prompt("")
        except Interrupt:
            self._leaving = 0
            return
        await self._take(text)

    async def _take(self, text: str) -> None:
        session = self.session
        self._pressed = False
        session.drafts.forget(session.conversation_id)
        if not text.strip() and not self._attached:
            if session.editing is not None:
                session.editing = None
                self.note("the question is left as it was")
            return
        session.history.add(text)
        if not self._source.interactive:
            self._out.put(f"> {sanitize(text)}\n")
        if text.startswith("!"):
            await self._shell(text[1:])
            return
        if not await commands.run(self, text.rstrip()):
            try:
                await self._answer_to(await prepare(text.strip(), self._attached))
            except CodaError as error:
                self.fail(error)
                self._default = text if self._source.interactive else ""
            else:
                self._attached.clear()
        await self._answer_wanted()

    # ---- answers --------------------------------------------------------------------------------------------------

    async def _answer_to(self, question: Prepared) -> None:
        for name in question.names:
            self.note(f"with {name}")
        self.start(await self.session.submit(question.text, question.media))
        await self._answer_wanted()

    async def _answer_wanted(self) -> None:
        while self._wanted is not None and self._leaving is None:
            generation, self._wanted = self._wanted, None
            await self._answer(generation)
            if self._wanted is None:
                self._wanted = self.session.ask_next()

    async def _answer(self, generation: Generation) -> None:
        reader = Reader(self._out, raw=self._raw, seen=self._asking.seen)
        await self._asking.while_following(asyncio.ensure_future(reader.follow(generation)), generation.cancel)
        outcome = generation.outcome
        error = outcome.error if outcome is not None else None
        if error is not None:
            self.fail(error)
            self.note("/retry asks it again")
        self._source.keep_typed(send=error is None and not reader.stopped)
        await self._tell_numbers(generation)

    async def _tell_numbers(self, generation: Generation) -> None:
        entries = numbered(await self.session.entries())
        self._shown_chat = self.session.conversation_id
        response = generation.response
        place = response.metadata.get("message_id") if response is not None else None
        for number, entry in enumerate(entries, 1):
            if entry.id == place:
                self.note(took(number, entry.tokens, entry.cost, entry.latency))

    async def _shell(self, command: str) -> None:
        clean = Sanitizer()
        task = asyncio.ensure_future(run_shell(command, lambda text: self._out.put(clean.feed(text))))
        self._stopper = task.cancel
        try:
            with self._source.listening(self._stop):
                result = await task
        except CodaError as error:
            self.fail(error)
            return
        finally:
            self._stopper = None
        self._out.put(clean.flush())
        self._source.keep_typed(send=not result.stopped)
        if result.output and not result.output.endswith("\n"):
            self._out.put("\n")
        self.session.join_shell(result)
        end = f"{result.outcome}; " if result.outcome else ""
        self.note(f"{end}the output goes along with the next question")

    # ---- what commands ask of a front end -------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """A line on stderr, in parentheses."""
        self._out.say(f"({one_line(text)})")

    def fail(self, error: CodaError) -> None:
        """The error and its hint on stderr."""
        self._code = error.exit_code
        self._out.say(f"error: {one_line(error.message)}")
        if error.hint:
            self._out.say(f"hint: {one_line(error.hint)}")

    async def choose(self, title: str, options: Sequence[Option]) -> int | None:
        """A numbered list, and a number or words to narrow it."""
        return await self._chooser.choose(title, options)

    async def confirm(self, question: str) -> bool:
        """Yes or no."""
        return await self._chooser.confirm(question)

    async def ask_text(self, title: str, *, initial: str = "", secret: bool = False) -> str | None:
        """One line."""
        return await self._chooser.ask(title, initial=initial, secret=secret)

    async def edit_text(self, text: str) -> str | None:
        """In the editor, where there is a terminal for it."""
        if not self._source.interactive:
            self.note("there is no terminal for an editor")
            return None
        try:
            return await edit(text)
        except CodaError as error:
            self.fail(error)
            return None

    def document(self, title: str, markdown: str) -> None:
        """On stdout, as lines."""
        self._out.put(f"{one_line(title)}\n\n{spoken(markdown, raw=self._raw)}\n")

    async def reload(self, at: str | None = None, text: str = "") -> None:
        """The latest messages, or those from the one *at* on."""
        shown = numbered(await self.session.entries())
        same = self._shown_chat == self.session.conversation_id
        self._shown_chat = self.session.conversation_id
        first = max(0, len(shown) - (_LAST_TURN if same else _LATEST))
        if at is not None:
            first = next((place for place, entry in enumerate(shown) if entry.id == at), first)
        if first and not same:
            self.note(f"{first} earlier messages; /tree show lists them")
        for number, entry in enumerate(shown[first:], first + 1):
            self._out.put(told(number, entry, raw=self._raw))
        self._default = self.session.drafts.load(self.session.conversation_id)

    def start(self, generation: Generation) -> None:
        """It begins when the command is done."""
        self._wanted = generation

    async def compare(self, comparison: Comparison) -> int | None:
        """All at once, shown one after the other."""
        waiting = [asyncio.ensure_future(ended(one.generation)) for one in comparison.contenders]

        def stop() -> None:
            for one in comparison.contenders:
                one.generation.cancel()

        self._stopper = stop
        with self._source.listening(stop):
            for number, one in enumerate(comparison.contenders, 1):
                self._out.put(f"Answer {number} of {len(comparison.contenders)}\n")
                await Reader(self._out, raw=self._raw).follow(one.generation)
                outcome = one.generation.outcome
                if outcome is not None and outcome.error is not None:
                    self.fail(outcome.error)
                elif outcome is not None:
                    response = outcome.response
                    latency = await waiting[number - 1]
                    self.note(took(number, response.usage.output_tokens, response.cost, latency))
        self._stopper = None
        self._source.keep_typed(send=False)
        return await self.choose("Which answer goes on", [Option(one.name) for one in comparison.contenders])

    def put_prompt(self, text: str, attachments: Sequence[Path] = ()) -> None:
        """It stands in the next prompt."""
        if not attachments:
            self._default = text
        self._attached += [path for path in attachments if path not in self._attached]
        if text and not self._source.prefills:
            self.note(f"the question was: {text}")

    def copy(self, text: str) -> str:
        """To the clipboard, through the terminal or into a file."""
        return clipboard.copy(text, self._out.terminal())

    async def own(self, feature: Feature, argument: str) -> bool:
        """Only how answers are shown."""
        if feature != "raw":
            return False
        self._raw = not self._raw
        self.note("answers are shown as they were written" if self._raw else "answers are shown as plain lines")
        return True

    def quit(self) -> None:
        """After this command."""
        self._leaving = 0
