"""Long lists and tables in parts: items and rows that are complete are drawn once, and only when they are seen.

What all parts depend on (whether a list has empty lines, how wide its numbers are, the columns of a table) is shared;
when a later part changes it, earlier ones are drawn again when they are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct, field

from coda_cli.engine.rendering.parsing import block_tokens
from coda_cli.markdown.render import ListShape, MarkdownRenderer, list_shape
from coda_cli.markdown.table import Cell, measure, rows_of_table
from coda_cli.markdown.text import Key, Line, split_lines
from coda_cli.tui.transcript.blocks import (
    HEAVY_OPEN,
    Block,
    References,
    drawn_by,
    markdown_block,
    told_plain,
    too_heavy,
    weight,
)

if TYPE_CHECKING:
    from markdown_it.token import Token

LONG: Final = 2000
"""Characters of a list or table from which on it is taken in parts."""
PARTED: Final = frozenset({"bullet_list_open", "ordered_list_open", "table_open"})
_ITEMS: Final = 16
_KEEP: Final = 3
_KEEP_HEAVY: Final = 2
_ROWS: Final = 32
_HEAVY_ROWS: Final = HEAVY_OPEN // 2


class Growing(Protocol):
    """A block that is taken in parts."""

    parts: list[Block]
    """What is complete."""
    release: tuple[int, int] | None
    """Lines of the source that have become a part and must not come again, after an `update`."""

    def update(self, source: str, references: References, *, final: bool = False) -> list[Block] | None:
        """All parts, with those of *source*, what is not released; None if that cannot be taken in parts."""


def growing(kind: str, renderer: MarkdownRenderer, *, style: Key, gap: bool) -> Growing | None:
    """For an open block of that kind of markdown-it's."""
    if kind in ("bullet_list_open", "ordered_list_open"):
        return GrowingList(renderer, style, gap=gap)
    return GrowingTable(renderer, style, gap=gap) if kind == "table_open" else None


class _Shared(Struct, eq=False):
    """The shape of the whole list, as far as it is known."""

    number: int = 1
    count: int = 0
    loose: bool = False


class GrowingList:
    """A list whose items come one after another."""

    def __init__(self, renderer: MarkdownRenderer, style: Key, *, gap: bool) -> None:
        self._renderer = renderer
        self._style = style
        self._gap = gap
        self._shape = _Shared()
        self.parts: list[Block] = []
        self.release: tuple[int, int] | None = None
        self._items = 0
        self._marker = ("", "")
        self._drawn: tuple[int, bool] = (0, False)

    def update(self, source: str, references: References, *, final: bool = False) -> list[Block] | None:
        """The parts; the last one is what may still change."""
        rest, self.release = source, None
        tokens = block_tokens(rest, {**references})
        if not tokens or (end := _list_end(tokens)) is None:
            return None
        if final and end != len(tokens) - 1:
            return None
        opening, inner = tokens[0], tokens[1:end]
        marker = (opening.type, opening.markup)
        if self._items and marker != self._marker:
            return None
        self._marker = marker
        starts = [token.map[0] for token in inner if token.type == "list_item_open" and token.level == 1 and token.map]
        shape = list_shape(opening, inner, len(starts))
        if not self._items:
            self._shape.number = shape.number
        self._shape.loose = self._shape.loose or shape.loose
        self._shape.count = self._items + len(starts)
        heavy = too_heavy(rest, growing=True)
        if final and heavy:
            self._spread()
            return [*self.parts, *self._single(rest, starts, references)]
        keep = _KEEP if len(starts) > _ITEMS else _KEEP_HEAVY
        if not final and len(starts) > (keep if heavy else _ITEMS):
            rest = self._freeze(rest, starts, keep, references)
        self._spread()
        return [*self.parts, self._part(rest, self._items, references, growing=not final)]

    def _single(self, rest: str, starts: Sequence[int], references: References) -> list[Block]:
        """Every item as a part; one that is too heavy as plain text."""
        lines = rest.split("\n")
        if any(lines[at][:1] in " \t" for at in starts):
            starts = starts[:1]  # as in `_freeze`
        blocks: list[Block] = []
        for place, (at, end) in enumerate(zip(starts, [*starts[1:], len(lines)], strict=True)):
            first = 0 if not place else at
            source = "\n".join(lines[first:end]) + "\n" * (end < len(lines))
            if too_heavy(source):
                blocks += told_plain(source, style=self._style, gap=self._gap or bool(self.parts or place))
            else:
                blocks.append(self._part(source, self._items + place, references))
        return blocks

    def _freeze(self, rest: str, starts: Sequence[int], keep: int, references: References) -> str:
        """Make a part of all items but the last *keep*; returns the source of those."""
        lines = rest.split("\n")
        at = starts[-keep]
        if lines[at][:1] in " \t" or lines[starts[0]][:1] in " \t":
            return rest  # an item that stands further in may mean something else without those before it
        source = "\n".join(lines[:at]) + "\n"
        self._shape.loose = self._shape.loose or not lines[at - 1].strip()
        self.parts.append(self._part(source, self._items, references))
        self._items += len(starts) - keep
        self.release = (0, at)
        return rest[len(source) :]

    def _part(self, source: str, before: int, references: References, *, growing: bool = False) -> Block:
        shape = self._shape

        def draw(width: int) -> list[Line]:
            within = ListShape(shape.number + before, shape.number + shape.count - 1, shape.loose)
            return self._renderer.render(
                source, width, folded=True, references=references, within=within, growing=growing
            )

        gap = shape.loose if before else self._gap
        return drawn_by(self._renderer, draw, source, style=self._style, gap=gap)

    def _spread(self) -> None:
        """Draw the parts anew if the shape of all has changed."""
        drawn = (len(str(self._shape.number + self._shape.count - 1)), self._shape.loose)
        if drawn != self._drawn:
            self._drawn = drawn
            for place, part in enumerate(self.parts):
                part.redraw()
                part.gap = self._shape.loose if place else self._gap


