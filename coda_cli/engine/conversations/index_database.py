"""The index's SQLite file: its tables, and how it is opened, told from a damaged one, and thrown away.

It is in WAL mode, so that many processes read while one writes. Two dangers of such a file are kept out: a new file
never meets the `-wal` and `-shm` of an old one (opening and throwing away happen under a lock file, and a missing main
file takes its companions with it), and nobody here opens the file except through SQLite, whose locks on it would be
lost with the first descriptor that is closed.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import UnionType
from typing import Any, Final
from urllib.parse import quote

from coda_cli import paths
from coda_cli.engine.conversations.index_query import TOKENIZER

VERSION: Final = 1
"""Of the tables below: change it with them, and every index that is not of it is made anew."""

_SCHEMA: Final = f"""
CREATE TABLE meta (root BLOB, mtime INTEGER, boot TEXT);
CREATE TABLE chat (
    key INTEGER PRIMARY KEY, name BLOB UNIQUE NOT NULL, id BLOB, shown INTEGER NOT NULL DEFAULT 0,
    begun INTEGER, title BLOB, question BLOB, first BLOB, created REAL, updated REAL, messages INTEGER,
    tokens INTEGER, cost REAL, provider BLOB, model BLOB, tags BLOB, pinned INTEGER,
    dev INTEGER, ino INTEGER, mtime INTEGER, size INTEGER,  -- of the file when it was read
    end INTEGER, last INTEGER, digest BLOB                  -- up to where, and where the last line begins
);
CREATE INDEX chat_id ON chat (id);
CREATE INDEX chat_time ON chat (shown, pinned DESC, updated DESC, id);
CREATE INDEX chat_provider ON chat (provider, shown, pinned DESC, updated DESC, id);
CREATE INDEX chat_model ON chat (model, shown, pinned DESC, updated DESC, id);
CREATE TABLE tag (folded BLOB, chat INTEGER, tag BLOB, PRIMARY KEY (folded, chat)) WITHOUT ROWID;
CREATE INDEX tag_chat ON tag (chat);
CREATE TABLE message (
    key INTEGER PRIMARY KEY, chat INTEGER NOT NULL, id BLOB NOT NULL, role TEXT, time REAL, open INTEGER,
    hidden INTEGER, tokens INTEGER, cost REAL
);
CREATE UNIQUE INDEX message_id ON message (chat, id);
CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = "{TOKENIZER}");
"""
_TABLES: Final = ("words", "meta", "chat", "tag", "message")

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNUSABLE: Final = frozenset(
    {
        *_BUSY,
        *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
        *(sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_PROTOCOL),
    }
)
_inherited: list[sqlite3.Connection] = []  # of the parent process: closing them here would break its locks


class Database:
    """A connection to the index in *file*, made if it is missing; without *file* one in memory.

    *wait*: seconds that somebody else's write is waited for. Raises OSError and sqlite3.Error.
    """

    def __init__(self, file: Path | None, wait: float = 0.0) -> None:
        self.file = file
        self._pid = os.getpid()
        self.is_open = True
        self._identity: tuple[int, int] | None = None
        if file is None:
            self.connection = _connect(":memory:", wait)
            _tune(self.connection)
            create_tables(self.connection)
            return
        with _opening(file):
            if not file.exists():
                self._make_anew(file, wait)
                return
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
            self._identity = _identity(file)
            self.connection = _connect(f"file:{quote(os.fsencode(file))}?mode=rw", wait)
            try:
                self._check()
            except sqlite3.Error as exc:
                self.connection.close()
                if cannot_be_used(exc):
                    raise
                self._make_anew(file, wait)

    def _check(self) -> None:
        _tune(self.connection)
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise sqlite3.DatabaseError(f"an index of version {version}, not {VERSION}")
        self.connection.execute("SELECT * FROM chat, message, words, tag, meta LIMIT 0")

    def _make_anew(self, file: Path, wait: float) -> None:
        _unlink(file)
        os.close(paths.open_private(file, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        self._identity = _identity(file)
        self.connection = _connect(f"file:{quote(os.fsencode(file))}?mode=rw", wait)
        try:
            _tune(self.connection)
            self.connection.execute("PRAGMA journal_mode = WAL")  # where it can't be had, the other modes work too
            with self.writing():
                create_tables(self.connection)
        except sqlite3.Error:
            self.connection.close()
            raise

    def is_still_there(self) -> bool:
        """Whether the file at the path still is the one that is open: a cache may be cleared at any time."""
        return self.file is None or _identity(self.file) == self._identity

    def belongs_to(self, root: Path) -> bool:
        """Whether it is the index of the folder *root*."""
        row = self.connection.execute("SELECT root FROM meta").fetchone()
        return row is not None and row[0] == os.fsencode(root)

    def is_ours(self) -> bool:
        """Whether this process opened it: a connection does not survive a fork."""
        return self._pid == os.getpid()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes beside."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of everything."""
        self.connection.execute("BEGIN")
        try:
            yield self.connection
        finally:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")

    def discard(self) -> None:
        """Throw the file away, unless somebody has done so already. Raises OSError."""
        self.close()
        if self.file is not None:
            with _opening(self.file):
                if self.is_still_there():
                    _unlink(self.file)

    def close(self) -> None:
        """Close the connection; what was committed stays."""
        self.is_open = False
        if self.is_ours():
            with suppress(sqlite3.Error):
                self.connection.close()
        else:
            _inherited.append(self.connection)


def create_tables(connection: sqlite3.Connection) -> None:
    """Empty tables in place of whatever was there. Inside a transaction."""
    for table in _TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _SCHEMA.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def sound(row: tuple[Any, ...], kinds: Sequence[type | UnionType]) -> tuple[Any, ...]:
    """*row*, if its values are of these *kinds*. Raises DatabaseError: SQLite reads what a flipped bit made of them."""
    if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
        raise sqlite3.DatabaseError("a damaged row")
    return row


def cannot_be_used(exc: sqlite3.Error) -> bool:
    """Whether the file is not damaged but out of reach: locked, read-only, on a full disk."""
    return _code(exc) in _UNUSABLE


def is_busy(exc: sqlite3.Error) -> bool:
    """Whether somebody else holds the lock."""
    return _code(exc) in _BUSY


def _code(exc: sqlite3.Error) -> int:
    code = getattr(exc, "sqlite_errorcode", 0)  # ours and some of the module's own carry none
    return int(code) & 0xFF


def _connect(name: str, wait: float) -> sqlite3.Connection:
    connection = sqlite3.connect(name, timeout=wait, isolation_level=None, check_same_thread=False, uri=True)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _tune(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes of a WAL is made again, see `_boot`
    connection.execute("PRAGMA cache_size = -8000")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _unlink(file: Path) -> None:
    file.unlink(missing_ok=True)
    _unlink_companions(file)


def _unlink_companions(file: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


@contextmanager
def _opening(file: Path) -> Iterator[None]:
    fd = paths.open_private(file.with_name(file.name + ".lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
