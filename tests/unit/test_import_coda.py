"""Coda's own JSON comes back as it was; brought in again it changes nothing; and no archive, however bad, does harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli.engine.conversations.export import export_json
from coda_cli.engine.conversations.importers import import_file
from coda_cli.engine.conversations.journal import Journal, Record, StoreError
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import ImagePart, LLMMessage, MessageRole, TextPart
from tests.archives import png
from tests.unit.wire_cases import LONG


def say(folder: Folder, key: str, parent: str | None, text: str = "", **more: Any) -> None:
    message = LLMMessage(role=MessageRole.USER, content=text or key, message_id=key, created=1.7e9, **more)
    folder.add_message("c", message, parent)


def sample(root: Path) -> Folder:
    """A conversation with everything that a journal can hold, and two lines that are none."""
    folder = Folder(root)
    folder.create("c", title="First", origin={"conversation": "older", "message": None})
    say(folder, "q", "")
    say(folder, "a1", "q", "x" * 70_000, metadata={"model": "m", "usage": {"input_tokens": 3}, "extra": [1]})
    say(folder, "a2", "q", "\ud800", status="interrupted")
    image = ImagePart(data=png() * 2000, media_type="image/png")
    message = LLMMessage(role=MessageRole.USER, parts=[TextPart(text="see"), image], message_id="q2", created=5.0)
    folder.add_message("c", message, "a1")
    unfinished = LLMMessage(role=MessageRole.ASSISTANT, content="begun", message_id="open", created=6.0)
    folder.checkpoint("c", unfinished, unfinished.parts, "q2")
    records: list[Record] = [
        {"type": "title", "title": "Second", "unknown": {"field": True}},
        {"type": "tags", "tags": ["one", "two"]},
        {"type": "pin", "pinned": True},
        {"type": "pin", "message": "a1", "pinned": True},
        {"type": "hide", "message": "a2", "hidden": True},
        {"type": "rating", "message": "a1", "rating": "good"},
        {"type": "summary", "id": "s1", "covers": ["q", "a1"], "text": "so far", "time": 7.0, "model": "m"},
        {"type": "summary", "id": "s2", "covers": ["q"], "text": "undone", "time": 8.0},
        {"type": "uncompact", "summary": "s2"},
        {"type": "from the future", "what": [1, {"deep": None}]},
        {"type": "head", "head": "a2"},
    ]
    folder.append("c", lambda _: records)
    with folder.own_file("c").open("ab") as file:
        file.write(b"not json\n\0\0\0\n")
    return folder


def state(conversation: Conversation) -> dict[str, Any]:
    names = (
        "id",
        "title",
        "created",
        "updated",
        "schema",
        "origin",
        "tags",
        "pinned",
        "head",
        "roots",
        "summaries",
        "heads",
    )
    nodes = {
        key: (node.message, node.parent, node.children, node.open, node.pinned, node.hidden, node.rating)
        for key, node in conversation.nodes.items()
    }
    return {"nodes": nodes, "order": [*conversation.nodes], **{name: getattr(conversation, name) for name in names}}


def records(folder: Folder, conversation_id: str = "c") -> list[Record]:
    return [
        {name: value for name, value in record.items() if name != "seq"}
        for record in Journal(folder.own_file(conversation_id)).records()
    ]


def exported(folder: Folder, path: Path) -> Path:
    path.write_text(export_json(folder, "c"), encoding="utf-8")
    return path


def test_what_was_exported_comes_back_the_same(tmp_path: Path) -> None:
    here, there = sample(tmp_path / "here"), Folder(tmp_path / "there")
    report = import_file(there, exported(here, tmp_path / "c.json"))
    assert (report.created, report.updated, report.unchanged, report.problems) == (["c"], [], [], [])
    assert state(there.load("c")) == state(here.load("c"))
    assert records(there) == records(here)
    assert [*there.blobs.iterdir()]


def test_brought_in_again_it_changes_nothing(tmp_path: Path) -> None:
    here, there = sample(tmp_path / "here"), Folder(tmp_path / "there")
    path = exported(here, tmp_path / "c.json")
    for folder in (here, there, there):
        import_file(folder, path)
    before = there.own_file("c").read_bytes()
    report = import_file(there, path)
    assert (report.created, report.updated, report.unchanged) == ([], [], ["c"])
    assert there.own_file("c").read_bytes() == before
    say(there, "went on", "q2")
    assert import_file(there, path).unchanged == ["c"]


def test_what_was_said_elsewhere_since_is_added_and_nothing_is_overwritten(tmp_path: Path) -> None:
    here, there = sample(tmp_path / "here"), Folder(tmp_path / "there")
    import_file(there, exported(here, tmp_path / "c.json"))
    say(here, "later", "a1")
    assert import_file(there, exported(here, tmp_path / "c.json")).updated == ["c"]
    assert state(there.load("c")) == state(here.load("c"))

    say(there, "there", "q2")
    there.append("c", lambda _: [{"type": "title", "title": "Mine"}])
    say(here, "here", "later")
    marks: list[Record] = [
        {"type": "pin", "message": "here", "pinned": True},
        {"type": "title", "title": "Theirs"},
        {"type": "rating", "message": "here", "rating": "good"},
        {"type": "rating", "message": "a1", "rating": "bad"},
    ]
    here.append("c", lambda _: marks)
    path = exported(here, tmp_path / "c.json")
    assert import_file(there, path).updated == ["c"]
    conversation = there.load("c")
    assert (conversation.title, conversation.head) == ("Mine", "there")
    assert conversation.nodes["here"].parent == "later"
    assert conversation.nodes["here"].pinned
    assert [conversation.nodes[name].rating for name in ("here", "a1")] == ["good", "good"]
    assert import_file(there, path).unchanged == ["c"]


def test_another_conversation_with_the_same_id_gets_one_of_its_own(tmp_path: Path) -> None:
    here, there = sample(tmp_path / "here"), Folder(tmp_path / "there")
    there.create("c", title="quite another")
    say(there, "q", "", "the same id says something else")
    path = exported(here, tmp_path / "c.json")
    before = there.own_file("c").read_bytes()
    (made,) = import_file(there, path).created
    assert made.startswith("c-")
    assert there.own_file("c").read_bytes() == before
    conversation = there.load(made)
    assert conversation.origin == {
        "import": "coda", "conversation": "c", "origin": {"conversation": "older", "message": None},
    }  # fmt: skip
    assert conversation.nodes.keys() == here.load("c").nodes.keys()
    assert import_file(there, path).unchanged == [made]


def test_a_list_of_exports_and_files_of_several_are_taken(tmp_path: Path) -> None:
    text = export_json(sample(tmp_path / "here"), "c")
    other = json.dumps({**json.loads(text), "id": "d"}).replace('"id": "c"', '"id": "d"')
    for name, content in (("list", f"\ufeff[{text}, {other}]"), ("lines", f"{text}\n{other}")):
        path = tmp_path / f"{name}.json"
        path.write_text(content, encoding="utf-8")
        assert import_file(Folder(tmp_path / name), path).created == ["c", "d"]


def test_progress_goes_up_to_the_whole(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = exported(sample(tmp_path / "here"), tmp_path / "c.json")
    import_file(Folder(tmp_path / "there"), path, progress=lambda done, whole: seen.append((done, whole)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


def value(**more: Any) -> dict[str, Any]:
    first = {"type": "conversation", "schema": 1, "id": "c", "title": "T", "time": 1.0, "head": None}
    message = {"type": "message", "id": "m", "parent": None, "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    return {
        "format": "coda-conversation",
        "version": 1,
        "id": "c",
        "records": [first, {**message, "head": "m"}],
        **more,
    }


def deep(levels: int) -> Any:
    out: Any = "x"
    for _ in range(levels):
        out = [out]
    return out


def bring(tmp_path: Path, text: str | bytes, name: str = "x.json") -> tuple[Folder, Any]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    folder = Folder(tmp_path / "store")
    return folder, import_file(folder, path)


def test_bad_records_are_told_and_the_others_kept(tmp_path: Path) -> None:
    bad: list[Any] = [None, 7, {"type": 5}, {"type": "x", "deep": deep(300)}, {"type": "x", "n": float("nan")}]
    folder, report = bring(tmp_path, json.dumps(value(records=[*value()["records"], *bad])))
    assert report.created == ["c"]
    assert len(report.problems) == 5
    assert [*folder.load("c").nodes] == ["m"]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (value(version=2), "a newer version"),
        (value(version="1"), "a newer version"),
        (value(records=[{**value()["records"][0], "schema": 99}]), "a newer version"),
        (value(records=[]), "nothing in it"),
        (value(records={"a": 1}), "nothing in it"),
    ],
)
def test_what_cannot_be_kept_is_told(tmp_path: Path, broken: dict[str, Any], problem: str) -> None:
    folder, report = bring(tmp_path, json.dumps([broken, {**value(), "id": "ok"}]))
    assert report.created == ["c"]
    assert problem in report.problems[0]
    assert len([*folder.files()]) == 1


def test_an_export_that_lost_its_first_line_comes_in_under_its_id(tmp_path: Path) -> None:
    folder, report = bring(tmp_path, json.dumps(value(id="../../etc/x\0", records=value()["records"][1:], title="T")))
    assert report.created == ["../../etc/x\0"]
    assert folder.load("../../etc/x\0").title == "T"
    assert [file.parent for file in folder.files()] == [folder.conversations]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"   ", b"hello", b"[]", b"{}", b"[1, 2]", b'{"a": 1}', b"\x00" * 100, b"PK\x03\x04broken",
        b"\xff\xfe[\x00", b"SQLite format 3\x00rubbish", b"[" * 100_000, b"{" * 100_000,
        b'{"format": "coda-conversation"', b"]" * 50, b'[{"mapping": ' + b"[" * 5000, b'"' + b"x" * 100_000,
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_hint(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(UsageError) as caught:
        bring(tmp_path, text)
    assert caught.value.hint
    assert not (tmp_path / "store").exists()


def test_a_folder_and_a_missing_file_are_refused_with_a_hint(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UsageError) as caught:
            import_file(Folder(tmp_path / "store"), path)
        assert caught.value.hint


def test_a_file_that_is_cut_off_gives_what_is_whole(tmp_path: Path) -> None:
    text = json.dumps([value(), {**value(), "id": "lost"}])
    _, report = bring(tmp_path, text[:-50])
    assert report.created == ["c"]
    assert "cut off" in report.problems[0]


def test_one_conversation_that_cannot_be_read_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = bring(tmp_path, json.dumps([value(), value(id="d", records=value()["records"][1:])]))
    opened = Path.open

    def refused(path: Path, *args: Any, **more: Any) -> Any:
        if path == folder.own_file("c"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **more)

    monkeypatch.setattr(Path, "open", refused)
    _, report = bring(tmp_path, json.dumps([value(), value(id="d", records=value()["records"][1:])]))
    assert report.unchanged == ["d"]
    assert "Permission denied" in report.problems[0]


def test_a_full_disk_stops_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    with pytest.raises(StoreError, match="No space left"):
        bring(tmp_path, json.dumps(value()))


_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_name = st.sampled_from(["c", "m", "m2", "s", "head", None, 5])
_types = ["conversation", "message", "checkpoint", "title", "tags", "pin", "hide", "rating", "summary", "x"]
_record = st.fixed_dictionaries(
    {"type": st.sampled_from(_types)},
    optional={
        "id": _name | _any, "parent": _name | _any, "head": _name | _any, "message": _name | _any, "role": _any,
        "parts": st.just([{"type": "text", "text": "hi"}]) | _any, "time": _any, "schema": _any, "title": _any,
        "tags": _any, "covers": _any, "text": _any, "seq": _any, "metadata": _any, "origin": _any,
    },
)  # fmt: skip


@settings(max_examples=1500 if LONG else 60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_record | _any, min_size=1, max_size=8), _any)
def test_whatever_stands_in_an_export_it_is_brought_in_once_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, inside: list[Any], other: Any
) -> None:
    root = tmp_path_factory.mktemp("any")
    text = json.dumps([value(records=[*value()["records"], *inside], extra=other), value(id="d", records=inside)])
    folder, first = bring(root, text)
    for made in first.created:
        assert Journal(folder.own_file(made)).tail().seq >= 0
        folder.load(made)
        json.loads(export_json(folder, made))
    _, second = bring(root, text)
    assert (second.created, second.updated) == ([], [])
