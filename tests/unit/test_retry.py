"""The retry loop under a held clock: who is tried again, after what wait, how often, and how one gets out of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    LLMOverloadedError,
    LLMRateLimitError,
)
from coda_cli.engine.core.events import ResponseComplete, ResponseError, RetryScheduled
from coda_cli.engine.core.usage import Status
from coda_cli.engine.providers.status import retry_after
from coda_cli.engine.retry import RetryPolicy
from tests.servers.errors import RETRY_AFTER, ErrorKind, error_reply
from tests.servers.http import Reply
from tests.servers.script import Call, ErrorEvent, Say, Script, Think
from tests.servers.wire import stream_reply
from tests.unit.wire_cases import GUARD, Outcome, Target, VirtualClock, ask, bench, each_target, finish

_LEAN = Target("openai", "lean")


# ---- how long to wait -----------------------------------------------------------------------------------------

_FLOORS: dict[str, tuple[float, float]] = {
    "seconds": (2.0, 2.5),
    "date": (30.0, 60.5),  # a date has whole seconds, and time passes on a busy machine
    "past_date": (0.0, 0.5),
    "junk": (0.0, 0.5),
    "zero": (0.0, 0.5),
    "negative": (0.0, 0.5),
}


@each_target
@pytest.mark.parametrize("spelling", _FLOORS)
@pytest.mark.parametrize("kind", ["rate_limited", "unavailable", "overloaded"])
async def test_retry_after_is_a_floor(target: Target, spelling: str, kind: ErrorKind) -> None:
    clock = VirtualClock()
    async with bench(target, clock=clock, max_retries=1) as b:
        value = formatdate(time.time() + 60, usegmt=True) if spelling == "date" else RETRY_AFTER[spelling]()
        b.fake.fail_first(1, error_reply(target.vendor, kind, retry_after=value))
        outcome = await ask(b.manager)
        assert outcome.error is None
        low, high = _FLOORS[spelling]
        assert [event.wait for event in outcome.retries] == clock.slept
        assert low <= clock.slept[0] <= high


@each_target
async def test_an_hour_is_waited_where_the_deadline_allows_it(target: Target) -> None:
    clock = VirtualClock()
    async with bench(target, clock=clock, max_retries=1, timeout=7200.0) as b:
        b.fake.fail_first(1, error_reply(target.vendor, "rate_limited", retry_after="3600"))
        outcome = await ask(b.manager)
        assert outcome.error is None
        assert clock.slept == [3600.0]
        assert outcome.retries[0].error["retry_after"] == 3600.0


@each_target
async def test_an_hour_beyond_the_deadline_gives_up_at_once(target: Target) -> None:
    clock = VirtualClock()
    async with bench(target, clock=clock, max_retries=3, timeout=600.0) as b:
        b.fake.fail_first(9, error_reply(target.vendor, "rate_limited", retry_after="3600"))
        outcome = await ask(b.manager)
        error = outcome.failure()
        assert type(error) is LLMRateLimitError
        assert error.retry_after == 3600.0
        assert isinstance(outcome.final, ResponseError)
        assert outcome.final.error["retry_after"] == 3600.0
        assert clock.slept == []
        assert len(b.fake.asked) == 1


async def test_the_deadline_spans_all_attempts() -> None:
    clock = VirtualClock()
    async with bench(_LEAN, clock=clock, max_retries=100, timeout=10.0) as b:
        b.fake.fail_first(999, error_reply("openai", "rate_limited", retry_after="3"))
        outcome = await ask(b.manager)
        assert type(outcome.failure()) is LLMRateLimitError
        assert sum(clock.slept) < 10.0
        assert len(b.fake.asked) <= 4


_HEADERS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": " 2 "}, 2.0),
    ({"retry-after": "1.5"}, 1.5),
    ({"retry-after": "1e3"}, 1000.0),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "-inf"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "-0"}, 0.0),
    ({"retry-after": "9" * 400}, None),
    ({"retry-after-ms": "250"}, 0.25),
    ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ({"retry-after-ms": "junk", "retry-after": "5"}, 5.0),
    ({"retry-after-ms": "", "retry-after": "5"}, 5.0),
    ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
    ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ({"retry-after": "Thu, 01 Jan 99999 00:00:00 GMT"}, None),
    ({"retry-after": "2, 3"}, None),
]


@pytest.mark.parametrize(("headers", "seconds"), _HEADERS)
def test_every_spelling_of_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=10.0) == seconds


@settings(max_examples=300, deadline=None, database=None)
@given(value=st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ \w{3} -?\d+ \d+:\d+:\d+ [+-]?\w+", fullmatch=True))
def test_no_spelling_of_retry_after_raises(value: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        seconds = retry_after({name: value})
        assert seconds is None or 0.0 <= seconds < float("inf")


def test_the_jitter_is_full_and_stays_below_its_bound() -> None:
    policy = RetryPolicy(max_retries=10)
    for retries in range(10):
        bound = min(policy.cap, policy.base * 2**retries)
        waits = [policy.wait(LLMOverloadedError("x"), retries, None) for _ in range(300)]
        assert all(wait is not None and 0.0 <= wait <= bound for wait in waits)
        numbers = [wait for wait in waits if wait is not None]
        # uniform over all of it: the chance that 300 draws leave a quarter empty is 1e-37
        assert min(numbers) < bound / 4
        assert max(numbers) > bound * 3 / 4


@settings(max_examples=300, deadline=None, database=None)
@given(
    floor=st.none() | st.floats(0, 1e6),
    remaining=st.none() | st.floats(0, 1e6),
    retries=st.integers(0, 60),
    most=st.integers(0, 60),
)
def test_a_wait_is_never_below_the_floor_nor_beyond_the_deadline(
    floor: float | None, remaining: float | None, retries: int, most: int
) -> None:
    policy = RetryPolicy(max_retries=most)
    wait = policy.wait(LLMRateLimitError("x", retry_after=floor), retries, remaining)
    if retries >= most:
        assert wait is None
    if wait is not None:
        assert wait >= (floor or 0.0)
        assert remaining is None or wait < remaining


# ---- how often ------------------------------------------------------------------------------------------------


@each_target
@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_n_retries_are_n_plus_1_requests(target: Target, retries: int) -> None:
    clock = VirtualClock()
    async with bench(target, clock=clock, max_retries=retries) as b:
        b.fake.fail_first(99, error_reply(target.vendor, "rate_limited"))
        outcome = await ask(b.manager)
        assert len(b.fake.asked) == retries + 1
        assert [event.attempt for event in outcome.retries] == list(range(1, retries + 1))
        assert all(event.max_retries == retries for event in outcome.retries)
        assert all(event.error["type"] == "LLMRateLimitError" for event in outcome.retries)
        assert [event.wait for event in outcome.retries] == clock.slept
        assert all(wait <= 0.5 * 2**n for n, wait in enumerate(clock.slept))
        assert isinstance(outcome.final, ResponseError)
        assert outcome.final.retries == retries


@each_target
async def test_every_attempt_sends_the_same_request(target: Target) -> None:
    async with bench(target, clock=VirtualClock(), max_retries=3) as b:
        b.fake.fail_first(2, error_reply(target.vendor, "server_error"))
        outcome = await ask(b.manager)
        assert isinstance(outcome.final, ResponseComplete)
        assert outcome.final.retries == 2
        assert len({request.body for request in b.fake.asked}) == 1
        assert len([message for message in outcome.messages if message.content == "time?"]) == 1


@each_target
async def test_twenty_clients_on_nothing_but_429_are_each_bounded(target: Target) -> None:
    async with bench(target, clock=VirtualClock(), max_retries=2) as b:
        b.fake.fail_first(999, error_reply(target.vendor, "rate_limited"))
        outcomes = await asyncio.gather(*(ask(b.manager, f"client {n}") for n in range(20)))
        # a host that refuses everybody is left alone after a while: who comes then does not ask at all
        assert {type(outcome.failure()) for outcome in outcomes} <= {LLMRateLimitError, LLMConnectionError}
        counts = [sum(f'client {n}"'.encode() in request.body for request in b.fake.asked) for n in range(20)]
        assert set(counts) <= {0, 3}
        assert counts.count(3) >= 5
        waits = [event.wait for outcome in outcomes for event in outcome.retries]
        assert len(set(waits)) == len(waits)  # no two come back together


_VISIBLE: dict[str, Script] = {"text": [Say("W")], "reasoning": [Think("H")], "tool call": [Call("c", "f", ["{"])]}
_BREAKS: dict[str, Callable[[Target, Script], Reply]] = {
    "error event": lambda target, shown: stream_reply(target.wire, [*shown, ErrorEvent("overloaded_error", "no")]),
    "clean end": lambda target, shown: stream_reply(target.wire, shown, end=False),
    "reset": lambda target, shown: stream_reply(target.wire, shown, end=False).but(end="reset"),
}


@each_target
@pytest.mark.parametrize("shown", _VISIBLE)
@pytest.mark.parametrize("how", _BREAKS)
async def test_nothing_is_tried_again_after_visible_output(target: Target, shown: str, how: str) -> None:
    async with bench(target, clock=VirtualClock(), max_retries=3) as b:
        b.fake.queue(_BREAKS[how](target, _VISIBLE[shown]))
        outcome = await ask(b.manager)
        assert isinstance(outcome.error, LLMError)
        assert outcome.retries == []
        assert len(b.fake.asked) == 1


@each_target
@pytest.mark.parametrize("how", _BREAKS)
async def test_what_broke_before_visible_output_is_tried_again(target: Target, how: str) -> None:
    async with bench(target, clock=VirtualClock(), max_retries=1) as b:
        b.fake.queue(_BREAKS[how](target, []))
        outcome = await ask(b.manager)
        assert outcome.error is None
        assert outcome.text == b.fake.answer
        assert len(b.fake.asked) == 2


# ---- getting out ----------------------------------------------------------------------------------------------


@each_target
async def test_a_wait_can_be_cancelled(target: Target) -> None:
    clock = VirtualClock()
    clock.gate = asyncio.Event()
    async with bench(target, clock=clock, max_retries=3) as b:
        b.fake.fail_first(99, error_reply(target.vendor, "rate_limited", retry_after="30"))
        generation = b.manager.generate_response("time?")
        async with asyncio.timeout(GUARD):
            async for event in generation.events():
                if isinstance(event, RetryScheduled):
                    assert event.wait >= 30.0
                    generation.cancel()
        outcome = await finish(b.manager, generation)
        assert outcome.whole().status is Status.INTERRUPTED
        assert outcome.answer is None
        assert len(b.fake.asked) == 1


async def test_an_error_that_needs_a_person_is_never_waited_for() -> None:
    clock = VirtualClock()
    async with bench(_LEAN, clock=clock, max_retries=3) as b:
        b.fake.fail_first(9, error_reply("openai", "unauthorized", retry_after="1"))
        assert type((await ask(b.manager)).failure()) is LLMAuthenticationError
        assert clock.slept == []


async def test_a_retry_that_works_leaves_no_trace_of_the_failure_in_the_conversation() -> None:
    async with bench(_LEAN, clock=VirtualClock(), max_retries=1) as b:
        b.fake.fail_first(1, error_reply("openai", "server_error"))
        outcome: Outcome = await ask(b.manager)
        assert [message.content for message in outcome.messages] == ["time?", b.fake.answer]
        assert outcome.messages[1].status == "complete"
