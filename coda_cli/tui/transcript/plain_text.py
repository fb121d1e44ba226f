"""The text of rows as a person means it: without the bars, marks and padding that only the screen needs."""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.tui.transcript.blocks import Row

_DECOR = frozenset({"quote_bar", "pad", "fold", "rule"})


def plain_runs(row: Row) -> list[tuple[int, str, str]]:
    """The runs of *row* as (index in the row, text on the screen, text that is meant)."""
    out = []
    at = 0
    panel = "panel" in row.fill
    for text, key in row.runs:
        meant = text
        if not _DECOR.isdisjoint(key) or (panel and "fence" in key) or (row.joint != "\n" and "indent" in key):
            meant = ""
        elif key and key[-1].startswith("="):  # a formula: its source, once, however many rows it is on
            goes_on = not at and row.joint != "\n"
            meant = "" if goes_on else key[-1][1:]
        elif "table_border" in key:
            meant = " | " if len(text) == 3 else ""
        elif "marker" in key:
            meant = text.replace("•", "-").replace("☐", "[ ]").replace("☑", "[x]")
        out.append((at, text, meant))
        at += len(text)
    return out


def is_decor(row: Row) -> bool:
    """Whether nothing on the row is text."""
    return bool(row.runs) and not any(meant.strip() for _, _, meant in plain_runs(row))


def meant(row: Row, start: int, end: int) -> str:
    """The text that is meant between two indexes of the row."""
    out = []
    for at, text, text_meant in plain_runs(row):
        first, last = max(start - at, 0), min(end - at, len(text))
        if first < last:
            out.append(text_meant[first:last] if len(text_meant) == len(text) else text_meant)
    return "".join(out)


def join_rows(rows: Sequence[tuple[Row, int, int]]) -> str:
    """Rows, each from an index to before another, as one text in which wrapped lines are whole again."""
    out: list[str] = []
    for row, start, end in rows:
        if is_decor(row):
            continue
        if out:
            out.append(row.joint)
        out.append(meant(row, start, end))
    return "".join(out)
