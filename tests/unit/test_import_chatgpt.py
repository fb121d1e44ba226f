"""ChatGPT's archive arrives with its branches, times and pictures; a broken or hostile one costs only what is bad."""

from __future__ import annotations

import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli.engine.conversations.importers import ImportReport, import_file, reading
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import ImagePart, MessageRole, ReasoningPart
from tests.archives import gpt, gpt_files, gpt_node, gpt_sample, png, zipped
from tests.unit.wire_cases import LONG


def bring(tmp_path: Path, conversations: object, files: dict[str, bytes] | None = None) -> tuple[Folder, ImportReport]:
    folder = Folder(tmp_path / "store")
    return folder, import_file(folder, zipped(tmp_path / "export.zip", conversations, files))


def one(tmp_path: Path, *nodes: dict[str, Any], **more: Any) -> Conversation:
    folder, report = bring(tmp_path, [gpt("c", [*nodes], **more)])
    assert report.created == ["chatgpt-c"]
    return folder.load("chatgpt-c")


def test_an_archive_arrives_with_its_branches_times_and_pictures(tmp_path: Path) -> None:
    folder, report = bring(tmp_path, [gpt_sample()], gpt_files())
    assert (report.created, report.problems) == (["chatgpt-conv-1"], [])
    conversation = folder.load("chatgpt-conv-1")
    assert (conversation.title, conversation.created, conversation.tags) == (
        "Title of conv-1",
        1700000000.25,
        ["archived"],
    )
    assert conversation.origin == {"import": "chatgpt", "id": "conv-1"}
    assert conversation.problems == []
    assert conversation.roots == ["question"]  # what ChatGPT hides is no message, its children move up
    assert conversation.nodes["question"].children == ["first", "thoughts"]
    path = conversation.path()
    assert [node.message.message_id for node in path] == ["question", "thoughts", "code", "output", "second"]
    assert [node.message.created for node in path] == [1700000001.5, 1700000003, 1700000004, 1700000005, 1700000006]
    question = path[0].message
    assert [part.data for part in question.parts if isinstance(part, ImagePart)] == [png(), png(1)]
    assert [part.name for part in question.parts if isinstance(part, ImagePart)] == ["cat.png", "file_00ff"]
    assert question.content == "What is this?"
    assert path[1].message.parts == [ReasoningPart(text="**Looking**\n\nIt has a tail.")]
    assert path[2].message.content == "```python\nprint('cat')\n```"
    assert (path[3].message.role, path[3].message.content) == (MessageRole.TOOL, "```\ncat\n```")
    assert path[3].message.metadata["tool"] == "python"
    assert [node.message.metadata.get("model") for node in path] == [None, "o3", "o3", "gpt-4o", "o3"]


def test_the_same_archive_again_changes_nothing_and_a_later_one_adds_what_is_new(tmp_path: Path) -> None:
    folder, _ = bring(tmp_path, [gpt_sample()], gpt_files())
    before = folder.own_file("chatgpt-conv-1").read_bytes()
    _, report = bring(tmp_path, [gpt_sample()], gpt_files())
    assert (report.created, report.updated, report.unchanged) == ([], [], ["chatgpt-conv-1"])
    assert folder.own_file("chatgpt-conv-1").read_bytes() == before

    later = gpt_sample()
    later["mapping"]["next"] = gpt_node("next", "second", "user", "Thanks", 1700000100.0)
    later["current_node"] = "next"
    _, report = bring(tmp_path, [later, gpt("conv-2", [gpt_node("a", "root", text="new")])])
    assert (report.created, report.updated) == (["chatgpt-conv-2"], ["chatgpt-conv-1"])
    conversation = folder.load("chatgpt-conv-1")
    assert (conversation.head, conversation.nodes["next"].parent) == ("next", "second")
    assert len(conversation.nodes) == 7


def test_what_was_said_here_since_keeps_its_place(tmp_path: Path) -> None:
    folder, _ = bring(tmp_path, [gpt("c", [gpt_node("a", "root", text="hi")])])
    from coda_cli.engine.core.messages import user

    mine = user("went on here")
    folder.add_message("chatgpt-c", mine)
    bring(tmp_path, [gpt("c", [gpt_node("a", "root", text="hi"), gpt_node("b", "a", "assistant", "there")])])
    conversation = folder.load("chatgpt-c")
    assert conversation.head == mine.message_id
    assert conversation.nodes["a"].children == [mine.message_id, "b"]


