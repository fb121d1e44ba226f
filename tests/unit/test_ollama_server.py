"""The Ollama provider against a fake of its native API: the chat, and what its SDK serves."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from coda_cli.engine.accumulate import Accumulator
from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMBadResponseError,
    LLMConnectionError,
    LLMError,
    LLMIncompleteResponseError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMOverloadedError,
    LLMTimeoutError,
    LLMUnsupportedError,
    retryable,
)
from coda_cli.engine.core.events import Finished
from coda_cli.engine.core.messages import (
    ImagePart,
    LLMMessage,
    user,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.ollama import OllamaProvider
from coda_cli.engine.providers.ollama_chat import chat_body
from tests.servers.errors import captive_portal, error_reply
from tests.servers.framings import TRICKY_TEXT
from tests.servers.http import Gate, Reply
from tests.servers.script import Call, ErrorEvent, Say, Script, Think, Used
from tests.servers.threaded import dead_port
from tests.servers.vendors import FakeVendor, OllamaModel
from tests.servers.wire import ndjson, stream_reply

MODEL = "fake-model:latest"
CANARY = "ollama-canary-0123456789"
KNOWN = ModelProfile(context_window=131_072, thinking="adaptive")
PICTURE = ImagePart(data=b"\x89PNG", media_type="image/png")


def ask(*messages: LLMMessage, **more: Any) -> ProviderRequest:
    return ProviderRequest(model=more.pop("model", MODEL), messages=messages or [user("hi")], **more)


def body(*messages: LLMMessage, profile: ModelProfile = KNOWN, **more: Any) -> dict[str, Any]:
    return chat_body(ask(*messages, **more), profile)


@asynccontextmanager
async def connected(url: str, **more: Any) -> AsyncIterator[OllamaProvider]:
    settings: dict[str, Any] = {"model": MODEL, "api_base": url, "connect_timeout": 5, **more}
    provider = OllamaProvider(ProviderConfig(provider=LLMProvider.OLLAMA, **settings))
    try:
        yield provider
    finally:
        await provider.aclose()


async def answer(
    provider: OllamaProvider, request: ProviderRequest | None = None, *, said: Accumulator | None = None
) -> Accumulator:
    said = said or Accumulator("ollama")
    async for event in provider.stream(request or ask()):
        said.add(event)
    return said


# ---- the chat against a fake ----------------------------------------------------------------------------------

FULL: Script = [
    Think("Let me see."),
    Say("It is noon. "),
    Say(TRICKY_TEXT),
    Call("", "get_time", ['{"zone": "UTC"}']),
    Used(input=100, output=40),
]


async def test_an_answer_in_full_needs_one_request() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        fake.script = FULL
        said = await answer(provider)
        assert [request.path for request in fake.requests] == ["/api/chat"]
    assert said.text == "It is noon. " + TRICKY_TEXT
    assert said.reasoning == "Let me see."
    assert said.usage == TokenUsage(input_tokens=100, output_tokens=40)
    assert said.finished == Finished(FinishReason.TOOL_CALLS, MODEL)
    (call,) = said.tool_calls()
    assert call.id
    assert (call.name, call.arguments) == ("get_time", '{"zone": "UTC"}')


async def test_an_unstreamed_answer_is_read_too() -> None:
    done = {"model": "m", "message": {"content": "Hi"}, "done": True, "done_reason": "stop", "eval_count": 2}
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        fake.queue(Reply.json(done))
        said = await answer(provider)
    assert (said.text, said.usage.output_tokens) == ("Hi", 2)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (stream_reply("ollama", [Say("Hi")], end=False), LLMIncompleteResponseError),
        (stream_reply("ollama", [Say("Hi"), Say("!")]).but(end="cut", after=150), LLMIncompleteResponseError),
        (stream_reply("ollama", [Say("Hi"), ErrorEvent("x", "it crashed")]), LLMOverloadedError),
        (Reply(body=[ndjson({"message": {"content": 5}})]), LLMBadResponseError),
        (Reply(body=[b"{broken\n"]), LLMBadResponseError),
        (captive_portal(), LLMBadResponseError),
        (error_reply("ollama", "bad_request"), LLMInvalidRequestError),
        (error_reply("ollama", "unauthorized"), LLMAuthenticationError),
        (error_reply("ollama", "server_error"), LLMOverloadedError),
    ],
)
async def test_what_is_no_answer(reply: Reply, expected: type[LLMError]) -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        fake.queue(reply)
        with pytest.raises(expected):
            await answer(provider)


async def test_a_missing_model_is_answered_with_the_command_that_fetches_it() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        fake.strict = True
        with pytest.raises(LLMModelNotFoundError) as error:
            await answer(provider, ask(model="qwen3:4b"))
    assert error.value.hint == "ollama pull qwen3:4b"
    assert not retryable(error.value)


async def test_a_server_that_is_down_says_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{dead_port()}")
    async with connected("", api_base=None) as provider, connected("", api_base=None, model="") as unnamed:
        for attempt in (answer(provider), provider.check(), provider.running(), unnamed.resolve_model()):
            with pytest.raises(LLMConnectionError) as error:
                await attempt
            assert "ollama serve" in (error.value.hint or "")
            assert "OLLAMA_HOST" in (error.value.hint or "")


async def test_cancelling_closes_the_connection_and_keeps_what_came() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        events = stream_reply("ollama", [Say("Hel"), Say("lo")]).body
        fake.queue(Reply(body=[events[0], Gate()]))
        said = Accumulator("o")
        started = asyncio.Event()

        async def read() -> None:
            async for event in provider.stream(ask()):
                said.add(event)
                started.set()

        task = asyncio.create_task(read())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await fake.wait_idle()
        assert fake.asked[0].client_gone
    assert said.text == "Hel"


# ---- what the model can do ------------------------------------------------------------------------------------


async def test_show_is_asked_once_and_only_where_the_request_depends_on_it() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        fake.catalog = [OllamaModel(MODEL, ["completion", "vision", "thinking"], context=2_048)]
        assert provider.profile(MODEL).context_window is None
        for _ in range(2):
            await answer(provider, ask(user("see", [PICTURE]), options={"effort": "low"}))
        paths = [request.path for request in fake.requests]
        last = fake.asked[-1].data
    assert paths == ["/api/show", "/api/chat", "/api/chat"]
    assert last["think"] is True
    assert last["options"] == {"num_ctx": 2_048}
    profile = provider.profile(MODEL)
    assert (profile.context_window, profile.images, profile.tools, profile.thinking) == (2_048, True, False, "adaptive")


async def test_pictures_for_a_model_that_does_not_see_are_refused_before_they_are_sent() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        with pytest.raises(LLMUnsupportedError, match="does not take images"):
            await answer(provider, ask(user("see", [PICTURE])))
        assert not fake.asked


@pytest.mark.parametrize("reply", [error_reply("ollama", "server_error"), captive_portal(), Reply.json([])])
async def test_a_failing_show_does_not_fail_the_chat(reply: Reply) -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        fake.routes["/api/show"] = reply
        said = await answer(provider, ask(user("see", [PICTURE]), options={"effort": "high"}))
        assert "think" not in fake.asked[0].data
    assert said.text == "Hello there, friend."


@pytest.mark.parametrize(
    ("catalog", "chosen"),
    [
        ([OllamaModel("nomic", ["embedding"]), OllamaModel("a", ["completion"]), OllamaModel("b")], "b"),
        ([OllamaModel("nomic", ["embedding"]), OllamaModel("a", ["completion"])], "a"),
        ([OllamaModel("b"), OllamaModel("c")], "b"),
    ],
)
async def test_the_model_of_a_server_is_the_first_that_calls_tools(catalog: list[OllamaModel], chosen: str) -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url, model="") as provider:
        fake.catalog = catalog
        assert await provider.resolve_model() == chosen
        asked = len(fake.requests)
        assert await provider.resolve_model() == chosen
        assert len(fake.requests) == asked
        assert provider.profile(chosen).context_window == 8_192


async def test_where_show_does_not_tell_the_name_decides() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url, model="") as provider:
        fake.catalog = [OllamaModel("nomic-embed-text:latest"), OllamaModel("old:latest")]
        fake.routes["/api/show"] = error_reply("ollama", "server_error")
        assert await provider.resolve_model() == "old:latest"


@pytest.mark.parametrize("catalog", [[], [OllamaModel("nomic", ["embedding"])]])
async def test_no_chat_model_is_answered_with_the_command_that_fetches_one(catalog: list[OllamaModel]) -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url, model="") as provider:
        fake.catalog = catalog
        with pytest.raises(LLMModelNotFoundError) as error:
            await provider.resolve_model()
    assert error.value.hint == "ollama pull llama3.2"


# ---- tags, ps, pull -------------------------------------------------------------------------------------------


async def test_tags_and_ps() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        listed = await provider.list_models()
        loaded = await provider.running()
        await provider.check()
    assert [model.id for model in listed] == ["fake-model:latest", "fake-model:mini"]
    assert listed[0].size == 4_661_224_676
    assert [(model.id, model.context_window) for model in loaded] == [("fake-model:latest", 8_192)]


async def test_a_pull_tells_how_far_it_is() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        steps = [step async for step in provider.pull("llama3.2")]
        assert fake.requests[0].data["model"] == "llama3.2"
    assert steps[0] == ("pulling manifest", None, None)
    assert [(step.completed, step.total) for step in steps if step.total] == [(0, 1000), (400, 1000), (1000, 1000)]
    assert steps[-1].status == "success"


async def pulled(provider: OllamaProvider) -> list[str]:
    return [step.status async for step in provider.pull("nope")]


async def test_leaving_a_pull_early_stops_it() -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        fake.routes["/api/pull"] = Reply(body=[ndjson({"status": "pulling manifest"}), Gate()])
        steps = provider.pull("m")
        assert (await anext(steps)).status == "pulling manifest"
        await steps.aclose()
        await fake.wait_idle()
        assert fake.requests[0].client_gone


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(body=[ndjson({"error": "pull model manifest: file does not exist"})]), LLMModelNotFoundError),
        (Reply(body=[ndjson({"error": "no space left on device"})]), LLMOverloadedError),
        (Reply(body=[ndjson({"error": {"message": "odd"}})]), LLMError),
        (Reply(body=[b"{broken\n"]), LLMBadResponseError),
        (Reply(body=[ndjson([1])]), LLMBadResponseError),
        (Reply(body=[ndjson({"status": "x"})]).but(end="cut"), LLMConnectionError),
        (Reply.json(["odd"], 500), LLMError),
        (Reply.text("<html>no</html>", 502, "text/html"), LLMOverloadedError),
        (error_reply("ollama", "unauthorized"), LLMAuthenticationError),
        (Reply(status=302, headers={"location": "http://127.0.0.1:1/"}), LLMBadResponseError),
    ],
)
async def test_faults_of_a_pull(reply: Reply, expected: type[LLMError]) -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url) as provider:
        fake.routes["/api/pull"] = reply
        with pytest.raises(expected):
            await pulled(provider)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (captive_portal(), LLMBadResponseError),
        (Reply.json([]), LLMBadResponseError),
        (Reply.json({"models": None}), LLMBadResponseError),
        (Reply(no_headers=True, end="cut"), LLMConnectionError),
        (Reply(no_headers=True, end="hang"), LLMTimeoutError),
        (error_reply("ollama", "server_error"), LLMOverloadedError),
    ],
)
async def test_faults_of_a_listing(reply: Reply, expected: type[LLMError]) -> None:
    async with FakeVendor("ollama") as fake, connected(fake.url, idle_timeout=0.3) as provider:
        fake.routes["/api/tags"] = reply
        with pytest.raises(expected):
            await provider.list_models()


# ---- addresses and keys ---------------------------------------------------------------------------------------


def keys_in(fake: FakeVendor) -> Iterator[str]:
    return (request.headers.get("authorization", "") for request in fake.requests)


async def everything(provider: OllamaProvider) -> None:
    await answer(provider)
    await provider.list_models()
    await provider.running()
    await pulled(provider)


async def test_the_environments_key_never_reaches_an_address_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", CANARY)
    async with FakeVendor("ollama") as fake:
        async with connected(fake.url) as provider:
            await everything(provider)
        assert set(keys_in(fake)) == {""}
        fake.requests.clear()
        async with connected(fake.url, api_key=SecretStr("own")) as provider:
            await everything(provider)
        assert set(keys_in(fake)) == {"Bearer own"}


async def test_the_environments_key_goes_to_the_environments_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeVendor("ollama") as fake:
        monkeypatch.setenv("OLLAMA_API_KEY", CANARY)
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        async with connected("", api_base=None) as provider:
            await everything(provider)
        assert set(keys_in(fake)) == {f"Bearer {CANARY}"}


async def test_no_key_in_any_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    async with FakeVendor("ollama") as fake, connected(fake.url, api_key=SecretStr(CANARY)) as provider:
        fake.queue(error_reply("ollama", "unauthorized"))
        fake.routes["/api/tags"] = error_reply("ollama", "unauthorized")
        for attempt in (answer(provider), provider.list_models()):
            with pytest.raises(LLMAuthenticationError) as error:
                await attempt
            shown += [repr(error.value), *traceback.format_exception(error.value)]
        shown += [repr(provider), repr(vars(provider))]
        assert set(keys_in(fake)) == {f"Bearer {CANARY}"}
    assert CANARY not in "\n".join(shown)
    assert CANARY not in caplog.text


async def test_offline_only_this_machine_is_asked() -> None:
    config = ProviderConfig(provider=LLMProvider.OLLAMA, model=MODEL, api_base="http://192.0.2.1:11434")
    provider = OllamaProvider(config, offline=True)
    for attempt in (answer(provider), provider.list_models()):
        with pytest.raises(LLMConnectionError, match="offline"):
            await attempt
