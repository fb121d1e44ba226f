"""Lines made of runs: pieces of text with the name of a style. What the screens' lists and texts are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from rich.cells import cell_len, set_cell_size

from coda_cli.engine.rendering.sanitize import sanitize

Run = tuple[str, str]
"""A text and the name of its style: one of `STYLES`, "" for the plain one."""

STYLES: Final = ("dim", "strong", "match", "group", "good", "bad", "warn", "accent", "cursor")

_LONGEST: Final = 2000
"""Characters of one field that are looked at: no line on any screen is longer."""


class Row(Struct, frozen=True):
    """One row of a list: what stands at its left, what at its right. The cursor passes over a heading."""

    left: Sequence[Run]
    right: Sequence[Run] = ()
    heading: bool = False
    below: Sequence[Run] = ()
    """The second line, where rows have two."""


def one_line(text: str) -> str:
    """Untrusted *text* on one line, safe for a terminal."""
    return " ".join(sanitize(text[:_LONGEST]).split())


def cells(runs: Sequence[Run]) -> int:
    """How many columns *runs* take."""
    return sum(cell_len(text) for text, _ in runs)


def cut(runs: Sequence[Run], width: int) -> list[Run]:
    """*runs* in at most *width* columns, with a mark where they are cut."""
    out: list[Run] = []
    left = width
    rest = cells(runs)
    for text, name in runs:
        taken = cell_len(text)
        if rest > left and taken >= left:
            if left > 0:
                out.append((set_cell_size(text, left - 1).rstrip() + "…", name))
            break
        out.append((text, name))
        left -= taken
        rest -= taken
    return out


def lit(text: str, places: Sequence[int], name: str = "", hit: str = "match") -> list[Run]:
    """*text* with the characters at *places* (ascending) lit."""
    out: list[Run] = []
    at = 0
    position = 0
    while position < len(places):
        start = places[position]
        end = start + 1
        position += 1
        while position < len(places) and places[position] == end:
            end += 1
            position += 1
        if start > at:
            out.append((text[at:start], name))
        out.append((text[start:end], hit))
        at = end
    if at < len(text):
        out.append((text[at:], name))
    return out


def clock(when: float) -> str:
    """A time of the day with its date, in the local time zone; "" for none."""
    if not 0 < when < 2.5e11:
        return ""
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M")
