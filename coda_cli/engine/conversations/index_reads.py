"""What is asked of the index's tables: rows of a list, hits, totals."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from coda_cli.engine.conversations.index_database import sound
from coda_cli.engine.conversations.index_query import original
from coda_cli.engine.conversations.info import HIT_END, HIT_START, ConversationInfo, Filter, SearchHit, StoreTotals

_COLUMNS: Final = (
    "chat.id, chat.title, chat.first, chat.created, chat.updated, chat.messages, chat.name, chat.size, chat.tags,"
    " chat.pinned, chat.provider, chat.model, chat.tokens, chat.cost"
)
_WIDTH: Final = 14  # columns above
_SNIPPET: Final = 32  # words, or Chinese characters
_LARGEST: Final = 2**62


def rows(db: sqlite3.Connection, folder: Path, where: Filter, limit: int, offset: int) -> list[ConversationInfo]:
    """The rows of a list."""
    condition, values = _condition(where)
    found = db.execute(
        f"SELECT {_COLUMNS} FROM chat WHERE {condition}"  # noqa: S608 - our own columns and conditions
        " ORDER BY chat.pinned DESC, chat.updated DESC, chat.id LIMIT ? OFFSET ?",
        (*values, *_page(limit, offset)),
    )
    return [_info(row, folder) for row in found]


def hits(db: sqlite3.Connection, folder: Path, query: str, where: Filter, limit: int, offset: int) -> list[SearchHit]:
    """The best messages for the FTS5 *query*. FTS5 itself sorts by rank, so snippets are made for these only."""
    condition, values = _condition(where)
    found = db.execute(
        f"SELECT {_COLUMNS}, message.id, message.role, message.time, words.rank,"  # noqa: S608 - as above
        " snippet(words, 0, ?, ?, '…', ?)"
        " FROM words JOIN message ON message.key = words.rowid JOIN chat ON chat.key = message.chat"
        f" WHERE words MATCH ? AND NOT message.hidden AND {condition} ORDER BY words.rank LIMIT ? OFFSET ?",
        (HIT_START, HIT_END, _SNIPPET, query, *values, *_page(limit, offset)),
    ).fetchall()
    return [_hit(folder, row) for row in found]


def _hit(folder: Path, row: tuple[Any, ...]) -> SearchHit:
    message_id, role, time, rank, snippet = sound(row[_WIDTH:], (bytes, str, float, float, str))
    return SearchHit(
        conversation=_info(row[:_WIDTH], folder),
        message_id=_text(message_id),
        role=role,
        time=time,
        snippet=original(snippet),
        score=-rank,
    )


def one(db: sqlite3.Connection, folder: Path, conversation_id: str) -> ConversationInfo | None:
    """The row of one conversation."""
    wanted = conversation_id.encode("utf-8", "surrogatepass")
    row = db.execute(f"SELECT {_COLUMNS} FROM chat WHERE id = ? AND shown", (wanted,)).fetchone()  # noqa: S608 - as above
    return None if row is None else _info(row, folder)


def ids(db: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    """Ids that begin with *prefix*."""
    first = prefix.encode("utf-8", "surrogatepass")
    found = db.execute(
        "SELECT id FROM chat WHERE id >= ? AND id < ? AND shown ORDER BY updated DESC, id LIMIT ?",
        (first, first + b"\xff", *_page(limit)),  # a byte that UTF-8 does not have
    )
    return [_text(row[0]) for row in found]


def totals(db: sqlite3.Connection) -> StoreTotals:
    """Sums over all conversations."""
    row = db.execute(
        "SELECT count(*), coalesce(sum(messages), 0), coalesce(sum(tokens), 0), coalesce(sum(cost), 0.0),"
        " coalesce(sum(size), 0) FROM chat WHERE shown"
    ).fetchone()
    return StoreTotals(int(row[0]), int(row[1]), int(row[2]), float(row[3]), int(row[4]))


def tags(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Tags, and how many conversations have them; the most frequent first."""
    found = db.execute(
        "SELECT min(tag.tag), count(*) FROM tag JOIN chat ON chat.key = tag.chat WHERE chat.shown"
        " GROUP BY tag.folded ORDER BY count(*) DESC, tag.folded"
    )
    return [(_text(tag), int(count)) for tag, count in found]


def _condition(where: Filter) -> tuple[str, list[bytes | float]]:
    conditions: list[str] = ["chat.shown = 1"]
    values: list[bytes | float] = []
    for name, text in (("provider", where.provider), ("model", where.model)):
        if text is not None:
            conditions.append(f"chat.{name} = ?")
            values.append(text.encode("utf-8", "surrogatepass"))
    if where.tag is not None:
        conditions.append("chat.key IN (SELECT tag.chat FROM tag WHERE tag.folded = ?)")
        values.append(where.tag.casefold().encode("utf-8", "surrogatepass"))
    for comparison, number in (("pinned =", where.pinned), ("updated >=", where.since), ("updated <=", where.until)):
        if number is not None:
            conditions.append(f"chat.{comparison} ?")
            values.append(float(number))
    return " AND ".join(conditions), values


def _page(limit: int, offset: int | None = None) -> list[int]:
    return [max(0, min(number, _LARGEST)) for number in (limit, offset) if number is not None]


def _info(row: tuple[Any, ...], folder: Path) -> ConversationInfo:
    """Raises DatabaseError for a row that only damage can have made."""
    (ident, title, first, created, updated, messages, name, size, tag_list, pinned, provider, model, tokens, cost) = row
    try:
        return ConversationInfo(
            id=_text(ident),
            title=_text(title) or _text(first),
            created=float(created),
            updated=float(updated),
            messages=int(messages),
            file=folder / os.fsdecode(name),
            size=int(size),
            tags=tuple(json.loads(tag_list)),
            pinned=bool(pinned),
            provider=_text(provider),
            model=_text(model),
            tokens=int(tokens),
            cost=None if cost is None else float(cost),
        )
    except (TypeError, ValueError) as exc:
        raise sqlite3.DatabaseError("a damaged row") from exc


def _text(raw: object) -> str:
    if not isinstance(raw, bytes):
        raise sqlite3.DatabaseError("a damaged row")
    return raw.decode("utf-8", "surrogatepass")
