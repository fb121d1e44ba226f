"""What the vendors say was used, through the code that reads their answers, to a price: exact to the last digit."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from coda_cli.engine.core.config import LLMProvider
from coda_cli.engine.core.events import ProviderEvent, Usage
from coda_cli.engine.core.prices import TokenPrices
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.providers import anthropic_messages, ollama_chat, openai_chat, openai_responses
from coda_cli.engine.providers.wire import JSON, StreamMapping
from coda_cli.engine.usage.prices import exact_price

OWN = {
    "gpt-oss:120b-cloud": TokenPrices(input=0.15, output=0.6),
    "ollama/kimi-k2:1t-cloud": TokenPrices(input=0.60, output=2.5),
}


class Block(NamedTuple):
    """A model, the vendor's usage block, the counts it means (all others 0), and the price in USD."""

    model: str
    usage: dict[str, Any]
    counts: dict[str, int]
    usd: Decimal


TABLE = tomllib.loads((Path(__file__).parents[1] / "data" / "usage_blocks.toml").read_text(encoding="utf-8"))
CHAT, RESPONSES, ANTHROPIC, OLLAMA = (
    [Block(one["model"], json.loads(one["usage"]), one["counts"], Decimal(one["usd"])) for one in TABLE[name]]
    for name in ("chat", "responses", "anthropic", "ollama")
)


def used(mapping: StreamMapping, *events: JSON) -> TokenUsage:
    """The last usage that the stream of *events* tells."""
    told: list[ProviderEvent] = [one for event in events for one in mapping.feed("", event)]
    return [one.usage for one in told if isinstance(one, Usage)][-1]


def checked(kind: LLMProvider, block: Block, usage: TokenUsage) -> None:
    assert usage == TokenUsage(**block.counts)
    cost = exact_price(kind, block.model, usage, name=kind.value, overrides=OWN)
    assert cost == block.usd
    assert isinstance(cost, Decimal)


def test_there_are_twenty_of_each_vendor() -> None:
    assert (len(CHAT) + len(RESPONSES), len(ANTHROPIC), len(OLLAMA)) == (20, 20, 20)


@pytest.mark.parametrize("block", CHAT)
def test_openai_chat(block: Block) -> None:
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": block.model, "choices": [], "usage": block.usage}
    usage = used(openai_chat.ChatMapping(), chunk)
    checked(LLMProvider.OPENAI, block, usage)
    assert usage.total_tokens == block.usage["total_tokens"]


@pytest.mark.parametrize("block", RESPONSES)
def test_openai_responses(block: Block) -> None:
    response = {"id": "r", "model": block.model, "status": "completed", "output": [], "usage": block.usage}
    usage = used(openai_responses.ResponsesMapping(), {"type": "response.completed", "response": response})
    checked(LLMProvider.OPENAI, block, usage)
    assert usage.total_tokens == block.usage["total_tokens"]


@pytest.mark.parametrize("block", ANTHROPIC)
def test_anthropic(block: Block) -> None:
    """As in a stream: what was sent is told at the start, what came at the end, and not everything twice."""
    first = {**block.usage, "output_tokens": 1}
    last = {name: block.usage[name] for name in ("output_tokens", "output_tokens_details") if name in block.usage}
    usage = used(
        anthropic_messages.MessagesMapping(),
        {"type": "message_start", "message": {"id": "m", "model": block.model, "usage": first}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last},
    )
    checked(LLMProvider.ANTHROPIC, block, usage)
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert usage.total_tokens == sum(block.usage.get(name, 0) for name in names)


@pytest.mark.parametrize("block", OLLAMA)
def test_ollama(block: Block) -> None:
    last = {"model": block.model, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    usage = used(ollama_chat.ChatMapping(), {**last, **block.usage})
    checked(LLMProvider.OLLAMA, block, usage)
    assert usage.total_tokens == block.usage.get("prompt_eval_count", 0) + block.usage.get("eval_count", 0)


def test_the_traps_would_show() -> None:
    """Each of the ways to misread a block gives another price, so that the tables above could not hide it."""
    block = ANTHROPIC[5]
    right = TokenUsage(**block.counts)
    wrong = (
        {"input_tokens": block.usage["input_tokens"]},  # without what the cache took
        {"cached_tokens": 0},
        {"cache_write_tokens": 0, "cache_write_1h_tokens": 0},
        {"cache_write_1h_tokens": 0},
        {"output_tokens": right.output_tokens + 100},  # reasoning on top of the output
    )
    for change in wrong:
        assert exact_price(LLMProvider.ANTHROPIC, block.model, right.model_copy(update=change)) != block.usd
