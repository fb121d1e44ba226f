"""A look into the last turn: the very request, what each part of it takes, what happened when, and the price."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from msgspec import Struct
from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.widget import Widget
from textual.widgets import Static

from coda_cli.chat.shares import Share
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.tui.screens.find_bar import FindBar
from coda_cli.tui.screens.runs import Run, one_line
from coda_cli.tui.screens.sheet import Sheet
from coda_cli.tui.screens.text_view import TextView

_BAR: Final = (8, 40)
_BESIDE: Final = 34
"""Columns that stand beside a bar and its name."""
_LONGEST: Final = 200_000
"""Characters of the request that are shown of one text in it."""


class Moment(Struct, frozen=True):
    """Something that happened, `seconds` after the request was asked for."""

    seconds: float
    what: str
    bad: bool = False


class Turn(Struct, frozen=True):
    """What is known of one turn. `facts` are lines.

    `request` is redacted plain data, None where it is not kept; `remark` says what it is where it is not what was sent.
    """

    facts: Sequence[tuple[str, str]] = ()
    parts: Sequence[Share] = ()
    window: int | None = None
    moments: Sequence[Moment] = ()
    request: Any = None
    remark: str = ""


class _Tabs(Static):
    """The names of the tabs, the shown one marked; a click shows another."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(classes="tabs", markup=False)
        self._names, self._ends = names, [0]

    def mark(self, shown: int) -> None:
        """Mark one of them."""
        pieces, at, self._ends = [], 0, []
        for place, name in enumerate(self._names):
            text = f" {place + 1} {name} "
            pieces.append(Content.styled(text, "reverse bold" if place == shown else ""))
            at += len(text)
            self._ends.append(at)
        self.update(Content("").join(pieces))

    def on_click(self, event: Click) -> None:
        """Show that one."""
        event.stop()
        at = event.get_content_offset(self)
        screen = self.screen
        if at is not None and isinstance(screen, Inspect):
            screen.action_show(next((place for place, end in enumerate(self._ends) if at.x < end), 0))


