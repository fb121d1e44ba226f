"""`verify`: every fault that a store can have is told, and mended where that loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli.engine.conversations import verify as verifying
from coda_cli.engine.conversations.backup import whole_lines
from coda_cli.engine.conversations.findings import Finding
from coda_cli.engine.conversations.index import Index
from coda_cli.engine.conversations.info import Filter
from coda_cli.engine.conversations.journal import Journal
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.verify import verify
from coda_cli.engine.core.messages import ImagePart, LLMMessage, MessageRole, user


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "data")
    made.index = Index(made.conversations, made.blobs, tmp_path / "cache" / "index.sqlite3")
    made.create("one")
    for number in range(5):
        made.add_message("one", user(f"line {number}"))
    made.create("two")
    made.add_message("two", user("hello"))
    picture = ImagePart(data=bytes(range(256)) * 500, media_type="image/png")
    made.add_message("two", LLMMessage(role=MessageRole.USER, parts=[picture]))
    made.create("gone")
    made.delete("gone")
    return made


def found(folder: Folder, *, fix: bool = False) -> list[Finding]:
    return verify(folder, fix=fix).findings


def kinds(folder: Folder) -> list[str]:
    return [finding.kind for finding in found(folder)]


def change(file: Path, how: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the lines of *file* in place."""
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(how(lines)))


def backups(folder: Folder) -> list[Path]:
    return sorted(folder.backups.iterdir()) if folder.backups.exists() else []


def test_a_good_store_is_told_to_be_good(folder: Folder) -> None:
    report = verify(folder)
    assert report.findings == []
    assert (report.conversations, report.trashed, report.messages, report.blobs) == (2, 1, 7, 1)
    assert report.records == 10
    assert report.size > 128_000


def test_a_store_that_is_not_there_is_good_and_is_not_made(tmp_path: Path) -> None:
    report = verify(Folder(tmp_path / "none"), fix=True)
    assert (report.findings, report.conversations) == ([], 0)
    assert not (tmp_path / "none").exists()


def test_a_bad_line_is_named_by_its_place_and_mended_with_the_original_kept(folder: Folder) -> None:
    file = folder.own_file("one")
    change(file, lambda lines: [*lines[:2], b"\x00\x00 not json\n", *lines[3:]])
    before = file.read_bytes()
    (finding,) = found(folder)
    assert (finding.kind, finding.file, finding.line, finding.conversation) == ("bad-line", file, 3, "one")
    assert finding.byte == sum(map(len, before.splitlines(keepends=True)[:2]))
    assert finding.fixable
    assert not finding.fixed
    assert file.read_bytes() == before  # only told
    (mended,) = found(folder, fix=True)
    assert mended.fixed
    (kept,) = backups(folder)
    assert kept.read_bytes() == before
    assert found(folder) == []
    assert [node.message.content for node in folder.load("one").path()] == ["line 0", "line 2", "line 3", "line 4"]
    folder.add_message("one", user("and on"))
    assert kinds(folder) == []


def test_a_torn_end_is_cut_off(folder: Folder) -> None:
    file = folder.own_file("one")
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"type":"message","id":"to')
    assert kinds(folder) == ["torn-tail"]
    assert [finding.fixed for finding in found(folder, fix=True)] == [True]
    assert file.read_bytes() == whole
    assert [kept.read_bytes() for kept in backups(folder)] == [whole + b'{"type":"message","id":"to']
    assert found(folder) == []


def test_a_file_in_which_nothing_can_be_read_is_put_into_the_backups(folder: Folder) -> None:
    noise = folder.conversations / "noise.jsonl"
    noise.write_bytes(b"\xff\xfe\n\0\0\n{")
    noise.chmod(0o600)
    assert {finding.kind for finding in found(folder)} == {"bad-line", "torn-tail"}
    found(folder, fix=True)
    assert found(folder) == []
    assert [kept.read_bytes() for kept in backups(folder)] == [b"\xff\xfe\n\0\0\n{"]


def test_fused_records_are_parted_again(folder: Folder) -> None:
    file = folder.own_file("one")
    expected = [node.message.content for node in folder.load("one").path()]
    change(file, lambda lines: [*lines[:2], lines[2].rstrip() + lines[3], b'{"type":"mess' + lines[4], *lines[5:]])
    assert kinds(folder) == ["bad-line", "bad-line"]
    assert all(finding.fixed for finding in found(folder, fix=True))
    assert found(folder) == []
    assert [node.message.content for node in folder.load("one").path()] == expected


