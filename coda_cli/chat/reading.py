"""Reading what may keep one waiting: stdin, a FIFO. Never silently for long, never past the deadline or a limit."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from coda_cli.engine.core.errors import LLMTimeoutError, UsageError

SILENCE: Final = 3.0
"""Seconds without a byte after which a line says what is being waited for."""


Tell = Callable[[str], None]
"""Takes one line for a person."""


def quiet(_: str) -> None:
    """Tell nobody."""


@contextmanager
def _signals() -> Iterator[int | None]:
    """A descriptor with a byte for every signal; None where somebody else minds them: a thread, an event loop.

    Without it, a Ctrl-C that comes just before the call that waits is heard only once a byte comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    heard, poke = os.pipe()
    try:
        os.set_blocking(poke, False)
        before = signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
        try:
            if before != -1:
                signal.set_wakeup_fd(before)
            yield heard if before == -1 else None
        finally:
            signal.set_wakeup_fd(before)
    finally:
        os.close(heard)
        os.close(poke)


def _interrupted(heard: int) -> None:
    """Raise KeyboardInterrupt for a Ctrl-C in *heard* whose own exception was lost, e.g. in a finalizer."""
    pressed = signal.SIGINT in os.read(heard, 1 << 10)
    if pressed and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        raise KeyboardInterrupt


def read_all(fd: int, name: str, *, limit: int, too_much: str, deadline: float | None, tell: Tell = quiet) -> bytes:
    """All of *fd*, which is called *name*, to its end.

    *limit* is in bytes, *too_much* the hint for more of them; *deadline* is monotonic seconds. Raises UsageError (too
    much), LLMTimeoutError and OSError.
    """
    with _signals() as heard:
        return _read_all(fd, name, limit, too_much, deadline, tell, heard)


def _read_all(
    fd: int, name: str, limit: int, too_much: str, deadline: float | None, tell: Tell, heard: int | None
) -> bytes:
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
        ready = select.select([fd] if heard is None else [fd, heard], [], [], seconds)[0]
        if heard is not None and heard in ready:
            _interrupted(heard)
        if not ready and seconds == SILENCE:
            told = True
            tell(f"reading {name}, which is open and silent; {way_out} if nothing will come")
        if fd not in ready:
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