def test_two_imports_at_once_make_one_conversation_and_an_empty_file_is_filled(tmp_path: Path) -> None:
    chats = [gpt(f"c{n}", [gpt_node("a", "root", text=str(n))]) for n in range(60)]
    path = zipped(tmp_path / "x.zip", chats)
    folder = Folder(tmp_path / "store")
    folder.conversations.mkdir(parents=True)
    folder.own_file("chatgpt-c0").touch()
    with ThreadPoolExecutor() as threads:
        reports = [*threads.map(lambda _: import_file(Folder(tmp_path / "store"), path), range(3))]
    assert sorted(made for report in reports for made in report.created) == sorted(f"chatgpt-c{n}" for n in range(60))
    assert all(len(folder.load(f"chatgpt-c{n}").nodes) == 1 for n in range(60))


def test_an_answer_that_was_exported_half_written_is_there_whole_beside_it(tmp_path: Path) -> None:
    question = gpt_node("q", "root", text="hi")
    folder, _ = bring(tmp_path, [gpt("c", [question, gpt_node("a", "q", "assistant", "Hel", status="in_progress")])])
    whole = [gpt("c", [question, gpt_node("a", "q", "assistant", "Hello"), gpt_node("n", "a", text="ok")])]
    bring(tmp_path, whole)
    _, report = bring(tmp_path, whole)
    assert report.unchanged == ["chatgpt-c"]
    conversation = folder.load("chatgpt-c")
    assert [conversation.nodes[key].message.content for key in conversation.nodes["q"].children] == ["Hel", "Hello"]
    assert conversation.nodes["a"].message.status == "interrupted"


@pytest.mark.parametrize("names", [["conversations.json"], ["conversations-000.json", "conversations-001.json"]])
def test_both_layouts_are_read_in_a_folder_of_the_archive_too(tmp_path: Path, names: list[str]) -> None:
    chats = [gpt(name, [gpt_node("a", "root", text=name)]) for name in names]
    files = {f"export/{name}": json.dumps([chat]).encode() for name, chat in zip(names, chats, strict=True)}
    files |= {"__MACOSX/export/._conversations.json": b"\0\5", "export/chat.html": b"<html>"}
    _, report = bring(tmp_path, None, files)
    assert report.created == [f"chatgpt-{name}" for name in names]
    assert report.problems == []


def test_an_unpacked_export_finds_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "export" / "user-1").mkdir(parents=True)
    (tmp_path / "export" / "user-1" / "file_00ff-x.png").write_bytes(png(1))
    (tmp_path / "secret").write_bytes(png(3))
    (tmp_path / "export" / "file-Ab12-cat.png").symlink_to(tmp_path / "secret")
    path = tmp_path / "export" / "conversations.json"
    path.write_text(json.dumps([gpt_sample()]))
    folder = Folder(tmp_path / "store")
    report = import_file(folder, path)
    parts = folder.load("chatgpt-conv-1").nodes["question"].message.parts
    assert [part.data for part in parts if isinstance(part, ImagePart)] == [png(1)]  # never through a link
    assert "file-Ab12-cat.png can't be read" in report.problems[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"content_type": "text", "parts": ["a", None, 5, "", "b"]}, "a\n\nb"),
        ("plain", "plain"),
        ({"content_type": "code", "text": "x ``` y", "language": "unknown"}, "````\nx ``` y\n````"),
        ({"content_type": "tether_quote", "title": "T", "text": "q\nr"}, "T\n\n> q\n> r"),
        ({"content_type": "tether_browsing_display", "result": "found"}, "found"),
        ({"content_type": "system_error", "name": "E", "text": "broke"}, "E broke"),
        ({"content_type": "from the future", "text": "words"}, "words"),
        (
            {"content_type": "multimodal_text", "parts": [{"content_type": "audio_transcription", "text": "I said"}]},
            "I said",
        ),
        (
            {"content_type": "multimodal_text", "parts": [{"content_type": "new", "x": 1}]},
            "[a part of an unknown kind]",
        ),
        ({"content_type": "reasoning_recap", "content": "Thought for 8s"}, ""),
    ],
)
def test_every_kind_of_content_says_something(tmp_path: Path, content: Any, expected: str) -> None:
    conversation = one(tmp_path, gpt_node("a", "root", "assistant", content=content))
    assert conversation.nodes["a"].message.content == expected


def test_hidden_and_empty_nodes_are_passed_over_and_the_head_moves_up(tmp_path: Path) -> None:
    hidden = {"is_visually_hidden_from_conversation": True}
    conversation = one(
        tmp_path,
        gpt_node("a", "root", text="hi"),
        gpt_node("s", "a", "system", "secret"),
        gpt_node("h", "s", "user", "hidden", metadata=hidden),
        gpt_node("e", "h", "assistant", "  "),
        gpt_node("b", "e", "assistant", "there"),
        gpt_node("w", "b", "assistant", "weightless", weight=0),
        current="w",
    )
    assert [*conversation.nodes] == ["a", "b"]
    assert (conversation.nodes["b"].parent, conversation.head) == ("a", "b")


