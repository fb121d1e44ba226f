"""Deltas -> a message: the order of its parts, ids, usage, and text that a vendor cut inside a character."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.accumulate import Accumulator, SurrogateJoiner, joined
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import Part, ReasoningPart, TextPart, ToolCallPart
from coda_cli.engine.core.usage import FinishReason, TokenUsage


def filled(*events: ProviderEvent) -> Accumulator:
    accumulator = Accumulator("v")
    for event in events:
        accumulator.add(event)
    return accumulator


def thought(text: str, **more: Any) -> ReasoningPart:
    return ReasoningPart(text=text, provider="v", **more)


# -- parts


def test_nothing_is_no_parts() -> None:
    empty = filled()
    assert (empty.parts(), empty.text, empty.reasoning, empty.visible, empty.tool_calls()) == ([], "", "", False, [])
    assert filled(TextDelta(""), ReasoningDelta("")).parts() == []
    assert not filled(TextDelta(""), ReasoningDelta(signature="s"), Usage(TokenUsage())).visible


def test_parts_stand_in_the_order_in_which_they_began() -> None:
    accumulator = filled(
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        TextDelta("c"),
        ToolCallDelta(0, "i0", "f", "{"),
        TextDelta("d"),
        ToolCallDelta(1, "i1", "g", "[]"),
        ToolCallDelta(0, arguments="}"),
        TextDelta("e"),
        ReasoningDelta("h"),
    )
    assert accumulator.parts() == [
        thought("ab"),
        TextPart(text="c"),
        ToolCallPart(id="i0", name="f", arguments="{}"),
        TextPart(text="d"),
        ToolCallPart(id="i1", name="g", arguments="[]"),
        TextPart(text="e"),
        thought("h"),
    ]
    assert accumulator.text == "cde"
    assert accumulator.reasoning == "ab\n\nh"
    assert accumulator.visible


def test_a_signature_closes_its_block_of_thinking() -> None:
    accumulator = filled(
        ReasoningDelta("a"),
        ReasoningDelta(signature="s1"),
        ReasoningDelta("b", signature="s2"),
        ReasoningDelta(data="d3"),
        ReasoningDelta("c"),
        TextDelta("x"),
    )
    assert accumulator.parts() == [
        thought("a", signature="s1"),
        thought("b", signature="s2"),
        thought("", data="d3"),
        thought("c"),
        TextPart(text="x"),
    ]
    assert accumulator.reasoning == "a\n\nb\n\nc"


def test_calls_are_listed_by_index_and_keep_their_first_id_and_name() -> None:
    accumulator = filled(
        ToolCallDelta(7, "i7", "f"), ToolCallDelta(2, "", "g"), ToolCallDelta(7, "late", "late"), ToolCallDelta(2, "i2")
    )
    assert [(call.id, call.name) for call in accumulator.tool_calls()] == [("i2", "g"), ("i7", "f")]
    assert [part.id for part in accumulator.parts() if isinstance(part, ToolCallPart)] == ["i7", "i2"]


def test_an_id_is_made_up_once() -> None:
    accumulator = filled(ToolCallDelta(0, None, "f"), ToolCallDelta(1, "", "f"))
    first = [call.id for call in accumulator.tool_calls()]
    assert len({*first, ""}) == 3
    assert [call.id for call in accumulator.tool_calls()] == first
    assert [part.id for part in accumulator.parts() if isinstance(part, ToolCallPart)] == first


def test_a_later_usage_replaces_an_earlier_one_and_the_end_is_kept() -> None:
    end = Finished(FinishReason.LENGTH, "m", "i")
    accumulator = filled(Usage(TokenUsage(input_tokens=1)), Usage(TokenUsage(input_tokens=2)), end)
    assert accumulator.usage == TokenUsage(input_tokens=2)
    assert accumulator.finished is end
    assert filled(TextDelta("x")).finished is None


def test_parts_may_be_asked_for_at_any_time() -> None:
    accumulator = Accumulator("v")
    for number in range(5):
        accumulator.add(TextDelta(str(number)))
        assert accumulator.parts() == [TextPart(text="01234"[: number + 1])]


# -- surrogates


def utf16(text: str) -> str:
    """*text* as a vendor's JavaScript cuts it: every character beyond U+FFFF as two halves."""
    return "".join(
        chr(0xD800 + ((ord(c) - 0x10000) >> 10)) + chr(0xDC00 + ((ord(c) - 0x10000) & 0x3FF)) if ord(c) > 0xFFFF else c
        for c in text
    )


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[a:b] for a, b in pairwise(places)]


