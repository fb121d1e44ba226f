"""Costs against sums made by hand from the price table: cached input at its own price, nothing counted twice."""

from __future__ import annotations

import importlib
from decimal import Decimal
from typing import Any

import pytest

from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.prices import TokenPrices
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.usage.prices import exact_price, price

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


@pytest.mark.parametrize("kind", list(LLMProvider))
@pytest.mark.parametrize("own_host", [False, True])
@pytest.mark.parametrize("key", ["p/gpt-4o-mini", "gpt-4o-mini"])
def test_what_a_person_says_wins_over_the_table(kind: LLMProvider, own_host: bool, key: str) -> None:
    own = {key: TokenPrices(input=3.0, output=7.1)}
    usage = TokenUsage(input_tokens=1_000, output_tokens=10, cached_tokens=400)
    found = exact_price(kind, "gpt-4o-mini", usage, own_host=own_host, name="p", overrides=own)
    assert found == Decimal("0.003071")  # 1,000 x $3 + 10 x $7.1, a million


def test_a_price_for_one_provider_is_not_that_of_another_and_wins_over_that_for_all() -> None:
    own = {"p/m": TokenPrices(input=1.0, output=1.0), "m": TokenPrices(input=2.0, output=2.0)}
    found = [exact_price(LLMProvider.CUSTOM, "m", USED, name=name, overrides=own) for name in ("p", "q")]
    assert found == [Decimal("0.000015"), Decimal("0.00003")]
    assert exact_price(LLMProvider.CUSTOM, "other", USED, name="p", overrides=own) is None


def test_every_kind_of_token_has_the_persons_own_price() -> None:
    own = TokenPrices(
        input=1.0,
        output=2.0,
        cached_input=0.1,
        cache_write=1.25,
        cache_write_1h=4.0,
        input_audio=40.0,
        output_audio=80.0,
    )
    usage = TokenUsage(
        input_tokens=1_000,  # 1,000 - 100 cached - 300 written - 50 audio = 550 x $1     =   550
        cached_tokens=100,  # x $0.1                                                     =    10
        cache_write_tokens=300,  # 200 of them x $1.25                                   =   250
        cache_write_1h_tokens=100,  # x $4                                               =   400
        input_audio_tokens=50,  # x $40                                                  = 2,000
        output_tokens=60,  # 60 - 20 audio = 40 x $2                                     =    80
        output_audio_tokens=20,  # x $80                                                 = 1,600
        reasoning_tokens=10,  # among the output
    )
    assert exact_price(LLMProvider.CUSTOM, "m", usage, overrides={"m": own}) == Decimal("0.00489")


@pytest.mark.parametrize("usage", [TokenUsage(), TokenUsage(input_tokens=5, cached_tokens=9, output_tokens=1)])
def test_counts_that_were_not_told_or_contradict_each_other_are_unpriced_even_so(usage: TokenUsage) -> None:
    own = {"m": TokenPrices(input=1.0, output=1.0)}
    assert exact_price(LLMProvider.CUSTOM, "m", usage, overrides=own) is None


def test_the_batch_api_costs_half() -> None:
    usage = TokenUsage(input_tokens=1_000_000, output_tokens=1_000_000)
    for kind, model in ((LLMProvider.OPENAI, "gpt-6-luna"), (LLMProvider.ANTHROPIC, "claude-haiku-4-5")):
        whole, batch = (exact_price(kind, model, usage, batch=batch) for batch in (False, True))
        assert whole is not None
        assert batch == whole / 2


def test_audio_of_a_model_whose_audio_has_no_price_is_unpriced() -> None:
    heard = TokenUsage(input_tokens=100, output_tokens=10, input_audio_tokens=50)
    assert price(LLMProvider.OPENAI, "gpt-4o-audio-preview", heard) is None
    assert price(LLMProvider.OPENAI, "gpt-audio", heard) is not None


@pytest.mark.parametrize("model", ["ft:gpt-4o-mini-2024-07-18:me:name:abc123", "ft:gpt-9-never:me:name:abc123"])
def test_a_fine_tuned_model_has_the_price_of_its_row_or_none(model: str) -> None:
    assert (price(LLMProvider.OPENAI, model, USED) is None) is ("never" in model)
