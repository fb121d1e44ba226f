"""A vendor's batch API: many requests handed over at once, answered within a day at half the price.

The requests are those that a chat would send (the same mapping makes them), only not streamed. What carries them is
the vendor's SDK.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol

from msgspec import Struct, field

from coda_cli.engine.accumulate import Accumulator
from coda_cli.engine.core.errors import LLMBadResponseError, LLMError, LLMUnsupportedError
from coda_cli.engine.core.ports import Provider, ProviderRequest
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.wire import (
    JSON,
    NDJSONDecoder,
    RawResponse,
    StreamMapping,
    events,
    parse_json,
    whole,
)

MOST_REQUESTS: Final = 10_000
MOST_BYTES: Final = 32 * 1024 * 1024
"""One batch of the vendor's holds no more: under its limits, and small enough to be made in memory."""


class BatchState(Struct, frozen=True):
    """How a vendor's batch stands. `ended`: nothing more will come. `problem` is why it failed as a whole."""

    status: str
    ended: bool
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    problem: str | None = None


class Answered(Struct, frozen=True):
    """What became of one request: an answer, or `error` (`type`, `message`)."""

    text: str = ""
    model: str = ""
    finish_reason: FinishReason = FinishReason.ERROR
    usage: TokenUsage = field(default_factory=TokenUsage)
    error: JSON | None = None


class VendorBatches(Protocol):
    """One vendor's batch API. Raises only LLMError."""

    def entry(self, custom_id: str, request: ProviderRequest) -> bytes:
        """One request as JSON, on a line of its own."""
        ...

    async def submit(self, entries: Sequence[bytes], label: str) -> str:
        """Hand *entries* over; the vendor's id of the batch."""
        ...

    async def state(self, batch_id: str) -> BatchState:
        """How it stands."""
        ...

    async def cancel(self, batch_id: str) -> None:
        """Stop it; what was answered by then can be collected."""
        ...

    def results(self, batch_id: str) -> AsyncGenerator[tuple[str, Answered], None]:
        """(custom id, what became of it) of every request, in any order. Only once it has ended."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


def batches_of(provider: Provider) -> VendorBatches:
    """The batch API of *provider*. Raises LLMUnsupportedError where there is none."""
    from coda_cli.engine.providers.anthropic import AnthropicProvider
    from coda_cli.engine.providers.openai import OpenAIProvider

    if isinstance(provider, OpenAIProvider):
        from coda_cli.engine.batch.vendor_openai import OpenAIBatches

        return OpenAIBatches(provider)
    if isinstance(provider, AnthropicProvider):
        from coda_cli.engine.batch.vendor_anthropic import AnthropicBatches

        return AnthropicBatches(provider)
    raise LLMUnsupportedError(
        "only OpenAI and Anthropic have a batch API", hint="leave --vendor-batch out: `coda batch` asks any model"
    )


def one_line(value: JSON) -> bytes:
    """*value* as a line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def unstreamed(body: JSON) -> JSON:
    """A chat's body as a batch takes it."""
    return {name: value for name, value in body.items() if name not in ("stream", "stream_options")}


async def answered(body: JSON, mapping: StreamMapping, provider: str) -> Answered:
    """What a whole answer says; an answer that says it is broken is an error."""
    gathered = Accumulator(provider)
    try:
        raw = RawResponse({"content-type": "application/json"}, _once(json.dumps(body).encode()))
        async with aclosing(events(raw, mapping)) as answer:
            async for event in answer:
                gathered.add(event)
    except LLMError as exc:
        return Answered(error=exc.describe())
    gathered.flush()
    finished = gathered.finished
    return Answered(
        text=gathered.text,
        model=(finished.model if finished is not None else None) or "",
        finish_reason=finished.reason if finished is not None else FinishReason.UNKNOWN,
        usage=gathered.usage,
    )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def objects(response: RawResponse) -> AsyncGenerator[JSON, None]:
    """The JSON objects in a body of JSON Lines. Raises LLMBadResponseError for a line that is none."""
    decoder = NDJSONDecoder()
    async for chunk in response.chunks:
        for _, line in decoder.feed(chunk):
            yield parse_json(line)
    for _, line in decoder.flush():
        yield parse_json(line)


async def one_object(response: RawResponse) -> JSON:
    """The JSON object that is the body."""
    return parse_json(await whole(response.chunks))


def text_of(value: JSON, name: str) -> str:
    """A text that has to be there. Raises LLMBadResponseError."""
    found: Any = value.get(name)
    if not isinstance(found, str) or not found:
        raise LLMBadResponseError(f"the vendor's batch has no {name!r}")
    return found


def number_of(value: Any, name: str) -> int:
    """A count, 0 where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, int) else 0
