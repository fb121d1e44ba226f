"""The chat's screen without its keys: what stands on it, and what is told there."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from coda_cli.engine.core.errors import CodaError
from coda_cli.tui import private
from coda_cli.tui.latebound import LateCompleter, LateHistory
from coda_cli.tui.pages import Pages
from coda_cli.tui.prompt import Prompt
from coda_cli.tui.screens.find_bar import FindBar
from coda_cli.tui.sidebar import Sidebar
from coda_cli.tui.starting import Start
from coda_cli.tui.status import Status
from coda_cli.tui.theme_file import ChatTheme
from coda_cli.tui.transcript.bar import Bar
from coda_cli.tui.transcript.styles import Styles
from coda_cli.tui.transcript.view import Transcript
from coda_cli.tui.typed_ahead import TypedAhead

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession
    from coda_cli.tui.flow import Flow
    from coda_cli.tui.front import TuiFront

NOTICE: Final = 3.0
"""Seconds that a notice stays."""


class Shell(TypedAhead):
    """The widgets and what they show. `session`, `flow` and `front` are there once the chat is open."""

    def __init__(self, start: Start, runs: Callable[[str], bool]) -> None:
        # With NO_COLOR Textual turns colours into greys, the terminal's own into black on black. This takes them out.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self._start = start
        self._styles = _styles(start.theme)
        self.chat_theme = start.theme
        self.defect: BaseException | None = None
        self.told: list[BaseException] = []
        """Defects that did not end the chat."""
        self.transcript = Transcript(styles=self._styles)
        self.pages = Pages(self.transcript)
        self.bar = Bar(self._styles)
        self.status = Status()
        self.prompt = Prompt(
            id="prompt",
            placeholder="Ask anything · / commands · @ files · ! shell",
            history=LateHistory(lambda: self._session),
            completer=LateCompleter(lambda: self._front),
            runs=runs,
        )
        self.attached: list[Path] = []
        self.mouse_taken = True
        self._session: ChatSession | None = None
        self._front: TuiFront | None = None
        self._flow: Flow | None = None
        self._shown: str | None = None  # the chat that stands in the transcript
        self._in_view = True

    def compose(self) -> ComposeResult:
        """The sidebar, the transcript with its bar, the prompt, the status line."""
        yield Sidebar(id="sidebar")
        with Vertical(id="main"):
            with Horizontal(id="view"):
                yield self.transcript
                yield self.bar
                yield Static(id="pill", markup=False)
            yield FindBar(id="find")
            yield Static(id="queue", markup=False)
            yield Static(id="attached", markup=False)
            with Horizontal(id="prompt-row"):
                yield Static(Content("❯"), id="mark")
                yield self.prompt
            yield self.status

    @property
    def session(self) -> ChatSession:
        """The chat that is open."""
        if self._session is None:
            raise CodaError("the chat is still being opened")
        return self._session

    @property
    def flow(self) -> Flow:
        """Its answers."""
        if self._flow is None:
            raise CodaError("the chat is still being opened")
        return self._flow

    @property
    def front(self) -> TuiFront | None:
        """What commands see; None until the chat is open."""
        return self._front

    # ---- what goes wrong --------------------------------------------------------------------------------------------

    def work(self, task: Awaitable[None]) -> None:
        """Do *task* beside what a person does. What goes wrong in it stands in the transcript."""
        self.run_worker(task, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A piece of work has failed."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.failed(event.worker.error)

    def failed(self, error: BaseException) -> None:
        """Tell what went wrong: what a person can cause with its hint, a defect with its place. The chat goes on."""
        if self._flow is None:
            raise error
        if isinstance(error, CodaError):
            self._flow.fail(error)
            return
        self.told.append(error)
        frame = traceback.extract_tb(error.__traceback__)[-1:]
        place = f" ({Path(frame[0].filename).name}:{frame[0].lineno})" if frame else ""
        self._flow.fail(
            CodaError(
                f"this is a defect in Coda: {type(error).__name__}{place}",
                hint="the chat goes on, and what was said is kept; please report it",
            )
        )

    def _fatal_error(self) -> None:
        """Textual's way to report a defect prints local variables, so keys too: ours does not."""
        self.defect = sys.exception()
        private.leave_after_defect(self)

    # ---- the look ---------------------------------------------------------------------------------------------------

    def use_theme(self, theme: ChatTheme) -> None:
        """Show everything in *theme* from now on."""
        self.chat_theme = theme
        self.register_theme(theme.textual())
        self.theme = theme.name
        self._styles = _styles(theme)
        self.transcript.restyle(self._styles)
        self.bar.set_colours(self._styles)

    @property
    def styles_of_theme(self) -> Styles:
        """The colours of messages."""
        return self._styles

    def use_mouse(self, taken: bool) -> None:
        """Take the mouse, or leave it to the terminal."""
        self.mouse_taken = taken
        private.take_mouse(self, taken)

    # ---- the chat ---------------------------------------------------------------------------------------------------

    async def open_chat(self, *, at: str | None = None, text: str = "", keep_prompt: bool = False) -> None:
        """Show the session's chat: its end, or the message *at* with the hits of *text* lit.

        What changes in the chat that is shown already leaves the view where it is, and the prompt as it is.
        """
        session = self.session
        entries = await session.entries()
        if session.conversation_id is not None and session.conversation_id == self._shown:
            self.pages.sync(entries, live=self.flow.busy)
        else:
            self._shown = session.conversation_id
            self.pages.open(entries, at)
            if not keep_prompt:
                self.prompt.restore(session.drafts.load(session.conversation_id))
        if at is not None:
            self.pages.go(at, text)
        self.show_editing()
        self.show_queue()
        # Counting a long chat takes a while: not before it is seen.
        self.show_model()
        self.call_after_refresh(lambda: self.work(self._show_around()))

    async def _show_around(self) -> None:
        await self.show_gauge()
        await self.show_sidebar()

    def chat_is_shown(self) -> None:
        """The transcript shows the session's chat, which may just have got its id."""
        self._shown = self.session.conversation_id

    def note(self, text: str) -> None:
        """A quiet line in the transcript."""
        self.flow.note(text)

    def tell(self, text: str) -> None:
        """A notice that goes by itself."""
        self.notify(_clean(text), timeout=NOTICE, markup=False)

    def show_model(self) -> None:
        """What answers next, in the status line."""
        session = self.session
        if session.spec.provider is not None:  # else it has to be asked for, and `_greet` does
            self.status.tell(model=session.spec_name(session.spec))

    async def show_gauge(self) -> None:
        """Tokens and cost in the status line."""
        session = self.session
        gauge = await session.gauge()
        unsaved = session.conversation_id is not None and (
            session.conversations.unsaved(session.conversation_id) is not None
        )
        self.status.tell(
            tokens=gauge.tokens, window=gauge.window, cost=gauge.cost, unpriced=gauge.unpriced, unsaved=unsaved
        )

    async def show_sidebar(self) -> None:
        """The latest chats, if the sidebar is shown."""
        sidebar = self.query_one(Sidebar)
        if sidebar.has_class("-shown"):
            sidebar.show(await self.session.refresh_recent(), self.session.conversation_id)

    async def show_title(self) -> None:
        """Have the chat named, if the settings say so, and show the name."""
        from coda_cli.chat.titles import title_if_wanted

        if await title_if_wanted(self.session):
            await self.show_sidebar()

    def show_queue(self) -> None:
        """The questions that wait."""
        waiting = self.session.queue
        lines = [f"{number}. {' '.join(one.text.split())[:200]}" for number, one in enumerate(waiting[:3], 1)]
        if waiting:
            what = "wait" if len(waiting) > 1 else "waits"
            lines.append(f"{len(waiting)} {what} for the answer · /queue edits, asks or takes out")
        self._set_line("#queue", "\n".join(lines))
        self.status.tell(queued=len(waiting))

    def show_attached(self) -> None:
        """The files that go along with the next question."""
        names = ", ".join(path.name for path in self.attached)
        self._set_line("#attached", f"attached: {names} · Ctrl+C in an empty prompt takes them off" if names else "")

    def show_editing(self) -> None:
        """Whether the prompt holds a question that is asked anew."""
        self.query_one("#prompt-row").set_class(self.session.editing is not None, "-editing")

    def _set_line(self, name: str, text: str) -> None:
        line = self.query_one(name, Static)
        line.update(Content(_clean(text)))
        line.set_class(bool(text), "-shown")

    # ---- unseen answers ---------------------------------------------------------------------------------------------

    def answer_ended(self, *, seconds: float) -> None:
        """A long answer that nobody watched is told by the bell or by the desktop."""
        self.work(self.show_sidebar())
        if seconds >= self._start.bell_after:
            self.tell_unseen("the answer is there")

    def tell_unseen(self, what: str) -> None:
        """Tell *what* by the bell or by the desktop, if the person looks elsewhere and wants it."""
        if self._in_view or self._start.bell == "off":
            return
        if self._start.bell == "notify":
            private.write_raw(self, f"\x1b]9;Coda: {what}\x07")
        else:
            self.bell()

    def on_app_focus(self) -> None:
        """The person looks at this window."""
        self._in_view = True

    def on_app_blur(self) -> None:
        """The person looks elsewhere."""
        self._in_view = False


def _styles(theme: ChatTheme) -> Styles:
    return Styles(theme.tables(), foreground=theme.foreground, background=theme.background)


def _clean(text: str) -> str:
    from coda_cli.engine.rendering.sanitize import sanitize

    return sanitize(text)
