"""Which answers were given which memories: one line an answer, appended, never read by a recall.

`memory.given.jsonl` beside the memories. When it has grown large its counts go into the memories (`uses`, `last_used`)
and it becomes `memory.given.old.jsonl`, in place of the one before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from coda_cli import paths

MAX_BYTES: Final = 512 * 1024
"""From then on it is folded into the memories."""


class Given(Struct, frozen=True):
    """An answer and the memories it was given; `new` are those that this conversation had not been given before."""

    time: str
    conversation: str
    message: str
    memories: tuple[str, ...]
    new: tuple[str, ...]


class GivenLog:
    """The log at *path*. Never raises for a disk that refuses: the answer matters more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.old = path.with_name(path.name.removesuffix(".jsonl") + ".old.jsonl")

    def note(self, given: Given) -> bool:
        """Append *given*; whether the log has grown so large that it must be folded."""
        line: dict[str, object] = {"time": given.time, "conversation": given.conversation, "message": given.message}
        line |= {"memories": given.memories} | ({"new": given.new} if given.new else {})
        data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
        try:
            fd = paths.open_private(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                size = os.fstat(fd).st_size
                torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
                os.write(fd, (b"\n" if torn else b"") + data)  # one write: lines of two processes do not mix
            finally:
                os.close(fd)
        except OSError:
            return False
        return size > MAX_BYTES

    def current(self) -> Iterator[Given]:
        """What is not folded yet, the oldest first."""
        return _read(self.path)

    def all(self) -> Iterator[Given]:
        """All that is known, the oldest first."""
        yield from _read(self.old)
        yield from _read(self.path)

    def fold(self) -> None:
        """Begin a new log. Raises OSError."""
        self.path.replace(self.old)

    def erase(self) -> None:
        """Take the log away. Raises OSError."""
        self.path.unlink(missing_ok=True)
        self.old.unlink(missing_ok=True)


def counts(given: Iterator[Given]) -> dict[str, tuple[int, str]]:
    """Id -> how often it was recalled anew, and when last."""
    out: dict[str, tuple[int, str]] = {}
    for one in given:
        for identifier in one.memories:
            times, last = out.get(identifier, (0, ""))
            out[identifier] = (times + (identifier in one.new), max(last, one.time))
    return out


def _read(path: Path) -> Iterator[Given]:
    try:
        content = path.read_bytes()
    except OSError:
        return
    for line in content.split(b"\n"):
        try:
            value = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            texts = [
                one if isinstance(one := value.get(key), str) else "" for key in ("time", "conversation", "message")
            ]
            yield Given(texts[0], texts[1], texts[2], _ids(value.get("memories")), _ids(value.get("new")))


def _ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return tuple(one for one in value if isinstance(one, str))
