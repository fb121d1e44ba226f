"""Which memories matter for a question: words (BM25) and, where installed, meaning, then time, use, place and weight.

Every memory that shares a telling word with the question, or is near it in meaning, gets a relevance from 0 to 1:
how much of what the question says it covers (by IDF), and how near it is. Those below a threshold are left out, so that
a question that has nothing to do with any memory recalls none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.memory.index import Hits, MemoryIndex
from coda_cli.engine.memory.record import Memory
from coda_cli.engine.memory.times import Days, days_in, speaks_of_the_past
from coda_cli.engine.memory.vectors import Vectors
from coda_cli.engine.memory.words import terms

CANDIDATES: Final = 60
MOST_TERMS: Final = 24
MOST_CHARACTERS: Final = 2000
"""Of a question that are looked at: a pasted file is no question."""
MOST: Final = 8
"""Memories that are recalled anew for one question."""
HALF_LIFE: Final = 180.0
"""Days after which what is not used weighs half as much (in the small part that time decides)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The numbers of the ranking. Set on one half of the published questions, checked on the other."""

    cover: float = 1.0
    words_alone: float = 0.42
    """What a memory must cover of the question where words alone decide."""
    meaning: float = 0.9
    together: float = 0.50
    """What words and meaning must reach together."""
    near: float = 0.25
    """The cosine from which on meaning counts at all."""


SCALE: Final = Scale()


@dataclass(frozen=True, slots=True)
class Found:
    """A memory and how much it matters."""

    memory: Memory
    relevance: float
    rank: float


def recalled(
    index: MemoryIndex, vectors: Vectors | None, situation: Situation, limit: int = MOST, scale: Scale = SCALE
) -> list[Found]:
    """The memories that matter for the question of *situation*, the best first. Raises MemoryStoreError."""
    question = situation.question[:MOST_CHARACTERS]
    looked_for = terms(question)[:MOST_TERMS]
    today = _day(situation.day)
    days = days_in(question, today) if today is not None else None
    past = speaks_of_the_past(question)
    hits = index.search(looked_for, CANDIDATES, ended=past)
    near = vectors.nearest(question, CANDIDATES) if vectors is not None and looked_for else {}
    relevance = _relevances(index, hits, near, scale, with_meaning=vectors is not None)
    least = scale.together if vectors is not None else scale.words_alone
    found = [
        Found(memory, value, value * _weight(memory, situation, today, days, past))
        for memory, value in relevance.values()
        if (value >= least or _asked_by_time(memory, value, days, least))
        and (memory.holds or past)
        and _belongs(memory, situation)
    ]
    return sorted(found, key=lambda one: (-one.rank, one.memory.id))[:limit]


def _relevances(
    index: MemoryIndex, hits: Hits, near: Mapping[int, float], scale: Scale, *, with_meaning: bool
) -> dict[str, tuple[Memory, float]]:
    whole = sum(hits.weights.values()) or 1.0
    words = {hit.memory.id: (hit.memory, sum(hits.weights[one] for one in hit.matched) / whole) for hit in hits.hits}
    if not with_meaning:
        return words
    meaning = {memory.id: (memory, near[key]) for key, memory in index.at(tuple(near)).items()}
    out: dict[str, tuple[Memory, float]] = {}
    for identifier in words.keys() | meaning.keys():
        memory = (words.get(identifier) or meaning[identifier])[0]
        covered = words[identifier][1] if identifier in words else 0.0
        close = meaning[identifier][1] if identifier in meaning else 0.0
        close = max(0.0, close) if close >= scale.near else 0.0
        out[identifier] = (memory, scale.cover * covered + scale.meaning * close)
    return out


def _weight(memory: Memory, situation: Situation, today: date | None, days: Days | None, past: bool) -> float:
    """How much more or less *memory* matters than its relevance says; 1 is as much."""
    weight = 0.9 + 0.2 * memory.importance + 0.02 * min(5.0, math.log1p(memory.uses))
    made = _day(memory.created)
    if today is not None and made is not None:
        last = max(made, _day(memory.last_used) or made)
        weight += 0.08 * 0.5 ** (max(0, (today - last).days) / HALF_LIFE)
    if days is not None and made is not None:
        weight *= 1.5 if days[0] <= made <= days[1] else 0.75
    if memory.folder and _here(memory, situation.folder):
        weight += 0.15
    if not memory.holds:
        weight *= 0.95 if past else 0.5
    return weight


def _asked_by_time(memory: Memory, relevance: float, days: Days | None, least: float) -> bool:
    """Whether the day speaks for a memory whose words alone would not."""
    made = _day(memory.created) if days is not None else None
    return days is not None and made is not None and days[0] <= made <= days[1] and relevance >= 0.6 * least


def _belongs(memory: Memory, situation: Situation) -> bool:
    """A note of another folder is nobody's business here; nor is the gist of the very conversation that goes on."""
    if memory.folder and not _here(memory, situation.folder):
        return False
    return not (memory.kind == "gist" and memory.conversation and memory.conversation == situation.conversation_id)


def _here(memory: Memory, folder: Path | None) -> bool:
    """Whether *memory* is bound to *folder* or one above it."""
    return folder is not None and folder.is_relative_to(memory.folder)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
