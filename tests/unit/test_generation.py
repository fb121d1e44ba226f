"""A Generation has one run and any number of readers; it can be stopped at any moment and never hangs or lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.memory import MemoryShelf
from coda_cli.engine.core.config import LLMConfig
from coda_cli.engine.core.errors import LLMError, LLMOverloadedError
from coda_cli.engine.core.events import FINAL_EVENTS, Event, ReasoningChunk, ResponseChunk, ResponseStart
from coda_cli.engine.core.messages import LLMMessage, MessageRole
from coda_cli.engine.core.responses import LLMResponse, LLMStreamChunk
from coda_cli.engine.core.usage import Status
from coda_cli.engine.generation import Generation, Outcome
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.scripted import Reply, ScriptedProvider

GUARD = 30.0  # seconds after which a test calls a reader hung
Emit = Callable[[Event], None]
Produce = Callable[[Emit], Awaitable[Outcome]]


def outcome(error: LLMError | None = None, content: str = "abc", status: Status = Status.COMPLETE) -> Outcome:
    response = LLMResponse(response_id="r", content=content, provider="p", model="m", status=status)
    return Outcome(response, error)


async def three(emit: Emit) -> Outcome:
    emit(ResponseStart(response_id="r", provider="p", model="m"))
    for letter in "abc":
        await asyncio.sleep(0)
        emit(ResponseChunk(delta=letter))
    return outcome()


class Held:
    """Says "a", then waits to be let go; told to stop, it ends as interrupted."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self.runs = 0
        self.stops = 0

    async def __call__(self, emit: Emit) -> Outcome:
        self.runs += 1
        emit(ResponseChunk(delta="a"))
        self.started.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.stops += 1
            await asyncio.sleep(0)  # the keeping of the part
            emit(ResponseChunk(delta="!"))
            return outcome(content="a", status=Status.INTERRUPTED)
        return outcome()


