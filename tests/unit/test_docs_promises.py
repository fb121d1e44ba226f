"""docs/promises.md: every promise names tests, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "promises.md").read_text("utf-8")
NAMED = re.compile(r"`((?:unit|e2e)/test_\w+\.py)(?:::(test_\w+))?`")
# How many lines each part of the description has.
PARTS = {
    "Features": 8,
    "Supported Providers": 12,
    "Conversation Features": 5,
    "Function Calling Flow": 5,
    "Event Types": 8,
    "Prompt Enhancement": 5,
    "Configuration": 18,
    "Analytics and Monitoring": 3,
    "Testing": 2,
    "Error Handling": 5,
    "Performance Optimization": 5,
    "Advanced Features": 2,
    "Next Steps": 7,
}


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of the tests in *file*; a state machine of hypothesis counts as one."""
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, kinds) and one.name.startswith("test_"))


def rows() -> list[tuple[str, str, str]]:
    """(part, promise, what shows it) for every row."""
    found: list[tuple[str, str, str]] = []
    for part in PAGE.split("\n## ")[1:]:
        title, _, table = part.partition("\n")
        lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
        found += [(title, *(cell.strip() for cell in line.strip("|").split(" | ", 1))) for line in lines]  # type: ignore[misc]  # two cells
    return found


def test_every_line_of_the_description_has_its_row() -> None:
    titles = [title for title, _, _ in rows()]
    assert {title: titles.count(title) for title in titles} == PARTS


@pytest.mark.parametrize(("part", "promise", "shown"), rows(), ids=[promise[:40] for _, promise, _ in rows()])
def test_a_promise_names_tests_that_exist_or_says_what_is_left(part: str, promise: str, shown: str) -> None:
    named = NAMED.findall(shown)
    if not named:
        assert shown.startswith("left")
    for file, test in named:
        assert (TESTS / file).is_file(), file
        assert not test or test in names_in(file), f"{file}::{test}"
    assert re.sub(NAMED, "", shown).count("`") == 0, "a test is written as `unit/test_x.py::test_y`"
