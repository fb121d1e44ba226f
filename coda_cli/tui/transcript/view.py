"""The transcript widget: one line-API view over the whole conversation.

Nothing is done for a token but to put it on a list; a timer of at most 25 frames a second takes what has come, lays
out only the open block and draws only the rows that changed. Strips are kept with their rows, so that what Textual
caches on them lasts from frame to frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from coda_cli.chat.entries import Entry
from coda_cli.tui import private
from coda_cli.tui.transcript.bar import Bar
from coda_cli.tui.transcript.document import Document, Spot
from coda_cli.tui.transcript.entry_view import EntryView, Setting
from coda_cli.tui.transcript.messages import Acted, AtEnd, LinkPressed, NeedOlder, Selected
from coda_cli.tui.transcript.strips import GUTTER, MARGIN, Mark, blank, character_at, filtered, names_at, strip_of
from coda_cli.tui.transcript.styles import Styles

FRAME: Final = 1 / 25
"""Seconds from one frame to the next, at least."""
# A frame that takes long puts the next one off, so that drawing never eats the processor or the keys.
_EASE: Final = 5.0
_SLICE: Final = 2048
_BUDGET: Final = 0.010
_WHEEL: Final = 3


class Transcript(ScrollView, can_focus=True):
    """The conversation: messages, notes and errors, and the answer that streams in."""

    ALLOW_SELECT: ClassVar[bool] = False  # Textual's selection knows rows only; ours knows blocks and their source
    DEFAULT_CSS = """
    Transcript {
        width: 1fr; height: 1fr;
        overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 0; scrollbar-size-horizontal: 0;
    }
    """

    reasoning_open: reactive[bool] = reactive(default=False, init=False)
    tools_open: reactive[bool] = reactive(default=False, init=False)

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "message(1)", "Next message", show=False),
        Binding("k,up", "message(-1)", "Previous message", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home,g", "top", "First message", show=False),
        Binding("end,G", "end", "End", show=False),
        Binding("enter,o", "unfold", "Fold or unfold", show=False),
        Binding("y", "act('copy')", "Copy"),
        Binding("c", "act('copy_code')", "Copy code"),
        Binding("e", "act('edit')", "Edit"),
        Binding("r", "act('retry')", "Retry"),
        Binding("R", "act('retry_with')", "Retry with"),
        Binding("f", "act('fork')", "Fork"),
        Binding("p", "act('pin')", "Pin"),
        Binding("d", "act('hide')", "Hide"),
        Binding("left_square_bracket", "act('previous_sibling')", "Previous version", show=False),
        Binding("right_square_bracket", "act('next_sibling')", "Next version", show=False),
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
        super().__init__(id=id)
        self._look = styles or Styles()
        self._setting = Setting(now=clock)
        self._doc = Document(self._setting)
        self._bar: Bar | None = None
        self._top = 0
        self._follow = True
        self._fresh = 0
        self._live: EntryView | None = None
        self._pending: list[tuple[bool, str]] = []
        self._ending: Entry | None = None
        self._timer: Timer | None = None
        self._rest: Timer | None = None
        self._asked: str | None = None
        self._told = (True, 0)
        self._cursor: str | None = None
        self._waiting: str | None = None
        self._thinking_since: float | None = None

    # What is shown

    def show(self, entries: Sequence[Entry], *, at: str | None = None) -> None:
        """Replace everything by *entries*; shows the end, or the top of entry *at*."""
        self._stop_stream()
        self._doc.show(entries)
        self._asked = None
        self._fresh = 0
        self._cursor = at
        self._follow = at is None or self._doc.find(at) is None
        self._waiting = None if self._follow else at
        self._repaint()

    def prepend(self, entries: Sequence[Entry]) -> None:
        """Put an older page before everything; the view stays where it is."""
        self._top += self._doc.prepend(entries)
        self._asked = None
        self._repaint()

    def add(self, entry: Entry) -> None:
        """Put *entry* at the end."""
        before = self._doc.height
        self._doc.append(entry)
        self._grown(before)

    def replace(self, entry: Entry) -> None:
        """Show another state of the entry with the same id; nothing happens if there is none."""
        if (at := self._doc.find(entry.id)) is not None:
            self._doc.views[at].update(entry)
            self._doc.changed(at)
            self._repaint()

    def discard(self, entry_id: str) -> None:
        """Take an entry away (`remove` is Textual's: it would take the widget away)."""
        if self._live is not None and self._live.entry.id == entry_id:
            self._stop_stream()
        if self._doc.remove(entry_id):
            self._repaint()

    # The answer that streams

    def begin(self, entry: Entry) -> None:
        """An answer is under way: show *entry*, whose text comes by `feed`."""
        self._finish_now()
        before = self._doc.height
        self._live = self._doc.append(entry)
        self._live.begin()
        self._doc.changed(len(self._doc.views) - 1)
        self._thinking_since = None
        self._grown(before)

    def feed(self, text: str) -> None:
        """The next piece of the answer, raw; costs an append."""
        self._pending.append((False, text))
        self._arm(FRAME)

    def feed_reasoning(self, text: str) -> None:
        """The next piece of the reasoning, raw."""
        self._pending.append((True, text))
        self._arm(FRAME)

    def end(self, entry: Entry) -> None:
        """The answer is complete as *entry*, which may have another id now."""
        if self._live is None:
            self.replace(entry)
            return
        self._ending = entry
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._tick()

    def _arm(self, delay: float) -> None:
        if self._timer is None and self._live is not None and self.is_attached:
            self._timer = self.set_timer(delay, self._tick)

    def _tick(self) -> None:
        """Take what has come, within the budget, and draw it."""
        self._timer = None
        if (view := self._live) is None:
            self._pending.clear()
            return
        start = time.perf_counter()
        before = self._doc.height
        rest = self._take(view, start + _BUDGET)
        changed = view.grown()
        if not rest and self._ending is not None:
            self._close(view, self._ending)
            changed = 0
        at = len(self._doc.views) - 1
        self._doc.changed(self._doc.find(view.entry.id) or at)
        self._grown(before, changed)
        spent = time.perf_counter() - start
        if rest:
            self._arm(0.001 if self._ending is not None else max(FRAME, _EASE * spent))

    def _take(self, view: EntryView, deadline: float) -> bool:
        """Feed pending text until *deadline*; whether some is left."""
        while self._pending:
            reasoning, text = self._pending[0]
            count = 1
            size = len(text)
            while count < len(self._pending) and size < _SLICE and self._pending[count][0] is reasoning:
                size += len(self._pending[count][1])
                count += 1
            joined = "".join(part for _, part in self._pending[:count])
            del self._pending[:count]
            if len(joined) > 2 * _SLICE:
                self._pending.insert(0, (reasoning, joined[_SLICE:]))
                joined = joined[:_SLICE]
            self._note_thinking(view, reasoning=reasoning)
            stream = view.reasoning if reasoning else view.text
            if stream is not None:
                stream.feed(joined)
            if time.perf_counter() > deadline:
                break
        return bool(self._pending)

    def _note_thinking(self, view: EntryView, *, reasoning: bool) -> None:
        now = time.monotonic()
        if reasoning and self._thinking_since is None:
            self._thinking_since = now
        elif not reasoning and view.thought is None and self._thinking_since is not None:
            view.thought = now - self._thinking_since

    def _close(self, view: EntryView, entry: Entry) -> None:
        old = view.entry.id
        view.end(entry)
        if entry.id != old:
            self._doc.rename(old, entry.id)
            if self._cursor == old:
                self._cursor = entry.id
        self._live = self._ending = None

    def _finish_now(self) -> None:
        """Another answer begins: close the one before as it is."""
        if self._live is not None:
            view = self._live
            self._take(view, float("inf"))
            self._close(view, self._ending or view.entry)
        self._stop_stream()

    def _stop_stream(self) -> None:
        self._live = self._ending = None
        self._pending.clear()
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    # Where the view stands

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
        if not complete and self._rest is None:
            self._rest = self.set_timer(0.01, self._go_on)

    def _go_on(self) -> None:
        self._rest = None
        self._repaint()

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
        self.move_to(self._top - _WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel."""
        event.stop()
        event.prevent_default()
        self.move_to(self._top + _WHEEL)

    def on_resize(self, event: events.Resize) -> None:
        """Wrap what is seen anew; it stays in its place."""
        width = max(1, event.size.width - GUTTER - MARGIN)
        if width != self._setting.width:
            spot = None if self._follow else self._doc.locate(self._top)
            self._setting.width = width
            self._doc.relay()
            if spot is not None:
                self._top = self._doc.y(spot)
        self._repaint()

    # The message under the cursor

    @property
    def current(self) -> Entry | None:
        """The entry under the cursor, or where there is no cursor the last one."""
        at = self._doc.find(self._cursor) if self._cursor is not None else None
        if at is not None:
            return self._doc.views[at].entry
        return self._doc.views[-1].entry if self._doc.views else None

    def select(self, entry_id: str | None) -> None:
        """Put the cursor on an entry and show it, or take the cursor away."""
        self._cursor = entry_id
        if entry_id is not None and (at := self._doc.find(entry_id)) is not None:
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
        self.move_to(self._top + step * max(1, self.size.height - 2))

    def action_top(self) -> None:
        """Show the first message that is loaded."""
        self.move_to(0)

    def action_end(self) -> None:
        """Show the end and follow it."""
        self.jump_to_end()

    def action_act(self, action: str) -> None:
        """Ask the application for something on the current message."""
        if (entry := self.current) is not None:
            self.post_message(Acted(action, entry.id))

    def action_unfold(self) -> None:
        """Fold or unfold what the current message has."""
        if (entry := self.current) is None or (at := self._doc.find(entry.id)) is None:
            return
        self._doc.views[at].toggle_all()
        self._doc.changed(at)
        self._repaint()

    def on_click(self, event: events.Click) -> None:
        """Follow a link, press what can be pressed, or put the cursor on a message."""
        found = next(iter(self._doc.rows(self._top + event.y, 1)), None)
        if found is None or event.chain > 1:
            return
        spot, row = found
        view = self._doc.views[spot.entry]
        names = names_at(row, character_at(row, event.x)) if row is not None else ()
        for name in names:
            if name.startswith("@"):
                self.post_message(LinkPressed(name[1:]))
                return
            if name.startswith("!fold:"):
                view.toggle(name.removeprefix("!fold:"))
                self._doc.changed(spot.entry)
                self._repaint()
                return
            if name.startswith("!"):
                self._cursor = view.entry.id
                self.post_message(Acted(name[1:], view.entry.id))
                break
        self._cursor = view.entry.id
        self._repaint()

    # Drawing

    def restyle(self, styles: Styles) -> None:
        """Other colours: rows are drawn anew, nothing is parsed or wrapped again."""
        self._look = styles
        if self._bar is not None:
            self._bar.set_colours(styles)
        self.refresh()

    def watch_reasoning_open(self) -> None:
        """Fold or unfold the reasoning of all messages."""
        self._refold()

    def watch_tools_open(self) -> None:
        """Fold or unfold all tool calls."""
        self._refold()

    def _refold(self) -> None:
        self._setting.reasoning_open, self._setting.tools_open = self.reasoning_open, self.tools_open
        for view in self._doc.views:
            view.folds.clear()
        self._doc.rebuild()
        self._repaint()

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
        strips = filtered(self, strips)
        if crop.width == width and not crop.x:
            return strips
        return [strip.crop_extend(crop.x, crop.right, self._look.base) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """One row; Textual asks for the one under the mouse."""
        return self.render_lines(Region(0, y, self.size.width, 1))[0]

    def _marked(self, spot: Spot) -> bool:
        return self._cursor is not None and self.has_focus and self._doc.views[spot.entry].entry.id == self._cursor

    def _marks(self, spot: Spot, row: object) -> Sequence[Mark]:
        return ()
