"""The folder of conversations: names, modes, branches, reading along, the trash."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coda_cli.engine.conversations.journal import SCHEMA, Journal, StoreError
from coda_cli.engine.conversations.shelf import ROOT
from coda_cli.engine.conversations.store import Folder, header
from coda_cli.engine.core.messages import ImagePart, LLMMessage, MessageRole, TextPart, user
from tests.unit.store_writer import named

STRANGE_IDS = (
    *("../x", "/etc/passwd", "a\0b", "x" * 10_000, "Case", "case", "\ud800", "😀", "", " ", ".", "..", "con", "a\nb"),
    *("é", "e\u0301", "~", "-rf", "a/b", "\u202e"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data")


def everything(root: Path) -> Iterator[Path]:
    yield root
    yield from root.rglob("*")


# ---- names and modes ------------------------------------------------------------------------------------------


def test_any_id_is_safe_and_stands_for_itself(folder: Folder, tmp_path: Path) -> None:
    for name in STRANGE_IDS:
        assert folder.create(name)
        assert not folder.create(name)
        folder.add_message(name, user(f"in {name!r}"))
    for name in STRANGE_IDS:
        again = Folder(tmp_path / "data")
        chat = again.load(name)
        assert chat.id == name
        assert [node.message.content for node in chat.path()] == [f"in {name!r}"]
        assert len(again.own_file(name).name) < 60
    assert len(list(folder.files())) == len(STRANGE_IDS)
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "coda-home"}  # nothing beside it
    for name in STRANGE_IDS:
        folder.delete(name)
        folder.restore(name)
        assert folder.load(name).id == name


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_only_the_user_may_read_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        folder = Folder(tmp_path / "new" / "data")
        folder.create("c")
        folder.add_message(
            "c", LLMMessage(role=MessageRole.USER, parts=[ImagePart(data=b"x" * 90_000, media_type="i")])
        )
        folder.create("d")
        folder.delete("d")
    finally:
        os.umask(before)
    for path in everything(tmp_path / "new"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert {path.name for path in (tmp_path / "new" / "data").iterdir()} == {"conversations", "trash", "blobs"}


def test_a_file_under_another_name_is_found_by_its_first_line(folder: Folder) -> None:
    folder.create("c")
    folder.add_message("c", named("m"))
    folder.own_file("c").rename(folder.conversations / "from my backup.jsonl")
    assert not folder.create("c")
    folder.add_message("c", named("n"))
    assert list(folder.load("c").nodes) == ["m", "n"]
    assert len(list(folder.files())) == 1


def test_a_message_id_is_no_conversation_id(folder: Folder) -> None:
    folder.create("c")
    folder.add_message("c", named("m"))
    file = folder.conversations / "headless.jsonl"
    file.write_bytes(folder.own_file("c").read_bytes().split(b"\n", 1)[1])
    assert header(file) == {}
    assert folder.find("m") is None


# ---- what a file may hold -------------------------------------------------------------------------------------


def test_unknown_records_and_fields_stay_in_the_file(folder: Folder) -> None:
    folder.create("c")
    file = folder.own_file("c")
    later = {"type": "mood", "seq": 1, "head": None, "deep": {"x": [1, None]}}
    message = {"type": "message", "id": "m", "parent": None, "role": "user", "seq": 2, "head": "m", "shiny": True}
    with file.open("a") as opened:
        opened.write(
            json.dumps(later) + "\n" + json.dumps({**message, "parts": [{"type": "text", "text": "hi"}]}) + "\n"
        )
    before = file.read_bytes()
    folder.add_message("c", named("n"))
    assert file.read_bytes().startswith(before)
    assert [node.message.content for node in folder.load("c").path()] == ["hi", "n"]
    assert not folder.load("c").problems


def test_a_newer_conversation_is_read_and_not_written(folder: Folder) -> None:
    folder.create("c")
    folder.add_message("c", named("m"))
    file = folder.own_file("c")
    file.write_text(file.read_text().replace(f'"schema":{SCHEMA}', f'"schema":{SCHEMA + 1}', 1))
    before = file.read_bytes()
    with pytest.raises(StoreError, match="newer version") as caught:
        folder.add_message("c", named("n"))
    assert caught.value.hint
    assert file.read_bytes() == before
    assert (folder.load("c").schema, folder.load("c").head) == (SCHEMA + 1, "m")
    folder.delete("c")
    folder.restore("c")
    assert folder.load("c").head == "m"


def test_a_message_that_json_cannot_say_is_refused(folder: Folder) -> None:
    folder.create("c")
    for value in (float("nan"), b"bytes", object()):
        message = user("x")
        message.metadata["strange"] = value
        with pytest.raises(StoreError):
            folder.add_message("c", message)
    assert not folder.load("c").nodes


@pytest.mark.parametrize("text", ["\ud800", "a\u2028b\x85c", "\0", "x" * 70_000 + "\udfff", "\r\n"])
def test_texts_come_back_as_they_were(folder: Folder, tmp_path: Path, text: str) -> None:
    folder.create("c")
    folder.add_message("c", user(text))
    assert [message.content for message in Folder(tmp_path / "data").messages("c")] == [text]


def test_a_lost_first_line_loses_no_message(folder: Folder, tmp_path: Path) -> None:
    folder.create("c")
    folder.add_message("c", named("m"))
    file = folder.own_file("c")
    file.write_bytes(b"X" + file.read_bytes())
    chat = folder.load("c")
    assert (chat.id, list(chat.nodes), len(chat.problems)) == ("c", ["m"], 1)
    assert not folder.create("c")
    folder.delete("c")
    folder.restore("c")
    folder.add_message("c", named("n"))
    assert list(Folder(tmp_path / "data").load("c").nodes) == ["m", "n"]


# ---- branches -------------------------------------------------------------------------------------------------


def test_retry_edit_and_a_new_root(folder: Folder) -> None:
    folder.create("c")
    for name, parent in (("q1", None), ("a1", None), ("a2", "q1"), ("q2", None), ("q3", "a2"), ("q4", ROOT)):
        folder.add_message("c", named(name), parent)
    chat = folder.load("c")
    assert chat.siblings("a1") == ["a1", "a2"]
    assert chat.siblings("q2") == ["q2", "q3"]
    assert chat.roots == ["q1", "q4"]
    assert [node.message.message_id for node in chat.path("q2")] == ["q1", "a2", "q2"]
    assert chat.head == "q4"
    folder.append("c", lambda tail: [{"type": "head", "head": "a1"}])
    folder.add_message("c", named("q5"))
    assert [message.message_id for message in folder.messages("c")] == ["q1", "a1", "q5"]
    with pytest.raises(KeyError):
        folder.messages("c", "nowhere")


def test_checkpoints_without_a_parent_stand_below_the_head(folder: Folder) -> None:
    folder.create("c")
    folder.add_message("c", named("q"))
    answer = LLMMessage(role=MessageRole.ASSISTANT, message_id="a")
    folder.checkpoint("c", answer, [TextPart(text="Hel")], None)
    folder.add_message("c", named("meanwhile"), "q")
    folder.checkpoint("c", answer, [TextPart(text="lo")], None)
    assert [(m.message_id, m.content, m.status) for m in folder.messages("c", "a")] == [
        ("q", "q", "complete"),
        ("a", "Hello", "interrupted"),
    ]
    folder.add_message("c", answer.model_copy(update={"parts": [TextPart(text="Hello!")]}))
    parents = [record["parent"] for record in Journal(folder.own_file("c")).records() if record.get("id") == "a"]
    assert parents == ["q", "q", "q"]
    assert folder.messages("c", "a")[1].content == "Hello!"
    folder.add_message("c", named("q2"))
    assert [message.message_id for message in folder.messages("c")] == ["q", "a", "q2"]


# ---- reading --------------------------------------------------------------------------------------------------


def test_load_reads_only_what_another_wrote_meanwhile(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Folder(tmp_path / "data")
    other.create("c")
    started: list[int] = []
    lines = Journal.lines

    def watched(self: Journal, start: int = 0) -> Any:
        started.append(start)
        return lines(self, start)

    monkeypatch.setattr(Journal, "lines", watched)
    chat = folder.load("c")
    for number in range(5):
        size = other.own_file("c").stat().st_size
        folder.load("c")
        other.add_message("c", named(f"m{number}"))
        started.clear()
        chat = folder.load("c")
        assert chat.head == f"m{number}"
        assert started == [size]
    assert len(chat.nodes) == 5


def test_load_waits_for_a_line_that_is_being_written(folder: Folder) -> None:
    folder.create("c")
    folder.add_message("c", named("m1"))
    file = folder.own_file("c")
    folder.add_message("c", named("m2"))
    whole = file.read_bytes()
    second = whole[:-1].rindex(b"\n") + 1
    for cut in range(second + 1, len(whole) - 1):
        file.write_bytes(whole[:cut])
        chat = folder.load("c")
        assert list(chat.nodes) == ["m1"]
        assert [problem.split(": ")[1] for problem in chat.problems] == ["torn"]
    file.write_bytes(whole)
    assert list(folder.load("c").nodes) == ["m1", "m2"]
    assert not folder.load("c").problems


def test_load_notices_a_file_that_was_replaced(folder: Folder, tmp_path: Path) -> None:
    for name in ("c", "d"):
        folder.create(name)
        folder.add_message(name, named(f"in-{name}"))
    folder.load("c")
    folder.delete("c")
    with pytest.raises(KeyError):
        folder.load("c")
    folder.create("c")
    assert not folder.load("c").nodes
    copy = tmp_path / "copy"
    copy.write_bytes(folder.own_file("d").read_bytes() + b"\n" * 5000)
    folder.own_file("c").write_bytes(copy.read_bytes())  # the same inode, other content
    assert list(folder.load("c").nodes) == ["in-d"]


def test_threads_that_load_and_append_at_once(folder: Folder) -> None:
    folder.create("c")
    failed: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for number in range(15):
                folder.add_message("c", named(f"{name}-{number}"))
                found = [message.message_id for message in folder.messages("c")]
                assert len(found) == len(set(found))
                assert f"{name}-{number}" in found
        except AssertionError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(folder.messages("c")) == 60
    assert not folder.load("c").problems


def test_two_threads_do_not_take_the_same_piece_in_twice(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.create("c")
    folder.load("c")
    folder.checkpoint("c", LLMMessage(role=MessageRole.ASSISTANT, message_id="a"), [TextPart(text="once")], None)
    lines = Journal.lines
    second = threading.Thread(target=folder.load, args=("c",))

    def meanwhile(self: Journal, start: int = 0) -> Any:
        for line in lines(self, start):
            if second.ident is None:
                second.start()
                second.join(0.2)  # it has to wait until this thread is done
            yield line

    monkeypatch.setattr(Journal, "lines", meanwhile)
    folder.load("c")
    second.join()
    assert folder.messages("c")[0].content == "once"


def test_what_was_handed_out_may_be_changed(folder: Folder) -> None:
    folder.create("c")
    folder.add_message("c", user("hello"))
    folder.messages("c")[0].content = "changed"
    assert folder.messages("c")[0].content == "hello"


# ---- trash ----------------------------------------------------------------------------------------------------


def test_delete_and_restore(folder: Folder) -> None:
    for generation in ("first", "second", "third"):
        folder.create("c")
        folder.add_message("c", named(generation))
        there = folder.delete("c")
        assert there.parent == folder.trash
        for ask in (folder.load, folder.delete):
            with pytest.raises(KeyError):
                ask("c")
    assert len(list(folder.trashed())) == 3
    folder.create("c")
    folder.add_message("c", named("now"))
    with pytest.raises(StoreError, match="already") as caught:
        folder.restore("c")
    assert caught.value.hint
    assert list(folder.load("c").nodes) == ["now"]
    folder.own_file("c").unlink()
    for generation in ("third", "second", "first"):  # the latest first
        assert folder.restore("c") == folder.own_file("c")
        assert list(folder.load("c").nodes) == [generation]
        folder.own_file("c").unlink()
    with pytest.raises(KeyError):
        folder.restore("c")


def test_a_restore_that_died_halfway_is_finished(folder: Folder) -> None:
    folder.create("c")
    there = folder.delete("c")
    folder.own_file("c").hardlink_to(there)
    assert folder.restore("c") == folder.own_file("c")
    assert list(folder.trashed()) == []
    folder.trash.joinpath(there.name).hardlink_to(folder.own_file("c"))
    folder.delete("c")
    assert (len(list(folder.trashed())), list(folder.files())) == (1, [])
