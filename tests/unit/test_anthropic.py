"""The Anthropic provider: bodies and events from tables."""

import base64
import json
from typing import Any

import pytest

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import (
    LLMInvalidRequestError,
    retryable,
)
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    MediaPart,
    MessageRole,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    system,
    user,
)
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.core.profiles import ModelProfile, profile_for
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.anthropic import AnthropicProvider
from coda_cli.engine.providers.anthropic_messages import MessagesMapping, messages_body

MODEL = "claude-sonnet-5-5"
ADAPTIVE = profile_for("anthropic", MODEL)
BUDGET = profile_for("anthropic", "claude-sonnet-4-5")
OLDEST = profile_for("anthropic", "claude-3-haiku")
PNG = b"\x89PNG\r\n"


def ask(*messages: LLMMessage, **more: Any) -> ProviderRequest:
    return ProviderRequest(model=MODEL, messages=messages or [user("hi")], **more)


def body(*messages: LLMMessage, profile: ModelProfile = ADAPTIVE, **more: Any) -> dict[str, Any]:
    return messages_body(ask(*messages, **more), profile)


def feed(*events: dict[str, Any]) -> list[ProviderEvent]:
    mapping = MessagesMapping()
    out = [event for data in events for event in mapping.feed(data["type"], data)]
    return [*out, *mapping.end()]


# ---- bodies ---------------------------------------------------------------------------------------------------


def test_a_plain_question_is_cached_streamed_and_limited() -> None:
    assert body(system("Be brief."), user("hi")) == {
        "model": MODEL,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
        "system": [{"type": "text", "text": "Be brief."}],
        "cache_control": {"type": "ephemeral"},
        "max_tokens": 32_000,
    }


@pytest.mark.parametrize(
    ("profile", "options", "sent"),
    [
        (ADAPTIVE, {"cache": False}, {"max_tokens": 32_000}),
        (ADAPTIVE, {"cache": "off"}, {"max_tokens": 32_000}),
        (ADAPTIVE, {"cache": "1h"}, {"max_tokens": 32_000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        (ADAPTIVE, {"cache": 0, "max_tokens": 7}, {"max_tokens": 7}),
        (ADAPTIVE, {"cache": 0, "temperature": 0.5, "seed": 1}, {"max_tokens": 32_000}),
        (BUDGET, {"cache": 0, "temperature": 0.5, "top_p": 0.9}, {"max_tokens": 32_000, "temperature": 0.5}),
        (
            OLDEST,
            {"cache": 0, "temperature": 0.5, "top_p": 0.9},
            {"max_tokens": 4096, "temperature": 0.5, "top_p": 0.9},
        ),
        (ADAPTIVE, {"cache": 0, "stop": "END"}, {"max_tokens": 32_000, "stop_sequences": ["END"]}),
        (ADAPTIVE, {"cache": 0, "stop": ["A", "B"]}, {"max_tokens": 32_000, "stop_sequences": ["A", "B"]}),
        (ADAPTIVE, {"cache": 0, "service_tier": "auto"}, {"max_tokens": 32_000, "service_tier": "auto"}),
        (ModelProfile(), {"cache": 0}, {"max_tokens": 8_192}),
    ],
)
def test_options(profile: ModelProfile, options: dict[str, Any], sent: dict[str, Any]) -> None:
    got = body(profile=profile, options=options)
    assert {name: value for name, value in got.items() if name not in ("model", "messages", "stream")} == sent


@pytest.mark.parametrize(
    ("profile", "options", "thinking", "effort", "limit"),
    [
        (ADAPTIVE, {"effort": "high"}, {"type": "adaptive", "display": "summarized"}, "high", 32_000),
        (ADAPTIVE, {"effort": "minimal"}, {"type": "adaptive", "display": "summarized"}, "low", 32_000),
        (ADAPTIVE, {"effort": "none"}, {"type": "disabled"}, None, 32_000),
        (ADAPTIVE, {"thinking": "between_tools"}, {"type": "between_tools"}, None, 32_000),
        (ADAPTIVE, {"thinking": {"type": "adaptive"}, "effort": "max"}, {"type": "adaptive"}, "max", 32_000),
        (ADAPTIVE, {"thinking": {"type": "adaptive"}, "effort": "minimal"}, {"type": "adaptive"}, "low", 32_000),
        (BUDGET, {"thinking": True, "max_tokens": 1}, {"type": "enabled", "budget_tokens": 16_384}, None, 16_385),
        (ADAPTIVE, {"thinking": True}, {"type": "adaptive", "display": "summarized"}, "high", 32_000),
        (ADAPTIVE, {"thinking": False}, {"type": "disabled"}, None, 32_000),
        (BUDGET, {"effort": "low"}, {"type": "enabled", "budget_tokens": 2_048}, None, 34_048),
        (BUDGET, {"effort": "medium", "max_tokens": 100}, {"type": "enabled", "budget_tokens": 8_192}, None, 8_292),
        (BUDGET, {"effort": "max", "max_tokens": 64_000}, {"type": "enabled", "budget_tokens": 32_768}, None, 64_000),
        (BUDGET, {"effort": "none"}, None, None, 32_000),
        (OLDEST, {"effort": "high"}, None, None, 4_096),
        (
            BUDGET,
            {"thinking": {"type": "enabled", "budget_tokens": 5_000}, "max_tokens": 1_000},
            {"type": "enabled", "budget_tokens": 5_000},
            None,
            6_000,
        ),
    ],
)
def test_thinking(
    profile: ModelProfile, options: dict[str, Any], thinking: dict[str, Any] | None, effort: str | None, limit: int
) -> None:
    got = body(profile=profile, options=options)
    assert got.get("thinking") == thinking
    assert got.get("output_config", {}).get("effort") == effort
    assert got["max_tokens"] == limit
    assert "effort" not in got


def test_a_model_that_thinks_is_sent_no_temperature() -> None:
    got = body(profile=BUDGET, options={"effort": "low", "temperature": 0.2, "top_k": 5})
    assert not {"temperature", "top_k"} & got.keys()


def test_an_unknown_effort_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LLMInvalidRequestError, match="'huge' is no effort") as error:
        body(options={"effort": "huge"})
    assert error.value.hint is not None
    assert "medium" in error.value.hint
    assert not retryable(error.value)


def test_a_schema_is_closed_and_its_constraints_become_words() -> None:
    schema = {
        "type": "object",
        "properties": {
            "age": {"type": "integer", "minimum": 0, "description": "in years"},
            "tags": {"type": "array", "minItems": 2, "items": {"type": "object", "properties": {}}},
            "kind": {"oneOf": [{"type": "string"}, {"$ref": "#/$defs/k"}]},
        },
        "required": ["age"],
        "$defs": {"k": {"type": ["object", "null"]}},
    }
    before = json.dumps(schema)
    got = body(schema=schema, options={"effort": "low"})["output_config"]
    assert got["effort"] == "low"
    assert got["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {
                "age": {"type": "integer", "description": "in years (minimum 0)"},
                "tags": {
                    "type": "array",
                    "items": {"type": "object", "properties": {}, "additionalProperties": False},
                    "description": "(minItems 2)",
                },
                "kind": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/k"}]},
            },
            "required": ["age"],
            "$defs": {"k": {"type": ["object", "null"], "additionalProperties": False}},
            "additionalProperties": False,
        },
    }
    assert json.dumps(schema) == before


