"""Fan-out of events inside the process. A slow subscriber loses chunks and is told how many, never a final event."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Collection
from typing import Final

from coda_cli.engine.core.events import Event, EventsLost, ReasoningChunk, ResponseChunk

BACKLOG: Final = 10_000
_CHUNKS: Final = (ResponseChunk, ReasoningChunk)


class Subscription:
    """One subscriber's events: `async for event in subscription`. `lost` counts chunks that it was too slow for.

    Where chunks were left out an `EventsLost` stands in their place. What is no chunk is always kept: there are few
    of these to an answer.
    """

    def __init__(
        self, bus: EventBus, backlog: int, types: Collection[str] | None = None, conversation_id: str | None = None
    ) -> None:
        self._bus = bus
        self._backlog = backlog
        self._types = None if types is None else frozenset(types)
        self._conversation_id = conversation_id
        self._queue: deque[Event] = deque()
        self._ready = asyncio.Event()
        self._closed = False
        self._gap = 0  # chunks left out since the last event in line
        self.lost = 0

    def offer(self, event: Event) -> None:
        """Put *event* in line, if it is wanted; a chunk is dropped when the line is full."""
        if self._types is not None and event.type not in self._types:
            return
        if self._conversation_id is not None and event.conversation_id not in ("", self._conversation_id):
            return
        if len(self._queue) >= self._backlog and isinstance(event, _CHUNKS):
            self.lost += 1
            self._gap += 1
            return
        if self._gap:
            self._queue.append(EventsLost(time=time.time(), conversation_id=event.conversation_id, count=self._gap))
            self._gap = 0
        self._queue.append(event)
        if not self._ready.is_set():
            self._ready.set()

    def close(self) -> None:
        """Leave the bus; the iteration ends after what is in line."""
        self._closed = True
        self._bus.remove(self)
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._closed:
                return
            self._ready.clear()
            await self._ready.wait()


class EventBus:
    """Publishes events to every subscription; costs nothing while there is none."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def subscribe(
        self, *, backlog: int = BACKLOG, types: Collection[str] | None = None, conversation_id: str | None = None
    ) -> Subscription:
        """A new subscription to what is published from now on: all of it, or *types*, or of one conversation."""
        subscription = Subscription(self, backlog, types, conversation_id)
        self._subscriptions.append(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Take *subscription* out; no error if it is not in."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def publish(self, event: Event) -> None:
        """Hand *event* to every subscription."""
        for subscription in self._subscriptions:
            subscription.offer(event)
