"""What a command printed: the text for the model, and the whole of it to read on from.

A command's first megabytes go to a file without a name (nobody else can open it, and it is gone with Coda, even
after a crash). The last few are kept under a short id, for `read_output`.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections import OrderedDict
from typing import IO, Final

from msgspec import Struct

from coda_cli.engine.tools.base import ToolError

SPOOL_CAP: Final = 10 * 1024 * 1024
"""Bytes of one command's output that can be read again."""
PAGE: Final = 32 * 1024
"""Bytes that one reading gives."""
_KEPT_SPOOLS: Final = 8

_ESCAPES: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROLS: Final = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f]")
_OVERWRITTEN: Final = re.compile(r"[^\n\r]*\r(?=[^\n\r])")


class Page(Struct, frozen=True):
    """A piece of an output. `next` is where it goes on, None at the end; `cut` counts bytes that were not kept."""

    text: str
    next: int | None
    size: int
    cut: int


class Spools:
    """The whole outputs of the last commands, by id."""

    def __init__(self, keep: int = _KEPT_SPOOLS) -> None:
        self._keep = keep
        self._files: OrderedDict[str, tuple[IO[bytes], int]] = OrderedDict()

    def put(self, file: IO[bytes], total: int) -> str:
        """Keep *file*; gives its id. The oldest goes when there are too many."""
        key = secrets.token_hex(3)
        self._files[key] = (file, total)
        while len(self._files) > self._keep:
            self._files.popitem(last=False)[1][0].close()
        return key

    def read(self, key: str, offset: int, size: int = PAGE) -> Page:
        """The *size* bytes from *offset* on, whole characters. Raises ToolError."""
        if key not in self._files:
            known = ", ".join(self._files) or "none"
            raise ToolError(f"there is no output {key!r} any more (kept: {known}); run the command again")
        file, total = self._files[key]
        kept = os.fstat(file.fileno()).st_size
        if not 0 <= offset <= kept:
            raise ToolError(f"offset must be from 0 to {kept}")
        piece = os.pread(file.fileno(), size, offset)
        end = offset + len(piece)
        if end < kept:
            whole = _whole(piece)
            end -= len(piece) - len(whole)
            piece = whole
        return Page(readable(piece), end if end < kept else None, kept, total - kept)


def new_spool() -> IO[bytes]:
    """An empty file without a name."""
    return tempfile.TemporaryFile(prefix="coda-")


def _whole(piece: bytes) -> bytes:
    """*piece* without a character that is cut at its end."""
    for back in range(1, min(4, len(piece)) + 1):
        byte = piece[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return piece[:-back] if length > back else piece
        if byte < 0x80:
            break
    return piece


def readable(output: bytes) -> str:
    """The text that a person would have seen: no escape sequences, no overwritten progress lines.

    What remains of control characters, and bytes that are no UTF-8, are U+FFFD.
    """
    text = output.decode("utf-8", "replace").replace("\r\n", "\n")
    text = _OVERWRITTEN.sub("", _ESCAPES.sub("", text)) if "\r" in text or "\x1b" in text or "\x9b" in text else text
    return _CONTROLS.sub("\ufffd", text.replace("\r", ""))


def kept_text(head: bytes, tail: bytes, total: int) -> tuple[str, int]:
    """(the head and the tail with a line between them where something is missing, the bytes left out)."""
    missing = total - len(head) - len(tail)
    if not missing:
        return readable(head + tail), 0
    return f"{readable(_whole(head))}\n[... {missing:,} bytes left out ...]\n{readable(tail)}", missing


SPOOLS: Final = Spools()
"""The outputs of this program's commands."""
