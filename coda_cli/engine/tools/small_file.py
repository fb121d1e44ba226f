"""Small private TOML files of a person: read without surprises, changed under a lock, never half written."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.engine.tools.visible import visible_line

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
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file")
    with os.fdopen(fd, "rb") as file:
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


class EntryFile:
    """A TOML file that is one list of tables, `[[key]]`.

    One that cannot be used counts as empty, is told in `problems` and `broken`, and is never written over: the next
    change keeps it under another name, told in `notices`.
    """

    def __init__(self, path: Path, key: str, header: str) -> None:
        self.path = path
        self.problems: list[str] = []
        self.notices: list[str] = []
        self.broken = False
        self._key = key
        self._header = header
        self._seen: Stamp | Literal["never"] | None = "never"

    def changed(self) -> list[Any] | None:
        """The entries, or None if nothing has changed since they were last asked for. They may be anything."""
        stamp = stamp_of(self.path)
        if stamp == self._seen:
            return None
        self._seen = stamp
        return self._read()

    def change(self, change: Callable[[list[Any]], list[Any]]) -> bool:
        """Replace the entries by what *change* makes of them; whether that is anything else. Raises ConfigError."""
        import tomli_w

        try:
            with locked(self.path):
                old = self._read()
                new = change(old)
                if new == old:
                    return False
                if self.broken:
                    aside = keep_aside(self.path)
                    self.notices.append(visible_line(f"{self.path} could not be used and is kept as {aside.name}"))
                content = self._header + tomli_w.dumps({self._key: new})
                # A link (a folder of dotfiles) stays one.
                paths.replace_private(Path(os.path.realpath(self.path)), content.encode("utf-8"))
        except UnicodeEncodeError as exc:
            hint = "answer for this once, or rename the folder"
            raise ConfigError("the name of the folder is not UTF-8: nothing is kept for it", hint=hint) from exc
        except OSError as exc:
            hint = f"check the folder and the free space: `ls -ld '{self.path.parent}'`"
            raise ConfigError(f"cannot write {self.path}: {exc.strerror or exc}", hint=hint) from exc
        self.problems, self.broken = [], False
        self._seen = "never"
        return True

    def _read(self) -> list[Any]:
        self.problems, self.broken = [], False
        try:
            content = read_own(self.path)
            table = tomllib.loads((content or b"").decode("utf-8"))
        except OSError as exc:
            return self._bad(exc.strerror or str(exc))
        except (ValueError, RecursionError) as exc:
            return self._bad(f"bad TOML: {exc}")
        entries = table.get(self._key, [])
        if not isinstance(entries, list) or set(table) - {self._key}:
            return self._bad(f"it holds more than a list of `[[{self._key}]]`")
        return entries

    def _bad(self, why: str) -> list[Any]:
        self.broken = True
        self.problems.append(visible_line(f"{self.path} cannot be used, and nothing in it holds: {why}"))
        return []
