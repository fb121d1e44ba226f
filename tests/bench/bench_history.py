"""The conversation store and its index at 0, 1,000, 10,000 (and with --large 100,000) conversations.

    python -m tests.bench.bench_history [--messages 10] [--runs 5] [--large]

Every figure is of a fresh process that does one thing: the medians of the wall and CPU time that the call itself took
(with opening the index; without the interpreter's start and the imports), and the process's peak memory. `append` is
one answer with the index told of it, `append, no index` the same without, so that the difference is the index's.
Compare the lines of one run with each other: what must be flat in the number of conversations is flat there or is not.
Nothing is asserted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from coda_cli.engine.conversations.index import Index
from coda_cli.engine.conversations.journal import Record, encode
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.messages import assistant, user

_SCALE = 1 if sys.platform == "darwin" else 1024
_BIG = "big"


def _words() -> list[str]:
    rng = random.Random(1)
    return ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 10))) for _ in range(20_000)]


def _records(name: str, messages: int, words: list[str], rng: random.Random) -> Iterator[Record]:
    start = 1.7e9 + rng.random() * 5e7
    yield {"type": "conversation", "schema": 1, "id": name, "title": "", "time": start, "seq": 0, "head": None}
    parent = None
    for number in range(messages):
        # common words are much more common, and one text in four hundred has the one that is looked for
        text = " ".join(words[min(19_999, int(rng.expovariate(1 / 2500)))] for _ in range(rng.randint(5, 110)))
        text += " everywhere"
        text += " needle" if rng.random() < 1 / 400 else ""
        said = number % 2
        yield {
            "type": "message",
            "id": f"msg-{name}-{number:06}",
            "parent": parent,
            "role": ("user", "assistant")[said],
            "parts": [{"type": "text", "text": text}],
            "time": start + number,
            "status": "complete",
            **({"provider": "openai", "model": "m", "usage": {"input_tokens": 9, "output_tokens": 90}} if said else {}),
            "seq": number + 1,
            "head": f"msg-{name}-{number:06}",
        }
        parent = f"msg-{name}-{number:06}"


def _fill(root: Path, count: int, messages: int, name: str = "chat") -> None:
    folder = Folder(root)
    folder.conversations.mkdir(parents=True, exist_ok=True)
    words, rng = _words(), random.Random(2)
    for number in range(count):
        one = f"{name}-{number}" if count > 1 else name
        file = folder.own_file(one)
        with file.open("wb") as opened:
            opened.writelines(encode(record) for record in _records(one, messages, words, rng))


def _index(root: Path) -> Index:
    return Index(root / "conversations", root / "blobs", root / "cache" / "index.sqlite3")


def _call(what: str, root: Path) -> Callable[[], object]:
    """What is measured, ready to be called."""
    index = _index(root)
    folder = Folder(root, index)
    common = _words()[0]
    match what:
        case "rebuild":
            return index.rebuild
        case "list":
            return index.list
        case "search, rare word":
            return lambda: index.search("needle")
        case "search, common word":
            return lambda: index.search(common)
        case "search, two words":
            return lambda: index.search(f"{common} needle")
        case "search, a word of every text":
            return lambda: index.search("everywhere")
        case "search, two letters":
            return lambda: index.search("et")
        case "totals":
            return index.totals
        case "append":
            return lambda: folder.add_message("chat-0", assistant("an answer"))
        case "append, no index":
            return lambda: Folder(root).add_message("chat-0", assistant("an answer"))
        case "append, big":
            return lambda: folder.add_message(_BIG, assistant("an answer"))
        case "append, big, no index":
            return lambda: Folder(root).add_message(_BIG, assistant("an answer"))
        case "get, big, after an append":
            Folder(root).add_message(_BIG, assistant("another answer"))
            return lambda: index.get(_BIG)
        case "list after an append":
            subprocess.run([sys.executable, "-m", __spec__.name, "--do", "quiet append", str(root)], check=True)
            return index.list
        case "list after a new chat":
            Folder(root, index).create(f"new-{os.getpid()}")
            return _index(root).list
        case "quiet append":
            folder.index = None
            index.dirty(folder.own_file("chat-0"))  # and dies before it tells what it wrote
            return lambda: folder.add_message("chat-0", user("a question"))
        case _:
            raise SystemExit(f"no such measurement: {what}")


def _do(what: str, root: Path) -> None:
    for module in ("index_access", "index_reads", "index_query"):  # which the first call loads
        importlib.import_module(f"coda_cli.engine.conversations.{module}")
    call = _call(what, root)
    started, worked = time.perf_counter(), time.process_time()
    call()
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _SCALE / 1e6
    print(json.dumps([seconds, cpu, peak]))


def _measure(what: str, root: Path, runs: int) -> str:
    samples: list[list[float]] = []
    for _ in range(runs):
        command = [sys.executable, "-m", __spec__.name, "--do", what, str(root)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        samples.append(json.loads(out.splitlines()[-1]))
    seconds = statistics.median(sample[0] for sample in samples)
    cpu = statistics.median(sample[1] for sample in samples)
    peak = max(sample[2] for sample in samples)
    return f"{what:30} {seconds * 1e3:10.1f} ms {cpu * 1e3:10.1f} ms {peak:8.0f} MB"


_EMPTY = ("rebuild", "list", "search, rare word", "totals")
_FULL = (
    *(
        "list",
        "search, rare word",
        "search, common word",
        "search, two words",
        "search, a word of every text",
        "search, two letters",
        "totals",
    ),
    *("append, no index", "append", "list after an append", "list after a new chat"),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="100,000 conversations too")
    parser.add_argument("--do", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.do:
        _do(asked.do[0], Path(asked.do[1]))
        return
    print(f"{'':30} {'wall':>13} {'CPU':>13} {'peak':>11}")
    for count in (0, 1_000, 10_000, *([100_000] if asked.large else [])):
        with tempfile.TemporaryDirectory() as root:
            _fill(Path(root), count, asked.messages)
            print(f"\n{count:,} conversations of {asked.messages} messages")
            if count:
                print(_measure("rebuild", Path(root), 1))
            for what in _FULL if count else _EMPTY:
                print(_measure(what, Path(root), asked.runs), flush=True)
            size = sum(file.stat().st_size for file in (Path(root) / "conversations").iterdir()) if count else 0
            kept = (Path(root) / "cache" / "index.sqlite3").stat().st_size
            print(f"{'journals, index':30} {size / 1e6:10.1f} MB {kept / 1e6:10.1f} MB", flush=True)
    with tempfile.TemporaryDirectory() as root:
        _fill(Path(root), 1, 100_000, _BIG)
        print("\none conversation of 100,000 messages")
        print(_measure("rebuild", Path(root), 1))
        for what in ("append, big, no index", "append, big", "get, big, after an append", "search, rare word"):
            print(_measure(what, Path(root), asked.runs), flush=True)


if __name__ == "__main__":
    main()