def test_attachments_and_tools() -> None:
    tool = ToolSpec("add", "Adds.", {"type": "object", "properties": {}})
    media: list[MediaPart] = [
        ImagePart(data=PNG, media_type="image/png"),
        FilePart(data=b"%PDF", media_type="application/pdf", name="a.pdf"),
        AudioPart(data=b"RIFF", media_type="audio/wav"),
    ]
    got = body(user("see", media), tools=[tool])
    assert got["tools"] == [{"name": "add", "description": "Adds.", "input_schema": dict(tool.parameters)}]
    text, image, document, sound = got["messages"][0]["content"]
    assert text == {"type": "text", "text": "see"}
    data = base64.b64encode(PNG).decode()
    assert image == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    assert document["type"] == "document"
    assert document["title"] == "a.pdf"
    assert document["source"]["media_type"] == "application/pdf"
    assert sound["type"] == "text"


def test_a_round_of_tools_keeps_signed_thoughts_and_drops_foreign_ones() -> None:
    calls = LLMMessage(
        role=MessageRole.ASSISTANT,
        parts=[
            ReasoningPart(text="mine", signature="anthropic:c2ln"),
            ReasoningPart(data="anthropic:cmVk"),
            ReasoningPart(text="theirs", signature="openai:c2ln", data='openai:{"x":1}'),
            ReasoningPart(text="unsigned"),
            TextPart(text=" \n"),
            ToolCallPart(id="t1", name="add", arguments='{"a": 1}'),
            ToolCallPart(id="t2", name="add", arguments='{"a": '),
        ],
    )
    results = LLMMessage(
        role=MessageRole.TOOL,
        parts=[
            ToolResultPart(id="t1", name="add", text="1"),
            ToolResultPart(id="t2", name="add", text="", is_error=True),
        ],
    )
    got = body(user("q"), calls, user("and"), results)["messages"]
    assert [turn["role"] for turn in got] == ["user", "assistant", "user"]
    assert got[1]["content"] == [
        {"type": "thinking", "thinking": "mine", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
        {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "add", "input": {}},
    ]
    assert got[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "t1", "content": "1"},
        {"type": "tool_result", "tool_use_id": "t2", "is_error": True},
        {"type": "text", "text": "and"},
    ]


