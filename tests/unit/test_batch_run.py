"""A run over many prompts: against fakes that speak the wire, with a clock that only waiting moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from coda_cli.engine.batch.budget import Budget
from coda_cli.engine.batch.jobs import Job, Source, Target, target
from coda_cli.engine.batch.pace import Pace
from coda_cli.engine.batch.prompts import BadLineError, Defaults
from coda_cli.engine.batch.results import Record
from coda_cli.engine.batch.run import Run
from coda_cli.engine.batch.store import PassingStore
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMAuthenticationError, LLMRateLimitError
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.manager import LLMManager
from tests.servers.errors import error_reply
from tests.servers.reply import Gate
from tests.servers.request import Recorded
from tests.servers.script import Say, Script, Used
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply
from tests.unit.wire_cases import VirtualClock


class Kept:
    """A sink in memory."""

    def __init__(self, done: Sequence[int] = ()) -> None:
        self.records: list[Record] = []
        self._done = set(done)

    def is_done(self, key: int) -> bool:
        return key in self._done

    async def room(self, number: int) -> None:
        pass

    async def put(self, number: int, record: Record | None) -> None:
        if record is not None:
            self.records.append(record)

    @property
    def texts(self) -> list[str]:
        return [record["text"] for record in sorted(self.records, key=lambda record: record["index"])]

    def statuses(self) -> set[str]:
        return {record["status"] for record in self.records}


async def numbered(*lines: str) -> AsyncGenerator[tuple[int, bytes | BadLineError], None]:
    for number, line in enumerate(lines, 1):
        yield number, line.encode()


class Bench:
    """A manager over one fake, or over several providers of it."""

    def __init__(self, fake: FakeVendor, clock: VirtualClock, names: Sequence[str], retries: int) -> None:
        self.fake = fake
        self.clock = clock
        configs = {
            name: ProviderConfig(
                provider=LLMProvider.OPENAI, api_base=f"{fake.url}/v1", model=f"model-{name}", max_retries=retries
            )
            for name in names
        }
        self.manager = LLMManager(LLMConfig(providers=configs), store=PassingStore(), clock=clock)
        self.targets = [target(name, f"model-{name}", config) for name, config in configs.items()]
        self.sink = Kept()
        self.pace = Pace(4, clock)
        self.told: list[BadLineError] = []

    def jobs(self, *lines: str, limit: int | None = None) -> AsyncGenerator[Job, None]:
        self.source = Source(
            numbered(*lines), Defaults(), self.targets, is_done=self.sink.is_done, tell=self.told.append, limit=limit
        )
        return self.source.jobs()

    def run(self, budget: Budget | None = None) -> Run:
        return Run(self.manager, self.sink, self.pace, [one.name for one in self.targets], budget=budget)


@asynccontextmanager
async def bench(*names: str, retries: int = 6) -> AsyncIterator[Bench]:
    async with FakeVendor("openai") as fake:
        made = Bench(fake, VirtualClock(), names or ("p",), retries)
        async with made.manager:
            yield made


def echo(request: Recorded) -> Script:
    return [Say(f"re {request.get('messages', -1, 'content')}"), Used(10, 2)]


async def test_every_prompt_is_answered_once_and_nothing_of_it_is_kept() -> None:
    async with bench() as b:
        b.fake.script = echo
        await b.run().run(b.jobs("a", "", '{"id": 7, "prompt": "b", "metadata": {"k": 1}}', "{", "c"))
        assert b.sink.texts == ["re a", "re b", "re c"]
        assert [problem.line for problem in b.told] == [4]
        seven = next(record for record in b.sink.records if record["id"] == "7")
        assert seven["metadata"] == {"k": 1}
        assert seven["usage"] == {"input_tokens": 10, "output_tokens": 2}
        assert seven["finish_reason"] == "stop"
        store = b.manager.store
        assert isinstance(store, PassingStore)
        assert store._said == {}


async def test_what_was_said_before_goes_along() -> None:
    async with bench() as b:
        await b.run().run(
            b.jobs(
                '{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "1"}, '
                '{"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}], "options": {"seed": 5}}'
            )
        )
        sent = b.fake.asked[0].data
        assert [(m["role"], m["content"]) for m in sent["messages"]] == [  # type: ignore[attr-defined]  # JSON
            ("system", "s"),
            ("user", "1"),
            ("assistant", "2"),
            ("user", "3"),
        ]
        assert sent["seed"] == 5


async def test_no_more_run_at_once_than_were_asked_for() -> None:
    async with bench() as b:
        gate = Gate()
        reply = stream_reply("openai", [Say("x"), Used(1, 1)])
        b.fake.shape = lambda _: reply.but(body=[gate, *reply.body])
        running = asyncio.ensure_future(b.run().run(b.jobs(*"abcdefgh")))
        await b.fake.wait_for_requests(4)
        assert len(b.fake.asked) == 4
        gate.open()
        await running
        assert len(b.sink.records) == 8


async def test_a_storm_of_429_loses_nothing_and_is_met_with_fewer_requests() -> None:
    async with bench() as b:
        b.fake.script = echo
        b.fake.fail_first(12, error_reply("openai", "rate_limited", retry_after="20"))
        lines = [f"p{number}" for number in range(30)]
        run = b.run()
        await run.run(b.jobs(*lines))
        assert b.sink.texts == [f"re {line}" for line in lines]
        assert b.sink.statuses() == {"complete"}
        assert len(b.fake.asked) == 42
        assert run.stopped is None
        assert min(b.clock.slept) >= 0
        assert max(b.clock.slept) >= 20


async def test_a_wrong_key_ends_the_run_at_once() -> None:
    async with bench() as b:
        b.fake.routes["/v1/chat/completions"] = error_reply("openai", "unauthorized")
        run = b.run()
        await run.run(b.jobs(*(f"p{number}" for number in range(100))))
        assert isinstance(run.stopped, LLMAuthenticationError)
        assert run.stopped.exit_code == 4
        assert len(b.fake.asked) <= 8


async def test_an_empty_account_ends_the_run_at_once() -> None:
    async with bench() as b:
        b.fake.routes["/v1/chat/completions"] = error_reply("openai", "quota")
        run = b.run()
        await run.run(b.jobs(*(f"p{number}" for number in range(100))))
        assert isinstance(run.stopped, LLMRateLimitError)
        assert len(b.fake.asked) <= 8


async def test_a_host_that_is_gone_is_not_asked_a_thousand_times() -> None:
    async with bench(retries=0) as b:
        b.manager.config.providers["p"].api_base = "http://127.0.0.1:9/v1"
        run = b.run()
        await run.run(b.jobs(*(f"p{number}" for number in range(1000))))
        assert run.stopped is not None
        assert 10 <= run.progress.failed <= 14


async def test_a_model_that_fails_leaves_the_others_in_the_race() -> None:
    async with bench("good", "bad") as b:
        b.fake.script = echo
        b.fake.strict = True
        b.fake.models = ["model-good"]
        run = b.run()
        await run.run(b.jobs(*(f"p{number}" for number in range(20))))
        assert run.stopped is None
        assert set(run.given_up) == {"bad/model-bad"}
        good = [record for record in b.sink.records if record["provider"] == "good"]
        assert len(good) == 20
        assert len(b.sink.records) < 30


async def test_a_refused_prompt_is_a_failure_of_its_own() -> None:
    async with bench() as b:
        b.fake.queue([Say("x"), Used(1, 1)])
        b.fake.fail_first(1, error_reply("openai", "bad_request"))
        await b.run().run(b.jobs("a", "b"))
        (failed,) = [record for record in b.sink.records if record["status"] == "error"]
        assert failed["error"]["type"] == "LLMInvalidRequestError"
        assert failed["text"] == ""
        assert len(b.sink.records) == 2


async def test_an_answer_that_had_to_be_json_and_is_not_is_a_failure() -> None:
    async with bench() as b:
        b.fake.queue([Say("sorry"), Used(1, 1)])
        await b.run().run(b.jobs('{"prompt": "a", "schema": {"type": "object"}}'))
        assert b.sink.records[0]["status"] == "invalid"


async def test_an_interrupt_keeps_what_is_finished_and_nothing_else() -> None:
    async with bench() as b:
        gate = Gate()
        held = stream_reply("openai", [Say("half"), Say(" and half"), Used(1, 1)])
        b.fake.script = echo
        b.fake.queue([Say("done"), Used(1, 1)], *[held.but(body=[*held.body[:2], gate])] * 4)
        run = b.run()
        running = asyncio.ensure_future(run.run(b.jobs(*(f"p{number}" for number in range(50)))))
        await b.fake.wait_for_requests(5)
        await b.fake.wait_sent(4, 10)
        run.interrupt()
        await running
        assert [record["text"] for record in b.sink.records] == ["done"]
        assert run.progress.failed == 0


async def test_limit_counts_what_is_not_done_yet() -> None:
    async with bench() as b:
        b.fake.script = echo
        await b.run().run(b.jobs("a", "b", "c", limit=1))
        (first,) = b.sink.records
        jobs = [job async for job in b.jobs("a", "b", "c")]
        assert first["prompt_hash"] == jobs[0].hash
        b.sink = Kept([jobs[0].key])
        await b.run().run(b.jobs("a", "b", "c", limit=1))
        assert b.sink.texts == ["re b"]
        assert b.source.skipped == 1


# ---- the budget ---------------------------------------------------------------------------------------------------


def cent_a_token(provider: str, model: str, usage: TokenUsage) -> float:
    return usage.output_tokens * 0.01


async def test_a_budget_is_never_passed_where_the_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench() as b:
        monkeypatch.setattr(b.manager, "price", cent_a_token)
        b.fake.script = [Say("x"), Used(1, 5)]
        budget = Budget(1.0, 0.3, cent_a_token, most=lambda name: 5)
        run = b.run(budget)
        await run.run(b.jobs(*(f"p{number}" for number in range(100))))
        assert run.budget_spent
        assert getattr(run.stopped, "exit_code", None) == 3
        spent = 0.3 + sum(record["cost_usd"] for record in b.sink.records)
        assert 0.95 < spent <= 1.0 + 1e-9
        assert budget.spent == pytest.approx(spent)


async def test_what_runs_reserves_its_part_and_what_is_left_over_is_used() -> None:
    budget = Budget(0.1, 0.0, cent_a_token, most=lambda name: 6)
    job = _job()
    first = await budget.reserve(job)
    second = asyncio.ensure_future(budget.reserve(job))
    await asyncio.sleep(0)
    assert not second.done()
    budget.settle(first, 0.01, 1)
    assert await second == pytest.approx(0.06)
    assert budget.spent == pytest.approx(0.01)


def _job(**options: Any) -> Job:
    from coda_cli.engine.batch.prompts import Prompt

    return Job("1", Prompt(0, 1, "1", "hi", options=options), Target("p", "m"), "h")


def test_the_estimate_knows_the_limit_of_the_line_or_the_longest_answer() -> None:
    budget = Budget(1.0, 0.0, cent_a_token, most=lambda name: None)
    assert budget.estimate(_job(max_tokens=7)) == pytest.approx(0.07)
    budget.settle(0, 0.0, 40)
    assert budget.estimate(_job()) == pytest.approx(0.4)
