"""`memory.jsonl`: one memory a line, readable with `less`. Replaced whole, under a lock; no line is ever lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from coda_cli import paths
from coda_cli.engine.memory.record import Memory, MemoryStoreError, from_json, to_json

Stamp = tuple[int, int, int, int]
"""Device, inode, size and time of change: another stamp, another content."""
MAX_BYTES: Final = 256 * 1024 * 1024
_DEEP: Final = 100


class MemoryFile:
    """The memories in *path*. What cannot be read is told in `problems`, and kept in `<name>.bad` at the next change.

    Safe with any number of threads and processes: whoever changes it reads it anew under the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []
        self._seen: Stamp | None = None
        self._memories: tuple[Memory, ...] = ()

    def stamp(self) -> Stamp | None:
        """What the file is now; None if there is none. Raises MemoryStoreError."""
        try:
            info = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise self._unreadable(exc) from exc
        return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)

    def memories(self) -> tuple[Memory, ...]:
        """All of them, also those that have ended, in the order of the file. Raises MemoryStoreError."""
        stamp = self.stamp()
        if stamp is None:
            self._seen, self._memories, self.problems = None, (), []
        elif stamp != self._seen:
            self._memories = self._read()[0]
            self._seen = stamp
        return self._memories

    def change(self, change: Callable[[tuple[Memory, ...]], Sequence[Memory]]) -> tuple[Memory, ...]:
        """Replace the memories by what *change* makes of them; returns them as they are then.

        Raises MemoryStoreError, and then the file is as it was; what *change* raises goes through.
        """
        try:
            with paths.locked(self.path):
                old, bad = self._read()
                new = tuple(change(old))
                if new == old and not bad:
                    self._memories, self._seen = old, self.stamp()
                    return old
                if bad:
                    self._keep_aside(bad)
                lines = [json.dumps(to_json(one), ensure_ascii=False, allow_nan=False) for one in new]
                content = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
                # A link (a folder of dotfiles) stays one.
                paths.replace_private(Path(os.path.realpath(self.path)), content)
                self._memories, self._seen, self.problems = new, self.stamp(), []
        except OSError as exc:
            raise MemoryStoreError(
                f"the memory could not be saved to {self.path}: {exc.strerror or exc}",
                hint="free some space or mend the folder's permissions; what was remembered before is safe",
            ) from exc
        return self._memories

    def _read(self) -> tuple[tuple[Memory, ...], list[bytes]]:
        """The memories, and the lines that are none."""
        self.problems = []
        try:
            content = paths.read_private(self.path, MAX_BYTES) or b""
        except OSError as exc:
            raise self._unreadable(exc) from exc
        memories: dict[str, Memory] = {}
        bad: list[bytes] = []
        for number, line in enumerate(content.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                memory = _parsed(line)
                if memory.id in memories:
                    raise ValueError("its id was there before")
                memories[memory.id] = memory
            except (ValueError, RecursionError) as exc:
                bad.append(line)
                why = "it is no JSON" if isinstance(exc, json.JSONDecodeError | RecursionError) else str(exc)[:100]
                self.problems.append(f"line {number} of {self.path} cannot be used ({why}); it is kept")
        return tuple(memories.values()), bad

    def _keep_aside(self, lines: Sequence[bytes]) -> None:
        """Append *lines* to the file of bad ones. Raises OSError."""
        fd = paths.open_private(self.path.with_name(f"{self.path.name}.bad"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with os.fdopen(fd, "wb") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def _unreadable(self, exc: OSError) -> MemoryStoreError:
        return MemoryStoreError(
            f"the memory cannot be read from {self.path}: {exc.strerror or exc}",
            hint=f"look at it: `ls -l '{self.path}'`; nothing is remembered meanwhile",
        )


def _parsed(line: bytes) -> Memory:
    if line.count(b"[") + line.count(b"{") > _DEEP and _depth(line) > _DEEP:
        raise ValueError("it is nested too deeply")
    return from_json(json.loads(line.decode("utf-8").lstrip("\ufeff"), parse_constant=_refused))


def _depth(line: bytes) -> int:
    deepest = depth = 0
    for byte in line:
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    return deepest


def _refused(constant: str) -> float:
    raise ValueError(f"it holds {constant}, which is no JSON")
