"""The events of one server in the order of their ids: what is sent to every client, and what can be sent again.

There is one log and no queue a client: a client is a place in it. So one that does not read costs no memory, and one
that comes back goes on from where it was.
"""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.events import Event, ReasoningChunk, ResponseChunk
from coda_cli.server.options import Limits
from coda_cli.server.wire import framed, text_frame

_MOST_WAITING: Final = 256
_PAUSE: Final = 0.005
_PAUSE_A_CLIENT: Final = 0.001
"""Seconds from one waking of the clients to the next: a fast answer costs one write for many tokens, and however many
watch, sending takes a small part of the time that the answer has."""


class Entry(Struct, frozen=True):
    """One event as it is sent: `frame` is a whole WebSocket frame, `end` the number of bytes of all frames up to it."""

    id: int
    type: str
    conversation_id: str
    chunk: bool
    frame: bytes
    end: int


class EventLog:
    """The latest events, as many as `limits.log_events` and `limits.log_bytes` allow (always the last one)."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._entries: list[Entry] = []
        self._first = 0  # where the oldest one stands; what is before it is let go in batches
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self.last = 0
        self.end = 0

    @property
    def oldest(self) -> int:
        """The id of the oldest event that is here; one more than the last where none is."""
        return self._entries[self._first].id if self._first < len(self._entries) else self.last + 1

    @property
    def bytes(self) -> int:
        """The bytes of the frames that are here."""
        if self._first >= len(self._entries):
            return 0
        first = self._entries[self._first]
        return self.end - first.end + len(first.frame)

    def append(self, event: Event) -> Entry:
        """Keep *event* and wake, soon, who waits for it."""
        self.last += 1
        frame = text_frame(framed(event, self.last))
        self.end += len(frame)
        chunk = isinstance(event, ResponseChunk | ReasoningChunk)
        entry = Entry(self.last, event.type, event.conversation_id, chunk, frame, self.end)
        self._entries.append(entry)
        self._trim()
        if self._waiting and self._timer is None:
            loop = asyncio.get_running_loop()
            if self._not_before <= loop.time():
                self._wake()
            else:
                self._timer = loop.call_at(self._not_before, self._wake)
        return entry

    def _wake(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        self._not_before = asyncio.get_running_loop().time() + _PAUSE + _PAUSE_A_CLIENT * len(waiting)
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _trim(self) -> None:
        entries, limits = self._entries, self._limits
        last = len(entries) - 1
        floor = self.end - limits.log_bytes
        while self._first < last and (
            last - self._first >= limits.log_events
            or entries[self._first].end - len(entries[self._first].frame) < floor
        ):
            entries[self._first] = entries[last]  # not kept alive until the batch goes
            self._first += 1
        if self._first > 1024 and self._first * 2 > len(entries):
            del entries[: self._first]
            self._first = 0

    def get(self, number: int) -> Entry | None:
        """The event *number*, None where it is not here: not yet, or no longer (see `oldest`)."""
        place = self._first + number - self.oldest
        return self._entries[place] if self._first <= place < len(self._entries) else None

    def next(self) -> asyncio.Future[None]:
        """What is done when there is another event; whoever got it may end it earlier."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if len(self._waiting) > _MOST_WAITING:  # of those that went back, while nothing happened
            self._waiting = [one for one in self._waiting if not one.done()]
        self._waiting.append(waiter)
        return waiter
