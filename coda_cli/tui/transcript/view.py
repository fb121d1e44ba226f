"""The transcript widget: one line-API view over the whole conversation, with its keys, its mouse, find and copy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.timer import Timer

from coda_cli.chat.entry import Entry
from coda_cli.engine.rendering.blocks import code_blocks
from coda_cli.tui.transcript.blocks import Row
from coda_cli.tui.transcript.document import Spot
from coda_cli.tui.transcript.feeding import Feeding
from coda_cli.tui.transcript.find import Finder
from coda_cli.tui.transcript.messages import Acted, AtEnd, LinkPressed, NeedOlder, Selected
from coda_cli.tui.transcript.selection import Point, Selection, block_at, copied, word_at
from coda_cli.tui.transcript.strips import Mark, character_at, names_at
from coda_cli.tui.transcript.styles import Styles

_SCROLL_EVERY: Final = 0.05
"""Seconds between two rows while a selection is dragged over the edge."""


class Transcript(Feeding, can_focus=True):
    """The conversation: messages, notes and errors, and the answer that streams in."""

    reasoning_open: reactive[bool] = reactive(default=False, init=False)
    tools_open: reactive[bool] = reactive(default=False, init=False)
    raw: reactive[bool] = reactive(default=False, init=False)
    """Answers as they were written."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "message(1)", "Next message", show=False, id="message.next"),
        Binding("k,up", "message(-1)", "Previous message", show=False, id="message.previous"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="message.page_up"),
        Binding("pagedown,space", "page(1)", "Page down", show=False, id="message.page_down"),
        Binding("home,g", "top", "First message", show=False, id="message.first"),
        Binding("end,G", "end", "End", show=False, id="message.last"),
        Binding("enter,o", "unfold", "Fold or unfold", show=False, id="message.unfold"),
        Binding("y", "act('copy')", "Copy", id="message.copy"),
        Binding("c", "act('copy_code')", "Copy code", id="message.copy_code"),
        Binding("e", "act('edit')", "Edit", id="message.edit"),
        Binding("r", "act('retry')", "Retry", id="message.retry"),
        Binding("R", "act('retry_with')", "Retry with", id="message.retry_with"),
        Binding("f", "act('fork')", "Fork", id="message.fork"),
        Binding("p", "act('pin')", "Pin", id="message.pin"),
        Binding("d", "act('hide')", "Hide", id="message.hide"),
        Binding(
            "left_square_bracket",
            "act('previous_sibling')",
            "Previous version",
            show=False,
            id="message.previous_version",
        ),
        Binding("right_square_bracket", "act('next_sibling')", "Next version", show=False, id="message.next_version"),
    ]

    AtEnd = AtEnd
    NeedOlder = NeedOlder
    LinkPressed = LinkPressed
    Acted = Acted
    Selected = Selected

    def __init__(
        self,
        *,
        styles: Styles | None = None,
        clock: Callable[[], float] = time.time,
        id: str | None = None,  # noqa: A002  # as every widget of Textual names it
    ) -> None:
        """*clock* gives the seconds since 1970 that "5 min ago" is counted from."""
        super().__init__(styles=styles, clock=clock, id=id)
        self._finder: Finder | None = None
        self._selection: Selection | None = None
        self._pressed: Point | None = None
        self._dragged = False
        self._drag_timer: Timer | None = None
        self._drag_at = (0, 0)

    # The message under the cursor

    @property
    def current(self) -> Entry | None:
        """The entry under the cursor, or where there is no cursor the last one."""
        at = self._doc.find(self._cursor) if self._cursor is not None else None
        if at is not None:
            return self._doc.views[at].entry
        return self._doc.views[-1].entry if self._doc.views else None

    @property
    def first_seen(self) -> str | None:
        """The entry at the top of the view."""
        return self._doc.views[self._first_seen()].entry.id if self._doc.views else None

    def select(self, entry_id: str | None) -> None:
        """Put the cursor on an entry and show it, or take the cursor away."""
        self._cursor = entry_id
        if entry_id is not None and (at := self._doc.find(entry_id)) is not None:
            self._doc.settle(self._doc.start(at), self.size.height)
            start, height = self._doc.start(at), self._doc.views[at].height
            if start < self._top or start + height > self._top + self.size.height:
                self.move_to(start if height > self.size.height else max(0, start + min(height - self.size.height, 0)))
                return
        self._repaint()

    def action_message(self, step: int) -> None:
        """Move the cursor by one message."""
        views = self._doc.views
        if not views:
            return
        at = self._doc.find(self._cursor) if self._cursor is not None else None
        if at is None:  # from where one looks: the last message that is seen, or the first
            at = len(views) if self._follow else self._first_seen() - 1
            step = -1 if self._follow else 1
        self.select(views[min(max(at + step, 0), len(views) - 1)].entry.id)

    def _first_seen(self) -> int:
        spot = self._doc.locate(self._top)
        return spot.entry if spot is not None else 0

    def action_page(self, step: int) -> None:
        """Move the view by nearly its height."""
        self.move_by(step * max(1, self.size.height - 2))

    def action_top(self) -> None:
        """Show the first message that is loaded."""
        self.move_to(0)

    def action_end(self) -> None:
        """Show the end and follow it."""
        self.jump_to_end()

    def action_act(self, action: str) -> None:
        """Ask the application for something on the current message; "copy" takes a selection first."""
        if action == "copy" and (text := self.selected_text()):
            self.post_message(Selected(text))
            return
        if (entry := self.current) is not None:
            self.post_message(Acted(action, entry.id))

    def action_unfold(self) -> None:
        """Fold or unfold what the current message has."""
        if (entry := self.current) is None or (at := self._doc.find(entry.id)) is None:
            return
        self._doc.views[at].toggle_all()
        self._doc.changed(at)
        self._repaint()

    # Find

    def find(self, text: str) -> tuple[int, int]:
        """Light every *text* (any case, across wrapped lines) and show the first from here on: (its number, all)."""
        self._finder = Finder(self._doc, text) if text.strip() else None
        return self._find(1, self._doc.locate(self._top))

    def find_next(self) -> tuple[int, int]:
        """Show the next hit, from the last on the first."""
        return self._find(1)

    def find_previous(self) -> tuple[int, int]:
        """Show the hit before."""
        return self._find(-1)

    def clear_find(self) -> None:
        """Light nothing any more."""
        self._finder = None
        self.refresh()

    def jump(self, entry_id: str, text: str = "") -> None:
        """Show an entry, with *text* lit and its first hit in it in sight; folded parts that hold it unfold."""
        if (at := self._doc.find(entry_id)) is None:
            return
        self._cursor = entry_id
        view = self._doc.views[at]
        self._finder = Finder(self._doc, text) if text.strip() else None
        if self._finder is not None and not self._finder.in_text(view):
            view.unfold()
            self._doc.changed(at)
        self.move_to(self._doc.start(at), follow=False)
        if self._finder is not None:
            self._find(1, Spot(at, 0, 0), only=True)

    def _find(self, step: int, start: Spot | None = None, *, only: bool = False) -> tuple[int, int]:
        if self._finder is None:
            self.refresh()
            return 0, 0
        spot = self._finder.go(step, start)
        if spot is not None and not (only and start is not None and spot.entry != start.entry):
            y = self._doc.y(spot)
            if not self._top <= y < self._top + self.size.height:
                self.move_to(y - self.size.height // 3, follow=False)
        self._repaint()
        return self._finder.counts()

    # Copy

    def source_of(self, entry_id: str) -> str:
        """The source of an entry as it was written, raw; of one that streams what has been shown of it."""
        at = self._doc.find(entry_id)
        return self._doc.views[at].source if at is not None else ""

    def code_blocks(self, entry_id: str) -> list[str]:
        """The contents of the fenced code blocks of an entry, in order."""
        return code_blocks(self.source_of(entry_id))

    def selected_text(self) -> str:
        """What the mouse has selected: the Markdown source of whole blocks, plain text of parts; "" if nothing."""
        return copied(self._doc, self._selection) if self._selection else ""

    def unselect(self) -> None:
        """Select nothing any more."""
        self._selection = None
        self.refresh()

    # The mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A selection may begin."""
        if event.button != 1:
            return
        self._dragged = False
        self._pressed = self._point(event.x, event.y)
        if self._selection is not None:
            self.unselect()
        if self._pressed is not None:
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """A selection grows; past the edge the view scrolls."""
        if self._pressed is None:
            return
        event.stop()
        self._drag_at = (event.x, event.y)
        self._drag()
        outside = not 0 <= event.y < self.size.height
        if outside and self._drag_timer is None:
            self._drag_timer = self.set_interval(_SCROLL_EVERY, self._drag_on)
        elif not outside:
            self._stop_dragging()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """A selection is complete."""
        self._stop_dragging()
        if self._pressed is None:
            return
        self._pressed = None
        self.release_mouse()
        if self._dragged:
            self._tell_selected()

    def on_click(self, event: events.Click) -> None:
        """Follow a link, press what can be pressed, select a word or a block, or put the cursor on a message."""
        if self._dragged:
            self._dragged = False
            return
        found = self._row(event.y)
        if found is None:
            return
        spot, row = found
        if event.chain > 1:
            self._select_more(event, spot, row)
            return
        index = character_at(row, event.x)
        if not any(self._press(name, spot.entry) for name in names_at(row, index)):
            self._cursor = self._doc.views[spot.entry].entry.id
            self._repaint()

    def _press(self, name: str, at: int) -> bool:
        """Do what the text under a click with this style name stands for; whether it stands for anything."""
        view = self._doc.views[at]
        if name.startswith("@"):
            self.post_message(LinkPressed(name[1:]))
        elif name.startswith("!fold:"):
            view.toggle(name.removeprefix("!fold:"))
            self._doc.changed(at)
            self._repaint()
        elif name.startswith("!"):
            self._cursor = view.entry.id
            self.post_message(Acted(name[1:], view.entry.id))
        else:
            return False
        return True

    def _select_more(self, event: events.Click, spot: Spot, row: Row) -> None:
        point = Point(spot.entry, spot.block, spot.row, character_at(row, event.x))
        if event.chain == 2:
            self._selection = word_at(point, row)
        else:
            self._selection = block_at(point, self._doc.views[spot.entry].lay(spot.block))
        self.refresh()
        self._tell_selected()

    def _tell_selected(self) -> None:
        if text := self.selected_text():
            self.post_message(Selected(text))

    def _drag(self) -> None:
        x, y = self._drag_at
        point = self._point(x, min(max(y, 0), self.size.height - 1))
        if point is None or self._pressed is None:
            return
        self._dragged = self._dragged or point != self._pressed
        self._selection = Selection(self._pressed, point) if self._dragged else None
        self.refresh()

    def _drag_on(self) -> None:
        self.move_by(1 if self._drag_at[1] >= self.size.height else -1)
        self._drag()

    def _stop_dragging(self) -> None:
        if self._drag_timer is not None:
            self._drag_timer.stop()
            self._drag_timer = None

    def _row(self, y: int) -> tuple[Spot, Row] | None:
        found = next(iter(self._doc.rows(self._top + y, 1)), None)
        return (found[0], found[1]) if found is not None and found[1] is not None else None

    def _point(self, x: int, y: int) -> Point | None:
        if self._top + y >= self._doc.height and self._doc.height:
            y = self._doc.height - 1 - self._top
            x = self.size.width
        found = self._row(y)
        if found is None:
            return None
        spot, row = found
        return Point(spot.entry, spot.block, spot.row, character_at(row, x))

    def _marks(self, spot: Spot, row: Row) -> Sequence[Mark]:
        marks: list[Mark] = []
        if self._finder is not None:
            marks += self._finder.marks(self._doc.views[spot.entry], spot.block, spot.row)
        if self._selection is not None:
            marks += self._selection.marks(spot, row)
        return marks

    def _moved(self, entries: int) -> None:
        if self._selection is not None:
            self._selection = self._selection.shifted(entries) if entries > 0 else None
        self._pressed = None

    # Folds

    def watch_reasoning_open(self) -> None:
        """Fold or unfold the reasoning of all messages."""
        self._refold()

    def watch_tools_open(self) -> None:
        """Fold or unfold all tool calls."""
        self._refold()

    def watch_raw(self) -> None:
        """Show answers as they were written, or as Markdown again; one that streams follows at its end."""
        self._setting.raw = self.raw
        for view in self._doc.views:
            view.redraw()
        self._doc.rebuild()
        self._repaint()

    def _refold(self) -> None:
        self._setting.reasoning_open, self._setting.tools_open = self.reasoning_open, self.tools_open
        for view in self._doc.views:
            view.folds.clear()
        self._doc.rebuild()
        self._repaint()
