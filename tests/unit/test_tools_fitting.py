"""Which way a model calls tools, by what is known of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.events import Finished, ProviderEvent, TextDelta, ToolCallDelta
from coda_cli.engine.core.messages import user
from coda_cli.engine.core.ports import Provider, ProviderRequest, ToolSpec
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.providers.local.gguf import GgufHead
from coda_cli.engine.providers.local.provider import LocalProvider
from coda_cli.engine.providers.ollama import OllamaProvider
from coda_cli.engine.providers.scripted import ScriptedProvider
from coda_cli.engine.tools.fitting import Learns, fitted, parameters
from coda_cli.engine.tools.prompted import PromptedProvider
from coda_cli.engine.tools.router import RouterProvider
from tests.servers.script import Say
from tests.servers.vendors import FakeVendor, OllamaModel
from tests.weights import smollm2_path

TOOL = ToolSpec("get_time", "The time.", {"type": "object", "properties": {}})
CALL = '```tool_call\n{"name": "get_time", "arguments": {}}\n```'


class Model(ScriptedProvider):
    """A provider whose model is what a test says."""

    can = ModelProfile()

    def profile(self, model: str) -> ModelProfile:
        return self.can


def fit(model: str = "model", **known: object) -> Provider | str:
    provider = Model(replies=[CALL])
    provider.can = replace(ModelProfile(), **known)
    return fitted(provider, model, [TOOL])


def test_a_model_with_tools_of_its_own_is_left_alone() -> None:
    assert isinstance(fit(), Model)
    assert isinstance(fit(parameters=8_000_000_000), Model)


def test_a_large_model_without_tools_is_told_of_them_in_words() -> None:
    assert isinstance(fit(tools=False), PromptedProvider)
    assert isinstance(fit(tools=False, grammar=True, parameters=7_000_000_000), PromptedProvider)


@pytest.mark.parametrize("count", [494_000_000, 500_000_000, 1_500_000_000])
def test_a_small_model_on_the_llama_cpp_engine_is_routed(count: int) -> None:
    routed = fit(tools=False, grammar=True, parameters=count, tiny=count < 1e9)
    assert isinstance(routed, RouterProvider)
    assert routed.profile("model").tools


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("model", {"parameters": 135_000_000, "grammar": True, "tools": False}),
        ("SmolLM2-360M-Instruct.Q8_0.gguf", {"tools": False}),
        ("smollm2:135m", {}),
    ],
)
def test_under_half_a_billion_parameters_tools_are_off_and_the_reason_is_told(
    model: str, known: dict[str, object]
) -> None:
    why = fit(model, **known)
    assert isinstance(why, str)
    assert "tools need 0.5 B or more" in why
    assert model in why


def test_a_small_model_that_no_grammar_holds_gets_none_either() -> None:
    why = fit(tools=False, tiny=True)
    assert isinstance(why, str)
    assert "GGUF" in why


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 500_000_000),
        ("bartowski/SmolLM2-360M-Instruct-GGUF:SmolLM2-360M-Instruct-Q8_0.gguf", 360_000_000),
        ("llama3.2:1b", 1_000_000_000),
        ("mixtral-8x7b", 7_000_000_000),
        ("qwen3-30b-a3b", 30_000_000_000),
        ("qwen2.5-7b-instruct-1m", 7_000_000_000),
        ("Phi-3_3.8B", 3_800_000_000),
        ("gpt-4o-2024-08-06", None),
        ("claude-sonnet-4-1m", None),
        ("model-128k-4bit", None),
        ("gemma3n-e2b", None),
    ],
)
def test_a_name_tells_how_large_a_model_is(model: str, count: int | None) -> None:
    assert parameters(ModelProfile(), model) == count


def test_files_count_before_the_name() -> None:
    assert parameters(ModelProfile(parameters=494_000_000), "tiny-135m") == 494_000_000


def test_the_built_in_model_says_that_it_has_no_tools_here_or_not() -> None:
    for model in (str(smollm2_path()), "smollm2", ""):
        provider = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=model))
        why = fitted(provider, model, [TOOL])
        assert isinstance(why, str), model
        assert "135 M" in why


@pytest.mark.parametrize(
    ("meta", "count"),
    [
        ({"general.size_label": "0.5B"}, 500_000_000),
        ({"general.size_label": "8x7B"}, 56_000_000_000),
        ({"general.size_label": "30B-A3B"}, 30_000_000_000),
        ({"general.size_label": "large"}, None),
        (
            {
                "general.architecture": "qwen2",
                "qwen2.block_count": 24,
                "qwen2.embedding_length": 896,
                "qwen2.feed_forward_length": 4864,
                "qwen2.attention.head_count": 14,
                "qwen2.attention.head_count_kv": 2,
            },
            357_826_560,  # the 358 million of Qwen2.5-0.5B that are not embeddings, as its model card has them
        ),
    ],
)
def test_a_file_tells_how_large_its_model_is(meta: dict[str, object], count: int | None) -> None:
    assert GgufHead(3, 1, meta).parameters == count


# ---- a server that must be asked -----------------------------------------------------------------------------------


class Asked(Model):
    """A server that tells only when asked that its model has no tools."""

    asked = 0
    tells = False

    async def learn(self, model: str) -> None:
        self.asked += 1
        self.can = replace(self.can, tools=self.tells)


async def collect(provider: Provider, *, tools: bool = True) -> list[ProviderEvent]:
    request = ProviderRequest("m", [user("What time is it?")], tools=[TOOL] if tools else [])
    return [event async for event in provider.stream(request)]


async def test_a_guess_is_checked_before_the_first_call_and_a_model_without_tools_is_prompted() -> None:
    server = Asked(replies=[CALL])
    fit = fitted(server, "m", [TOOL])
    assert not isinstance(fit, str)
    events = await collect(fit)
    assert server.asked == 1
    assert "You can call tools" in server.requests[0].messages[0].content
    assert [event.name for event in events if isinstance(event, ToolCallDelta)] == ["get_time"]


async def test_a_model_that_turns_out_to_have_tools_is_given_them() -> None:
    server = Asked(replies=["Noon."])
    server.tells = True
    fit = fitted(server, "m", [TOOL])
    assert not isinstance(fit, str)
    events = await collect(fit)
    assert list(server.requests[0].tools) == [TOOL]
    assert isinstance(events[0], TextDelta)
    assert isinstance(events[-1], Finished)


async def test_nobody_is_asked_where_no_tools_are_wanted() -> None:
    server = Asked(replies=["Noon."])
    fit = fitted(server, "m", [TOOL])
    assert not isinstance(fit, str)
    await collect(fit, tools=False)
    assert server.asked == 0


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [(["completion", "tools"], True), (["completion"], False), (["completion", "vision"], False)],
)
async def test_an_ollama_model_gets_its_tools_by_what_the_server_says_of_it(
    capabilities: list[str], native: bool
) -> None:
    async with FakeVendor("ollama") as fake:
        fake.script = [Say("Sure.\n"), Say(CALL[:20]), Say(CALL[20:])]
        fake.catalog = [OllamaModel("m", capabilities)]
        provider = OllamaProvider(ProviderConfig(provider=LLMProvider.OLLAMA, model="m", api_base=fake.url))
        fit = fitted(provider, "m", [TOOL])
        assert isinstance(provider, Learns)
        assert not isinstance(fit, str)
        events = [*await collect(fit), *await collect(fit)]
        paths = [request.path for request in fake.requests]
        sent = fake.asked[-1].data
        await provider.aclose()
    assert paths == ["/api/show", "/api/chat", "/api/chat"]
    assert bool(sent.get("tools")) is native
    assert ("You can call tools" in str(sent["messages"])) is not native
    calls = [event.name for event in events if isinstance(event, ToolCallDelta)]
    assert calls == ([] if native else ["get_time", "get_time"])
    assert ("tool_call" in "".join(e.text for e in events if isinstance(e, TextDelta))) is native
