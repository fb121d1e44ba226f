"""Bars and column charts of plain characters: eighths of a block, or ASCII where the terminal's encoding has none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

_ROWS: Final = "▏▎▍▌▋▊▉█"
_COLUMNS: Final = "▁▂▃▄▅▆▇█"


def has_blocks() -> bool:
    """Whether stdout's encoding has block characters."""
    try:
        (_ROWS + _COLUMNS).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def bar(value: float, most: float, width: int, *, blocks: bool) -> str:
    """*value* as a bar, of *width* columns where it is *most*. What is more than 0 shows."""
    if value <= 0 or most <= 0 or width < 1:
        return ""
    if not blocks:
        return "#" * max(1, round(value / most * width))
    eighths = max(1, round(min(value / most, 1.0) * width * 8))
    return "█" * (eighths // 8) + (_ROWS[eighths % 8 - 1] if eighths % 8 else "")


def chart(values: Sequence[float], height: int, *, blocks: bool) -> list[str]:
    """*values* as columns side by side, *height* lines from the top down, the largest as high as all of it."""
    most = max(values, default=0.0)
    steps = 8 if blocks else 2
    levels = [max(1, round(value / most * height * steps)) if value > 0 else 0 for value in values]
    lines = []
    for row in range(height - 1, -1, -1):
        cells = (min(steps, max(0, level - row * steps)) for level in levels)
        lines.append("".join((_COLUMNS if blocks else ".#")[cell - 1] if cell else " " for cell in cells).rstrip())
    return lines


def squeezed(values: Sequence[float], width: int) -> tuple[list[float], int]:
    """*values* in at most *width* sums of neighbours, and how many go into each."""
    each = max(1, -(-len(values) // width))
    return [sum(values[at : at + each]) for at in range(0, len(values), each)], each
