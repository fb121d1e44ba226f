"""Keeping an answer while it streams: about once a second, what came since the last time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Final

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.events import ReasoningChunk, ResponseChunk
from coda_cli.engine.core.messages import Part, ReasoningPart, TextPart
from coda_cli.engine.core.ports import Clock

EVERY: Final = 1.0
"""Seconds between two checkpoints."""


class Checkpoints:
    """Hands the pieces of an answer to *keep*, joined, at most once every `EVERY` seconds and never two at a time.

    A piece that comes a second after the last checkpoint starts the next one; a timer runs only while pieces wait, for
    a stream that stalls.
    """

    def __init__(self, keep: Callable[[Sequence[Part]], Awaitable[None]], clock: Clock, provider: str) -> None:
        self._keep = keep
        self._provider = provider
        self._clock = clock
        self._last = clock.monotonic()
        self._fresh: list[ResponseChunk | ReasoningChunk] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.failed: CodaError | None = None

    def add(self, piece: ResponseChunk | ReasoningChunk) -> None:
        """The next piece."""
        self._fresh.append(piece)
        if self._clock.monotonic() - self._last >= EVERY:
            self._start()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._start)

    def _start(self) -> None:
        """Keep what is waiting, unless the last checkpoint is still being written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fresh and (self._task is None or self._task.done()):
            self._last = self._clock.monotonic()
            parts, self._fresh = self._parts(), []
            self._task = asyncio.get_running_loop().create_task(self._save(parts))

    def _parts(self) -> list[Part]:
        """What is waiting; a part is made for a run of pieces, since there is one a token."""
        parts: list[Part] = []
        for kind, pieces in groupby(self._fresh, type):
            text = "".join(piece.delta for piece in pieces)
            thought = kind is ReasoningChunk
            parts.append(ReasoningPart(text=text, provider=self._provider) if thought else TextPart(text=text))
        return parts

    async def _save(self, parts: Sequence[Part]) -> None:
        try:
            await self._keep(parts)
        except CodaError as error:
            self.failed = error  # the whole answer is kept at its end; that must not fail for want of a checkpoint

    async def stop(self) -> None:
        """Wait for the checkpoint that is being written; no other begins."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            await self._task
