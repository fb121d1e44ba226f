"""The Anthropic provider, by both of its transports, against a fake of the Messages API."""

import asyncio
import json
import logging
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from coda_cli.engine.accumulate import Accumulator
from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMBadResponseError,
    LLMConnectionError,
    LLMContextLengthError,
    LLMError,
    LLMIncompleteResponseError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMOverloadedError,
    LLMRateLimitError,
    retryable,
)
from coda_cli.engine.core.events import Finished, TextDelta
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    ToolResultPart,
    system,
    user,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.profiles import ModelProfile, profile_for
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.anthropic import AnthropicProvider
from coda_cli.engine.providers.anthropic_messages import messages_body
from tests.servers.errors import KINDS, ErrorKind, captive_portal, error_reply
from tests.servers.http import Gate, Reply
from tests.servers.script import Call, ErrorEvent, Redacted, Say, Script, Think, Used
from tests.servers.threaded import dead_port
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply, whole_reply

MODEL = "claude-sonnet-5-5"
ADAPTIVE = profile_for("anthropic", MODEL)
CANARY = "sk-ant-canary-0123456789"
Transport = Literal["sdk", "lean"]


@pytest.fixture(params=["sdk", "lean"])
def transport(request: pytest.FixtureRequest) -> Transport:
    chosen: Transport = request.param
    return chosen


def ask(*messages: LLMMessage, **more: Any) -> ProviderRequest:
    return ProviderRequest(model=MODEL, messages=messages or [user("hi")], **more)


def body(*messages: LLMMessage, profile: ModelProfile = ADAPTIVE, **more: Any) -> dict[str, Any]:
    return messages_body(ask(*messages, **more), profile)


@asynccontextmanager
async def connected(url: str, transport: Transport = "lean", **more: Any) -> AsyncIterator[AnthropicProvider]:
    config = ProviderConfig(
        provider=LLMProvider.ANTHROPIC, model=MODEL, api_base=url, transport=transport, connect_timeout=5, **more
    )
    provider = AnthropicProvider(config)
    try:
        yield provider
    finally:
        await provider.aclose()


async def answer(
    provider: AnthropicProvider, request: ProviderRequest | None = None, *, said: Accumulator | None = None
) -> Accumulator:
    said = said or Accumulator("anthropic")
    async for event in provider.stream(request or ask()):
        said.add(event)
    return said


# ---- against a fake, by both transports -----------------------------------------------------------------------

FULL: Script = [
    Think("Let me "),
    Think("see.", signature="c2ln"),
    Redacted("cmVk"),
    Say("It is "),
    Say("noon."),
    Call("call_1", "get_time", ['{"zo', 'ne": "UTC"}']),
    Used(input=100, output=40, cached=64, reasoning=8, cache_write=6),
]


