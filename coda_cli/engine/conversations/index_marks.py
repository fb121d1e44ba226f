"""Marks of journals that are about to change, which outlive their writer and the index itself.

One small file for each process and journal that it writes: put before the journal changes, lifted when the index has
taken the change in. A mark whose writer died tells the next query to look at the journal again. As files they need no
lock and no database: putting one costs what creating a file costs, whatever somebody else is doing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from coda_cli import paths

SETTLED: Final = 60.0
"""Seconds after which the mark of a dead writer may be lifted. Until then it could be a living one whom we cannot see,
in another container, who has yet to write what the mark is for."""


class Mark(Struct, frozen=True):
    """One mark: the journal's file name, and whether its writer will not write any more."""

    file: Path
    name: str
    over: bool


class Marks:
    """The marks in *folder*. Thread-safe; after a fork the child puts its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._token = secrets.token_hex(4)  # two of us in one process do not share marks
        self._lock = threading.Lock()
        self._writers: dict[str, set[int]] = {}  # threads between `put` and `lift`

    def put(self, name: str) -> None:
        """Mark *name*. Raises OSError."""
        if self._pid != os.getpid():
            self._begin()
        with self._lock:
            self._writers.setdefault(name, set()).add(threading.get_ident())
            fd = paths.open_private(self._file(name), os.O_WRONLY | os.O_CREAT)
            try:
                if os.fstat(fd).st_size == 0:
                    os.write(fd, os.fsencode(name))
            finally:
                os.close(fd)

    def lift(self, name: str, *, taken_in: bool) -> None:
        """The caller has written *name*; with *taken_in* the index holds it. Raises OSError."""
        if self._pid != os.getpid():
            self._begin()
        with self._lock:
            writers = self._writers.get(name, set())
            writers.discard(threading.get_ident())
            if not writers:
                self._writers.pop(name, None)
                if taken_in:
                    self._file(name).unlink(missing_ok=True)

    def read(self) -> Iterator[Mark]:
        """Every mark of every process; none where they cannot be read."""
        try:
            with os.scandir(self._folder) as entries:
                found = [Path(entry.path) for entry in entries]
        except OSError:
            return
        for file in found:
            pid = file.name.partition("-")[0]
            with suppress(OSError):  # lifted meanwhile
                name = os.fsdecode(file.read_bytes())
                over = not pid.isdecimal() or not _lives(int(pid))
                yield Mark(file, name, over and abs(time.time() - file.stat().st_mtime) > SETTLED)

    def lift_over(self, mark: Mark) -> None:
        """Lift the mark of a dead writer whose change has been taken in."""
        with suppress(OSError):
            mark.file.unlink()

    def _file(self, name: str) -> Path:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:20]
        return self._folder / f"{self._pid}-{self._token}-{digest}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True