@pytest.mark.parametrize(
    ("messages", "turns"),
    [
        ([user("a"), user("b")], [("user", ["a", "b"])]),
        ([user("a"), assistant(" "), user("b")], [("user", ["a", "b"])]),
        ([user("a"), assistant("so \n")], [("user", ["a"]), ("assistant", ["so"])]),
        ([user("a"), LLMMessage(role=MessageRole.ASSISTANT, parts=[ReasoningPart(text="hm")])], [("user", ["a"])]),
        (
            [
                user("a"),
                LLMMessage(role=MessageRole.ASSISTANT, parts=[ReasoningPart(text="hm", signature="anthropic:s")]),
                user("b"),
            ],
            [("user", ["a", "b"])],
        ),
        ([system("s"), user("a"), system("t")], [("user", ["a"])]),
    ],
)
def test_turns_alternate_and_are_never_empty(messages: list[LLMMessage], turns: list[tuple[str, list[str]]]) -> None:
    got = body(*messages)
    assert [(turn["role"], [block["text"] for block in turn["content"]]) for turn in got["messages"]] == turns
    assert [block["text"] for block in got.get("system", [])] == [
        message.content for message in messages if message.role is MessageRole.SYSTEM
    ]


# ---- events ---------------------------------------------------------------------------------------------------

START = {"type": "message_start", "message": {"id": "m1", "model": "claude", "usage": {"input_tokens": 3}}}
STOP = {"type": "message_stop"}


def ended(reason: str | None, **usage: int) -> list[dict[str, Any]]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, STOP]


def block(start: dict[str, Any], *deltas: dict[str, Any], index: int = 0) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            block({"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"}),
            [TextDelta("Hi")],
        ),
        (
            block(
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "hm"},
                {"type": "signature_delta", "signature": "c2ln"},
            ),
            [ReasoningDelta("hm"), ReasoningDelta(signature="anthropic:c2ln")],
        ),
        (block({"type": "thinking", "thinking": ""}, {"type": "signature_delta", "signature": ""}), []),
        (block({"type": "redacted_thinking", "data": "cmVk"}), [ReasoningDelta(data="anthropic:cmVk")]),
        (
            block(
                {"type": "tool_use", "id": "t", "name": "add", "input": {}},
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a"'},
                {"type": "input_json_delta", "partial_json": ": 1}"},
                index=2,
            ),
            [
                ToolCallDelta(2, "t", "add"),
                ToolCallDelta(2, arguments='{"a"'),
                ToolCallDelta(2, arguments=": 1}"),
            ],
        ),
        (
            block({"type": "tool_use", "id": "t", "name": "now", "input": {}}),
            [ToolCallDelta(0, "t", "now"), ToolCallDelta(0, arguments="{}")],
        ),
        (
            block(
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "input_json_delta", "partial_json": '{"query": 1}'},
            ),
            [],
        ),
        (block({"type": "text", "text": ""}, {"type": "citations_delta", "citation": {}}), []),
        ([{"type": "ping"}, {"type": "something_new", "x": 1}], []),
    ],
)
def test_content_events(events: list[dict[str, Any]], expected: list[ProviderEvent]) -> None:
    assert feed(*events) == expected


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("refusal", FinishReason.REFUSAL),
        ("pause_turn", FinishReason.PAUSE),
        ("model_context_window_exceeded", FinishReason.CONTEXT),
        ("brand_new", FinishReason.UNKNOWN),
    ],
)
def test_stop_reasons(reason: str, finish: FinishReason) -> None:
    assert feed(START, *ended(reason))[-1] == Finished(finish, "claude", "m1")


def test_no_message_stop_is_no_end() -> None:
    assert not any(isinstance(event, Finished) for event in feed(START, *ended("end_turn")[:1]))


def test_usage_adds_up_what_the_cache_served() -> None:
    start = {
        "type": "message_start",
        "message": {
            "usage": {
                "input_tokens": 10,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 5,
                "output_tokens": 1,
            }
        },
    }
    last = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {
            "output_tokens": 40,
            "input_tokens": None,
            "output_tokens_details": {"thinking_tokens": 30},
        },
    }
    usages = [event.usage for event in feed(start, last) if isinstance(event, Usage)]
    assert usages[0] == TokenUsage(input_tokens=115, output_tokens=1, cached_tokens=100, cache_write_tokens=5)
    assert usages[1] == TokenUsage(
        input_tokens=115, output_tokens=40, cached_tokens=100, cache_write_tokens=5, reasoning_tokens=30
    )


def test_the_profile_of_a_foreign_model_on_a_server_of_ones_own() -> None:
    config = ProviderConfig(provider=LLMProvider.ANTHROPIC, api_base="http://127.0.0.1:1")
    foreign = AnthropicProvider(config).profile("smollm2")
    assert "temperature" in foreign.sampling
    assert not foreign.schema
    assert AnthropicProvider(config).profile(MODEL) == ADAPTIVE
    assert AnthropicProvider(ProviderConfig(provider=LLMProvider.ANTHROPIC)).profile("new-name") == ADAPTIVE
