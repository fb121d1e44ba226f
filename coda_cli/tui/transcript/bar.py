"""The transcript's own scrollbar: two constant strips, drawn again only when the thumb moves.

Textual's draws all of its lines at every frame while an answer streams, a third of the frame's time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from coda_cli.tui.transcript.strips import filtered
from coda_cli.tui.transcript.styles import Styles


class Bar(Widget):
    """One column that shows which part of the transcript is seen; a click or a drag moves there."""

    ALLOW_SELECT: ClassVar[bool] = False
    DEFAULT_CSS = "Bar { width: 1; height: 1fr; }"

    def __init__(self, styles: Styles) -> None:
        super().__init__()
        self._thumb = (0, 0)
        self._total = 0
        self._moved: Callable[[float], None] | None = None
        self.set_colours(styles)

    def attach(self, moved: Callable[[float], None]) -> None:
        """Call *moved* with the place, from 0 to 1, that a person wants to see in the middle."""
        self._moved = moved

    def set_colours(self, styles: Styles) -> None:
        """Use other colours."""
        self._look = styles
        self._track = Strip([Segment(" ", styles.base)], 1)
        self._grip = Strip([Segment("▐", styles.of(("bar_thumb",)))], 1)
        if self.is_mounted:
            self.refresh()

    def update(self, top: int, height: int, total: int) -> None:
        """Show the rows from *top*, *height* of *total*."""
        self._total = total
        rows = self.size.height
        if total <= height or not rows:
            thumb = (0, 0)
        else:
            length = max(1, round(rows * height / total))
            start = round((rows - length) * top / max(total - height, 1))
            thumb = (start, start + length)
        if thumb != self._thumb:
            first, last = min(self._thumb[0], thumb[0]), max(self._thumb[1], thumb[1])
            self._thumb = thumb
            self.refresh(Region(0, first, 1, max(last - first, 1)))

    def render_lines(self, crop: Region) -> list[Strip]:
        """One of two strips for each row."""
        start, end = self._thumb
        strips = [self._grip if start <= y < end else self._track for y in range(crop.y, crop.bottom)]
        strips = filtered(self, strips, self._look)
        return [strip if crop.width == 1 else strip.crop_extend(crop.x, crop.right, None) for strip in strips]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """One cell."""
        return 1

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go to where the mouse is, and on with it."""
        event.stop()
        self.capture_mouse()
        self._go(event.y)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Follow a drag."""
        if self.app.mouse_captured is self:
            event.stop()
            self._go(event.y)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """The drag is over."""
        event.stop()
        self.release_mouse()

    def _go(self, y: float) -> None:
        if self._moved is not None and self.size.height:
            self._moved(min(max(y / max(self.size.height - 1, 1), 0.0), 1.0))
