"""The conversation store under kill -9, full disks, broken syncs and other processes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coda_cli.engine.conversations.journal import ConversationGoneError, Journal, Record, StoreError, Tail
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import message_record
from coda_cli.engine.core.messages import user
from tests.unit.store_writer import named
from tests.unit.wire_cases import LONG


def run(command: str, root: Path, *numbers: int) -> dict[str, Any]:
    """What `store_writer` reports."""
    argv = [sys.executable, "-m", "tests.unit.store_writer", command, str(root), *map(str, numbers)]
    home = Path(__file__).parents[2]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=home)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    report = run("kills", tmp_path, 1000 if LONG else 100, 7)
    assert report["acknowledged"] > 50
    assert report["lost"] == []
    assert "?" not in report["conversations"]
    assert all("not JSON" in problem or "torn" in problem for problem in report["problems"])
    folder = Folder(tmp_path)
    for conversation in report["conversations"]:
        folder.add_message(conversation, named("after"))
        assert folder.load(conversation).head == "after"


def test_eight_processes_write_one_conversation(tmp_path: Path) -> None:
    each = 500 if LONG else 60
    assert run("writers", tmp_path, 8, each)["codes"] == [0] * 8
    folder = Folder(tmp_path)
    chat = folder.load("shared")
    assert not chat.problems
    assert len(chat.path()) == len(chat.nodes) == 8 * each  # every parent was the head under the lock: one line
    order = list(chat.nodes)
    for writer in range(8):
        own = [name for name in order if name.startswith(f"{writer}-")]
        assert own == [f"{writer}-{number}" for number in range(each)]
    file = folder.own_file("shared")
    assert [record["seq"] for record in Journal(file).records()] == list(range(8 * each + 1))
    assert len(list(folder.files())) == 1


def test_two_processes_create_the_same_conversation(tmp_path: Path) -> None:
    rounds = 200 if LONG else 25
    assert set(run("creators", tmp_path, rounds)["codes"]) == {0}
    folder = Folder(tmp_path)
    assert len(list(folder.files())) == rounds
    for file in folder.files():
        assert [record["type"] for record in Journal(file).records()] == ["conversation", "message", "message"]


@pytest.mark.parametrize("size", [0, 1, 100, 150, 400, 430, 700, 1000, *(range(1, 1500, 7) if LONG else ())])
def test_a_disk_that_is_full_after_so_many_bytes(tmp_path: Path, size: int) -> None:
    report = run("full", tmp_path, size)
    assert report["empty"] == []
    assert report["failed"] > 0
    folder = Folder(tmp_path)
    chat = folder.load("c")
    assert list(chat.nodes) == [*report["kept"], "after"]
    assert not chat.problems  # rolled back: not even a torn line
    assert [record["seq"] for record in Journal(folder.own_file("c")).records()] == list(range(len(chat.nodes) + 1))


class Faults:
    """Makes the N-th call of some system call fail, or be short before it fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.fail_at = -1
        self._write, self._sync = os.write, os.fsync
        monkeypatch.setattr(os, "write", self._short_write)
        monkeypatch.setattr(os, "fsync", self._fsync)
        self.short = False

    def _due(self) -> bool:
        self.calls += 1
        return self.calls - 1 == self.fail_at

    def _short_write(self, fd: int, data: Any) -> int:
        if self._due():
            if len(data) > 1:  # part of it goes down, the next write says why
                self.fail_at += 1
                return self._write(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._write(fd, data[:700] if self.short else data)

    def _fsync(self, fd: int) -> None:
        if self._due():
            raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("short", [False, True])
def test_the_nth_write_or_sync_fails_for_every_n(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: bool) -> None:
    faults = Faults(monkeypatch)
    faults.short = short

    def attempt(root: Path, fail_at: int) -> bool:
        """Whether a fault came up at *fail_at*."""
        folder = Folder(root)
        acknowledged: list[str] = []
        hints: list[str | None] = []
        steps: list[Callable[[], object]] = [
            lambda: folder.create("c"),
            *(lambda name=name: folder.add_message("c", named(name, 2000)) for name in ("m1", "m2")),
        ]
        faults.calls, faults.fail_at, failed = 0, fail_at, 0
        for number, step in enumerate(steps):
            try:
                step()
            except StoreError as exc:
                failed += 1
                hints.append(exc.hint)
                assert not any(file.stat().st_size == 0 for file in folder.files())
                step()  # a second try works
            acknowledged.append(f"m{number}")
        assert list(folder.load("c").nodes) == acknowledged[1:]
        assert all(hints)
        assert not folder.load("c").problems
        return failed > 0

    number = 0
    while attempt(tmp_path / str(number), number):
        number += 1
    assert number > 8


def test_everything_is_synced_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What kill -9 cannot show: after each write comes the sync of that file, and of the folder for a new name."""
    done: list[tuple[str, str]] = []
    write, sync = os.write, os.fsync

    def name_of(fd: int) -> str:
        status = os.fstat(fd)
        paths = (tmp_path, *tmp_path.rglob("*"))
        return next(path.name for path in paths if os.path.samestat(path.stat(), status))

    def watched_write(fd: int, data: Any) -> int:
        done.append(("write", name_of(fd)))
        return write(fd, data)

    def watched_sync(fd: int) -> None:
        done.append(("sync", name_of(fd)))
        sync(fd)

    monkeypatch.setattr(os, "write", watched_write)
    monkeypatch.setattr(os, "fsync", watched_sync)
    folder = Folder(tmp_path / "data")
    folder.create("c")
    file = folder.own_file("c").name
    assert done == [
        ("write", file),
        ("sync", file),
        ("sync", "conversations"),
        ("sync", "data"),
        ("sync", tmp_path.name),
    ]
    done.clear()
    folder.add_message("c", named("m"))
    assert done == [("write", file), ("sync", file)]
    done.clear()
    folder.add_message("c", user("x" * 70_000))
    # the blob comes first, and its folder, which is new
    assert [step for step, _ in done] == ["sync", "sync", "sync", "write", "sync"]
    assert [where for _, where in done][1:] == ["blobs", "data", file, file]
    done.clear()
    folder.delete("c")
    assert {where for _, where in done} == {"trash", "data", "conversations"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_write_is_rolled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    folder = Folder(tmp_path)
    folder.create("c")
    before = folder.own_file("c").read_bytes()
    with monkeypatch.context() as patch:

        def interrupted(_: int) -> None:
            raise error

        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(error):
            folder.add_message("c", named("m"))
    assert folder.own_file("c").read_bytes() == before


def test_a_reader_forgets_what_was_rolled_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that could not be synced was visible for a moment; whoever saw it must not keep it."""
    folder, other = Folder(tmp_path), Folder(tmp_path)
    folder.create("c")
    folder.add_message("c", named("m1"))
    with monkeypatch.context() as patch:

        def seen_and_failed(_: int) -> None:
            assert other.load("c").head == "ghost"
            raise OSError(errno.EIO, "Input/output error")

        patch.setattr(os, "fsync", seen_and_failed)
        with pytest.raises(StoreError):
            folder.add_message("c", named("ghost"))
    folder.add_message("c", named("m2", 5000))
    chat = other.load("c")
    assert list(chat.nodes) == ["m1", "m2"]
    assert not chat.problems


@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_data_folder_that_cannot_be_used_is_a_store_error(tmp_path: Path, where: str) -> None:
    root = tmp_path / "data"
    root.write_text("not a folder") if where == "file" else root.mkdir()
    folder = Folder(root)
    if where == "folder":
        (root / "conversations").write_text("not a folder")
    with pytest.raises(StoreError) as caught:
        folder.create("c")
    assert caught.value.hint


@pytest.mark.parametrize("call", ["open", "flock", "mkdir"])
def test_a_read_only_disk_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    folder = Folder(tmp_path / "data")
    target: Any = {"open": os, "flock": fcntl, "mkdir": Path}[call]
    monkeypatch.setattr(target, call, refuse)
    with pytest.raises(StoreError, match="Read-only"):
        folder.create("c")


def test_the_trash_while_another_waits_for_the_lock(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("c")
    folder.add_message("c", named("m1"))
    holding, go = threading.Event(), threading.Event()
    results: list[str] = []

    def hold(tail: Tail) -> list[Record]:
        holding.set()
        go.wait(30)
        return [message_record(named("m2"), tail.head)]

    def write(journal: Journal, build: Callable[[Tail], list[Record]]) -> None:
        try:
            journal.append(build)
            results.append("kept")
        except ConversationGoneError:
            results.append("gone")

    journal = Journal(folder.own_file("c"))
    first = threading.Thread(target=write, args=(journal, hold))
    first.start()
    assert holding.wait(30)
    deleter = threading.Thread(target=folder.delete, args=("c",))
    deleter.start()
    late = [
        threading.Thread(target=write, args=(journal, lambda tail: [message_record(named("late"), tail.head)]))
        for _ in range(3)
    ]
    for thread in late:
        thread.start()
    go.set()
    for thread in (first, deleter, *late):
        thread.join(30)
    assert results[0] == "kept"
    folder.restore("c")
    kept = list(folder.load("c").nodes)
    assert kept[:2] == ["m1", "m2"]
    # three attempts at the same message: the first may have been in time
    records = [record for record in Journal(folder.own_file("c")).records() if record.get("id") == "late"]
    assert len(records) == results.count("kept") - 1
    assert results.count("gone") + results.count("kept") == 4


def test_a_conversation_that_was_moved_is_gone(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("c")
    journal = Journal(folder.own_file("c"))

    folder.delete("c")
    with pytest.raises(ConversationGoneError) as caught:
        journal.append(lambda _: [])
    assert caught.value.hint
    assert not journal.path.exists()
    with pytest.raises(KeyError):
        folder.add_message("c", named("m"))


@pytest.mark.parametrize("made_again", [False, True])
def test_the_file_goes_between_open_and_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_again: bool) -> None:
    folder, other = Folder(tmp_path), Folder(tmp_path)
    folder.create("c")
    folder.add_message("c", named("old"))
    flock = fcntl.flock

    def deleted_meanwhile(fd: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        there = other.delete("c")
        monkeypatch.setattr(fcntl, "flock", lambda fd, how: None)  # this process would wait for itself
        if made_again:
            other.create("c")
        monkeypatch.setattr(fcntl, "flock", flock)
        trashed.append(there.read_bytes())
        flock(fd, how)

    trashed: list[bytes] = []
    monkeypatch.setattr(fcntl, "flock", deleted_meanwhile)
    if made_again:
        folder.add_message("c", named("new"))
        assert list(folder.load("c").nodes) == ["new"]
        assert [file.read_bytes() for file in folder.trashed()] == trashed
    else:
        folder.add_message("c", named("new"))
        with pytest.raises(KeyError):
            folder.load("c")
        folder.restore("c")
        assert list(folder.load("c").nodes) == ["old", "new"]  # what was under way is with the rest


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 4096, b"garbage\n", b"{", b"\xff" * 300, b"[" * 100_000, b"x" * 10**6]
)
@pytest.mark.parametrize("created", [True, False])
def test_one_bad_file_hides_nothing(tmp_path: Path, content: bytes, created: bool) -> None:
    folder = Folder(tmp_path)
    folder.create("good")
    folder.add_message("good", named("m"))
    (folder.conversations / "0bad.jsonl").write_bytes(content)
    os.mkfifo(folder.conversations / "0pipe.jsonl")
    (folder.conversations / "0folder.jsonl").mkdir()
    (folder.conversations / "0nowhere.jsonl").symlink_to(tmp_path / "nowhere")
    folder.own_file("good").rename(folder.conversations / "renamed.jsonl")
    assert list(folder.load("good").nodes) == ["m"]
    with pytest.raises(KeyError):
        folder.load("unknown")
    # its own file damaged as a whole: what is said next is kept
    folder.own_file("hurt").write_bytes(content)
    if created:
        folder.create("hurt")
    folder.add_message("hurt", named("new"))
    chat = folder.load("hurt")
    assert (chat.id, chat.head, chat.schema) == ("hurt", "new", 1)
