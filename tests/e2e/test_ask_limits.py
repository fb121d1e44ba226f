"""`coda ask` within limits, and from the cache: the installed program, as a script sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.program import Program


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_a_limit_in_tokens_ends_with_its_own_exit_code_and_keeps_the_part(coda: Program) -> None:
    coda.scripted("word " * 3000, more="[budget.run]\ntokens = 600\n")
    ran = coda.run("ask", "hello", "--json")
    said = json.loads(ran.out)
    assert ran.code == 3
    assert (said["status"], said["error"]["type"]) == ("incomplete", "LLMBudgetError")
    assert 0 < len(said["text"]) < 4 * 600
    assert b"hint:" in coda.run("ask", "word " * 3000).err


def test_a_budget_of_a_day_holds_for_the_next_process(coda: Program) -> None:
    coda.scripted("word " * 400, more="[budget.day]\ntokens = 700\n")
    codes = [coda.run("ask", "hello").code for _ in range(4)]
    assert codes == [0, 3, 3, 3]


def test_a_budget_in_dollars_for_one_run(coda: Program) -> None:
    coda.scripted("Fine.")
    assert coda.run("ask", "--max-budget-usd", "0.5", "hello").code == 0  # what runs here is free
    assert coda.run("ask", "--max-budget-usd", "-1", "hello").code == 2


def test_the_same_question_comes_from_the_cache_until_told_otherwise(coda: Program) -> None:
    coda.scripted("One.", "Two.", more="enable_caching = true\n")
    first = coda.run("ask", "What is AI?")
    again = coda.run("ask", "What is AI?")
    assert first.out == again.out
    assert b"from the cache" in again.err
    assert b"from the cache" not in coda.run("ask", "--no-cache", "What is AI?").err
    assert b"from the cache" not in coda.run("ask", "-n", "What is AI?").err
    stats = json.loads(coda.run("cache", "stats", "--json").out)
    assert (stats["enabled"], stats["answers"]) == (True, 1)
    assert json.loads(coda.run("cache", "clear", "--json").out) == {"cleared": 1}
    assert b"from the cache" not in coda.run("ask", "What is AI?").err
