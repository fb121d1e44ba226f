"""The usage log, added up by day, so that a million lines are told in a moment.

A cache: the log is the truth. The file `usage.sqlite3` in the cache folder remembers which log it is of and how far it
has read; every question first takes in what is new. It is made anew where the log was replaced or cut, where the time
zone has changed (a day is a local one), and where the file is missing, damaged or of another version; where it can't
be kept, it is made in memory. One process at a time works on it, under the lock file beside it. It holds no text.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeVar
from urllib.parse import quote

from coda_cli import paths
from coda_cli.engine.usage.fold import Folded, speeds_of
from coda_cli.engine.usage.histogram import from_bytes, to_bytes
from coda_cli.engine.usage.sums import NAMES, Speeds, Sums

T = TypeVar("T")
Progress = Callable[[int, int], None]

_VERSION: Final = 1
_CHUNK: Final = 8 << 20  # bytes that are read, and taken in, at once
_SEAL: Final = 4096  # bytes before the place reached, by which a rewritten log is known
_COLUMNS: Final = ", ".join(f"{name} {'REAL' if name == 'cost' else 'INTEGER'} NOT NULL" for name in NAMES)
_TYPES: Final = [float if name == "cost" else int for name in NAMES]
_SPEEDS: Final = "latency BLOB, first BLOB, rate BLOB"
_BY_MODEL: Final = "PRIMARY KEY (day, provider, model)"
_TABLES: Final = ("state", "daily", "chat")
_SCHEMA: Final = (
    "CREATE TABLE state (dev INTEGER, ino INTEGER, place INTEGER, seal BLOB, zone TEXT, lines INTEGER)",
    f"CREATE TABLE daily (day INTEGER, provider TEXT, model TEXT, {_COLUMNS}, {_SPEEDS}, {_BY_MODEL}) WITHOUT ROWID",
    f"CREATE TABLE chat (day INTEGER, conversation TEXT, {_COLUMNS}, PRIMARY KEY (day, conversation)) WITHOUT ROWID",
)
_UNUSABLE: Final = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_IOERR),
    }
)


class Rollup:
    """The sums of the log at *log*, kept in *file* (default: in the cache folder), for any number of processes."""

    def __init__(self, log: Path | None = None, file: Path | None = None) -> None:
        self.log = log or paths.data_dir() / "usage.jsonl"
        self.file = file or paths.cache_dir() / "usage.sqlite3"

    def ask(self, question: Callable[[sqlite3.Connection], T], progress: Progress | None = None) -> T:
        """The answer to *question* once all of the log is taken in. Blocks; raises OSError for an unreadable log.

        *progress* is told how many bytes of the log are done, of how many.
        """
        if not self.log.exists():
            return self._in_memory(question, progress)  # nothing to keep: asking leaves no trace
        try:
            with paths.locked(self.file):
                for attempt in (1, 2):
                    try:
                        return self._on_disk(question, progress)
                    except (sqlite3.Error, ValueError) as exc:
                        if attempt == 2 or _unusable(exc):
                            break
                        self._throw_away()
        except OSError as exc:
            if exc.filename is not None and os.fspath(exc.filename) == os.fspath(self.log):
                raise
        return self._in_memory(question, progress)

    def _on_disk(self, question: Callable[[sqlite3.Connection], T], progress: Progress | None) -> T:
        if not self.file.exists():
            os.close(paths.open_private(self.file, os.O_RDWR | os.O_CREAT))
        elif self.file.stat().st_mode & 0o077:
            self.file.chmod(0o600)
        name = f"file:{quote(os.fsencode(self.file))}?mode=rw"
        with closing(sqlite3.connect(name, timeout=5, isolation_level=None, uri=True)) as db:
            db.execute("PRAGMA synchronous = NORMAL")
            self._take_in(db, progress)
            return question(db)

    def _in_memory(self, question: Callable[[sqlite3.Connection], T], progress: Progress | None) -> T:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            self._take_in(db, progress)
            return question(db)

    def _throw_away(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def _take_in(self, db: sqlite3.Connection, progress: Progress | None) -> None:
        try:
            log = self.log.open("rb")
        except FileNotFoundError:
            _begin(db, (0, 0))
            return
        with log:
            status = os.fstat(log.fileno())
            place = _reached(db, log, status)
            if place is None:
                _begin(db, (status.st_dev, status.st_ino))
                place = 0
            for raws, end in _pieces(log, place, status.st_size):
                folded = Folded()
                folded.take(raws)
                _store(db, folded, end, _seal(log, end))
                if progress is not None:
                    progress(end, status.st_size)


def _reached(db: sqlite3.Connection, log: BinaryIO, status: os.stat_result) -> int | None:
    """How far *db* has read this very log; None if it is to be made anew."""
    if db.execute("PRAGMA user_version").fetchone() != (_VERSION,):
        return None
    row = db.execute("SELECT dev, ino, place, seal, zone, lines FROM state").fetchone()
    if row is None:
        return None
    dev, ino, place, seal, zone, lines = row
    if (dev, ino, zone) != (status.st_dev, status.st_ino, _zone()) or type(place) is not int:
        return None
    counting = "SELECT total(requests), total(typeof(cost) <> 'real') FROM"
    counted = [db.execute(f"{counting} {table}").fetchone() for table in ("daily", "chat")]
    if counted != [(lines, 0)] * 2 or not 0 <= place <= status.st_size or _seal(log, place) != seal:
        return None
    return place


def _begin(db: sqlite3.Connection, identity: tuple[int, int]) -> None:
    """Empty tables for the log of this *identity*, in place of whatever was there."""
    with _writing(db):
        for table in _TABLES:
            db.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _SCHEMA:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {_VERSION}")
        db.execute("INSERT INTO state VALUES (?, ?, 0, ?, ?, 0)", (*identity, _digest(b""), _zone()))


class _writing:  # noqa: N801 - reads as a word, like the context managers of the standard library
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        else:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")


def _pieces(log: BinaryIO, place: int, size: int) -> Iterator[tuple[list[bytes], int]]:
    """Whole lines from *place* on, and where each lot of them ends. A line without its end is still being written."""
    log.seek(place)
    rest = b""
    while place + len(rest) < size:
        more = log.read(min(_CHUNK, size - place - len(rest)))
        if not more:
            return
        *lines, rest = (rest + more).split(b"\n")
        if lines:
            place += sum(map(len, lines)) + len(lines)
            here = log.tell()
            yield lines, place
            log.seek(here)


def _store(db: sqlite3.Connection, folded: Folded, place: int, seal: bytes) -> None:
    adding = ", ".join(f"{name} = {name} + excluded.{name}" for name in NAMES)
    marks = ", ".join("?" * len(NAMES))
    with _writing(db):
        rows = []
        for key, (sums, counts) in folded.daily.items():
            speeds = speeds_of(counts)
            known = db.execute(
                "SELECT latency, first, rate FROM daily WHERE day = ? AND provider = ? AND model = ?", key
            ).fetchone()
            if known is not None:
                speeds.add(_speeds(known))
            rows.append((*key, *_values(sums), *map(to_bytes, (speeds.latency, speeds.first, speeds.rate))))
        db.executemany(
            f"INSERT INTO daily VALUES (?, ?, ?, {marks}, ?, ?, ?) ON CONFLICT DO UPDATE SET {adding},"  # noqa: S608 - our own columns
            " latency = excluded.latency, first = excluded.first, rate = excluded.rate",
            rows,
        )
        db.executemany(
            f"INSERT INTO chat VALUES (?, ?, {marks}) ON CONFLICT DO UPDATE SET {adding}",  # noqa: S608 - as above
            [(*key, *_values(sums)) for key, sums in folded.chats.items()],
        )
        db.execute("UPDATE state SET place = ?, seal = ?, lines = lines + ?", (place, seal, folded.lines))


def _values(sums: Sums) -> list[int | float]:
    return [getattr(sums, name) for name in NAMES]


def _speeds(row: Sequence[object]) -> Speeds:
    texts = [from_bytes(one) for one in row if isinstance(one, bytes)]
    if len(texts) != 3:
        raise sqlite3.DatabaseError("a damaged histogram")
    return Speeds(*texts)


def _seal(log: BinaryIO, place: int) -> bytes:
    start = max(0, place - _SEAL)
    return _digest(os.pread(log.fileno(), place - start, start))


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _zone() -> str:
    return f"{time.tzname} {time.timezone} {time.altzone}"


def _unusable(exc: Exception) -> bool:
    """Whether the file is not damaged but out of reach: locked, read-only, on a full disk."""
    return int(getattr(exc, "sqlite_errorcode", 0)) & 0xFF in _UNUSABLE


# ---- questions ------------------------------------------------------------------------------------------------------

_KEYS: Final = {
    "total": ("daily", "''"),
    "day": ("daily", "day"),
    "provider": ("daily", "provider"),
    "model": ("daily", "provider || '/' || model"),
    "conversation": ("chat", "conversation"),
}


def sums(
    db: sqlite3.Connection, by: str, since: int = 0, until: int = 1 << 31, *, most: int = -1
) -> dict[str | int, Sums]:
    """Sums of the days *since* to *until* (ordinals, both included), the dearest first, *most* of them (-1: all).

    *by*: `total`, `day` (its ordinal), `provider`, `model` (`PROVIDER/MODEL`) or `conversation`.
    """
    table, key = _KEYS[by]
    columns = ", ".join(f"sum({name})" for name in NAMES)
    found = db.execute(
        f"SELECT {key}, {columns} FROM {table} WHERE day BETWEEN ? AND ? GROUP BY 1"  # noqa: S608 - our own names
        " ORDER BY sum(cost) DESC, sum(input + output) DESC, 1 LIMIT ?",
        (since, until, most),
    )
    out: dict[str | int, Sums] = {}
    for name, *values in found:
        if not isinstance(name, str | int) or [type(value) for value in values] != _TYPES:
            raise sqlite3.DatabaseError("a damaged row")
        out[name] = Sums(*values)
    return out


def speeds(db: sqlite3.Connection, by: str, since: int = 0, until: int = 1 << 31) -> dict[str | int, Speeds]:
    """The histograms by `total`, `day`, `provider` or `model`."""
    _, key = _KEYS[by]
    out: dict[str | int, Speeds] = {}
    found = db.execute(
        f"SELECT {key}, latency, first, rate FROM daily WHERE day BETWEEN ? AND ?",  # noqa: S608 - our own names
        (since, until),
    )
    for name, *row in found:
        if not isinstance(name, str | int):
            raise sqlite3.DatabaseError("a damaged row")
        out.setdefault(name, Speeds()).add(_speeds(row))
    return out
