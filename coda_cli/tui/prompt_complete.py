"""The list above the prompt: completions while somebody types, and hits of a search in the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.events import Click, MouseMove
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from coda_cli.chat.fuzzy import match
from coda_cli.engine.rendering.sanitize import sanitize

ROWS: Final = 8
_GAP: Final = 2
_PARTS: Final = ("row", "cursor", "match", "detail", "title")


class Choice(Struct, frozen=True):
    """One row. Texts are untrusted; they are cleaned when they are drawn."""

    label: str
    detail: str = ""


class PromptList(Widget, can_focus=False):
    """At most ROWS rows over the transcript, right above the prompt; it takes no room and never the focus."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"prompt-list--{part}" for part in _PARTS}
    DEFAULT_CSS = """
    PromptList {
        overlay: screen; position: absolute; display: none; background: $surface; color: $foreground;
        & > .prompt-list--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .prompt-list--match { color: $text-accent; text-style: bold underline; }
        & > .prompt-list--detail { color: $text-muted; }
        & > .prompt-list--title { color: $text-muted; background: $panel; }
    }
    """

    def __init__(self, picked: Callable[[int], None]) -> None:
        super().__init__()
        self._picked = picked
        self._choices: Sequence[Choice] = ()
        self._query = ""
        self._title = ""
        self._top = 0
        self._place = Region()
        self.place = 0

    @property
    def shown_rows(self) -> int:
        """Its height."""
        return min(len(self._choices), ROWS) + bool(self._title)

    def show(self, choices: Sequence[Choice], *, query: str = "", title: str = "", place: int = 0) -> None:
        """Show *choices* with the letters of *query* lit."""
        self._choices, self._query, self._title = choices, query, title
        self.move_to(place)
        self.display = True

    def hide(self) -> None:
        """Show nothing."""
        self._choices = ()
        self.display = False

    def move_to(self, place: int) -> None:
        """Put the cursor on row *place*; beyond an end it goes on at the other."""
        self.place = place % len(self._choices) if self._choices else 0
        self._top = max(min(self._top, self.place), self.place - ROWS + 1, 0)
        self._top = min(self._top, max(0, len(self._choices) - ROWS))
        self.refresh()

    def put_above(self, prompt: Region, screen: Size) -> None:
        """Stand above *prompt*, or below it where there is no room above."""
        height = self.shown_rows
        y = prompt.y - height if prompt.y >= height else min(prompt.bottom, max(0, screen.height - height))
        place = Region(prompt.x, y, max(1, prompt.width), height)
        if place != self._place:
            self._place = place
            self.styles.offset = place.offset
            self.styles.width, self.styles.height = place.width, place.height

    def render_line(self, y: int) -> Strip:
        """One row."""
        width = self.size.width
        if self._title:
            if y == 0:
                style = self.get_component_rich_style("prompt-list--title")
                return _fit([Segment(" " + _one_line(self._title), style)], width, style)
            y -= 1
        place = self._top + y
        if place >= len(self._choices):
            return Strip.blank(width, self.rich_style)
        return self._row(self._choices[place], place == self.place, width)

    def _row(self, choice: Choice, under: bool, width: int) -> Strip:
        base = self.rich_style
        if under:
            base += self.get_component_rich_style("prompt-list--cursor")
        label, detail = _one_line(choice.label), _one_line(choice.detail)
        segments = [Segment("› " if under else "  ", base)]
        lit = self.get_component_rich_style("prompt-list--match", partial=True)
        segments += _lit(label, self._query, base, base + lit)
        if detail:
            shown = self._choices[self._top : self._top + ROWS]
            column = min(max(cell_len(_one_line(one.label)) for one in shown), width // 2)
            quiet = base if under else base + self.get_component_rich_style("prompt-list--detail", partial=True)
            segments += [Segment(" " * max(_GAP, column - cell_len(label) + _GAP), base), Segment(detail, quiet)]
        return _fit(segments, width, base)

    def on_mouse_move(self, event: MouseMove) -> None:
        """The row under the mouse is the one that a click takes."""
        place = self._top + event.y - bool(self._title)
        if 0 <= place < len(self._choices) and place != self.place:
            self.move_to(place)

    def on_click(self, event: Click) -> None:
        """Take a row."""
        event.stop()
        place = self._top + event.y - bool(self._title)
        if 0 <= place < len(self._choices):
            self._picked(place)


def _one_line(text: str) -> str:
    """Untrusted *text* as it may stand in a row."""
    return sanitize(text[:500]).replace("\n", "⏎").replace("\t", " ")


def _lit(label: str, query: str, style: Style, lit: Style) -> Iterable[Segment]:
    """*label* with the letters of *query* in *lit*."""
    found = match(query, label)
    places = frozenset(found.places if found else ())
    start = 0
    for end in range(1, len(label) + 1):
        if end == len(label) or (end in places) != (start in places):
            yield Segment(label[start:end], lit if start in places else style)
            start = end


def _fit(segments: Iterable[Segment], width: int, style: Style) -> Strip:
    """The segments on exactly *width* cells."""
    return Strip(segments).adjust_cell_length(width, style)
