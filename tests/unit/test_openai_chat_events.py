"""Chat Completions as tables: a chunk's JSON and the ProviderEvents that it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from coda_cli.engine.accumulate import Accumulator
from coda_cli.engine.core.errors import (
    LLMContextLengthError,
    LLMError,
    LLMOverloadedError,
    LLMRateLimitError,
)
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    ToolCallPart,
)
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.openai_chat import ChatMapping
from coda_cli.engine.providers.wire import _guarded


def delta(reason: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": fields, "finish_reason": reason}]}


def read(*chunks: dict[str, Any] | str) -> list[ProviderEvent]:
    mapping = ChatMapping()
    out: list[ProviderEvent] = []
    for chunk in chunks:
        name, data = (chunk, {}) if isinstance(chunk, str) else ("", chunk)
        out += _guarded(mapping.feed(name, data))
    return [*out, *mapping.end()]


def finished(reason: FinishReason) -> Finished:
    return Finished(reason)


STOP = finished(FinishReason.STOP)


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"content": "a"}, [TextDelta("a")]),
        ({"role": "assistant", "content": ""}, []),
        ({"content": None}, []),
        ({}, []),
        ({"content": [{"type": "text", "text": "a"}, {"type": "image"}]}, [TextDelta("a")]),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, [TextDelta("ab")]),
        ({"reasoning_content": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning": "hm"}, [ReasoningDelta("hm")]),
        ({"reasoning": None, "reasoning_content": None, "content": "a"}, [TextDelta("a")]),
        ({"reasoning": "hm", "content": "a"}, [ReasoningDelta("hm"), TextDelta("a")]),
        ({"reasoning": "hm", "reasoning_content": "hm"}, [ReasoningDelta("hm")]),
        ({"tool_calls": None, "function_call": None}, []),
        ({"content": "\ud83d"}, [TextDelta("\ud83d")]),
    ],
)
def test_one_delta(fields: dict[str, Any], event: Sequence[ProviderEvent]) -> None:
    assert read(delta(**fields), delta("stop")) == [*event, STOP]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("eos", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("function_call", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("something_new", FinishReason.UNKNOWN),
    ],
)
def test_finish_reasons(word: str, reason: FinishReason) -> None:
    assert read(delta(word)) == [Finished(reason)]


def test_done_without_a_reason_is_an_end_and_does_not_replace_one() -> None:
    assert read(delta(content="a"), "[DONE]") == [TextDelta("a"), finished(FinishReason.UNKNOWN)]
    assert read(delta("length"), "[DONE]") == [finished(FinishReason.LENGTH)]
    assert read(delta(content="a")) == [TextDelta("a")], "no marker, no Finished"


def test_reading_goes_on_after_the_reason_for_the_usage_and_ends_at_done() -> None:
    mapping = ChatMapping()
    list(mapping.feed("", delta("stop")))
    assert not mapping.over
    list(mapping.feed("[DONE]", {}))
    assert mapping.over


@pytest.mark.parametrize("text", ["no", [{"type": "text", "text": "no"}]])
def test_a_refusal_is_text_and_its_own_reason(text: object) -> None:
    assert read(delta(refusal=text), delta("stop")) == [TextDelta("no"), finished(FinishReason.REFUSAL)]


def test_only_the_first_choice_counts() -> None:
    assert read(delta(content="b", index=1), delta("length", index=1), delta(content="a"), delta("stop")) == [
        TextDelta("a"),
        STOP,
    ]


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": []},
        {"choices": None},
        {"choices": [{"index": 0, "delta": None}]},
        {"object": "x", "error": None},
    ],
)
def test_a_chunk_that_says_nothing_is_passed_over(chunk: dict[str, Any]) -> None:
    assert read(chunk, delta("stop")) == [STOP]


def test_the_vendors_model_and_id_are_kept() -> None:
    chunk = {"id": "chatcmpl-1", "model": "gpt-6.1-sol-2026-10-01", **delta("stop")}
    assert read(chunk, {"id": "", "model": None, "choices": []}) == [
        Finished(FinishReason.STOP, "gpt-6.1-sol-2026-10-01", "chatcmpl-1")
    ]


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            TokenUsage(input_tokens=10, output_tokens=5, cached_tokens=4, reasoning_tokens=3),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None},
            TokenUsage(input_tokens=10, output_tokens=5),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": None, "completion_tokens_details": {"reasoning_tokens": None}},
            TokenUsage(input_tokens=10),
        ),
    ],
)
def test_usage(usage: dict[str, Any], counts: TokenUsage) -> None:
    assert read(delta("stop"), {"choices": [], "usage": usage}, "[DONE]") == [Usage(counts), STOP]
    assert read({**delta("stop"), "usage": None}) == [STOP]


def piece(index: object = None, **fields: Any) -> dict[str, Any]:
    call = {name: fields.pop(name) for name in ("id", "type") if name in fields}
    return delta(tool_calls=[{**call, "function": fields, **({} if index is None else {"index": index})}])


def parts_of(*chunks: dict[str, Any] | str) -> list[tuple[str, str, str]]:
    accumulator = Accumulator("openai")
    for event in read(*chunks):
        accumulator.add(event)
    calls = [part for part in accumulator.parts() if isinstance(part, ToolCallPart)]
    return [(call.id, call.name, call.arguments) for call in calls]


def test_fragments_have_an_id_only_in_the_first() -> None:
    chunks = [
        piece(0, id="c1", type="function", name="add", arguments=""),
        piece(0, arguments='{"a"'),
        piece(0, name=None, arguments=": 1}"),
        delta("tool_calls"),
    ]
    assert read(*chunks)[:3] == [
        ToolCallDelta(0, "c1", "add", ""),
        ToolCallDelta(0, None, None, '{"a"'),
        ToolCallDelta(0, None, None, ": 1}"),
    ]
    assert parts_of(*chunks) == [("c1", "add", '{"a": 1}')]


def test_parallel_calls_may_interleave() -> None:
    chunks = [
        piece(1, id="c2", name="b", arguments="{"),
        piece(0, id="c1", name="a", arguments="{"),
        piece(1, arguments="}"),
        piece(0, arguments='"x":1}'),
    ]
    assert sorted(parts_of(*chunks)) == [("c1", "a", '{"x":1}'), ("c2", "b", "{}")]


def test_calls_of_one_chunk_without_index_are_told_apart_by_their_place() -> None:
    calls = [{"id": f"c{n}", "function": {"name": "f", "arguments": "{}"}} for n in (1, 2)]
    assert parts_of(delta(tool_calls=calls)) == [("c1", "f", "{}"), ("c2", "f", "{}")]


def test_calls_of_two_chunks_without_index_are_told_apart_by_their_ids() -> None:
    """Servers that send each call whole in a chunk of its own leave the index out."""
    chunks = [piece(id="c1", name="f", arguments="{}"), piece(id="c2", name="g", arguments='{"x":1}')]
    assert parts_of(*chunks) == [("c1", "f", "{}"), ("c2", "g", '{"x":1}')]


@pytest.mark.parametrize(
    "chunk",
    [
        {"choices": [{"delta": {"tool_calls": [{"index": None, "id": "c", "function": {"name": "f"}}]}}]},
        piece(0, id="c", name="f", arguments={"a": 1}),
        piece("0", id="c", name="f", arguments="{}"),
        piece(0, id=5, name="f", arguments="{}"),
        piece(0, id="c", name=["f"], arguments="{}"),
        delta(content=5),
        delta(content=[{"type": "text", "text": 5}]),
        delta(content=[{"type": "text"}]),
        delta(tool_calls=[5]),
        {"choices": [5]},
        {"choices": 5},
    ],
    ids=str,
)
def test_a_shape_of_its_own_is_read_or_refused_while_it_is_read_and_never_breaks_later(chunk: dict[str, Any]) -> None:
    """Whatever the mapping lets through must be a message: only the mapping stands inside the guard for odd shapes."""
    try:
        said_events = read(chunk)
    except (TypeError, KeyError, AttributeError, IndexError, ValueError, LLMError):
        return
    accumulator = Accumulator("openai")
    for event in said_events:
        accumulator.add(event)
    for call in (part for part in accumulator.parts() if isinstance(part, ToolCallPart)):
        assert isinstance(call.id, str)
        assert isinstance(call.arguments, str)


@pytest.mark.parametrize(
    ("chunk", "kind", "says"),
    [
        ({"error": {"message": "m", "type": "server_error", "code": None}}, LLMOverloadedError, "m"),
        ({"error": {"message": "m", "code": 429}}, LLMRateLimitError, "m"),
        ({"error": "plain words"}, LLMOverloadedError, "plain words"),
        ({"error": {"code": "context_length_exceeded", "message": "m"}, "choices": []}, LLMContextLengthError, "m"),
        ({"error": True}, LLMOverloadedError, "the provider reported an error"),
    ],
)
def test_an_error_in_the_stream(chunk: dict[str, Any], kind: type[LLMError], says: str) -> None:
    with pytest.raises(kind, match=says):
        read(delta(content="a"), chunk)
    with pytest.raises(kind, match=says):
        list(ChatMapping().whole(chunk))


def test_a_whole_answer() -> None:
    mapping = ChatMapping()
    message = {
        "content": "a",
        "reasoning_content": "hm",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    data = {
        "id": "i",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    assert [*mapping.whole(data), *mapping.end()] == [
        ReasoningDelta("hm"),
        TextDelta("a"),
        ToolCallDelta(0, "c", "f", "{}"),
        Usage(TokenUsage(input_tokens=1, output_tokens=2)),
        Finished(FinishReason.TOOL_CALLS, "m", "i"),
    ]


@pytest.mark.parametrize("data", [{}, {"choices": []}, {"choices": None}])
def test_a_whole_answer_without_a_choice_is_no_answer(data: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        list(ChatMapping().whole(data))
