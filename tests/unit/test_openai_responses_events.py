"""The Responses API as tables: an event's JSON and the ProviderEvents that it means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coda_cli.engine.accumulate import Accumulator
from coda_cli.engine.core.errors import LLMError, LLMInvalidRequestError, LLMOverloadedError, LLMRateLimitError
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    ReasoningPart,
    TextPart,
    ToolCallPart,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.profiles import profile_for
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.openai_responses import ResponsesMapping, responses_body
from coda_cli.engine.providers.wire import _guarded

ITEM = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "E",
}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": 1, **fields}


def text(delta: object) -> dict[str, Any]:
    return event("output_text.delta", item_id="m", output_index=0, content_index=0, delta=delta)


def ended(kind: str = "completed", **fields: Any) -> dict[str, Any]:
    return event(kind, response={"id": "resp_1", "model": "m-1", "status": kind, **fields})


def read(*sent: dict[str, Any]) -> list[ProviderEvent]:
    mapping = ResponsesMapping()
    return [*(made for one in sent for made in _guarded(mapping.feed("", one))), *mapping.end()]


def finished(reason: FinishReason) -> Finished:
    return Finished(reason, "m-1", "resp_1")


STOP = finished(FinishReason.STOP)


def test_text_and_the_end() -> None:
    assert read(
        event("created", response={"status": "in_progress"}),
        event("output_item.added", output_index=0, item={"type": "message"}),
        text("Hel"),
        text("lo"),
        event("output_text.done", text="Hello"),
        event("output_item.done", output_index=0, item={"type": "message"}),
        ended(),
    ) == [TextDelta("Hel"), TextDelta("lo"), STOP]


def test_the_name_of_the_event_counts_where_the_data_has_no_type() -> None:
    mapping = ResponsesMapping()
    assert list(mapping.feed("response.output_text.delta", {"delta": "a"})) == [TextDelta("a")]


def test_without_its_end_marker_there_is_no_finished() -> None:
    mapping = ResponsesMapping()
    assert list(mapping.feed("", text("a"))) == [TextDelta("a")]
    assert list(mapping.feed("[DONE]", {})) == []
    assert not mapping.over
    assert list(mapping.end()) == []
    assert list(mapping.feed("", ended())) == []
    assert mapping.over


@pytest.mark.parametrize("status", ["in_progress", "queued", "cancelled"])
def test_a_status_that_is_no_end_is_none(status: str) -> None:
    assert read(event("completed", response={"status": status})) == []


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"reason": "max_output_tokens"}, FinishReason.LENGTH),
        ({"reason": "content_filter"}, FinishReason.CONTENT_FILTER),
        ({"reason": "else"}, FinishReason.UNKNOWN),
        ({"reason": None}, FinishReason.UNKNOWN),
        (None, FinishReason.UNKNOWN),
    ],
)
def test_an_incomplete_answer_says_why(details: object, reason: FinishReason) -> None:
    assert read(text("a"), ended("incomplete", incomplete_details=details)) == [TextDelta("a"), finished(reason)]


def test_a_refusal_is_text_and_its_own_reason() -> None:
    assert read(event("refusal.delta", delta="no"), ended()) == [TextDelta("no"), finished(FinishReason.REFUSAL)]


def test_parallel_calls_are_told_apart_by_their_output_index() -> None:
    call = {"type": "function_call", "id": "fc", "arguments": ""}
    sent = [
        event("output_item.added", output_index=1, item={**call, "call_id": "c1", "name": "a"}),
        event("output_item.added", output_index=2, item={**call, "call_id": "c2", "name": "b"}),
        event("function_call_arguments.delta", output_index=2, delta='{"x"'),
        event("function_call_arguments.delta", output_index=1, delta="{}"),
        event("function_call_arguments.delta", output_index=2, delta=":1}"),
        event("function_call_arguments.done", output_index=2, arguments='{"x":1}'),
        ended(),
    ]
    made = read(*sent)
    assert made[-1] == finished(FinishReason.TOOL_CALLS)
    accumulator = Accumulator("openai")
    for one in made:
        accumulator.add(one)
    assert accumulator.parts() == [
        ToolCallPart(id="c1", name="a", arguments="{}"),
        ToolCallPart(id="c2", name="b", arguments='{"x":1}'),
    ]


def test_thinking_comes_in_paragraphs_and_closes_with_the_encrypted_item() -> None:
    made = read(
        event("output_item.added", output_index=0, item={"type": "reasoning", "id": "rs_1", "summary": []}),
        event("reasoning_summary_part.added", summary_index=0),
        event("reasoning_summary_text.delta", delta="a"),
        event("reasoning_summary_part.added", summary_index=1),
        event("reasoning_summary_text.delta", delta="b"),
        event("output_item.done", output_index=0, item={**ITEM, "status": "completed", "content": []}),
        text("x"),
        ended(),
    )
    assert [one.text for one in made if isinstance(one, ReasoningDelta)] == ["a", "\n\n", "b", ""]
    accumulator = Accumulator("openai")
    for one in made:
        accumulator.add(one)
    thought, answer = accumulator.parts()
    assert answer == TextPart(text="x")
    assert isinstance(thought, ReasoningPart)
    assert thought.text == "a\n\nb"
    answer_kept = LLMMessage(role=MessageRole.ASSISTANT, parts=[thought])
    request = ProviderRequest("gpt-6.1-sol", [answer_kept])
    again = responses_body(request, profile_for("openai", "gpt-6.1-sol"))["input"]
    assert again == [ITEM]


def test_open_reasoning_text_of_a_compatible_server_is_thinking_too() -> None:
    assert read(event("reasoning_text.delta", delta="hm"), ended()) == [ReasoningDelta("hm"), STOP]


@pytest.mark.parametrize("content", [None, ""])
def test_a_reasoning_item_without_encrypted_content_is_not_kept(content: object) -> None:
    item = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": content}
    assert read(event("output_item.done", output_index=0, item=item), ended()) == [STOP]


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (
            {
                "input_tokens": 10,
                "output_tokens": 5,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens_details": {"reasoning_tokens": 3},
                "total_tokens": 15,
            },
            TokenUsage(input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=3),
        ),
        (
            {"input_tokens": 1, "output_tokens": 2, "input_tokens_details": None},
            TokenUsage(input_tokens=1, output_tokens=2),
        ),
    ],
)
def test_usage(usage: dict[str, Any], counts: TokenUsage) -> None:
    assert read(ended(usage=usage)) == [Usage(counts), STOP]
    assert read(ended(usage=None)) == [STOP]
    assert read(ended("incomplete", usage=usage))[0] == Usage(counts)


@pytest.mark.parametrize(
    "kind", ["in_progress", "output_text.annotation.added", "web_search_call.searching", "new.thing"]
)
def test_an_event_that_is_not_known_is_passed_over(kind: str) -> None:
    assert read(event(kind, delta="x"), ended()) == [STOP]


@pytest.mark.parametrize(
    ("sent", "kind", "says"),
    [
        (ended("failed", error={"code": "server_error", "message": "boom"}), LLMOverloadedError, "boom"),
        (ended("failed", error={"code": "rate_limit_exceeded", "message": "slow"}), LLMRateLimitError, "slow"),
        (ended("failed", error=None), LLMOverloadedError, "could not finish"),
        (event("failed", response={}), LLMOverloadedError, "could not finish"),
        ({"type": "error", "code": "server_error", "message": "boom", "param": None}, LLMOverloadedError, "boom"),
        ({"type": "error", "code": None, "message": "boom"}, LLMOverloadedError, "boom"),
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": "bad"}},
            LLMInvalidRequestError,
            "bad",
        ),
        ({"error": {"message": "boom"}}, LLMOverloadedError, "boom"),
        (event("completed", response={"status": "failed", "error": {"message": "boom"}}), LLMOverloadedError, "boom"),
    ],
)
def test_errors_in_the_stream(sent: dict[str, Any], kind: type[LLMError], says: str) -> None:
    with pytest.raises(kind, match=says):
        read(text("a"), sent)


def test_a_whole_answer() -> None:
    mapping = ResponsesMapping()
    data = {
        "id": "resp_1",
        "model": "m-1",
        "status": "completed",
        "error": None,
        "output": [
            ITEM,
            {"type": "web_search_call"},
            {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
    assert [*mapping.whole(data), *mapping.end()] == [
        ReasoningDelta("hm"),
        ReasoningDelta(data="openai:" + json.dumps(ITEM)),
        TextDelta("a"),
        ToolCallDelta(3, "c", "f", "{}"),
        Usage(TokenUsage(input_tokens=1, output_tokens=2)),
        finished(FinishReason.TOOL_CALLS),
    ]


def test_a_whole_refusal_and_a_whole_failure() -> None:
    mapping = ResponsesMapping()
    message = {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}
    data = {"id": "resp_1", "model": "m-1", "status": "completed", "output": [message]}
    assert [*mapping.whole(data), *mapping.end()] == [TextDelta("no"), finished(FinishReason.REFUSAL)]
    with pytest.raises(LLMOverloadedError, match="boom"):
        list(ResponsesMapping().whole({"status": "failed", "error": {"message": "boom"}, "output": []}))


@pytest.mark.parametrize(
    "sent",
    [
        text(5),
        text(None),
        text(["a"]),
        event("reasoning_text.delta", delta=5),
        event("output_item.added", output_index=None, item={"type": "function_call", "call_id": "c", "name": "f"}),
        event("output_item.added", output_index=0, item={"type": "function_call", "call_id": 5, "name": "f"}),
        event("output_item.added", output_index=0, item={"type": "function_call", "call_id": "c", "name": None}),
        event("function_call_arguments.delta", output_index=0, delta={"a": 1}),
        event("output_item.done", item=None),
        event("output_text.delta"),
        event("completed"),
    ],
    ids=str,
)
def test_a_shape_of_its_own_is_read_or_refused_while_it_is_read_and_never_breaks_later(sent: dict[str, Any]) -> None:
    """Whatever the mapping lets through must be a message: only the mapping stands inside the guard for odd shapes."""
    try:
        made = read(sent)
    except (TypeError, KeyError, AttributeError, IndexError, ValueError, LLMError):
        return
    accumulator = Accumulator("openai")
    for one in made:
        accumulator.add(one)
    assert all(isinstance(part, TextPart | ReasoningPart | ToolCallPart) for part in accumulator.parts())
