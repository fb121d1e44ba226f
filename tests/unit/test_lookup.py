"""`get_provider_status` looks the model up in the host's list: an error where the list is complete, else a doubt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.providers.anthropic import AnthropicProvider
from coda_cli.engine.providers.base import BaseLLMProvider
from coda_cli.engine.providers.lookup import doubt
from coda_cli.engine.providers.ollama import OllamaProvider
from coda_cli.engine.providers.openai import OpenAIProvider
from tests.servers.reply import Reply
from tests.servers.vendors import FakeVendor, OllamaModel
from tests.servers.wire import Vendor
from tests.unit.wire_cases import Target, manager_of

_TARGETS: dict[Vendor, Target] = {
    "openai": Target("openai", "lean"),
    "anthropic": Target("anthropic", "lean"),
    "ollama": Target("ollama", "lean"),
}


async def status(fake: FakeVendor, configured: str, *, model: str | None = None) -> dict[str, Any]:
    target = _TARGETS[fake.vendor]
    async with manager_of(target.config(fake.url, model=configured)) as manager:
        return await manager.get_provider_status("p0", model=model)


def listing(*names: str, owner: str = "somebody") -> Reply:
    return Reply.json(
        {"object": "list", "data": [{"id": name, "object": "model", "owned_by": owner} for name in names]}
    )


@pytest.mark.parametrize("vendor", ["openai", "anthropic", "ollama"])
async def test_a_listed_model_is_fine_and_costs_one_request(vendor: Vendor) -> None:
    async with FakeVendor(vendor) as fake:
        told = await status(fake, "fake-model")
        assert (told["available"], told["reason"], told["hint"]) == (True, None, None)
        assert told["model"] == "fake-model"
        assert len(fake.requests) == 1


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
async def test_an_unlisted_model_is_a_doubt_where_lists_are_not_complete(vendor: Vendor) -> None:
    async with FakeVendor(vendor) as fake:
        told = await status(fake, "nope")
        assert told["available"] is True
        assert told["error"] is None
        assert "nope" in told["reason"]
        assert len(fake.requests) == 1


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
@pytest.mark.parametrize("code", [404, 405, 501])
async def test_a_server_without_a_list_answers_all_the_same(vendor: Vendor, code: int) -> None:
    async with FakeVendor(vendor) as fake:
        fake.routes["/v1/models"] = Reply.json({"error": {"message": "no such path: /v1/models"}}, code)
        told = await status(fake, "m")
        assert (told["available"], told["model"]) == (True, "m")
        assert "api_base" in told["reason"]


async def test_a_server_with_an_empty_list_answers_all_the_same() -> None:
    async with FakeVendor("openai") as fake:
        fake.routes["/v1/models"] = listing()
        told = await status(fake, "m")
        assert told["available"] is True
        assert "empty" in told["reason"]


@pytest.mark.parametrize("code", [401, 403, 429, 500])
async def test_what_is_no_missing_route_stays_an_error(code: int) -> None:
    async with FakeVendor("openai") as fake:
        fake.routes["/v1/models"] = Reply.json({"error": {"message": "no"}}, code)
        assert (await status(fake, "m"))["available"] is False


async def test_vllm_refuses_what_it_does_not_list_so_the_status_does_too() -> None:
    async with FakeVendor("openai") as fake:
        fake.routes["/v1/models"] = listing("org/served", owner="vllm")
        good, bad = await status(fake, "org/served"), await status(fake, "org/other")
        assert (good["available"], good["reason"]) == (True, None)
        assert (bad["available"], bad["error"]) == (False, "LLMModelNotFoundError")
        assert "org/other" in bad["reason"]
        assert "org/served" in bad["hint"]


@pytest.mark.parametrize(
    ("configured", "there"),
    [
        ("llama3.2", True),
        ("llama3.2:latest", True),
        ("LLAMA3.2", True),
        ("library/llama3.2", True),
        ("registry.ollama.ai/library/llama3.2:latest", True),
        ("hf.co/Some/Model-GGUF", True),
        ("llama3.2:3b", False),
        ("llama3", False),
    ],
)
async def test_ollama_lists_what_it_has_by_full_names(configured: str, there: bool) -> None:
    async with FakeVendor("ollama") as fake:
        fake.catalog = [OllamaModel("llama3.2:latest"), OllamaModel("hf.co/some/model-gguf:latest")]
        told = await status(fake, configured)
        assert told["available"] is there
        assert (told["error"], told["hint"]) == (
            (None, None) if there else ("LLMModelNotFoundError", f"ollama pull {configured}")
        )
        assert len(fake.requests) == 1


async def test_an_ollama_model_that_runs_elsewhere_need_not_be_on_the_disk() -> None:
    async with FakeVendor("ollama") as fake:
        told = await status(fake, "gpt-oss:120b-cloud")
        assert told["available"] is True
        assert "gpt-oss:120b-cloud" in told["reason"]


async def test_an_ollama_with_no_model_does_not_have_the_configured_one() -> None:
    async with FakeVendor("ollama") as fake:
        fake.catalog = []
        assert (await status(fake, "llama3.2"))["error"] == "LLMModelNotFoundError"


async def test_another_model_than_the_configured_one_can_be_looked_up() -> None:
    async with FakeVendor("ollama") as fake:
        told = await status(fake, "fake-model", model="nope")
        assert (told["available"], told["model"]) == (False, "nope")


async def test_a_page_that_is_not_the_last_proves_nothing() -> None:
    async with FakeVendor("anthropic") as fake:
        page = {"data": [{"type": "model", "id": "a"}], "has_more": True, "first_id": "a", "last_id": "a"}
        fake.routes["/v1/models"] = Reply.json(page)
        told = await status(fake, "z")
        assert (told["available"], told["reason"]) == (True, None)
        assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("model", "listed"),
    [
        ("claude-sonnet-5-5", "claude-sonnet-5-5-20261001"),
        ("claude-sonnet-5-5-latest", "claude-sonnet-5-5-20261001"),
        ("claude-sonnet-5-5-20260801", "claude-sonnet-5-5-20261001"),
        ("gpt-6-luna-2026-09-01", "gpt-6-luna"),
        ("gpt-4-0613", "gpt-4"),
        ("llama3.2", "llama3.2:latest"),
        ("vendor/model:free", "vendor/model"),
    ],
)
def test_dated_ids_and_aliases_raise_no_alarm(model: str, listed: str) -> None:
    assert doubt(model, [listed]) is None
    assert doubt(model, ["something-else"]) is not None


_MADE: list[tuple[type[BaseLLMProvider], LLMProvider]] = [
    (OpenAIProvider, LLMProvider.OPENAI),
    (AnthropicProvider, LLMProvider.ANTHROPIC),
    (OllamaProvider, LLMProvider.OLLAMA),
]


@pytest.mark.parametrize("transport", ["lean", "sdk"])
@pytest.mark.parametrize(("make", "kind"), _MADE, ids=[kind.value for _, kind in _MADE])
async def test_a_check_without_any_model_asks_only_whether_the_host_answers(
    make: Callable[[ProviderConfig], BaseLLMProvider], kind: LLMProvider, transport: Literal["lean", "sdk"]
) -> None:
    async with FakeVendor(kind.value) as fake:  # type: ignore[arg-type]  # the three kinds are the fakes' vendors
        base = f"{fake.url}/v1" if kind is LLMProvider.OPENAI else fake.url
        provider = make(ProviderConfig(provider=kind, api_base=base, transport=transport))
        assert await provider.check() is None
        await provider.aclose()
        assert len(fake.requests) == 1
