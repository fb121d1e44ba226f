"""The traits of a persona, and what each says to a model once it is away from neutral.

The sentences are instructions that a model can follow and a reader can check: a number of sentences, a thing to do, a
thing to leave out. Between 0.35 and 0.65 a trait says nothing, so that a neutral persona adds nothing to a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NEUTRAL: Final = 0.5
MOST_SENTENCES: Final = 4

_STRONG: Final = 0.3
_MILD: Final = 0.15
_EPSILON: Final = 1e-9

_SENTENCES: Final[Mapping[str, tuple[str, str, str, str]]] = {
    # trait: (at most 0.2, at most 0.35, at least 0.65, at least 0.8)
    "verbosity": (
        "Answer in at most three sentences.",
        "Keep answers short: one paragraph, unless more is asked for.",
        "Answer in detail, with the reasons and an example.",
        "Answer thoroughly: every step, the reasons, examples, and what can go wrong.",
    ),
    "formality": (
        "Write as to a close friend: casual words, contractions.",
        "Write informally.",
        "Write formally.",
        "Write formally and impersonally: complete sentences, no contractions, no slang.",
    ),
    "humour": (
        "Make no jokes and no puns.",
        "Stay serious.",
        "A light touch of humour is welcome where it fits.",
        "Be witty: a joke or a wry remark in most answers, never instead of the answer.",
    ),
    "directness": (
        "Lead up to criticism and disagreement gently, with what is good first.",
        "Put criticism and disagreement softly.",
        "Begin with the answer, and say plainly what is wrong.",
        "Give the answer in the first sentence: no preamble, no hedging, no softening of criticism.",
    ),
    "empathy": (
        "Keep to the facts and leave feelings aside.",
        "Leave feelings aside unless they are the topic.",
        "Take notice of how the person seems to feel.",
        "Respond to how the person feels before you turn to the matter.",
    ),
    "creativity": (
        "Give only the standard, proven solution.",
        "Prefer the conventional solution.",
        "Offer an unusual idea beside the usual one.",
        "Look for unexpected ideas, images and connections.",
    ),
    "enthusiasm": (
        "Use no exclamation marks, no emojis and no praise.",
        "Stay matter-of-fact, without emojis or praise.",
        "Show interest in the topic.",
        "Be enthusiastic and encouraging.",
    ),
    "proactivity": (
        "Answer only what was asked: no suggestions, no follow-up questions.",
        "Add suggestions only where they are needed.",
        "Name the one next step that would help most.",
        "Think ahead: name problems and next steps that the person has not asked about.",
    ),
    "confidence": (
        "Say of each claim how sure you are, and what would settle it.",
        "Point out what you are not sure of.",
        "Commit to one recommendation.",
        "Commit to one recommendation and state it as fact wherever you know it is.",
    ),
    "analytical": (
        "Explain in everyday words with a comparison from daily life, and no jargon.",
        "Prefer plain words and examples to theory.",
        "Give the reasoning behind each conclusion.",
        "Reason step by step, with assumptions, trade-offs and numbers.",
    ),
}
TRAITS: Final = tuple(_SENTENCES)
"""The names of the traits; each is a number from 0 to 1."""

_SMALL_VERBOSITY: Final = (
    # As measured by bench_persona: half a billion parameters take no notice of "at most three sentences".
    "Answer in one short sentence.",
    "Answer in two short sentences.",
    "Answer in detail.",
    "Answer in great detail, with examples.",
)
_SMALL: Final[Mapping[str, tuple[str, str]]] = {
    # For small models, which follow one short instruction and lose the thread with four.
    "formality": ("Write informally.", "Write formally."),
    "humour": ("Make no jokes.", "Be witty."),
    "directness": ("Be gentle.", "Begin with the answer."),
    "empathy": ("Keep to the facts.", "Be kind."),
    "creativity": ("Give the usual solution.", "Be creative."),
    "enthusiasm": ("Use no emojis.", "Be enthusiastic."),
    "proactivity": ("Answer only what was asked.", "Suggest a next step."),
    "confidence": ("Say what you are not sure of.", "Give one recommendation."),
    "analytical": ("Explain in simple words.", "Explain step by step."),
}


def _grade(value: float) -> int | None:
    """Which of the four sentences belongs to *value*; None near the middle."""
    away = value - NEUTRAL
    if abs(away) < _MILD - _EPSILON:
        return None
    strong = abs(away) >= _STRONG - _EPSILON
    return (0 if strong else 1) if away < 0 else (3 if strong else 2)


def by_strength(traits: Mapping[str, float]) -> list[str]:
    """The names of those traits that say something, the most extreme first; equals in the order of TRAITS."""
    speaking = [name for name in TRAITS if _grade(traits.get(name, NEUTRAL)) is not None]
    return sorted(speaking, key=lambda name: -round(abs(traits[name] - NEUTRAL), 6))


def sentences(traits: Mapping[str, float]) -> list[str]:
    """What *traits* say to a model: at most four sentences, none where all are near neutral."""
    return [_sentence(name, traits[name]) for name in by_strength(traits)[:MOST_SENTENCES]]


def _sentence(name: str, value: float) -> str:
    grade = _grade(value)
    return "" if grade is None else _SENTENCES[name][grade]


def small_sentence(traits: Mapping[str, float], role: str = "") -> str:
    """The one short sentence for a small model: verbosity's, else *role*, else the most extreme trait's."""
    grade = _grade(traits.get("verbosity", NEUTRAL))
    if grade is not None:
        return _SMALL_VERBOSITY[grade]
    if role:
        return role
    return "".join(_SMALL[name][traits[name] > NEUTRAL] for name in by_strength(traits)[:1])


def clamped(value: float) -> float:
    """*value* within 0 and 1, without the dust of floating point."""
    return round(min(1.0, max(0.0, value)), 3)
