"""Handing prompts to a vendor's batch API, and fetching what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Final

from msgspec import Struct

from coda_cli.engine.batch import vendor_state
from coda_cli.engine.batch.jobs import Job
from coda_cli.engine.batch.prompts import key_of
from coda_cli.engine.batch.results import COMPLETE, Record, ResultFile, counts
from coda_cli.engine.batch.run import is_json
from coda_cli.engine.batch.vendor import MOST_BYTES, MOST_REQUESTS, Answered, BatchState, VendorBatches
from coda_cli.engine.batch.vendor_state import Line, Submitted
from coda_cli.engine.core.config import ProviderConfig
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.messages import user
from coda_cli.engine.core.ports import Clock, PriceOf, Provider, ProviderRequest, UsageRecord, UsageSink
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.endpoints import has_own_address
from coda_cli.engine.request import build
from coda_cli.engine.usage.prices import price

_FIRST_POLL: Final = 1.0
_MOST_POLL: Final = 60.0
_GROWTH: Final = 1.5
_LOT: Final = 256
"""So many results are synced to disk in one go."""


class Fetched(Struct):
    """What came of a collection. `missing` requests have no result at the vendor."""

    complete: int = 0
    failed: int = 0
    missing: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0


def half_price(manager: LLMManager) -> PriceOf:
    """What a request costs through a vendor's batch API, in USD: by the list, or half of the person's own price."""

    def of(provider: str, model: str, usage: TokenUsage) -> float | None:
        full, config = manager.price(provider, model, usage), manager.config.providers.get(provider)
        if full is None or config is None:
            return None
        own = not manager.config.prices.keys().isdisjoint((f"{provider}/{model}", model))
        listed = None if own else price(config.provider, model, usage, own_host=has_own_address(config), batch=True)
        return full / 2 if listed is None else listed

    return of


def request_of(job: Job, provider: Provider) -> ProviderRequest:
    """The request that a chat would send for *job*. Raises LLMUnsupportedError."""
    prompt = job.prompt
    config: ProviderConfig = provider.config
    request, _ = build(
        config,
        provider.profile(job.target.model),
        job.target.model,
        [*prompt.before, user(prompt.text, prompt.media)],
        system_prompt=prompt.system,
        options=prompt.options,
        schema=prompt.schema,
    )
    return request


async def submit(
    batch: Submitted,
    jobs: AsyncGenerator[Job, None],
    provider: Provider,
    api: VendorBatches,
    refused: Callable[[Job, LLMError], None],
) -> None:
    """Hand *jobs* over in parts, each kept track of before the next. *refused* hears of what no request can be made of.

    Raises LLMError; what was handed over by then is in *batch*.
    """
    entries: list[bytes] = []
    lines: list[Line] = []
    size = 0
    async with aclosing(jobs):
        async for job in jobs:
            custom_id = f"r{job.prompt.index}"
            try:
                entry = api.entry(custom_id, request_of(job, provider))
            except LLMError as exc:
                refused(job, exc)
                continue
            if entries and (len(entries) >= MOST_REQUESTS or size + len(entry) > MOST_BYTES):
                await _hand_over(batch, entries, lines, api)
                entries, lines, size = [], [], 0
            entries.append(entry)
            size += len(entry)
            prompt = job.prompt
            lines.append(
                Line(
                    custom_id=custom_id,
                    id=job.id,
                    index=prompt.index,
                    prompt_hash=job.hash,
                    json_=prompt.schema is not None,
                    metadata=prompt.metadata,
                )
            )
    if entries:
        await _hand_over(batch, entries, lines, api)
    batch.stage = "waiting"
    vendor_state.save(batch)


async def _hand_over(batch: Submitted, entries: list[bytes], lines: list[Line], api: VendorBatches) -> None:
    vendor_state.add_lines(batch, lines)
    batch.parts.append(await api.submit(entries, f"{batch.id}-{len(batch.parts) + 1}"))
    batch.requests += len(entries)
    vendor_state.save(batch)


async def states(batch: Submitted, api: VendorBatches) -> list[BatchState]:
    """How each part stands."""
    return [await api.state(part) for part in batch.parts]


async def wait(batch: Submitted, api: VendorBatches, clock: Clock, told: Callable[[list[BatchState]], None]) -> None:
    """Return once every part has ended; *told* hears how they stand. Asks less and less often."""
    pause = _FIRST_POLL
    while True:
        found = await states(batch, api)
        told(found)
        if all(state.ended for state in found):
            return
        await clock.sleep(pause)
        pause = min(pause * _GROWTH, _MOST_POLL)


async def collect(
    batch: Submitted, api: VendorBatches, out: ResultFile, price_of: PriceOf, clock: Clock, usage: UsageSink | None
) -> Fetched:
    """Append what became of every request to *out*, unless it is there. Raises LLMError, and OutputError.

    *price_of* is what the vendor asks for a request of a batch: see `half_price`.
    """
    lines = {line.custom_id: line for line in vendor_state.lines(batch)}
    fetched = Fetched()
    lot: list[Coroutine[Any, Any, None]] = []
    for number, part in enumerate(batch.parts):
        async with aclosing(api.results(part)) as results:
            async for custom_id, answer in results:
                line = lines.pop(custom_id, None)
                if line is None:  # twice, or none of ours
                    continue
                record = _record(batch, line, answer, price_of)
                _count(fetched, record)
                if out.is_done(_key(line)):
                    continue
                lot.append(out.put(number, record))
                if len(lot) >= _LOT:
                    await asyncio.gather(*lot)
                    lot.clear()
                if usage is not None and answer.usage.reported:
                    usage.record(_usage(batch, answer.usage, record, clock))
            await asyncio.gather(*lot)
            lot.clear()
    fetched.missing = len(lines)
    return fetched


def _key(line: Line) -> int:
    return key_of(line.id, line.prompt_hash)


def _record(batch: Submitted, line: Line, answer: Answered, price_of: PriceOf) -> Record:
    cost = price_of(batch.provider, batch.model, answer.usage) if answer.usage.reported else None
    status, error = COMPLETE, answer.error
    if error is None and line.json_ and not is_json(answer.text):
        status, error = "invalid", {"type": "NotJSON", "message": "the answer is not JSON"}
    elif error is not None:
        status = "error"
    return {
        "id": line.id,
        "index": line.index,
        "prompt_hash": line.prompt_hash,
        "text": answer.text,
        "model": answer.model or batch.model,
        "provider": batch.provider,
        "usage": counts(answer.usage),
        "cost_usd": cost,
        "latency": None,
        "first_token": None,
        "finish_reason": answer.finish_reason.value,
        "status": status,
        "error": error,
        **({"metadata": line.metadata} if line.metadata is not None else {}),
    }


def _count(fetched: Fetched, record: Record) -> None:
    fetched.complete += record["status"] == COMPLETE
    fetched.failed += record["status"] != COMPLETE
    fetched.input_tokens += record["usage"]["input_tokens"]
    fetched.output_tokens += record["usage"]["output_tokens"]
    fetched.cost += record["cost_usd"] or 0.0
    fetched.unpriced += record["cost_usd"] is None and bool(record["usage"]["input_tokens"])


def _usage(batch: Submitted, usage: TokenUsage, record: Record, clock: Clock) -> UsageRecord:
    error = record["error"]
    return UsageRecord(
        time=clock.now(),
        conversation_id=batch.id,
        provider=batch.provider,
        model=batch.model,
        usage=usage,
        cost=record["cost_usd"],
        latency=0.0,
        first_token=None,
        retries=0,
        status=record["status"],
        error=None if error is None else str(error.get("type")),
    )