@pytest.mark.parametrize("whole", [False, True])
async def test_an_answer_in_full(transport: Transport, whole: bool) -> None:
    async with FakeVendor("anthropic") as fake, connected(fake.url, transport) as provider:
        fake.queue((whole_reply if whole else stream_reply)("anthropic", FULL, MODEL))
        said = await answer(provider)
        fake.queue(FULL)
        shown = LLMMessage(role=MessageRole.ASSISTANT, parts=said.parts())
        result = LLMMessage(role=MessageRole.TOOL, parts=[ToolResultPart(id="call_1", name="get_time", text="12:00")])
        await answer(provider, ask(user("time?"), shown, result))
        replayed = fake.asked[1].get("messages", 1, "content")
    assert said.text == "It is noon."
    assert said.reasoning == "Let me see."
    assert said.usage == TokenUsage(
        input_tokens=100, output_tokens=40, cached_tokens=64, cache_write_tokens=6, reasoning_tokens=8
    )
    assert said.finished == Finished(FinishReason.TOOL_CALLS, MODEL, "msg_fake0001")
    assert [(call.id, call.name, json.loads(call.arguments)) for call in said.tool_calls()] == [
        ("call_1", "get_time", {"zone": "UTC"})
    ]
    assert replayed == [
        {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
        {"type": "text", "text": "It is noon."},
        {"type": "tool_use", "id": "call_1", "name": "get_time", "input": {"zone": "UTC"}},
    ]


async def test_both_transports_send_the_same_body_to_the_same_place() -> None:
    request = ask(system("s"), user("hi"), options={"effort": "low"}, schema={"type": "object", "properties": {}})
    async with FakeVendor("anthropic") as fake:
        for transport in ("sdk", "lean"):
            async with connected(fake.url + "/v1", transport, api_key=SecretStr("k")) as provider:
                await answer(provider, request)
        by_sdk, by_lean = fake.asked
    assert by_sdk.path == by_lean.path == "/v1/messages"
    assert by_sdk.json == by_lean.json == messages_body(request, ADAPTIVE)
    assert by_sdk.headers["anthropic-version"] == by_lean.headers["anthropic-version"]


EXPECTED: dict[ErrorKind, type[LLMError]] = {
    "bad_request": LLMInvalidRequestError,
    "context_length": LLMContextLengthError,
    "unauthorized": LLMAuthenticationError,
    "forbidden": LLMAuthenticationError,
    "model_not_found": LLMModelNotFoundError,
    "too_large": LLMInvalidRequestError,
    "unprocessable": LLMInvalidRequestError,
    "rate_limited": LLMRateLimitError,
    "quota": LLMError,
    "server_error": LLMOverloadedError,
    "bad_gateway": LLMOverloadedError,
    "unavailable": LLMOverloadedError,
    "overloaded": LLMOverloadedError,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_refusals_of_the_server(transport: Transport, kind: ErrorKind) -> None:
    async with FakeVendor("anthropic") as fake, connected(fake.url, transport) as provider:
        fake.queue(error_reply("anthropic", kind, retry_after="7"))
        with pytest.raises(EXPECTED[kind]) as error:
            await answer(provider)
        assert len(fake.asked) == 1
    assert error.value.request_id == "req_fake0001"
    assert error.value.retry_after == 7
    assert retryable(error.value) == (
        kind in ("rate_limited", "server_error", "bad_gateway", "unavailable", "overloaded")
    )


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("overloaded_error", LLMOverloadedError),
        ("rate_limit_error", LLMRateLimitError),
        ("api_error", LLMOverloadedError),
        ("invalid_request_error", LLMInvalidRequestError),
    ],
)
async def test_errors_inside_a_stream(transport: Transport, type_: str, expected: type[LLMError]) -> None:
    async with FakeVendor("anthropic") as fake, connected(fake.url, transport) as provider:
        fake.queue([Say("Hel"), ErrorEvent(type_, "Busy")])
        said = Accumulator("a")
        with pytest.raises(expected, match="Busy") as error:
            await answer(provider, said=said)
    assert said.text == "Hel"
    assert error.value.request_id == "req_fake0001"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (stream_reply("anthropic", [Say("Hi")], end=False), LLMIncompleteResponseError),
        (stream_reply("anthropic", [Say("Hi")], done=False), LLMIncompleteResponseError),
        (stream_reply("anthropic", [Say("Hi")]).but(end="cut", after=300), LLMIncompleteResponseError),
        (captive_portal(), LLMBadResponseError),
        (Reply.json({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}), LLMOverloadedError),
        (Reply.json({"type": "message"}), LLMBadResponseError),
        (Reply.json({"content": [{"type": "text", "text": 5}], "stop_reason": "end_turn"}), LLMBadResponseError),
    ],
)
async def test_what_is_no_answer(transport: Transport, reply: Reply, expected: type[LLMError]) -> None:
    async with FakeVendor("anthropic") as fake, connected(fake.url, transport) as provider:
        fake.queue(reply)
        with pytest.raises(expected):
            await answer(provider)


async def test_a_dead_server_is_a_connection_error(transport: Transport) -> None:
    async with connected(f"http://127.0.0.1:{dead_port()}", transport) as provider:
        with pytest.raises(LLMConnectionError):
            await answer(provider)
        with pytest.raises(LLMConnectionError):
            await provider.check()


async def test_cancelling_closes_the_connection_and_keeps_what_came(transport: Transport) -> None:
    async with FakeVendor("anthropic") as fake, connected(fake.url, transport) as provider:
        events = stream_reply("anthropic", [Say("Hel"), Say("lo")]).body
        fake.queue(stream_reply("anthropic", []).but(body=[*events[:4], Gate()]))
        said = Accumulator("a")
        started = asyncio.Event()

        async def read() -> None:
            async for event in provider.stream(ask()):
                said.add(event)
                if said.text:
                    started.set()

        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await fake.wait_idle()
        assert fake.asked[0].client_gone
    assert said.text == "Hel"


async def test_leaving_the_stream_early_closes_the_connection(transport: Transport) -> None:
    async with FakeVendor("anthropic") as fake, connected(fake.url, transport) as provider:
        events = stream_reply("anthropic", [Say("Hel"), Say("lo")]).body
        fake.queue(stream_reply("anthropic", []).but(body=[*events[:4], Gate()]))
        stream = provider.stream(ask())
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        await stream.aclose()
        await fake.wait_idle()
        assert fake.asked[0].client_gone


# ---- models ---------------------------------------------------------------------------------------------------