def test_a_picture_of_the_assistant_is_the_tools_which_every_vendor_takes(tmp_path: Path) -> None:
    image = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1"}
    node = gpt_node("a", "root", "assistant", content={"content_type": "multimodal_text", "parts": [image]})
    folder, _ = bring(tmp_path, [gpt("c", [node])], {"file_1.dat": png()})
    assert folder.load("chatgpt-c").nodes["a"].message.role is MessageRole.TOOL


# ---- broken and hostile ---------------------------------------------------------------------------------------------


def test_a_parent_chain_of_any_depth_is_followed(tmp_path: Path) -> None:
    count = 100_000 if LONG else 5_000
    nodes = [gpt_node(f"n{n}", f"n{n - 1}" if n else "root", text=str(n) if n % 3 else "") for n in range(count)]
    conversation = one(tmp_path, *nodes)
    assert len(conversation.path()) == len(conversation.nodes) == count - count // 3 - 1


def test_cycles_missing_nodes_and_nodes_that_are_none_cost_only_a_link(tmp_path: Path) -> None:
    chat = gpt("c", [gpt_node("a", "b", text="a"), gpt_node("b", "a", text="b"), gpt_node("self", "self", text="s")])
    chat["mapping"] |= {
        "orphan": gpt_node("orphan", "gone", text="o"),
        "null": None,
        "odd": {"message": 5, "parent": 7},
    }
    chat["current_node"] = "nobody"
    folder, report = bring(tmp_path, [chat])
    conversation = folder.load("chatgpt-c")
    assert sorted(conversation.nodes) == ["a", "b", "orphan", "self"]
    assert conversation.head is not None
    told = "\n".join(report.problems)
    assert all(
        words in told for words in ("before self is also one of", "before orphan is missing", "node null is none")
    )


def test_children_tell_the_parent_where_the_node_does_not(tmp_path: Path) -> None:
    chat = gpt("c", [gpt_node("a", "root", text="a")])
    chat["mapping"]["b"] = gpt_node("b", None, "assistant", "b")
    chat["mapping"]["a"]["children"] = ["b", "nobody", 5]
    folder, _ = bring(tmp_path, [chat])
    assert folder.load("chatgpt-c").nodes["b"].parent == "a"


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -5, 1e300, 10**400, "soon", True, None, [], "9999-99-99"])
def test_a_time_that_is_none_is_that_of_what_was_said_before(tmp_path: Path, time: object) -> None:
    first = gpt_node("a", "root", text="hi", time=1700000009.0)
    chat = gpt("c", [first, gpt_node("b", "a", "assistant", "there", create_time=time)], create_time=time)
    if isinstance(time, int) and time > 2**64:
        path = tmp_path / "x.json"
        path.write_text(json.dumps([chat]).replace(str(time), "1" + "0" * 400))
        folder = Folder(tmp_path / "store")
        import_file(folder, path)
    else:
        folder, _ = bring(tmp_path, [chat])
    assert folder.load("chatgpt-c").nodes["b"].message.created == 1700000009.0


def test_names_with_control_characters_and_paths_stay_names(tmp_path: Path) -> None:
    name = "../../\x1b]0;x\x07\n" + "a" * 5000
    chat = gpt(name, [gpt_node(name, "root", text="\x00\x1b[2J")], title="\x1b[31m" + "long " * 1000)
    folder, report = bring(tmp_path, [chat], {"../../evil.json": b"x", "/etc/file-evil.png": png()})
    (made,) = report.created
    assert made.startswith("chatgpt-")
    assert len(made) < 50
    assert [file.parent for file in folder.files()] == [folder.conversations]
    assert len(folder.load(made).title) <= 300
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.zip", "store"]


def test_pictures_that_are_missing_broken_or_none_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ASSET", 1000)
    pointers = ["file-service://file-gone", "file-service://file-big", "sediment://file_svg", "http://x/y", None, 5]
    parts = [{"content_type": "image_asset_pointer", "asset_pointer": pointer} for pointer in pointers]
    node = gpt_node("a", "root", content={"content_type": "multimodal_text", "parts": parts})
    files = {"file-big.png": png() + b"\0" * 5_000_000, "file_svg.svg": b"<svg onload='x'/>"}
    folder, report = bring(tmp_path, [gpt("c", [node])], files)
    message = folder.load("chatgpt-c").nodes["a"].message
    assert len(message.parts) == 1
    assert [line.split(":")[0] for line in message.content.split("\n\n")] == [
        "[an image that is not in the export", "[an image that could not be read",
        "[a file of a kind that is not shown", "[an image]", "[an image]", "[an image]",
    ]  # fmt: skip
    assert len(report.problems) == 2


