"""One archive of everything, taken while others write; and one brought back, which overwrites nothing."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import stat
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from coda_cli.engine.conversations import backup as backing
from coda_cli.engine.conversations.backup import MANIFEST, backup, whole_lines
from coda_cli.engine.conversations.bring_back import restore
from coda_cli.engine.conversations.journal import Journal, StoreError
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import ImagePart, LLMMessage, MessageRole, user
from tests.unit.store_writer import named

KINDS = (".tar.gz", ".tgz", ".zip")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "data")
    for name in ("one", "two", "../three", "😀"):
        made.create(name, title=f"about {name}")
        made.add_message(name, user(f"in {name}"))
    picture = ImagePart(data=bytes(range(256)) * 500, media_type="image/png")
    made.add_message("one", LLMMessage(role=MessageRole.USER, parts=[picture]))
    made.create("gone")
    made.delete("gone")
    return made


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_everything_comes_back_byte_for_byte_in_an_empty_folder(folder: Folder, tmp_path: Path, kind: str) -> None:
    report = backup(folder, tmp_path / f"b{kind}")
    assert (report.conversations, report.trashed, report.blobs, report.problems) == (4, 1, 1, [])
    assert report.size == report.file.stat().st_size
    assert stat.S_IMODE(report.file.stat().st_mode) == 0o600
    elsewhere = Folder(tmp_path / "elsewhere")
    back = restore(elsewhere, report.file)
    assert sorted(back.created) == sorted(["one", "two", "../three", "😀"])
    assert (back.copied, back.unchanged, back.problems, back.trashed, back.blobs) == ([], [], [], 1, 1)
    assert contents(tmp_path / "elsewhere") == contents(tmp_path / "data")
    for path in (tmp_path / "elsewhere").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_unpacked_into_a_data_folder_without_coda(folder: Folder, tmp_path: Path, kind: str) -> None:
    made = backup(folder, tmp_path / f"b{kind}").file
    if kind == ".zip":
        with zipfile.ZipFile(made) as packed:
            packed.extractall(tmp_path / "by-hand")
    else:
        with tarfile.open(made) as packed_tar:
            packed_tar.extractall(tmp_path / "by-hand", filter="data")
    (tmp_path / "by-hand" / MANIFEST).unlink()
    assert contents(tmp_path / "by-hand") == contents(tmp_path / "data")


def test_bringing_it_back_twice_changes_nothing(folder: Folder, tmp_path: Path) -> None:
    made = backup(folder, tmp_path / "b.zip").file
    before = contents(tmp_path / "data")
    back = restore(folder, made)
    assert sorted(back.unchanged) == sorted(["one", "two", "../three", "😀"])
    assert (back.created, back.copied, back.trashed, back.blobs) == ([], [], 0, 0)
    assert contents(tmp_path / "data") == before


def test_what_went_on_since_stays_as_it_is(folder: Folder, tmp_path: Path) -> None:
    made = backup(folder, tmp_path / "b.tar.gz").file
    folder.add_message("one", user("said later"))
    before = contents(tmp_path / "data")
    assert "one" in restore(folder, made).unchanged
    assert contents(tmp_path / "data") == before


def test_other_content_of_the_same_id_becomes_a_copy_and_only_once(folder: Folder, tmp_path: Path) -> None:
    folder.add_message("two", user("only in the backup"))
    made = backup(folder, tmp_path / "b.tar.gz").file
    shutil.rmtree(tmp_path / "data" / "conversations")
    other = Folder(tmp_path / "data")
    other.create("two")
    other.add_message("two", user("only here"))
    kept = other.own_file("two").read_bytes()
    back = restore(other, made)
    assert other.own_file("two").read_bytes() == kept
    ((old, new),) = back.copied
    assert old == "two"
    copy = other.load(new)
    assert [node.message.content for node in copy.path()] == ["in two", "only in the backup"]
    assert copy.id == new
    assert copy.origin == {"conversation": "two", "message": None, "backup": True}
    again = restore(other, made)
    assert (again.copied, again.created) == ([], [])
    assert len(again.unchanged) == 4


def test_a_torn_end_is_left_out_and_the_copy_is_whole(folder: Folder, tmp_path: Path) -> None:
    file = folder.own_file("one")
    whole = file.read_bytes()
    with file.open("ab") as opened:
        opened.write(b'{"type":"message","id":"torn')
    made = backup(folder, tmp_path / "b.zip").file
    with zipfile.ZipFile(made) as packed:
        assert packed.read(f"conversations/{file.name}") == whole


def test_a_last_line_without_its_newline_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    for content, expected in (
        (b"", 0),
        (b'{"type":"a"}', 12),
        (b'{"type":"a"}\n{"type":', 13),
        (b'{"type":"a"}\n' + b"x" * 200_000, 13),
        (b"x" * 200_000, 0),
    ):
        file.write_bytes(content)
        fd = os.open(file, os.O_RDONLY)
        assert whole_lines(fd) == expected
        os.close(fd)


def test_it_is_consistent_while_others_write_delete_and_restore(folder: Folder, tmp_path: Path) -> None:
    stop = threading.Event()
    wrong: list[BaseException] = []

    def write(name: str) -> None:
        mine = Folder(tmp_path / "data")
        number = 0
        try:
            mine.create(name)
            while not stop.is_set():
                mine.add_message(name, named(f"{name}-{number}", 3000 if number % 7 else 100_000))
                number += 1
                if number % 5 == 0 and name == "w0":
                    mine.delete(name)
                    mine.restore(name)
        except BaseException as exc:  # shown by the test
            wrong.append(exc)

    threads = [threading.Thread(target=write, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        made = [backup(folder, tmp_path / f"b{number}.tar.gz") for number in range(4)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    for number, report in enumerate(made):
        assert report.problems == []
        there = Folder(tmp_path / f"there{number}")
        assert restore(there, report.file).problems == []
        assert {"one", "two", "../three", "😀"} <= {one.id for one, _ in there.everything()}
        for file in [*there.files(), *there.trashed()]:
            assert all(line.problem is None for line in Journal(file).lines())
        for conversation, _ in there.everything():
            assert conversation.problems == []
            names = [node.message.message_id for node in conversation.nodes.values()]
            if conversation.id.startswith("w"):
                assert names == [f"{conversation.id}-{count}" for count in range(len(names))]
            assert not any("missing" in node.message.content for node in conversation.nodes.values())


def test_a_name_that_is_taken_is_never_overwritten(folder: Folder, tmp_path: Path) -> None:
    taken = tmp_path / "b.zip"
    taken.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        backup(folder, taken)
    with pytest.raises(UsageError, match="is no"):
        backup(folder, tmp_path / "b.rar")
    with pytest.raises(UsageError, match="no folder"):
        backup(folder, tmp_path / "nowhere" / "b.zip")
    assert taken.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["b.zip"]


def test_a_disk_that_refuses_leaves_no_half_archive(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            backup(folder, tmp_path / "b.zip")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_what_does_not_read_back_as_it_was_written_gets_no_name(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = backing.members
    monkeypatch.setattr(backing, "members", lambda archive: itertools.islice(real(archive), 3))
    with pytest.raises(StoreError, match="read back"):
        backup(folder, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_a_file_that_cannot_be_read_hides_no_other(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = folder.own_file("two")
    real = Path.open

    def opened(self: Path, *args: object, **more: object) -> object:
        if self == refused:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **more)  # type: ignore[call-overload]  # the same arguments

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", opened)
        report = backup(folder, tmp_path / "b.zip")
    assert report.conversations == 3
    assert report.problems == [f"{refused}: Permission denied"]


# ---- damaged and hostile archives -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [".tar.gz", ".zip"])
def test_a_damaged_archive_gives_what_can_be_read_and_never_a_traceback(
    folder: Folder, tmp_path: Path, kind: str
) -> None:
    made = backup(folder, tmp_path / f"b{kind}").file
    whole = made.read_bytes()
    made.unlink()
    for place in range(0, len(whole), max(1, len(whole) // (400 if os.environ.get("CODA_TEST_LONG") else 30))):
        for number, damaged in enumerate((whole[:place], whole[:place] + b"\xff\xff" + whole[place + 2 :])):
            archive = tmp_path / f"d{place}-{number}{kind}"
            archive.write_bytes(damaged)
            there = Folder(tmp_path / f"t{place}-{number}")
            try:
                report = restore(there, archive)
            except UsageError:
                continue
            for file in there.files():
                assert next(Journal(file).records(), None) is not None
            assert not list((tmp_path / f"t{place}-{number}").rglob("*.tmp"))
            if len(report.created) < 4:
                assert report.problems


def test_names_in_an_archive_lead_nowhere_else(tmp_path: Path) -> None:
    line = b'{"type":"conversation","schema":1,"id":"evil","title":"","time":1,"head":null,"seq":0}\n'
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("../../conversations/x.jsonl", "/conversations/y.jsonl", "a/b/c/conversations/z.jsonl"):
            packed.writestr(name, line)
        packed.writestr("conversations/../../up.jsonl", line)
        packed.writestr("settings/coda.toml", b"evil")
        packed.writestr("blobs/" + "0" * 64, b"not what its name says")
        packed.writestr("conversations/headless\x1b[2J.jsonl", b'{"type":"title","title":"x","seq":3}\n')
    there = Folder(tmp_path / "in" / "data")
    report = restore(there, archive)
    assert [path.name for path in tmp_path.iterdir()] in (["evil.zip", "in"], ["in", "evil.zip"])
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["data"]
    assert any("damaged" in problem for problem in report.problems)
    for path in (tmp_path / "in").rglob("*"):
        assert path.name.isprintable()
    assert len(list(there.files())) == 2  # the one conversation, and the one without a beginning


def test_something_else_is_no_backup(folder: Folder, tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("hello")
    empty = tmp_path / "b.zip"
    with zipfile.ZipFile(empty, "w") as packed:
        packed.writestr("readme", "x")
    for file in (text, empty, tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError):
            restore(folder, file)


def test_the_manifest_tells_what_is_missing_or_changed(folder: Folder, tmp_path: Path) -> None:
    made = backup(folder, tmp_path / "b.zip").file
    changed = tmp_path / "c.zip"
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            if name.startswith("blobs/"):
                continue
            content = old.read(name)
            if name.endswith(folder.own_file("two").name):
                content = content.replace(b"in two", b"IN TWO")
            new.writestr(name, content)
        assert json.loads(old.read(MANIFEST))["format"] == "coda-backup"
    problems = restore(Folder(tmp_path / "there"), changed).problems
    assert any("blobs/" in problem and "missing" in problem for problem in problems)
    assert any(folder.own_file("two").name in problem and "not as it was" in problem for problem in problems)


def test_an_empty_or_missing_store_makes_an_empty_archive(tmp_path: Path) -> None:
    report = backup(Folder(tmp_path / "none"), tmp_path / "b.tar.gz")
    assert (report.conversations, report.problems) == (0, [])
    assert not (tmp_path / "none").exists()
