"""The tree that a conversation's records add up to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.conversations.journal import Record
from coda_cli.engine.conversations.tree import Conversation, message_record
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    assistant,
)


def say(name: str, parent: str | None, text: str | None = None, **changes: Any) -> Record:
    role = MessageRole.USER if name.startswith("q") else MessageRole.ASSISTANT
    message = LLMMessage(role=role, content=text or name, message_id=name, created=1.0)
    return {**message_record(message, parent), **changes}


def piece(name: str, parent: str | None, *parts: Part) -> Record:
    message = LLMMessage(role=MessageRole.ASSISTANT, parts=list(parts), message_id=name)
    return {**message_record(message, parent), "type": "checkpoint"}


def tree(*records: Record) -> Conversation:
    first: Record = {"type": "conversation", "schema": 1, "id": "c", "title": "t", "time": 5.0, "head": None}
    return Conversation.of({"seq": seq, **record} for seq, record in enumerate([first, *records]))


def path(conversation: Conversation, to: str | None = None) -> list[str]:
    return [node.message.message_id for node in conversation.path(to)]


CHAT = (say("q1", None), say("a1", "q1"), say("q2", "a1"), say("a2", "q2"))


def test_retry_and_edit_make_siblings_and_the_head_moves() -> None:
    chat = tree(*CHAT, say("a3", "q2"), say("q3", "a1"), say("a4", "q3"), say("q4", None))
    assert chat.siblings("a3") == ["a2", "a3"]
    assert chat.siblings("q2") == ["q2", "q3"]
    assert chat.siblings("q4") == chat.roots == ["q1", "q4"]
    assert path(chat) == ["q4"]
    assert path(chat, "a3") == ["q1", "a1", "q2", "a3"]
    assert [chat.leaf(name) for name in ("q1", "q2", "a2", "q3", "q4")] == ["a4", "a3", "a2", "a4", "q4"]
    chat.apply({"type": "head", "seq": 9, "head": "a2"})
    assert path(chat) == ["q1", "a1", "q2", "a2"]
    chat.apply({"type": "head", "seq": 10, "head": None})
    assert path(chat) == []
    assert chat.heads == [None, "q1", "a1", "q2", "a2", "a3", "q3", "a4", "q4", "a2"]
    assert not chat.problems


def test_unknown_messages_are_key_errors_and_no_head() -> None:
    chat = tree(*CHAT, {"type": "head", "head": "nowhere"})
    assert chat.head == "a2"
    for ask in (chat.path, chat.siblings, chat.leaf):
        with pytest.raises(KeyError):
            ask("nowhere")


def test_a_long_conversation_is_walked_once() -> None:
    count = 20_000
    chat = tree(
        *({**CHAT[0], "id": f"q{n}", "parent": f"q{n - 1}" if n else None, "head": f"q{n}"} for n in range(count))
    )
    assert len(chat.path()) == count
    assert chat.leaf("q0") == f"q{count - 1}"


def test_damaged_numbers_do_not_send_a_leaf_astray() -> None:
    chat = tree(*CHAT, say("a3", "a1", seq=-7), say("q5", "a2", seq="x"), say("a5", "q5", seq=2))
    assert chat.leaf("q1") == "a5"
    assert chat.nodes["q5"].seq == 4


def test_a_lost_message_keeps_the_branch_whole_and_its_children_siblings() -> None:
    chat = tree(CHAT[0], CHAT[1], say("a2", "lost"), say("a3", "lost"), say("q9", "a2"))
    assert chat.siblings("a3") == ["a2", "a3"]
    assert path(chat) == ["q1", "a1", "a2", "q9"]
    assert len(chat.problems) == 2
    assert path(tree(say("q1", "q1"))) == ["q1"]  # its own parent, and no endless walk


def test_checkpoints_are_joined_and_a_finished_record_replaces_them() -> None:
    call = ToolCallPart(id="1", name="t", arguments="{}")
    chat = tree(
        CHAT[0],
        piece("a1", "q1", ReasoningPart(text="hm")),
        piece("a1", "q1", ReasoningPart(text="m", signature="s"), TextPart(text="Hel")),
        piece("a1", "q1", TextPart(text="lo"), call, TextPart(text="x")),
    )
    node = chat.nodes["a1"]
    assert node.open
    assert node.message.status == "interrupted"
    assert node.message.parts == [
        ReasoningPart(text="hmm", signature="s"),
        TextPart(text="Hello"),
        call,
        TextPart(text="x"),
    ]
    chat.apply({**say("a1", "q1", "Hello, whole"), "seq": 9})
    chat.apply({**piece("a1", "q1", TextPart(text="late")), "seq": 10})
    assert (chat.nodes["a1"].message.content, chat.nodes["a1"].message.status) == ("Hello, whole", "complete")
    assert not chat.nodes["a1"].open
    assert chat.nodes["q1"].children == ["a1"]
    assert not chat.problems


def test_checkpoints_do_not_change_what_was_handed_out() -> None:
    chat = tree(CHAT[0], piece("a1", "q1", TextPart(text="one")))
    message = chat.nodes["a1"].message
    chat.apply(piece("a1", "q1", TextPart(text=" two")))
    assert message.content == "one"
    assert chat.nodes["a1"].message.content == "one two"


def test_a_second_message_of_the_same_id_overwrites_nothing() -> None:
    chat = tree(CHAT[0], CHAT[0], say("q1", None, "another"))
    assert chat.nodes["q1"].message.content == "q1"
    assert chat.roots == ["q1"]
    assert len(chat.problems) == 1


def test_summaries_pins_hides_tags_titles() -> None:
    summary = {"type": "summary", "id": "s1", "covers": ["q1", "a1"], "text": "short", "model": "m", "time": 7.0}
    chat = tree(
        *CHAT,
        {"type": "title", "title": "new"},
        {"type": "tags", "tags": ["a", "b"]},
        {"type": "pin", "pinned": True},
        {"type": "pin", "pinned": True, "message": "q2"},
        {"type": "hide", "hidden": True, "message": "a2"},
        summary,
    )
    assert (chat.id, chat.title, chat.tags, chat.pinned, chat.created, chat.updated) == (
        "c",
        "new",
        ["a", "b"],
        True,
        5,
        7,
    )
    assert (chat.nodes["q2"].pinned, chat.nodes["a2"].hidden) == (True, True)
    found = chat.summary_for(chat.path())
    assert found is not None
    assert (found.id, found.covers, found.text, found.model, found.time) == ("s1", ("q1", "a1"), "short", "m", 7.0)
    assert chat.summary_for(chat.path("q1")) is None
    chat.apply({**summary, "id": "s2"})
    chat.apply({"type": "uncompact", "summary": "s2"})
    found = chat.summary_for(chat.path())
    assert found is not None
    assert found.id == "s1"
    chat.apply({"type": "uncompact", "summary": "s1"})
    assert chat.summary_for(chat.path()) is None
    chat.apply({"type": "pin", "pinned": False, "message": "q2"})
    assert not chat.nodes["q2"].pinned
    assert not chat.problems


@pytest.mark.parametrize(
    "record",
    [
        {"type": "title"},
        {"type": "tags", "tags": "abc"},
        {"type": "tags", "tags": None},
        {"type": "pin", "message": "nowhere", "pinned": True},
        {"type": "pin", "message": []},
        {"type": "hide"},
        {"type": "summary", "id": [], "covers": [], "text": ""},
        {"type": "summary", "id": "s", "covers": "abc", "text": ""},
        {"type": "uncompact", "summary": "nowhere"},
        {"type": "message"},
        {"type": "message", "id": "x", "role": "nobody", "parts": []},
        {"type": "message", "id": "x", "role": "user", "parts": "text"},
        {"type": "message", "id": "x", "role": "user", "parts": [], "parent": {}},
        {"type": "checkpoint"},
        {"type": "checkpoint", "id": [], "role": 5},
        {"type": "conversation", "id": "another", "schema": 1, "title": "theirs"},
    ],
)
def test_a_record_that_makes_no_sense_is_told_and_changes_nothing(record: Record) -> None:
    chat = tree(
        *CHAT, {**record, "head": "q1" if record["type"] == "title" else "a2"}, {"type": "tags", "tags": ["on"]}
    )
    assert len(chat.problems) == 1
    assert (path(chat), chat.id, chat.title, chat.tags) == (["q1", "a1", "q2", "a2"], "c", "t", ["on"])


def test_what_a_later_version_may_write_keeps_the_branch_whole() -> None:
    strange = [
        {"type": "hologram", "data": 1},
        {"type": "text", "text": "a \ud800"},
        {"text": "b"},
        7,
        {"type": "image"},
    ]
    chat = tree(
        {"type": "mood", "value": 3},
        CHAT[0],
        say("a1", "q1", parts=strange, metadata="no", time="noon", status=None, seq=None, future={"x": 1}),
        CHAT[2],
    )
    assert path(chat) == ["q1", "a1", "q2"]
    texts = [part.text for part in chat.nodes["a1"].message.parts if isinstance(part, TextPart)]
    assert len(texts) == 5
    assert "hologram" in texts[0]
    assert texts[1:3] == ["a \ud800", "b"]
    assert chat.nodes["a1"].message.created == 0.0
    assert not chat.problems


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 10**400, True, "now", None, [], -5])
def test_times_that_are_none(time: object) -> None:
    chat = tree(say("q1", None, time=time), {"type": "title", "title": "on", "time": time})
    assert (chat.updated, chat.title) == (5.0, "on")
    assert chat.nodes["q1"].message.created in (0.0, -5.0)


def test_the_clock_may_go_backwards() -> None:
    chat = tree(say("q1", None, time=900.0), say("a1", "q1", time=10.0), say("a2", "q1", time=500.0))
    assert chat.siblings("a1") == ["a1", "a2"]
    assert chat.leaf("q1") == "a2"
    assert chat.updated == 900.0


def test_a_message_survives_its_record() -> None:
    message = assistant("text")
    message.metadata |= {"model": "m", "usage": {"input_tokens": 3}, "cost": 0.1, "own": {"x": [1]}}
    message.status = "incomplete"
    chat = tree(message_record(message, None))
    assert chat.nodes[message.message_id].message == message


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["q1", "a1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KINDS = ("conversation", "message", "checkpoint", "title", "tags", "pin", "hide", "summary", "uncompact", "head", "x")
FIELDS = (
    "id",
    "parent",
    "role",
    "parts",
    "time",
    "status",
    "head",
    "seq",
    "message",
    "pinned",
    "covers",
    "text",
    "tags",
)
RECORD = st.builds(
    lambda kind, rest: {"role": "user", "parts": [], **rest, "type": kind},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6),
)


@settings(deadline=None, max_examples=80)
@given(st.lists(RECORD, max_size=12))
def test_nothing_that_a_file_may_hold_raises(records: list[Record]) -> None:
    chat = Conversation.of([*CHAT, *records])
    assert path(chat, "a2") == ["q1", "a1", "q2", "a2"]
    chat.path()
    for name in chat.nodes:
        assert path(chat, name)[-1] == name
        assert name in chat.siblings(name)
        assert not chat.nodes[chat.leaf(name)].children
    chat.summary_for(chat.path())
