"""Claude's archive arrives with its branches, thoughts, tools and attachments, from newer and older exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli.engine.conversations.history import sendable
from coda_cli.engine.conversations.importers import ImportReport, import_file
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.messages import MessageRole, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from tests.archives import CLAUDE_ROOT, claude, claude_message, claude_sample, zipped
from tests.unit.wire_cases import LONG


def bring(tmp_path: Path, conversations: object) -> tuple[Folder, ImportReport]:
    folder = Folder(tmp_path / "store")
    return folder, import_file(folder, zipped(tmp_path / "export.zip", conversations))


def test_an_archive_arrives_with_its_branches_times_and_tools(tmp_path: Path) -> None:
    folder, report = bring(tmp_path, [claude_sample()])
    assert (report.created, report.problems) == (["claude-conv-1"], [])
    conversation = folder.load("claude-conv-1")
    assert (conversation.title, conversation.created) == ("Name of conv-1", 1740823199.0)
    assert conversation.origin == {"import": "claude", "id": "conv-1"}
    assert conversation.roots == ["q1", "q1-edited"]
    assert [node.message.message_id for node in conversation.path()] == ["q1-edited", "a2"]
    path = conversation.path("q2")
    assert [node.message.message_id for node in path] == ["q1", "a1", "a1.1", "a1.2", "q2"]
    assert [node.message.role.value for node in path] == ["user", "assistant", "tool", "assistant", "user"]
    assert [node.message.created for node in path] == [1740823200.5] * 4 + [1740823500.0]
    question = path[0].message.content
    assert question == (
        "[attached file: notes.txt]\n\n````\nremember ``` this\n````\n\n[attached file: cat.png]\n\nHow much?"
    )
    call = ToolCallPart(id="a1-2", name="web_search", arguments='{"query": "späť"}')
    assert path[1].message.parts == [ReasoningPart(text="Let me search."), TextPart(text="I look."), call]
    assert path[2].message.parts == [ToolResultPart(id="a1-2", name="web_search", text="42")]
    assert path[3].message.content == "It is 42."
    messages = [node.message for node in path]
    assert sendable(messages) == messages  # every call is paired: it can be gone on with


def test_the_same_archive_again_changes_nothing_and_a_later_one_adds_what_is_new(tmp_path: Path) -> None:
    bring(tmp_path, [claude_sample()])
    _, report = bring(tmp_path, [claude_sample()])
    assert (report.created, report.updated, report.unchanged) == ([], [], ["claude-conv-1"])
    later = claude_sample()
    later["chat_messages"].append(claude_message("a3", "assistant", "Because.", parent="q2"))
    folder, report = bring(tmp_path, [later])
    assert report.updated == ["claude-conv-1"]
    assert folder.load("claude-conv-1").nodes["a3"].parent == "q2"


def test_an_older_export_without_parents_is_one_branch(tmp_path: Path) -> None:
    messages = [claude_message(f"m{n}", "human" if n % 2 else "assistant", content=[], text=f"t{n}") for n in range(5)]
    for message in messages:
        del message["content"]
    folder, report = bring(tmp_path, [claude("c", messages)])
    assert report.problems == []
    assert [node.message.content for node in folder.load("claude-c").path()] == ["t0", "t1", "t2", "t3", "t4"]


def test_the_branch_that_was_open_is_the_active_one(tmp_path: Path) -> None:
    chat = claude_sample() | {"current_leaf_message_uuid": "a1"}
    folder, _ = bring(tmp_path, [chat])
    assert folder.load("claude-conv-1").head == "a1.2"


def test_results_find_their_calls_by_id_and_an_empty_message_is_passed_over(tmp_path: Path) -> None:
    def use(key: str) -> dict[str, Any]:
        return {"type": "tool_use", "id": key, "name": key, "input": None}

    def result(key: str, **more: Any) -> dict[str, Any]:
        return {"type": "tool_result", "tool_use_id": key, "name": key, "content": key, **more}

    messages = [
        claude_message("q", "human", "hi", parent=CLAUDE_ROOT),
        claude_message("e", "assistant", "", {"type": "token_budget"}, parent="q"),
        claude_message("a", "assistant", use("x"), use("y"), result("y", is_error=True), result("x"), parent="e"),
    ]
    folder, _ = bring(tmp_path, [claude("c", messages)])
    path = folder.load("claude-c").path()
    assert [node.message.message_id for node in path] == ["q", "a", "a.1"]
    assert [(call.name, call.id) for call in path[1].message.tool_calls] == [("x", "a-0"), ("y", "a-1")]
    results = [part for part in path[2].message.parts if isinstance(part, ToolResultPart)]
    assert [(one.id, one.text, one.is_error) for one in results] == [("a-1", "y", True), ("a-0", "x", False)]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "voice_note", "text": "spoken"}, "spoken"),
        ({"type": "from the future", "x": 1}, "[a block of an unknown kind]"),
        ({"type": "text", "text": None}, ""),
        ({"type": "flag"}, ""),
        ({"no": "type"}, "[a block of an unknown kind]"),
    ],
)
def test_every_block_says_something(tmp_path: Path, block: dict[str, Any], text: str) -> None:
    message = claude_message("m", "assistant", block) | {"text": ""}
    folder, _ = bring(tmp_path, [claude("c", [claude_message("q", "human", "hi"), message])])
    said = folder.load("claude-c").nodes.get("m")
    assert (said.message.content if said is not None else "") == text


def test_cycles_twins_and_messages_that_are_none_cost_only_themselves(tmp_path: Path) -> None:
    messages: list[Any] = [
        claude_message("a", "human", "a", parent="b"),
        claude_message("b", "assistant", "b", parent="a"),
        claude_message("b", "assistant", "twin", parent="a"),
        claude_message("c", "human", "c", parent="gone"),
        None,
        7,
        {},
    ]
    folder, report = bring(tmp_path, [claude("c", messages, name=None, created_at="never"), claude("d", [])])
    conversation = folder.load("claude-c")
    assert sorted(conversation.nodes) == ["a", "b", "c"]
    assert conversation.nodes["b"].message.role is MessageRole.ASSISTANT
    told = "\n".join(report.problems)
    assert all(
        words in told for words in ("message 4 is none", "b is there twice", "before c is missing", "also one of")
    )
    assert report.created == ["claude-c"]  # a conversation in which nothing was said is none


_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_key = st.sampled_from(["a", "b", "a.1", CLAUDE_ROOT, "gone"])
_block = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "tool_result"]) | _any},
    optional={"text": _any, "thinking": _any, "id": _any, "name": _any, "input": _any, "content": _any,
              "tool_use_id": _any},
)  # fmt: skip
_message = st.fixed_dictionaries(
    {"uuid": _key | _any, "sender": st.sampled_from(["human", "assistant"]) | _any},
    optional={"parent_message_uuid": _key | _any, "content": st.lists(_block | _any, max_size=4) | _any, "text": _any,
              "created_at": _any, "attachments": _any, "files": _any},
)  # fmt: skip
_chat = st.fixed_dictionaries(
    {"uuid": _any, "chat_messages": st.lists(_message | _any, max_size=5)}, optional={"name": _any, "created_at": _any}
)


@settings(max_examples=1500 if LONG else 60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_chat | _any, max_size=3))
def test_whatever_stands_in_an_export_nothing_breaks(
    tmp_path_factory: pytest.TempPathFactory, chats: list[Any]
) -> None:
    root = tmp_path_factory.mktemp("any")
    chats = [claude("sure", [claude_message("q", "human", "hi")]), *chats]
    folder, report = bring(root, chats)
    assert "claude-sure" in report.created
    for made in report.created:
        conversation = folder.load(made)
        assert conversation.problems == []
        assert len(conversation.path()) >= 1
    _, again = bring(root, chats)
    assert (again.created, again.updated) == ([], [])
