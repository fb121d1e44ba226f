"""Journals of other versions: read as they are, migrated by copying when they are written, never lost on the way.

There is no version before 1. The older one here is made up (messages have a `text`, conversations a `name`), so that
the machinery is proven before it is needed. One golden file a version lies in tests/data.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coda_cli.engine.conversations import versions
from coda_cli.engine.conversations.journal import DiskError, Journal, NewerSchemaError, Record, StoreError, Tail
from coda_cli.engine.conversations.migrate import migrate
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Conversation, message_record
from coda_cli.engine.core.messages import user
from tests.unit.store_writer import named

GOLDEN = Path(__file__).parents[1] / "data"
ID = "conv-golden"
STEPS_OF_MIGRATION = ("open", "write", "fsync", "mkdir", "link", "replace", "unlink")


def golden(schema: int) -> Path:
    return GOLDEN / f"conversation_schema_{schema}.jsonl"


def from_0(record: Record) -> Record:
    if record["type"] == "conversation":
        return {("title" if name == "name" else name): value for name, value in record.items()}
    if record["type"] in ("message", "checkpoint"):
        rest = {name: value for name, value in record.items() if name != "text"}
        return {**rest, "parts": [{"type": "text", "text": record["text"]}]}
    return record


@pytest.fixture(autouse=True)
def _a_version_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(versions.STEPS, 0, from_0)


def shelved(root: Path, schema: int) -> Folder:
    """A folder that holds the golden conversation."""
    folder = Folder(root)
    file = folder.own_file(ID)
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(golden(schema), file)
    return folder


def seen(chat: Conversation) -> dict[str, Any]:
    """Everything that a conversation tells, but for its problems."""
    return {
        "labels": (chat.id, chat.title, chat.created, chat.origin, chat.tags, chat.pinned, chat.head, chat.seq),
        "nodes": [(n.message, n.parent, n.children, n.seq, n.open, n.pinned, n.hidden) for n in chat.nodes.values()],
        "summaries": list(chat.summaries.values()),
        "heads": chat.heads,
    }


# ---- one golden file a version ------------------------------------------------------------------------------------


def test_the_golden_file_of_this_version_is_what_it_says_and_is_written_the_same_today(tmp_path: Path) -> None:
    chat = shelved(tmp_path, 1).load(ID)
    assert versions.SCHEMA == 1, "a new version needs a golden file and a step from the last one"
    assert not chat.problems
    assert (chat.id, chat.title, chat.tags, chat.pinned) == (ID, "Harbours of the south", ["travel", "sea"], True)
    assert [(node.message.message_id, node.message.content) for node in chat.path()] == [
        ("q1", "Name a harbour\u2028in «Ragusa» 😀"),
        ("a2", "Gruž"),
        ("q2", "And one in the north?"),
        ("a3", "Rije"),
    ]
    assert chat.nodes["a1"].message.content == "Dubrovnik"
    assert chat.nodes["a1"].message.metadata["usage"] == {"input_tokens": 12, "output_tokens": 3}
    assert (chat.nodes["q1"].pinned, chat.nodes["a2"].hidden, chat.nodes["a3"].open) == (True, True, True)
    assert [(summary.covers, summary.undone) for summary in chat.summaries.values()] == [(("q1", "a2"), True)]
    for record in Journal(golden(1)).records():
        if record["type"] == "message":
            again = message_record(chat.nodes[record["id"]].message, record["parent"])
            assert {**again, "seq": record["seq"]} == record


def test_an_older_version_is_read_as_if_this_one_had_written_it_and_not_touched(tmp_path: Path) -> None:
    older, today = shelved(tmp_path / "0", 0), shelved(tmp_path / "1", 1)
    chat = older.load(ID)
    assert seen(chat) == seen(today.load(ID))
    assert len(chat.problems) == 1  # the bad line that the golden file holds
    journal = Journal(older.own_file(ID))
    assert list(journal.backward()) == list(journal.records())[::-1]
    assert journal.tail() == Tail(17, "a3", journal.path.stat().st_size)
    assert older.own_file(ID).read_bytes() == golden(0).read_bytes()
    assert not older.backups.exists()


def test_a_newer_version_is_read_with_what_is_understood_and_never_written(tmp_path: Path) -> None:
    folder = shelved(tmp_path, 2)
    chat = folder.load(ID)
    assert not chat.problems
    assert [node.message.message_id for node in chat.path()] == ["q1", "a2", "q2", "a3"]
    assert "a part of a later kind" in chat.nodes["q2"].message.content
    with pytest.raises(NewerSchemaError) as caught:
        folder.add_message(ID, user("hello"))
    assert caught.value.hint
    folder.delete(ID)
    folder.restore(ID)
    assert folder.own_file(ID).read_bytes() == golden(2).read_bytes()


@pytest.mark.parametrize("long", [70_000, 200_000])
def test_the_version_is_seen_behind_a_long_title(tmp_path: Path, long: int) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"type": "conversation", "title": "x" * long, "id": "a", "schema": 2, "seq": 0}) + "\n")
    with pytest.raises(NewerSchemaError):
        Journal(file).append(lambda _: [{"type": "title", "title": "y"}])


# ---- migration ----------------------------------------------------------------------------------------------------


def test_the_first_write_migrates_by_copying_and_keeps_the_old_file(tmp_path: Path) -> None:
    folder, reader = shelved(tmp_path, 0), Folder(tmp_path)
    before = seen(reader.load(ID))
    folder.add_message(ID, named("new"))
    file = folder.own_file(ID)
    assert json.loads(file.read_bytes().split(b"\n")[0])["schema"] == versions.SCHEMA
    assert file.stat().st_mode & 0o777 == 0o600
    lines = file.read_bytes().splitlines()
    assert b'{"type":"title","title":"a line that was to' in lines  # a bad line is not thrown away
    assert [kept.read_bytes() for kept in folder.backups.iterdir()] == [golden(0).read_bytes()]
    assert [path.name for path in folder.conversations.iterdir()] == [file.name]
    for one in (folder, reader, Folder(tmp_path)):
        chat = one.load(ID)
        assert chat.path()[-1].message.message_id == "new"
        told = seen(chat)
        assert told["nodes"][:-2] == before["nodes"][:-1]  # the last of them has a child now
    inode = file.stat().st_ino
    folder.add_message(ID, named("newer"))
    assert file.stat().st_ino == inode  # once


def test_every_good_line_of_a_migrated_file_is_the_golden_one_of_the_next_version(tmp_path: Path) -> None:
    folder = shelved(tmp_path, 0)
    assert migrate(Journal(folder.own_file(ID)), folder.backups)
    assert not migrate(Journal(folder.own_file(ID)), folder.backups)
    expected = [json.loads(line) for line in golden(1).read_text().split("\n") if line]
    assert list(Journal(folder.own_file(ID)).records()) == expected


def test_two_backups_of_one_conversation_stand_side_by_side(tmp_path: Path) -> None:
    """It was deleted, an old backup copied in its place, and that migrated too."""
    folder = shelved(tmp_path, 0)
    folder.add_message(ID, named("m"))
    folder.delete(ID)
    other = golden(0).read_bytes().replace(b"Harbours", b"Havens")
    folder.own_file(ID).write_bytes(other)
    folder.add_message(ID, named("m"))
    assert {kept.read_bytes() for kept in folder.backups.iterdir()} == {golden(0).read_bytes(), other}


def test_a_record_that_a_step_cannot_understand_is_kept_as_it_is(tmp_path: Path) -> None:
    folder = shelved(tmp_path, 0)
    odd = b'{"type":"message","id":"odd","parent":"a3","role":"user","seq":18,"head":"odd"}'
    with folder.own_file(ID).open("ab") as file:
        file.write(b"\n" + odd + b"\n")
    folder.add_message(ID, named("new"))
    assert odd in folder.own_file(ID).read_bytes().splitlines()
    chat = folder.load(ID)
    assert [node.message.message_id for node in chat.path()][-2:] == ["a3", "new"]
    assert any("record 18" in problem for problem in chat.problems)


def test_without_hard_links_the_backup_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    folder = shelved(tmp_path, 0)
    folder.add_message(ID, named("new"))
    assert [kept.read_bytes() for kept in folder.backups.iterdir()] == [golden(0).read_bytes()]
    assert folder.load(ID).head == "new"


def test_writers_that_wait_for_the_lock_write_to_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [shelved(tmp_path, 0), *(Folder(tmp_path) for _ in range(7))]
    barrier = threading.Barrier(len(folders))

    def write(folder: Folder, number: int) -> None:
        barrier.wait(30)
        for index in range(5):
            folder.add_message(ID, named(f"{number}-{index}"))

    threads = [threading.Thread(target=write, args=(folder, number)) for number, folder in enumerate(folders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    chat = Folder(tmp_path).load(ID)
    assert {f"{number}-{index}" for number in range(8) for index in range(5)} <= set(chat.nodes)
    assert len(chat.path()) == 4 + 40
    assert len(list(folders[0].backups.iterdir())) == 1


# ---- faults -------------------------------------------------------------------------------------------------------


class Counted:
    """Calls *at* in place of the N-th of the system calls that a migration makes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, nth: int, at: Callable[[str], None]) -> None:
        self.calls: list[str] = []
        for name in STEPS_OF_MIGRATION:
            target: Any = Path if name in ("mkdir", "replace", "unlink") else os
            monkeypatch.setattr(target, name, self._counting(name, getattr(target, name), nth, at))
        # what is buffered goes through io, not os: one block at a time, so that each of them can fail
        monkeypatch.setattr("coda_cli.engine.conversations.migrate._BLOCK", 512)

    def _counting(self, name: str, real: Callable[..., Any], nth: int, at: Callable[[str], None]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) == nth:
                at(name)
            return real(*args, **kwargs)

        return call


