"""Which journals the index must read again, found without looking at all of them.

The marks name those that a program was writing; the folder's mtime tells whether files came or went, and only then
the names are compared; a few rows are compared with their files at every query, so that what was edited by hand is
found in a small store at once and in a large one by and by. All files are looked at once after a boot, because a power
cut may have taken the index's last commits with their marks.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from coda_cli.engine.conversations.index_database import sound
from coda_cli.engine.conversations.index_rows import stamp
from coda_cli.engine.conversations.names import folder_mtime, names_in

SWEEP: Final = 256
"""Rows that every query compares with their files."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Scan(Struct, frozen=True):
    """The names to read again, and what to note in `meta` when that is done."""

    names: set[str]
    mtime: int | None
    boot: str
    noted: bool
    """Whether `meta` says so already."""


def scan(db: sqlite3.Connection, folder: Path, marked: Iterable[str], *, thorough: bool = False) -> Scan:
    """What has changed in *folder* since the index took it in; *thorough*: look at every file.

    Raises DiskError if the folder cannot be read.
    """
    row = db.execute("SELECT root, mtime, boot FROM meta").fetchone()
    known_mtime, known_boot = (row[1], row[2]) if row is not None else (None, "")
    boot = _boot()
    mtime = folder_mtime(folder)
    names = stale(db, folder, marked)
    if mtime is None or mtime != known_mtime:
        names |= _come_and_gone(db, folder)
    thorough = thorough or boot != known_boot
    start = 0 if thorough else random.randrange(_last_key(db) + 1)  # noqa: S311 - a sample, no secret
    names |= _changed(db, folder, start, -1 if thorough else SWEEP)
    return Scan(names, mtime, boot, row is not None and (mtime, boot) == (known_mtime, known_boot))


def stale(db: sqlite3.Connection, folder: Path, names: Iterable[str]) -> set[str]:
    """Those of *names* whose rows are not those of their files."""
    out: set[str] = set()
    for name in names:
        query = "SELECT dev, ino, mtime, size FROM chat WHERE name = ?"
        row = db.execute(query, (os.fsencode(name),)).fetchone()
        if row != _stamp(folder / name):
            out.add(name)
    return out


def _changed(db: sqlite3.Connection, folder: Path, start: int, limit: int) -> set[str]:
    wanted = "SELECT name, dev, ino, mtime, size FROM chat"
    rows = db.execute(f"{wanted} WHERE key >= ? ORDER BY key LIMIT ?", (start, limit)).fetchall()
    if start and len(rows) < limit:
        rest = (start, limit - len(rows))
        rows += db.execute(f"{wanted} WHERE key < ? ORDER BY key LIMIT ?", rest).fetchall()
    checked = (sound(row, (bytes, int, int, int, int)) for row in rows)
    return {os.fsdecode(name) for name, *known in checked if tuple(known) != _stamp(folder / os.fsdecode(name))}


def _come_and_gone(db: sqlite3.Connection, folder: Path) -> set[str]:
    known = dict(db.execute("SELECT name, ino FROM chat").fetchall())
    differing = {name for name, _ in known.items() ^ names_in(folder).items()}
    return {os.fsdecode(name) for (name,) in (sound((name,), (bytes,)) for name in differing)}


def _stamp(file: Path) -> tuple[int, int, int, int] | None:
    try:
        return stamp(os.stat(file))  # noqa: PTH116 - hundreds of times a query
    except OSError:
        return None


def _last_key(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(key), 0) FROM chat").fetchone()[0])


@cache
def _boot() -> str:
    """Of this start of the machine, "" where that cannot be told."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
