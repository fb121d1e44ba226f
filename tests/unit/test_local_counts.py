"""What the engines of this machine count before an answer is what they report after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.events import Usage
from coda_cli.engine.core.messages import LLMMessage, assistant, system, user
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.providers.local import llama_server
from coda_cli.engine.providers.local.provider import LocalProvider
from coda_cli.engine.providers.scripted import ScriptedProvider
from tests.unit.test_local_transformers import _make_model
from tests.weights import smollm2_path

LIMIT = 180.0  # seconds after which something hangs
CONVERSATIONS: list[list[LLMMessage]] = [
    [user("Hello")],
    [system("You are a helpful assistant."), user("What is the capital of France?")],
    [
        user("Où est la gare ? 東京はどこですか。 😀"),
        assistant("Là-bas.\n\n```py\nprint(1)\n```"),
        user("<|im_start|> ok"),
    ],
    [system("Be brief."), *[m for n in range(5) for m in (user(f"number {n}"), assistant("seen"))], user("Which?")],
]


async def _reported(provider: LocalProvider, request: ProviderRequest) -> int:
    async with asyncio.timeout(LIMIT):
        (usage,) = [event.usage async for event in provider.stream(request) if isinstance(event, Usage)]
    return usage.input_tokens


@pytest.fixture
async def llama() -> AsyncIterator[LocalProvider]:
    config = ProviderConfig(provider=LLMProvider.LOCAL, model=str(smollm2_path()), extra_params={"n_ctx": 512})
    yield LocalProvider(config)
    await asyncio.to_thread(llama_server.close_all)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_model(tmp_path_factory.mktemp("tiny"))


def _request(messages: list[LLMMessage]) -> ProviderRequest:
    return ProviderRequest("", messages, {"temperature": 0.0, "max_tokens": 2})


async def test_the_llama_engine_counts_what_it_reports(llama: LocalProvider) -> None:
    assert await llama.count_tokens(_request(CONVERSATIONS[0])) is None  # not loaded: a count must not load it
    for messages in CONVERSATIONS:
        reported = await _reported(llama, _request(messages))
        assert await llama.count_tokens(_request(messages)) == reported
        assert await _reported(llama, _request(messages)) == reported  # cached by now, and counted all the same


async def test_the_llama_engine_counts_beyond_its_window_and_during_an_answer(llama: LocalProvider) -> None:
    long = _request([user("word " * 2_000)])
    counted: int | None = None
    async with asyncio.timeout(LIMIT):
        async for _ in llama.stream(ProviderRequest("", CONVERSATIONS[1], {"max_tokens": 30})):
            counted = counted or await llama.count_tokens(long)
    assert counted is not None
    assert 2_000 < counted < 2_100


async def test_the_transformers_engine_counts_what_it_reports(folder: Path) -> None:
    provider = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(folder)))
    assert await provider.count_tokens(_request(CONVERSATIONS[0])) is None
    for messages in CONVERSATIONS[:3]:
        reported = await _reported(provider, _request(messages))
        assert await provider.count_tokens(_request(messages)) == reported


async def test_a_model_that_is_not_here_has_no_count(tmp_path: Path) -> None:
    provider = LocalProvider(ProviderConfig(provider=LLMProvider.LOCAL, model=str(tmp_path / "none.gguf")))
    assert await provider.count_tokens(_request(CONVERSATIONS[0])) is None
    odd = ProviderRequest("", CONVERSATIONS[0], {"device": "toaster"})
    assert await provider.count_tokens(odd) is None


async def test_other_providers_have_none() -> None:
    assert await ScriptedProvider(replies=["hi"]).count_tokens(_request(CONVERSATIONS[0])) is None
