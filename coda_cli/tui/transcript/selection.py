"""What the mouse has selected, in places that stay when heights above them change, and the text that copies it."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from coda_cli.tui.transcript.blocks import Block, Row
from coda_cli.tui.transcript.document import Document, Spot
from coda_cli.tui.transcript.plain_text import is_decor, join_rows, plain_runs
from coda_cli.tui.transcript.strips import Mark

_WORD: Final = re.compile(r"[\w./~@:%+-]*\w|\S")


class Point(Struct, frozen=True, order=True):
    """Before which character of which row: by index of entry, of block, of row in the block."""

    entry: int
    block: int
    row: int
    column: int


class Selection(Struct, frozen=True):
    """From where the mouse went down to where it is."""

    anchor: Point
    head: Point

    @property
    def start(self) -> Point:
        """The upper end."""
        return min(self.anchor, self.head)

    @property
    def end(self) -> Point:
        """The lower end."""
        return max(self.anchor, self.head)

    def __bool__(self) -> bool:
        return self.anchor != self.head

    def shifted(self, entries: int) -> Selection:
        """The same with so many entries put before it."""
        return Selection(*(Point(p.entry + entries, p.block, p.row, p.column) for p in (self.anchor, self.head)))

    def marks(self, spot: Spot, row: Row) -> list[Mark]:
        """What is selected on a row."""
        start, end = self.start, self.end
        here = (spot.entry, spot.block, spot.row)
        if not (start.entry, start.block, start.row) <= here <= (end.entry, end.block, end.row):
            return []
        first = start.column if here == (start.entry, start.block, start.row) else 0
        last = end.column if here == (end.entry, end.block, end.row) else len(row.text)
        return [(first, last, "selection")] if first < last else []


def word_at(point: Point, row: Row) -> Selection:
    """The word, path or address under *point*."""
    for match in _WORD.finditer(row.text):
        if match.start() <= point.column < match.end():
            return Selection(
                Point(point.entry, point.block, point.row, match.start()),
                Point(point.entry, point.block, point.row, match.end()),
            )
    return Selection(point, point)


def block_at(point: Point, rows: list[Row]) -> Selection:
    """The whole block under *point*."""
    last = len(rows) - 1
    return Selection(Point(point.entry, point.block, 0, 0), Point(point.entry, point.block, last, len(rows[last].text)))


def copied(document: Document, selection: Selection) -> str:
    """The text of *selection*: the Markdown source of blocks that are selected whole, plain text of the others.

    Lines above and below messages are left out, unless nothing else is selected.
    """
    start, end = selection.start, selection.end
    several = (start.entry, start.block) != (end.entry, end.block)
    messages = []
    for at in range(start.entry, min(end.entry, len(document.views) - 1) + 1):
        view = document.views[at]
        blocks = view.split()
        first = start.block if at == start.entry else 0
        last = end.block if at == end.entry else len(blocks) - 1
        pieces: list[str] = []
        for place in range(first, min(last, len(blocks) - 1) + 1):
            block = blocks[place]
            if block.source is None and several:
                continue
            if place in (start.block, end.block):
                view.lay(place)
            low = (start.row, start.column) if (at, place) == (start.entry, start.block) else (0, 0)
            high = (end.row, end.column) if (at, place) == (end.entry, end.block) else None
            pieces.append(_copied_block(block, low, high))
        if any(pieces):
            messages.append("".join(pieces).strip("\n"))
    return "\n\n".join(messages)


def _copied_block(block: Block, low: tuple[int, int], high: tuple[int, int] | None) -> str:
    rows = block.rows
    if block.source is not None and (rows is None or _whole(rows, low, high)):
        return block.source
    rows = rows or []
    end = high or (len(rows) - 1, len(rows[-1].text) if rows else 0)
    spans = [
        (row, low[1] if number == low[0] else 0, end[1] if number == end[0] else len(row.text))
        for number, row in enumerate(rows)
        if low[0] <= number <= end[0]
    ]
    text = join_rows(spans)
    return text if high is not None else f"{text.rstrip()}\n\n"


def _whole(rows: list[Row], low: tuple[int, int], high: tuple[int, int] | None) -> bool:
    """Whether everything between is all of the text of *rows*, but for what is no text."""
    texts = [number for number, row in enumerate(rows) if row.runs and not is_decor(row)]
    if not texts:
        return True
    first, last = texts[0], texts[-1]
    margin = next((at for at, _, meant in plain_runs(rows[first]) if meant.strip()), 0)
    begins = low <= (first, margin)
    ends = high is None or high >= (last, len(rows[last].text.rstrip()))
    return begins and ends
