"""Processes that write conversations while others write, or until they are killed: started by the store's tests.

    python -m tests.unit.store_writer writers ROOT WRITERS APPENDS
    python -m tests.unit.store_writer kills ROOT KILLS SEED
    python -m tests.unit.store_writer creators ROOT ROUNDS
    python -m tests.unit.store_writer full ROOT BYTES
    python -m tests.unit.store_writer small ROOT STEP

The children are forks of a process that has imported everything, so that a thousand of them take seconds. Each command
prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from coda_cli.engine.conversations.journal import Journal, StoreError
from coda_cli.engine.conversations.lifeboat import Lifeboat
from coda_cli.engine.conversations.store import Folder, header
from coda_cli.engine.conversations.tree import message_record
from coda_cli.engine.core.messages import LLMMessage, MessageRole, ReasoningPart, TextPart, user


def named(name: str, size: int = 0) -> LLMMessage:
    """A message with the id *name*, and *size* characters that stay in the journal."""
    parts = [TextPart(text=name), *([ReasoningPart(text="r" * size)] if size else [])]
    return LLMMessage(role=MessageRole.ASSISTANT, parts=parts, message_id=name)


def _child(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def _together(*work: Callable[[], None]) -> list[int]:
    """The exit codes of processes that begin at once."""
    ready, go = os.pipe()

    def waiting(one: Callable[[], None]) -> Callable[[], None]:
        def begin() -> None:
            os.close(go)
            os.read(ready, 1)  # returns when the parent closes its end
            one()

        return begin

    pids = [_child(waiting(one)) for one in work]
    os.close(ready)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def writers(root: Path, count: int, appends: int) -> dict[str, Any]:
    """*count* processes that append to one conversation."""

    def write(name: int) -> Callable[[], None]:
        def work() -> None:
            folder = Folder(root)
            folder.create("shared")
            for number in range(appends):
                folder.add_message("shared", named(f"{name}-{number}"))

        return work

    return {"codes": _together(*(write(name) for name in range(count)))}


def creators(root: Path, rounds: int) -> dict[str, Any]:
    """Two processes that create the same conversation at once and say something in it."""
    codes: list[int] = []
    for number in range(rounds):

        def work(number: int = number) -> None:
            folder = Folder(root)
            folder.create(f"twin-{number}")
            folder.add_message(f"twin-{number}", user("hello"))

        codes += _together(work, work)
    return {"codes": codes}


def _write_until_killed(root: Path, name: str, acks: int) -> None:
    folder = Folder(root)
    rng = random.Random(name)
    number = 0
    while True:
        conversation = f"c{rng.randrange(4)}" if rng.random() < 0.8 else f"new-{name}-{number}"
        folder.create(conversation)
        messages = [
            named(f"{name}-{number}-{index}", rng.choice((0, 0, 3000, 300_000)))
            for index in range(rng.choice((1, 1, 3)))
        ]
        folder.append(conversation, lambda tail, said=messages: [message_record(m, tail.head) for m in said])  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        os.write(acks, "".join(f"{conversation} {m.message_id}\n" for m in messages).encode())
        number += 1


def kills(root: Path, count: int, seed: int) -> dict[str, Any]:
    """Kill *count* writers, each at some moment, and look for what they were told is safe."""
    rng = random.Random(seed)
    acknowledged: list[str] = []
    for number in range(count):
        reader, writer = os.pipe()
        pid = _child(partial(_write_until_killed, root, str(number), writer))
        os.close(writer)
        time.sleep(rng.random() * 0.04)  # the moment of death
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reader, "rb") as told:
            acknowledged += [line for line in told.read().decode().splitlines(keepends=True) if line.endswith("\n")]
    folder = Folder(root)
    present: dict[str, set[str]] = {}
    problems: list[str] = []
    for file in folder.files():
        if file.stat().st_size == 0:
            continue
        lines = list(Journal(file).lines())
        conversation = str(header(file).get("id", "?"))
        problems += [line.problem for line in lines if line.problem is not None]
        present[conversation] = set(folder.load(conversation).nodes)
    lost = [ack for ack in acknowledged if ack.split()[1] not in present.get(ack.split()[0], set())]
    return {"acknowledged": len(acknowledged), "lost": lost, "problems": problems, "conversations": sorted(present)}


def full(root: Path, size: int) -> dict[str, Any]:
    """Append until the largest file that this process may write is *size* bytes, then go on without the limit."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    folder = Folder(root)
    kept: list[str] = []
    failed = 0
    for number in range(8):
        try:
            folder.create("c")
            folder.add_message("c", named(f"m{number}", 40))
        except StoreError:
            failed += 1
        else:
            kept.append(f"m{number}")
    empty = [file.name for file in folder.files() if not file.stat().st_size]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    folder.create("c")
    folder.add_message("c", named("after"))
    return {"kept": kept, "failed": failed, "empty": empty}


def small(root: Path, step: int) -> dict[str, Any]:
    """Talk on a small disk, of which *step* bytes more are left in each round, until a round fits."""
    reports: list[dict[str, Any]] = []
    ballast = root / "ballast"
    while not reports or reports[-1]["waited"]:
        folder, left = Folder(root / "data"), step * len(reports)
        with ballast.open("wb", buffering=0) as file:
            _fill(file)
            file.truncate(max(0, ballast.stat().st_size - left))
        boat = Lifeboat(folder)
        boat.create("c", title="on a small disk")
        waited: list[str] = []
        said = [*(named(f"m{number}", 700) for number in range(6)), _large()]
        for message in said:
            boat.add_message("c", message)
            if boat.problem("c") is not None:
                waited.append(message.message_id)
        in_memory = [message.message_id for message in boat.messages("c")]
        empty = [file.name for file in folder.files() if not file.stat().st_size]
        ballast.unlink()
        boat.land()
        again = Folder(root / "data")
        seqs = [record["seq"] for record in Journal(again.own_file("c")).records()]
        chat = again.load("c")
        reports.append(
            {
                "waited": waited,
                "in memory": in_memory,
                "empty": empty,
                "unsaved": str(boat.problem("c") or ""),
                "written": [node.message.message_id for node in chat.path()],
                "large": len(chat.path()[-1].message.content),
                "problems": chat.problems,
                "in order": seqs == list(range(len(seqs))),
            }
        )
        shutil.rmtree(root / "data")
    return {"rounds": reports}


def _large() -> LLMMessage:
    """A message that goes into a blob."""
    return LLMMessage(role=MessageRole.USER, content="x" * 70_000, message_id="large")


def _fill(file: IO[bytes]) -> None:
    """Write until the disk takes no more."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for size in (4096, 1):
        with suppress(OSError):
            while True:
                file.write(b"b" * size)


def main(argv: list[str]) -> None:
    """Run the command that *argv* names."""
    command, root, *numbers = argv
    given = [int(number) for number in numbers]
    commands: dict[str, Callable[..., dict[str, Any]]] = {
        "writers": writers,
        "kills": kills,
        "creators": creators,
        "full": full,
        "small": small,
    }
    print(json.dumps(commands[command](Path(root), *given)))


if __name__ == "__main__":
    main(sys.argv[1:])
