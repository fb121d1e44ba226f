"""A disk that refuses: the chat goes on in memory, says so, and is written as soon as the disk takes it again."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli import LLMConfig, LLMManager, ScriptedProvider
from coda_cli.engine.conversations import operations
from coda_cli.engine.conversations.journal import DiskError, Journal, StoreError
from coda_cli.engine.conversations.lifeboat import Lifeboat
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.messages import LLMMessage, MessageRole, TextPart
from tests.unit.store_writer import named
from tests.unit.wire_cases import LONG


class Disk:
    """The disk, which is full or well; a full one takes half of what it is given first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.flaky: random.Random | None = None
        self._write = os.write
        monkeypatch.setattr(os, "write", self._maybe)
        monkeypatch.setattr(os, "fsync", lambda _: None)

    def _maybe(self, fd: int, data: Any) -> int:
        if self.full or (self.flaky is not None and self.flaky.random() < 0.4):
            if len(data) > 1:
                return self._write(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._write(fd, data)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def said(root: Path, name: str = "c") -> list[str]:
    """The active branch as another program reads it."""
    return [message.message_id for message in Folder(root).messages(name)]


def whole(folder: Folder, name: str = "c") -> None:
    """No bad line, every number once, no message twice."""
    lines = list(Journal(folder.own_file(name)).lines())
    assert [line.problem for line in lines] == [None] * len(lines)
    records = [line.record for line in lines if line.record is not None]
    assert [record["seq"] for record in records] == list(range(len(records)))
    messages = [record["id"] for record in records if record["type"] == "message"]
    assert len(messages) == len(set(messages))


# ---- going on -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
async def test_a_chat_goes_on_while_the_disk_is_full_and_is_written_in_order_when_it_is_well(
    tmp_path: Path, disk: Disk, known: bool
) -> None:
    provider = ScriptedProvider(replies=["one", "two", "three"])
    store = ConversationManager(Folder(tmp_path))
    config = LLMConfig(providers={"fake": provider.config}, default_provider="fake")
    async with LLMManager(config, store=store) as llm:
        llm._providers["fake"] = provider
        if known:
            await store.create_conversation("c")
        disk.full = True
        await llm.generate_response("first", conversation_id="c")
        await llm.continue_conversation("c", "second")
        told = store.unsaved("c")
        assert isinstance(told, DiskError)
        assert told.hint
        assert [message.content for message in await store.messages("c")] == ["first", "one", "second", "two"]
        with nullcontext() if known else pytest.raises(KeyError):
            assert Folder(tmp_path).messages("c") == []
        disk.full = False
        await llm.continue_conversation("c", "third")
        assert store.unsaved("c") is None
    messages = Folder(tmp_path).messages("c")
    assert [message.content for message in messages] == ["first", "one", "second", "two", "third", "three"]
    whole(Folder(tmp_path))


async def test_flush_writes_what_waits_without_a_further_word(tmp_path: Path, disk: Disk) -> None:
    store = ConversationManager(Folder(tmp_path))
    for name in ("c", "d"):
        await store.create_conversation(name)
    disk.full = True
    for name in ("c", "d"):
        await store.add_message(name, named(f"in {name}"))
    await store.flush()
    assert store.unsaved("c") is not None
    disk.full = False
    await store.flush()
    assert (store.unsaved("c"), store.unsaved("d")) == (None, None)
    assert (said(tmp_path, "c"), said(tmp_path, "d")) == (["in c"], ["in d"])


def test_what_could_never_be_written_is_refused_at_once(tmp_path: Path, disk: Disk) -> None:
    boat = Lifeboat(Folder(tmp_path))
    boat.create("c")
    disk.full = True
    boat.add_message("c", named("m"))
    with pytest.raises(StoreError):
        boat.append("c", lambda _: [{"type": "title", "title": float("nan")}])
    with pytest.raises(KeyError):
        boat.add_message("unknown", named("m"))
    disk.full = False
    boat.land()
    assert said(tmp_path) == ["m"]
    assert boat.problem("c") is None


def test_the_pieces_of_an_answer_wait_too(tmp_path: Path, disk: Disk) -> None:
    boat = Lifeboat(Folder(tmp_path))
    boat.create("c")
    boat.add_message("c", named("q"))
    answer = LLMMessage(role=MessageRole.ASSISTANT, message_id="a")
    boat.checkpoint("c", answer, [TextPart(text="on disk, ")], None)
    disk.full = True
    boat.checkpoint("c", answer, [TextPart(text="in memory, ")], None)
    disk.full = False
    boat.checkpoint("c", answer, [TextPart(text="on disk again")], None)
    node = Folder(tmp_path).load("c").nodes["a"]
    assert (node.message.content, node.parent) == ("on disk, in memory, on disk again", "q")
    boat.add_message("c", answer.model_copy(update={"parts": [TextPart(text="all of it")]}))
    assert Folder(tmp_path).load("c").nodes["a"].message.content == "all of it"
    assert said(tmp_path) == ["q", "a"]


def test_undo_fork_and_labels_work_while_the_disk_is_full(tmp_path: Path, disk: Disk) -> None:
    boat = Lifeboat(Folder(tmp_path))
    boat.create("c")
    user_says = LLMMessage(role=MessageRole.USER, content="q", message_id="q")
    boat.add_message("c", user_says)
    disk.full = True
    boat.add_message("c", named("a"))
    operations.rename(boat, "c", "Named in the dark")
    operations.pin(boat, "c", message_id="q")
    operations.undo(boat, "c")
    assert operations.redo(boat, "c").head == "a"
    operations.fork(boat, "c", new="copy")
    disk.full = False
    boat.land()
    chat, copy = Folder(tmp_path).load("c"), Folder(tmp_path).load("copy")
    assert (chat.title, chat.head, chat.nodes["q"].pinned) == ("Named in the dark", "a", True)
    assert ([*copy.nodes], copy.origin) == (["q", "a"], {"conversation": "c", "message": "a"})


# ---- others write too -----------------------------------------------------------------------------------------------


def test_another_writer_makes_a_sibling_and_keeps_the_head_that_it_took(tmp_path: Path, disk: Disk) -> None:
    boat, other = Lifeboat(Folder(tmp_path)), Folder(tmp_path)
    boat.create("c")
    boat.add_message("c", named("q"))
    disk.full = True
    boat.add_message("c", named("ours"))
    disk.full = False
    other.add_message("c", named("theirs"))
    boat.land()
    chat = Folder(tmp_path).load("c")
    assert chat.siblings("ours") == ["theirs", "ours"]
    assert chat.head == "ours"
    whole(other)


def test_a_label_that_waited_does_not_take_the_head_back(tmp_path: Path, disk: Disk) -> None:
    boat, other = Lifeboat(Folder(tmp_path)), Folder(tmp_path)
    boat.create("c")
    boat.add_message("c", named("q"))
    disk.full = True
    operations.rename(boat, "c", "ours")
    disk.full = False
    other.add_message("c", named("theirs"))
    boat.land()
    assert (Folder(tmp_path).load("c").title, said(tmp_path)) == ("ours", ["q", "theirs"])


def test_another_makes_the_same_conversation_meanwhile(tmp_path: Path, disk: Disk) -> None:
    boat, other = Lifeboat(Folder(tmp_path)), Folder(tmp_path)
    disk.full = True
    assert boat.create("c", title="ours")
    assert not boat.create("c")
    boat.add_message("c", named("ours"))
    disk.full = False
    other.create("c", title="theirs")
    other.add_message("c", named("theirs"))
    boat.land()
    chat = Folder(tmp_path).load("c")
    assert (chat.title, set(chat.roots), chat.problems) == ("theirs", {"ours", "theirs"}, [])


ACTIONS = st.lists(
    st.sampled_from(["say", "say", "title", "piece", "finish", "undo", "full", "well", "other", "land"]), max_size=40
)


@settings(
    deadline=None,
    max_examples=1500 if LONG else 60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=ACTIONS)
def test_whatever_the_disk_does_all_that_was_said_is_there_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, disk: Disk, actions: list[str]
) -> None:
    root = tmp_path_factory.mktemp("boat")
    disk.full = False
    boat, other = Lifeboat(Folder(root)), Folder(root)
    boat.create("c")
    ours: list[str] = []
    theirs: list[str] = []
    answer: LLMMessage | None = None
    for number, action in enumerate(actions):
        match action:
            case "say":
                ours.append(f"m{number}")
                boat.add_message("c", LLMMessage(role=MessageRole.USER, content="hello", message_id=ours[-1]))
            case "title":
                operations.rename(boat, "c", f"t{number}")
            case "piece":
                answer = answer or LLMMessage(role=MessageRole.ASSISTANT, message_id=f"a{number}")
                boat.checkpoint("c", answer, [TextPart(text="x")], None)
            case "finish" if answer is not None:
                ours.append(answer.message_id)
                boat.add_message("c", answer.model_copy(update={"parts": [TextPart(text="done")]}))
                answer = None
            case "undo" if any(node.message.role is MessageRole.USER for node in boat.load("c").path()):
                operations.undo(boat, "c")
            case "full" | "well":
                disk.full = action == "full"
            case "other":
                before, disk.full = disk.full, False
                theirs.append(f"o{number}")
                other.add_message("c", named(theirs[-1]))
                disk.full = before
            case "land":
                boat.land()
        assert boat.problem("c") is None or disk.full or action not in ("say", "title", "piece", "land")
    seen = {name: node.parent for name, node in boat.load("c").nodes.items() if name in ours}
    disk.full = False
    boat.land()
    assert boat.problem("c") is None
    chat = Folder(root).load("c")
    assert not chat.problems
    assert {name: node.parent for name, node in chat.nodes.items() if name in ours} == seen
    finals = [r["id"] for r in Journal(other.own_file("c")).records() if r["type"] == "message"]
    assert [name for name in finals if name in ours] == ours
    assert [name for name in finals if name in theirs] == theirs
    whole(other)


