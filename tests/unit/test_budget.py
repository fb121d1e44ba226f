"""Budgets that refuse: before a request, while its answer comes, and for all processes together."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from coda_cli import LLMConfig, LLMManager, LLMProvider, ProviderConfig, Reply, ScriptedProvider
from coda_cli.engine.core.config import BudgetConfig
from coda_cli.engine.core.errors import LLMBudgetError, LLMContextLengthError, LLMOverloadedError
from coda_cli.engine.core.events import (
    BudgetReached,
    ProviderEvent,
    ResponseChunk,
    ResponseComplete,
    ResponseError,
    Usage,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.usage import Status, TokenUsage
from coda_cli.engine.usage.budget import BLOCK, Amount, Budget
from coda_cli.engine.usage.log import UsageLog

LONG = " ".join(["word"] * 4000)  # about 5,000 tokens


def limits(**tables: Any) -> BudgetConfig:
    return BudgetConfig.model_validate(tables)


def free(sent: int, came: int) -> float | None:
    return 0.0


def dear(sent: int, came: int) -> float | None:
    """A cent for a thousand tokens."""
    return (sent + came) * 0.00001


class Priced(LLMManager):
    """Everything costs a cent for a thousand tokens."""

    def price(self, provider: str, model: str, usage: TokenUsage) -> float | None:
        return usage.total_tokens * 0.00001


def manager(budget: BudgetConfig, *replies: str | Reply) -> LLMManager:
    config = LLMConfig(
        providers={"s": ProviderConfig(provider=LLMProvider.SCRIPTED, max_retries=0)},
        default_provider="s",
        budget=budget,
    )
    made = Priced(config, usage=UsageLog())
    made._providers["s"] = ScriptedProvider(config.providers["s"], replies=list(replies) or ["Fine."])
    return made


async def events_of(made: LLMManager, prompt: str = "hello", **more: Any) -> list[Any]:
    return [event async for event in made.generate_response(prompt, **more).events()]


@pytest.mark.parametrize("scope", ["request", "run", "conversation", "day", "month"])
@pytest.mark.parametrize("limit", [{"tokens": 100}, {"usd": 0.001}])
async def test_each_limit_refuses_and_says_which(scope: str, limit: dict[str, float]) -> None:
    made = manager(limits(**{scope: limit}))
    events = await events_of(made, LONG)
    (reached,) = [event for event in events if isinstance(event, BudgetReached)]
    assert (reached.scope, reached.unit) == (scope, next(iter(limit)))
    assert reached.limit == next(iter(limit.values()))
    assert reached.needed > reached.limit
    (failed,) = [event for event in events if isinstance(event, ResponseError)]
    assert failed.error["type"] == "LLMBudgetError"
    assert "is reached" in failed.error["message"]
    provider = made._providers["s"]
    assert isinstance(provider, ScriptedProvider)
    assert provider.requests == []


async def test_an_answer_stops_at_the_limit_and_its_part_is_kept() -> None:
    made = manager(limits(conversation={"tokens": 1_000}), LONG)
    events = await events_of(made, conversation_id="c")
    (failed,) = [event for event in events if isinstance(event, ResponseError)]
    assert failed.status == Status.INCOMPLETE.value
    assert any(isinstance(event, BudgetReached) for event in events)
    answer = (await made.store.messages("c"))[-1]
    assert answer.content == failed.partial
    assert 900 <= len(answer.content) / 4 <= 1_000
    (line,) = UsageLog().lines()
    assert line["error"] == "LLMBudgetError"
    with pytest.raises(LLMBudgetError):
        await made.generate_response("more", conversation_id="c")


async def test_what_the_vendor_counts_takes_the_place_of_the_estimate() -> None:
    made = manager(
        limits(day={"tokens": 10_000}), Reply("Fine.", usage=TokenUsage(input_tokens=4_000, output_tokens=4_000))
    )
    await made.generate_response("hello")
    assert made.budget.status() == [("day", "tokens", 10_000.0, 8_000.0)]
    await made.generate_response("hello")
    with pytest.raises(LLMBudgetError, match="budget for today"):
        await made.generate_response("hello")


async def test_what_fails_before_anything_came_costs_nothing() -> None:
    made = manager(limits(day={"tokens": 1_000}), *[Reply(error=LLMOverloadedError("503"))] * 9)
    for _ in range(4):
        with pytest.raises(LLMOverloadedError):
            await made.generate_response("hello")
    assert made.budget.status() == [("day", "tokens", 1_000.0, 0.0)]


async def test_a_stopped_answer_gives_back_what_it_did_not_use() -> None:
    made = manager(limits(day={"tokens": 100_000}), Reply(LONG, delay=0.001))
    generation = made.generate_response("hello")
    async for event in generation.events():
        if isinstance(event, ResponseChunk):
            generation.cancel()
    ((_, _, _, spent),) = made.budget.status()
    assert 0 < spent < 2 * BLOCK
    assert json.loads(made.budget.path.read_text())["reserved"] == {}


async def test_a_summary_and_a_title_count_too() -> None:
    made = manager(
        limits(run={"tokens": 10_000}), Reply("A title", usage=TokenUsage(input_tokens=900, output_tokens=9))
    )
    await made.generate_response("hello", conversation_id="c")
    await made.suggest_title("c")
    assert made.budget.status()[0][3] == 2 * 909


async def test_what_nobody_can_price_is_refused_or_allowed() -> None:
    def unknown(sent: int, came: int) -> float | None:
        return None

    config = limits(day={"usd": 1.0})
    with pytest.raises(LLMBudgetError, match="nobody knows what this model costs"):
        Budget(lambda: config).reserve("c", 10, None, unknown)
    allowed = limits(day={"usd": 1.0}, unpriced="allow")
    Budget(lambda: allowed).reserve("c", 10, None, unknown).settle(Amount(20, None))
    only_tokens = limits(day={"tokens": 100_000})
    Budget(lambda: only_tokens).reserve("c", 10, None, unknown)


async def test_without_limits_nothing_is_written() -> None:
    made = manager(BudgetConfig())
    await made.generate_response("hello")
    assert not made.budget.path.exists()


async def test_a_count_of_the_beginning_is_not_the_count_of_an_answer_that_was_cut() -> None:
    """Anthropic tells its usage first; an answer that is stopped later took more than that."""
    made = manager(limits(day={"tokens": 3_000}), Reply(LONG, usage=TokenUsage(input_tokens=10, output_tokens=1)))
    provider = made._providers["s"]
    assert isinstance(provider, ScriptedProvider)
    said = provider.stream

    async def usage_first(request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        yield Usage(TokenUsage(input_tokens=10, output_tokens=1))
        async for event in said(request):
            yield event

    provider.stream = usage_first  # type: ignore[method-assign]  # a vendor that counts first
    for _ in range(3):
        with pytest.raises(LLMBudgetError):
            await made.generate_response("hello")
    ((_, _, _, spent),) = made.budget.status()
    assert 2_900 <= spent <= 3_010  # the last word came when nothing was left


async def test_what_is_spent_without_a_limit_is_known_when_one_holds_again() -> None:
    usage = TokenUsage(input_tokens=400, output_tokens=400)
    made = manager(limits(day={"tokens": 10_000}), Reply("Fine.", usage=usage))
    await made.generate_response("hello")
    made.config.budget = BudgetConfig()
    await made.generate_response("hello")
    made.config.budget = limits(day={"tokens": 1_700})
    assert made.budget.status() == [("day", "tokens", 1_700.0, 1_600.0)]


async def test_a_request_that_was_too_long_gives_back_what_it_held() -> None:
    made = manager(
        limits(day={"tokens": 100_000}), "Fine.", Reply(error=LLMContextLengthError("too long")), "Short.", "Fine."
    )
    await made.generate_response("hello", conversation_id="c")
    await made.generate_response("and now?", conversation_id="c")
    assert json.loads(made.budget.path.read_text())["reserved"] == {}


def test_what_costs_nothing_is_in_nobodys_way(tmp_path: Path) -> None:
    config = limits(month={"usd": 5})
    budget = Budget(lambda: config, tmp_path / "b.json")
    budget.reserve("c", 10, 5, dear).settle(Amount(10, 5.01))
    budget.reserve("c", 10, 5, free).settle(None)
    with pytest.raises(LLMBudgetError):
        budget.reserve("c", 10, 5, dear)


# ---- the ledger -----------------------------------------------------------------------------------------------------


def test_it_is_for_the_person_alone_and_holds_no_text(tmp_path: Path) -> None:
    config = limits(day={"tokens": 10_000})
    Budget(lambda: config, tmp_path / "budget.json").reserve("c", 10, 5, free).settle(None)
    assert stat.S_IMODE((tmp_path / "budget.json").stat().st_mode) == 0o600


def test_a_new_day_and_a_new_month_begin_anew(tmp_path: Path) -> None:
    now = [time.mktime((2026, 11, 30, 23, 0, 0, 0, 0, -1))]
    config = limits(day={"tokens": 1_000}, month={"tokens": 1_500})
    budget = Budget(lambda: config, tmp_path / "budget.json", now=lambda: now[0])
    budget.reserve("c", 10, 5, free).settle(Amount(900, 0.0))
    assert [row[3] for row in budget.status()] == [900.0, 900.0]
    now[0] += 2 * 3600
    assert [row[3] for row in budget.status()] == [0.0, 0.0]  # the 1st of December
    now[0] -= 30 * 3600
    assert [row[3] for row in budget.status()] == [0.0, 0.0]  # whoever turns the clock back is believed


def test_what_a_dead_process_held_counts_as_spent(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    code = (
        "import os, sys; from pathlib import Path; from coda_cli.engine.core.config import BudgetConfig;"
        "from coda_cli.engine.usage.budget import Budget;"
        "config = BudgetConfig.model_validate({'day': {'tokens': 10_000}});"
        "Budget(lambda: config, Path(sys.argv[1])).reserve('c', 700, 100, lambda s, c: 0.0); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    config = limits(day={"tokens": 10_000})
    assert Budget(lambda: config, path).status()[0][3] == 800.0


def test_what_was_used_before_there_was_a_ledger_counts(tmp_path: Path) -> None:
    now = time.time()
    config = limits(day={"usd": 1.0}, conversation={"tokens": 100})
    history = [(now, "c", Amount(50, 0.75)), (now - 90 * 86400, "c", Amount(40, 5.0)), (now, "d", Amount(1, None))]
    budget = Budget(lambda: config, tmp_path / "b.json", history=lambda: history)
    assert budget.status("c") == [("conversation", "tokens", 100.0, 90.0), ("day", "usd", 1.0, 0.75)]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"day": 5, "reserved": [], "conversations": {"c": 7}}']
)
def test_a_damaged_ledger_is_made_again(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "budget.json"
    path.write_bytes(content)
    config = limits(day={"tokens": 100})
    assert Budget(lambda: config, path).status() == [("day", "tokens", 100.0, 0.0)]


def test_a_ledger_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = limits(day={"tokens": 10_000})
    with pytest.raises(LLMBudgetError, match="could not be kept"):
        Budget(lambda: config, tmp_path / "file" / "budget.json").reserve("c", 1, 1, free)


_RACER = """
import asyncio, sys
from pathlib import Path
from coda_cli.engine.core.config import BudgetConfig
from coda_cli.engine.core.errors import LLMBudgetError
from coda_cli.engine.usage.budget import Amount, Budget
config = BudgetConfig.model_validate({"day": {"tokens": 20_000}})
budget = Budget(lambda: config, Path(sys.argv[1]))
async def main():
    total = 0
    for number in range(40):
        try:
            held = budget.reserve("c%s" % sys.argv[2], 100, None, lambda s, c: 0.0)
        except LLMBudgetError:
            break
        came = 0
        try:
            for _ in range(100):
                came += 8
                await held.add("x" * 32)
        except LLMBudgetError:
            pass
        held.settle(None)
        total += 100 + came
    print(total)
asyncio.run(main())
"""


def test_eight_processes_keep_one_budget(tmp_path: Path) -> None:
    path = str(tmp_path / "budget.json")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, path, str(n)], stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        for n in range(8)
    ]
    spent = [int(racer.communicate(timeout=120)[0]) for racer in racers]
    last_chunks = 8 * 8  # the chunk that came when nothing was left, of each process
    assert 20_000 - 8 * 110 <= sum(spent) <= 20_000 + last_chunks
    config = limits(day={"tokens": 20_000})
    assert Budget(lambda: config, tmp_path / "budget.json").status()[0][3] == sum(spent)


async def test_a_person_may_raise_it_and_go_on() -> None:
    made = manager(limits(run={"tokens": 60}), "Fine.")
    with pytest.raises(LLMBudgetError):
        await made.generate_response("hello")
    made.config.budget = limits(run={"tokens": 100_000})
    done = [event for event in await events_of(made) if isinstance(event, ResponseComplete)]
    assert done[0].content == "Fine."
