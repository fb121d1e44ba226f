"""What a running tool shows: pieces from any thread, gathered so that a chatty tool does not flood the screen."""

from __future__ import annotations

import asyncio
from typing import Final

from coda_cli.engine.core.events import FunctionProgress
from coda_cli.engine.core.ports import Tell

_PAUSE: Final = 0.05
"""Seconds between two events of one call."""
_MOST: Final = 64 * 1024
"""Characters of one call."""


class Progress:
    """The progress of the call *call_id*. After `close` nothing more is shown."""

    def __init__(self, tell: Tell, call_id: str) -> None:
        self._tell = tell
        self._call_id = call_id
        self._loop = asyncio.get_running_loop()
        self._pieces: list[str] = []
        self._room = _MOST
        self._handle: asyncio.TimerHandle | None = None
        self._closed = False

    def show(self, text: str) -> None:
        """Show *text*, soon."""
        if self._closed or self._room <= 0:
            return
        piece = str(text)[: self._room].encode("utf-8", "replace").decode()
        try:
            self._loop.call_soon_threadsafe(self._take, piece)
        except RuntimeError:  # the loop is closed: a thread that was left alone still talks
            self._closed = True

    def close(self) -> None:
        """Show what is gathered, and nothing more."""
        if self._handle is not None:
            self._handle.cancel()
        self._flush()
        self._closed = True

    def _take(self, piece: str) -> None:
        if self._closed or self._room <= 0 or not piece:
            return
        self._pieces.append(piece[: self._room])
        self._room -= len(piece)
        if self._room <= 0:
            self._pieces.append("\n[... no more of this is shown]")
        if self._handle is None:
            self._handle = self._loop.call_later(_PAUSE, self._flush)

    def _flush(self) -> None:
        self._handle = None
        if self._pieces and not self._closed:
            text, self._pieces = "".join(self._pieces), []
            self._tell(FunctionProgress, call_id=self._call_id, text=text)
