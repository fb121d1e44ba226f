"""The chat on the whole screen: composition, keys, and what a key or a click leads to.

The session is made after the first paint, in a thread: the screen is there before the engine is loaded.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from coda_cli.engine.core.errors import CodaError
from coda_cli.tui import private
from coda_cli.tui.latebound import LateCompleter, LateHistory
from coda_cli.tui.prompt import Prompt
from coda_cli.tui.screens.find_bar import FindBar
from coda_cli.tui.sidebar import Sidebar
from coda_cli.tui.status import Status
from coda_cli.tui.theme_file import ChatTheme
from coda_cli.tui.transcript.bar import Bar
from coda_cli.tui.transcript.messages import Acted, AtEnd, LinkPressed, Selected
from coda_cli.tui.transcript.styles import Styles
from coda_cli.tui.transcript.view import Transcript

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession
    from coda_cli.engine.core.messages import MediaPart
    from coda_cli.tui.flow import Flow
    from coda_cli.tui.front import TuiFront

TWICE: Final = 1.5
"""Seconds within which a second Ctrl+C quits and a second Esc goes back to edit."""


PROMPT_ACTIONS: Final = frozenset(
    binding.id.removeprefix("prompt.") for binding in Prompt.BINDINGS if isinstance(binding, Binding) and binding.id
)
"""The prompt's own actions that `[keys]` may give other keys."""


@dataclass(frozen=True)
class Start:
    """How the chat begins. `first` is asked at once; `pick` opens the list of chats; `notes` are told."""

    theme: ChatTheme
    first: str | None = None
    media: Sequence[MediaPart] = ()
    pick: bool = False
    sidebar: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    typed: str = ""
    bell: str = "bell"
    bell_after: float = 20.0