def test_threads_on_a_disk_that_comes_and_goes_lose_nothing_and_do_not_wait_for_each_other_for_ever(
    tmp_path: Path, disk: Disk
) -> None:
    boat = Lifeboat(Folder(tmp_path))
    boat.create("c")
    disk.flaky = random.Random(3)

    def write(writer: int) -> None:
        for number in range(30):
            boat.add_message("c", named(f"{writer}-{number}"))
            operations.rename(boat, "c", f"{writer}-{number}")  # loads while it holds the file

    threads = [threading.Thread(target=write, args=(writer,), daemon=True) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    disk.flaky = None
    boat.land()
    order = list(Folder(tmp_path).load("c").nodes)
    assert len(order) == 120
    for writer in range(4):
        own = [name for name in order if name.startswith(f"{writer}-")]
        assert own == [f"{writer}-{number}" for number in range(30)]
    whole(Folder(tmp_path))


# ---- the trash ------------------------------------------------------------------------------------------------------


def test_deleted_elsewhere_while_an_answer_is_under_way_it_is_whole_in_the_trash(tmp_path: Path) -> None:
    boat, other = Lifeboat(Folder(tmp_path)), Folder(tmp_path)
    boat.create("c")
    boat.add_message("c", named("q"))
    answer = LLMMessage(role=MessageRole.ASSISTANT, message_id="a")
    boat.checkpoint("c", answer, [TextPart(text="half")], None)
    other.delete("c")
    boat.checkpoint("c", answer, [TextPart(text=" and the other half")], None)
    assert list(other.files()) == []
    (file,) = other.trashed()
    boat.add_message("c", answer.model_copy(update={"parts": [TextPart(text="half and the other half")]}))
    assert [record["type"] for record in Journal(file).records()][-2:] == ["checkpoint", "message"]
    with pytest.raises(KeyError):
        boat.load("c")
    boat.restore("c")
    assert said(tmp_path) == ["q", "a"]
    assert Folder(tmp_path).messages("c")[-1].content == "half and the other half"
    whole(other)


def test_deleted_elsewhere_while_all_of_it_waits_it_is_whole_in_the_trash(tmp_path: Path, disk: Disk) -> None:
    other = Folder(tmp_path)
    other.create("c")
    other.add_message("c", named("q"))
    boat = Lifeboat(Folder(tmp_path))  # it has never written to it
    disk.full = True
    boat.add_message("c", named("a"))
    disk.full = False
    other.delete("c")
    boat.land()
    assert boat.problem("c") is None
    other.restore("c")
    assert said(tmp_path) == ["q", "a"]


@pytest.mark.parametrize("again", [True, False])
def test_deleting_what_waits(tmp_path: Path, disk: Disk, again: bool) -> None:
    boat = Lifeboat(Folder(tmp_path))
    boat.create("c")
    boat.add_message("c", named("q"))
    disk.full = True
    boat.add_message("c", named("a"))
    boat.create("new")
    boat.add_message("new", named("m"))
    boat.delete("c")
    assert boat.delete("new") is None
    for name in ("c", "new"):
        assert not boat.exists(name)
        with pytest.raises(KeyError):
            boat.load(name)
    if again:
        boat.restore("c")
        assert [message.message_id for message in boat.messages("c")] == ["q", "a"]
    disk.full = False
    boat.land()
    if not again:
        boat.restore("c")
    assert said(tmp_path) == ["q", "a"]


# ---- kill -----------------------------------------------------------------------------------------------------------


def _child(work: Callable[[int], None]) -> tuple[int, list[str]]:
    """The exit code of a process that does *work*, and the lines that it wrote to the pipe it was given."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(writer)
        except BaseException:  # nothing of the test may run on in the child
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        lines = told.read().decode().splitlines()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), lines


def test_killed_while_it_waits_everything_that_was_called_saved_is_there(tmp_path: Path) -> None:
    def work(acks: int) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        boat = Lifeboat(Folder(tmp_path))
        boat.create("c")
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        for turn, size in enumerate((1500, 1500, hard, 4000)):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
            for number in range(6):
                boat.add_message("c", named(f"{turn}-{number}", 100))
                os.write(acks, b"saved\n" if boat.problem("c") is None else b"waits\n")
        os.kill(os.getpid(), signal.SIGKILL)

    code, lines = _child(work)
    assert code == -signal.SIGKILL
    assert len(lines) == 24
    assert "waits" in lines
    last_well = len(lines) - lines[::-1].index("saved")  # then everything up to here was on disk
    assert last_well >= 18
    folder = Folder(tmp_path)
    whole(folder)
    names = list(folder.load("c").nodes)
    assert len(names) >= last_well
    folder.add_message("c", named("after"))
    assert said(tmp_path) == [*names, "after"]


def test_killed_at_every_call_of_the_landing(tmp_path: Path) -> None:
    """What had waited is there up to some message, in order; what was on disk before is all there."""
    kept: list[int] = []
    for nth in range(1, 60):
        root = tmp_path / str(nth)

        def work(_: int, root: Path = root, nth: int = nth) -> None:
            with pytest.MonkeyPatch.context() as patch:
                disk = Disk(patch)
                boat = Lifeboat(Folder(root))
                boat.create("c")
                boat.add_message("c", named("first"))
                disk.full = True
                for number in range(5):
                    boat.add_message("c", named(f"m{number}", 200))
                calls = iter(range(1, 1000))
                write = os.write

                def small_or_dead(fd: int, data: Any) -> int:
                    if next(calls) == nth:
                        os._exit(9)
                    return write(fd, data[:150])

                patch.setattr(os, "write", small_or_dead)
                disk.full = False
                boat.land()

        code, _ = _child(work)
        folder = Folder(root)
        names = list(folder.load("c").nodes)
        assert names == ["first", *(f"m{number}" for number in range(len(names) - 1))]
        folder.add_message("c", named("after"))
        assert list(folder.load("c").nodes) == [*names, "after"]
        kept.append(len(names))
        if code == 0:
            break
        assert code == 9
    assert kept[-1] == 6
    assert len(set(kept)) > 3
