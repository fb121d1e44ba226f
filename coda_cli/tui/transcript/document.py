"""The whole conversation as one column of rows, of which only what is seen is laid out.

Entries -> blocks -> rows. Heights are estimates until something is looked at. Places that must last (the top of the
view, a selection) are kept as entry, block and row, never as a row number of the document.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from coda_cli.chat.entry import Entry
from coda_cli.tui.transcript.blocks import Row
from coda_cli.tui.transcript.entry_view import EntryView, Setting
from coda_cli.tui.transcript.heights import Heights

# So many entries keep what was laid out for them; the others are laid out again when they are seen.
_KEPT: Final = 64


class Spot(Struct, frozen=True):
    """A row: the index of its entry, of the block in it, and of the row in that."""

    entry: int
    block: int
    row: int


class Document:
    """Entries in order. All calls are cheap but `settle`, which lays out what a view shows."""

    def __init__(self, setting: Setting, clock: Callable[[], float] = time.monotonic) -> None:
        self.setting = setting
        self.views: list[EntryView] = []
        self._heights = Heights()
        self._index: dict[str, int] = {}
        self._kept: OrderedDict[EntryView, None] = OrderedDict()
        self._clock = clock

    @property
    def height(self) -> int:
        """Rows of everything, as far as is known."""
        return self._heights.total

    def show(self, entries: Sequence[Entry]) -> None:
        """Replace everything."""
        self._kept.clear()
        self.views = [EntryView(entry, self.setting) for entry in entries]
        self._renew()

    def prepend(self, entries: Sequence[Entry]) -> int:
        """Put older entries before the others; returns how many rows they are estimated to take."""
        self.views[:0] = [EntryView(entry, self.setting) for entry in entries if entry.id not in self._index]
        before = self._heights.total
        self._renew()
        return self._heights.total - before

    def append(self, entry: Entry) -> EntryView:
        """Put *entry* at the end."""
        view = EntryView(entry, self.setting)
        self._index[entry.id] = len(self.views)
        self.views.append(view)
        self._heights.replace(len(self._heights), len(self._heights), [view.height])
        return view

    def remove(self, entry_id: str) -> bool:
        """Take an entry out; whether there was one."""
        at = self._index.get(entry_id)
        if at is None:
            return False
        self._kept.pop(self.views.pop(at), None)
        self._renew()
        return True

    def rename(self, old: str, new: str) -> None:
        """An entry has got another id."""
        at = self._index.pop(old)
        self._index[new] = at

    def find(self, entry_id: str) -> int | None:
        """The index of the entry with that id."""
        return self._index.get(entry_id)

    def changed(self, at: int) -> None:
        """The blocks of entry *at* have changed by themselves."""
        self._heights.set(at, self.views[at].height)

    def relay(self) -> None:
        """The width has changed."""
        for view in self.views:
            view.relay()
        self._heights = Heights(view.height for view in self.views)

    def rebuild(self) -> None:
        """What all entries share has changed, such as whether reasoning is folded."""
        for view in self.views:
            view.rebuild()
        self._heights = Heights(view.height for view in self.views)

    def start(self, at: int) -> int:
        """The row where entry *at* begins."""
        return self._heights.start(at)

    def y(self, spot: Spot) -> int:
        """The row number of *spot*, which may have been laid out differently since; laid out for it if need be."""
        if not self.views:
            return 0
        at = min(spot.entry, len(self.views) - 1)
        view = self.views[at]
        blocks = view.split()
        block = min(spot.block, len(blocks) - 1)
        rows = view.lay(block)
        self.changed(at)
        return self._heights.start(at) + view.heights.start(block) + min(spot.row, max(len(rows) - 1, 0))

    def locate(self, y: int) -> Spot | None:
        """The row at *y*; entries that are met are split into blocks, blocks are not laid out."""
        if not self.views:
            return None
        at = self._heights.find(max(y, 0))
        view = self.views[at]
        if view.blocks is None:
            self._split(at)
        inner = min(max(y - self._heights.start(at), 0), max(view.height - 1, 0))
        block = view.heights.find(inner)
        return Spot(at, block, inner - view.heights.start(block))

    def lay_above(self, top: int, count: int) -> int:
        """Lay out the *count* rows above *top*; returns where the row that was at *top* is then."""
        spot = self.locate(top)
        if spot is None:
            return 0
        need, at, block = count - spot.row, spot.entry, spot.block
        while need > 0 and (block or at):
            block -= 1
            if block < 0:
                at -= 1
                block = len(self.views[at].split()) - 1
            self._keep(self.views[at])
            need -= len(self.views[at].lay(block))
            self.changed(at)
        return self.y(spot)

    def settle(self, top: int, height: int, budget: float = 0.03) -> tuple[int, bool]:
        """Lay out the rows from *top* on, for *budget* seconds; returns the new top and whether all is laid out.

        Where an estimate above or across the top was wrong, the top moves with what stands there.
        """
        deadline = self._clock() + budget
        spot = self.locate(top)
        if spot is None:
            return 0, True
        complete = True
        if self.views[spot.entry].filling:
            top, complete = self._fill(spot.entry, top, budget)
            spot = self.locate(top) or spot
        top = self._settle_first(spot, top)
        spot = self.locate(top)
        if spot is None:
            return 0, True
        at, block = spot.entry, spot.block
        while at < len(self.views):
            view = self.views[at]
            if view.blocks is None:
                self._split(at)
            self._keep(view)
            if at > spot.entry and self._heights.start(at) < top + height and view.filling:
                complete = self._fill(at, top, budget)[1] and complete
            blocks = view.split()
            while block < len(blocks):
                if self._heights.start(at) + view.heights.start(block) >= top + height:
                    return top, complete
                if blocks[block].rows is None:
                    if self._clock() > deadline:
                        return top, False
                    view.lay(block)
                    self.changed(at)
                block += 1
            at, block = at + 1, 0
        return top, complete

    def _fill(self, at: int, top: int, budget: float) -> tuple[int, bool]:
        """Go on with an entry that is made bit by bit; the top, which moves with what it shows, and whether it is made.

        Half of the time is left to lay out what stands there until then.
        """
        view = self.views[at]
        start, before = self._heights.start(at), view.height
        end = self._clock() + budget / 2
        if view.fill(lambda: self._clock() < end):
            self.changed(at)
            if start < top:
                top = start + (top - start) * view.height // max(before, 1)
        return top, not view.filling

    def _settle_first(self, spot: Spot, top: int) -> int:
        """Lay out what lies across the top; what is seen of it ends where it did."""
        entry, block = spot.entry, spot.block
        view = self.views[entry]
        if view.split()[block].rows is not None:
            return top
        if spot.row == 0:
            return top
        end = self._heights.start(entry) + view.heights.start(block + 1)
        view.lay(block)
        self.changed(entry)
        return max(0, top + self._heights.start(entry) + view.heights.start(block + 1) - end)

    def settle_end(self, height: int, budget: float = 0.03) -> tuple[int, bool]:
        """Lay out the last *height* rows; returns the top of them and whether all is laid out."""
        deadline = self._clock() + budget
        at = len(self.views) - 1
        below = 0
        complete = True
        while at >= 0 and below < height:
            view = self.views[at]
            view.split()
            self._keep(view)
            if view.filling:
                complete = self._fill(at, 0, budget)[1] and complete
            blocks = view.split()
            block = len(blocks) - 1
            while block >= 0 and below < height:
                if blocks[block].rows is None:
                    if self._clock() > deadline:
                        self.changed(at)
                        return max(0, self.height - height), False
                    view.lay(block)
                below += blocks[block].height
                block -= 1
            self.changed(at)
            at -= 1
        return max(0, self.height - height), complete

    def rows(self, top: int, count: int) -> Iterator[tuple[Spot, Row | None]]:
        """The rows from *top* on, at most *count*; None for one that is not laid out."""
        spot = self.locate(top)
        if spot is None:
            return
        at, block, row = spot.entry, spot.block, spot.row
        while at < len(self.views) and count > 0:
            view = self.views[at]
            if view.blocks is None:
                for number in range(row, view.height):
                    yield Spot(at, 0, number), None
                    count -= 1
                    if count <= 0:
                        return
                at, block, row = at + 1, 0, 0
                continue
            blocks = view.blocks
            while block < len(blocks) and count > 0:
                rows = blocks[block].rows
                for number in range(row, blocks[block].height):
                    yield Spot(at, block, number), rows[number] if rows is not None else None
                    count -= 1
                    if count <= 0:
                        return
                block, row = block + 1, 0
            at, block, row = at + 1, 0, 0

    def _split(self, at: int) -> None:
        self.views[at].split()
        self.changed(at)

    def _keep(self, view: EntryView) -> None:
        self._kept[view] = None
        self._kept.move_to_end(view)
        while len(self._kept) > _KEPT:
            old, _ = self._kept.popitem(last=False)
            old.forget()

    def _renew(self) -> None:
        self._index = {view.entry.id: at for at, view in enumerate(self.views)}
        self._heights = Heights(view.height for view in self.views)