def test_a_lost_beginning_gets_the_id_that_the_name_was_made_of(folder: Folder, tmp_path: Path) -> None:
    entries = [b"garbage", b'{"conversation":5}', json.dumps({"conversation": "one"}).encode()]
    (tmp_path / "data" / "usage.jsonl").write_bytes(b"\n".join(entries))
    change(folder.own_file("one"), lambda lines: lines[1:])
    assert kinds(folder) == ["no-beginning"]
    found(folder, fix=True)
    assert found(folder) == []
    assert Folder(tmp_path / "data").load("one").id == "one"
    change(folder.own_file("two"), lambda lines: lines[1:])
    found(folder, fix=True)
    assert found(folder) == []
    assert {one.id for one, _ in folder.everything()} == {"one", folder.own_file("two").stem}


def test_a_record_that_was_taken_out_is_missed(folder: Folder) -> None:
    change(folder.own_file("one"), lambda lines: [*lines[:3], *lines[4:]])
    assert kinds(folder) == ["gap"]


def test_records_that_make_no_sense(folder: Folder) -> None:
    def spoil(lines: list[bytes]) -> list[bytes]:
        records = [json.loads(line) for line in lines]
        records[2]["role"] = "emperor"
        records[4]["parent"] = "msg-nobody"
        records.append({**records[1], "seq": 6, "parts": [{"type": "text", "text": "another"}]})
        records.append({"type": "pin", "message": "msg-nobody", "pinned": True, "seq": 7})
        records.append({"type": "title", "title": "late", "seq": 3})
        return [json.dumps(record).encode() + b"\n" for record in records]

    change(folder.own_file("one"), spoil)
    assert sorted(kinds(folder)) == sorted(
        ["record", "unknown-parent", "unknown-parent", "duplicate-message", "record", "order"]
    )
    before = folder.own_file("one").read_bytes()
    found(folder, fix=True)
    assert folder.own_file("one").read_bytes() == before  # nothing that could be mended without loss


def test_a_newer_version_is_told_and_left_alone(folder: Folder) -> None:
    change(folder.own_file("one"), lambda lines: [lines[0].replace(b'"schema":1', b'"schema":99'), *lines[1:]])
    before = folder.own_file("one").read_bytes()
    assert kinds(folder) == ["newer-schema"]
    found(folder, fix=True)
    assert folder.own_file("one").read_bytes() == before


def test_missing_and_damaged_blobs(folder: Folder) -> None:
    (blob,) = folder.blobs.iterdir()
    blob.write_bytes(b"changed")
    assert kinds(folder) == ["damaged-blob"]
    blob.unlink()
    (finding,) = found(folder)
    assert (finding.kind, finding.conversation, finding.file) == ("missing-blob", "two", folder.own_file("two"))
    assert blob.name in finding.problem
    assert not finding.fixable


def test_what_others_may_read_is_closed(folder: Folder) -> None:
    opened = [folder.conversations, folder.own_file("one"), next(folder.blobs.iterdir())]
    for path in opened:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert [(finding.kind, finding.file) for finding in found(folder)] == [("permissions", path) for path in opened]
    assert all(finding.fixed for finding in found(folder, fix=True))
    assert [stat.S_IMODE(path.stat().st_mode) for path in opened] == [0o700, 0o600, 0o600]
    assert found(folder) == []


def test_a_file_that_cannot_be_read_hides_no_other(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = folder.own_file("one")
    change(folder.own_file("two"), lambda lines: [*lines, b"bad\n"])
    real = Path.open

    def opened(self: Path, *args: object, **more: object) -> object:
        if self == refused:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **more)  # type: ignore[call-overload]  # the same arguments

    folder.index = None
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", opened)
        report = verify(folder)
    assert sorted((finding.kind, finding.file) for finding in report.findings) == [
        ("bad-line", folder.own_file("two")),
        ("unreadable", refused),
    ]


