"""The terminal of a chat: taken from /dev/tty where stdin is a pipe, and put back as it was, whatever ends the chat."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

# What a drawn screen turns on, turned off: kitty's keys, synchronized output, mouse, focus, pastes, the other screen.
_RESET: Final = (
    b"\x1b[<u\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l\x1b[?2004l"
    b"\x1b[?2048l\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m"
)


def has_terminal() -> bool:
    """Whether this process has a terminal, whatever stdin is."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY))
    except OSError:
        return False
    return True


def take_terminal() -> bool:
    """Put the terminal in the place of a stdin that is none; False where this process has no terminal."""
    if os.isatty(0):
        return True
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return False
    os.dup2(fd, 0)
    os.close(fd)
    # The old object may remember the end of the pipe.
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - a descriptor, open to the end
    return True


@contextmanager
def stderr_on_terminal() -> Iterator[None]:
    """Textual draws on stderr: let it be the terminal, also under `2> file`."""
    if os.isatty(2):
        yield
        return
    kept = os.dup(2)
    try:
        os.dup2(1, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class Terminal:
    """How the terminal was before anything was drawn."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._before = self._now()

    def _now(self) -> list[Any] | None:
        try:
            return termios.tcgetattr(self._fd)
        except (OSError, termios.error):
            return None

    def restore(self) -> None:
        """Put it back, if that has not been done by who drew on it. Never fails: the terminal may be gone."""
        if self._before is None or self._now() in (None, self._before):
            return
        with suppress(OSError, termios.error):
            os.write(1, _RESET)
        with suppress(OSError, termios.error):
            termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