class Inspect(Sheet[None]):
    """The tabs of one turn. 1 to 4 or Tab show another, `/` finds in it."""

    NAMES: ClassVar[tuple[str, ...]] = ("Facts", "Parts", "Timeline", "Request")
    DEFAULT_CSS = """
    Inspect {
        .tabs { height: 1; width: 1fr; color: $text-accent; margin: 0 1; }
        TextView { padding: 0 1; margin-top: 1; }
        &.-low TextView { margin-top: 0; }
        FindBar { display: none; }
        FindBar.-open { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n + 1), f"show({n})", f"Tab {n + 1}", show=False, id=f"inspect.{n + 1}") for n in range(4)),
        Binding("tab,right,l", "step(1)", "next", key_display="tab", id="inspect.next", priority=True),
        Binding("shift+tab,left,h", "step(-1)", "Before", show=False, id="inspect.previous"),
        Binding("slash,ctrl+f", "find", "find", id="inspect.find"),
        Binding("n", "find_next(1)", "Next hit", show=False, id="inspect.next_hit"),
        Binding("N", "find_next(-1)", "Hit before", show=False, id="inspect.previous_hit"),
        Binding("q", "close", "Close", show=False, id="inspect.close"),
    ]
    AUTO_FOCUS = "TextView"

    def __init__(self, turn: Turn, *, tab: int = 0, title: str = "The last turn") -> None:
        super().__init__(title)
        self._turn, self._tab = turn, tab

    def compose_sheet(self) -> Iterable[Widget]:
        """The tabs, and what the shown one holds."""
        yield _Tabs(self.NAMES)
        yield TextView()
        yield FindBar()

    def on_mount(self) -> None:
        """The first tab."""
        super().on_mount()
        self.call_after_refresh(self.action_show, self._tab)

    def on_resize(self) -> None:
        """The bars fit the width."""
        if self._tab == 1:
            self.call_after_refresh(self.action_show, self._tab)

    @property
    def _view(self) -> TextView:
        return self.query_one(TextView)

    @property
    def _bar(self) -> FindBar:
        return self.query_one(FindBar)

    def action_show(self, tab: int) -> None:
        """Show a tab."""
        self._tab = tab % len(self.NAMES)
        self.query_one(_Tabs).mark(self._tab)
        if self._tab == 1:
            lines = parts_lines(self._turn, self._view.scrollable_content_region.width)
        else:
            lines = (facts_lines, parts_lines, moments_lines, request_lines)[self._tab](self._turn)
        self._view.show_lines(lines)
        if self._bar.has_class("-open"):
            self._bar.show_count(*self._view.find(self._bar.text))

    def action_step(self, step: int) -> None:
        """Show the next one."""
        self.action_show(self._tab + step)

    # ---- find -------------------------------------------------------------------------------------------------------

    def action_find(self) -> None:
        """Open the line that finds."""
        self._bar.add_class("-open")
        self._bar.focus()

    def action_find_next(self, step: int) -> None:
        """To the next hit."""
        self._bar.show_count(*(self._view.find_next() if step > 0 else self._view.find_previous()))

    @on(FindBar.Changed)
    def _changed(self, event: FindBar.Changed) -> None:
        self._bar.show_count(*self._view.find(event.text))

    @on(FindBar.Next)
    def _next(self) -> None:
        self.action_find_next(1)

    @on(FindBar.Previous)
    def _previous(self) -> None:
        self.action_find_next(-1)

    @on(FindBar.Closed)
    def _leave_find(self) -> None:
        self._bar.remove_class("-open")
        self._view.clear_find()
        self._view.focus()

    def action_close(self) -> None:
        """Leave the line that finds, then the screen."""
        if self._bar.has_class("-open"):
            self._leave_find()
        else:
            self.dismiss(None)


def facts_lines(turn: Turn) -> list[list[Run]]:
    """Name and value, a line each."""
    width = max((len(name) for name, _ in turn.facts), default=0)
    lines: list[list[Run]] = [[(f"{one_line(n):<{width}}  ", "dim"), (one_line(v), "")] for n, v in turn.facts]
    return lines or [[("nothing has been asked yet", "dim")]]


def parts_lines(turn: Turn, width: int = 100) -> list[list[Run]]:
    """Each part with a bar as long as its share."""
    if not turn.parts:
        return [[("the parts are not known any more", "dim")]]
    whole = max(1, sum(part.tokens for part in turn.parts))
    name_width = max(len(one_line(part.name)) for part in turn.parts)
    bar = max(_BAR[0], min(_BAR[1], width - name_width - _BESIDE))
    lines: list[list[Run]] = []
    for part in sorted(turn.parts, key=lambda part: -part.tokens):
        full = round(bar * part.tokens / whole)
        share = f"{100 * part.tokens / whole:5.1f} %"
        many = f"  in {part.messages:,}" if part.messages > 1 else ""
        lines.append(
            [
                (f"{one_line(part.name):<{name_width}}  ", ""),
                ("█" * full, "accent"),
                ("░" * (bar - full), "dim"),
                (f" {share} {part.tokens:>9,}", ""),
                (many, "dim"),
            ]
        )
    lines += [[], [(f"{whole:,} tokens in all, estimated", "dim")]]
    if turn.window:
        lines[-1].append((f": {100 * whole / turn.window:.1f} % of a window of {turn.window:,}", "dim"))
    return lines


def moments_lines(turn: Turn) -> list[list[Run]]:
    """What happened, with its time and the time since what came before."""
    lines: list[list[Run]] = []
    before = 0.0
    for moment in turn.moments:
        since = moment.seconds - before
        before = moment.seconds
        lines.append(
            [
                (f"{moment.seconds:8.2f} s ", "accent"),
                (f"{f'+{since:.2f}':>8}  ", "dim"),
                (one_line(moment.what), "bad" if moment.bad else ""),
            ]
        )
    return lines or [[("what happened is not known any more", "dim")]]


def request_lines(turn: Turn) -> list[list[Run]]:
    """The request as JSON, its keys lit."""
    if turn.request is None:
        return [[("the request is kept only until the program ends", "dim")]]
    text = json.dumps(turn.request, ensure_ascii=False, indent=2, default=str)
    lines = [_json_line(sanitize(line[:_LONGEST])) for line in text.split("\n")]
    return [[(one_line(turn.remark), "dim")], [], *lines] if turn.remark else lines


def _json_line(line: str) -> list[Run]:
    body = line.lstrip(" ")
    indent = line[: len(line) - len(body)]
    if body.startswith('"') and (end := body.find('": ')) > 0 and "\\" not in body[:end]:
        return [(indent, ""), (body[: end + 1], "accent"), (body[end + 1 :], "")]
    return [(line, "")]
