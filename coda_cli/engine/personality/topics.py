"""What a message is about, told by its words alone: enough to lean a little, never enough to decide anything."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, Literal, get_args

Topic = Literal["technical", "creative", "personal", "professional", "urgent", "learning"]
TOPICS: Final[tuple[Topic, ...]] = get_args(Topic)

BOUND: Final = 0.1
"""What all topics together may move one trait, either way."""
STEP: Final = 0.05

LEANING: Final[Mapping[Topic, Mapping[str, float]]] = {
    "technical": {"analytical": STEP, "directness": STEP},
    "creative": {"creativity": STEP, "enthusiasm": STEP},
    "personal": {"empathy": STEP, "directness": -STEP},
    "professional": {"formality": STEP, "humour": -STEP},
    "urgent": {"verbosity": -STEP, "directness": STEP},
    "learning": {"verbosity": STEP, "empathy": STEP},
}
MOOD: Final[Mapping[str, str]] = {
    "technical": "focused",
    "creative": "playful",
    "personal": "warm",
    "professional": "businesslike",
    "urgent": "alert",
    "learning": "curious",
}
"""What a topic does to the mood."""

_MOST: Final = 4_000
_WORDS: Final[Mapping[Topic, str]] = {
    # A word that ends in * stands for all that begin so. Small letters, no accents.
    "technical": (
        "python javascript typescript rust java golang sql bash linux docker kubernetes git api http json regex bug "
        "bugs traceback stacktrace exception compile* compiler function functions class variable algorithm database "
        "server deploy* refactor* unittest async thread segfault npm pip css html code codebase debug* commit merge "
        "endpoint parser programm* funktion datenbank fehlermeldung logiciel fonction funcion codigo servidor"
    ),
    "creative": (
        "poem poems story stories novel lyrics song haiku sonnet character plot fiction metaphor rhyme brainstorm* "
        "slogan screenplay worldbuilding fairytale invent imagine gedicht geschichte marchen roman liedtext reim poeme "
        "histoire conte chanson poema cuento cancion novela"
    ),
    "personal": (
        "lonely sad anxious anxiety depressed heartbroken grief breakup divorce girlfriend boyfriend mother father "
        "mum mom dad feelings afraid worried ashamed overwhelmed crying friendship einsam traurig angst freundin "
        "freund mutter vater gefuhle triste peur amie maman papa miedo novia novio madre padre sentimientos"
    ),
    "professional": (
        "meeting client clients invoice contract colleague colleagues manager boss presentation stakeholder* quarterly "
        "salary resume cv recruiter business email proposal negotiate negotiation deadline kunde kunden rechnung "
        "vertrag kollege kollegin chef bewerbung besprechung facture contrat reunion entreprise cliente factura "
        "contrato empresa"
    ),
    "urgent": (
        "urgent urgently asap emergency immediately hurry quickly production outage dringend sofort notfall eilig "
        "schnell urgence vite immediatement urgente rapido inmediatamente emergencia"
    ),
    "learning": (
        "learn learning teach understand exam homework lesson tutorial beginner student study explain concept basics "
        "course lernen verstehen prufung hausaufgabe anfanger erklare grundlagen apprendre comprendre examen cours "
        "debutant explique aprender entender deberes principiante explica"
    ),
}
_ENOUGH: Final[Mapping[Topic, int]] = {
    "technical": 2, "creative": 1, "personal": 1, "professional": 2, "urgent": 1, "learning": 1,
}  # fmt: skip
_PATTERNS: Final = {
    topic: re.compile(r"\b(?:" + "|".join(word.replace("*", r"\w*") for word in words.split()) + r")\b")
    for topic, words in _WORDS.items()
}
_CODE: Final = re.compile(
    r"```|^[ \t]*(?:def |class |import |#include|SELECT )|\w\(\)|Traceback \(most recent", re.MULTILINE
)


def topic_of(text: str) -> Topic | None:
    """The topic of *text*, None where it is not plain. The first of TOPICS wins a tie, but urgency wins over all."""
    head = text[:_MOST]
    folded = unicodedata.normalize("NFKD", head.lower())
    plain = "".join(character for character in folded if not unicodedata.combining(character))
    counts = {topic: len(set(_PATTERNS[topic].findall(plain))) for topic in TOPICS}
    if _CODE.search(head):
        counts["technical"] += 2
    if counts["urgent"]:
        return "urgent"
    best = max(TOPICS, key=lambda topic: counts[topic] / _ENOUGH[topic])
    return best if counts[best] >= _ENOUGH[best] else None
