"""The status line: which model answers, how full its window is, what the chat has cost, and what is happening now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from coda_cli.engine.rendering.sanitize import sanitize

_CELLS: Final = 8
_FULL, _EMPTY = "▰", "▱"
_NEARLY: Final = 0.8
_BETWEEN: Final = " · "
_WIDE: Final = 76
"""Cells from which on there is room for a second key at rest."""


class State(Struct, frozen=True):
    """What the line says. `doing` is "" at rest; `since` is when that began (monotonic seconds, None: no clock)."""

    model: str = ""
    tokens: int = 0
    window: int | None = None
    cost: float | None = None
    unpriced: int = 0
    queued: int = 0
    incognito: bool = False
    unsaved: bool = False
    doing: str = ""
    since: float | None = None
    until: float | None = None


class Status(Widget):
    """One line at the bottom. It has a timer, once a second, only while something is under way."""

    DEFAULT_CSS = """
    Status { height: 1; width: 1fr; padding: 0 1; color: $text-muted; background: $panel; }
    """
    ALLOW_SELECT = False

    class Pressed(Message):
        """A part was clicked: "model", "context", "usage", "queue", "menu", "help" or "stop"."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name in Textual
        super().__init__(id=id)
        self.state = State()
        self._timer: Timer | None = None
        self._help_key, self._menu_key = "F1", "Ctrl+P"
        self._places: list[tuple[int, int, str]] = []

    def show_keys(self, help_key: str, menu_key: str) -> None:
        """The keys that open the help and the list of commands."""
        self._help_key, self._menu_key = help_key, menu_key
        self.refresh()

    def tell(self, **changes: object) -> None:
        """Change fields of the state."""
        state = replace(self.state, **changes)
        if state == self.state:
            return
        self.state = state
        self.refresh()
        self._keep_time()

    def doing(self, what: str, *, wait: float | None = None) -> None:
        """Something is under way; *wait* counts down to when it goes on (seconds)."""
        if what == self.state.doing and wait is None and self.state.until is None:
            return  # as with every token of an answer
        now = monotonic()
        since = self.state.since if what and self.state.doing == what else now
        self.tell(doing=what, since=since if what else None, until=None if wait is None else now + wait)

    def rest(self) -> None:
        """Nothing is under way any more."""
        self.tell(doing="", since=None, until=None)

    def _keep_time(self) -> None:
        if self.state.doing and self._timer is None:
            self._timer = self.set_interval(1.0, self.refresh)
        elif not self.state.doing and self._timer is not None:
            self._timer.stop()
            self._timer = None

    def render(self) -> Content:
        """The line, cut to the width: what is happening now stands to the right and is cut last."""
        width = self.size.width - 2
        right = self._now(width)
        facts = self._facts(width - _length(right) - 2)
        left = _BETWEEN.join(text for text, _ in facts)
        gap = max(1, width - cell_len(left) - _length(right))
        self._places = [*_places(facts, 0), *_places(right, cell_len(left) + gap)]
        return Content(left + " " * gap + _BETWEEN.join(text for text, _ in right))

    def _now(self, width: int) -> list[tuple[str, str]]:
        state = self.state
        if not state.doing:
            shown = [(f"{self._help_key} help", "help")]
            return [(f"{self._menu_key} menu", "menu"), *shown] if width >= _WIDE else shown
        now = monotonic()
        stops = ("Esc stops", "stop")
        if state.until is not None:
            return [(f"{state.doing} in {max(0, round(state.until - now))} s", ""), stops]
        seconds = int(now - state.since) if state.since is not None else 0
        return [(f"{state.doing} {seconds} s" if seconds else state.doing, ""), stops]

    def _facts(self, width: int) -> list[tuple[str, str]]:
        state = self.state
        parts = [(sanitize(state.model).replace("\n", " ") or "no model yet", "model")]
        if state.tokens or state.window:
            parts.append((meter(state.tokens, state.window), "context"))
        if state.cost is not None:
            more = "+" if state.unpriced else ""
            said = f"${state.cost:.4f}{more}" if state.cost else ("free" if not state.unpriced else "unpriced")
            parts.append((said, "usage"))
        elif state.unpriced:
            parts.append(("unpriced", "usage"))
        if state.queued:
            parts.append((f"{state.queued} queued", "queue"))
        if state.incognito:
            parts.append(("incognito", ""))
        if state.unsaved:
            parts.append(("NOT SAVED", ""))
        while len(parts) > 1 and _length(parts) > width:
            parts.pop(1 if not state.unsaved else -2)
        if _length(parts) > width:
            parts = [(set_cell_size(parts[0][0], max(0, width)), "model")]
        return parts

    def on_click(self, event: Click) -> None:
        """What is shown leads to where it can be changed."""
        at = event.get_content_offset(self)
        name = next((name for start, end, name in self._places if at is not None and start <= at.x < end), "")
        if name:
            self.post_message(self.Pressed(name))


def _length(parts: Sequence[tuple[str, str]]) -> int:
    return cell_len(_BETWEEN.join(text for text, _ in parts))


def _places(parts: Sequence[tuple[str, str]], start: int) -> Iterator[tuple[int, int, str]]:
    """From which cell to which each part stands."""
    for text, name in parts:
        yield start, start + cell_len(text), name
        start += cell_len(text) + len(_BETWEEN)


def meter(tokens: int, window: int | None) -> str:
    """`▰▰▱▱▱▱▱▱ 12k/200k`: how full the window is."""
    if not window:
        return f"{short(tokens)} tokens"
    share = min(1.0, tokens / window)
    full = round(share * _CELLS) or (1 if tokens else 0)
    warning = "!" if share >= _NEARLY else ""
    return f"{_FULL * full}{_EMPTY * (_CELLS - full)} {short(tokens)}/{short(window)}{warning}"


def short(number: int) -> str:
    """`950`, `12k`, `1.1M`."""
    if number < 1000:
        return str(number)
    if number < 999_500:
        return f"{number / 1000:.0f}k" if number >= 10_000 else f"{number / 1000:.1f}k"
    return f"{number / 1e6:.1f}M"
