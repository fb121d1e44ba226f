"""A list of any length on the line API: only the rows that are seen are ever made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from coda_cli.tui.screens.runs import STYLES, Row, Run, cells, cut

_GAP: Final = 2
_RIGHT: Final = 0.6
"""The part of a row that its right side may take."""
_MARK: Final = "▌"
_TEXTS: Final = 2
"""Columns before a row's text: the cursor's mark, which shows without colours too, and a blank."""


class RowList(ScrollView, can_focus=True):
    """Rows of one height, a cursor, keys and mouse. `row(place)` is asked for what is seen.

    `click_takes`: a click on any row takes it; otherwise the first click moves the cursor and one on the cursor takes.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"rows--{name}" for name in STYLES}
    DEFAULT_CSS = """
    RowList {
        height: 1fr; background: transparent; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
        overflow-x: hidden;
        & > .rows--dim { color: $text-muted; }
        & > .rows--strong { text-style: bold; }
        & > .rows--match { color: $text-accent; text-style: bold underline; }
        & > .rows--group { color: $text-primary; text-style: bold; }
        & > .rows--good { color: $text-success; }
        & > .rows--bad { color: $text-error; }
        & > .rows--warn { color: $text-warning; }
        & > .rows--accent { color: $text-accent; }
        & > .rows--cursor {
            color: $block-cursor-foreground; background: $block-cursor-background;
            text-style: $block-cursor-text-style;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="list.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list.page_down"),
        Binding("home,g", "to_start", "First", show=False, id="list.first"),
        Binding("end,G", "to_end", "Last", show=False, id="list.last"),
        Binding("enter", "take", "Take", show=False, id="list.take"),
    ]

    class Moved(Message):
        """The cursor is on another row; `place` is -1 where there are none."""

        def __init__(self, rows: RowList, place: int) -> None:
            super().__init__()
            self.rows, self.place = rows, place

        @property
        def control(self) -> RowList:
            """The list."""
            return self.rows

    class Taken(Message):
        """Enter or a click on a row."""

        def __init__(self, rows: RowList, place: int) -> None:
            super().__init__()
            self.rows, self.place = rows, place

        @property
        def control(self) -> RowList:
            """The list."""
            return self.rows

    class NearEnd(Message):
        """The last rows come into view: a list that is read in pages reads on."""

    def __init__(
        self,
        *,
        empty: str = "nothing here",
        click_takes: bool = True,
        id: str | None = None,  # noqa: A002 - the name in Textual
    ) -> None:
        super().__init__(id=id)
        self.empty = empty
        self.click_takes = click_takes
        self.row_height = 1
        self.cursor = -1
        self.length = 0
        self._row: Callable[[int], Row] = lambda place: Row([(str(place), "")])
        self._styles: dict[str, Style] = {}

    # ---- what is shown ----------------------------------------------------------------------------------------------

    def show(self, length: int, row: Callable[[int], Row], *, cursor: int = 0, row_height: int = 1) -> None:
        """Show *length* rows with the cursor on *cursor*, or the next one that is no heading."""
        self._row, self.length, self.row_height = row, length, row_height
        self.virtual_size = Size(self.scrollable_content_region.width, length * row_height)
        self.cursor = self._standing(max(0, min(length - 1, cursor)), 1) if length else -1
        self._reveal()
        self.refresh()
        self.post_message(self.Moved(self, self.cursor))

    def grow(self, length: int) -> None:
        """More rows below; cursor and view stay."""
        self.length = length
        self.virtual_size = Size(self.scrollable_content_region.width, length * self.row_height)
        self.refresh()
        if self.cursor < 0 and length:
            self.cursor = self._standing(0, 1)
            self.post_message(self.Moved(self, self.cursor))

    def _standing(self, place: int, step: int) -> int:
        """The first place from *place* on, in steps of *step*, that is no heading; the other way if there is none."""
        for direction in (step, -step):
            at = place
            while 0 <= at < self.length:
                if not self._row(at).heading:
                    return at
                at += direction
        return place

    # ---- the cursor -------------------------------------------------------------------------------------------------

    def move_to(self, place: int, step: int = 1) -> None:
        """Put the cursor on *place* and into view."""
        if not self.length:
            return
        place = self._standing(max(0, min(self.length - 1, place)), step)
        if place != self.cursor:
            self.cursor = place
            self.refresh()
            self.post_message(self.Moved(self, place))
        self._reveal()
        if place >= self.length - self._visible() - 1:
            self.post_message(self.NearEnd())

    def _visible(self) -> int:
        return max(1, self.size.height // self.row_height)

    def _reveal(self) -> None:
        """Scroll as little as shows the cursor, and a heading right above it."""
        height = self.row_height
        top = self.cursor * height
        above = self.cursor > 0 and self.size.height > 2 * height and self._row(self.cursor - 1).heading
        first = top - height if above else top
        if first < self.scroll_y:
            self.scroll_to(y=max(0, first), animate=False)
        elif top + height > self.scroll_y + self.size.height > 0:
            self.scroll_to(y=top + height - self.size.height, animate=False)

    def action_move(self, step: int) -> None:
        """Up or down by *step* rows; from an end to the other."""
        if not self.length:
            return
        place = self.cursor + step
        while 0 <= place < self.length and self._row(place).heading:
            place += step
        if place < 0:
            self.move_to(self.length - 1, -1)
        elif place >= self.length:
            self.move_to(0, 1)
        else:
            self.move_to(place, step)

    def action_page(self, step: int) -> None:
        """Up or down by what is seen at once."""
        self.move_to(self.cursor + step * max(1, self._visible() - 1), step)

    def action_to_start(self) -> None:
        """To the first row."""
        self.move_to(0, 1)

    def action_to_end(self) -> None:
        """To the last row."""
        self.move_to(self.length - 1, -1)

    def action_take(self) -> None:
        """Take the row under the cursor."""
        if 0 <= self.cursor < self.length:
            self.post_message(self.Taken(self, self.cursor))

    def on_click(self, event: Click) -> None:
        """Move the cursor to the row, or take it."""
        place = (event.y + self.scroll_offset.y) // self.row_height
        if not 0 <= place < self.length or self._row(place).heading:
            return
        again = place == self.cursor
        self.move_to(place)
        if self.click_takes or again:
            self.action_take()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for more at the end."""
        super().watch_scroll_y(old_value, new_value)
        if self.length and new_value > old_value and new_value + 2 * self.size.height >= self.virtual_size.height:
            self.post_message(self.NearEnd())

    # ---- drawing ----------------------------------------------------------------------------------------------------

    def on_resize(self, event: Resize) -> None:
        """The cursor stays in view."""
        self.virtual_size = Size(self.scrollable_content_region.width, self.length * self.row_height)
        if self.length:
            self._reveal()

    def notify_style_update(self) -> None:
        """The theme has changed."""
        self._styles.clear()
        super().notify_style_update()

    def _style(self, name: str, *, under: bool) -> Style:
        key = f"{name}{under}"
        style = self._styles.get(key)
        if style is None:
            # Whole visual styles: only they blend half-transparent colours and find the contrast of an "auto" one.
            parts = [f"rows--{part}" for part in (name, "cursor" if under else "") if part]
            visual = self.get_visual_style(*parts)
            style = self._styles[key] = visual.rich_style
        return style

    def render_line(self, y: int) -> Strip:
        """One line of a row."""
        width = self.size.width
        place, line = divmod(y + self.scroll_offset.y, self.row_height)
        if place >= self.length:
            text: list[Run] = [(self.empty, "dim")] if not self.length and y == 0 else []
            return self._strip(text, (), width, under=False)
        row = self._row(place)
        under = place == self.cursor
        return self._strip(row.below if line else row.left, () if line else row.right, width, under=under)

    def _strip(self, left: Sequence[Run], right: Sequence[Run], width: int, *, under: bool) -> Strip:
        room = max(0, width - _TEXTS - 1)
        tail = list(right)
        while len(tail) > 1 and cells(tail) > room * _RIGHT:
            tail.pop(0)  # what stands further left is less to the point
        tail = cut(tail, int(room * _RIGHT))
        head = cut(left, room - cells(tail) - (_GAP if tail else 0))
        gap = max(0, room - cells(head) - cells(tail))
        runs: list[Run] = [(f"{_MARK if under else ' '} ", ""), *head, (" " * gap, ""), *tail, (" ", "")]
        segments = [Segment(text, self._style(name, under=under)) for text, name in runs if text]
        return Strip(segments).adjust_cell_length(width, self._style("", under=under))

    def refresh_row(self, place: int) -> None:
        """Draw one row again."""
        height = self.row_height
        self.refresh(Region(0, place * height - self.scroll_offset.y, self.size.width, height))
