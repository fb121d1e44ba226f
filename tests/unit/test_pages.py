"""The last page of a conversation is the end of its branch, however the file came to be."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.conversations import operations, versions
from coda_cli.engine.conversations.journal import Journal, Record, StoreError
from coda_cli.engine.conversations.pages import Page, page, page_of
from coda_cli.engine.conversations.shelf import ROOT
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Node
from coda_cli.engine.core.messages import LLMMessage, MessageRole, TextPart, user
from tests.unit.store_writer import named
from tests.unit.test_migrate import ID, from_0, golden
from tests.unit.wire_cases import LONG

ROLES = st.sampled_from([MessageRole.USER, MessageRole.ASSISTANT, MessageRole.ASSISTANT, MessageRole.SYSTEM])

LABELS: list[Record] = [
    {"type": "title", "title": "T"},
    {"type": "title", "title": ""},
    {"type": "tags", "tags": ["x", "y"]},
    {"type": "pin", "pinned": True},
    {"type": "mood", "id": "m1"},
]


def seen(nodes: list[Node]) -> list[tuple[object, ...]]:
    return [(n.message, n.parent, n.seq, n.open, n.pinned, n.hidden, n.rating) for n in nodes]


def all_pages(folder: Folder, count: int) -> list[Page]:
    """The pages from the last to the first."""
    out = [page(folder, "c", count=count)]
    while out[-1].more:
        out.append(page(folder, "c", before=out[-1].nodes[0].message.message_id, count=count))
    return out


def check(folder: Folder, count: int) -> None:
    """The pages joined are the path, each of *count* messages but for the first."""
    chat = Folder(folder.conversations.parent).load("c")
    pages = all_pages(folder, count)
    joined = [node for one in reversed(pages) for node in one.nodes]
    assert seen(joined) == seen(chat.path() if chat.head is not None else [])
    assert all(len(one.nodes) == count for one in pages[:-1])
    assert [one.head for one in pages] == [chat.head] + [None] * (len(pages) - 1)
    for one in pages:
        assert (one.title, one.tags, one.pinned) == (chat.name, tuple(chat.tags), chat.pinned)
    assert page_of(chat, count=count).nodes == chat.path()[-count:] if chat.head is not None else True


def chat_of(folder: Folder, turns: int) -> None:
    folder.create("c", title="Long")
    for turn in range(turns):
        folder.add_message("c", LLMMessage(role=MessageRole.USER, content=f"q{turn}", message_id=f"q{turn}"))
        folder.add_message("c", named(f"a{turn}"))


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def grow(folder: Folder, data: st.DataObject) -> None:
    """Do one of the things that a file is made of."""
    chat = folder.load("c")
    names = [*chat.nodes]
    some = st.sampled_from(names) if names else st.nothing()
    open_ones = [name for name, node in chat.nodes.items() if node.open]
    what = data.draw(st.sampled_from(["say", "say", "say", "sibling", "piece", "finish", "mark", "head", "label"]))
    fresh = f"m{len(names)}"
    match what:
        case "sibling" if names:
            below = data.draw(st.sampled_from([ROOT, *names]))
            folder.add_message("c", LLMMessage(role=data.draw(ROLES), content="s", message_id=fresh), below)
        case "piece":
            name = data.draw(st.sampled_from([*open_ones, fresh]))
            answer = LLMMessage(role=MessageRole.ASSISTANT, message_id=name)
            parent = chat.nodes[name].parent or ROOT if name in chat.nodes else None
            folder.checkpoint("c", answer, [TextPart(text=data.draw(st.sampled_from(["a", "b" * 70_000])))], parent)
        case "finish" if open_ones:
            name = data.draw(st.sampled_from(open_ones))
            folder.add_message("c", named(name), chat.nodes[name].parent or ROOT)
        case "mark" if names:
            kind, mark = data.draw(st.sampled_from([("pin", "pinned"), ("hide", "hidden"), ("rating", "rating")]))
            value = data.draw(st.sampled_from(["good", "bad", None]) if kind == "rating" else st.booleans())
            message = data.draw(some)
            folder.append("c", lambda _: [{"type": kind, "message": message, mark: value}])
        case "head":
            head = data.draw(st.sampled_from([None, *names]))
            folder.append("c", lambda _: [{"type": "head", "head": head}])
        case "label":
            label = data.draw(st.sampled_from(LABELS))
            folder.append("c", lambda _: [label])
        case _:
            folder.add_message("c", LLMMessage(role=data.draw(ROLES), content=f"text of {fresh}", message_id=fresh))


@settings(deadline=None, max_examples=2000 if LONG else 60)
@given(st.data(), st.integers(1, 5), st.integers(0, 25))
def test_pages_joined_are_the_path(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, count: int, steps: int
) -> None:
    folder = Folder(tmp_path_factory.mktemp("pages"))
    folder.create("c", title=data.draw(st.sampled_from(["", "given"])))
    for _ in range(steps):
        grow(folder, data)
    check(folder, count)
    lines = folder.own_file("c").read_bytes().splitlines(keepends=True)
    damage = data.draw(st.sampled_from(["none", "tear", "lose", "spoil"]))
    at = data.draw(st.integers(0, len(lines) - 1))
    if damage == "tear":
        lines[-1] = lines[-1][: int(len(lines[-1]) * data.draw(st.floats(0, 1, exclude_max=True)))]
    elif damage == "lose":
        del lines[at]
    elif damage == "spoil":
        lines[at] = b"x" + lines[at]
    folder.own_file("c").write_bytes(b"".join(lines))
    if folder.own_file("c").read_bytes().strip():
        check(folder, count)


def test_a_mark_whose_message_has_lost_its_first_line_counts_as_in_the_whole_conversation(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("c")
    answer = LLMMessage(role=MessageRole.ASSISTANT, message_id="m0")
    folder.checkpoint("c", answer, [TextPart(text="a")], None)
    folder.append("c", lambda _: [{"type": "pin", "message": "m0", "pinned": True}])
    folder.checkpoint("c", answer, [TextPart(text="b")], None)
    lines = folder.own_file("c").read_bytes().splitlines(keepends=True)
    del lines[1]
    folder.own_file("c").write_bytes(b"".join(lines))
    check(folder, 1)


def test_what_an_answer_is_worth_stands_on_its_page(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("c")
    chat_of(folder, 3)
    ratings: list[Record] = [{"type": "rating", "message": "a1", "rating": rating} for rating in ("bad", "good")]
    folder.append("c", lambda _: ratings)
    assert [node.rating for one in all_pages(folder, 2) for node in one.nodes] == [None, None, None, "good", None, None]
    check(folder, 2)


def test_no_more_is_read_than_the_page_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    chat_of(folder, 400)
    read: list[int] = []
    pread = os.pread

    def counted(fd: int, size: int, offset: int) -> bytes:
        read.append(offset)
        return pread(fd, size, offset)

    monkeypatch.setattr("coda_cli.engine.conversations.journal._BLOCK", 4096)
    monkeypatch.setattr(os, "pread", counted)
    last = page(folder, "c", count=10, labels=False)
    assert [node.message.content for node in last.nodes][-2:] == ["q399", "a399"]
    assert (last.more, last.head, last.title) == (True, "a399", "")
    assert len(read) < 8  # of 50 blocks and more
    assert "c" not in folder._cache  # it was not loaded


def test_a_page_of_a_long_chat_is_not_loaded_whole_for_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    chat_of(folder, 50)
    operations.tag(folder, "c", ["sea"])
    folder._cache.clear()
    monkeypatch.setattr(Folder, "load", _never)
    found = page(folder, "c", count=7)
    assert (found.title, found.tags, found.head, found.more) == ("Long", ("sea",), "a49", True)
    assert [node.message.message_id for node in found.nodes] == ["a46", "q47", "a47", "q48", "a48", "q49", "a49"]
    assert [one.nodes[-1].message.message_id for one in all_pages(folder, 30)] == ["a49", "a34", "a19", "a4"]


def _never(*_: object) -> None:
    raise AssertionError("the whole conversation was loaded")


def test_the_pieces_of_an_unfinished_answer_are_joined_and_a_blob_is_brought_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("c")
    folder.add_message("c", user("x" * 80_000))
    answer = LLMMessage(role=MessageRole.ASSISTANT, message_id="a")
    for piece in ("one ", "two ", "y" * 70_000):
        folder.checkpoint("c", answer, [TextPart(text=piece)], None)
    found = page(folder, "c", count=2)
    assert [len(node.message.content) for node in found.nodes] == [80_000, 70_008]
    assert found.nodes[1].message.content.startswith("one two y")
    assert (found.nodes[1].open, found.more) == (True, False)
    assert found.title.startswith("xxx")


def test_an_unknown_message_or_conversation_is_told(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    chat_of(folder, 2)
    with pytest.raises(KeyError):
        page(folder, "c", before="nobody")
    with pytest.raises(KeyError):
        page(folder, "unknown")
    with pytest.raises(KeyError):
        page_of(folder.load("c"), before="nobody")
    folder.own_file("c").unlink()
    folder.own_file("c").mkdir()
    with pytest.raises(StoreError) as caught:
        page(folder, "c")
    assert caught.value.hint


def test_before_the_first_question_there_is_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("c", title="Empty")
    assert page(folder, "c") == Page([], False, None, "Empty")
    chat_of(folder, 1)
    operations.set_head(folder, "c", None)
    assert page(folder, "c") == Page([], False, None, "Empty")
    assert [node.message.message_id for node in page(folder, "c", before="a0").nodes] == ["q0"]
    assert page(folder, "c", before="q0").nodes == []


def test_a_journal_of_an_older_version_has_pages_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(versions.STEPS, 0, from_0)
    older, today = Folder(tmp_path / "0"), Folder(tmp_path / "1")
    for schema, folder in enumerate((older, today)):
        folder.conversations.mkdir(parents=True)
        folder.own_file(ID).write_bytes(golden(schema).read_bytes())
    assert seen(page(older, ID, count=3).nodes) == seen(page(today, ID, count=3).nodes)
    assert [node.message.message_id for node in page(older, ID, count=3).nodes] == ["a2", "q2", "a3"]


def test_lines_that_another_program_wrote_with_spaces_are_understood(tmp_path: Path) -> None:
    import json

    folder = Folder(tmp_path)
    chat_of(folder, 20)
    records = list(Journal(folder.own_file("c")).records())
    rng = random.Random(5)
    spaced = "".join(
        json.dumps(dict(rng.sample([*record.items()], len(record))), ensure_ascii=rng.random() < 0.5) + "\n"
        for record in records
    )
    folder.own_file("c").write_text(spaced)
    check(folder, 6)
