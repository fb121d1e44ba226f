"""Chat Completions as tables: a request and its exact JSON body."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
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
from coda_cli.engine.providers.openai_chat import chat_body

PNG = b"\x89PNG\r\n\x1a\n"
B64 = base64.b64encode(PNG).decode()
IMAGE = ImagePart(data=PNG, media_type="image/png")
CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
OPEN: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
PROFILE = ModelProfile()


def said(role: MessageRole, *parts: Part) -> LLMMessage:
    return LLMMessage(role=role, parts=list(parts))


def body(*messages: LLMMessage, profile: ModelProfile = PROFILE, **more: Any) -> dict[str, Any]:
    return chat_body(ProviderRequest(model="m", messages=messages, **more), profile)


def sent(*messages: LLMMessage) -> Any:
    return body(*messages)["messages"]


# -- request -> JSON


def test_the_whole_body_of_a_plain_question() -> None:
    assert body(system("Be brief."), user("Hi")) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("part", "item"),
    [
        (IMAGE, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{B64}"}}),
        (
            FilePart(data=PNG, media_type="application/pdf", name="a b.pdf"),
            {"type": "file", "file": {"filename": "a b.pdf", "file_data": f"data:application/pdf;base64,{B64}"}},
        ),
        (
            FilePart(data=PNG, media_type="application/pdf"),
            {"type": "file", "file": {"filename": "file.pdf", "file_data": f"data:application/pdf;base64,{B64}"}},
        ),
        (
            AudioPart(data=PNG, media_type="audio/wav"),
            {"type": "input_audio", "input_audio": {"data": B64, "format": "wav"}},
        ),
        (
            AudioPart(data=PNG, media_type="audio/mpeg"),
            {"type": "input_audio", "input_audio": {"data": B64, "format": "mp3"}},
        ),
    ],
)
def test_an_attachment_makes_the_content_a_list_in_the_order_of_the_parts(part: Part, item: dict[str, Any]) -> None:
    message = said(MessageRole.USER, TextPart(text="a"), part, TextPart(text="b"))
    assert sent(message) == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, item, {"type": "text", "text": "b"}]}
    ]


def test_several_text_parts_are_one_string() -> None:
    parts = [TextPart(text="a\n"), TextPart(text=""), TextPart(text="b")]
    assert sent(said(MessageRole.USER, *parts)) == [{"role": "user", "content": "a\nb"}]


def test_calls_and_results_keep_their_ids_and_the_arguments_byte_for_byte() -> None:
    call = ToolCallPart(id="c1", name="add", arguments='{"a" :2,\n"b":2}')
    other = ToolCallPart(id="c2", name="now", arguments="")
    result = ToolResultPart(id="c1", name="add", text="4")
    failed = ToolResultPart(id="c2", name="now", text="no clock", is_error=True)
    messages = sent(
        user("2+2?"),
        said(MessageRole.ASSISTANT, TextPart(text="Let me see."), call, other),
        said(MessageRole.TOOL, result, failed),
        assistant("4"),
    )
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a" :2,\n"b":2}'}},
                {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
        {"role": "tool", "tool_call_id": "c2", "content": "no clock"},
        {"role": "assistant", "content": "4"},
    ]


def test_a_call_without_text_has_null_content() -> None:
    (message,) = sent(said(MessageRole.ASSISTANT, ToolCallPart(id="c", name="f", arguments="{}")))
    assert message["content"] is None


@pytest.mark.parametrize("part", [ReasoningPart(text="hm"), ReasoningPart(data="openai:{}", provider="openai")])
def test_thinking_is_never_sent_and_a_message_of_nothing_else_is_left_out(part: ReasoningPart) -> None:
    thought = said(MessageRole.ASSISTANT, part)
    answer = said(MessageRole.ASSISTANT, part, TextPart(text="yes"))
    assert sent(user("a"), thought, user("b"), answer) == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "yes"},
    ]


@pytest.mark.parametrize(("schema", "strict"), [(CLOSED, True), (OPEN, False)])
def test_a_schema_is_strict_only_where_strict_mode_takes_it(schema: dict[str, Any], strict: bool) -> None:
    assert body(user("x"), schema=schema)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": strict},
    }


@pytest.mark.parametrize(
    ("profile", "field"),
    [(profile_for("openai", "gpt-6.1-sol"), "max_completion_tokens"), (profile_for("compatible", "x"), "max_tokens")],
)
def test_the_limit_has_the_name_that_the_model_takes(profile: ModelProfile, field: str) -> None:
    made = body(user("x"), profile=profile, options={"max_tokens": 7, "temperature": 0.5})
    assert made[field] == 7
    assert len({"max_tokens", "max_completion_tokens"} & made.keys()) == 1
    assert made["temperature"] == 0.5


def test_neutral_options_and_the_vendors_own_go_through() -> None:
    options = {
        "effort": "high",
        "seed": 1,
        "stop": ["\n"],
        "top_p": 0.1,
        "service_tier": "flex",
        "logit_bias": {"5": 1},
    }
    made = body(user("x"), options=options)
    plain = body(user("x"))
    assert {name: value for name, value in made.items() if name not in plain} == {
        "reasoning_effort": "high",
        "seed": 1,
        "stop": ["\n"],
        "top_p": 0.1,
        "service_tier": "flex",
        "logit_bias": {"5": 1},
    }


def test_tools_are_functions() -> None:
    tool = ToolSpec("add", "Adds.", CLOSED)
    assert body(user("x"), tools=[tool])["tools"] == [
        {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": CLOSED}}
    ]


def test_making_a_body_changes_nothing_of_the_request() -> None:
    options = {"max_tokens": 1, "effort": "low"}
    request = ProviderRequest(model="m", messages=[user("x")], options=options, schema=CLOSED)
    assert chat_body(request, PROFILE) == chat_body(request, PROFILE)
    assert options == {"max_tokens": 1, "effort": "low"}
