"""Deadlines of every part of a request, and cancelling at every moment: what came is kept, the next turn is valid.

Nothing here measures time: the deadlines are short, the faults are endless, and `finish` gives up on what hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.memory import MemoryShelf
from coda_cli.engine.core.errors import LLMConnectionError, LLMError, LLMTimeoutError
from coda_cli.engine.core.events import Event, ResponseChunk, ResponseComplete, ResponseStart
from coda_cli.engine.core.messages import LLMMessage, MessageRole
from coda_cli.engine.core.responses import LLMStreamChunk
from coda_cli.engine.core.usage import FinishReason, Status
from coda_cli.engine.manager import LLMManager
from tests.servers.http import Gate, Pause, Reply
from tests.servers.samples import FULL
from tests.servers.script import Call, Say, Script, Think, say
from tests.servers.threaded import SilentPort, dead_port
from tests.servers.wire import stream_reply
from tests.unit.wire_cases import GUARD, TARGETS, Outcome, Target, ask, bench, each_target, finish, manager_of
from tests.unit.wire_history import check_request

_ANSWER: Script = [Think("Hm."), *say("one two three")]
_LEAN = Target("openai", "lean")
_ENDLESS = 60.0  # seconds, for what no test waits for


# ---- deadlines ------------------------------------------------------------------------------------------------


@each_target
async def test_a_host_that_never_answers_ends_in_the_connect_timeout(target: Target) -> None:
    with SilentPort() as port:
        async with manager_of(target.config(port.url, connect_timeout=0.3)) as manager:
            outcome = await ask(manager)
            assert type(outcome.failure()) is LLMTimeoutError
            assert "connect" in str(outcome.failure())
            assert outcome.failure().hint


@each_target
async def test_a_host_that_refuses_is_a_connection_error(target: Target) -> None:
    port = dead_port()
    async with manager_of(target.config(f"http://127.0.0.1:{port}")) as manager:
        error = (await ask(manager)).failure()
        assert type(error) is LLMConnectionError
        assert str(port) in str(error)
        assert error.hint


@each_target
@pytest.mark.parametrize("limit", ["idle_timeout", "timeout"])
async def test_headers_that_never_come(target: Target, limit: str) -> None:
    async with bench(target, clock=None, **{limit: 0.3}) as b:
        b.fake.queue(Reply(no_headers=True, end="hang"))
        outcome = await ask(b.manager)
        assert type(outcome.failure()) is LLMTimeoutError
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone


@each_target
@pytest.mark.parametrize("limit", ["idle_timeout", "timeout"])
async def test_a_body_that_stops_in_the_middle(target: Target, limit: str) -> None:
    async with bench(target, clock=None, **{limit: 0.3}) as b:
        b.fake.queue(stream_reply(target.wire, _ANSWER, end=False).but(end="hang"))
        outcome = await ask(b.manager)
        assert type(outcome.failure()) is LLMTimeoutError
        assert outcome.text == outcome.failure().partial == "one two three"
        assert outcome.answer is not None
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone


@each_target
async def test_a_trickle_that_never_falls_silent_ends_in_the_total_deadline(target: Target) -> None:
    reply = stream_reply(target.wire, _ANSWER).but(every_byte=True, delay_between=0.02)
    async with bench(target, timeout=0.4, idle_timeout=5.0) as b:
        b.fake.queue(reply)
        outcome = await ask(b.manager)
        assert type(outcome.failure()) is LLMTimeoutError
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone


@each_target
async def test_an_error_body_that_never_ends_keeps_to_the_deadline(target: Target) -> None:
    async with bench(target, timeout=0.4) as b:
        b.fake.queue(Reply(500, {"content-type": "application/json"}, [b'{"error":', b'"x"}']).but(end="hang", after=5))
        assert isinstance((await ask(b.manager)).error, LLMError)
        await b.fake.wait_idle()


@each_target
async def test_finding_the_model_keeps_to_the_deadline_too(target: Target) -> None:
    """No model is named, so the server is asked for its list first; that is part of the answer's time."""
    listing = "/api/tags" if target.vendor == "ollama" else "/v1/models"
    async with bench(target, model="", timeout=0.4, idle_timeout=3.0) as b:
        b.fake.routes[listing] = Reply.json({"data": []}).but(every_byte=True, delay_between=0.1, framing="chunked")
        outcome = await ask(b.manager)
        assert type(outcome.failure()) is LLMTimeoutError
        assert b.fake.asked == []


@each_target
async def test_a_deadline_leaves_a_conversation_that_goes_on(target: Target) -> None:
    async with bench(target, timeout=0.3) as b:
        b.fake.queue(stream_reply(target.wire, [Say("one "), Call("c1", "f", ["{"])], end=False).but(end="hang"))
        first = await ask(b.manager)
        assert type(first.failure()) is LLMTimeoutError
        second = await ask(b.manager, "and now?", conversation_id=first.conversation_id)
        assert second.text == b.fake.answer
        check_request(target, b.fake.asked[-1])


# ---- cancelling -----------------------------------------------------------------------------------------------


