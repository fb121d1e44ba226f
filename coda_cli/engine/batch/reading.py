"""The lines of a file or a pipe, read a block at a time in a thread: the event loop never waits, memory stays flat."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final

from coda_cli.engine.batch.prompts import MAX_LINE, BadLineError
from coda_cli.engine.providers.local.background import in_background

_BLOCK: Final = 64 * 1024


class _Line:
    """A line in the making; of one that is too long nothing is kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= self._most:
            self._parts.append(piece)
        else:
            self._parts.clear()

    def end(self, number: int) -> tuple[int, bytes | BadLineError]:
        """What it came to; the next one begins."""
        made: bytes | BadLineError = b"".join(self._parts)
        if self.size > self._most:
            made = BadLineError(number, f"it is longer than {self._most >> 20} MiB")
        self._parts, self.size = [], 0
        return number, made


async def numbered_lines(fd: int, *, most: int = MAX_LINE) -> AsyncGenerator[tuple[int, bytes | BadLineError], None]:
    """Every line with its number, from 1, without its end. One of more than *most* bytes comes as an error."""
    number, line = 1, _Line(most)
    while block := await in_background(partial(os.read, fd, _BLOCK), "read-prompts"):
        *ended, rest = block.split(b"\n")
        for piece in ended:
            line.add(piece)
            yield line.end(number)
            number += 1
        line.add(rest)
    if line.size:
        yield line.end(number)