class CodaApp(App[int]):
    """The program's one application. `session` is there once `ready` is set."""

    TITLE = "Coda"
    CSS_PATH = "coda.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "command('/help')", "Help", id="help"),
        Binding("ctrl+p", "palette", "Commands", id="palette"),
        Binding("ctrl+s,ctrl+l", "chats", "Chats", id="chats"),
        Binding("ctrl+n", "command('/new')", "New chat", id="new"),
        Binding("ctrl+f", "find", "Find in this chat", id="find"),
        Binding("ctrl+t", "toggle_reasoning", "Thinking", id="reasoning"),
        Binding("ctrl+o", "toggle_tools", "Tool calls", id="tools"),
        Binding("ctrl+b", "toggle_sidebar", "Sidebar", id="sidebar"),
        Binding("f2", "command('/model')", "Model", id="model"),
        Binding("ctrl+shift+c,super+c", "copy", "Copy", id="copy"),
        Binding("shift+tab,ctrl+up", "focus_transcript", "Messages", id="messages"),
        Binding("pageup", "page(-1)", "Page up", show=False, priority=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("ctrl+end", "to_end", "Newest", show=False, id="end"),
        Binding("escape", "escape", "Stop", show=False),
        Binding("ctrl+c", "interrupt", "Stop, twice quits", show=False, priority=True),
        Binding("ctrl+d", "leave", "Quit", id="quit"),
        Binding("ctrl+q", "leave", "Quit", show=False),
    ]

    def __init__(self, make: Callable[[], ChatSession], start: Start) -> None:
        # With NO_COLOR Textual turns colours into greys, the terminal's own into black on black. This takes them out.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") else None)
        self._make = make
        self._start = start
        self._styles = _styles(start.theme)
        self.chat_theme = start.theme
        self.failure: CodaError | None = None
        self.defect: BaseException | None = None
        self.transcript = Transcript(styles=self._styles)
        self.bar = Bar(self._styles)
        self.status = Status()
        self.prompt = Prompt(
            id="prompt",
            placeholder="Ask anything · / commands · @ files · ! shell",
            history=LateHistory(lambda: self._session),
            completer=LateCompleter(lambda: self._front),
            runs=self._runs,
            keys={name: keys for name, keys in start.keys.items() if name in PROMPT_ACTIONS},
        )
        self.attached: list[Path] = []
        self._session: ChatSession | None = None
        self._front: TuiFront | None = None
        self._flow: Flow | None = None
        self._early: list[Prompt.Submitted] = []
        self._pressed: dict[str, float] = {}
        self._in_view = True

    # ---- beginning and end ----------------------------------------------------------------------------------------

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

    def on_mount(self) -> None:
        """Colours, keys, signals; the rest once the screen has been painted."""
        self.use_theme(self._start.theme)
        self.transcript.attach_bar(self.bar)
        own = {name: keys for name, keys in self._start.keys.items() if name not in PROMPT_ACTIONS}
        if own:
            self.update_keymap(own)
        self.prompt.focus()
        if self._start.typed:
            self.prompt.put(self._start.typed)
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        try:
            self._session = await asyncio.to_thread(self._loaded)
        except CodaError as error:
            self.failure = error
            self.exit(error.exit_code)
            return
        from coda_cli.tui.flow import Flow
        from coda_cli.tui.front import TuiFront

        self._flow = Flow(self)
        self._front = TuiFront(self)
        for note in self._start.notes:
            self.note(note)
        self.status.tell(incognito=self._session.incognito)
        await self.open_chat(keep_prompt=bool(self._start.typed))
        if self._start.sidebar:
            await self.action_toggle_sidebar()
        if self._start.pick:
            self.action_chats()
        if self._start.first is not None or self._start.media:
            self.flow.submit(self._start.first or "", self._start.media)
        early, self._early = self._early, []
        for message in early:
            await self._submitted(message)
        self.run_worker(self._greet(), exit_on_error=False)

    def _loaded(self) -> ChatSession:
        session = self._make()
        from coda_cli.chat import commands

        commands.commands("tui")
        return session

    async def _greet(self) -> None:
        """Say which model answers, once, where it was not chosen by name."""
        session = self.session
        choice = None
        try:
            if session.spec.provider is None:
                choice = await session.manager.default_choice()
            provider, model = await session.model_name()
        except CodaError as error:
            self.note(error.message + (f" ({error.hint})" if error.hint else ""))
            return
        self.status.tell(model=f"{provider}/{model}")
        if choice is not None and not session.settings.default_provider:
            self.note(f"{provider}/{model} answers: {choice.why}. /model chooses another, /key takes a key")
        await self.show_gauge()

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

    def now(self) -> float:
        """Monotonic seconds."""
        return monotonic()

    async def leave(self, code: int = 0) -> None:
        """Stop what is under way, keep the draft, and end."""
        if self._flow is not None:
            await self._flow.finish()
        if self._session is not None:
            self._session.drafts.save(self._session.conversation_id, self.prompt.text_for_draft())
            self._session.drafts.flush()
            await self._session.manager.aclose()
        self.exit(code)

    def _go(self, code: int) -> None:
        self.run_worker(self.leave(code), exit_on_error=False)

    def _fatal_error(self) -> None:
        """Textual's way to report a defect prints local variables, so keys too: ours does not."""
        self.defect = sys.exception()
        private.leave_after_defect(self)

    # ---- the look -------------------------------------------------------------------------------------------------

    def use_theme(self, theme: ChatTheme) -> None:
        """Show everything in *theme* from now on."""
        self.chat_theme = theme
        self.register_theme(theme.textual())
        self.theme = theme.name
        self._styles = _styles(theme)
        self.transcript.restyle(self._styles)
        self.bar.set_colours(self._styles)

    def note(self, text: str) -> None:
        """A quiet line in the transcript."""
        self.flow.note(text)

    async def open_chat(self, *, at: str | None = None, text: str = "", keep_prompt: bool = False) -> None:
        """Show the session's chat: its end, or the message *at* with the hits of *text* lit."""
        session = self.session
        self.transcript.show(await session.entries(), at=at)
        if at is not None and text:
            self.transcript.jump(at, text)
        if not keep_prompt:
            self.prompt.restore(session.drafts.load(session.conversation_id))
        self.show_queue()
        await self.show_gauge()
        await self.show_sidebar()

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

    def show_queue(self) -> None:
        """The questions that wait."""
        waiting = self.session.queue
        lines = [f"{number}. {' '.join(one.text.split())[:200]}" for number, one in enumerate(waiting[:3], 1)]
        if waiting:
            lines.append(f"{len(waiting)} wait for this answer · /queue takes one out")
        self._set_line("#queue", "\n".join(lines))
        self.status.tell(queued=len(waiting))

    def show_attached(self) -> None:
        """The files that go along with the next question."""
        names = ", ".join(path.name for path in self.attached)
        self._set_line("#attached", f"attached: {names} · /attach takes them off" if names else "")

    def _set_line(self, name: str, text: str) -> None:
        from coda_cli.engine.rendering.sanitize import sanitize

        line = self.query_one(name, Static)
        line.update(Content(sanitize(text)))
        line.set_class(bool(text), "-shown")

    def answer_ended(self, *, seconds: float) -> None:
        """A long answer that nobody watched is told by the bell or by the desktop."""
        self.run_worker(self.show_sidebar(), exit_on_error=False)
        if self._in_view or seconds < self._start.bell_after or self._start.bell == "off":
            return
        if self._start.bell == "notify":
            private.write_raw(self, "\x1b]9;Coda: the answer is there\x07")
        else:
            self.bell()

    def on_app_focus(self) -> None:
        """The person looks at this window."""
        self._in_view = True

    def on_app_blur(self) -> None:
        """The person looks elsewhere."""
        self._in_view = False

    # ---- the prompt -----------------------------------------------------------------------------------------------

    def _runs(self, text: str) -> bool:
        if self._front is None:
            return False
        from coda_cli.chat import commands

        return commands.is_complete(text, "tui")

    @on(Prompt.Submitted)
    async def _submitted(self, message: Prompt.Submitted) -> None:
        if self._front is None or self._session is None:
            self._early.append(message)
            return
        self._session.history.add(message.draft)
        self._session.drafts.forget(self._session.conversation_id)
        self.run_worker(self._front.take(message.text, message.typed), exit_on_error=False)

    @on(Prompt.Changed)
    def _draft(self) -> None:
        if self._session is not None:
            self._session.drafts.note(self._session.conversation_id, self.prompt.text_for_draft())

    @on(Prompt.EditorWanted)
    def _to_editor(self) -> None:
        if self._front is not None:
            self.run_worker(self._front.write_in_editor(), exit_on_error=False)

    @on(Prompt.Escaped)
    def _escaped(self) -> None:
        self.action_escape()

    # ---- the transcript -------------------------------------------------------------------------------------------

    @on(AtEnd)
    def _at_end(self, message: AtEnd) -> None:
        pill = self.query_one("#pill", Static)
        more = f"{message.fresh} new lines" if message.fresh else "newest"
        pill.update(Content(f"↓ {more} · Ctrl+End"))
        pill.set_class(not message.value, "-shown")

    @on(events.Click, "#pill")
    def _pill(self) -> None:
        self.transcript.jump_to_end()

    @on(Acted)
    def _acted(self, message: Acted) -> None:
        if self._front is not None:
            self.run_worker(self._front.act(message.action, message.entry_id), exit_on_error=False)

    @on(LinkPressed)
    def _link(self, message: LinkPressed) -> None:
        if self._front is not None:
            self.run_worker(self._front.open_link(message.url), exit_on_error=False)

    @on(Selected)
    def _selected(self, message: Selected) -> None:
        if self._front is not None and message.text:
            self._front.copied(message.text, quiet=True)

    @on(Sidebar.Chosen)
    def _chosen(self, message: Sidebar.Chosen) -> None:
        if self._front is not None:
            self.run_worker(self._front.go_to(message.conversation_id), exit_on_error=False)

    # ---- find -----------------------------------------------------------------------------------------------------

    def action_find(self) -> None:
        """Find in this chat."""
        bar = self.query_one(FindBar)
        bar.add_class("-shown")
        bar.focus()

    @on(FindBar.Changed)
    def _find(self, message: FindBar.Changed) -> None:
        self.query_one(FindBar).show_count(*self.transcript.find(message.text))

    @on(FindBar.Next)
    def _find_next(self) -> None:
        self.query_one(FindBar).show_count(*self.transcript.find_next())

    @on(FindBar.Previous)
    def _find_previous(self) -> None:
        self.query_one(FindBar).show_count(*self.transcript.find_previous())

    @on(FindBar.Closed)
    def _find_closed(self) -> None:
        self.query_one(FindBar).remove_class("-shown")
        self.transcript.clear_find()
        self.prompt.focus()

    # ---- keys -----------------------------------------------------------------------------------------------------

    def action_command(self, line: str) -> None:
        """Run a slash command."""
        if self._front is not None:
            self.run_worker(self._front.take(line, line), exit_on_error=False)

    def action_palette(self) -> None:
        """All commands, to be filtered by typing."""
        if self._front is not None:
            self.run_worker(self._front.palette(), exit_on_error=False)

    def action_chats(self) -> None:
        """The list of chats, and the search in all of them."""
        self.action_command("/resume")

    def action_toggle_reasoning(self) -> None:
        """Unfold or fold the models' thinking."""
        self.transcript.reasoning_open = not self.transcript.reasoning_open

    def action_toggle_tools(self) -> None:
        """Unfold or fold tool calls."""
        self.transcript.tools_open = not self.transcript.tools_open

    async def action_toggle_sidebar(self) -> None:
        """Show or hide the latest chats."""
        sidebar = self.query_one(Sidebar)
        sidebar.toggle_class("-shown")
        if sidebar.has_class("-shown") and self._session is not None:
            await self.show_sidebar()
        elif sidebar.has_focus:
            self.prompt.focus()

    def action_focus_transcript(self) -> None:
        """Walk from the prompt to the messages and back."""
        if self.transcript.has_focus:
            self.prompt.focus()
        else:
            self.transcript.focus()

    def action_page(self, step: int) -> None:
        """Page in the transcript, wherever the focus is."""
        self.transcript.action_page(step)

    def action_to_end(self) -> None:
        """The newest message."""
        self.transcript.jump_to_end()

    def _twice(self, key: str) -> bool:
        before, now = self._pressed.get(key, -TWICE), monotonic()
        self._pressed[key] = now
        return now - before < TWICE

    def action_escape(self) -> None:
        """Stop the answer; twice at rest: go back to edit the last question; from the messages: to the prompt."""
        if not self.prompt.has_focus:
            self.prompt.focus()
        elif self._flow is not None and (self._flow.stop() or (self._front is not None and self._front.stop_shell())):
            self._pressed.pop("escape", None)
        elif self._front is not None and self._twice("escape"):
            self._pressed.pop("escape", None)
            self.run_worker(self._front.rewind(), exit_on_error=False)

    def action_copy(self) -> None:
        """Copy the message under the cursor, or the newest answer."""
        self.action_command("/copy")

    def action_interrupt(self) -> None:
        """Ctrl+C: stop the answer; empty the prompt; twice: quit."""
        if self._flow is not None and self._flow.stop():
            self._pressed["interrupt"] = monotonic()
        elif self._twice("interrupt"):
            self._go(0)
        elif not self.prompt.is_blank:
            self.prompt.clear()
        else:
            self.notify("Ctrl+C once more quits", timeout=TWICE, markup=False)

    def action_leave(self) -> None:
        """Quit; ask first if an answer is under way."""
        if self._front is not None:
            self.run_worker(self._front.ask_and_leave(), exit_on_error=False)
        else:
            self.exit(0)


def _styles(theme: ChatTheme) -> Styles:
    return Styles(theme.tables(), foreground=theme.foreground, background=theme.background)


def actions() -> Iterable[str]:
    """The names that `[keys]` in coda.toml may give other keys."""
    yield from sorted({str(one.id) for one in CodaApp.BINDINGS if isinstance(one, Binding) and one.id} | PROMPT_ACTIONS)


async def run(make: Callable[[], ChatSession], start: Start, *, mouse: bool = True, inline: bool = False) -> int:
    """Run the chat of the session that *make* makes, until the person leaves it; returns the exit code.

    *make* is called in a thread, after the first paint. Raises CodaError, also for what *make* raises, and defects.
    """
    from coda_cli.tui import terminal_input

    terminal_input.install()
    app = CodaApp(make, start)
    code = await app.run_async(mouse=mouse, inline=inline, inline_no_clear=inline)
    if app.failure is not None:
        raise app.failure
    if app.defect is not None:
        raise app.defect
    return code or 0
