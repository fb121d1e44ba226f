"""Rows as the strips that Textual puts on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.filter import ANSIToTruecolor
from textual.strip import Strip
from textual.widget import Widget

from coda_cli.markdown.text import cells
from coda_cli.tui.transcript.blocks import Row
from coda_cli.tui.transcript.styles import Styles

GUTTER: Final = 2
"""Cells at the left of every row; the message cursor stands there."""
MARGIN: Final = 1
"""Cells at the right that stay empty."""

Mark = tuple[int, int, str]
"""Characters from one index to before another, and the style that lights them."""


def strip_of(row: Row, width: int, styles: Styles, *, cursor: bool = False, marks: Sequence[Mark] = ()) -> Strip:
    """The strip of *row*, exactly *width* cells wide; made once for the same arguments."""
    stamp = (styles.serial, width, cursor, tuple(marks))
    if row.strip is not None and row.stamp == stamp:
        return row.strip
    segments = [_gutter(styles, cursor=cursor)]
    used = GUTTER
    at = 0
    for text, key in row.runs:
        style = styles.of((*row.fill, *key))
        for start, end, name in _cut(text, at, marks):
            part = text[start:end]
            used += cell_len(part)
            segments.append(Segment(part, style + styles.of_mark(name) if name else style))
        at += len(text)
    if used < width:
        segments.append(Segment(" " * (width - used), styles.of(row.fill)))
    row.strip = Strip(segments, max(used, width))
    if used > width:
        row.strip = row.strip.crop(0, width)
    row.stamp = stamp
    return row.strip


def blank(width: int, styles: Styles) -> Strip:
    """An empty row."""
    return Strip.blank(width, styles.base)


def _gutter(styles: Styles, *, cursor: bool) -> Segment:
    return Segment("▌ ", styles.of(("cursor",))) if cursor else Segment(" " * GUTTER, styles.base)


def _cut(text: str, at: int, marks: Sequence[Mark]) -> list[tuple[int, int, str]]:
    """Pieces of a run that begins at character *at* of its row, each with the mark on it; a later mark wins."""
    if not marks:
        return [(0, len(text), "")]
    points = sorted({0, len(text), *(min(max(p - at, 0), len(text)) for mark in marks for p in mark[:2])})
    pieces = []
    for start, end in pairwise(points):
        name = next((mark[2] for mark in reversed(marks) if mark[0] <= at + start and at + end <= mark[1]), "")
        pieces.append((start, end, name))
    return pieces


def character_at(row: Row, x: int) -> int:
    """The index of the character at cell *x* of the widget; the length of the text right of it."""
    used = GUTTER
    for at, char in enumerate(row.text):
        used += cells(char)
        if x < used:
            return at
    return len(row.text)


def names_at(row: Row, index: int) -> tuple[str, ...]:
    """The style names of the character at *index*."""
    at = 0
    for text, key in row.runs:
        at += len(text)
        if index < at:
            return key
    return ()


def filtered(widget: Widget, strips: list[Strip], styles: Styles) -> list[Strip]:
    """*strips* through Textual's line filters, as NO_COLOR and themes in the terminal's own colours ask for."""
    for line_filter in widget.get_line_filters():
        if isinstance(line_filter, ANSIToTruecolor) and not styles.needs_filter:
            continue
        background = widget.background_colors[1]
        strips = [strip.apply_filter(line_filter, background) for strip in strips]
    return strips
