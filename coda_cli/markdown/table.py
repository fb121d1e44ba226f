"""Tables fitted to a terminal's width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.markdown.text import Line, cells, fold, line_cells, plain, split_lines, wrap

_NARROW: Final = 4


Cell = list[Line]
"""A cell's lines."""


def layout(rows: Sequence[Sequence[Line]], aligns: Sequence[str], width: int, *, unicode: bool = True) -> list[Line]:
    """*rows* of cells, the first one the header, as lines of at most *width* cells.

    The widest columns shrink first and their cells wrap; where a column would get less than four cells, each row
    becomes a list of `header: value`.
    """
    if not rows or not rows[0]:
        return []
    table = [[split_lines(cell) for cell in row] for row in rows]
    wanted = measure(table, [1] * len(rows[0]))
    return rows_of_table(table[0], table[1:], wanted, aligns, width, unicode=unicode)


def measure(rows: Sequence[Sequence[Cell]], wanted: Sequence[int]) -> list[int]:
    """The width that each column would like to have: at least *wanted*, and what its cells in *rows* need."""
    return [
        max([least, *(line_cells(line) for row in rows if column < len(row) for line in row[column])])
        for column, least in enumerate(wanted)
    ]


def rows_of_table(
    header: Sequence[Cell],
    rows: Sequence[Sequence[Cell]],
    wanted: Sequence[int],
    aligns: Sequence[str],
    width: int,
    *,
    unicode: bool = True,
    first: bool = True,
) -> list[Line]:
    """The lines of some *rows* of a table whose columns want *wanted* cells; the *first* ones have the header."""
    count = len(header)
    room = width - 3 * (count - 1)
    if room < _NARROW * count and sum(wanted) > room:
        lines = _pairs([header, *rows], width)
        return lines if first or not lines else [[], *lines]
    widths = _shrink(wanted, room)
    bar, cross, dash = (" │ ", "─┼─", "─") if unicode else (" | ", "-+-", "-")
    lines = []
    if first:
        lines += _row(header, widths, aligns, bar)
        lines.append([(cross.join(dash * size for size in widths), ("table_border",))])
    for row in rows:
        lines += _row(row, widths, aligns, bar)
    return lines


def _shrink(wanted: Sequence[int], room: int) -> list[int]:
    """The widths of columns: as wanted if they fit, else all above some common width cut to it."""
    if sum(wanted) <= room:
        return list(wanted)
    low, high = 1, max(wanted)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(size, middle) for size in wanted) <= room:
            low = middle
        else:
            high = middle - 1
    widths = [min(size, low) for size in wanted]
    spare = room - sum(widths)
    for column, size in enumerate(wanted):
        if spare > 0 and size > widths[column]:
            widths[column] += 1
            spare -= 1
    return widths


def _row(row: Sequence[Cell], widths: Sequence[int], aligns: Sequence[str], bar: str) -> list[Line]:
    columns: list[list[Line]] = []
    for column, size in enumerate(widths):
        lines = row[column] if column < len(row) else [[]]
        columns.append([part for line in lines for piece in wrap(line, size) for part in fold(piece, size)])
    out: list[Line] = []
    for place in range(max(map(len, columns))):
        line: Line = []
        for column, size in enumerate(widths):
            cell = columns[column][place] if place < len(columns[column]) else []
            if column:
                line.append((bar, ("table_border",)))
            space = max(0, size - line_cells(cell))
            align = aligns[column] if column < len(aligns) else ""
            before = space if align == "right" else space // 2 if align == "center" else 0
            after = space - before if column < len(widths) - 1 else 0
            line += [(" " * before, ()), *cell, (" " * after, ())]
        out.append([run for run in line if run[0]])
    return out


def _pairs(table: Sequence[Sequence[Cell]], width: int) -> list[Line]:
    header, *rows = table
    names = [" ".join(plain(line) for line in cell) for cell in header]
    if not rows:
        return [part for cell in header for line in cell for part in wrap(line, width)]
    lines: list[Line] = []
    for place, row in enumerate(rows):
        if place:
            lines.append([])
        for name, cell in zip(names, row, strict=False):
            joined: Line = [run for number, line in enumerate(cell) for run in ([(" ", ())] if number else []) + line]
            start: Line = [(f"{name}:", ("table_header",)), (" ", ())] if cells(name) else []
            lines += wrap([*start, *joined], width)
    return lines
