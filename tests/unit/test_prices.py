"""Costs against sums made by hand from the price table: cached input at its own price, nothing counted twice."""

from __future__ import annotations

import importlib
from decimal import Decimal
from typing import Any

import pytest

from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.usage.prices import price

MILLION = Decimal(1_000_000)


def table(vendor: str, model: str) -> Any:
    """The row of the price table: USD per million tokens by kind."""
    providers = importlib.import_module("genai_prices.data").providers
    (provider,) = (one for one in providers if one.id == vendor)
    (row,) = (one for one in provider.models if one.is_match(model))
    return row.prices


def flat(value: Any, tokens: int) -> Decimal:
    """A price that may rise with the length of the input: *value* at *tokens*."""
    if value is None or isinstance(value, Decimal):
        return value or Decimal(0)
    reached = [tier.price for tier in value.tiers if tokens > tier.start]
    return Decimal(reached[-1] if reached else value.base)


MODELS = [
    (LLMProvider.OPENAI, "gpt-4o-mini"),
    (LLMProvider.OPENAI, "gpt-5-mini"),
    (LLMProvider.OPENAI, "gpt-6.1-sol"),
    (LLMProvider.ANTHROPIC, "claude-haiku-4-5"),
    (LLMProvider.ANTHROPIC, "claude-sonnet-5-5"),
]


@pytest.mark.parametrize("cached", [0, 400])
@pytest.mark.parametrize(("kind", "model"), MODELS)
def test_the_price_is_the_sum_by_hand(kind: LLMProvider, model: str, cached: int) -> None:
    row = table(kind.value, model)
    usage = TokenUsage(input_tokens=1_000, output_tokens=200, cached_tokens=cached, reasoning_tokens=150)
    by_hand = (
        (1_000 - cached) * flat(row.input_mtok, 1_000)
        + cached * flat(row.cache_read_mtok, 1_000)
        + 200 * flat(row.output_mtok, 1_000)
    ) / MILLION
    assert by_hand > 0
    assert price(kind, model, usage) == pytest.approx(float(by_hand), rel=1e-9)


def test_writing_the_cache_costs_more_than_plain_input_at_anthropic() -> None:
    model = "claude-haiku-4-5"
    row = table("anthropic", model)
    usage = TokenUsage(input_tokens=1_000, output_tokens=10, cached_tokens=200, cache_write_tokens=300)
    by_hand = (
        500 * flat(row.input_mtok, 1_000)
        + 200 * flat(row.cache_read_mtok, 1_000)
        + 300 * flat(row.cache_write_mtok, 1_000)
        + 10 * flat(row.output_mtok, 1_000)
    ) / MILLION
    assert price(LLMProvider.ANTHROPIC, model, usage) == pytest.approx(float(by_hand), rel=1e-9)


USED = TokenUsage(input_tokens=10, output_tokens=5)


@pytest.mark.parametrize("kind", [LLMProvider.LOCAL, LLMProvider.OLLAMA, LLMProvider.SCRIPTED])
def test_what_runs_here_costs_nothing(kind: LLMProvider) -> None:
    assert price(kind, "any", USED) == 0.0
    assert price(kind, "any", TokenUsage()) == 0.0


@pytest.mark.parametrize("kind", [LLMProvider.OPENAI, LLMProvider.ANTHROPIC])
@pytest.mark.parametrize("model", ["", "no-such-model", "-" * 300, "GPT\x00"])
def test_a_model_without_a_price_is_unpriced_and_not_free(kind: LLMProvider, model: str) -> None:
    assert price(kind, model, USED) is None


def test_an_address_of_ones_own_a_custom_provider_and_no_counts_are_unpriced() -> None:
    assert price(LLMProvider.OPENAI, "gpt-4o-mini", USED, own_host=True) is None
    assert price(LLMProvider.CUSTOM, "gpt-4o-mini", USED) is None
    assert price(LLMProvider.OPENAI, "gpt-4o-mini", TokenUsage()) is None


def test_a_vendors_model_is_not_priced_by_the_other_vendors_table() -> None:
    assert price(LLMProvider.ANTHROPIC, "gpt-4o-mini", USED) is None


@pytest.mark.parametrize(
    "usage",
    [
        TokenUsage(input_tokens=10, output_tokens=5, cached_tokens=20),
        TokenUsage(input_tokens=10, output_tokens=5, cached_tokens=6, cache_write_tokens=6),
        TokenUsage(input_tokens=-10, output_tokens=5),
        TokenUsage(input_tokens=10, output_tokens=-5),
    ],
)
def test_counts_that_contradict_each_other_make_no_price_below_nought(usage: TokenUsage) -> None:
    for kind, model in MODELS:
        cost = price(kind, model, usage)
        assert cost is None or cost >= 0.0


@pytest.mark.parametrize(
    ("base", "environment", "priced"),
    [
        (None, "", True),
        ("https://api.openai.com/v1", "", True),
        ("http://127.0.0.1:1/v1", "", False),
        (None, "http://127.0.0.1:1/v1", False),
    ],
)
def test_only_the_vendors_own_host_has_the_vendors_prices(
    base: str | None, environment: str, priced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", environment)
    config = ProviderConfig(provider=LLMProvider.OPENAI, api_base=base)
    manager = LLMManager(LLMConfig(providers={"p": config}))
    assert (manager.price("p", "gpt-4o-mini", USED) is not None) is priced
