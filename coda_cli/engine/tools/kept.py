"""The output of a command while it comes: its two ends, its beginning in a file, and what is due to be shown."""

from __future__ import annotations

import os
from typing import Final

HEAD: Final = 32 * 1024
TAIL: Final = 32 * 1024
"""Bytes of the output that are kept from its two ends."""
_LIVE: Final = 4 * 1024
"""Bytes that are shown at a time of a flood."""


class Kept:
    """The output: its head, its tail, the spooled beginning, and what is due to be shown."""

    def __init__(self, spool: int, cap: int) -> None:
        self.total = self.spooled = 0
        self.head, self.tail = bytearray(), bytearray()
        self._spool, self._cap = spool, cap
        self._pending = bytearray()
        self._skipped = False

    def add(self, chunk: bytes) -> bytes:
        """Take in *chunk*; gives the part of it that is shown at once."""
        self.total += len(chunk)
        if self._spool >= 0 and (room := self._cap - self.spooled) > 0:
            self._write(memoryview(chunk)[:room])
        room = HEAD - len(self.head)
        shown = chunk[:room] if room > 0 else b""
        self.head += shown
        rest = chunk[len(shown) :]
        if rest:
            self.tail = (self.tail + rest)[-TAIL:] if len(rest) < TAIL else bytearray(rest[-TAIL:])
            self._skipped = self._skipped or len(self._pending) + len(rest) > _LIVE
            self._pending = (self._pending + rest[-_LIVE:])[-_LIVE:]
        return shown

    @property
    def waiting(self) -> bool:
        """Something is due to be shown."""
        return bool(self._pending)

    def live(self) -> bytes:
        """What is shown now of a flood: its latest lines."""
        piece = bytes(self._pending)
        if self._skipped:
            piece = b"\n[...]\n" + piece[piece.find(b"\n") + 1 :]
        self._pending.clear()
        self._skipped = False
        return piece

    def _write(self, piece: memoryview) -> None:
        try:
            while piece:
                written = os.write(self._spool, piece)
                self.spooled += written
                piece = piece[written:]
        except OSError:  # the disk is full: the head and the tail are still kept
            self._spool = -1