def test_a_zip_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_TEXT", 5_000_000)
    bomb = b"[" + json.dumps(gpt("c", [gpt_node("a", "root", text="hi")])).encode() + b" " * 50_000_000 + b"]"
    folder, report = bring(tmp_path, None, {"conversations.json": bomb})
    assert report.created == ["chatgpt-c"]
    assert "the rest was left out" in report.problems[0]
    assert len(folder.load("chatgpt-c").nodes) == 1


def test_one_enormous_item_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_OBJECT", 3_000_000)
    chats = [gpt("ok", [gpt_node("a", "root", text="hi")]), gpt("big", [gpt_node("a", "root", text="x" * 9_000_000)])]
    _, report = bring(tmp_path, chats)
    assert report.created == ["chatgpt-ok"]
    assert "longer than" in report.problems[0]


def test_a_long_text_spans_many_reads(tmp_path: Path) -> None:
    text = 'quote " and \\ and { [ ' * 300_000
    conversation = one(tmp_path, gpt_node("a", "root", text=text))
    assert conversation.nodes["a"].message.content == text


def test_a_damaged_archive_gives_what_can_be_read(tmp_path: Path) -> None:
    chats = [gpt(f"c{n}", [gpt_node("a", "root", text=f"{n} " * 50_000)]) for n in range(40)]
    path = zipped(tmp_path / "x.zip", chats)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 50] = b"\xff" * 50
    path.write_bytes(raw)
    try:
        report = import_file(Folder(tmp_path / "store"), path)
    except UsageError as exc:
        assert exc.hint  # noqa: PT017 - either is right: it depends on what the bytes hit
    else:
        assert report.problems


def test_an_archive_without_conversations_or_with_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no conversations\.json"):
        bring(tmp_path, None, {"user.json": b"{}"})
    path = zipped(tmp_path / "locked.zip", [gpt_sample()])
    raw = path.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    path.write_bytes(raw.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01"))
    with pytest.raises(UsageError, match="encrypted"):
        import_file(Folder(tmp_path / "store"), path)


def test_an_archive_whose_table_of_contents_lies_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", [gpt_sample()])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UsageError):
        import_file(Folder(tmp_path / "store"), path)
    assert not zipfile.is_zipfile(path)


_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_key = st.sampled_from(["a", "b", "c", "d", "root", "nobody"])
_part = st.fixed_dictionaries(
    {}, optional={"content_type": st.sampled_from(["image_asset_pointer", "audio_transcription"]) | _any, "text": _any,
                  "asset_pointer": st.sampled_from(["file-service://file-Ab12", "sediment://"]) | _any}
)  # fmt: skip
_content = st.fixed_dictionaries(
    {},
    optional={
        "content_type": st.sampled_from(["text", "code", "thoughts", "multimodal_text", "tether_quote"]) | _any,
        "parts": st.lists(_part | _any, max_size=3) | _any, "text": _any, "thoughts": st.lists(_any, max_size=2) | _any,
        "language": _any, "title": _any,
    },
)  # fmt: skip
_message = st.fixed_dictionaries(
    {"author": st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool", "system"]) | _any}) | _any},
    optional={"content": _content | _any, "create_time": _any, "metadata": _any, "status": _any, "recipient": _any},
)
_node = st.fixed_dictionaries(
    {"message": _message | _any, "parent": _key | _any}, optional={"children": st.lists(_key, max_size=3) | _any}
)
_chat = st.fixed_dictionaries(
    {"mapping": st.dictionaries(_key, _node | _any, max_size=5)},
    optional={"id": _any, "title": _any, "create_time": _any, "current_node": _key | _any, "is_archived": _any},
)


@settings(max_examples=1500 if LONG else 80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_chat | _any, max_size=3))
def test_whatever_stands_in_an_export_nothing_breaks(
    tmp_path_factory: pytest.TempPathFactory, chats: list[Any]
) -> None:
    root = tmp_path_factory.mktemp("any")
    chats = [gpt("sure", [gpt_node("a", "root", text="hi")]), *chats]
    folder, report = bring(root, chats, gpt_files())
    assert "chatgpt-sure" in report.created
    for made in report.created:
        conversation = folder.load(made)
        assert conversation.problems == []
        assert len(conversation.path()) >= 1
    _, again = bring(root, chats, gpt_files())
    assert (again.created, again.updated) == ([], [])
