"""Whatever a conversation holds, what is sent of it is well-formed: every call answered once, nothing empty."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.conversations.history import sendable
from coda_cli.engine.core.messages import (
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    user,
)
from coda_cli.engine.core.tools import INTERRUPTED


def call(number: int) -> ToolCallPart:
    return ToolCallPart(id=f"c{number}", name="f", arguments="{}")


def result(number: int, text: str = "r") -> ToolResultPart:
    return ToolResultPart(id=f"c{number}", name="f", text=text)


def said(role: MessageRole, *parts: Part) -> LLMMessage:
    return LLMMessage(role=role, parts=list(parts))


def calls(*numbers: int) -> LLMMessage:
    return said(MessageRole.ASSISTANT, *(call(number) for number in numbers))


def results(*numbers: int) -> LLMMessage:
    return said(MessageRole.TOOL, *(result(number) for number in numbers))


def shape(messages: list[LLMMessage]) -> list[str]:
    """Each message as its role's letter and the ids of its calls (+) and results (=, ! where interrupted)."""
    out = []
    for message in messages:
        marks = [message.role[0]]
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                marks.append(f"+{part.id[1:]}")
            if isinstance(part, ToolResultPart):
                marks.append(f"{'!' if part.text == INTERRUPTED else '='}{part.id[1:]}")
        out.append("".join(marks))
    return out


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        ([], []),
        ([user("a"), assistant("b")], ["u", "a"]),
        ([user("a"), calls(1)], ["u", "a+1", "t!1"]),
        ([user("a"), calls(1), user("b")], ["u", "a+1", "t!1", "u"]),
        ([calls(1, 2), results(1, 2), assistant("b")], ["a+1+2", "t=1=2", "a"]),
        ([calls(1, 2), results(1), results(2)], ["a+1+2", "t=1", "t=2"]),
        ([calls(1, 2), results(2), user("b")], ["a+1+2", "t=2", "t!1", "u"]),
        ([calls(1), calls(2), results(2)], ["a+1", "t!1", "a+2", "t=2"]),
        ([results(1), user("a")], ["u"]),
        ([calls(1), user("a"), results(1)], ["a+1", "t!1", "u"]),
        ([calls(1), results(1), results(1)], ["a+1", "t=1"]),
        ([calls(1), results(1, 9)], ["a+1", "t=1"]),
        ([calls(1), results(1), calls(1), results(1)], ["a+1", "t=1", "a+1", "t=1"]),
        ([LLMMessage(role=MessageRole.ASSISTANT), user("a")], ["u"]),
    ],
)
def test_repairs(messages: list[LLMMessage], wanted: list[str]) -> None:
    assert shape(sendable(messages)) == wanted


def test_a_call_that_was_answered_twice_in_one_message_keeps_one_answer() -> None:
    assert shape(sendable([calls(1), results(1, 1)])) == ["a+1", "t=1"]


def test_calls_of_one_id_within_a_message_each_have_an_answer_or_are_one() -> None:
    """Both vendors refuse a request in which a call's id stands twice."""
    sent = sendable([calls(1, 1), results(1)])
    ids = [part.id for message in sent for part in message.tool_calls]
    answers = [part.id for message in sent for part in message.parts if isinstance(part, ToolResultPart)]
    assert sorted(ids) == sorted(answers)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("role", [MessageRole.USER, MessageRole.ASSISTANT])
def test_a_message_whose_text_is_empty_is_left_out(role: MessageRole) -> None:
    assert shape(sendable([user("a"), said(role, TextPart(text=""))])) == ["u"]


def test_an_interrupted_call_says_so_as_an_error() -> None:
    *_, added = sendable([calls(1)])
    assert added.role is MessageRole.TOOL
    assert added.parts == [ToolResultPart(id="c1", name="f", text=INTERRUPTED, is_error=True)]


def test_what_is_sound_is_the_same_object() -> None:
    messages = [user("a"), calls(1), results(1), assistant("b")]
    assert all(out is given for out, given in zip(sendable(messages), messages, strict=True))


PARTS = st.one_of(
    st.builds(TextPart, text=st.sampled_from(["", "a"])),
    st.builds(ReasoningPart, text=st.sampled_from(["", "hm"]), data=st.none() | st.just("openai:{}")),
    st.just(ImagePart(data=b"x", media_type="image/png")),
)
USER = st.lists(PARTS, max_size=2).map(lambda parts: said(MessageRole.USER, *parts))
NUMBER = st.integers(0, 1)
SPOKEN = st.tuples(st.lists(PARTS, max_size=2), st.lists(NUMBER, max_size=2, unique=True)).map(
    lambda made: said(MessageRole.ASSISTANT, *made[0], *(call(number) for number in made[1]))
)
ANSWERED = st.lists(NUMBER, max_size=3).map(lambda numbers: results(*numbers))
HISTORY = st.lists(st.one_of(USER, SPOKEN, ANSWERED), max_size=8)


@given(HISTORY)
def test_every_call_has_exactly_one_result_directly_after_it(messages: list[LLMMessage]) -> None:
    open_calls: set[str] = set()
    for message in sendable(messages):
        answered = [part.id for part in message.parts if isinstance(part, ToolResultPart)]
        assert len(answered) == len(set(answered)), "answered twice"
        assert set(answered) <= open_calls, "an answer to nothing"
        if not answered:
            assert not open_calls, "something else stands before the answer"
        open_calls -= set(answered)
        open_calls |= {part.id for part in message.tool_calls}
    assert not open_calls, "a call without an answer"


@given(HISTORY)
def test_nothing_is_empty_and_nothing_else_is_lost(messages: list[LLMMessage]) -> None:
    sent = sendable(messages)
    assert all(message.parts for message in sent)

    def kept(listed: list[LLMMessage]) -> list[Part]:
        parts = [part for message in listed for part in message.parts]
        return [part for part in parts if not isinstance(part, ToolResultPart) and part != TextPart(text="")]

    assert kept(sent) == kept(messages)


@given(HISTORY)
def test_the_input_stays_as_it_was_and_a_second_time_changes_nothing(messages: list[LLMMessage]) -> None:
    before = [message.model_copy(deep=True) for message in messages]
    once = sendable(messages)
    assert messages == before
    assert sendable(once) == once
