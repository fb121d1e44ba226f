"""The power goes: what the store called saved is there, whatever of the rest reached the disk.

Kill -9 cannot show this, for the kernel keeps what was written. Here the system calls of a session are watched, and the
disk is modelled as unkindly as POSIX allows: of what was not synced, any names may be there or not, in any order, and a
file may end anywhere, or in NUL bytes.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from coda_cli.engine.conversations import versions
from coda_cli.engine.conversations.journal import StoreError
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.messages import LLMMessage, MessageRole, TextPart, user
from tests.unit.store_writer import named
from tests.unit.test_migrate import ID, from_0, golden
from tests.unit.wire_cases import LONG

WATCHED = ("write", "fsync", "link", "unlink", "replace", "rename", "mkdir", "ftruncate")
Entries = dict[str, int]  # name -> inode
STATES_AT_EACH_CALL = 130 if LONG else 4
"""At more than 80 calls: 10,000 states and more, or some hundred."""


@dataclass
class Disk:
    """What is there now (volatile) and what is certainly there after the power went (durable)."""

    base: Path
    content: dict[int, bytes] = field(default_factory=dict)
    folders: dict[int, Entries] = field(default_factory=dict)
    durable_content: dict[int, bytes] = field(default_factory=dict)
    durable_folders: dict[int, Entries] = field(default_factory=dict)
    _held: dict[int, int] = field(default_factory=dict)  # so that no inode's number is used again

    def look(self) -> None:
        """Take in what is there now."""
        stack = [self.base]
        while stack:
            folder = stack.pop()
            entries = self.folders[folder.stat().st_ino] = {}
            for path in folder.iterdir():
                inode = entries[path.name] = path.stat().st_ino
                if inode not in self._held:
                    self._held[inode] = os.open(path, os.O_RDONLY)
                if path.is_dir():
                    stack.append(path)
                else:
                    self.content[inode] = path.read_bytes()

    def synced(self, fd: int) -> None:
        """*fd* is on disk: a file's bytes, or a folder's names."""
        inode = os.fstat(fd).st_ino
        self.look()
        if inode in self.folders:
            self.durable_folders[inode] = dict(self.folders[inode])
        else:
            self.durable_content[inode] = os.pread(fd, 1 << 24, 0) if _readable(fd) else self.content[inode]

    def close(self) -> None:
        for fd in self._held.values():
            os.close(fd)

    def after_the_power_went(self, rng: random.Random, there: Path) -> None:
        """Make one of the states that the disk may be in."""
        self._put(self.base.stat().st_ino, rng, there)

    def _put(self, inode: int, rng: random.Random, there: Path) -> None:
        there.mkdir()
        old, new = self.durable_folders.get(inode, {}), self.folders.get(inode, {})
        for name in {*old, *new}:
            found = old.get(name) if old.get(name) == new.get(name) or rng.random() < 0.5 else new.get(name)
            if found is None:
                continue
            if found in self.folders:
                self._put(found, rng, there / name)
            else:
                (there / name).write_bytes(self._bytes(found, rng))

    def _bytes(self, inode: int, rng: random.Random) -> bytes:
        sure, now = self.durable_content.get(inode, b""), self.content[inode]
        if now == sure or rng.random() < 0.2:
            return sure
        if not now.startswith(sure):  # cut back, or written over
            return rng.choice((sure, now))
        end = rng.randrange(len(sure), len(now) + 1)
        return now[:end] + rng.choice((b"", b"\0" * (len(now) - end)))


def _readable(fd: int) -> bool:
    try:
        os.pread(fd, 1, 0)
    except OSError:
        return False
    return True


@dataclass
class Session:
    """A person at work, and what they were told is safe."""

    root: Path
    said: dict[str, list[str]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)

    def work(self, fail: Callable[[bool], None]) -> Iterator[None]:
        """Everything that a folder does, one acknowledged step after the other."""
        folder = Folder(self.root)

        def say(name: str, message: LLMMessage) -> None:
            folder.add_message(name, message)
            self.said.setdefault(name, []).append(message.message_id)
            self.texts[message.message_id] = message.content

        folder.create("c", title="First")
        self.said["c"] = []
        yield
        for number in range(3):
            say("c", named(f"m{number}", 300 * number))
            yield
        say("c", user("x" * 70_000))
        yield
        answer = LLMMessage(role=MessageRole.ASSISTANT, message_id="a")
        for _ in range(2):
            folder.checkpoint("c", answer, [TextPart(text="piece ")], None)
            self.said["c"] = [*dict.fromkeys([*self.said["c"], "a"])]
            yield
        fail(True)
        with pytest.raises(StoreError):
            folder.add_message("c", named("refused", 500))
        fail(False)
        yield
        say("c", answer.model_copy(update={"parts": [TextPart(text="piece piece done")]}))
        self.said["c"] = [*dict.fromkeys(self.said["c"])]
        yield
        folder.create("d")
        say("d", user("y" * 70_000))
        yield
        folder.delete("c")
        self.deleted.add("c")
        yield
        self.deleted.discard("c")  # from here on it may be in either place
        folder.restore("c")
        yield
        say("c", named("after the trash"))
        yield
        file = folder.own_file(ID)
        file.write_bytes(golden(0).read_bytes())
        for path in (file, file.parent):
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)
        self.said[ID] = ["q1", "a1", "a2", "q2", "a3"]
        yield
        say(ID, named("after the migration"))
        yield


def check(root: Path, session: Session) -> None:
    """Everything that was called safe is there, and the talk can go on."""
    folder = Folder(root)
    for name, expected in session.said.items():
        if name in session.deleted:
            assert folder.find(name) is None
        if folder.find(name) is None:
            folder.restore(name)
        chat = folder.load(name)
        assert set(expected) <= set(chat.nodes), name
        for message in expected:
            content = chat.nodes[message].message.content
            assert content == session.texts.get(message, content) or chat.nodes[message].message.status != "complete"
        folder.add_message(name, named("next"))
        assert folder.load(name).head == "next"
        assert list(folder.load(name).nodes)[-1] == "next"


def test_whatever_reached_the_disk_what_was_acknowledged_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(versions.STEPS, 0, from_0)
    base = tmp_path / "base"
    base.mkdir()
    disk, session = Disk(base), Session(base / "data")
    states, real_sync = 0, os.fsync
    watching = [True]

    def crash() -> None:
        """The power goes now, in several ways."""
        nonlocal states
        disk.look()
        watching[0] = False
        monkeypatch.setattr(os, "fsync", lambda _: None)
        for _ in range(STATES_AT_EACH_CALL):
            states += 1
            there = tmp_path / "state"
            disk.after_the_power_went(random.Random(states), there)
            check(there / "data", session) if (there / "data").exists() else _nothing_was_promised(session)
            shutil.rmtree(there)
        monkeypatch.setattr(os, "fsync", watched["fsync"])
        watching[0] = True

    def watch(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not watching[0]:
                return real(*args, **kwargs)
            if name == "write" and failing[0]:
                real(args[0], args[1][:200])
                crash()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            crash()  # before the call, and so after the one before it
            done = real_sync(*args) if name == "fsync" else real(*args, **kwargs)
            if name == "fsync":
                disk.synced(args[0])
            return done

        return call

    failing = [False]
    watched = {name: watch(name, getattr(os, name)) for name in WATCHED}
    for name, call in watched.items():
        monkeypatch.setattr(os, name, call)
    for _ in session.work(lambda on: failing.__setitem__(0, on)):
        crash()
    disk.close()
    assert states > 80 * STATES_AT_EACH_CALL
    assert session.said["c"][-1] == "after the trash"


def _nothing_was_promised(session: Session) -> None:
    assert session.said == {}
