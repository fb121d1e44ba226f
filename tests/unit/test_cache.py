"""Answers from the cache: the very same request, whole and without tools, at once and for nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from coda_cli import ConversationManager, LLMConfig, LLMManager, LLMProvider, ProviderConfig, Reply, ScriptedProvider
from coda_cli.engine.cache import ResponseCache, key_of
from coda_cli.engine.core.events import (
    CacheHit,
    Finished,
    ProviderEvent,
    ReasoningDelta,
    ResponseChunk,
    ResponseComplete,
    TextDelta,
)
from coda_cli.engine.core.messages import user
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.usage.log import UsageLog
from tests.unit.wire_cases import VirtualClock

EVENTS: list[ProviderEvent] = [
    ReasoningDelta("Let me see"),
    TextDelta("Four"),
    TextDelta("."),
    Finished(FinishReason.STOP, "m", "r1"),
]


def manager(
    *replies: str | Reply, clock: VirtualClock | None = None, **more: Any
) -> tuple[LLMManager, ScriptedProvider]:
    config = LLMConfig(
        providers={"s": ProviderConfig(provider=LLMProvider.SCRIPTED)}, default_provider="s", enable_caching=True
    )
    made = LLMManager(config, usage=UsageLog(), clock=clock, **more)
    provider = ScriptedProvider(replies=list(replies) or ["AI is many things.", "Another answer."])
    made._providers["s"] = provider
    return made, provider


async def events_of(made: LLMManager, prompt: str, **more: Any) -> list[Any]:
    return [event async for event in made.generate_response(prompt, **more).events()]


async def test_the_same_question_is_answered_from_the_cache_at_once_and_for_nothing() -> None:
    made, provider = manager(Reply("AI is many things.", usage=TokenUsage(input_tokens=5, output_tokens=4)))
    first = await events_of(made, "What is AI?")
    second = await events_of(made, "What is AI?")
    assert len(provider.requests) == 1

    def said(events: list[Any]) -> list[str]:
        return [event.delta for event in events if isinstance(event, ResponseChunk)]

    assert said(second) == said(first)
    assert [type(event) for event in second if isinstance(event, CacheHit)] == [CacheHit]
    (done,) = [event for event in second if isinstance(event, ResponseComplete)]
    assert (done.cached, done.cost, done.usage.total_tokens) == (True, 0.0, 0)
    assert not next(event for event in first if isinstance(event, ResponseComplete)).cached
    lines = list(UsageLog().lines())
    assert [line["price"] for line in lines] == [0.0, 0.0]


async def test_another_process_finds_it_and_only_the_person_may_read_it() -> None:
    await events_of(manager()[0], "What is AI?")
    other, provider = manager()
    assert (await other.generate_response("What is AI?")).content == "AI is many things."
    assert provider.requests == []
    for path in other.cache.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "another"},
        {"system_prompt": "Be brief."},
        {"options": {"temperature": 0.9}},
        {"schema": {"type": "object"}},
        {"use_cache": False},
    ],
)
async def test_whatever_shapes_the_answer_is_part_of_the_question(change: dict[str, Any]) -> None:
    made, provider = manager()
    await made.generate_response("What is AI?")
    await made.generate_response("What is AI?", **change)
    assert len(provider.requests) == 2


async def test_a_conversation_that_differs_is_another_question() -> None:
    made, provider = manager("One.", "Two.", "Three.")
    first = await made.generate_response("What is AI?")
    await made.continue_conversation(first.conversation_id, "What is AI?")
    assert len(provider.requests) == 2


async def test_an_answer_grows_too_old() -> None:
    clock = VirtualClock()
    made, provider = manager(clock=clock)
    made.config.cache_ttl_seconds = 60
    await made.generate_response("What is AI?")
    clock.time += 59
    assert (await made.generate_response("What is AI?")).content == "AI is many things."
    clock.time += 2
    assert (await made.generate_response("What is AI?")).content == "Another answer."
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply("A part", end=False),
        Reply("", tool_calls=[("get_time", "{}")]),
        Reply("Text", tool_calls=[("get_time", "{}")]),
        Reply("", reasoning="only thoughts"),
    ],
)
async def test_what_is_no_whole_answer_in_words_is_not_kept(reply: Reply) -> None:
    made, provider = manager(reply)
    await events_of(made, "What is AI?")
    await events_of(made, "What is AI?")
    assert len(provider.requests) == 2
    assert made.cache.stats().answers == 0


async def test_incognito_neither_reads_nor_writes_it() -> None:
    await manager()[0].generate_response("What is AI?")
    private, provider = manager("Mine.", store=ConversationManager.in_memory())
    assert (await private.generate_response("What is AI?")).content == "Mine."
    await private.generate_response("A secret")
    assert len(provider.requests) == 2
    assert private.cache.stats().answers == 1


async def test_off_is_the_default_and_looks_at_nothing() -> None:
    made, provider = manager()
    made.config.enable_caching = False
    await made.generate_response("What is AI?")
    await made.generate_response("What is AI?")
    assert len(provider.requests) == 2
    assert not made.cache.folder.exists()


async def test_another_answer_is_another_answer() -> None:
    made, provider = manager("First.", "Second.")
    first = await made.generate_response("What is AI?")
    again = await made.retry(first.conversation_id, first.metadata["question_id"])
    assert (first.content, again.content) == ("First.", "Second.")
    assert len(provider.requests) == 2


# ---- the files ------------------------------------------------------------------------------------------------------


def test_every_damage_is_a_miss(tmp_path: Path) -> None:
    cache, key = ResponseCache(tmp_path), "ab" * 32
    cache.put(key, EVENTS, 100.0)
    (path,) = tmp_path.rglob("*.json")
    whole = path.read_bytes()
    hit = cache.get(key, 60.0, 110.0)
    assert hit is not None
    assert list(hit.events) == EVENTS
    for place in range(len(whole)):  # each byte gone, and each byte another
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            found = cache.get(key, 60.0, 110.0)
            assert found is None or list(found.events) == EVENTS, place
    for text in ("[]", "{}", "null", '{"events": 5}', "[" * 100_000):
        path.write_text(text)
        assert cache.get(key, 60.0, 110.0) is None


def test_an_answer_under_another_name_is_no_answer(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path)
    cache.put("ab" * 32, EVENTS, 100.0)
    other = cache._file("cd" * 32)
    other.parent.mkdir()
    (path,) = tmp_path.glob("ab/*.json")
    other.write_bytes(path.read_bytes())
    assert cache.get("cd" * 32, 60.0, 110.0) is None


def test_it_stays_within_its_size_and_what_was_used_last_stays(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path, max_bytes=20_000)
    for number in range(60):
        cache.put(f"{number:02d}" * 32, [TextDelta("x" * 1000), Finished(FinishReason.STOP)], 100.0)
    stats = cache.stats()
    assert stats.size <= 20_000
    assert cache.get("59" * 32, 60.0, 110.0) is not None
    assert cache.clear() == stats.answers
    assert cache.stats().answers == 0


def test_a_disk_that_refuses_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = ResponseCache(tmp_path / "file" / "folder")
    cache.put("ab" * 32, EVENTS, 100.0)
    assert cache.get("ab" * 32, 60.0, 110.0) is None
    assert cache.stats().answers == 0


def test_the_key_is_a_hash_and_holds_no_secret() -> None:
    config = ProviderConfig(provider=LLMProvider.OPENAI, api_key="sk-canary", model="m")
    request = ProviderRequest("m", [user("hello")])
    key = key_of(config, "openai", request)
    assert len(key) == 64
    assert key == key_of(config.model_copy(update={"api_key": None}), "openai", request)
    assert key != key_of(config.model_copy(update={"api_base": "http://127.0.0.1:1/v1"}), "openai", request)
    assert "canary" not in json.dumps(key)
