"""How the index is reached: opened and brought up to date, thrown away when damaged, done without if need be."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from coda_cli.engine.conversations.index_database import Database, cannot_be_used, create_tables, is_busy
from coda_cli.engine.conversations.index_marks import Mark, Marks
from coda_cli.engine.conversations.index_rows import catch_up
from coda_cli.engine.conversations.index_scan import scan, stale
from coda_cli.engine.conversations.index_writes import Writes

T = TypeVar("T")
Progress = Callable[[int, int], None]

WAIT: Final = 5.0
"""Seconds that a query waits for another process's write, before it makes its own index in memory."""
WRITER_WAIT: Final = 0.2
"""The same for one who has just written a record: then the record's mark stays, and the next query takes it in."""
AT_ONCE: Final = 1_000_000
"""Bytes that are read at most to take a record in right after it was written."""
ANEW: Final = 30.0
"""Seconds until a file that was locked is tried again."""
_BATCH: Final = 0.25
"""Seconds after which others may write between."""
_ATTEMPTS: Final = 4


class Access:
    """The index of *conversations* in *file*. Thread-safe; a child after a fork makes its own."""

    def __init__(self, conversations: Path, blobs: Path, file: Path, marks: Marks) -> None:
        self._conversations = conversations
        self._blobs = blobs
        self._file = file
        self._marks = marks
        self.pid = os.getpid()
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._database: Database | None = None
        self._writer: Database | None = None
        self._memory: Database | None = None
        self._memory_until = 0.0

    # ---- for the writer ---------------------------------------------------------------------------------------

    def take_in(self, file: Path) -> bool:
        """Whether the index holds *file* now; what keeps it from that is left to the next query."""
        if not self._writing.acquire(timeout=WRITER_WAIT):
            return False
        try:
            database = self._writer = self._opened(self._writer, WRITER_WAIT)
            with database.writing() as db:
                writes = Writes(db)
                done = database.belongs_to(self._conversations) and catch_up(writes, file, self._blobs, AT_ONCE)
                writes.flush()
            return done and database.is_still_there()
        except (OSError, sqlite3.Error, TypeError, ValueError):  # the last two: a damaged row
            return False
        finally:
            self._writing.release()

    # ---- for queries ------------------------------------------------------------------------------------------

    def ask(self, work: Callable[[sqlite3.Connection], T], touched: Callable[[T], Iterable[str]]) -> T:
        """What *work* gives on an index that is in step with the journals, also with those that the answer *touched*.

        Raises StoreError if the journals' folder cannot be read.
        """
        return self._with(lambda database, thorough: self._answer(database, work, touched, thorough=thorough))

    def rebuild(self, count: Callable[[sqlite3.Connection], int], progress: Progress | None) -> int:
        """Make the index from the journals, from nothing."""

        def work(database: Database, thorough: bool) -> int:
            with database.writing() as db:
                create_tables(db)
            self._refresh(database, thorough=True, progress=progress)
            return count(database.connection)

        return self._with(work)

    def _with(self, work: Callable[[Database, bool], T]) -> T:
        """*work* on the index in the file, else on one in memory (which no mark can be trusted for: thorough)."""
        with self._lock:
            for _ in range(_ATTEMPTS if time.monotonic() >= self._memory_until else 0):
                try:
                    database = self._database = self._opened(self._database, WAIT)
                except (OSError, sqlite3.Error) as exc:
                    self._give_up(exc)
                    break
                try:
                    answer = work(database, False)
                except sqlite3.Error as exc:
                    if not database.is_still_there():
                        continue  # the cache was cleared under our feet
                    if cannot_be_used(exc):
                        self._give_up(exc)
                        break
                    if not self._discarded(database):
                        break
                    continue
                if database.is_still_there():
                    self._leave_memory()
                    return answer
            if self._memory is None:
                self._memory = Database(None)
            return work(self._memory, True)

    def _discarded(self, database: Database) -> bool:
        try:
            database.discard()
        except OSError:
            return False
        return True

    def _give_up(self, exc: Exception) -> None:
        if isinstance(exc, sqlite3.Error) and is_busy(exc):
            self._memory_until = time.monotonic() + ANEW

    def _leave_memory(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def _opened(self, database: Database | None, wait: float) -> Database:
        if database is not None and database.is_open and database.is_still_there():
            return database
        if database is not None:
            database.close()
        return Database(self._file, wait)

    def _answer(
        self,
        database: Database,
        work: Callable[[sqlite3.Connection], T],
        touched: Callable[[T], Iterable[str]],
        *,
        thorough: bool,
    ) -> T:
        self._refresh(database, thorough=thorough)
        attempt = 1
        while True:
            with database.reading() as db:
                answer = work(db)
                behind = stale(db, self._conversations, touched(answer))
                ours = database.belongs_to(self._conversations)
            if (ours and not behind) or attempt == _ATTEMPTS:
                return answer
            attempt += 1
            if ours:  # somebody edited a journal by hand, or writes it right now
                self._take_all(database, behind)
            else:
                self._refresh(database, thorough=thorough)

    def _refresh(self, database: Database, *, thorough: bool = False, progress: Progress | None = None) -> None:
        if not database.belongs_to(self._conversations):
            self._make_ours(database)
        marks = list(self._marks.read())
        with database.reading() as db:
            found = scan(db, self._conversations, {mark.name for mark in marks}, thorough=thorough)
        self._take_all(database, found.names, progress)
        if not found.noted:
            with database.writing() as db:
                db.execute("UPDATE meta SET mtime = ?, boot = ?", (found.mtime, found.boot))
        if database.file is not None and database.is_still_there():
            self._lift(marks)

    def _make_ours(self, database: Database) -> None:
        with database.writing() as db:
            if not database.belongs_to(self._conversations):
                create_tables(db)
                db.execute("INSERT INTO meta (root) VALUES (?)", (os.fsencode(self._conversations),))

    def _take_all(self, database: Database, names: Iterable[str], progress: Progress | None = None) -> None:
        """Bring the rows of *names* up to date, those that changed last at the end, letting others write between."""
        waiting = sorted(names, key=self._changed_at, reverse=True)
        total = len(waiting)
        while waiting:
            until = time.monotonic() + _BATCH
            with database.writing() as db:
                writes = Writes(db)
                while waiting and time.monotonic() < until:
                    catch_up(writes, self._conversations / waiting.pop(), self._blobs)
                    if progress is not None:
                        progress(total - len(waiting), total)
                writes.flush()

    def _changed_at(self, name: str) -> tuple[float, str]:
        try:
            return (self._conversations / name).stat().st_mtime, name
        except OSError:
            return 0.0, name

    def _lift(self, marks: Iterable[Mark]) -> None:
        for mark in marks:
            if mark.over:
                self._marks.lift_over(mark)

    def close(self) -> None:
        """Close what is open; the next call opens it again."""
        with self._lock, self._writing:
            for database in (self._database, self._writer, self._memory):
                if database is not None:
                    database.close()
            self._database = self._writer = self._memory = None
