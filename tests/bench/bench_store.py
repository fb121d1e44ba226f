"""Measures the conversation store: appends, loads, the last page of a huge chat, and kill -9.

    python -m tests.bench.bench_store [--messages 100000] [--gigabytes 1.0] [--kills 200]

Each measurement of memory runs in a fresh process, of which `peak` is the maximum resident set. Nothing is asserted:
these are figures, not tests.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from coda_cli.engine.conversations.journal import encode
from coda_cli.engine.conversations.pages import page
from coda_cli.engine.conversations.shelf import first_record
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import message_record
from coda_cli.engine.core.messages import LLMMessage, MessageRole

WORDS = "The harbour of Dubrovnik lies below the wall, and the light settles on it in the evening. "


def _message(number: int, size: int) -> LLMMessage:
    role = MessageRole.ASSISTANT if number % 2 else MessageRole.USER
    text = (f"{number}: " + WORDS * (size // len(WORDS) + 1))[:size]
    return LLMMessage(role=role, content=text, message_id=f"msg-{number:032x}")


def generate(folder: Folder, conversation_id: str, count: int, size: int) -> Path:
    """A conversation of *count* messages of about *size* characters, as the journal would have written it."""
    file = folder.own_file(conversation_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    parent: str | None = None
    with file.open("wb", buffering=1 << 20) as out:
        out.write(encode({**first_record(conversation_id), "seq": 0}))
        for number in range(count):
            message = _message(number, size)
            out.write(encode({**message_record(message, parent), "seq": number + 1}))
            parent = message.message_id
    return file


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_process(command: str, root: Path, conversation_id: str) -> dict[str, float]:
    """What *command* reports of itself in a fresh process."""
    argv = [sys.executable, "-m", "tests.bench.bench_store", "--do", command, str(root), conversation_id]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    report: dict[str, float] = json.loads(done.stdout)
    return report


def do(command: str, root: Path, conversation_id: str) -> None:
    """Measure one thing in this process, and print it."""
    folder = Folder(root)
    works: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "load": lambda: folder.load(conversation_id),
        "page": lambda: page(folder, conversation_id),
        "page without labels": lambda: page(folder, conversation_id, labels=False),
        "append": lambda: folder.add_message(conversation_id, _message(0, 100).model_copy(update={"message_id": "x"})),
    }
    seconds = _timed(works[command])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def appends(root: Path, count: int) -> None:
    """Throughput of appends that are on disk when they return, beside the bare system calls."""
    folder = Folder(root)
    folder.create("appends")
    times = [_timed(lambda n=n: folder.add_message("appends", _message(n, 3000))) for n in range(count)]  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    fd = os.open(root / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    line = encode(message_record(_message(0, 3000), None))

    def bare() -> None:
        os.write(fd, line)
        os.fsync(fd)

    floor = [_timed(bare) for _ in range(count)]
    os.close(fd)
    for name, sample in (("append of 3 KB, fsynced", times), ("bare write + fsync", floor)):
        p99 = statistics.quantiles(sample, n=100)[98]
        p50 = statistics.median(sample)
        print(f"{name:32} {count / sum(sample):8.0f}/s   p50 {p50 * 1e3:6.2f} ms   p99 {p99 * 1e3:6.2f} ms")


def sizes(root: Path, largest: int) -> Iterator[tuple[str, str]]:
    """The conversations to open: (what it is, its id)."""
    folder = Folder(root)
    for count in (1_000, 10_000, largest):
        generate(folder, f"n{count}", count, 300)
        yield f"{count:,} messages", f"n{count}"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--appends", type=int, default=300)
    parser.add_argument("--do", nargs=3, metavar=("WHAT", "ROOT", "ID"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        command, where, conversation_id = options.do
        do(command, Path(where), conversation_id)
        return
    with tempfile.TemporaryDirectory(prefix="bench-store-") as where:
        root = Path(where)
        appends(root, options.appends)
        opened = [*sizes(root, options.messages)]
        huge = int(options.gigabytes * 1e9 / 20_000)
        generate(Folder(root), "huge", huge, 20_000)
        opened.append((f"{options.gigabytes:g} GB", "huge"))
        nothing = in_process("nothing", root, "")
        print(f"{'a process that does nothing':32} {'':14} peak {nothing['peak']:5.0f} MB")
        for name, conversation_id in opened:
            commands = ["page", "page without labels", "append"] + (["load"] if conversation_id != "huge" else [])
            for command in commands:
                runs = [in_process(command, root, conversation_id) for _ in range(3)]
                seconds = statistics.median(run["seconds"] for run in runs)
                peak = max(run["peak"] for run in runs)
                print(f"{name + ': ' + command:36} {seconds * 1e3:8.1f} ms   peak {peak:5.0f} MB")
        started = time.perf_counter()
        argv = [sys.executable, "-m", "tests.unit.store_writer", "kills", str(root / "kills"), str(options.kills), "1"]
        report = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
        told, lost = report["acknowledged"], len(report["lost"])
        print(
            f"{options.kills} kill -9: {told} messages acknowledged, {lost} lost, {time.perf_counter() - started:.1f} s"
        )


if __name__ == "__main__":
    main()
