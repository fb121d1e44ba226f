"""Bringing a journal of an older version up to date: by copying, and only when it is to be written.

The new file is made and synced beside the old one, the old one gets a second name under `backups/`, and only then does
the new one take its place. Killed at any moment there is the old one or the new one, whole; backups are never deleted.
All of it under the journal's own lock: who waits for it finds another file at the path, and opens that.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from coda_cli import paths
from coda_cli.engine.conversations.journal import (
    ConversationGoneError,
    DiskError,
    Journal,
    encode,
    schema_of,
    sync_folder,
    sync_with_parent,
)
from coda_cli.engine.conversations.versions import is_older

_BLOCK: Final = 1024 * 1024


def migrate(journal: Journal, backups: Path) -> bool:
    """Bring *journal* up to date and keep what it was in *backups*; False if it is (somebody else was faster).

    Raises ConversationGoneError, and DiskError for a disk that does not take it: then everything is as it was.
    """
    temporary = journal.path.with_name(f".{journal.path.name}.migrating")  # of the one who holds the lock
    try:
        with journal.locked() as fd:
            schema = schema_of(fd)
            if not is_older(schema):
                return False
            try:
                _copy(journal, fd, temporary)
                keep(journal.path, backups, f"{journal.path.stem}.schema{schema}")
                temporary.replace(journal.path)
                sync_folder(journal.path.parent)
            finally:
                temporary.unlink(missing_ok=True)
    except ConversationGoneError:
        raise
    except OSError as exc:
        raise DiskError(
            f"the conversation could not be brought up to date: {exc.strerror or exc}",
            hint=f"free some space or mend the permissions of {journal.path.parent}; it is as it was",
        ) from exc
    return True


def _copy(journal: Journal, fd: int, new: Path) -> None:
    """Write what is in *journal* to *new*, every good record upgraded, every bad line byte for byte."""
    opened = paths.open_private(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    with os.fdopen(opened, "wb", buffering=_BLOCK) as file:
        for line in journal.lines():
            if line.record is not None:
                file.write(encode(line.record))
            else:
                copy_bytes(fd, line.offset, line.end, file)
        file.flush()
        os.fsync(file.fileno())


def copy_bytes(fd: int, start: int, end: int, file: BinaryIO) -> None:
    """Write the bytes from *start* to *end* of the open file *fd*, and a newline if they do not end with one."""
    last = b""
    while start < end and (piece := os.pread(fd, min(_BLOCK, end - start), start)):
        file.write(piece)
        start += len(piece)
        last = piece[-1:]
    if last != b"\n":
        file.write(b"\n")


def keep(file: Path, backups: Path, stem: str) -> None:
    """Give *file* a name in *backups* beside its own, never in another's place."""
    paths.private_dir(backups)
    for number in count():
        there = backups / (f"{stem}-{number}{file.suffix}" if number else f"{stem}{file.suffix}")
        if _second_name(file, there):
            break
    sync_with_parent(backups)


def _second_name(file: Path, there: Path) -> bool:
    """Whether *there* is *file* now; False if the name is another's."""
    try:
        os.link(file, there)
    except FileExistsError:
        return _same(file, there)
    except OSError:  # a file system without hard links: a copy, under its name only when it is whole
        if there.exists():
            return _same(file, there)
        paths.replace_private(there, file.read_bytes())
    return True


def _same(file: Path, there: Path) -> bool:
    """Whether *there* is the backup of *file* already, from an attempt that was killed after this step."""
    import filecmp  # rarely needed

    return there.samefile(file) or filecmp.cmp(there, file, shallow=False)
