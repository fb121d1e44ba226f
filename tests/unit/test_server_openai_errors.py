"""The endpoint that speaks as OpenAI's does, where something is wrong: the real `openai` SDK's own errors."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import httpx2
import openai
import pytest

from coda_cli import (
    CodaError,
    LLMAuthenticationError,
    LLMContextLengthError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMOverloadedError,
    LLMRateLimitError,
    Reply,
)
from coda_cli.server.options import Limits
from tests.unit.server_kit import running
from tests.unit.test_server_openai import HELLO, sdk


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (
            LLMAuthenticationError("the key is refused", status=401),
            openai.PermissionDeniedError,
            "provider_authentication",
        ),
        (LLMModelNotFoundError("no such model"), openai.NotFoundError, "model_not_found"),
        (LLMRateLimitError("slow down", retry_after=7, final=True), openai.RateLimitError, "rate_limit_exceeded"),
        (LLMContextLengthError("too long"), openai.BadRequestError, "context_length_exceeded"),
        (LLMInvalidRequestError("temperature?"), openai.BadRequestError, "invalid_request"),
        (LLMOverloadedError("busy", final=True), openai.InternalServerError, "overloaded"),
        (ZeroDivisionError("sk-canary"), openai.InternalServerError, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_is_the_sdks_own_error(
    error: Exception, kind: type[openai.APIStatusError], code: str | None, stream: bool
) -> None:
    async with running([Reply(error=error)], allow_ask=True) as kit, sdk(kit) as client:
        with pytest.raises(kind) as caught:
            await client.chat.completions.create(model="fake", messages=HELLO, stream=stream)
        if code is not None:
            assert caught.value.code == code
            assert isinstance(error, CodaError)
            assert error.message in caught.value.message
        if isinstance(error, LLMRateLimitError):
            assert caught.value.response.headers["retry-after"] == "7"
        assert "canary" not in caught.value.response.text


async def test_coda_has_tried_again_already_so_the_sdk_does_not() -> None:
    async with running([Reply(error=LLMOverloadedError("busy", final=True))], allow_ask=True) as kit:
        async with sdk(kit, max_retries=3) as client:
            with pytest.raises(openai.InternalServerError):
                await client.chat.completions.create(model="fake", messages=HELLO)
        assert len(kit.provider.requests) == 1


async def test_an_answer_that_breaks_off_is_an_error_in_the_stream() -> None:
    half = Reply("half an ans", error=LLMOverloadedError("gone"))
    async with running([half], allow_ask=True) as kit, sdk(kit) as client:
        stream = await client.chat.completions.create(model="fake", messages=HELLO, stream=True)
        said = ""

        async def read() -> None:
            nonlocal said
            async for chunk in stream:
                said += chunk.choices[0].delta.content or ""

        with pytest.raises(openai.APIError, match="gone"):
            await read()
        assert said == "half an ans"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"model": ""}, "model"),
    ({"temperature": 3}, "temperature"),
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"messages": [{"role": "nobody", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
    ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "messages.0.tool_call_id"),
    ({"messages": "hello"}, "messages"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools.0.function.name"),
]


@pytest.mark.parametrize(("wrong", "param"), BAD, ids=[param for _, param in BAD])
async def test_a_wrong_request_names_its_field(wrong: dict[str, Any], param: str) -> None:
    async with running(allow_ask=True) as kit:
        body = {"model": "fake", "messages": HELLO, **wrong}
        url = f"{kit.server.url}/v1/chat/completions"
        async with kit.http.post(url, json=body, headers=kit.bearer) as answer:
            told = (await answer.json())["error"]
            assert (answer.status, told["type"], told["param"]) == (400, "invalid_request_error", param)
        for raw in (b"", b"no json", b"[" * 100_000, b"\xff\xfe", b'{"model": "fake"}'):
            async with kit.http.post(url, data=raw, headers=kit.bearer) as answer:
                assert answer.status == 400
        assert not kit.provider.requests


async def test_asking_needs_its_flag_and_the_token() -> None:
    async with running() as kit:
        async with sdk(kit) as client:
            with pytest.raises(openai.PermissionDeniedError, match="--allow-ask"):
                await client.chat.completions.create(model="fake", messages=HELLO)
            assert [model.id async for model in await client.models.list()] == ["fake/scripted"]
        async with sdk(kit, api_key="wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
        assert not kit.provider.requests


async def test_so_many_answers_at_a_time() -> None:
    slow = Reply("word " * 500, delay=0.02)
    async with running([slow], allow_ask=True, limits=Limits(asks=1)) as kit, sdk(kit) as client:
        stream = await client.chat.completions.create(model="fake", messages=HELLO, stream=True)
        with pytest.raises(openai.RateLimitError, match="under way"):
            await client.chat.completions.create(model="fake", messages=HELLO)
        await stream.close()


async def test_a_server_that_ends_lets_nobody_wait() -> None:
    slow = Reply("word " * 2000, delay=0.02)
    async with running([slow], allow_ask=True) as kit, sdk(kit) as client:
        stream = await client.chat.completions.create(model="fake", messages=HELLO, stream=True)
        first = await anext(aiter(stream))
        assert first.choices[0].delta.role == "assistant"
        await asyncio.wait_for(kit.manager.aclose(), 10)

        async def rest() -> None:
            async for _ in stream:
                pass

        with pytest.raises((openai.APIError, httpx2.TransportError, httpx.TransportError)):
            await asyncio.wait_for(rest(), 10)
        assert kit.manager.accounts.stats("fake").request_count == 1