def check_interrupted(outcome: Outcome) -> None:
    """It ended as an interrupted answer, with what came."""
    response = outcome.whole()
    assert response.status is Status.INTERRUPTED
    assert response.finish_reason is FinishReason.CANCELLED
    assert isinstance(outcome.final, ResponseComplete)
    assert outcome.final.status == "interrupted"
    if outcome.text or outcome.reasoning:
        assert outcome.answer is not None
        assert outcome.answer.status == "interrupted"
        assert outcome.answer.content == outcome.text


def held(target: Target, script: Script, at: int) -> tuple[Reply, Gate]:
    """The script as a stream that waits before its event number *at* until the gate opens."""
    gate = Gate()
    pieces = target.format.stream(script)
    headers = {"content-type": target.format.content_type}
    return Reply(headers=headers, body=[*pieces[:at], gate, *pieces[at:]]), gate


async def cancelled_after(manager: LLMManager, count: int) -> tuple[Outcome, list[Event]]:
    """An answer that is cancelled when *count* events have been seen."""
    generation = manager.generate_response("time?")
    seen: list[Event] = []
    async with asyncio.timeout(GUARD):
        async for event in generation.events():
            seen.append(event)
            if len(seen) == count:
                generation.cancel()
    return await finish(manager, generation), seen


@each_target
async def test_cancelling_at_every_event_keeps_what_came_and_lets_the_chat_go_on(target: Target) -> None:
    script = [*FULL[:5], *FULL[6:9]]
    async with bench(target) as b:
        b.fake.script = script
        whole = await ask(b.manager)
        for count in range(1, len(whole.events) + 1):
            b.fake.script = script
            outcome, seen = await cancelled_after(b.manager, count)
            assert outcome.events == seen  # early and late readers see the same
            assert outcome.whole().status in (Status.INTERRUPTED, Status.COMPLETE)
            if outcome.whole().status is Status.INTERRUPTED:
                check_interrupted(outcome)
            b.fake.script = None
            again = await ask(b.manager, "and now?", conversation_id=outcome.conversation_id)
            assert again.text == b.fake.answer, count
            check_request(target, b.fake.asked[-1])


@each_target
async def test_cancelling_before_every_wire_event_stops_the_server_and_lets_the_chat_go_on(target: Target) -> None:
    script = [*FULL[:5], *FULL[6:9]]
    count = len(target.format.stream(script))
    async with bench(target) as b:
        for at in range(0, count, 1 if count < 20 else 2):
            reply, _ = held(target, script, at)
            b.fake.queue(reply)
            sent = sum(len(piece) for piece in reply.body[:at] if isinstance(piece, bytes))
            generation = b.manager.generate_response("time?")
            waiter = asyncio.ensure_future(finish(b.manager, generation))
            number = len(b.fake.requests)
            await b.fake.wait_for_requests(number + 1)
            await b.fake.wait_sent(number, sent)
            await asyncio.sleep(0)
            generation.cancel()
            outcome = await waiter
            check_interrupted(outcome)
            await b.fake.wait_idle()
            assert b.fake.requests[number].client_gone, at
            again = await ask(b.manager, "and now?", conversation_id=outcome.conversation_id)
            assert again.text == b.fake.answer, at
            check_request(target, b.fake.asked[-1])


@each_target
async def test_leaving_the_loop_early_stops_the_server_and_keeps_the_part(target: Target) -> None:
    async with bench(target) as b:
        reply, _ = held(target, [Say("one "), Say("two"), Say("three")], len(target.format.stream([Say("x")])) - 1)
        b.fake.queue(reply)
        generation = b.manager.generate_response("time?")
        chunks: list[LLMStreamChunk] = []
        async with asyncio.timeout(GUARD):
            stream = aiter(generation)
            async for chunk in stream:
                chunks.append(chunk)
                break
            await stream.aclose()  # type: ignore[attr-defined]  # an async generator; `break` alone leaves it to the loop
        outcome = await finish(b.manager, generation)
        check_interrupted(outcome)
        assert outcome.text.startswith(chunks[0].delta)
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone


async def test_leaving_the_loop_without_closing_it_stops_the_server_too() -> None:
    async with bench(_LEAN) as b:
        reply, _ = held(_LEAN, [Say("one "), Say("two")], 2)
        b.fake.queue(reply)
        generation = b.manager.generate_response("time?")
        async for chunk in generation:
            assert chunk.delta == "one "
            break
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone
        check_interrupted(await finish(b.manager, generation))


@each_target
async def test_cancelling_the_task_that_waits_stops_the_server_and_keeps_the_part(target: Target) -> None:
    async with bench(target) as b:
        pieces = target.format.stream([Say("one "), Say("two")])
        # what stands before the last text: the answer has begun, and does not end
        at = next(n for n, piece in enumerate(pieces) if b'"two"' in piece)
        reply, _ = held(target, [Say("one "), Say("two")], at)
        b.fake.queue(reply)
        generation = b.manager.generate_response("time?")

        async def wait() -> None:
            await generation

        task = asyncio.ensure_future(wait())
        async with asyncio.timeout(GUARD):
            async for event in generation.events():
                if isinstance(event, ResponseChunk):
                    break
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        outcome = await finish(b.manager, generation)
        check_interrupted(outcome)
        assert outcome.text == "one "
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone


