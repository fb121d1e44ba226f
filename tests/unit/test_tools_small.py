"""The small built-in tools: time, dates, numbers, identifiers, and a question to the person."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.tools.manager import ToolManager
from tests.unit.tool_rounds import Person, call, one, turn


async def said(name: str, approver: Person | None = None, **arguments: Any) -> str:
    return (await one(ToolManager(), call(name, json.dumps(arguments)), turn(approver=approver))).text


async def test_the_time_is_that_of_the_clock_and_of_the_zone() -> None:
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    for zone in ("UTC", "Asia/Kolkata", "America/St_Johns"):
        text = await said("get_time", timezone=zone)
        found = re.fullmatch(r"(\S+) \S+ \(UTC([+-]\d\d:\d\d)\), \w+ (\d+ \w+ \d+)", text)
        assert found is not None, text
        moment = dt.datetime.strptime(f"{found[3]} {found[1]} {found[2]}", "%d %B %Y %H:%M:%S %z")
        assert before <= moment <= dt.datetime.now(dt.UTC)
    assert re.match(r"\d\d:\d\d:\d\d ", await said("get_time"))


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("Nowhere", "Europe/Berlin or UTC"),
        ("../../etc/passwd", "no time zone"),
        ("/etc/localtime", "no time zone"),
        ("Europe", "Europe/"),
        ("x" * 100_000, "no time zone"),
        ("a\0b", "no time zone"),
    ],
)
async def test_an_unknown_zone_is_refused_with_one_that_is_known(zone: str, words: str) -> None:
    text = await said("get_time", timezone=zone)
    assert words in text
    assert len(text) < 300


async def test_a_date_is_counted_from_today() -> None:
    today = dt.datetime.now(dt.UTC).date()
    for days in (0, 1, -1, 400):
        text = await said("get_date", days=days, timezone="UTC")
        found = dt.date.fromisoformat(text.split("(")[1][:10])
        assert found - today in (dt.timedelta(days), dt.timedelta(days + 1))  # midnight may pass meanwhile
        assert text.startswith(f"{found:%A} {found.day} {found:%B %Y}")
    assert "no such date" in await said("get_date", days=-1_000_000)
    assert "from -1000000 to 1000000" in await said("get_date", days=10**9)


@given(st.integers(-(10**30), 10**30), st.integers(0, 10**12), st.integers(1, 20))
async def test_numbers_are_within_their_bounds_and_as_many_as_asked(low: int, more: int, count: int) -> None:
    text = await said("random_number", minimum=low, maximum=min(low + more, 10**30), count=count)
    numbers = [int(one) for one in text.split(", ")]
    assert len(numbers) == count
    assert all(low <= number <= low + more for number in numbers)


async def test_both_ends_are_drawn_and_bounds_that_are_exchanged_are_told() -> None:
    drawn = {int(one) for one in (await said("random_number", minimum=1, maximum=3, count=1000)).split(", ")}
    assert drawn == {1, 2, 3}
    assert "exchange them" in await said("random_number", minimum=3, maximum=1)
    assert "from 1 to 1000" in await said("random_number", count=1001)


async def test_identifiers_are_all_different() -> None:
    made = (await said("generate_uuid", count=100)).split("\n")
    assert len({uuid.UUID(one) for one in made}) == 100
    assert all(uuid.UUID(one).version == 4 for one in made)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "0 is 1970-01-01T00:00:00+00:00"),
        ("1795529109", "1795529109 is 2026-11-24T14:05:09+00:00"),
        (1.5, "1.5 is 1970-01-01T00:00:01.500000+00:00"),
        ("2026-11-24T14:05:09Z", "1795529109 is 2026-11-24T14:05:09+00:00"),
        ("2026-11-24T15:05:09+01:00", "1795529109 is 2026-11-24T14:05:09+00:00"),
        ("2026-11-24", "1795478400 is 2026-11-24T00:00:00+00:00"),
        ("0001-01-01T00:00:00+14:00", "outside the years"),
        ("tomorrow", "is no date"),
        (1e300, "outside the years"),
        (10**400, "outside the years"),
        ("nan", "is no date"),
        ("inf", "outside the years"),
    ],
)
async def test_moments_are_converted_both_ways(moment: object, text: str) -> None:
    assert text in await said("timestamp", moment=moment)


async def test_now_is_a_moment_too() -> None:
    seconds, _, written = (await said("timestamp")).partition(" is ")
    assert abs(dt.datetime.now(dt.UTC).timestamp() - int(seconds)) < 60
    assert dt.datetime.fromisoformat(written).timestamp() == int(seconds)


async def test_a_question_reaches_the_person_and_their_answer_the_model() -> None:
    class Chooser(Person):
        async def ask(self, question: str, choices: Sequence[str]) -> str | None:
            return f"{question}: {choices[-1]}" if choices else None

    assert await said("ask_user", Chooser(), question="Which", choices=["a", "b"]) == "Which: b"
    assert "no answer" in await said("ask_user", Chooser(), question="Which")
    assert "nobody can be asked" in await said("ask_user", question="Which")
