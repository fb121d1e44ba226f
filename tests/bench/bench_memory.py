"""How well memory recalls, and what that costs: `python -m tests.bench.bench_memory`.

One table a set: BM25 alone, words and meaning (the extra `semantic`), and a naive "last ten". The first set is the one
that the rules were written with; the others say what is to be expected. Then the time of a turn with 10,000 memories.
Recall@5: how much of what belongs to a question is among the first five. Precision: how much of what is recalled
belongs. False recalls: how many questions that nothing belongs to recall something.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.memory.record import Kind
from coda_cli.engine.memory.vectors import installed
from tests.bench.memory_set_judith import JUDITH
from tests.bench.memory_set_odile import ODILE
from tests.bench.memory_set_tamsin import TAMSIN
from tests.bench.memory_sets import KINDS, TODAY, Asked, MemorySet

Recall = Callable[[Asked], Awaitable[Sequence[str]]]
FIRST = 5
SETS = (JUDITH, TAMSIN, ODILE)


@dataclass(frozen=True, slots=True)
class Score:
    """What came of a set of questions."""

    recall: float
    precision: float
    false_recalls: float
    missed: tuple[str, ...]


class _Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


async def filled(home: Path, told_by: MemorySet, *, semantic: bool) -> tuple[MemoryManager, dict[str, str]]:
    """A memory of one of the sets, told day by day; id -> key."""
    clock = _Clock()
    memory = MemoryManager(home / "memory.jsonl", cache=home, semantic=semantic, clock=clock)
    keys: dict[str, str] = {}
    for told in told_by.memories():
        clock.now = datetime(told.day.year, told.day.month, told.day.day, 12, tzinfo=UTC)
        kind: Kind = "gist" if told.gist else "note" if told.folder else "fact"
        done = await memory.add(told.text, kind, folder=told.folder, conversation=told.key if told.gist else "")
        keys[done.memory_id] = told.key
    clock.now = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
    return memory, keys


async def scored(recall: Recall, asked: Sequence[Asked]) -> Score:
    """How *recall* (question -> keys, the best first) does."""
    shares, right, given, alarms, missed = [], 0, 0, [], []
    for one in asked:
        found = (await recall(one))[:FIRST]
        if not one.keys:
            alarms.append(bool(found))
            missed += [f"{one.question} -> {found}"] if found else []
            continue
        share = len(set(found) & set(one.keys)) / len(one.keys)
        shares.append(share)
        right, given = right + len(set(found) & set(one.keys)), given + len(found)
        missed += [f"{one.question} ({' '.join(one.keys)}) -> {found}"] if share < 1 else []
    return Score(
        statistics.mean(shares) if shares else 1.0,
        right / given if given else 1.0,
        statistics.mean(alarms) if alarms else 0.0,
        tuple(missed),
    )


def recaller(memory: MemoryManager, keys: dict[str, str]) -> Recall:
    """As an answer asks for it."""

    async def recall(asked: Asked) -> Sequence[str]:
        notes = await memory.recall(Situation(asked.question, day=TODAY.isoformat(), folder=asked.folder), 10_000)
        return [keys[note.id] for note in notes]

    return recall


def last_ten(told_by: MemorySet) -> Recall:
    """The newest memories, whatever is asked."""
    newest = [told.key for told in reversed(told_by.memories()[-10:])]

    async def recall(_: Asked) -> Sequence[str]:
        return newest

    return recall


async def ten_thousand(home: Path, *, semantic: bool) -> tuple[float, float]:
    """Milliseconds of a recall with 10,000 memories: the median and the 95th percentile of warm ones."""
    nouns = [word for told in JUDITH.memories() for word in told.text.split() if len(word) > 4]
    path = home / "memory.jsonl"
    lines = []
    for number in range(10_000):
        words = [nouns[(number * step + step * step) % len(nouns)] for step in (1, 7, 31, 101, 307, 911)]
        lines.append(f'{{"id": "m{number}", "kind": "fact", "text": "{" ".join(words)} {number}"}}'.replace("\\", ""))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    memory = MemoryManager(path, cache=home, semantic=semantic)
    await memory.recall(Situation("first", day=TODAY.isoformat()), 500)
    spans = []
    for asked in JUDITH.questions():
        begun = time.perf_counter()
        await memory.recall(Situation(asked.question, day=TODAY.isoformat()), 500)
        spans.append(1000 * (time.perf_counter() - begun))
    return statistics.median(spans), statistics.quantiles(spans, n=20)[-1]


async def table(told_by: MemorySet, *, verbose: bool) -> None:
    """Print what comes of one set."""
    asked = told_by.questions()
    sides = [("all", asked), *((kind, [one for one in asked if one.kind == kind]) for kind in KINDS)]
    print(f"{told_by.name}: {len(told_by.memories())} memories, {len(asked)} questions")
    print(f"{'':<18}{'questions':<12}{'recall@5':>9}{'precision':>11}{'false recalls':>15}")
    for name, semantic in (("BM25", False), ("BM25 + meaning", True), ("last ten", None)):
        if semantic and not installed():
            print(f"{name:<18}the extra `semantic` is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            recall = last_ten(told_by)
            if semantic is not None:
                recall = recaller(*await filled(Path(folder), told_by, semantic=semantic))
            for side, some in filter(lambda side: side[1], sides):
                score = await scored(recall, some)
                print(f"{name:<18}{side:<12}{score.recall:>9.3f}{score.precision:>11.3f}{score.false_recalls:>15.3f}")
                if verbose and side == "all" and semantic is not None and told_by is not ODILE:
                    print("\n".join(f"    {line}" for line in score.missed))


async def main(*, verbose: bool) -> None:
    """Print the tables."""
    for told_by in SETS:
        await table(told_by, verbose=verbose)
    for name, semantic in (("BM25", False), ("BM25 + meaning", True))[: 0 if "-q" in sys.argv else 2]:
        if not semantic or installed():
            with tempfile.TemporaryDirectory() as folder:
                median, late = await ten_thousand(Path(folder), semantic=bool(semantic))
                print(f"10,000 memories, {name}: median {median:.1f} ms, 95th percentile {late:.1f} ms a turn")


if __name__ == "__main__":
    asyncio.run(main(verbose="-v" in sys.argv))
