"""Where memories are looked for: SQLite FTS5 in the cache folder, made anew whenever the memory file has changed.

A cache: the file of memories is the truth, and what is damaged, of another version or cannot be kept is made again, in
memory if need be. It holds all that a recall needs, so that a turn does not read the file.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from msgspec import Struct

from coda_cli import paths
from coda_cli.engine.memory.file import MemoryFile, Stamp
from coda_cli.engine.memory.record import Memory, from_json, to_json
from coda_cli.engine.memory.thesaurus import alike
from coda_cli.engine.memory.words import COMMON, spaced

VERSION: Final = 2
"""Of the tables below: an index of another one is made anew."""
_SCHEMA: Final = """
CREATE TABLE meta (path TEXT, stamp TEXT);
CREATE TABLE memory (key INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, kind TEXT, ended INTEGER, day TEXT,
record TEXT NOT NULL);
CREATE INDEX memory_kind ON memory (kind, ended, day);
CREATE TABLE vector (key INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', tokenize = "porter unicode61 remove_diacritics 2");
"""
_TABLES: Final = ("words", "meta", "memory", "vector")
_MANY: Final = 500
LIKE: Final = 0.85
"""What a word counts that only means about the same as the one that was looked for."""
EVERYDAY: Final = 0.5
"""What a word counts that is common in any English, however rare it is among the memories."""
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_T = TypeVar("_T")


class Hits(Struct, frozen=True):
    """Where something was found: place -> its share of what was looked for, and how rare its rarest word is (0 "
    "to 1)."""

    covered: dict[int, float]
    rarest: dict[int, float]


class MemoryIndex:
    """The index over *file*, kept in *path*. For one thread at a time."""

    def __init__(self, file: MemoryFile, path: Path) -> None:
        self._memory_file = file
        self.path = path
        self._database: sqlite3.Connection | None = None
        self._seen: Stamp | None = None
        self._pid = os.getpid()
        self.generation = 0
        """Grows whenever the content has changed."""

    def search(self, words: Sequence[str], limit: int, *, ended: bool = False) -> Hits:
        """The best *limit* memories (by BM25) that hold one of *words*, or one like it. Raises MemoryStoreError."""
        return self._ask(lambda db: _search(db, words, limit, ended)) if words else Hits({}, {})

    def of_kind(self, kind: str, limit: int) -> list[Memory]:
        """The memories of *kind* that hold, in the order of the file. Raises MemoryStoreError."""
        select = "SELECT record FROM memory WHERE kind = ? AND ended = 0 ORDER BY key DESC LIMIT ?"
        rows: list[tuple[str]] = self._ask(lambda db: db.execute(select, (kind, limit)).fetchall())
        return [_memory(row[0]) for row in reversed(rows)]

    def gists_between(self, first: str, last: str, limit: int) -> list[int]:
        """The places of the gists from day *first* to day *last* (ISO), the latest first. Raises MemoryStoreError."""
        select = "SELECT key FROM memory WHERE kind = 'gist' AND ended = 0 AND day BETWEEN ? AND ?"
        ordered = f"{select} ORDER BY day DESC LIMIT ?"
        rows: list[tuple[int]] = self._ask(lambda db: db.execute(ordered, (first, last, limit)).fetchall())
        return [key for (key,) in rows]

    def newest(self, kind: str, limit: int) -> list[int]:
        """The places of the newest memories of *kind* that hold. Raises MemoryStoreError."""
        select = "SELECT key FROM memory WHERE kind = ? AND ended = 0 ORDER BY day DESC, key DESC LIMIT ?"
        rows: list[tuple[int]] = self._ask(lambda db: db.execute(select, (kind, limit)).fetchall())
        return [key for (key,) in rows]

    def get(self, ids: Collection[str]) -> list[Memory]:
        """Those of *ids* that there are, in their order. Raises MemoryStoreError."""
        select = "SELECT record FROM memory WHERE id = ?"

        def read(db: sqlite3.Connection) -> list[Memory]:
            rows = (db.execute(select, (indexed(identifier),)).fetchone() for identifier in ids)
            return [_memory(row[0]) for row in rows if row]

        return self._ask(read)

    def at(self, keys: Sequence[int]) -> dict[int, Memory]:
        """The memories at the places *keys*. Raises MemoryStoreError."""
        return self._ask(lambda db: _at(db, keys))

    def texts_without_vector(self) -> list[tuple[int, str]]:
        """What has not been embedded yet. Raises MemoryStoreError."""
        select = "SELECT key, record FROM memory WHERE key NOT IN (SELECT key FROM vector)"
        return [(key, _memory(record).text) for key, record in self._ask(lambda db: db.execute(select).fetchall())]

    def keep_vectors(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """Keep the vectors of the memories at these places. Raises MemoryStoreError."""

        def write(db: sqlite3.Connection) -> None:
            with db:
                db.executemany("INSERT OR REPLACE INTO vector VALUES (?, ?)", rows)

        self._ask(write)

    def vectors(self) -> list[tuple[int, bytes]]:
        """The vectors of the memories that hold. Raises MemoryStoreError."""
        select = "SELECT key, value FROM vector JOIN memory USING (key) WHERE ended = 0 ORDER BY key"
        rows: list[tuple[int, bytes]] = self._ask(lambda db: db.execute(select).fetchall())
        return rows

    def fresh(self) -> int:
        """Bring in what has changed; returns the generation. Raises MemoryStoreError."""
        self._ask(lambda db: None)
        return self.generation

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._database is not None and self._pid == os.getpid():
            with suppress(sqlite3.Error):
                self._database.close()
        self._database, self._seen = None, None

    def _ask(self, ask: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return ask(self._current(self.path))
        except (sqlite3.Error, OSError, ValueError) as exc:
            self.close()
            busy = getattr(exc, "sqlite_errorcode", 0) & 0xFF in _BUSY
        if busy:
            return ask(self._current(None))
        with suppress(OSError):
            _remove(self.path)
        try:
            return ask(self._current(self.path))
        except (sqlite3.Error, OSError, ValueError):
            self.close()
        return ask(self._current(None))  # as right, and gone with the program

    def _current(self, path: Path | None) -> sqlite3.Connection:
        """The database, with what stands in the file now."""
        if self._database is None or self._pid != os.getpid():
            self._database, self._seen, self._pid = _opened(path), None, os.getpid()
        stamp = self._memory_file.stamp()
        if stamp is None or stamp != self._seen:
            wanted = (str(self._memory_file.path), json.dumps(stamp))
            if self._database.execute("SELECT path, stamp FROM meta").fetchone() != wanted:
                _fill(self._database, self._memory_file.memories(), wanted)
            self.generation += 1
            self._seen = stamp
        return self._database


def _opened(path: Path | None) -> sqlite3.Connection:
    if path is None:
        database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        database.executescript(_SCHEMA)
        return database
    os.close(paths.open_private(path, os.O_RDWR | os.O_CREAT))
    name = f"file:{quote(os.fsencode(path))}?mode=rw"
    database = sqlite3.connect(name, timeout=2.0, isolation_level=None, check_same_thread=False, uri=True)
    try:
        database.execute("PRAGMA secure_delete = ON")
        database.execute("PRAGMA synchronous = OFF")  # a cache: what a power cut damages is made again
        if database.execute("PRAGMA user_version").fetchone() != (VERSION,):
            database.execute("BEGIN IMMEDIATE")
            if database.execute("PRAGMA user_version").fetchone() != (VERSION,):
                for table in _TABLES:
                    database.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in _SCHEMA.split(";\n"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute("COMMIT")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _fill(database: sqlite3.Connection, memories: Sequence[Memory], wanted: tuple[str, str]) -> None:
    """Make the index say what *memories* say; what has not changed keeps its place and its vector."""
    database.execute("BEGIN IMMEDIATE")
    try:
        there = {
            identifier: (key, record)
            for key, identifier, record in database.execute("SELECT key, id, record FROM memory")
        }
        for memory in memories:
            record = json.dumps(to_json(memory), ensure_ascii=True)
            key, old = there.pop(memory.id, (None, ""))
            if old != record:
                _put(database, key, old, memory, record)
        for key, record in there.values():
            _drop_words(database, key, record)
            database.execute("DELETE FROM vector WHERE key = ?", (key,))
            database.execute("DELETE FROM memory WHERE key = ?", (key,))
        if there:
            database.execute("INSERT INTO words (words) VALUES ('optimize')")  # leaves no word of what is gone
        database.execute("DELETE FROM meta")
        database.execute("INSERT INTO meta VALUES (?, ?)", wanted)
    except BaseException:
        with suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


_UPDATE: Final = "UPDATE memory SET id = ?, kind = ?, ended = ?, day = ?, record = ? WHERE key = ?"


def _put(database: sqlite3.Connection, key: int | None, old: str, memory: Memory, record: str) -> None:
    row = (memory.id, memory.kind, int(not memory.holds), memory.created[:10], record)
    if key is not None and _memory(old).text == memory.text:
        database.execute(_UPDATE, (*row, key))
        return
    if key is not None:
        _drop_words(database, key, old)
        database.execute("DELETE FROM vector WHERE key = ?", (key,))
        database.execute(_UPDATE, (*row, key))
    else:
        insert = "INSERT INTO memory (id, kind, ended, day, record) VALUES (?, ?, ?, ?, ?)"
        key = database.execute(insert, row).lastrowid
    database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (key, indexed(memory.text)))


def _drop_words(database: sqlite3.Connection, key: int, record: str) -> None:
    delete = "INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)"
    database.execute(delete, (key, indexed(_memory(record).text)))


def indexed(text: str) -> str:
    """*text* as it is put into the index: what SQLite cannot hold is out."""
    return spaced(text).replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _search(database: sqlite3.Connection, words: Sequence[str], limit: int, ended: bool) -> Hits:
    ((total,),) = database.execute("SELECT count(*) FROM memory").fetchall()
    select = (
        "SELECT words.rowid FROM words JOIN memory ON key = words.rowid "
        "WHERE words MATCH ? AND ended <= ? ORDER BY rank LIMIT ?"
    )
    own = {word: _quoted((word,)) for word in words}
    wide = {word: _quoted((word, *alike(word))) for word in words}
    keys = [key for (key,) in database.execute(select, (" OR ".join(wide.values()), int(ended), limit))]
    covered, rarest = dict.fromkeys(keys, 0.0), dict.fromkeys(keys, 0.0)
    whole = 0.0
    for word in words:
        # A word that nobody said tells no more than what it means.
        usual = EVERYDAY if word in COMMON else 1.0
        rare = usual * idf(_count(database, own[word]), total)
        weight = min(rare, usual * idf(_count(database, wide[word]), total)) if wide[word] != own[word] else rare
        whole += weight
        exact = _holding(database, own[word], keys)
        for key in exact:
            covered[key] += weight
            rarest[key] = max(rarest[key], rare)
        for key in _holding(database, wide[word], keys) - exact if wide[word] != own[word] else ():
            covered[key] += LIKE * weight
            rarest[key] = max(rarest[key], LIKE * weight)
    most = idf(1, total)
    shares = {key: value / whole for key, value in covered.items()}
    return Hits(shares, {key: min(1.0, value / most) for key, value in rarest.items()})


def _quoted(words: Sequence[str]) -> str:
    return " OR ".join('"' + indexed(word).replace('"', '""') + '"' for word in words)


def _count(database: sqlite3.Connection, match: str) -> int:
    ((count,),) = database.execute("SELECT count(*) FROM words WHERE words MATCH ?", (match,)).fetchall()
    return int(count)


def _holding(database: sqlite3.Connection, match: str, keys: Sequence[int]) -> set[int]:
    """Those of *keys* whose text matches."""
    places = ",".join("?" * len(keys))
    select = f"SELECT rowid FROM words WHERE words MATCH ? AND rowid IN ({places})"  # noqa: S608  # question marks  # question marks
    return {key for (key,) in database.execute(select, (match, *keys))}


def idf(count: int, total: int) -> float:
    """How much a word tells that stands in *count* of *total* texts (Robertson and Spärck Jones, never below 0.1).

    A few memories say nothing of how common a word is: they count as if they were many.
    """
    total = max(total, _MANY)
    return max(0.1, math.log(1 + (total - count + 0.5) / (count + 0.5)))


def _at(database: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Memory]:
    places = ",".join("?" * len(keys))
    select = f"SELECT key, record FROM memory WHERE key IN ({places})"  # noqa: S608  # question marks  # question marks
    return {key: _memory(record) for key, record in database.execute(select, tuple(keys))}


def _memory(record: Any) -> Memory:
    """The memory of a row; ValueError for one that a flipped bit made of it."""
    if not isinstance(record, str):
        raise ValueError("a damaged row")
    return from_json(json.loads(record))


def _remove(path: Path) -> None:
    for name in (path, *(path.with_name(path.name + suffix) for suffix in ("-journal", "-wal", "-shm"))):
        name.unlink(missing_ok=True)
