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
_TEXTS: Final = "words CROSS JOIN message ON message.key = words.rowid CROSS JOIN chat ON chat.key = message.chat"
CANDIDATES: Final = 10_000
"""Messages that are ranked at most, the latest that match: ranking a word that is in a million texts takes seconds."""
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
    """The best messages for the FTS5 *query*: first which they are, then their rows and snippets in another pass."""
    condition, values = _condition(where)
    ranks = dict(
        db.execute(
            "SELECT key, rank FROM (SELECT message.key AS key, bm25(words) AS rank"  # noqa: S608 - as above
            f" FROM {_TEXTS} WHERE words MATCH ? AND NOT message.hidden AND {condition}"
            " ORDER BY words.rowid DESC LIMIT ?) ORDER BY rank, key DESC LIMIT ? OFFSET ?",
            (query, *values, CANDIDATES, *_page(limit, offset)),
        ).fetchall()
    )
    if not ranks:
        return []
    # "+": one pass over what matches, not a search for each of them, which would look up the words each time
    found = db.execute(
        f"SELECT message.key, message.id, message.role, message.time, snippet(words, 0, ?, ?, '…', ?), {_COLUMNS}"  # noqa: S608 - as above
        f" FROM {_TEXTS} WHERE words MATCH ? AND words.rowid BETWEEN ? AND ?"
        f" AND +words.rowid IN ({', '.join('?' * len(ranks))})",
        (HIT_START, HIT_END, _SNIPPET, query, min(ranks), max(ranks), *ranks),
    )
    rows = {row[0]: row[1:] for row in found}
    return [_hit(folder, rows[key], rank) for key, rank in ranks.items() if key in rows]


def _hit(folder: Path, row: tuple[Any, ...], rank: float) -> SearchHit:
    message_id, role, time, snippet = sound(row[:4], (bytes, str, float, str))
    return SearchHit(
        conversation=_info(row[4:], folder),
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