def _in_a_child(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # nothing of the test may run on in the child
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _whole(folder: Folder) -> Iterator[str]:
    """Which whole conversations there are: "old", "new"; nothing else may be listed."""
    for file in folder.files():
        text = file.read_bytes()
        if text == golden(0).read_bytes():
            yield "old"
        else:
            assert len(list(Journal(file).records())) >= 18, text
            yield "new"


@pytest.mark.parametrize("links", [True, False])
def test_killed_at_every_step_there_is_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    outcomes: list[str] = []
    for nth in range(1, 200):
        folder = shelved(tmp_path / str(nth), 0)

        def killed(nth: int = nth, folder: Folder = folder) -> None:
            if not links:
                monkeypatch.setattr(os, "link", _refused(errno.EPERM))
            Counted(monkeypatch, nth, lambda _: os._exit(9))
            migrate(Journal(folder.own_file(ID)), folder.backups)

        code = _in_a_child(killed)
        assert code in (0, 9)
        (state,) = _whole(folder)
        outcomes.append(state)
        kept = list(folder.backups.glob("*.jsonl")) if folder.backups.exists() else []
        assert all(path.read_bytes() == golden(0).read_bytes() for path in kept)
        assert state == "old" or len(kept) == 1  # the new one stands only when the old one is kept
        folder.add_message(ID, named("after"))
        assert folder.load(ID).head == "after"
        assert len(list(folder.backups.glob("*.jsonl"))) == 1
        if code == 0:
            break
    else:
        pytest.fail("it never came to its end")
    assert outcomes.index("new") > 5
    assert outcomes == sorted(outcomes, reverse=True)  # old, old, ..., new


def _refused(number: int) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return refuse


def test_a_disk_that_refuses_at_every_step_leaves_all_as_it_was(tmp_path: Path) -> None:
    failed, hints = 0, list[str | None]()
    for nth in range(1, 200):
        folder = shelved(tmp_path / str(nth), 0)
        with pytest.MonkeyPatch.context() as patch:

            def refuse(name: str) -> None:
                if name != "unlink":
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            counted = Counted(patch, nth, refuse)
            try:
                migrate(Journal(folder.own_file(ID)), folder.backups)
            except DiskError as error:
                failed += 1
                hints.append(error.hint)
        assert list(_whole(folder)) in (["old"], ["new"])
        assert not list(folder.conversations.glob(".*"))
        folder.add_message(ID, named("after"))
        assert folder.load(ID).head == "after"
        if len(counted.calls) < nth:
            break
    assert failed > 5
    assert all(hints)


@pytest.mark.parametrize("size", [0, 1, 100, 1000, 2000])
def test_a_file_that_may_not_grow_that_far_is_left_alone(tmp_path: Path, size: int) -> None:
    """A short write, then no more: as a full disk behaves, in a process of its own."""
    folder = shelved(tmp_path, 0)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        with pytest.raises(StoreError):
            folder.add_message(ID, named("m"))

    assert _in_a_child(limited) == 0
    assert list(_whole(folder)) == ["old"]
    assert [path.name for path in folder.conversations.iterdir()] == [folder.own_file(ID).name]


def test_a_conversation_that_goes_while_its_migration_waits_is_migrated_in_the_trash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other = shelved(tmp_path, 0), Folder(tmp_path)
    flock, locks = fcntl.flock, iter(range(9))

    def deleted_before_the_second_lock(fd: int, how: int) -> None:
        if next(locks) == 1:
            other.delete(ID)
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", deleted_before_the_second_lock)
    folder.add_message(ID, named("m"))
    assert list(folder.files()) == []
    folder.restore(ID)
    assert folder.load(ID).head == "m"
    assert [kept.read_bytes() for kept in folder.backups.iterdir()] == [golden(0).read_bytes()]
