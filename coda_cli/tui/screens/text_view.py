"""Plain text to read: wrapped, scrolled, searched. Only the lines that are seen are ever drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.tui.screens.runs import STYLES, Run

_TAB: Final = "    "


class Place(Struct, frozen=True):
    """A hit: the line, and the characters from `start` to `end` of it."""

    line: int
    start: int
    end: int


class TextView(ScrollView):
    """A text, wrapped at the width. `lines` are lists of runs (plain text is one run a line), all of them sanitized."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"text--{name}" for name in STYLES}
    DEFAULT_CSS = """
    TextView {
        height: 1fr; background: transparent; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
        overflow-x: hidden;
        & > .text--dim { color: $text-muted; }
        & > .text--strong { text-style: bold; }
        & > .text--match { color: $text-accent; text-style: bold underline; }
        & > .text--group { color: $text-primary; text-style: bold; }
        & > .text--good { color: $text-success; }
        & > .text--bad { color: $text-error; }
        & > .text--warn { color: $text-warning; }
        & > .text--accent { color: $text-accent; }
        & > .text--cursor { text-style: reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False, id="text.up"),
        Binding("down,j", "scroll_down", "Down", show=False, id="text.down"),
        Binding("pageup,b", "page_up", "Page up", show=False, id="text.page_up"),
        Binding("pagedown,space", "page_down", "Page down", show=False, id="text.page_down"),
        Binding("home,g", "scroll_home", "Start", show=False, id="text.first"),
        Binding("end,G", "scroll_end", "End", show=False, id="text.last"),
    ]

    def __init__(
        self,
        text: str = "",
        *,
        can_focus: bool = True,
        id: str | None = None,  # noqa: A002 - the name in Textual
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.can_focus = can_focus
        self._lines: list[list[Run]] = []
        self._plain: list[str] = []
        self._rows: list[tuple[int, int, int]] = []  # (line, first character, end) of each row
        self._first: list[int] = []  # the first row of each line
        self._width = 0
        self._hits: list[Place] = []
        self._at = -1
        self._by_line: dict[int, list[Place]] = {}
        self._styles: dict[str, Style] = {}
        self._set(_plain_lines(text))

    # ---- text -------------------------------------------------------------------------------------------------------

    def show(self, text: str) -> None:
        """Show untrusted *text* from its start."""
        self.show_lines(_plain_lines(text))

    def show_lines(self, lines: Iterable[Sequence[Run]]) -> None:
        """Show lines of runs from the first on; their texts are sanitized already."""
        self._set([list(line) for line in lines])
        self.clear_find()
        self._wrap()
        self.scroll_to(y=0, animate=False)
        self.refresh()

    def _set(self, lines: list[list[Run]]) -> None:
        self._lines = lines
        self._plain = ["".join(text for text, _ in line) for line in lines]

    @property
    def text(self) -> str:
        """What is shown, unwrapped."""
        return "\n".join(self._plain)

    def _wrap(self) -> None:
        width = max(1, self.scrollable_content_region.width)
        self._width = width
        self._rows = []
        self._first = []
        for number, text in enumerate(self._plain):
            self._first.append(len(self._rows))
            self._rows += [(number, start, end) for start, end in folded(text, width)]
        self.virtual_size = Size(width, len(self._rows))

    def on_resize(self, event: Resize) -> None:
        """Wrap anew; the line at the top stays there."""
        if self.scrollable_content_region.width == self._width:
            return
        top = self._rows[min(int(self.scroll_y), len(self._rows) - 1)] if self._rows else None
        self._wrap()
        if top is not None and self.scroll_y:
            self.scroll_to(y=self._row_of(top[0], top[1]), animate=False)
        self.refresh()

    def _row_of(self, line: int, character: int) -> int:
        start = self._first[line]
        end = self._first[line + 1] if line + 1 < len(self._first) else len(self._rows)
        starts = [row[1] for row in self._rows[start:end]]
        return start + max(0, bisect_right(starts, character) - 1)

    # ---- find -------------------------------------------------------------------------------------------------------

    def find(self, text: str) -> tuple[int, int]:
        """Light all places of *text*, whatever its case, and go to the first from the top of the view on.

        Returns which one it is (from 1) and how many there are; (0, 0) for none.
        """
        self.clear_find()
        wanted = text.lower()
        if wanted:
            for number, line in enumerate(self._plain):
                lower = line.lower()
                at = lower.find(wanted) if len(lower) == len(line) else line.find(text)
                while at >= 0:
                    self._hits.append(Place(number, at, at + len(wanted)))
                    at = lower.find(wanted, at + len(wanted)) if len(lower) == len(line) else -1
        for hit in self._hits:
            self._by_line.setdefault(hit.line, []).append(hit)
        if self._hits:
            row = min(int(self.scroll_y), max(0, len(self._rows) - 1))
            top = self._rows[row][:2] if self._rows else (0, 0)
            self._at = next((n for n, hit in enumerate(self._hits) if (hit.line, hit.start) >= top), 0)
            self._reveal()
        self.refresh()
        return self.found

    @property
    def found(self) -> tuple[int, int]:
        """Which hit is the current one (from 1), and how many there are."""
        return (self._at + 1, len(self._hits)) if self._hits else (0, 0)

    def find_next(self) -> tuple[int, int]:
        """Go to the next hit, from the last to the first."""
        return self._step(1)

    def find_previous(self) -> tuple[int, int]:
        """Go to the one before."""
        return self._step(-1)

    def _step(self, step: int) -> tuple[int, int]:
        if self._hits:
            self._at = (self._at + step) % len(self._hits)
            self._reveal()
            self.refresh()
        return self.found

    def _reveal(self) -> None:
        hit = self._hits[self._at]
        row = self._row_of(hit.line, hit.start)
        if not self.scroll_y <= row < self.scroll_y + max(1, self.size.height):
            self.scroll_to(y=max(0, row - self.size.height // 2), animate=False)

    def reveal(self, style: str) -> None:
        """Scroll to the first line that has a run of *style*."""
        for number, line in enumerate(self._lines):
            if any(name == style for _, name in line) and number < len(self._first):
                self.scroll_to(y=max(0, self._first[number] - self.size.height // 3), animate=False)
                return

    def clear_find(self) -> None:
        """Nothing is lit any more."""
        self._hits, self._at, self._by_line = [], -1, {}
        self.refresh()

    # ---- drawing ----------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """The theme has changed."""
        self._styles.clear()
        super().notify_style_update()

    def _style(self, name: str) -> Style:
        style = self._styles.get(name)
        if style is None:
            visual = self.get_visual_style(*(f"text--{part}" for part in name.split()))
            style = visual.rich_style
            self._styles[name] = style
        return style

    def render_line(self, y: int) -> Strip:
        """One row of the wrapped text."""
        width = self.size.width
        row = y + self.scroll_offset.y
        if row >= len(self._rows):
            return Strip.blank(width, self._style(""))
        line, start, end = self._rows[row]
        runs = _between(self._lines[line], start, end)
        for hit in self._by_line.get(line, ()):
            if hit.start < end and hit.end > start:
                name = "match cursor" if hit is self._hits[self._at] else "match"
                runs = _relit(runs, hit.start - start, hit.end - start, name)
        return Strip([Segment(text, self._style(name)) for text, name in runs if text]).adjust_cell_length(
            width, self._style("")
        )


def _plain_lines(text: str) -> list[list[Run]]:
    if not text:
        return []
    return [[(line, "")] for line in sanitize(text).replace("\t", _TAB).split("\n")]


def folded(text: str, width: int) -> list[tuple[int, int]]:
    """Where the rows of a line begin and end: broken between words, or inside one that is longer than a row."""
    if len(text) <= width and text.isascii():
        return [(0, len(text))]
    ascii_only = text.isascii()
    out: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = min(len(text), start + width) if ascii_only else _fitting(text, start, width)
        if end < len(text):
            blank = text.rfind(" ", start + 1, end + 1)
            if blank > start:
                end = blank
        out.append((start, end))
        start = end
        while start < len(text) and text[start] == " ":
            start += 1
    return out or [(0, 0)]


def _fitting(text: str, start: int, width: int) -> int:
    taken = 0
    for at in range(start, len(text)):
        taken += cell_len(text[at])
        if taken > width:
            return max(at, start + 1)
    return len(text)


def _between(runs: Sequence[Run], start: int, end: int) -> list[Run]:
    out: list[Run] = []
    at = 0
    for text, name in runs:
        part = text[max(0, start - at) : max(0, end - at)]
        if part:
            out.append((part, name))
        at += len(text)
        if at >= end:
            break
    return out


def _relit(runs: Sequence[Run], start: int, end: int, name: str) -> list[Run]:
    total = sum(len(text) for text, _ in runs)
    start, end = max(0, start), min(end, total)
    middle = "".join(text for text, _ in _between(runs, start, end))
    return [*_between(runs, 0, start), (middle, name), *_between(runs, end, total)]
