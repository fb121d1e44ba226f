"""The pace of many requests, under a clock that only waiting moves."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.batch.pace import Pace, TokenBucket, parse_rate
from coda_cli.engine.core.errors import UsageError
from tests.unit.wire_cases import VirtualClock


@pytest.mark.parametrize(
    ("text", "rate"), [("60/min", 1.0), ("60", 1.0), ("2/s", 2.0), ("3600/h", 1.0), ("90 / minute", 1.5)]
)
def test_a_rate_is_read(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0/min", "fast", "-3/s", "5/day", "1e9/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no rate"):
        parse_rate(text)


@given(
    per_minute=st.integers(1, 600),
    answers=st.lists(st.floats(0, 30), min_size=1, max_size=60),
    retries=st.lists(st.integers(0, 3), max_size=60),
)
def test_no_minute_has_more_requests_than_the_rate_allows(
    per_minute: int, answers: list[float], retries: list[int]
) -> None:
    clock = VirtualClock()
    pace = Pace(1, clock, TokenBucket(per_minute / 60, clock))
    started: list[float] = []

    async def work() -> None:
        for number, took in enumerate(answers):
            await pace.admit()
            started.append(clock.time)
            for _ in range(retries[number] if number < len(retries) else 0):
                pace.retried(0, too_many=False)
            clock.time += took
            pace.left(answered=True)

    asyncio.run(work())
    for first in started:
        assert sum(first <= one < first + 60 - 1e-3 for one in started) <= per_minute
    # a retry takes its token: what follows waits for it
    assert started[-1] - started[0] >= (len(answers) - 1 + sum(retries[: len(answers) - 1])) * 60 / per_minute - 1e-3


async def test_too_many_requests_hold_the_others_back_and_fewer_run_until_answers_come() -> None:
    clock = VirtualClock()
    pace = Pace(8, clock)
    for _ in range(8):
        await pace.admit()
    for _ in range(8):  # a storm: all are refused at once, and it counts once
        pace.retried(20, too_many=True)
    assert pace.allowed == 4
    late = asyncio.ensure_future(pace.admit())
    await asyncio.sleep(0)
    for _ in range(5):
        assert not late.done()
        pace.left(answered=False)
    await late
    assert clock.slept == [20]
    assert pace.running == 4
    clock.time += 100
    pace.retried(1, too_many=True)
    assert pace.allowed == 2
    for _ in range(60):
        pace._running += 1
        pace.left(answered=True)
    assert pace.allowed == 8


async def test_a_broken_connection_holds_nobody_back() -> None:
    clock = VirtualClock()
    pace = Pace(4, clock)
    pace.retried(20, too_many=False)
    await pace.admit()
    assert clock.slept == []
    assert pace.allowed == 4
