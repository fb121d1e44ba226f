"""Cancelling in every state an answer can be in, for every wire format over every transport.

By the order of events, not by time: nothing that a state waits for ever comes, so only the cancellation can end it.
`tests/bench/bench_cancel.py` has the milliseconds.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coda_cli.engine.core.events import Event, ReasoningChunk, ResponseChunk, ResponseComplete, RetryScheduled
from coda_cli.engine.core.usage import FinishReason, Status
from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager
from tests.servers.errors import error_reply
from tests.servers.reply import Gate, Reply
from tests.servers.script import Say, Script, Think
from tests.servers.threaded import SilentPort
from tests.unit.wire_cases import GUARD, Outcome, Target, VirtualClock, bench, each_target, finish, manager_of


async def stopped(manager: LLMManager, generation: Generation) -> Outcome:
    """Cancelled and read to its end; an interrupted answer whose part is kept."""
    generation.cancel()
    outcome = await finish(manager, generation)
    response = outcome.whole()
    assert (response.status, response.finish_reason) == (Status.INTERRUPTED, FinishReason.CANCELLED)
    assert isinstance(outcome.final, ResponseComplete)
    assert outcome.final.status == "interrupted"
    return outcome


async def seen(generation: Generation, kind: type[Event]) -> None:
    """Wait for the first event of this kind."""
    async with asyncio.timeout(GUARD):
        async for event in generation.events():
            if isinstance(event, kind):
                return
    raise AssertionError(f"the answer ended before {kind.__name__}")


async def eventually(reached: Callable[[], object]) -> None:
    """Return once *reached* says so."""
    async with asyncio.timeout(GUARD):
        while not reached():  # noqa: ASYNC110 - the kernel and the clock set no event
            await asyncio.sleep(0.001)


def held(target: Target, script: Script, wanted: bytes) -> Reply:
    """The script as a stream that stops for good after the event that holds *wanted*."""
    pieces = target.format.stream(script)
    at = next(number for number, piece in enumerate(pieces) if wanted in piece)
    return Reply(headers={"content-type": target.format.content_type}, body=[*pieces[: at + 1], Gate()])


def attempts(port: int) -> int:
    """How many connections to the loopback *port* are being tried on this machine (Linux; 0 elsewhere)."""
    if sys.platform != "linux":
        return 0
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == "02" for line in lines)  # 02: SYN_SENT


@each_target
async def test_while_connecting(target: Target) -> None:
    with SilentPort() as silent:
        port = int(silent.url.rpartition(":")[2])
        before = attempts(port)
        async with manager_of(target.config(silent.url, connect_timeout=60.0)) as manager:
            generation = manager.generate_response("time?")
            waiter = asyncio.ensure_future(finish(manager, generation))
            await eventually(lambda: sys.platform != "linux" or attempts(port) > before)
            outcome = await stopped(manager, generation)
            assert outcome.answer is None
            assert attempts(port) == before
            await waiter


@each_target
async def test_while_waiting_for_headers(target: Target) -> None:
    async with bench(target) as b:
        b.fake.queue(Reply(no_headers=True, end="hang"))
        generation = b.manager.generate_response("time?")
        waiter = asyncio.ensure_future(finish(b.manager, generation))
        await b.fake.wait_for_requests(1)
        outcome = await stopped(b.manager, generation)
        assert outcome.answer is None
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone
        await waiter


@each_target
async def test_in_the_reasoning(target: Target) -> None:
    async with bench(target) as b:
        b.fake.queue(held(target, [Think("pondered"), Think("more"), Say("never")], b"pondered"))
        generation = b.manager.generate_response("time?")
        await seen(generation, ReasoningChunk)
        outcome = await stopped(b.manager, generation)
        assert outcome.whole().reasoning == outcome.reasoning == "pondered"
        assert outcome.answer is not None
        assert outcome.answer.status == "interrupted"
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone


@each_target
async def test_in_the_text(target: Target) -> None:
    async with bench(target) as b:
        b.fake.queue(held(target, [Say("spoken"), Say("never")], b"spoken"))
        generation = b.manager.generate_response("time?")
        await seen(generation, ResponseChunk)
        outcome = await stopped(b.manager, generation)
        assert outcome.answer is not None
        assert (outcome.answer.status, outcome.answer.content) == ("interrupted", "spoken")
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone


@each_target
async def test_while_the_body_of_an_error_trickles(target: Target) -> None:
    async with bench(target, max_retries=3) as b:
        b.fake.queue(Reply(500, {"content-type": "application/json"}, [b'{"error":', Gate()]))
        generation = b.manager.generate_response("time?")
        waiter = asyncio.ensure_future(finish(b.manager, generation))
        await b.fake.wait_for_requests(1)
        await b.fake.wait_sent(0, 1)
        await stopped(b.manager, generation)
        await b.fake.wait_idle()
        assert b.fake.asked[0].client_gone
        assert len(b.fake.asked) == 1
        await waiter


@each_target
async def test_in_the_wait_before_a_retry(target: Target) -> None:
    clock = VirtualClock()
    clock.gate = asyncio.Event()  # never set: only the cancellation ends the wait
    async with bench(target, clock=clock, max_retries=3) as b:
        b.fake.fail_first(99, error_reply(target.vendor, "rate_limited", retry_after="30"))
        generation = b.manager.generate_response("time?")
        await seen(generation, RetryScheduled)
        await eventually(lambda: clock.slept)
        outcome = await stopped(b.manager, generation)
        assert outcome.answer is None
        assert len(b.fake.asked) == 1


@pytest.mark.parametrize("target", [Target("openai", "sdk"), Target("anthropic", "sdk")], ids=lambda t: t.id)
async def test_while_the_sdk_is_loading(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its import takes a second in a thread; nobody waits for that thread, not even the end of the loop."""
    import threading

    from coda_cli.engine.providers import anthropic, openai

    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(*_: object) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(60)

    for module in (anthropic, openai):
        monkeypatch.setattr(module, "_load", slow)
    async with bench(target) as b:
        generation = b.manager.generate_response("time?")
        waiter = asyncio.ensure_future(finish(b.manager, generation))
        async with asyncio.timeout(GUARD):
            await begun.wait()
            await stopped(b.manager, generation)
        await waiter
        assert b.fake.requests == []
    async with asyncio.timeout(GUARD):
        await loop.shutdown_default_executor()  # the end of `asyncio.run`, which waits for asyncio's own threads
    go_on.set()
