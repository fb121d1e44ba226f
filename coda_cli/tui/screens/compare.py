"""One question, several models, their answers side by side as they come. The one that is chosen goes on."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import ClassVar, Final, assert_never

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.events import Click, DescendantFocus
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from coda_cli.chat.comparison import Comparison, Contender
from coda_cli.chat.entry import Entry
from coda_cli.chat.words import counted, price
from coda_cli.engine.core.events import (
    AnalyticsUpdate,
    ApprovalAnswered,
    ApprovalRequested,
    BudgetReached,
    CacheHit,
    ContextCompacted,
    ContextCompacting,
    ContextTrimmed,
    ConversationCreated,
    ConversationUnsaved,
    Event,
    EventsLost,
    FunctionCalls,
    FunctionProgress,
    FunctionResult,
    MemoryUpdate,
    PersonaUpdate,
    ProviderFallback,
    ProviderStatusChange,
    ReasoningChunk,
    ResponseChunk,
    ResponseComplete,
    ResponseError,
    ResponseStart,
    RetryScheduled,
    ToolsUnavailable,
)
from coda_cli.tui.screens.hints import Hint
from coda_cli.tui.screens.runs import one_line
from coda_cli.tui.screens.sheet import Sheet
from coda_cli.tui.transcript.styles import Styles
from coda_cli.tui.transcript.view import Transcript

_ANSWER: Final = "answer"
_NUMBERS: Final = "1-4"


class _Name(Static):
    """A contender's number and name. A click on it chooses its answer."""

    class Chosen(Message):
        """It was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self, place: int, name: str) -> None:
        super().__init__(classes="name", markup=False)
        self._place = place
        self.show(name)

    def show(self, name: str) -> None:
        """Another name."""
        self.update(Content(f"{self._place + 1}  {one_line(name)}"))

    def on_click(self, event: Click) -> None:
        """Tell it."""
        event.stop()
        self.post_message(self.Chosen(self._place))


class Pane(Vertical):
    """One contender: its name, its answer as it comes, then time, tokens and cost."""

    DEFAULT_CSS = """
    Pane {
        width: 1fr; height: 1fr;
        & > .name { height: 1; width: 1fr; padding: 0 1; background: $panel; color: $text-muted; }
        & > .facts { height: 1; width: 1fr; padding: 0 1; color: $text-muted; }
        & > .facts.-bad { color: $text-error; }
        &.-current > .name { background: $primary; color: $background; text-style: bold; }
    }
    """

    def __init__(self, place: int, contender: Contender, styles: Styles | None) -> None:
        super().__init__()
        self.place, self.contender = place, contender
        self.transcript = Transcript(styles=styles)
        self.over = False
        self._begun = False
        self._model = contender.name
        self._started: float | None = None
        self._sent = 0.0
        self._first: float | None = None
        self._doing = "waiting"

    def compose(self) -> ComposeResult:
        """Name, answer, facts."""
        yield _Name(self.place, self.contender.name)
        yield self.transcript
        yield Static(classes="facts", markup=False)

    async def follow(self) -> None:
        """Show the answer to its end."""
        self._started = monotonic()
        self.tell_time()
        async for batch in self.contender.generation.batches():
            for event in batch:
                self._take(event)
        self.over = True

    def _take(self, event: Event) -> None:
        match event:
            case ResponseChunk():
                self._begin("answering", event.time)
                self.transcript.feed(event.delta)
            case ReasoningChunk():
                self._begin("thinking", event.time)
                self.transcript.feed_reasoning(event.delta)
            case ResponseStart():
                self._sent = event.time
                self._model = f"{event.provider}/{event.model}"
                self.query_one(_Name).show(self._model)
            case RetryScheduled():
                self._doing = f"retry {event.attempt} of {event.max_retries} in {event.wait:.0f} s"
                self.tell_time()
            case ResponseComplete():
                self._complete(event)
            case ResponseError():
                self._failed(event)
            case (
                ConversationCreated()
                | ConversationUnsaved()
                | FunctionCalls()
                | FunctionProgress()
                | FunctionResult()
                | ApprovalRequested()
                | ApprovalAnswered()
                | ToolsUnavailable()
                | ProviderStatusChange()
                | AnalyticsUpdate()
                | ContextCompacting()
                | ContextCompacted()
                | ContextTrimmed()
                | MemoryUpdate()
                | PersonaUpdate()
                | ProviderFallback()
                | CacheHit()
                | BudgetReached()
                | EventsLost()
            ):
                pass
            case _:
                assert_never(event)

    def _begin(self, doing: str, now: float) -> None:
        self._doing = doing
        if not self._begun:
            self._begun = True
            self._first = now - self._sent
            self.transcript.begin(Entry(_ANSWER, "assistant", "", status="streaming", model=self._model))
            self.tell_time()

    def _complete(self, event: ResponseComplete) -> None:
        entry = Entry(_ANSWER, "assistant", event.content, status=event.status, model=self._model)
        self._put(entry)
        first = f", first word {self._first:.1f} s" if self._first is not None else ""
        tokens = event.usage.output_tokens
        rate = f" ({tokens / event.latency:.0f}/s)" if tokens and event.latency > 0 else ""
        stopped = "" if event.status == "complete" else f"{event.status}, "
        self._facts(f"{stopped}{event.latency:.1f} s{first} · {counted(tokens, 'token')}{rate} · {price(event.cost)}")

    def _failed(self, event: ResponseError) -> None:
        why = str(event.error.get("message") or "the answer failed")
        hint = event.error.get("hint")
        if event.partial:
            self._put(Entry(_ANSWER, "assistant", event.partial, status=event.status, model=self._model))
        told = f"{why}\n\nhint: {hint}" if isinstance(hint, str) else why
        self.transcript.add(Entry("error", "note", told))  # a note: an error would offer to be asked again
        self._facts(f"failed after {event.latency:.1f} s", bad=True)

    def _put(self, entry: Entry) -> None:
        if self._begun:
            self.transcript.end(entry)
        else:
            self.transcript.add(entry)

    def tell_time(self) -> None:
        """What it is doing, and for how long."""
        if not self.over and self._started is not None:
            self._facts(f"{self._doing} · {monotonic() - self._started:.0f} s")

    def _facts(self, text: str, *, bad: bool = False) -> None:
        facts = self.query_one(".facts", Static)
        facts.update(Content(one_line(text)))
        facts.set_class(bad, "-bad")


class Compare(Sheet[int | None]):
    """Gives back the index of the chosen contender, None for none. All answers have ended by then, some stopped.

    Below 100 columns only the current pane is open; Tab opens the next. Esc stops what is under way, then closes.
    """

    DEFAULT_CSS = """
    Compare {
        & > .sheet { width: 100%; max-width: 100%; height: 100%; }
        .question { height: auto; max-height: 2; padding: 0 1; color: $text-muted; }
        .panes { layout: horizontal; height: 1fr; width: 1fr; }
        Pane { border-left: solid $primary 30%; }
        Pane:first-child { border-left: none; }
        &.-narrow .panes, &.-normal .panes { layout: vertical; }
        &.-narrow Pane, &.-normal Pane { height: 2; border-left: none; }
        &.-narrow Pane.-current, &.-normal Pane.-current { height: 1fr; }
        &.-narrow Pane > Transcript, &.-normal Pane > Transcript { display: none; }
        &.-narrow Pane.-current > Transcript, &.-normal Pane.-current > Transcript { display: block; }
        &.-wide .panes { layout: horizontal; }
        &.-wide Pane, &.-wide Pane.-current { height: 1fr; }
        &.-wide Pane > Transcript { display: block; }
        &.-low .question { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "choose(0)", "choose", key_display=_NUMBERS, id="compare.1"),
        Binding("2", "choose(1)", "Choose the second", show=False, id="compare.2"),
        Binding("3", "choose(2)", "Choose the third", show=False, id="compare.3"),
        Binding("4", "choose(3)", "Choose the fourth", show=False, id="compare.4"),
        Binding("enter", "choose_current", "choose this", key_display="enter", id="compare.choose", priority=True),
        Binding("tab,right", "step(1)", "next", key_display="tab", id="compare.next", priority=True),
        Binding("shift+tab,left", "step(-1)", "Before", show=False, id="compare.previous", priority=True),
    ]
    AUTO_FOCUS = ""

    def __init__(self, comparison: Comparison, *, styles: Styles | None = None) -> None:
        super().__init__(f"Compare {len(comparison.contenders)} models")
        self._comparison = comparison
        self._given_styles = styles
        self._current = 0
        self._choice: int | None = None
        self._leaving = False
        self._panes: list[Pane] = []
        self._clock: Timer | None = None

    def compose_sheet(self) -> Iterable[Widget]:
        """The question, and a pane for each contender."""
        styles = self._given_styles or _styles_of(self)
        self._panes = [Pane(place, one, styles) for place, one in enumerate(self._comparison.contenders)]
        yield Static(Content(one_line(self._comparison.question)), classes="question")
        yield Container(*self._panes, classes="panes")

    def on_mount(self) -> None:
        """All at once."""
        super().on_mount()
        self._step_to(0)
        for pane in self._panes:
            self.run_worker(self._follow(pane), group="answers")
        self._clock = self.set_interval(1.0, self._tell_time)  # ends with the last answer

    async def _follow(self, pane: Pane) -> None:
        await pane.follow()
        if all(one.over for one in self._panes):
            if self._clock is not None:
                self._clock.stop()
            self.tell("" if self._leaving else "all answers are there: a number takes one, Esc leaves without")
        self._leave_when_over()

    def _tell_time(self) -> None:
        for pane in self._panes:
            pane.tell_time()

    @property
    def _under_way(self) -> list[Pane]:
        return [pane for pane in self._panes if not pane.over]

    def _leave_when_over(self) -> None:
        if self._leaving and not self._under_way and self.is_current:
            self.dismiss(self._choice)

    def hints(self) -> Iterable[Hint]:
        """As many numbers as there are answers."""
        for hint in super().hints():
            all_of_them = hint.action == "choose(0)" and hint.key == _NUMBERS
            yield replace(hint, key=f"1-{len(self._panes)}") if all_of_them else hint

    # ---- keys -------------------------------------------------------------------------------------------------------

    def _step_to(self, place: int) -> None:
        self._current = place % len(self._panes)
        for pane in self._panes:
            pane.set_class(pane.place == self._current, "-current")
        self._panes[self._current].transcript.focus()

    def action_step(self, step: int) -> None:
        """To the next pane."""
        self._step_to(self._current + step)

    @on(DescendantFocus)
    def _focused(self) -> None:
        place = next((pane.place for pane in self._panes if pane.transcript.has_focus), self._current)
        if place != self._current:
            self._step_to(place)

    def action_choose_current(self) -> None:
        """Take the answer of the current pane."""
        self.action_choose(self._current)

    @on(_Name.Chosen)
    def _chosen(self, event: _Name.Chosen) -> None:
        event.stop()
        self.action_choose(event.place)

    def action_choose(self, place: int) -> None:
        """Take an answer: its end is waited for, the others are stopped."""
        if place >= len(self._panes) or self._leaving:
            return
        self._step_to(place)
        self._choice, self._leaving = place, True
        for pane in self._under_way:
            if pane.place != place:
                pane.contender.generation.cancel()
        if self._under_way:
            self.tell("waiting for its end; Esc stops it, and what came is kept")
        self._leave_when_over()

    def action_close(self) -> None:
        """Stop what is under way; when nothing is, leave."""
        if self._under_way:
            for pane in self._under_way:
                pane.contender.generation.cancel()
            self.tell("" if self._leaving else "stopped: a number takes what came, Esc leaves without")
        else:
            self._leaving = True
            self._leave_when_over()

    def on_click(self, event: Click) -> None:
        """A click beside it leaves nothing half done."""


def _styles_of(widget: Widget) -> Styles | None:
    """Those of the chat that it covers; None in any other app."""
    from coda_cli.tui.app import CodaApp

    app = widget.app
    if not isinstance(app, CodaApp):
        return None
    theme = app.chat_theme
    return Styles(theme.tables(), foreground=theme.foreground, background=theme.background)
