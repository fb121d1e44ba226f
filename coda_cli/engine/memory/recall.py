"""Which memories matter for a question: words (BM25) and, where installed, meaning, then time, use, place and weight.

BM25 and the nearest vectors name the candidates. How much each matters is a sum of how much of the question it covers,
how rare its words are, how near it is, and whether the question is about the person at all; below 0 it is left out, so
that a question that has nothing to do with any memory recalls none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.memory.index import MemoryIndex
from coda_cli.engine.memory.record import Memory
from coda_cli.engine.memory.subjects import subject_asked, subject_of
from coda_cli.engine.memory.times import Days, days_in, speaks_of_the_past
from coda_cli.engine.memory.vectors import Vectors
from coda_cli.engine.memory.words import folded, terms

CANDIDATES: Final = 40
MOST_TERMS: Final = 24
MOST_CHARACTERS: Final = 2000
"""Of a question that are looked at: a pasted file is no question."""
MOST: Final = 8
"""Memories that are recalled anew for one question."""
HALF_LIFE: Final = 180.0
"""Days after which what is not used has lost half of what its freshness adds."""
_BY_TIME: Final = 4.0
"""How far below 0 a memory may be that is of the very days that the question names."""

_NEARBY: Final = 3.0
"""How far below 0 a note of the very folder may be."""


class Scale(Struct, frozen=True):
    """The numbers of the ranking: how much a memory matters is their sum, above 0 it is recalled.

    `covered`: the share of the question (by IDF) that its words cover; `rarest`: how rare the rarest of them is;
    `near`: the cosine; `personal`: the question speaks of the person. Set on one half of the published questions.
    """

    bias: float
    covered: float
    rarest: float
    near: float
    personal: float
    personal_covered: float
    personal_near: float
    gap: float
    """How much less than the best one a memory may matter."""


WORDS: Final = Scale(-8.1, 4.6, 6.2, 0.0, 1.2, 4.1, 0.0, 2.5)
MEANING: Final = Scale(-7.3, 5.9, 2.9, 4.7, 0.9, 2.5, -1.0, 2.8)
_PERSONAL: Final = re.compile(
    r"\b(?:i|i'm|i've|me|my|mine|we|us|our|ours|ich|mein\w*|mir|mich|wir|unser\w*|je|j'|mon|ma|mes|moi|nous|notre|nos"
    r"|yo|mi|mis|nosotros|nuestr\w+)\b"
)
_ASIDE: Final = re.compile(
    r"\bhow (?:do|can|could|would|should|might) (?:i|we)\b|\b(?:tell|give|show|help|explain(?: to)?|teach"
    r"|let) (?:me|us)\b"
)
"""Where "I" is anybody."""


class Found(Struct, frozen=True):
    """A memory, how much it matters (above 0), and by what they are ordered."""

    memory: Memory
    relevance: float
    rank: float


def recalled(
    index: MemoryIndex, vectors: Vectors | None, situation: Situation, limit: int = MOST, scale: Scale | None = None
) -> list[Found]:
    """The memories that matter for the question of *situation*, the best first. Raises MemoryStoreError."""
    scale = scale or (WORDS if vectors is None else MEANING)
    question = situation.question[:MOST_CHARACTERS]
    today = _day(situation.day)
    days = days_in(question, today) if today is not None else None
    past = speaks_of_the_past(question)
    of_days = _talked_about(index, question, days) or _about_the_person(index, question)
    features = features_of(index, vectors, question, also=of_days, ended=past)
    subject = subject_asked(question)
    least = -_BY_TIME if days or subject else -_NEARBY if situation.folder is not None else 0.0
    values = {key: value for key, one in features.items() if (value := _value(scale, one)) > least or key in of_days}
    found: list[Found] = []
    asked_for: set[str] = set()  # what states the very subject: the echo of an earlier question does not outweigh it
    for key, memory in index.at(tuple(values)).items():
        in_time, meant = _in_days(memory, days), subject is not None and subject_of(memory.text) == subject
        near_by = _NEARBY if memory.kind == "note" and _here(memory, situation.folder) else 0.0
        if (
            (values[key] + near_by > 0 or in_time or meant or key in of_days)
            and (memory.holds or past)
            and _belongs(memory, situation)
        ):
            rank = values[key] + _more(memory, situation, today, past) + _BY_TIME * meant
            rank += 0 if days is None else in_time - 0.5
            found.append(Found(memory, values[key], rank))
            asked_for |= {memory.id} if meant or key in of_days else set()
    best = max((one.rank for one in found), default=0.0)
    found = [one for one in found if one.rank >= best - scale.gap or one.memory.id in asked_for]
    return sorted(found, key=lambda one: (-one.rank, one.memory.id))[:limit]


_TALKED: Final = re.compile(
    r"\b(?:discuss|talk|sp[oe]ke?|chat|conversation|decid|decision|conclu|agree|work(?:ed|ing)? on|figure|plan|ask"
    r"|debug|look(?:ed|ing)? (?:at|into)|(?:went|going) over|help(?:ed)? me|besproch|gesproch|gered|gefragt|discut|parl"
    r"|demand|entsch(?:ie|ei)d|habl|pregunt)\w*"
)
_ABOUT_ME: Final = re.compile(
    r"\b(?:what|all|everything|anything|something|stuff)\b.{0,20}\byou(?:'ve)? (?:know|remember|learned|have)\b"
    r".{0,20}\b(?:about|of) me\b|\btell me about (?:me|myself)\b|^who am i\b|\bwas weisst du (?:alles )?uber"
    r" mich\b|\bwer bin ich\b|\bque sais-tu (?:de|sur) moi\b|\bqui suis-je\b|\bque sabes (?:de|sobre) mi\b"
    r"|\bquien soy\b"
)


def _about_the_person(index: MemoryIndex, question: str) -> Collection[int]:
    """The newest facts, where *question* asks for all that is known of the person."""
    return index.newest("fact", MOST) if _ABOUT_ME.search(folded(question)) is not None else ()


_MOST_OF_DAYS: Final = 5


def _talked_about(index: MemoryIndex, question: str, days: Days | None) -> Collection[int]:
    """The gists of *days*, where *question* asks what was talked about then: it may name nothing else of it."""
    if days is None or _TALKED.search(folded(question)) is None:
        return ()
    return index.gists_between(days[0].isoformat(), days[1].isoformat(), _MOST_OF_DAYS)


Features = tuple[float, float, float, float]
"""Of a memory and a question: covered, rarest, near, personal."""


def features_of(
    index: MemoryIndex, vectors: Vectors | None, question: str, *, also: Collection[int] = (), ended: bool = False
) -> dict[int, Features]:
    """What is known of every memory that may matter, and of those at *also*, by its place. Raises MemoryStoreError."""
    looked_for = terms(question)[:MOST_TERMS]
    if not looked_for and not also:
        return {}
    hits = index.search(looked_for, CANDIDATES, ended=ended)
    near = vectors.nearest(question, CANDIDATES, {*hits.covered, *also}) if vectors is not None else {}
    personal = float(_PERSONAL.search(_ASIDE.sub(" ", folded(question))) is not None)
    return {
        key: (hits.covered.get(key, 0.0), hits.rarest.get(key, 0.0), near.get(key, 0.0), personal)
        for key in {*hits.covered, *near, *also}
    }


def _value(scale: Scale, features: Features) -> float:
    covered, rarest, near, personal = features
    said = scale.covered * covered + scale.rarest * rarest + scale.near * near
    own = scale.personal + scale.personal_covered * covered + scale.personal_near * near
    return scale.bias + said + personal * own


def _in_days(memory: Memory, days: Days | None) -> bool:
    made = _day(memory.created) if days is not None else None
    return days is not None and made is not None and days[0] <= made <= days[1]


def _more(memory: Memory, situation: Situation, today: date | None, past: bool) -> float:
    """How much more *memory* matters by its weight, use, age and place than its relevance says."""
    more = 0.4 * memory.importance + 0.05 * min(5.0, math.log1p(memory.uses))
    made = _day(memory.created)
    if today is not None and made is not None:
        last = max(made, _day(memory.last_used) or made)
        more += 0.3 * 0.5 ** (max(0, (today - last).days) / HALF_LIFE)
    if memory.folder and _here(memory, situation.folder):
        more += 0.3
    return more + (1.5 if past and not memory.holds else 0.0)


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
