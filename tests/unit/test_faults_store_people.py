"""Two terminals, thirty-two starts, a clock that jumps, a chat of a lifetime, and a trash that is killed."""

from __future__ import annotations

import asyncio
import os
import random
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coda_cli import LLMConfig, LLMManager, ScriptedProvider
from coda_cli.cli.app import run as run_command
from coda_cli.engine.conversations import operations
from coda_cli.engine.conversations.index import Index
from coda_cli.engine.conversations.info import Filter
from coda_cli.engine.conversations.journal import Journal, encode
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.pages import page
from coda_cli.engine.conversations.shelf import first_record
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import message_record
from coda_cli.engine.core.messages import LLMMessage, MessageRole
from tests.unit.store_writer import _child, _together, named
from tests.unit.wire_cases import LONG

# ---- two terminals (FAULTS 11) ------------------------------------------------------------------------------------


def terminal(root: Path, name: str, answers: int) -> LLMManager:
    """One running Coda, of which every answer bears its name."""
    provider = ScriptedProvider(replies=[f"{name} answers {number}" for number in range(answers)])
    config = LLMConfig(providers={"fake": provider.config}, default_provider="fake")
    llm = LLMManager(config, store=ConversationManager(Folder(root)))
    llm._providers["fake"] = provider
    return llm


async def test_two_terminals_in_one_chat_both_go_on_and_no_answer_gets_another_ones_question(tmp_path: Path) -> None:
    turns = 40 if LONG else 6

    async def talk(name: str) -> None:
        async with terminal(tmp_path, name, turns) as llm:
            for number in range(turns):
                await llm.generate_response(f"{name} asks {number}", conversation_id="c")

    await asyncio.gather(talk("one"), talk("two"))
    chat = Folder(tmp_path).load("c")
    assert not chat.problems
    nodes = {node.message.content: node for node in chat.nodes.values()}
    assert set(nodes) == {f"{n} {v} {i}" for n in ("one", "two") for v in ("asks", "answers") for i in range(turns)}
    for text, node in nodes.items():
        if "answers" in text:
            assert node.parent == nodes[text.replace("answers", "asks")].message.message_id
    path = chat.path()
    async with terminal(tmp_path, "three", 1) as llm:
        await llm.continue_conversation("c", "and now?")
    assert len(Folder(tmp_path).load("c").path()) == len(path) + 2


def test_one_undoes_while_another_speaks(tmp_path: Path) -> None:
    here, there = Folder(tmp_path), Folder(tmp_path)
    here.create("c")
    question = LLMMessage(role=MessageRole.USER, content="q", message_id="q")
    here.add_message("c", question)
    here.add_message("c", named("a"))
    there.load("c")
    operations.undo(here, "c")
    there.add_message("c", named("said without seeing it"))  # below where the chat stands now
    chat = here.load("c")
    assert (chat.roots, chat.head) == (["q", "said without seeing it"], "said without seeing it")
    assert [node.message.message_id for node in chat.path("a")] == ["q", "a"]
    with pytest.raises(operations.NothingToDoError):
        operations.redo(here, "c")


# ---- thirty-two starts and a save (FAULTS 12) ---------------------------------------------------------------------


def test_starts_that_race_a_save_of_the_settings_read_them_whole_and_no_save_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "coda.toml"
    monkeypatch.setenv("CODA_CONFIG", str(file))
    file.write_text("# mine\noffline = true\n")
    null = os.open(os.devnull, os.O_RDWR)
    rounds, expected = (100 if LONG else 2), dict[str, str]()

    def start(*arguments: str) -> Callable[[], None]:
        def work() -> None:
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            if code := run_command([*arguments]):
                os._exit(code)

        return work

    for number in range(rounds):
        names = [f"r{number}w{writer}" for writer in range(8)]
        saves = [start("config", "set", f"aliases.{name}", f"openai/{name}") for name in names]
        expected |= {name: f"openai/{name}" for name in names}
        codes = _together(*saves, *[start("config", "show", "--json")] * 16, *[start("config", "check")] * 8)
        assert codes == [0] * 32
    os.close(null)
    assert tomllib.loads(file.read_text()) == {"offline": True, "aliases": expected}
    assert file.read_text().startswith("# mine\n")
    assert {path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")} == set()


# ---- the clock (FAULTS 13) ----------------------------------------------------------------------------------------

DAY = 86_400.0
JUMPS = (0.0, -DAY, 10 * 365 * DAY, 1.0, -40 * 365 * DAY, 2.0)


@pytest.mark.parametrize("with_index", [True, False])
def test_a_clock_that_jumps_changes_the_order_of_nothing_in_a_chat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_index: bool
) -> None:
    folder = Folder(tmp_path / "data")
    if with_index:
        folder.index = Index(folder.conversations, folder.blobs)
    now, said = [time.time()], list[str]()
    monkeypatch.setattr(time, "time", lambda: now[0])
    folder.create("c")
    for number, jump in enumerate(JUMPS):
        now[0] += jump
        role = MessageRole.ASSISTANT if number % 2 else MessageRole.USER
        folder.add_message("c", LLMMessage(role=role, content=f"m{number}", message_id=f"m{number}"))
        said.append(f"m{number}")
        operations.rename(folder, "c", f"title {number}")
        assert [message.message_id for message in folder.messages("c")] == said
        assert operations.branch(folder, "c", "m0").head == said[-1]
        assert operations.undo(folder, "c").head == (said[number - 1 - number % 2] if number > 1 else None)
        assert operations.redo(folder, "c").head == said[-1]
    first = operations.summarise(folder, "c", ["m0"], "older")
    now[0] -= 50 * 365 * DAY
    second = operations.summarise(folder, "c", ["m0", "m1"], "newer, though its clock says otherwise")
    chat = folder.load("c")
    assert chat.summary_for(chat.path()) == second != first
    assert [node.message.message_id for node in page(folder, "c").nodes] == said
    (row,) = folder.rows(Filter(), limit=5)
    assert (row.title, row.messages) == ("title 5", len(said))
    seqs = [record["seq"] for record in Journal(folder.own_file("c")).records()]
    assert seqs == list(range(len(seqs)))