async def listed(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


def text(events: list[Event]) -> str:
    return "".join(event.delta for event in events if isinstance(event, ResponseChunk))


async def within(work: Awaitable[object]) -> None:
    await asyncio.wait_for(work, GUARD)


# -- readers


async def test_many_readers_early_and_late_see_the_same_and_there_is_one_run() -> None:
    held = Held()
    generation = Generation(held, "c")
    early = [asyncio.create_task(listed(generation.events())) for _ in range(20)]
    await within(held.started.wait())
    middle = asyncio.create_task(listed(generation.events()))
    waiting = asyncio.create_task(generation._result())
    held.go.set()
    seen = [await asyncio.wait_for(reader, GUARD) for reader in (*early, middle)]
    late = await listed(generation.events())
    assert all(events == late for events in seen)
    assert await waiting is await generation is await generation
    assert held.runs == 1


async def test_chunks_events_and_the_response_can_all_be_had_of_one_generation() -> None:
    generation = Generation(three, "c")
    chunks = [chunk async for chunk in generation]
    assert [chunk.delta for chunk in chunks] == ["a", "b", "c"]
    assert chunks[0] == LLMStreamChunk(delta="a", conversation_id="c", provider="p", model="m")
    assert [chunk async for chunk in generation] == chunks
    assert text(await listed(generation.events())) == "abc"
    assert (await generation).content == "abc"


async def test_thinking_comes_in_chunks_of_its_own() -> None:
    async def produce(emit: Emit) -> Outcome:
        emit(ReasoningChunk(delta="hm"))
        emit(ResponseChunk(delta="a"))
        return outcome()

    chunks = [(chunk.reasoning, chunk.delta) async for chunk in Generation(produce, "c")]
    assert chunks == [("hm", ""), ("", "a")]


async def test_one_chunk_where_chunks_are_not_wanted() -> None:
    chunks = [chunk async for chunk in Generation(three, "c", chunked=False)]
    assert [chunk.delta for chunk in chunks] == ["abc"]


async def test_a_batch_is_all_that_is_there_by_now() -> None:
    generation = Generation(three, "c")
    await generation
    batches = [batch async for batch in generation.batches()]
    assert [len(batch) for batch in batches] == [4]
    live = [event async for batch in Generation(three, "c").batches() for event in batch]
    assert live == batches[0]


async def test_a_reader_that_leaves_takes_nothing_from_the_others() -> None:
    held = Held()
    generation = Generation(held, "c")
    staying = asyncio.create_task(listed(generation.events()))
    async for _ in generation.events():
        break
    leaving = asyncio.create_task(listed(generation.events()))
    await within(held.started.wait())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    held.go.set()
    assert text(await asyncio.wait_for(staying, GUARD)) == "a"
    assert (await generation).status is Status.COMPLETE, "watching events is not owning the answer"
    assert held.stops == 0


# -- the response


async def test_the_response_is_there_once_it_has_ended() -> None:
    held = Held()
    generation = Generation(held, "c")
    assert generation.response is None
    reader = asyncio.create_task(listed(generation.events()))
    await within(held.started.wait())
    assert generation.response is None
    held.go.set()
    await within(reader)
    assert generation.response is await generation


async def test_a_failed_answer_has_its_part_as_response_and_raises_each_time() -> None:
    async def produce(emit: Emit) -> Outcome:
        emit(ResponseChunk(delta="a"))
        return outcome(LLMOverloadedError("busy"), "a", Status.ERROR)

    generation = Generation(produce, "c")
    for _ in range(2):
        with pytest.raises(LLMOverloadedError):
            await generation
        chunks = aiter(generation)
        assert (await anext(chunks)).delta == "a"
        with pytest.raises(LLMOverloadedError):
            await anext(chunks)
    assert generation.response is not None
    assert generation.response.content == "a"
    assert text(await listed(generation.events())) == "a"


# -- defects of our own


async def broken(emit: Emit) -> Outcome:
    emit(ResponseChunk(delta="a"))
    await asyncio.sleep(0)
    raise ZeroDivisionError("a defect")


async def test_a_defect_surfaces_from_every_reader_and_is_no_quiet_end() -> None:
    generation = Generation(broken, "c")
    with pytest.raises(ZeroDivisionError):
        await listed(generation.events())
    with pytest.raises(ZeroDivisionError):
        [chunk async for chunk in generation]
    with pytest.raises(ZeroDivisionError):
        await generation
    with pytest.raises(ZeroDivisionError):
        [chunk async for chunk in Generation(broken, "c", chunked=False)]
    assert generation.response is None


async def test_batches_end_at_a_defect_which_the_await_after_them_raises() -> None:
    generation = Generation(broken, "c")
    assert text([event async for batch in generation.batches() for event in batch]) == "a"
    with pytest.raises(ZeroDivisionError):
        await generation


# -- stopping


async def test_stopping_twice_disturbs_nothing() -> None:
    held = Held()
    generation = Generation(held, "c")
    reader = asyncio.create_task(listed(generation.events()))
    await within(held.started.wait())
    generation.cancel()
    generation.cancel()
    await asyncio.sleep(0)
    generation.cancel()
    assert text(await asyncio.wait_for(reader, GUARD)) == "a!"
    assert (await generation).status is Status.INTERRUPTED
    generation.cancel()
    assert (await generation).status is Status.INTERRUPTED
    assert held.stops == 1


async def test_stopping_what_has_ended_changes_nothing() -> None:
    generation = Generation(three, "c")
    response = await generation
    generation.cancel()
    assert await generation is response


async def test_stopping_in_the_moment_of_the_start_hangs_nobody() -> None:
    """The task exists and has not had its first turn yet: a reader must end all the same."""
    held = Held()
    generation = Generation(held, "c")
    reader = asyncio.create_task(listed(generation.events()))
    await asyncio.sleep(0)  # the reader runs up to its first wait; the answer's own task has not begun
    assert held.runs == 0
    generation.cancel()
    await asyncio.wait([reader], timeout=GUARD / 5)
    hangs = not reader.done()
    reader.cancel()
    await asyncio.wait([reader])
    assert not hangs


async def test_an_await_is_not_cancelled_by_a_stop_in_the_moment_of_the_start() -> None:
    """`cancel()` stops the answer; the task that awaits it was not cancelled and gets an interrupted response."""
    scripted = ScriptedProvider(replies=["one two"])
    async with LLMManager(LLMConfig(providers={"s": scripted.config}, default_provider="s")) as manager:
        manager._providers["s"] = scripted
        generation = manager.generate_response("hi")
        waiting = asyncio.create_task(generation._result())
        await asyncio.sleep(0)
        generation.cancel()
        await asyncio.wait([waiting], timeout=GUARD)
        assert not waiting.cancelled()
        assert waiting.result().status is Status.INTERRUPTED


async def test_what_was_stopped_before_it_began_is_not_sent() -> None:
    scripted = ScriptedProvider(replies=["one two"])
    async with LLMManager(LLMConfig(providers={"s": scripted.config}, default_provider="s")) as manager:
        manager._providers["s"] = scripted
        generation = manager.generate_response("hi")
        generation.cancel()
        response = await generation
    assert response.status is Status.INTERRUPTED
    assert scripted.requests == []


async def test_leaving_the_chunks_early_stops_the_answer_and_waits_until_its_part_is_kept() -> None:
    held = Held()
    generation = Generation(held, "c")
    async for chunk in generation:
        assert chunk.delta == "a"
        break
    assert (await asyncio.wait_for(generation._result(), GUARD)).status is Status.INTERRUPTED
    assert held.stops == 1


async def test_a_cancelled_await_stops_the_answer_and_keeps_its_part_first() -> None:
    held = Held()
    generation = Generation(held, "c")
    waiting = asyncio.create_task(generation._result())
    await within(held.started.wait())
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert generation.response is not None
    assert generation.response.status is Status.INTERRUPTED


class SlowStore(ConversationManager):
    """Keeps an answer only once it is let go: a disk that takes its time."""

    def __init__(self) -> None:
        super().__init__(MemoryShelf())
        self.keeping = asyncio.Event()
        self.go = asyncio.Event()

    async def append(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        if message.role is MessageRole.ASSISTANT:
            self.keeping.set()
            await self.go.wait()
        await super().append(conversation_id, message, parent)


async def test_a_stop_while_the_answer_is_being_kept_loses_neither_it_nor_the_final_event() -> None:
    scripted = ScriptedProvider(replies=[Reply("one two")])
    store = SlowStore()
    config = LLMConfig(providers={"s": scripted.config}, default_provider="s")
    async with LLMManager(config, store=store) as manager:
        manager._providers["s"] = scripted
        generation = manager.generate_response("hi", conversation_id="c")
        reader = asyncio.create_task(listed(generation.events()))
        await within(store.keeping.wait())
        generation.cancel()
        await asyncio.sleep(0)
        store.go.set()
        events = await asyncio.wait_for(reader, GUARD)
        kept = await store.messages("c")
    assert sum(isinstance(event, FINAL_EVENTS) for event in events) == 1
    assert [message.content for message in kept] == ["hi", "one two"]
