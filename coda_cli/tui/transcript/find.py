"""Find in the conversation: counted from the sources, exact where something is laid out, lit where it is seen."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from coda_cli.tui.transcript.blocks import Block, Row
from coda_cli.tui.transcript.document import Document, Spot
from coda_cli.tui.transcript.entry_view import EntryView
from coda_cli.tui.transcript.plain_text import plain_runs
from coda_cli.tui.transcript.strips import Mark

# What Markdown puts between the letters of a text: gone before source is searched, as it is gone from the screen.
_MARKUP: Final = str.maketrans("", "", "*_`~[]\\#>|")
_CACHED: Final = 2000

Hit = list[tuple[int, int, int]]
"""Where one hit is in its block: (row, from character, to before character), for each row that it is on."""


class Finder:
    """The hits of one text in a document; where nothing is laid out their number is an estimate."""

    def __init__(self, document: Document, text: str) -> None:
        self._doc = document
        self.text = text
        words = text.split()
        self._pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE) if words else None
        bare = [word.translate(_MARKUP) for word in words]
        self._bare = re.compile(r"\s+".join(map(re.escape, bare)), re.IGNORECASE) if any(bare) else self._pattern
        self._sources: dict[str, tuple[str, int]] = {}
        self._laid: dict[Block, tuple[list[Row], list[Hit]]] = {}
        self.current: tuple[str, int, int] | None = None
        """Entry id, block and number in the block of the hit that one is at."""

    def counts(self) -> tuple[int, int]:
        """The number of the current hit, from 1 (0: none), and of all."""
        total = number = 0
        for view in self._doc.views:
            if self.current is not None and view.entry.id == self.current[0]:
                number = total + self._before(view, self.current[1]) + self.current[2] + 1
            total += self._count(view)
        return (min(number, total), total)

    def go(self, step: int, start: Spot | None = None) -> Spot | None:
        """The spot of the next (*step* 1) or previous (-1) hit after the current one, or at or after *start*."""
        views = self._doc.views
        if self._pattern is None or not views:
            return None
        at, block, number = self._from(start, step)
        for turn in range(len(views) + 1):
            place = (at + step * turn) % len(views)
            first = turn == 0
            found = self._in_view(views[place], step, block if first else None, number if first else None)
            self._doc.changed(place)
            if found is not None:
                self.current = (views[place].entry.id, *found)
                hit = self.hits(views[place].split()[found[0]])[found[1]]
                return Spot(place, found[0], hit[0][0])
        self.current = None
        return None

    def in_text(self, view: EntryView) -> bool:
        """Whether the source of an entry's text holds it."""
        return self._count_source(view.entry.text) > 0

    def marks(self, view: EntryView, place: int, row: int) -> list[Mark]:
        """What is lit on a row of block *place*."""
        if self._pattern is None:
            return []
        found = self._by_row(view.split()[place])
        now = None
        if self.current is not None and self.current[:2] == (view.entry.id, place):
            now = self.current[2]
        return [(start, end, "find_current" if hit == now else "find") for hit, start, end in found.get(row, ())]

    def hits(self, block: Block) -> list[Hit]:
        """The hits in a block that is laid out."""
        if self._pattern is None or block.rows is None:
            return []
        cached = self._laid.get(block)
        if cached is None or cached[0] is not block.rows:
            if len(self._laid) > _CACHED:
                self._laid.clear()
            cached = self._laid[block] = (block.rows, _search(self._pattern, block.rows))
        return cached[1]

    def _by_row(self, block: Block) -> dict[int, list[tuple[int, int, int]]]:
        rows: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for number, hit in enumerate(self.hits(block)):
            for row, start, end in hit:
                rows[row].append((number, start, end))
        return rows

    def _from(self, start: Spot | None, step: int) -> tuple[int, int, int]:
        if start is not None:
            return start.entry, start.block, 0 if step > 0 else 1 << 30
        if self.current is not None and (at := self._doc.find(self.current[0])) is not None:
            return at, self.current[1], self.current[2] + step
        return (0, 0, 0) if step > 0 else (len(self._doc.views) - 1, 1 << 30, 1 << 30)

    def _in_view(self, view: EntryView, step: int, block: int | None, number: int | None) -> tuple[int, int] | None:
        if not self._count(view):
            return None
        blocks = view.split()
        places = range(len(blocks)) if step > 0 else range(len(blocks) - 1, -1, -1)
        for place in places:
            if block is not None and (place - block) * step < 0:
                continue
            if not self._count_block(blocks[place]):
                continue
            view.lay(place)
            count = len(self.hits(blocks[place]))
            wanted = number if place == block and number is not None else (0 if step > 0 else count - 1)
            if step < 0:
                wanted = min(wanted, count - 1)
            if 0 <= wanted < count:
                return place, wanted
        return None

    def _before(self, view: EntryView, block: int) -> int:
        return sum(self._count_block(each) for each in view.split()[:block])

    def _count(self, view: EntryView) -> int:
        if view.blocks is not None:
            return sum(map(self._count_block, view.blocks))
        text = view.entry.text
        cached = self._sources.get(view.entry.id)
        if cached is None or cached[0] is not text:
            cached = self._sources[view.entry.id] = (text, self._count_source(text))
        return cached[1]

    def _count_block(self, block: Block) -> int:
        return len(self.hits(block)) if block.rows is not None else self._count_source(block.source or "")

    def _count_source(self, source: str) -> int:
        if self._bare is None:
            return 0
        return sum(1 for _ in self._bare.finditer(source.translate(_MARKUP)))


def _search(pattern: re.Pattern[str], rows: list[Row]) -> list[Hit]:
    text: list[str] = []
    places: list[tuple[int, int, int, int]] = []  # where a piece is in the text, its row, where in the row, its length
    at = 0
    for number, row in enumerate(rows):
        if number:
            text.append(row.joint)
            at += len(row.joint)
        for index, shown, wanted in plain_runs(row):
            if wanted:  # a hit is looked for in what is seen
                places.append((at, number, index, len(shown)))
                text.append(shown)
                at += len(shown)
    hits = []
    first = 0
    for match in pattern.finditer("".join(text)):
        hit: Hit = []
        while first < len(places) and places[first][0] + places[first][3] <= match.start():
            first += 1
        for start, number, index, length in places[first:]:
            if start >= match.end():
                break
            low, high = max(match.start() - start, 0), min(match.end() - start, length)
            if low < high:
                hit.append((number, index + low, index + high))
        if hit:
            hits.append(hit)
    return hits