async def test_a_timeout_around_an_answer_raises_there_and_keeps_the_part() -> None:
    async with bench(_LEAN) as b:
        reply, _ = held(_LEAN, [Say("one "), Say("two")], 2)
        b.fake.queue(reply)
        generation = b.manager.generate_response("time?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await generation
        outcome = await finish(b.manager, generation)
        check_interrupted(outcome)
        assert outcome.text == "one "


async def test_awaiting_after_a_cancel_gives_the_same_response_every_time() -> None:
    async with bench(_LEAN) as b:
        outcome, _ = await cancelled_after(b.manager, 3)
        generation = b.manager.generate_response("time?")
        async for event in generation.events():
            if isinstance(event, ResponseStart):
                generation.cancel()
        first, second = await generation, await generation
        assert first is second
        generation.cancel()  # nothing, now
        assert await generation is first
        assert outcome.response is not first


@pytest.mark.parametrize("started", [False, True], ids=["never started", "started in this tick"])
async def test_cancelling_before_anything_was_sent_sends_nothing(started: bool) -> None:
    async with bench(_LEAN) as b:
        generation = b.manager.generate_response("time?")
        if started:
            waiter = asyncio.ensure_future(finish(b.manager, generation))
            await asyncio.sleep(0)
            generation.cancel()
            outcome = await waiter
        else:
            generation.cancel()
            outcome = await finish(b.manager, generation)
        check_interrupted(outcome)
        assert b.fake.requests == []


class SlowStore(ConversationManager):
    """A store whose appends take a few turns of the loop, as a disk does."""

    def __init__(self, turns: int = 5) -> None:
        super().__init__(MemoryShelf())
        self.turns = turns
        self.appending = asyncio.Event()

    async def append(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        if message.role is MessageRole.ASSISTANT:
            self.appending.set()
        for _ in range(self.turns):
            await asyncio.sleep(0)
        await super().append(conversation_id, message, parent)


async def test_a_second_cancel_while_the_part_is_kept_does_not_lose_it() -> None:
    """Ctrl-C twice: the first stops the answer, and the part is on its way to the disk when the second comes."""
    async with bench(_LEAN) as b:
        store = SlowStore()
        b.manager.store = store
        reply, _ = held(_LEAN, [Say("one "), Say("two")], 2)
        b.fake.queue(reply)
        generation = b.manager.generate_response("time?")
        waiter = asyncio.ensure_future(finish(b.manager, generation))
        await b.fake.wait_for_requests(1)
        await b.fake.wait_sent(0, 1)
        generation.cancel()
        async with asyncio.timeout(GUARD):
            while not waiter.done():
                await asyncio.sleep(0)
                if store.appending.is_set():
                    generation.cancel()
        check_interrupted(await waiter)


async def test_a_cancel_while_a_finished_answer_is_kept_does_not_lose_it() -> None:
    async with bench(_LEAN) as b:
        store = SlowStore()
        b.manager.store = store
        generation = b.manager.generate_response("time?")
        waiter = asyncio.ensure_future(finish(b.manager, generation))
        async with asyncio.timeout(GUARD):
            await store.appending.wait()
            generation.cancel()
            outcome = await waiter
        assert outcome.text == b.fake.answer
        assert outcome.answer is not None
        assert outcome.answer.content == b.fake.answer


async def test_two_answers_at_once_are_cancelled_apart() -> None:
    async with bench(_LEAN) as b:
        held_back = [held(_LEAN, [Say("one "), Say("two")], 2) for _ in range(2)]
        b.fake.queue(*[reply for reply, _ in held_back])
        generations = [b.manager.generate_response(f"{n}?") for n in range(2)]
        waiters = [asyncio.ensure_future(finish(b.manager, generation)) for generation in generations]
        await b.fake.wait_for_requests(2)
        generations[0].cancel()
        check_interrupted(await waiters[0])
        for _, gate in held_back:
            gate.open()
        assert (await waiters[1]).whole().status is Status.COMPLETE


async def test_closing_the_manager_under_an_answer_leaves_no_exception_of_a_library() -> None:
    async with bench(_LEAN) as b:
        reply, _ = held(_LEAN, [Say("one "), Say("two")], 2)
        b.fake.queue(reply)
        generation = b.manager.generate_response("time?")
        waiter = asyncio.ensure_future(finish(b.manager, generation))
        await b.fake.wait_for_requests(1)
        await b.manager.aclose()
        outcome = await waiter
        assert outcome.error is None or isinstance(outcome.error, LLMError)


def test_the_tables_cover_all_targets() -> None:
    expected: Sequence[str] = ["sdk", "lean", "sdk", "lean", "sdk", "lean", "lean"]
    assert [target.transport for target in TARGETS] == expected
    assert Pause(_ENDLESS).seconds > GUARD
