"""`/budget`: what is used of the limits, and a person's choice where one stands in the way."""

from __future__ import annotations

import pytest

from coda_cli.chat.commands_budget import COMMANDS
from coda_cli.engine.core.config import BudgetConfig
from coda_cli.engine.core.errors import LLMBudgetError, UsageError
from tests.unit.chat_front import Recorder, session_with

[BUDGET] = COMMANDS


def front_with(**tables: dict[str, float]) -> Recorder:
    front = Recorder(session_with())
    front.session.manager.config.budget = BudgetConfig.model_validate(tables)
    return front


async def test_it_shows_what_is_used_of_each_limit() -> None:
    front = front_with(conversation={"tokens": 100_000}, day={"usd": 5}, request={"usd": 0.5})
    await front.session.ask("hello")
    await BUDGET.run(front, "")
    page = front.documents["Budget"]
    assert "| conversation | " in page
    assert "| 100,000 tokens |" in page
    assert "| day | $0.0000 | $5.00 |" in page
    assert "| request | | $0.50 | |" in page


async def test_without_limits_it_says_where_to_set_some() -> None:
    front = front_with()
    await BUDGET.run(front, "")
    assert front.notes == ["there is no limit: [budget] in coda.toml sets some"]


@pytest.mark.parametrize("way", ["+10000 tokens", "off"])
async def test_where_a_limit_stands_in_the_way_a_person_goes_on(way: str) -> None:
    front = front_with(run={"tokens": 20})
    front.confirms = [True]
    with pytest.raises(LLMBudgetError):
        await front.session.ask("a question that is too long for so small a limit, whatever comes of it")
    await BUDGET.run(front, way)
    assert "until this program ends" in front.notes[0]
    assert (await (await front.session.retry())).content == "An answer."


async def test_dollars_raise_the_limits_in_dollars_only() -> None:
    front = front_with(day={"usd": 5, "tokens": 10})
    await BUDGET.run(front, "+2.50")
    assert front.session.manager.config.budget.day.model_dump() == {"usd": 7.5, "tokens": 10}
    with pytest.raises(UsageError):
        await BUDGET.run(front, "more")