# ---- a chat of a lifetime (FAULTS 17) -----------------------------------------------------------------------------


def test_the_last_page_of_a_huge_chat_takes_no_more_memory_than_that_of_a_small_one(tmp_path: Path) -> None:
    """Of 100,000 messages and a gigabyte where CODA_TEST_LONG asks for it; the times are told by the benchmark."""
    import tracemalloc

    def grown(name: str, count: int, size: int) -> int:
        folder, parent = Folder(tmp_path), None
        folder.conversations.mkdir(exist_ok=True)
        with folder.own_file(name).open("wb") as file:
            file.write(encode({**first_record(name), "seq": 0}))
            for number in range(count):
                role = MessageRole.ASSISTANT if number % 2 else MessageRole.USER
                message = LLMMessage(role=role, content="x" * size, message_id=f"m{number}")
                file.write(encode({**message_record(message, parent), "seq": number + 1}))
                parent = message.message_id
        tracemalloc.start()
        found = page(folder, name, count=20)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert [node.message.message_id for node in found.nodes] == [f"m{n}" for n in range(count - 20, count)]
        assert (found.more, found.title[:3]) == (True, "xxx")
        folder.add_message(name, named("next"))
        assert page(folder, name, count=1).nodes[0].message.message_id == "next"
        folder.own_file(name).unlink()
        return peak

    small = grown("small", 100, 500)
    many = grown("many", 100_000 if LONG else 4000, 500)
    large = grown("large", 50_000 if LONG else 300, 20_000)
    assert many < small + 2_000_000
    assert large < small + 20 * 20_000 * 4 + 2_000_000


# ---- the trash (FAULTS 19) ----------------------------------------------------------------------------------------

CALLS = ("link", "unlink", "rename", "fsync", "mkdir")


def dies_at(nth: int, work: Callable[[], object]) -> int:
    """The exit code of a process that does *work* and dies at the N-th of the CALLS: 9, or 0 if there were fewer."""

    def dying() -> None:
        calls = [0]

        def watch(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                calls[0] += 1
                if calls[0] == nth:
                    os._exit(9)
                return real(*args, **kwargs)

            return call

        for name in CALLS:
            setattr(os, name, watch(getattr(os, name)))
        work()

    return os.waitstatus_to_exitcode(os.waitpid(_child(dying), 0)[1])


@pytest.mark.parametrize("links", [True, False])
def test_delete_and_restore_that_die_anywhere_leave_one_whole_chat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    steps = 0
    for what in ("delete", "restore"):
        for nth in range(1, 30):
            root = tmp_path / what / str(nth)
            folder = Folder(root)
            folder.create("c")
            folder.add_message("c", named("m"))
            if what == "restore":
                folder.delete("c")
            died = dies_at(nth, lambda f=folder, w=what: getattr(f, w)("c"))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            again = Folder(root)
            if again.find("c") is None:
                again.restore("c")  # it is whole in the one place or in the other
            assert [message.message_id for message in again.messages("c")] == ["m"]
            again.add_message("c", named("n"))
            again.delete("c")  # and can be moved on as if nothing had been
            with pytest.raises(KeyError):
                again.load("c")
            again.restore("c")
            assert [message.message_id for message in again.messages("c")] == ["m", "n"]
            assert not again.load("c").problems
            steps += 1
            if died == 0:
                break
            assert died == 9
    assert steps > 8


def test_kill_9_while_others_delete_restore_and_write(tmp_path: Path) -> None:
    """Whoever was killed when: everything that was acknowledged is in the chat or in the trash, once and whole."""
    rng = random.Random(11)
    acknowledged: list[str] = []
    Folder(tmp_path).create("c")

    def mover() -> None:
        while True:
            folder = Folder(tmp_path)
            try:
                folder.delete("c")
                folder.restore("c")
            except KeyError:
                continue

    def writer(name: str, acks: int) -> None:
        folder, number = Folder(tmp_path), 0
        while True:
            try:
                folder.add_message("c", named(f"{name}-{number}"))
            except KeyError:  # it has never written, and the chat is in the trash just now
                continue
            os.write(acks, f"{name}-{number}\n".encode())
            number += 1

    for number in range(300 if LONG else 25):
        reader, end = os.pipe()
        pids = [_child(mover), _child(lambda n=number, e=end: writer(str(n), e))]  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        os.close(end)
        time.sleep(rng.random() * 0.05)  # the moment of death
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        with os.fdopen(reader, "rb") as told:
            acknowledged += [line.strip() for line in told.read().decode().splitlines(True) if line.endswith("\n")]
        folder = Folder(tmp_path)
        if folder.find("c") is None:
            folder.restore("c")
    chat = Folder(tmp_path).load("c")
    assert acknowledged
    assert set(acknowledged) <= set(chat.nodes)
    assert all("torn" in problem or "not JSON" in problem for problem in chat.problems)
