"""The part of the transcript that is a window on the document: what is seen, where it stands, how it is drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from coda_cli.markdown.code import lexer_soon
from coda_cli.tui import private
from coda_cli.tui.transcript.bar import Bar
from coda_cli.tui.transcript.blocks import Row
from coda_cli.tui.transcript.document import Document, Spot
from coda_cli.tui.transcript.entry_view import Setting
from coda_cli.tui.transcript.fence import Relexing
from coda_cli.tui.transcript.messages import AtEnd, NeedOlder
from coda_cli.tui.transcript.strips import GUTTER, MARGIN, Mark, blank, filtered, strip_of
from coda_cli.tui.transcript.styles import Styles

_WHEEL: Final = 3
_MINUTE: Final = 60
_SOON: Final = 0.05
_AT_ONCE: Final = 0.005
_BUDGET: Final = 0.01


class Viewport(ScrollView):
    """Shows rows of a document from `_top` on, follows its end where it stands there, and keeps its place otherwise.

    Strips are kept with their rows, so that what Textual caches on them lasts from frame to frame.
    """

    ALLOW_SELECT: ClassVar[bool] = False  # Textual's selection knows rows only; ours knows blocks and their source
    DEFAULT_CSS = """
    Viewport {
        width: 1fr; height: 1fr;
        overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 0; scrollbar-size-horizontal: 0;
    }
    """

    def __init__(
        self,
        *,
        styles: Styles | None = None,
        clock: Callable[[], float] = time.time,
        id: str | None = None,  # noqa: A002  # as every widget of Textual names it
    ) -> None:
        """*clock* gives the seconds since 1970 that "5 min ago" is counted from."""
        super().__init__(id=id)
        self._look = styles or Styles()
        self._setting = Setting(now=clock)
        self._doc = Document(self._setting)
        self._bar: Bar | None = None
        self._top = 0
        self._follow = True
        self._fresh = 0
        self._rest: Timer | None = None
        self._asked: str | None = None
        self._told = (True, 0)
        self._waiting: str | None = None
        self._lexing: tuple[tuple[str, str], Relexing] | None = None
        self._cursor: str | None = None

    @property
    def following(self) -> bool:
        """Whether the view is at the end and stays there."""
        return self._follow

    def jump_to_end(self) -> None:
        """Show the end and follow it."""
        self._follow = True
        self._repaint()

    def move_to(self, top: float, *, follow: bool = True) -> None:
        """Show the document from row *top*; at the end the view follows again if *follow*."""
        room = max(0, self._doc.height - self.size.height)
        self._waiting = None
        self._follow = follow and top >= room
        self._top = int(min(max(top, 0), room))
        self._repaint()

    def move_by(self, rows: int) -> None:
        """Move the view by *rows* that are seen, whatever was estimated of those that come in."""
        if rows < 0:
            self._top = self._doc.lay_above(self._top, -rows)
        self.move_to(self._top + rows)

    def on_mount(self) -> None:
        """Times grow older once a minute."""
        self.set_interval(_MINUTE, self._age)

    def _age(self) -> None:
        if sum(view.aged() for view in self._doc.views):
            self.refresh()

    def attach_bar(self, bar: Bar) -> None:
        """Keep *bar* up to date and let it move the view."""
        self._bar = bar
        bar.attach(lambda place: self.move_to(place * max(0, self._doc.height - self.size.height)))

    def _grown(self, before: int, changed: int | None = None) -> None:
        """The end has changed: *before* rows were there, rows from *changed* of the last entry are other ones."""
        if not self._follow:
            self._fresh += max(0, self._doc.height - before)
        start = None
        if changed is not None and self._doc.views:
            start = self._doc.start(len(self._doc.views) - 1) + changed
        self._repaint(start)

    def _repaint(self, changed: int | None = None) -> None:
        """Lay out what is seen and draw it; only rows from *changed* on, if nothing has moved."""
        height = self.size.height
        if not height or not self.is_attached:
            return
        old = self._top
        complete = True
        if self._waiting is not None and (at := self._doc.find(self._waiting)) is not None:
            self._top = max(0, self._doc.start(at))
        if self._follow:
            self._top, complete = self._doc.settle_end(height)
        else:
            for _ in range(4):
                self._top, complete = self._doc.settle(self._top, height)
                room = max(0, self._doc.height - height)
                if self._top <= room:
                    break
                self._top = room
        private.grow(self, Size(self.size.width, self._doc.height), self._top)
        if changed is not None and self._top == old:
            first = max(changed - self._top, 0)
            if first < height:
                self.refresh(Region(0, first, self.size.width, height - first))
        else:
            self.refresh(self.size.region)
        if self._bar is not None:
            self._bar.update(self._top, height, self._doc.height)
        self._tell()
        renderer = self._setting.renderer
        if self._rest is None and (not complete or renderer.missed or renderer.later):
            wait = complete and not renderer.later
            self._rest = self.set_timer(_SOON if wait else _AT_ONCE, self._go_on)

    def _go_on(self) -> None:
        """Lay out what there was no time for, or give code its colours if its lexer is there by now."""
        self._rest = None
        missed = self._setting.renderer.missed
        found = bool(missed) and all(lexer_soon(language) is not False for language in missed or ())
        if missed and found:
            missed.clear()
        if self._lex(_BUDGET) or found:
            for view in self._doc.views:
                view.recolour()
        self._repaint()

    def _lex(self, budget: float) -> bool:
        """Lex long code that was shown without colours, for *budget* seconds; whether a piece of it is done."""
        if not (later := self._setting.renderer.later):
            return False
        first = next(iter(later))
        if self._lexing is None or self._lexing[0] != first:
            self._lexing = (first, Relexing(first[1], first[0]))
        if not self._lexing[1].work(budget):
            return False
        del later[first]
        self._lexing = None
        return True

    def _tell(self) -> None:
        if self._follow:
            self._fresh = 0
        if (told := (self._follow, self._fresh)) != self._told:
            self._told = told
            self.post_message(AtEnd(*told))
        views = self._doc.views
        if views and self._top <= self.size.height and not self._follow and self._asked != views[0].entry.id:
            self._asked = views[0].entry.id
            self.post_message(NeedOlder())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Somebody has scrolled by Textual's own means."""
        if round(new_value) != self._top:
            self.move_to(round(new_value))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel, without animation: an answer that streams moves the rows under one."""
        event.stop()
        event.prevent_default()
        self.move_by(-_WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        event.prevent_default()
        self.move_by(_WHEEL)

    def on_resize(self, event: events.Resize) -> None:
        """Wrap what is seen anew; it stays in its place."""
        width = max(1, event.size.width - GUTTER - MARGIN)
        if width != self._setting.width:
            spot = None if self._follow else self._doc.locate(self._top)
            self._setting.width = width
            self._doc.relay()
            self._moved(0)
            if spot is not None:
                self._top = self._doc.y(spot)
        self._repaint()

    def restyle(self, styles: Styles) -> None:
        """Other colours: rows are drawn anew, nothing is parsed or wrapped again."""
        self._look = styles
        if self._bar is not None:
            self._bar.set_colours(styles)
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of *crop*, as strips that stay the same objects while nothing changes."""
        width = self.size.width
        strips = [
            strip_of(row, width, self._look, cursor=self._marked(spot), marks=self._marks(spot, row))
            if row is not None
            else blank(width, self._look)
            for spot, row in self._doc.rows(self._top + crop.y, crop.height)
        ]
        strips += [blank(width, self._look)] * (crop.height - len(strips))
        strips = filtered(self, strips, self._look)
        if crop.width == width and not crop.x:
            return strips
        return [strip.crop_extend(crop.x, crop.right, self._look.base) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """One row; Textual asks for the one under the mouse."""
        return self.render_lines(Region(0, y, self.size.width, 1))[0]

    def _marked(self, spot: Spot) -> bool:
        return self._cursor is not None and self.has_focus and self._doc.views[spot.entry].entry.id == self._cursor

    def _marks(self, spot: Spot, row: Row) -> Sequence[Mark]:
        """What is lit on a row."""
        return ()

    def _moved(self, entries: int) -> None:
        """So many *entries* have been put before all; 0: everything may stand elsewhere now."""
