"""The bus: everybody gets everything in order; who is slow loses chunks and is told, and holds nobody up."""

from __future__ import annotations

import asyncio

from coda_cli.engine.bus import EventBus, Subscription
from coda_cli.engine.core.events import Event, EventsLost, ReasoningChunk, ResponseChunk, ResponseComplete
from coda_cli.engine.core.usage import TokenUsage


def chunk(number: int) -> ResponseChunk:
    return ResponseChunk(seq=number, delta=str(number))


def complete() -> ResponseComplete:
    return ResponseComplete(
        response_id="r",
        provider="p",
        model="m",
        content="",
        finish_reason="stop",
        status="complete",
        usage=TokenUsage(),
    )


async def drain(subscription: Subscription) -> list[Event]:
    subscription.close()
    return [event async for event in subscription]


async def test_every_subscription_gets_everything_from_its_beginning_in_order() -> None:
    bus = EventBus()
    bus.publish(chunk(0))
    first = bus.subscribe()
    bus.publish(chunk(1))
    second = bus.subscribe()
    bus.publish(chunk(2))
    assert await drain(first) == [chunk(1), chunk(2)]
    assert await drain(second) == [chunk(2)]


async def test_a_waiting_reader_is_woken_by_an_event_and_by_the_close() -> None:
    bus = EventBus()
    subscription = bus.subscribe()
    seen: list[Event] = []
    arrived = asyncio.Event()

    async def read() -> None:
        async for event in subscription:
            seen.append(event)
            arrived.set()

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    bus.publish(chunk(1))
    await asyncio.wait_for(arrived.wait(), 10)
    subscription.close()
    await asyncio.wait_for(reader, 10)
    assert seen == [chunk(1)]


async def test_a_slow_reader_loses_chunks_never_anything_else_and_knows_how_many() -> None:
    bus = EventBus()
    slow, quick = bus.subscribe(backlog=2), bus.subscribe()
    for number in range(5):
        bus.publish(chunk(number))
    bus.publish(ReasoningChunk(delta="hm"))
    for _ in range(3):
        bus.publish(complete())
    assert slow.lost == 4
    told = [event.type for event in await drain(slow)]
    assert told == ["response_chunk"] * 2 + ["events_lost"] + ["response_complete"] * 3
    assert quick.lost == 0
    assert len(await drain(quick)) == 9


async def test_room_that_was_made_is_used_again() -> None:
    bus = EventBus()
    subscription = bus.subscribe(backlog=1)
    bus.publish(chunk(0))
    bus.publish(chunk(1))
    reader = aiter(subscription)
    assert await anext(reader) == chunk(0)
    bus.publish(chunk(2))
    gap = await anext(reader)
    assert isinstance(gap, EventsLost)
    assert gap.count == 1
    assert await anext(reader) == chunk(2)
    assert subscription.lost == 1


async def test_a_closed_subscription_gets_nothing_more_and_may_be_closed_again() -> None:
    bus = EventBus()
    subscription = bus.subscribe()
    subscription.close()
    subscription.close()
    bus.remove(subscription)
    bus.publish(chunk(0))
    assert await drain(subscription) == []


async def test_a_reader_may_leave_or_come_while_others_are_served() -> None:
    bus = EventBus()
    first, second = bus.subscribe(), bus.subscribe()
    seen: list[Event] = []

    async def read() -> None:
        async for event in first:
            seen.append(event)
            second.close()
            bus.subscribe()
            first.close()

    bus.publish(chunk(0))
    await asyncio.wait_for(read(), 10)
    bus.publish(chunk(1))
    assert seen == [chunk(0)]
    assert await drain(second) == [chunk(0)]