async def test_models_are_listed_page_by_page(transport: Transport) -> None:
    pages = {
        "": {
            "data": [
                {
                    "id": "claude-a",
                    "max_input_tokens": 1_000_000,
                    "max_tokens": 128_000,
                    "capabilities": {"batch": {"supported": True}, "pdf_input": {"supported": False}},
                }
            ],
            "has_more": True,
            "last_id": "claude-a",
        },
        "claude-a": {"data": [{"id": "claude-b"}], "has_more": False, "last_id": "claude-b"},
    }
    from tests.servers.http import FakeServer

    async with (
        FakeServer(lambda request, n: Reply.json(pages[request.query.get("after_id", "")])) as fake,
        connected(fake.url, transport) as provider,
    ):
        first, second = await provider.list_models()
    assert (first.id, first.context_window, first.max_output) == ("claude-a", 1_000_000, 128_000)
    assert first.capabilities == ("batch",)
    assert (second.id, second.context_window) == ("claude-b", None)


@pytest.mark.parametrize("reply", [captive_portal(), Reply.json([1]), Reply.text("{", content_type="application/json")])
async def test_a_listing_that_is_none_is_a_bad_response(transport: Transport, reply: Reply) -> None:
    async with FakeVendor("anthropic") as fake, connected(fake.url, transport) as provider:
        fake.routes["/v1/models"] = reply
        with pytest.raises(LLMBadResponseError):
            await provider.list_models()


async def test_the_model_of_a_server_of_ones_own_is_the_first_it_lists() -> None:
    async with FakeVendor("anthropic") as fake:
        provider = AnthropicProvider(
            ProviderConfig(provider=LLMProvider.ANTHROPIC, api_base=fake.url, transport="lean")
        )
        assert await provider.resolve_model() == "fake-model"
        fake.models = ["other", MODEL]
        assert await provider.resolve_model() == MODEL
        fake.routes["/v1/models"] = Reply.json({"error": "no such path"}, 404)
        assert await provider.resolve_model() == MODEL
        await provider.aclose()
    assert await AnthropicProvider(ProviderConfig(provider=LLMProvider.ANTHROPIC)).resolve_model() == MODEL


# ---- keys -----------------------------------------------------------------------------------------------------


async def test_no_key_for_the_vendor_itself_is_told_before_anything_is_sent(transport: Transport) -> None:
    provider = AnthropicProvider(ProviderConfig(provider=LLMProvider.ANTHROPIC, model=MODEL, transport=transport))
    for attempt in (answer(provider), provider.check()):
        with pytest.raises(LLMAuthenticationError) as error:
            await attempt
        assert "ANTHROPIC_API_KEY" in (error.value.hint or "")
        assert "coda config set-key" in (error.value.hint or "")


def secrets_in(fake: FakeVendor) -> list[str]:
    return [f"{name}: {value}" for request in fake.requests for name, value in request.headers.items()]


async def test_no_credential_of_the_environment_reaches_an_address_of_ones_own(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", CANARY)
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"X-Gateway: {CANARY}\nauthorization: {CANARY}\nX-Api-Key: {CANARY}")
    async with FakeVendor("anthropic") as fake:
        async with connected(fake.url, transport) as provider:
            await answer(provider)
            await provider.list_models()
        assert len(fake.requests) == 2
        assert CANARY not in str(secrets_in(fake))
        async with connected(fake.url, transport, api_key=SecretStr("own-key")) as provider:
            fake.api_key = "own-key"
            await answer(provider)
        assert CANARY not in str(secrets_in(fake))


async def test_the_environments_key_and_headers_go_to_the_environments_address(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeVendor("anthropic") as fake:
        fake.api_key = CANARY
        monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", fake.url + "/")
        monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Gateway: yes")
        config = ProviderConfig(provider=LLMProvider.ANTHROPIC, model=MODEL, transport=transport)
        provider = AnthropicProvider(config)
        said = await answer(provider)
        await provider.aclose()
        assert fake.asked[0].headers["x-gateway"] == "yes"
    assert said.finished is not None


@pytest.mark.parametrize("kind", ["unauthorized", "bad_request", "server_error"])
async def test_no_key_in_any_error_or_log(
    transport: Transport, kind: ErrorKind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        FakeVendor("anthropic") as fake,
        connected(fake.url, transport, api_key=SecretStr(CANARY)) as provider,
    ):
        fake.fail_first(1, error_reply("anthropic", kind))
        with pytest.raises(LLMError) as error:
            await answer(provider)
        await answer(provider)
        shown = [
            repr(provider),
            repr(provider.config),
            repr(vars(provider)),
            repr(error.value),
            str(error.value.describe()),
        ]
    shown += traceback.format_exception(error.value)
    assert CANARY not in "\n".join(shown)
    assert CANARY not in caplog.text
    assert any(CANARY in line for line in secrets_in(fake))


def test_making_a_provider_imports_no_sdk() -> None:
    code = (
        "import sys\n"
        "from coda_cli.engine.core.config import LLMProvider, ProviderConfig\n"
        "from coda_cli.engine.providers.registry import create\n"
        "for kind in (LLMProvider.ANTHROPIC, LLMProvider.OLLAMA):\n"
        "    create(ProviderConfig(provider=kind)).profile('x')\n"
        "print([name for name in ('anthropic', 'ollama', 'httpx', 'httpx2') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
