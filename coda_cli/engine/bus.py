"""Fan-out of events inside the process. A slow subscriber loses chunks and is told how many, never a final event."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from coda_cli.engine.core.events import Event, ReasoningChunk, ResponseChunk

BACKLOG: Final = 10_000


class Subscription:
    """One subscriber's events: `async for event in subscription`. `lost` counts chunks that it was too slow for."""

    def __init__(self, bus: EventBus, backlog: int) -> None:
        self._bus = bus
        self._backlog = backlog
        self._queue: deque[Event] = deque()
        self._ready = asyncio.Event()
        self._closed = False
        self.lost = 0

    def offer(self, event: Event) -> None:
        """Put *event* in line; a chunk is dropped when the line is full."""
        if len(self._queue) >= self._backlog and isinstance(event, ResponseChunk | ReasoningChunk):
            self.lost += 1
            return
        self._queue.append(event)
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

    def subscribe(self, *, backlog: int = BACKLOG) -> Subscription:
        """A new subscription to everything that is published from now on."""
        subscription = Subscription(self, backlog)
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
