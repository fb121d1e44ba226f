"""The official SDK and the lean transport carry the same JSON, and what they read means the same."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMBadResponseError, LLMIncompleteResponseError
from coda_cli.engine.core.events import Finished, TextDelta
from coda_cli.engine.core.messages import (
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    system,
    user,
)
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.providers.openai import OpenAIProvider
from tests.servers.script import Say, Stop
from tests.servers.vendors import FakeVendor

IMAGE = ImagePart(data=b"\x89PNG", media_type="image/png")
CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def said(role: MessageRole, *parts: Part) -> LLMMessage:
    return LLMMessage(role=role, parts=list(parts))


RICH = (
    system("Be brief."),
    said(MessageRole.USER, TextPart(text="héllo \u2028 \U0001f600"), IMAGE),
    said(MessageRole.ASSISTANT, TextPart(text="a"), ToolCallPart(id="c", name="f", arguments='{"é": 1}')),
    said(MessageRole.TOOL, ToolResultPart(id="c", name="f", text="ok")),
    user("go on"),
)


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_the_sdk_and_the_lean_transport_send_the_same_json(api: Literal["chat", "responses"]) -> None:
    options = {"temperature": 0.25, "max_tokens": 9, "top_p": 0.5, "metadata": {"k": "v"}, "effort": "low"}
    request = ProviderRequest(
        model="m", messages=RICH, options=options, schema=CLOSED, tools=[ToolSpec("f", "F.", CLOSED)]
    )
    recorded = []
    transports: list[Literal["sdk", "lean"]] = ["sdk", "lean"]
    async with FakeVendor("openai") as fake:
        fake.script = [Say("yes"), Stop()]
        for transport in transports:
            config = ProviderConfig(
                provider=LLMProvider.OPENAI, api_base=f"{fake.url}/v1", api_key="k", api=api, transport=transport
            )
            provider = OpenAIProvider(config)
            events = [event async for event in provider.stream(request)]
            await provider.aclose()
            assert TextDelta("yes") in events
            assert isinstance(events[-1], Finished)
        for asked in fake.asked:
            recorded.append((asked.method, asked.path, asked.json, asked.headers["authorization"]))
            assert asked.headers["content-type"] == "application/json"
    assert recorded[0] == recorded[1]
    assert isinstance(recorded[0][2], dict)


async def test_an_odd_shape_is_one_of_codas_errors_over_the_wire() -> None:
    async with FakeVendor("openai") as fake:
        config = ProviderConfig(provider=LLMProvider.OPENAI, api_base=f"{fake.url}/v1")
        provider = OpenAIProvider(config)
        fake.framing = lambda events: [b'data: {"choices": [{"delta": {"content": 5}}]}\n\n', b"data: [DONE]\n\n"]
        with pytest.raises(LLMBadResponseError, match="unknown shape"):
            [event async for event in provider.stream(ProviderRequest("m", [user("x")]))]
        fake.framing = lambda events: [b'data: {"choices": [{"delta": {"content": "5"}}]}\n\n']
        with pytest.raises(LLMIncompleteResponseError):
            [event async for event in provider.stream(ProviderRequest("m", [user("x")]))]
        await provider.aclose()