def _list_end(tokens: Sequence[Token]) -> int | None:
    """The index of the token that closes the list that the tokens begin with."""
    if tokens[0].type not in ("bullet_list_open", "ordered_list_open"):
        return None
    return next((at for at, token in enumerate(tokens) if at and token.level == 0 and token.nesting < 0), None)


class _Columns(Struct, eq=False):
    header: list[Cell] = field(default_factory=list)
    aligns: list[str] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)


class GrowingTable:
    """A table whose rows come one after another: each is a line, and one that is complete is parsed once.

    What a line is does not depend on the rows before it, so new lines are parsed under the header alone.
    """

    def __init__(self, renderer: MarkdownRenderer, style: Key, *, gap: bool) -> None:
        self._renderer = renderer
        self._style = style
        self._gap = gap
        self._columns = _Columns()
        self.parts: list[Block] = []
        self._known: list[tuple[str, list[Cell]]] = []
        """Complete rows that are in no part yet."""
        self._settled: list[int] = []
        """What the columns need for the rows that are complete: one that is still growing may shrink again."""
        self._head = ""
        self.release: tuple[int, int] | None = None

    def update(self, source: str, references: References, *, final: bool = False) -> list[Block] | None:
        """The parts; the last one is what may still change."""
        self.release = None
        if not self._head:
            lines = source.split("\n", 2)
            if len(lines) < 3:
                return None
            self._head = "\n".join(lines[:2]) + "\n"
        known = self._head + "".join(line for line, _ in self._known)
        if not source.startswith(known):
            return None
        if (found := self._parse(source[len(known) :], references)) is None:
            return None
        new, after = found
        if final and after.strip():
            return None
        complete = [row for row in new if row[0].endswith("\n")]
        self._known += complete
        self._settled = measure([cells for _, cells in complete], self._settled)
        open_rows = new[len(complete) :]
        wanted = measure([cells for _, cells in open_rows], self._settled)
        if not final:
            self._freeze()
        if wanted != self._columns.wanted:
            self._columns.wanted = wanted
            for part in self.parts:
                part.redraw()
        blocks = [*self.parts, self._part([*self._known, *open_rows])]
        if after.strip():
            blocks.append(markdown_block(self._renderer, after, references, style=self._style, gap=True))
        return blocks

    def _parse(self, source: str, references: References) -> tuple[list[tuple[str, list[Cell]]], str] | None:
        """The rows that *source* begins with, and what comes after them; None if they are no lines of this table."""
        if self._columns.header and not source:
            return [], ""
        found = self._renderer.table(self._head + source, references)
        if found is None:
            return None
        cells, aligns, count = found
        header, *rows = [[split_lines(cell) for cell in row] for row in cells]
        if len(rows) != count - 2:
            return None
        if not self._columns.header:
            self._columns.header, self._columns.aligns = header, aligns
            self._settled = measure([header], [1] * len(header))
        lines = source.split("\n")
        lines = [*(f"{line}\n" for line in lines[:-1]), *lines[-1:]]
        return list(zip(lines[: count - 2], rows, strict=True)), "".join(lines[count - 2 :])

    def _freeze(self) -> None:
        """Make parts of the complete rows, but for the last few."""
        done = size = 0
        for end, (line, _) in enumerate(self._known, 1):
            size += weight(line)
            if end - done > _ROWS or size > _HEAVY_ROWS:
                self.parts.append(self._part(self._known[done:end]))
                done, size = end, 0
        if done:
            self.release = (2, 2 + done)
            del self._known[:done]

    def _part(self, taken: Sequence[tuple[str, list[Cell]]]) -> Block:
        columns, first = self._columns, not self.parts
        source = "".join(line for line, _ in taken)
        rows = [cells for _, cells in taken]

        def draw(width: int) -> list[Line]:
            return rows_of_table(columns.header, rows, columns.wanted, columns.aligns, width, first=first)

        return Block(draw, (self._head if first else "") + source, self._gap and first, self._style)
