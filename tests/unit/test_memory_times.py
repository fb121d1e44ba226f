"""The days that a question speaks of, as people name them, and what was talked about on them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.memory.times import days_in

TODAY = date(2026, 11, 24)  # a Tuesday


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("what did we discuss in March?", "2026-03-01", "2026-03-31"),
        ("and in December last year?", "2025-12-01", "2025-12-31"),
        ("in march 2024", "2024-03-01", "2024-03-31"),
        ("the second half of August", "2026-08-15", "2026-08-31"),
        ("late February", "2026-02-18", "2026-02-28"),
        ("on 12 February", "2026-02-12", "2026-02-12"),
        ("on May 5th, 2025", "2025-05-05", "2025-05-05"),
        ("on the 3rd of June", "2026-06-03", "2026-06-03"),
        ("on 2026-01-31", "2026-01-31", "2026-01-31"),
        ("since Sunday", "2026-11-22", "2026-11-24"),
        ("on Tuesday", "2026-11-17", "2026-11-17"),
        ("since October", "2026-10-01", "2026-11-24"),
        ("last weekend", "2026-11-21", "2026-11-22"),
        ("the other day", "2026-11-17", "2026-11-24"),
        ("a couple of weeks ago", "2026-11-07", "2026-11-13"),
        ("this spring", "2026-03-01", "2026-05-31"),
        ("vorgestern", "2026-11-22", "2026-11-22"),
        ("am Montag", "2026-11-23", "2026-11-23"),
        ("im Oktober", "2026-10-01", "2026-10-31"),
        ("en mayo", "2026-05-01", "2026-05-31"),
        ("la semaine dernière", "2026-11-16", "2026-11-22"),
    ],
)
def test_days_are_read_as_a_person_means_them(question: str, first: str, last: str) -> None:
    assert days_in(question, TODAY) == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    "question",
    [
        "what may I eat?",
        "march along the river",
        "before the summer",
        "99999999999 weeks ago",
        "",
    ],
)
def test_what_names_no_day_is_no_time(question: str) -> None:
    assert days_in(question, TODAY) is None


async def test_what_was_talked_about_on_a_day_is_found_though_no_word_of_it_is_named(tmp_path: Path) -> None:
    now = datetime(2026, 3, 10, tzinfo=UTC)
    memory = MemoryManager(tmp_path / "memory.jsonl", cache=tmp_path, semantic=False, clock=lambda: now)
    await memory.ended("c1", "Parser", [{"role": "user", "text": "We decided to write it by hand.", "id": "m1"}])
    now = datetime(2026, 5, 10, tzinfo=UTC)
    await memory.ended("c2", "Heat pump", [{"role": "user", "text": "How does a heat pump work?", "id": "m2"}])

    async def found(question: str) -> list[str]:
        return [one.source for one in await memory.recall(Situation(question, day=TODAY.isoformat()), 500)]

    assert await found("What did we talk about in March?") == ["c1#m1"]
    assert await found("¿De qué hablamos en mayo?") == ["c2#m2"]
    assert await found("What did we talk about in April?") == []
    assert await found("What is the weather like in March?") == []