def test_strangers_links_leftovers_and_empty_files(folder: Folder) -> None:
    (folder.conversations / "notes.txt").write_text("mine")
    (folder.conversations / "folder.jsonl").mkdir()
    (folder.conversations / "link.jsonl").symlink_to("nowhere")
    empty = folder.conversations / "empty.jsonl"
    empty.touch(mode=0o600)
    fresh = folder.blobs / ".x.1.tmp"
    old = folder.blobs / ".y.1.tmp"
    for file in (fresh, old):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 10_000,) * 2)
    told = {finding.file.name: finding.kind for finding in found(folder)}
    assert told == {
        "notes.txt": "stranger",
        "folder.jsonl": "stranger",
        "link.jsonl": "unreadable",
        "empty.jsonl": "empty",
        ".y.1.tmp": "leftover",
    }
    found(folder, fix=True)
    assert fresh.exists()
    assert not old.exists()
    assert not empty.exists()
    assert (folder.conversations / "notes.txt").read_text() == "mine"


def test_two_files_of_one_id(folder: Folder) -> None:
    older = folder.conversations / "copied by hand.jsonl"
    other = folder.conversations / "other.jsonl"
    content = folder.own_file("one").read_bytes()
    older.write_bytes(b"".join(content.splitlines(keepends=True)[:3]))
    other.write_bytes(content.replace(b"line 4", b"LINE 4"))
    for file in (older, other):
        file.chmod(0o600)
    told = [finding for finding in found(folder) if finding.kind == "duplicate-id"]
    assert {finding.file.name: finding.fixable for finding in told} in (
        {"copied by hand.jsonl": True, "other.jsonl": False},
        {"copied by hand.jsonl": True, folder.own_file("one").name: False},
    )
    found(folder, fix=True)
    assert not older.exists()
    assert (folder.trash / older.name).exists()
    assert other.exists()
    assert folder.own_file("one").read_bytes() == content


def test_an_index_out_of_step_is_made_anew(folder: Folder, tmp_path: Path) -> None:
    assert folder.index is not None
    folder.index.rows(Filter(), limit=10)
    file = folder.own_file("two")
    status = file.stat()
    content = file.read_bytes()
    with file.open("r+b") as opened:  # in place, with the times put back: nothing tells the index of it
        opened.write(content.replace(b'"type":"message"', b'"type":"massage"', 1))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "index" in kinds(folder)
    assert all(finding.fixed for finding in found(folder, fix=True) if finding.kind == "index")
    assert "index" not in kinds(folder)


def test_a_network_file_system_is_a_warning_and_no_finding(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "_file_system", lambda path: "nfs4")
    report = verify(folder)
    assert report.findings == []
    assert "nfs4" in report.warnings[0]


def test_an_answer_that_is_being_written_is_no_torn_end(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder.own_file("one")

    def after_the_writer(fd: int) -> int:
        with file.open("ab") as opened:
            opened.write(b'le","title":"t","seq":6,"head":null}\n')
        return whole_lines(fd)

    with file.open("ab") as opened:
        opened.write(b'{"type":"tit')
    monkeypatch.setattr(verifying, "whole_lines", after_the_writer)
    assert kinds(folder) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mending_never_loses_a_good_record_and_settles(folder: Folder, data: st.DataObject) -> None:
    file = folder.own_file("one")
    pristine = file.read_bytes()
    shutil.rmtree(folder.backups, ignore_errors=True)
    damaged = bytearray(pristine)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(damaged)))
        how = data.draw(st.sampled_from(["cut", "flip", "insert", "nul"]))
        if how == "cut":
            del damaged[place : place + data.draw(st.integers(1, 30))]
        elif how == "insert":
            damaged[place:place] = data.draw(st.binary(max_size=20))
        else:
            damaged[place : place + 2] = b"\0\0" if how == "nul" else b"\xff"
    try:
        file.write_bytes(damaged)
        good = [line.record for line in Journal(file).lines() if line.record is not None]
        verify(folder, fix=True)
        if file.exists():
            after = list(Journal(file).lines())
            assert all(line.problem is None for line in after)
            kept = [line.record for line in after]
            assert all(record in kept for record in good)
            if file.read_bytes() != damaged:
                assert bytes(damaged) in [kept.read_bytes() for kept in backups(folder)]
            again = file.read_bytes()
            verify(folder, fix=True)
            assert file.read_bytes() == again
        else:
            assert not good
            assert not damaged or bytes(damaged) in [kept.read_bytes() for kept in backups(folder)]
    finally:
        file.write_bytes(pristine)
        file.chmod(0o600)
