"""OpenAI's batch API: a file of requests goes up, a batch is made of it, files of answers and of errors come down.

The format is the "Batch" page of the API reference. Answers and errors may be in either file, in any order.
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
from coda_cli.engine.providers.openai import OpenAIProvider
from coda_cli.engine.providers.openai_chat import ChatMapping, chat_body
from coda_cli.engine.providers.openai_responses import ResponsesMapping, responses_body
from coda_cli.engine.providers.status import from_status
from coda_cli.engine.providers.wire import JSON, StreamMapping

_ENDED: Final = ("completed", "failed", "expired", "cancelled")


class OpenAIBatches:
    """The batch API of OpenAI, over `/chat/completions` or `/responses` as the provider's `api` says."""

    def __init__(self, provider: OpenAIProvider) -> None:
        self._provider = provider
        self._responses = provider.config.api == "responses"
        self._transport = provider.sdk_transport()

    def entry(self, custom_id: str, request: ProviderRequest) -> bytes:
        """One line of the file of requests."""
        make = responses_body if self._responses else chat_body
        body = unstreamed(make(request, self._provider.profile(request.model)))
        return one_line({"custom_id": custom_id, "method": "POST", "url": self._path, "body": body})

    @property
    def _path(self) -> str:
        return "/v1/responses" if self._responses else "/v1/chat/completions"

    async def submit(self, entries: Sequence[bytes], label: str) -> str:
        """Upload, and make a batch of it."""
        file = await self._transport.upload("/files", {"purpose": "batch"}, f"{label}.jsonl", b"".join(entries))
        wish: JSON = {
            "input_file_id": text_of(file, "id"),
            "endpoint": self._path,
            "completion_window": "24h",
            "metadata": {"coda": label},
        }
        async with self._transport.post("/batches", wish) as response:
            return text_of(await one_object(response), "id")

    async def _batch(self, batch_id: str) -> JSON:
        return await self._transport.get(f"/batches/{quote(batch_id, safe='')}")

    async def state(self, batch_id: str) -> BatchState:
        """How it stands."""
        batch = await self._batch(batch_id)
        status, counts = text_of(batch, "status"), batch.get("request_counts")
        return BatchState(
            status,
            status in _ENDED,
            number_of(counts, "total"),
            number_of(counts, "completed"),
            number_of(counts, "failed"),
            _problem(batch) if status == "failed" else None,
        )

    async def cancel(self, batch_id: str) -> None:
        """Stop it."""
        async with self._transport.post(f"/batches/{quote(batch_id, safe='')}/cancel", {}) as response:
            await one_object(response)

    async def results(self, batch_id: str) -> AsyncGenerator[tuple[str, Answered], None]:
        """The lines of the file of answers, then those of the file of errors."""
        batch = await self._batch(batch_id)
        for name in ("output_file_id", "error_file_id"):
            file = batch.get(name)
            if not isinstance(file, str) or not file:
                continue
            async with (
                self._transport.download(f"/files/{quote(file, safe='')}/content") as response,
                aclosing(objects(response)) as lines,
            ):
                async for line in lines:
                    yield text_of(line, "custom_id"), await self._answered(line)

    async def _answered(self, line: JSON) -> Answered:
        response, error = line.get("response"), line.get("error")
        body = response.get("body") if isinstance(response, dict) else None
        if isinstance(error, dict):
            code = str(error.get("code") or "error")
            return Answered(error={"type": _kind(code), "message": str(error.get("message") or code)})
        if not isinstance(response, dict) or not isinstance(body, dict):
            return Answered(error={"type": "LLMBadResponseError", "message": "the vendor's result is empty"})
        status = number_of(response, "status_code")
        if status >= 400:
            return Answered(error=from_status(status, {}, json.dumps(body).encode(), where=self._path).describe())
        mapping: StreamMapping = ResponsesMapping() if self._responses else ChatMapping()
        return await answered(body, mapping, "openai")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


def _kind(code: str) -> str:
    return {"batch_expired": "Expired", "batch_cancelled": "Cancelled"}.get(code, "VendorError")


def _problem(batch: JSON) -> str:
    """Why a batch was refused as a whole: the first of its errors."""
    errors = batch.get("errors")
    listed = errors.get("data") if isinstance(errors, dict) else None
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    return str(first.get("message") or first.get("code") or "the vendor does not say why")
