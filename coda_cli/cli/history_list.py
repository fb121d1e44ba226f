"""`coda history list`, `search` and `tags`: rows that fit the terminal, tab-separated lines on a pipe."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from coda_cli.chat.words import ago, money
from coda_cli.cli.history_common import (
    cells,
    cut,
    iso,
    one_line,
    open_index,
    pad,
    row_json,
    short_id,
    short_message,
    width,
)
from coda_cli.cli.output import can_draw, put_json, say, style
from coda_cli.engine.conversations.index import Index
from coda_cli.engine.conversations.info import HIT_END, HIT_START, ConversationInfo, Filter, SearchHit

_GAP: Final = "  "
_PIN: Final = "*"
_TITLE: Final = 20
"""Columns that a title gets before another column is left out."""
_MARKS: Final = re.compile(f"[{HIT_START}{HIT_END}]")
EVERYTHING: Final = Filter()


def _meant(index: Index | None, where: Filter) -> Filter:
    """*where* with `--model provider/model` told from a model whose own name has a slash."""
    if index is None or where.model is None or where.provider is not None or "/" not in where.model:
        return where
    if index.rows(Filter(model=where.model), limit=1):
        return where
    provider, _, model = where.model.partition("/")
    return replace(where, provider=provider, model=model)


def put_list(where: Filter, limit: int, offset: int, *, json: bool) -> None:
    """Print the conversations that fit *where*."""
    index = open_index()
    where = _meant(index, where)
    rows = index.rows(where, limit=limit + 1, offset=offset) if index is not None else []
    more, rows = len(rows) > limit, rows[:limit]
    if json:
        put_json([row_json(row) for row in rows])
        return
    if not rows:
        _nothing(where, offset, "no conversations yet: `coda ask` begins one")
    put_rows(rows)
    _more(more, offset + limit)


def put_rows(rows: Sequence[ConversationInfo]) -> None:
    """Print *rows*, one line each: fitted to the terminal, or tab-separated."""
    columns = width()
    if columns is None:
        for row in rows:
            cost = f"{row.cost:.6f}" if row.cost is not None else ""
            fields = (row.id, iso(row.updated), row.messages, row.model, ",".join(row.tags), _PIN[: row.pinned], cost)
            print("\t".join([*(one_line(str(field)) for field in fields), one_line(row.title)]))
    elif rows:
        for line in _table(rows, columns):
            print(line)


def _nothing(where: Filter, offset: int, otherwise: str) -> None:
    if offset:
        say("there are no more")
    else:
        say(otherwise if where == EVERYTHING else "no conversation fits: try fewer filters")


def _more(more: bool, offset: int) -> None:
    if more and can_draw(sys.stdout):
        say(f"there are more: --offset {offset}")


def _table(rows: Sequence[ConversationInfo], columns: int) -> list[str]:
    """A heading and one line a row, of at most *columns* columns; what does not fit is left out from the right."""
    now = time.time()
    cell_rows = [
        [
            short_id(row.id),
            ago(row.updated, now),
            (_PIN + " " if row.pinned else "") + (one_line(row.title) or "(no title)"),
            str(row.messages),
            one_line(row.model),
            one_line(", ".join(row.tags)),
            money(row.cost, ""),
        ]
        for row in rows
    ]
    names = ["ID", "WHEN", "TITLE", "MSGS", "MODEL", "TAGS", "COST"]
    narrow = columns < 100
    limits = [16, 8, 10_000, 7, 14 if narrow else 20, 12 if narrow else 18, 9]
    sizes = [
        min(limit, max(cells(name), *(cells(row[place]) for row in cell_rows)))
        for place, (name, limit) in enumerate(zip(names, limits, strict=True))
    ]
    shown = [place for place in range(len(names)) if any(row[place] for row in cell_rows) or place < 4]
    for leave_out in (6, 5, 4, 3, 1):
        if _room(sizes, shown, columns) >= min(_TITLE, sizes[2]):
            break
        if leave_out in shown:
            shown.remove(leave_out)
    sizes[2] = max(1, min(sizes[2], _room(sizes, shown, columns)))
    codes = {0: "33", 1: "2", 3: "2", 4: "2", 5: "36", 6: "2"}

    def line(row: Sequence[str], heading: bool = False) -> str:
        out = []
        for place in shown:
            text = pad(row[place], sizes[place], right=place in (3, 6))
            if place == shown[-1] and place not in (3, 6):
                text = text.rstrip()
            code = (
                "2" if heading else ("1" if row[place].startswith(_PIN + " ") else "") if place == 2 else codes[place]
            )
            out.append(style(text, code, sys.stdout) if code and text else text)
        return cut_at_end(_GAP.join(out))

    return [line(names, heading=True), *map(line, cell_rows)]


def cut_at_end(text: str) -> str:
    """*text* without blanks at its end."""
    return text.rstrip()


def _room(sizes: Sequence[int], shown: Sequence[int], columns: int) -> int:
    """Columns that are left for the title. The last column stays free: some terminals wrap there."""
    return columns - 1 - sum(sizes[place] + len(_GAP) for place in shown if place != 2)


# ---- search ---------------------------------------------------------------------------------------------------------


def put_hits(text: str, where: Filter, limit: int, offset: int, *, json: bool) -> None:
    """Print the messages that match *text*."""
    index = open_index()
    where = _meant(index, where)
    hits = index.search(text, where, limit=limit + 1, offset=offset) if index is not None else []
    more, hits = len(hits) > limit, hits[:limit]
    if json:
        put_json([_hit_json(hit) for hit in hits])
        return
    if not hits:
        _nothing(where, offset, f"nothing was said that matches {one_line(text)!r}")
    columns = width()
    for number, hit in enumerate(hits):
        if columns is None:
            row = hit.conversation
            fields = (row.id, hit.message_id, iso(hit.time), hit.role, row.title, _MARKS.sub("", hit.snippet))
            print("\t".join(one_line(field) for field in fields))
        else:
            if number:
                print()
            _put_hit(hit, columns)
    _more(more, offset + limit)


def _hit_json(hit: SearchHit) -> dict[str, Any]:
    plain, spans = _spans(hit.snippet)
    return {
        "conversation": row_json(hit.conversation),
        "message_id": hit.message_id,
        "role": hit.role,
        "time": hit.time,
        "snippet": plain,
        "hits": spans,
        "score": round(hit.score, 6),
    }


def _spans(snippet: str) -> tuple[str, list[list[int]]]:
    """The snippet without its marks, and [start, end] of each hit in it."""
    plain = ""
    spans: list[list[int]] = []
    for piece in re.split(f"({HIT_START}|{HIT_END})", snippet):
        if piece == HIT_START:
            spans.append([len(plain), len(plain)])
        elif piece == HIT_END:
            if spans:
                spans[-1][1] = len(plain)
        else:
            plain += piece
    return plain, [span for span in spans if span[0] < span[1]]


def _put_hit(hit: SearchHit, columns: int) -> None:
    row = hit.conversation
    left = f"{short_id(row.id)}{_GAP}{ago(hit.time, time.time())}{_GAP}"
    who = f"{one_line(hit.role)} {short_message(hit.message_id)}"
    title = cut(one_line(row.title) or "(no title)", max(8, columns - 1 - cells(left) - len(_GAP) - cells(who)))
    print(f"{style(left, '33', sys.stdout)}{style(title, '1', sys.stdout)}{_GAP}{style(who, '2', sys.stdout)}")
    for line in _folded(one_line(hit.snippet), columns - 5):
        print("    " + line)


def _folded(snippet: str, columns: int) -> list[str]:
    """The snippet in at most three lines, its hits lit."""
    lines: list[str] = []
    line, taken, lit = "", 0, False
    for word in re.split("( )", snippet):
        size = cells(_MARKS.sub("", word))
        if taken + size > columns and taken:
            lines.append(line)
            line, taken = HIT_START * lit, 0
        for character in word:
            one = 0 if character in (HIT_START, HIT_END) else cells(character)
            if taken + one > columns:
                lines.append(line)
                line, taken = HIT_START * lit, 0
            if character == HIT_START:
                lit = True
            elif character == HIT_END:
                lit = False
            if not (character == " " and taken == 0):
                line += character
                taken += one
    lines.append(line)
    return [_lit(one) for one in lines if _MARKS.sub("", one).strip()][:3]


def _lit(line: str) -> str:
    out = []
    for number, piece in enumerate(line.split(HIT_START)):
        hit, end, rest = piece.partition(HIT_END)
        if number == 0:
            out.append(piece.replace(HIT_END, ""))
        else:
            out.append(style(hit, "1;33", sys.stdout) + (rest if end else "").replace(HIT_END, ""))
    return "".join(out).rstrip()


# ---- tags -----------------------------------------------------------------------------------------------------------


def put_tags(limit: int, offset: int, *, json: bool) -> None:
    """Print every tag and how many conversations have it."""
    index = open_index()
    found = (index.tags() if index is not None else [])[offset:]
    more, found = len(found) > limit, found[:limit]
    if json:
        put_json([{"tag": tag, "conversations": count} for tag, count in found])
        return
    if not found:
        say("there are no more" if offset else "no tags yet: `coda history tag ID TAG` adds one")
    columns = width()
    size = max((len(f"{count:,}") for _, count in found), default=1)
    for tag, count in found:
        if columns is None:
            print(f"{one_line(tag)}\t{count}")
        else:
            print(f"{count:>{size},}{_GAP}{style(cut(one_line(tag), columns - size - 3), '36', sys.stdout)}")
    _more(more, offset + limit)
