"""Is the terminal's background dark or light? Asked of the terminal itself, with OSC 11, before Textual has it.

The question is sent, what there is to import is imported, and then the answer is there: nobody waits. A question that
every terminal answers (DA1) goes behind it, so a terminal that does not know OSC 11 costs no wait either. While the
answer is due nothing is echoed; what a person types meanwhile is handed back, and Ctrl-C still interrupts.

Sources: xterm's ctlseqs (OSC 11, "rgb:RRRR/GGGG/BBBB" in one to four hexadecimal digits; DA1), rxvt (COLORFGBG).
"""

from __future__ import annotations

import os
import re
import select
import termios
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from msgspec import Struct

from coda_cli.engine.rendering.sanitize import sanitize

LIMIT: Final = 0.1
"""Seconds after the question in which an answer is waited for."""
QUESTION: Final = b"\x1b]11;?\x1b\\\x1b[c"

_MOST: Final = 1 << 16  # bytes that are read while an answer is due: a paste may come in between
_COLOUR: Final = re.compile(rb"\x1b\]11;([^\x07\x1b]{0,64})(?:\x07|\x1b\\)")
_DEVICE: Final = re.compile(rb"\x1b\[\?[\d;]{0,64}c")
_CUT: Final = re.compile(rb"\x1b(?:\](?:1(?:1(?:;[^\x07\x1b]{0,64}\x1b?)?)?)?|\[\?[\d;]{0,64})\Z")
_RGB: Final = re.compile(rb"rgba?:([0-9a-f]{1,4})/([0-9a-f]{1,4})/([0-9a-f]{1,4})(?:/[0-9a-f]{1,4})?", re.IGNORECASE)
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?|O.|.)?", re.DOTALL)
_ERASED: Final = re.compile(r"[^\x7f]\x7f")
# Terminals that do not know OSC 11 and may print it.
_NEVER: Final = ("", "dumb", "linux", "unknown", "cons25", "emacs", "eterm", "eterm-color", "vt52", "vt100", "vt220")
# Where a colour is as far from black as from white, in contrast.
_MIDDLE: Final = 0.179


class Background(Struct, frozen=True):
    """What is known: `dark` is None where nothing is. `typed` is what a person typed meanwhile, safe to show.

    `answered` is False where the answer may still come.
    """

    dark: bool | None
    typed: str = ""
    answered: bool = True


def may_ask(environ: Mapping[str, str], fd_in: int = 0, fd_out: int = 1) -> bool:
    """Whether there is a terminal in the foreground that takes the question well."""
    if environ.get("TERM", "") in _NEVER or environ.get("CI"):
        return False
    if not (os.isatty(fd_in) and os.isatty(fd_out)):
        return False
    try:
        return os.tcgetpgrp(fd_in) == os.getpgrp()
    except OSError:  # not the terminal that controls this process: nobody can stop it for asking
        return True


def from_environment(environ: Mapping[str, str]) -> bool | None:
    """Whether the background is dark by COLORFGBG ("15;0"), where a terminal sets it."""
    last = environ.get("COLORFGBG", "").rpartition(";")[2]
    if not (last.isascii() and last.isdigit()) or int(last) > 15:
        return None
    return int(last) in (0, 1, 2, 3, 4, 5, 6, 8)


def parse_colour(answer: bytes) -> bool | None:
    """Whether the colour of an answer (`rgb:1e1e/1e1e/2e2e`) is dark; None for what is no colour."""
    found = _RGB.fullmatch(answer)
    if found is None:
        return None
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in found.groups())
    return 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue) < _MIDDLE


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


class Query:
    """The question, from its sending to the end of the `with` block, which puts the terminal back as it was."""

    def __init__(self, fd_in: int = 0, fd_out: int = 1) -> None:
        self._in, self._out = fd_in, fd_out
        self._before: list[Any] | None = None
        self._until = 0.0
        self._data = b""

    def __enter__(self) -> Self:
        """Ask. A terminal that cannot be set or written to is not asked."""
        try:
            before = termios.tcgetattr(self._in)
            quiet = [*before[:6], list(before[6])]
            quiet[3] &= ~(termios.ICANON | termios.ECHO)
            quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 0, 0
            termios.tcsetattr(self._in, termios.TCSANOW, quiet)
            self._before = before
            os.write(self._out, QUESTION)
        except (OSError, termios.error):
            self._restore()
        self._until = time.monotonic() + LIMIT
        return self

    def wait(self) -> Background:
        """The answer, waited for until the limit; what has come by then is read even after it."""
        if self._before is None:
            return Background(None)
        while _DEVICE.search(self._data) is None and len(self._data) < _MOST:
            left = max(0.0, self._until - time.monotonic())
            try:
                if not select.select([self._in], [], [], left)[0]:
                    break
                data = os.read(self._in, 4096)
            except OSError:
                break
            if not data:
                break
            self._data += data
        return _understood(self._data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        before, self._before = self._before, None
        if before is not None:
            try:
                termios.tcsetattr(self._in, termios.TCSANOW, before)
            except (OSError, termios.error):  # the terminal is gone
                return


def _understood(data: bytes) -> Background:
    """The answer in what came, and what else came: no part of an answer is left in that."""
    colour = _COLOUR.search(data)
    answered = _DEVICE.search(data) is not None
    rest = _CUT.sub(b"", _DEVICE.sub(b"", _COLOUR.sub(b"", data)))
    return Background(None if colour is None else parse_colour(colour[1]), _typed(rest), answered)


def _typed(data: bytes) -> str:
    """What the keys mean in a prompt: text and line breaks; Backspace takes back, other keys mean nothing there."""
    text = _SEQUENCE.sub("", data.decode("utf-8", "ignore")).replace("\r", "\n").replace("\b", "\x7f")
    while _ERASED.search(text):
        text = _ERASED.sub("", text)
    return "".join(part for part in sanitize(text) if part != "\ufffd")
