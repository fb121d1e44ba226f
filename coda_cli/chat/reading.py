"""Reading what may keep one waiting: stdin, a FIFO. Never silently for long, never past the deadline or a limit."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Final

from coda_cli.engine.core.errors import LLMTimeoutError, UsageError

SILENCE: Final = 3.0
"""Seconds without a byte after which a line says what is being waited for."""


Tell = Callable[[str], None]
"""Takes one line for a person."""


def quiet(_: str) -> None:
    """Tell nobody."""


def read_all(fd: int, name: str, *, limit: int, too_much: str, deadline: float | None, tell: Tell = quiet) -> bytes:
    """All of *fd*, which is called *name*, to its end.

    *limit* is in bytes, *too_much* the hint for more of them; *deadline* is monotonic seconds. Raises UsageError (too
    much), LLMTimeoutError and OSError.
    """
    chunks: list[bytes] = []
    size = 0
    told = False
    way_out = "press Ctrl-D or use --no-stdin" if name == "stdin" else "press Ctrl-C"
    while True:
        seconds = None if told or chunks else SILENCE
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise LLMTimeoutError(
                    f"{name} did not end within --timeout",
                    hint="close the pipe, or use --no-stdin" if name == "stdin" else "is anything writing into it?",
                )
            seconds = left if seconds is None else min(seconds, left)
        if not select.select([fd], [], [], seconds)[0]:
            if seconds == SILENCE:
                told = True
                tell(f"reading {name}, which is open and silent; {way_out} if nothing will come")
            continue
        try:
            chunk = os.read(fd, 1 << 16)
        except BlockingIOError:
            continue
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise UsageError(f"{name} holds more than {limit // 1024 // 1024} MiB", hint=too_much)