def join(chunks: list[str]) -> str:
    joiner = SurrogateJoiner()
    out = [joiner.feed(chunk) for chunk in chunks]
    return "".join([*out, joiner.flush()])


VALID = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\U0001f600\U0001f469\u200d\ufeff\u2028"))
ANY = st.text(st.characters() | st.sampled_from("\ud83d\ude00\ud800\udfff"))


@given(VALID, st.lists(st.integers(min_value=0), max_size=8))
def test_valid_text_cut_into_halves_anywhere_comes_out_whole(text: str, cuts: list[int]) -> None:
    assert join(pieces(utf16(text), cuts)) == text
    assert join(pieces(text, cuts)) == text


@given(ANY, st.lists(st.integers(min_value=0), max_size=8))
def test_whatever_comes_the_result_is_valid_and_does_not_depend_on_the_cuts(text: str, cuts: list[int]) -> None:
    whole = join([text])
    assert join(pieces(text, cuts)) == whole
    assert join(list(text)) == whole
    whole.encode("utf-8")
    paired = re.sub(
        "[\ud800-\udbff][\udc00-\udfff]", lambda m: m[0].encode("utf-16", "surrogatepass").decode("utf-16"), text
    )
    assert whole == re.sub("[\ud800-\udfff]", "\ufffd", paired)  # fmt: skip


@given(ANY, st.lists(st.integers(min_value=0), max_size=8))
def test_each_piece_that_is_shown_is_valid_by_itself(text: str, cuts: list[int]) -> None:
    accumulator = Accumulator("v")
    shown = ""
    for chunk in pieces(text, cuts):
        event = accumulator.add(TextDelta(chunk))
        assert isinstance(event, TextDelta)
        event.text.encode("utf-8")
        shown += event.text
    shown += accumulator.flush()
    assert accumulator.text == shown
    assert "".join(part.text for part in accumulator.parts() if isinstance(part, TextPart)) == shown


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        (["a\ud83d"], "a\ufffd"),
        (["\ude00a"], "\ufffda"),
        (["\ud83d", "x"], "\ufffdx"),
        (["\ud83d", "\ud83d", "\ude00"], "\ufffd\U0001f600"),
        (["\ud83d", "", "\ude00"], "\U0001f600"),
        (["\ufeffa"], "\ufeffa"),
        (["\ud83d", "\ufeff"], "\ufffd\ufeff"),
    ],
)
def test_a_lone_half_is_the_replacement_character(chunks: list[str], text: str) -> None:
    assert join(chunks) == text


def test_flushing_twice_gives_nothing_more() -> None:
    accumulator = filled(TextDelta("a\ud83d"))
    assert (accumulator.text, accumulator.flush(), accumulator.flush()) == ("a", "\ufffd", "")
    assert accumulator.parts() == [TextPart(text="a\ufffd")]


def test_halves_in_thinking_are_never_kept() -> None:
    accumulator = Accumulator("v")
    accumulator.add(ReasoningDelta("a\ud83d"))
    accumulator.flush()
    assert accumulator.reasoning == "a\ufffd"


def test_a_character_of_the_thinking_that_is_cut_in_two_comes_out_whole() -> None:
    accumulator = filled(ReasoningDelta("a\ud83d"), ReasoningDelta("\ude00b"), TextDelta("x"))
    assert accumulator.reasoning == "a\U0001f600b"


def test_halves_in_a_call_do_not_make_a_message_that_cannot_be_kept() -> None:
    accumulator = filled(ToolCallDelta(0, "c", "f", '{"a": "\ud83d'), ToolCallDelta(0, arguments='\ude00"}'))
    (call,) = accumulator.tool_calls()
    call.arguments.encode("utf-8")
    assert call.arguments == '{"a": "\U0001f600"}'


def test_neighbours_of_a_kind_are_joined_up_to_what_closes_a_block() -> None:
    call = ToolCallPart(id="c", name="f", arguments="{}")
    parts: list[Part] = [
        ReasoningPart(text="a"),
        ReasoningPart(text="b", signature="s"),
        ReasoningPart(text="c"),
        TextPart(text="d"),
        TextPart(text="e"),
        call,
        call,
        TextPart(text="f"),
    ]
    closed = ReasoningPart(text="ab", signature="s")
    assert joined(parts) == [closed, ReasoningPart(text="c"), TextPart(text="de"), call, call, TextPart(text="f")]


@given(st.lists(st.sampled_from([thought("a"), thought("b", signature="s"), TextPart(text="c")]), max_size=8))
def test_however_often_pieces_are_joined_the_message_is_the_same(parts: list[Part]) -> None:
    for cut in range(len(parts) + 1):
        assert joined([*joined(parts[:cut]), *parts[cut:]]) == joined(parts)
