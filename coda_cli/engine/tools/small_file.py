"""Small private files of a person: read without surprises, changed under a lock, never half written."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coda_cli import paths

MAX_BYTES: Final = 1024 * 1024

Stamp = tuple[int, int, int, int]
"""Device, inode, size and time of change: another stamp, another content."""


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of the file at *path*, or None if there is none."""
    try:
        info = path.stat()
    except OSError:
        return None
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)


def read_own(path: Path) -> bytes | None:
    """The bytes of a file that only this user may write, or None if there is none. Closes it to others' eyes.

    Raises OSError, also for a file that is not regular, too large, somebody else's, or open to others' writing.
    """
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if info.st_uid not in (os.geteuid(), 0):
            raise OSError(errno.EPERM, "it belongs to another user")
        if info.st_mode & 0o022:
            raise OSError(errno.EPERM, f"others may write it (mode {info.st_mode & 0o777:o})")
        if info.st_mode & 0o077 and info.st_uid == os.geteuid():
            os.fchmod(fd, 0o600)
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, "it is larger than 1 MiB")
    return content


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of *path* against other processes and threads. Raises OSError."""
    fd = paths.open_private(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def keep_aside(path: Path) -> Path:
    """Move *path* to a name beside it that is not taken; returns it. Raises OSError."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.bad-{number}")):
        number += 1
    return path.rename(aside)
