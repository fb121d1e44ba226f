"""The prompt on a terminal, by prompt-toolkit: history, completion, pastes, the editor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import in_terminal, run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import History
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle

from coda_cli.chat.attach import complete_path, path_at_end
from coda_cli.chat.commands import complete
from coda_cli.chat.editor import edit
from coda_cli.chat.pastes import Pastes
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.plain.keys import KeyInput
from coda_cli.plain.source import Interrupt

if TYPE_CHECKING:
    from coda_cli.chat.front import Front
    from coda_cli.chat.session import ChatSession

_STOPS: Final = (Keys.ControlC, Keys.Escape)


class TerminalSource:
    """A prompt line with history, completion and an editor; nothing above it is touched."""

    interactive = True
    prefills = True

    def __init__(self, front: Front, report: Callable[[CodaError], None]) -> None:
        self._front = front
        self._report = report
        self._pastes = Pastes()
        self._typed: list[KeyPress] = []
        self._input = KeyInput(sys.stdin)
        self._output = create_output(always_prefer_tty=True)
        if isinstance(self._output, Vt100_Output):
            self._output.enable_cpr = False  # no question to the terminal, whose answer might land in a prompt
        self._prompt: PromptSession[str] = PromptSession(
            input=self._input,
            output=self._output,
            multiline=True,
            history=_History(front.session),
            completer=_Completer(front),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            reserve_space_for_menu=0,
            key_bindings=self._bindings(),
            prompt_continuation=lambda width, number, soft: " " * width if soft else "  ",
            enable_open_in_editor=False,
            mouse_support=False,
            include_default_pygments_style=False,
        )
        self._prompt.default_buffer.on_text_changed += lambda buffer: self._keep_draft(buffer.text)

    def _keep_draft(self, text: str) -> None:
        session = self._front.session
        session.drafts.note(session.conversation_id, self._pastes.expand(text))

    def typed(self) -> str:
        """What stands in the prompt."""
        return self._pastes.expand(self._prompt.default_buffer.text)

    async def prompt(self, default: str) -> str:
        """What is typed, pastes expanded."""
        if default:
            default = self._pastes.add(default)
        try:
            # Signals and the loop's errors are the program's own: their handlers would be gone afterwards.
            text = await self._prompt.prompt_async(
                "> ", default=default, set_exception_handler=False, handle_sigint=False
            )
        except KeyboardInterrupt:
            raise Interrupt(empty=not self._prompt.default_buffer.text) from None
        text = self._pastes.expand(text)
        self._pastes.clear()
        return text

    async def line(self, title: str, *, initial: str = "", secret: bool = False) -> str:
        """One line, which is not kept in the history."""
        asked: PromptSession[str] = PromptSession(
            input=self._input, output=self._output, is_password=secret, reserve_space_for_menu=0
        )
        try:
            return await asked.prompt_async(
                f"{sanitize(title)}: ", default=initial, set_exception_handler=False, handle_sigint=False
            )
        except KeyboardInterrupt:
            raise Interrupt(empty=True) from None

    @contextmanager
    def listening(self, stop: Callable[[], object]) -> Iterator[None]:
        """Keys are read as they come and not echoed."""

        def ready() -> None:
            for press in [*self._input.read_keys(), *self._input.flush_keys()]:
                if press.key in _STOPS:
                    stop()
                elif press.key is not Keys.ControlZ:
                    self._typed.append(press)

        with self._input.raw_mode(), self._input.attach(ready):
            yield

    def keep_typed(self, *, send: bool) -> None:
        """Give what was typed to the next prompt."""
        kept = [press for press in self._typed if send or press.key not in (Keys.ControlM, Keys.ControlJ)]
        self._typed.clear()
        if kept:
            store_typeahead(self._input, kept)

    def _bindings(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.document.text_before_cursor.endswith("\\"):
                buffer.delete_before_cursor()
                buffer.insert_text("\n")
            else:
                buffer.validate_and_handle()

        @keys.add("c-j")
        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add(Keys.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text(self._pastes.add(sanitize(event.data)))

        @keys.add("c-g")
        def _(event: KeyPressEvent) -> None:
            event.app.create_background_task(self._in_editor())

        @keys.add("c-l")
        def _(event: KeyPressEvent) -> None:
            """The screen is not cleared: nothing above the prompt is touched."""

        return keys

    async def _in_editor(self) -> None:
        buffer = self._prompt.default_buffer
        try:
            async with in_terminal():
                edited = await edit(self.typed())
        except CodaError as error:
            problem = error
        else:
            buffer.text = self._pastes.add(sanitize(edited))
            buffer.cursor_position = len(buffer.text)
            return
        await run_in_terminal(lambda: self._report(problem))


class _History(History):
    """The prompts of all chats, as prompt-toolkit wants them."""

    def __init__(self, session: ChatSession) -> None:
        super().__init__()
        self._session = session

    def load_history_strings(self) -> Iterator[str]:
        """Newest first."""
        return reversed([sanitize(entry) for entry in self._session.history.entries])

    def store_string(self, string: str) -> None:
        """Kept when it is sent, with its pastes expanded."""


class _Completer(Completer):
    """Commands and their arguments, and paths behind `@`."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """For what stands before the cursor."""
        text = document.text_before_cursor
        path = path_at_end(text)
        if path is not None and not text.startswith("/"):
            for found in complete_path(path):
                shown = found.replace(" ", "\\ ")
                yield Completion(sanitize(shown), -len(path))
            return
        for one in complete(text, self._front):
            yield Completion(sanitize(one.text), -one.replaces, display=sanitize(one.label), display_meta=one.detail)
