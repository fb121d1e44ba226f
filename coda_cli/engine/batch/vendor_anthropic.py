"""Anthropic's Message Batches: the requests go up in one body, the results come down as JSON Lines, in any order.

The format is the "Message Batches" part of the API reference.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

from coda_cli.engine.batch.vendor import (
    Answered,
    BatchState,
    answered,
    number_of,
    objects,
    one_line,
    one_object,
    text_of,
    unstreamed,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.providers.anthropic import AnthropicProvider
from coda_cli.engine.providers.anthropic_messages import MessagesMapping, messages_body
from coda_cli.engine.providers.status import from_event
from coda_cli.engine.providers.wire import JSON

_PATH: Final = "/v1/messages/batches"
_NOT_ASKED: Final = {
    "expired": ("Expired", "the vendor did not get to it within a day"),
    "canceled": ("Cancelled", "the batch was cancelled before its turn came"),
}


class AnthropicBatches:
    """The batch API of Anthropic."""

    def __init__(self, provider: AnthropicProvider) -> None:
        self._provider = provider
        self._transport = provider.sdk_transport()

    def entry(self, custom_id: str, request: ProviderRequest) -> bytes:
        """One of the requests."""
        body = unstreamed(messages_body(request, self._provider.profile(request.model)))
        return one_line({"custom_id": custom_id, "params": body})

    async def submit(self, entries: Sequence[bytes], label: str) -> str:
        """Make a batch of them. The vendor keeps no label."""
        async with self._transport.post(_PATH, {"requests": [json.loads(entry) for entry in entries]}) as response:
            return text_of(await one_object(response), "id")

    async def state(self, batch_id: str) -> BatchState:
        """How it stands."""
        batch = await self._transport.get(f"{_PATH}/{quote(batch_id, safe='')}")
        status, counts = text_of(batch, "processing_status"), batch.get("request_counts")
        names = ("processing", "succeeded", "errored", "canceled", "expired")
        waiting, good, *bad = (number_of(counts, name) for name in names)
        return BatchState(status, status == "ended", waiting + good + sum(bad), good, sum(bad))

    async def cancel(self, batch_id: str) -> None:
        """Stop it."""
        async with self._transport.post(f"{_PATH}/{quote(batch_id, safe='')}/cancel", {}) as response:
            await one_object(response)

    async def results(self, batch_id: str) -> AsyncGenerator[tuple[str, Answered], None]:
        """Its results, from the documented address: the one that it names itself could be anybody's."""
        async with (
            self._transport.download(f"{_PATH}/{quote(batch_id, safe='')}/results") as response,
            aclosing(objects(response)) as lines,
        ):
            async for line in lines:
                yield text_of(line, "custom_id"), await _answered(line.get("result"))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


async def _answered(result: object) -> Answered:
    found: JSON = result if isinstance(result, dict) else {}
    kind = str(found.get("type"))
    message = found.get("message")
    if kind == "succeeded" and isinstance(message, dict):
        return await answered(message, MessagesMapping(), "anthropic")
    if kind == "errored":
        error = found.get("error")
        return Answered(
            error=from_event(error if isinstance(error, dict) else {}, fallback="no reason given").describe()
        )
    name, why = _NOT_ASKED.get(kind, ("LLMBadResponseError", "the vendor's result is of an unknown kind"))
    return Answered(error={"type": name, "message": why})
