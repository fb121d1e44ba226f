"""The Responses API as tables: a request and its exact JSON body."""

from __future__ import annotations

import base64
import json
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
from coda_cli.engine.providers.openai_responses import responses_body

PNG = b"\x89PNG\r\n\x1a\n"
B64 = base64.b64encode(PNG).decode()
PLAIN = ModelProfile()
REASONS = profile_for("openai", "gpt-6.1-sol")
CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
ITEM = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "E",
}
OWN = ReasoningPart(text="hm", data="openai:" + json.dumps(ITEM), provider="openai")


def said(role: MessageRole, *parts: Part) -> LLMMessage:
    return LLMMessage(role=role, parts=list(parts))


def body(*messages: LLMMessage, profile: ModelProfile = PLAIN, **more: Any) -> dict[str, Any]:
    return responses_body(ProviderRequest(model="m", messages=messages, **more), profile)


# -- request -> JSON


def test_the_whole_body_of_a_plain_question() -> None:
    assert body(system("Be brief."), user("Hi"), assistant("Yes?")) == {
        "model": "m",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
        ],
        "instructions": "Be brief.",
        "stream": True,
        "store": False,
    }


def test_several_system_messages_are_one_instruction_and_none_is_left_out() -> None:
    assert body(system("a"), user("x"), system("b"))["instructions"] == "a\n\nb"
    assert "instructions" not in body(user("x"))


@pytest.mark.parametrize(
    ("part", "item"),
    [
        (
            ImagePart(data=PNG, media_type="image/png"),
            {"type": "input_image", "image_url": f"data:image/png;base64,{B64}"},
        ),
        (
            FilePart(data=PNG, media_type="application/pdf", name="a.pdf"),
            {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{B64}"},
        ),
        (
            FilePart(data=PNG, media_type="application/pdf"),
            {"type": "input_file", "filename": "file.pdf", "file_data": f"data:application/pdf;base64,{B64}"},
        ),
        (
            AudioPart(data=PNG, media_type="audio/mpeg"),
            {"type": "input_audio", "input_audio": {"data": B64, "format": "mp3"}},
        ),
    ],
)
def test_an_attachment_stands_where_it_stood(part: Part, item: dict[str, Any]) -> None:
    message = said(MessageRole.USER, TextPart(text="a"), part, TextPart(text="b"))
    assert body(message)["input"] == [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "a"}, item, {"type": "input_text", "text": "b"}],
        }
    ]


def test_calls_and_results_are_items_between_the_messages() -> None:
    call = ToolCallPart(id="c1", name="add", arguments='{"a" :2}')
    made = body(
        user("2+2?"),
        said(MessageRole.ASSISTANT, TextPart(text="I add."), call, TextPart(text="Then.")),
        said(MessageRole.TOOL, ToolResultPart(id="c1", name="add", text="4")),
    )
    assert made["input"][1:] == [
        {"role": "assistant", "content": [{"type": "output_text", "text": "I add."}]},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a" :2}'},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Then."}]},
        {"type": "function_call_output", "call_id": "c1", "output": "4"},
    ]


def test_our_own_reasoning_item_is_sent_again_as_it_came() -> None:
    made = body(user("x"), said(MessageRole.ASSISTANT, OWN, TextPart(text="a")), profile=REASONS)
    assert made["input"][1:] == [ITEM, {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}]


@pytest.mark.parametrize(
    "part",
    [
        ReasoningPart(text="hm", data="anthropic:abc", provider="anthropic"),
        ReasoningPart(text="hm", signature="c2ln", provider="anthropic"),
        ReasoningPart(text="hm", data="{}"),
        ReasoningPart(text="hm", data=""),
        ReasoningPart(text="hm"),
    ],
)
def test_reasoning_of_another_vendor_is_left_out(part: ReasoningPart) -> None:
    made = body(user("x"), said(MessageRole.ASSISTANT, part, TextPart(text="a")), said(MessageRole.ASSISTANT, part))
    assert made["input"][1:] == [{"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}]


def test_a_model_that_does_not_reason_is_sent_no_reasoning_item() -> None:
    """The API refuses it: "Reasoning input items can only be provided to a reasoning or computer use model"."""
    made = body(user("x"), said(MessageRole.ASSISTANT, OWN, TextPart(text="a")), profile=PLAIN)
    assert [item.get("type", "message") for item in made["input"]] == ["message", "message"]


@pytest.mark.parametrize("data", ["openai:", "openai:{", "openai:[1]", "openai:null"])
def test_a_damaged_reasoning_item_does_not_wedge_the_conversation(data: str) -> None:
    damaged = said(MessageRole.ASSISTANT, ReasoningPart(data=data), TextPart(text="a"))
    made = body(user("x"), damaged, profile=REASONS)
    assert made["input"][1:] == [{"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}]


@pytest.mark.parametrize(
    ("options", "reasoning"),
    [({}, {"summary": "auto"}), ({"effort": "high"}, {"summary": "auto", "effort": "high"})],
)
def test_a_reasoning_model_is_asked_for_its_summary_and_the_encrypted_item(
    options: dict[str, Any], reasoning: dict[str, Any]
) -> None:
    made = body(user("x"), profile=REASONS, options=options)
    assert made["reasoning"] == reasoning
    assert made["include"] == ["reasoning.encrypted_content"]
    assert "effort" not in made


def test_a_model_that_does_not_reason_is_asked_for_neither() -> None:
    assert {"reasoning", "include"}.isdisjoint(body(user("x")))


@pytest.mark.parametrize("strict", [True, False])
def test_a_schema_goes_into_the_text_format(strict: bool) -> None:
    schema = CLOSED if strict else {"type": "object", "properties": CLOSED["properties"]}
    assert body(user("x"), schema=schema)["text"] == {
        "format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": strict}
    }


def test_the_limit_options_and_tools() -> None:
    tool = ToolSpec("add", "Adds.", CLOSED)
    options = {"max_tokens": 7, "temperature": 0.5, "top_p": 0.1, "service_tier": "flex", "metadata": {"a": "b"}}
    made = body(user("x"), options=options, tools=[tool])
    plain = body(user("x"))
    assert {name: value for name, value in made.items() if name not in plain} == {
        "max_output_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.1,
        "service_tier": "flex",
        "metadata": {"a": "b"},
        "tools": [
            {"type": "function", "name": "add", "description": "Adds.", "parameters": CLOSED, "strict": False}
        ],
    }  # fmt: skip
    assert options["max_tokens"] == 7
