"""The vendors' batch APIs: the real SDKs over a real socket, against fakes of the wire format."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from coda_cli import paths
from coda_cli.engine.batch import vendor_run, vendor_state
from coda_cli.engine.batch.jobs import Job, Source, Target, target
from coda_cli.engine.batch.prompts import BadLineError, Defaults
from coda_cli.engine.batch.results import Record, ResultFile
from coda_cli.engine.batch.store import PassingStore
from coda_cli.engine.batch.vendor import VendorBatches, batches_of
from coda_cli.engine.batch.vendor_run import Fetched, collect, half_price, states, submit, wait
from coda_cli.engine.batch.vendor_state import Submitted
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMBadResponseError,
    LLMConnectionError,
    LLMUnsupportedError,
    UsageError,
)
from coda_cli.engine.core.ports import Provider, UsageRecord
from coda_cli.engine.core.prices import TokenPrices
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.registry import create
from tests.servers.batches import FakeBatches
from tests.servers.http import Reply
from tests.servers.request import Recorded
from tests.servers.script import Say, Script, Used
from tests.unit.wire_cases import VirtualClock

Kind = Literal["openai", "responses", "anthropic"]
each_kind = pytest.mark.parametrize("kind", ["openai", "responses", "anthropic"])
KEY = "sk-canary-0123456789"


async def numbered(*lines: str) -> AsyncGenerator[tuple[int, bytes | BadLineError], None]:
    for number, line in enumerate(lines, 1):
        yield number, line.encode()


def echo(request: Recorded) -> Script:
    said = json.dumps(request.json)
    word = next(word for word in ("one", "two", "three", "four") if f'"{word}"' in said)
    return [Say(f"re {word}"), Used(1000, 100)]


def dollar_a_thousand(provider: str, model: str, usage: TokenUsage) -> float:
    return usage.input_tokens / 1000


class Books:
    def __init__(self) -> None:
        self.records: list[UsageRecord] = []

    def record(self, record: UsageRecord) -> None:
        self.records.append(record)


class Bench:
    def __init__(self, kind: Kind, fake: FakeBatches, folder: Path) -> None:
        self.kind = kind
        self.fake = fake
        self.config = ProviderConfig(
            provider=LLMProvider.ANTHROPIC if kind == "anthropic" else LLMProvider.OPENAI,
            api_base=f"{fake.url}/v1",
            api_key=SecretStr(KEY),
            api="responses" if kind == "responses" else "chat",
            model="fake-model",
        )
        self.provider: Provider = create(self.config)
        self.api: VendorBatches = batches_of(self.provider)
        self.target: Target = target("v", "fake-model", self.config)
        self.output = folder / "out.jsonl"
        self.clock = VirtualClock()
        self.books = Books()
        self.refused: list[Job] = []

    async def submit(self, *lines: str) -> Submitted:
        out = ResultFile(self.output)
        source = Source(numbered(*lines), Defaults(), [self.target], is_done=out.is_done, tell=lambda problem: None)
        batch = vendor_state.new_batch("v", "fake-model", self.output, self.clock.now())
        try:
            await submit(batch, source.jobs(), self.provider, self.api, lambda job, error: self.refused.append(job))
        finally:
            out.close()
        return batch

    async def collect(self, batch: Submitted) -> Fetched:
        out = ResultFile(self.output)
        try:
            fetched = await collect(batch, self.api, out, dollar_a_thousand, self.clock, self.books)
            out.tidy(lambda name: True, lambda record: record["index"])
        finally:
            out.close()
        return fetched

    @property
    def records(self) -> list[Record]:
        return [json.loads(line) for line in self.output.read_bytes().splitlines()]


@asynccontextmanager
async def bench(kind: Kind, folder: Path) -> AsyncIterator[Bench]:
    async with FakeBatches("anthropic" if kind == "anthropic" else "openai") as fake:
        fake.script = echo
        fake.api_key = KEY
        made = Bench(kind, fake, folder)
        yield made
        await made.api.aclose()
        await made.provider.aclose()


@each_kind
async def test_a_batch_is_handed_over_waited_for_and_collected_in_order(kind: Kind, tmp_path: Path) -> None:
    async with bench(kind, tmp_path) as b:
        b.fake.polls = 6
        batch = await b.submit("one", '{"id": "x", "prompt": "two", "metadata": 5}', "three")
        told: list[str] = []
        await wait(batch, b.api, b.clock, lambda found: told.append(found[0].status))
        assert told[-1] in ("completed", "ended")
        assert b.clock.slept == [1.0, 1.5, 2.25, 3.375, 5.0625], "asked less and less often"
        fetched = await b.collect(batch)
        assert (fetched.complete, fetched.failed, fetched.missing) == (3, 0, 0)
        assert [record["text"] for record in b.records] == ["re one", "re two", "re three"]
        assert (b.records[1]["id"], b.records[1]["metadata"]) == ("x", 5)
        assert b.records[0]["usage"] == {"input_tokens": 1000, "output_tokens": 100}
        assert [record["cost_usd"] for record in b.records] == [1.0] * 3
        assert fetched.cost == 3.0
        assert [record.cost for record in b.books.records] == [1.0] * 3


@each_kind
async def test_a_request_is_the_one_that_a_chat_would_send(kind: Kind, tmp_path: Path) -> None:
    async with bench(kind, tmp_path) as b:
        schema: dict[str, Any] | None = None
        if kind != "anthropic":  # a server of one's own is not trusted to keep to one there
            schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
        options = {"max_tokens": 9, "temperature": 0.5}
        line = {"prompt": "one", "system": "be brief", "options": options, "schema": schema}
        await b.submit(json.dumps(line))
        (entry,) = next(iter(b.fake.batches.values())).entries
        config = LLMConfig(providers={"v": b.config}, default_provider="v")
        async with LLMManager(config, store=PassingStore()) as manager:
            await manager.generate_response("one", system_prompt="be brief", options=options, schema=schema)
        sent = dict(b.fake.asked[-1].data)
        for streamed in ("stream", "stream_options"):
            sent.pop(streamed, None)
        assert entry["params" if kind == "anthropic" else "body"] == sent
        if kind != "anthropic":
            assert entry["url"] == b.fake.asked[-1].path


@each_kind
async def test_what_failed_expired_or_is_missing_is_told_line_by_line(kind: Kind, tmp_path: Path) -> None:
    async with bench(kind, tmp_path) as b:
        b.fake.fate |= {"r1": "errored", "r2": "expired", "r3": "missing"}
        batch = await b.submit("one", "two", "three", "four")
        await wait(batch, b.api, b.clock, lambda found: None)
        fetched = await b.collect(batch)
        assert (fetched.complete, fetched.failed, fetched.missing) == (1, 2, 1)
        assert [record["status"] for record in b.records] == ["complete", "error", "error"]
        errored, expired = (record["error"] for record in b.records[1:])
        assert errored["type"] == "LLMInvalidRequestError"
        assert "max_tokens" in errored["message"]
        assert expired["type"] == "Expired"
        b.fake.fate.clear()
        again = await b.submit("one", "two", "three", "four")
        assert again.requests == 3, "what is complete is not asked again"
        await wait(again, b.api, b.clock, lambda found: None)
        await b.collect(again)
        assert [record["text"] for record in b.records] == ["re one", "re two", "re three", "re four"]


@each_kind
async def test_a_collection_that_is_repeated_adds_nothing_twice(kind: Kind, tmp_path: Path) -> None:
    async with bench(kind, tmp_path) as b:
        batch = await b.submit("one", "two")
        await wait(batch, b.api, b.clock, lambda found: None)
        await b.collect(batch)
        before = b.output.read_bytes()
        await b.collect(batch)
        assert b.output.read_bytes() == before
        assert len(b.books.records) == 2


@each_kind
async def test_a_cancelled_batch_gives_what_it_has(kind: Kind, tmp_path: Path) -> None:
    async with bench(kind, tmp_path) as b:
        b.fake.polls = 100
        batch = await b.submit("one")
        await b.api.cancel(batch.parts[0])
        fetched = await b.collect(batch)
        assert fetched.failed == 1
        assert b.records[0]["error"]["type"] == "Cancelled"
        assert (await states(batch, b.api))[0].ended


async def test_a_file_that_the_vendor_refuses_is_told(tmp_path: Path) -> None:
    async with bench("openai", tmp_path) as b:
        b.fake.refuse = "the file has too many tokens"
        batch = await b.submit("one")
        (state,) = await states(batch, b.api)
        assert state.ended
        assert state.problem == "the file has too many tokens"
        assert (await b.collect(batch)).missing == 1


async def test_many_requests_go_in_parts_that_are_known_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor_run, "MOST_REQUESTS", 2)
    async with bench("openai", tmp_path) as b:
        taken = 0
        real = b.api.submit

        async def breaks(entries: Any, label: str) -> str:
            nonlocal taken
            taken += 1
            if taken == 2:
                raise LLMConnectionError("cut")
            return await real(entries, label)

        monkeypatch.setattr(b.api, "submit", breaks)
        with pytest.raises(LLMConnectionError):
            await b.submit("one", "two", "three", "four")
        kept = vendor_state.find(None)
        assert (kept.stage, len(kept.parts), kept.requests) == ("submitting", 1, 2)
        assert vendor_state.open_for(b.output) is not None
        await wait(kept, b.api, b.clock, lambda found: None)
        fetched = await b.collect(kept)
        assert fetched.complete == 2
        rest = await b.submit("one", "two", "three", "four")
        assert rest.requests == 2


@each_kind
async def test_a_result_in_an_odd_shape_is_an_error_of_its_own(kind: Kind, tmp_path: Path) -> None:
    async with bench(kind, tmp_path) as b:
        b.fake.fate["r0"] = "empty"
        batch = await b.submit("one", "two")
        await wait(batch, b.api, b.clock, lambda found: None)
        fetched = await b.collect(batch)
        assert (fetched.complete, fetched.failed) == (1, 1)


@each_kind
async def test_a_list_of_results_that_is_no_list_is_told(kind: Kind, tmp_path: Path) -> None:
    async with bench(kind, tmp_path) as b:
        batch = await b.submit("one")
        await wait(batch, b.api, b.clock, lambda found: None)
        page = Reply.text("<html>sign in</html>", content_type="text/html")
        b.fake.routes["/v1/files/out-batch_1/content"] = page
        b.fake.routes["/v1/messages/batches/msgbatch_1/results"] = page
        with pytest.raises(LLMBadResponseError):
            await b.collect(batch)


@each_kind
async def test_the_key_is_in_no_file_and_a_wrong_one_is_told_without_it(kind: Kind, tmp_path: Path) -> None:
    async with bench(kind, tmp_path) as b:
        batch = await b.submit("one")
        files = list(vendor_state.batches_dir().iterdir())
        assert len(files) == 2
        for file in files:
            assert file.stat().st_mode & 0o777 == 0o600
            assert KEY not in file.read_text()
            assert "one" not in file.read_text().replace("done", ""), "no prompt either"
        b.fake.api_key = "another"
        with pytest.raises(LLMAuthenticationError):
            await states(batch, b.api)
        assert paths.data_dir() in files[0].parents


@pytest.mark.parametrize(
    ("kind", "model"), [(LLMProvider.OPENAI, "gpt-5"), (LLMProvider.ANTHROPIC, "claude-sonnet-4-5")]
)
def test_a_batch_costs_half_of_what_a_chat_does(kind: LLMProvider, model: str) -> None:
    config = LLMConfig(providers={"v": ProviderConfig(provider=kind)})
    manager, usage = LLMManager(config, store=PassingStore()), TokenUsage(input_tokens=100_000, output_tokens=5_000)
    full = manager.price("v", model, usage)
    assert full
    assert half_price(manager)("v", model, usage) == pytest.approx(full / 2)
    assert half_price(manager)("v", "no-such-model", usage) is None
    config.prices = {model: TokenPrices(input=10, output=20)}
    assert half_price(manager)("v", model, usage) == pytest.approx((1.0 + 0.1) / 2)


@pytest.mark.parametrize("provider", [LLMProvider.OPENAI, LLMProvider.ANTHROPIC])
def test_offline_and_without_a_key_nothing_is_sent(provider: LLMProvider) -> None:
    config = ProviderConfig(provider=provider)
    with pytest.raises(LLMAuthenticationError):
        batches_of(create(config))
    config.api_key = SecretStr(KEY)
    with pytest.raises(LLMConnectionError, match="offline"):
        batches_of(create(config, offline=True))


def test_other_vendors_have_no_batch_api() -> None:
    with pytest.raises(LLMUnsupportedError):
        batches_of(create(ProviderConfig(provider=LLMProvider.OLLAMA)))


def test_a_broken_state_hides_no_other(tmp_path: Path) -> None:
    kept = vendor_state.new_batch("v", "m", tmp_path / "o", 5.0)
    kept.parts = ["p"]
    vendor_state.save(kept)
    (vendor_state.batches_dir() / "batch-000000000000.json").write_text("{")
    (vendor_state.batches_dir() / "notes.json").write_text("{}")
    assert [batch.id for batch in vendor_state.all_batches()] == [kept.id]
    assert vendor_state.find(kept.id[:8]).id == kept.id
    with pytest.raises(UsageError):
        vendor_state.find("batch-zz")


async def test_ctrl_c_while_waiting_asks_no_more(tmp_path: Path) -> None:
    async with bench("openai", tmp_path) as b:
        b.fake.polls = 1000
        b.clock.gate = asyncio.Event()
        batch = await b.submit("one")
        waiting = asyncio.ensure_future(wait(batch, b.api, b.clock, lambda found: None))
        await b.fake.wait_for_requests(3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not any(one.cancelled for one in b.fake.batches.values())
