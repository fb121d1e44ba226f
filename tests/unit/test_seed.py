"""The user's document: every Python block of it runs as printed, in order, and does what the text around it says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from coda_cli import (
    LLMBadResponseError,
    LLMConfig,
    LLMManager,
    LLMProvider,
    LLMResponse,
    MessageRole,
    ProviderConfig,
    ScriptedProvider,
    Status,
)
from coda_cli.engine.personality.traits import sentences
from tests import seed_tour as at
from tests.seed_blocks import blocks
from tests.seed_tour import Tour, walk


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with pytest.MonkeyPatch.context() as patch:
        yield asyncio.run(walk(tmp_path_factory.mktemp("seed"), patch))


def test_all_blocks_of_the_document_are_here_and_only_the_import_path_is_changed() -> None:
    found = blocks()
    assert len(found) == 21
    changed = [
        (before, after)
        for block in found
        for before, after in zip(block.printed.splitlines(), block.code.splitlines(), strict=True)
        if before != after
    ]
    assert len(changed) == 12
    for before, after in changed:
        assert re.fullmatch(r"from coda\.[\w.]+ (import .*)", before)
        assert (
            after == "from coda_cli " + before.partition(" import ")[1].strip() + " " + before.partition(" import ")[2]
        )


@pytest.mark.parametrize("number", range(21), ids=[f"{block.number}-{block.heading}" for block in blocks()])
def test_it_runs_as_printed(tour: Tour, number: int) -> None:
    error = tour.steps[number].error
    if error is not None:
        raise error


# ---- quick start ----------------------------------------------------------------------------------------------


def test_basic_usage_prints_the_answer_and_goes_on_with_all_that_was_said(tour: Tour) -> None:
    step = tour.steps[at.BASIC]
    assert step.printed == f"Response: {tour.openai.answer}\n"
    assert step.response2.conversation_id == step.response.conversation_id
    first, second = step.asked["openai"]
    assert (first.data["model"], first.data["temperature"]) == ("gpt-4", 0.7)
    assert first.headers["authorization"] == "Bearer your-api-key"
    assert [(one["role"], one["content"]) for one in step.messages()] == [
        ("user", "Hello, how can you help me?"),
        ("assistant", tour.openai.answer),
        ("user", "Tell me about artificial intelligence"),
    ]
    assert second.headers["authorization"] == "Bearer your-api-key"


def test_streaming_prints_the_text_as_it_comes(tour: Tour) -> None:
    step = tour.steps[at.STREAMING]
    assert step.printed == "Once upon a time there was a pipe."
    assert step.asked["openai"][0].data["stream"] is True


def test_of_several_providers_only_the_one_that_is_named_is_asked_with_its_own_key(tour: Tour) -> None:
    step = tour.steps[at.SEVERAL]
    assert {name: len(asked) for name, asked in step.asked.items()} == {"openai": 0, "anthropic": 1, "ollama": 0}
    (sent,) = step.asked["anthropic"]
    assert sent.data["model"] == "claude-3-sonnet"
    assert sent.headers["x-api-key"] == "anthropic-key"
    assert step.response.provider == "anthropic"
    assert list(step.config.providers) == ["openai", "anthropic", "ollama"]


# ---- providers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kind", "model", "most"),
    [
        (at.OPENAI, LLMProvider.OPENAI, "gpt-4", 2000),
        (at.ANTHROPIC, LLMProvider.ANTHROPIC, "claude-3-sonnet-20240229", 4096),
        (at.OLLAMA, LLMProvider.OLLAMA, "llama2", None),
        (at.LOCAL, LLMProvider.LOCAL, "microsoft/DialoGPT-medium", None),
    ],
)
def test_each_supported_provider_is_configured_as_printed(
    tour: Tour, number: int, kind: LLMProvider, model: str, most: int | None
) -> None:
    made = tour.steps[number].value
    assert isinstance(made, ProviderConfig)
    assert (made.provider, made.model, made.max_tokens, made.temperature) == (kind, model, most, 0.7)


def test_a_key_is_not_shown_by_the_configuration_that_holds_it(tour: Tour) -> None:
    assert "sk-ant-..." not in repr(tour.steps[at.ANTHROPIC].value)


def test_ollama_answers_with_any_model_name(tour: Tour) -> None:
    step = tour.steps[at.OLLAMA]
    assert step.found["answer"].content == tour.fakes["ollama"].answer
    assert step.found["answer"].cost == 0
    (sent,) = step.asked["ollama"]
    assert (sent.path, sent.data["model"]) == ("/api/chat", "llama2")


def test_a_local_model_is_given_the_device(tour: Tour) -> None:
    assert tour.steps[at.LOCAL].value.extra_params == {"device": "cuda"}


def test_a_model_on_this_machine_answers_and_costs_nothing(tour: Tour) -> None:
    answer = tour.steps[at.LOCAL].found["answer"]
    assert (answer.status, answer.cost, answer.provider) == (Status.COMPLETE, 0, "here")
    assert answer.usage.output_tokens > 0


def test_a_local_model_that_is_not_here_is_told_with_the_way_to_get_it(tour: Tour) -> None:
    error = tour.steps[at.LOCAL].found["as printed"]
    assert "coda models pull microsoft/DialoGPT-medium" in error.hint


# ---- conversations --------------------------------------------------------------------------------------------


def test_a_conversation_is_made_added_to_and_read(tour: Tour) -> None:
    step = tour.steps[at.CONVERSATIONS]
    assert step.conversation.id == "my-conversation"
    assert [(one.role, one.content) for one in step.context] == [(MessageRole.USER, "Hello, world!")]


# ---- tools ----------------------------------------------------------------------------------------------------


def test_what_time_is_it_and_two_and_two_runs_both_tools_and_the_answer_has_both(tour: Tour) -> None:
    assert tour.steps[at.TOOLS].config.function_calling.enabled
    step = tour.steps[at.TOOLS_USED]
    offered = {tool["function"]["name"] for tool in step.asked["openai"][0].data["tools"]}  # type: ignore[attr-defined]
    assert {"get_time", "calculator"} <= offered
    assert [call.name for call in step.response.tool_calls] == ["get_time", "calculator"]
    results = {one["tool_call_id"]: one["content"] for one in step.messages() if one["role"] == "tool"}
    assert re.search(r"\d\d:\d\d:\d\d", results["call_1"])
    assert results["call_2"] == "4"
    assert step.response.content == "It is noon, and 4."


# ---- memory and personality -----------------------------------------------------------------------------------


def test_the_preference_is_stored_and_used_in_the_next_conversation(tour: Tour) -> None:
    stored, later = tour.steps[at.MEMORY], tour.steps[at.PERSONALITY]
    assert "detailed explanations" in stored.found["file"]
    assert later.response.conversation_id != stored.response.conversation_id
    assert "detailed explanations" in later.system(0)


def test_the_answer_reflects_the_state_of_the_personality(tour: Tour) -> None:
    step = tour.steps[at.PERSONALITY]
    before, after = step.system(0), step.system(-1)
    assert step.messages(0)[-1]["content"] == step.messages(-1)[-1]["content"] == "How are you feeling?"
    assert "your mood is calm" in before
    assert [change.trait for change in step.found["state"].changes] == ["verbosity"]
    assert f"your mood is {step.found['state'].mood}" in after
    assert sentences({"verbosity": 0.3})[0] in after
    assert sentences({"verbosity": 0.3})[0] not in before


# ---- the WebSocket --------------------------------------------------------------------------------------------


def test_the_answer_is_broadcast_on_a_socket_of_this_machine(tour: Tour) -> None:
    step = tour.steps[at.WEBSOCKET]
    if step.error is not None:
        raise step.error
    assert step.found["url"].startswith(("ws://127.0.0.1:", "http://127.0.0.1:"))
    events = step.found["events"]
    types = [event["type"] for event in events]
    assert types[:2] == ["conversation_created", "response_start"]
    assert types[-1] == "response_complete"
    text = "".join(event["delta"] for event in events if event["type"] == "response_chunk")
    assert text == events[-1]["content"] == tour.openai.answer


# ---- prompts --------------------------------------------------------------------------------------------------


def test_prompts_are_enhanced_with_what_is_given(tour: Tour) -> None:
    step = tour.steps[at.PROMPTS]
    assert step.enhanced_system.startswith("You are a helpful assistant")
    assert "detailed" in step.enhanced_system
    assert "technical" in step.enhanced_system
    assert step.enhanced_user.endswith("Explain machine learning")


# ---- configuration --------------------------------------------------------------------------------------------


def test_the_complete_configuration_holds_every_value_as_printed(tour: Tour) -> None:
    config = tour.steps[at.CONFIGURATION].config
    assert isinstance(config, LLMConfig)
    dumped = config.model_dump()
    assert dumped["conversation"] == {
        "max_messages": 50,
        "max_tokens_per_conversation": 8000,
        "auto_summarize": True,
        "summarize_threshold": 40,
        "memory_integration_enabled": True,
        "personality_integration_enabled": True,
    }
    calling = {"enabled": True, "auto_execute": True, "max_function_calls_per_turn": 5}
    calling |= {"parallel_execution": True, "tool_integration_enabled": True}
    assert {name: dumped["function_calling"][name] for name in calling} == calling
    assert (config.providers["openai"].timeout, config.providers["openai"].max_retries) == (120.0, 3)
    assert config.websocket_events_enabled
    assert config.stream_responses
    assert config.memory_enabled
    assert config.personality_enabled
    assert config.tools_enabled


# ---- analytics and status -------------------------------------------------------------------------------------


def sent_before(tour: Tour, number: int, vendor: str) -> int:
    return sum(len(step.asked[vendor]) for step in tour.steps[:number])


def test_the_analytics_count_what_was_asked_across_all_managers(tour: Tour) -> None:
    step = tour.steps[at.ANALYTICS]
    analytics = step.analytics
    conversations = analytics["conversations"]
    head, *providers = step.printed.splitlines()[2:]
    assert step.printed.splitlines()[:2] == [
        f"Total conversations: {conversations['total_conversations']}",
        f"Total tokens: {conversations['total_tokens']}",
    ]
    assert head == f"Total cost: ${conversations['total_cost']:.4f}"
    asked = sent_before(tour, at.ANALYTICS, "openai")
    assert analytics["providers"]["openai"]["request_count"] == asked
    assert any(line.startswith(f"openai: {asked} requests, ") for line in providers)
    assert sum(one["total_tokens"] for one in analytics["providers"].values()) == conversations["total_tokens"]


def test_the_analytics_know_the_conversations_of_the_disk(tour: Tour) -> None:
    step = tour.steps[at.ANALYTICS]
    asked = [one for one in tour.steps[: at.ANALYTICS] if "response" in one.names]
    ids = {one.names["response"].conversation_id for one in asked}
    assert step.analytics["conversations"]["total_conversations"] >= len(ids)


def test_the_status_of_every_provider_is_printed(tour: Tour) -> None:
    lines = tour.steps[at.STATUS].printed.splitlines()
    asked = sent_before(tour, at.STATUS, "openai")
    assert lines[:3] == ["openai: ✅", "  Model: gpt-4", f"  Requests: {asked}"]
    assert re.fullmatch(r"  Tokens: [1-9]\d*", lines[3])


# ---- errors ---------------------------------------------------------------------------------------------------


def test_each_error_is_caught_by_its_own_name(tour: Tour) -> None:
    step = tour.steps[at.ERRORS]
    if step.error is not None:
        raise step.error
    good, unauthorized, limited, late, other = step.runs
    assert good == ""
    assert unauthorized == "Invalid API key\n"
    assert limited == "Rate limited, retry after 7.0 seconds\n"
    assert late == "Request timed out\n"
    assert other.startswith("LLM error: ")


# ---- caching --------------------------------------------------------------------------------------------------


def test_the_second_what_is_ai_comes_from_the_cache(tour: Tour) -> None:
    step = tour.steps[at.CACHE]
    assert step.response1.content == step.response2.content == tour.openai.answer
    assert len(step.asked["openai"]) == 1
    assert step.response2.cost == 0
    assert step.response1.conversation_id != step.response2.conversation_id


# ---- advanced -------------------------------------------------------------------------------------------------


def test_a_custom_provider_is_one_of_the_providers_and_answers(tour: Tour) -> None:
    found = tour.steps[at.CUSTOM].found
    assert {"openai", "custom"} <= set(found["providers"])
    assert (found["answer"].content, found["answer"].provider) == ("HELLO", "filled")


def test_the_custom_provider_as_printed_answers_nothing_and_says_so(tour: Tour) -> None:
    error = tour.steps[at.CUSTOM].found["as printed"]
    assert isinstance(error, LLMBadResponseError)
    assert "CustomProvider._parse_response" in str(error)


async def test_the_post_processing_as_printed_is_what_is_returned_and_kept(tour: Tour) -> None:
    class Filtered(tour.steps[at.PROCESSED].CustomLLMManager):  # type: ignore[misc]  # a class of the document
        def apply_custom_filters(self, content: str) -> str:
            return content.replace("secret", "[removed]")

    provider = ScriptedProvider(replies=["the secret word"])
    manager: LLMManager = Filtered(LLMConfig(providers={"s": provider.config}))
    manager._providers["s"] = provider
    response: LLMResponse = await manager.generate_response("which?")
    assert (response.content, response.status) == ("the [removed] word", Status.COMPLETE)
    assert (await manager.store.messages(response.conversation_id))[-1].content == "the [removed] word"


def test_nothing_but_the_document_decides_what_is_sent(tour: Tour) -> None:
    """No block has talked to a vendor that it does not name, and every request carries the key that it names."""
    keys = {"your-api-key", "openai-key", "your-key"}
    for step in tour.steps:
        assert {sent.headers["authorization"].removeprefix("Bearer ") for sent in step.asked["openai"]} <= keys
