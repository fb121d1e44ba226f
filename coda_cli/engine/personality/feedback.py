"""What a person says about how Coda answers: "shorter please", "don't be so formal", "stop joking", "zu lang".

Only a sentence that is nothing but feedback counts. Every clause of it, without politeness and small words, must be a
set phrase (`phrases`) or a way of saying one (`wordings`): so a question about such a phrase, a quotation of it, and a
task that contains it ("write a shorter summary", "explain TCP, but keep it short") change nothing.
"""

from __future__ import annotations

from typing import Final

from coda_cli.engine.personality.clauses import asks_to_do, bare, clauses, one_noun, plain, sentences
from coda_cli.engine.personality.phrases import BY_NAME, WISH_OF, Wish
from coda_cli.engine.personality.wordings import Heard, Sense, heard

_LONGEST: Final = 14
"""Words of a sentence that may be feedback."""


def wishes(text: str) -> list[tuple[Wish, str]]:
    """The feedback in *text*, each kind once, in its order, with the words that it was told by."""
    found: dict[str, str] = {}
    for sentence in sentences(text):
        for wish, words in _in_sentence(sentence):
            found.setdefault(wish, words)
    return [(BY_NAME[name], words) for name, words in found.items()]


def _in_sentence(sentence: str) -> list[tuple[str, str]]:
    """The wishes that *sentence* consists of, with their words; none where any of its clauses is something else."""
    if len(sentence.split()) > _LONGEST:
        return []
    found: list[tuple[str, str]] = []
    asked = "?" not in sentence  # a question must be one to do something: "can you be shorter?"
    carried: Sense = ""
    # "TL;DR", "droit au but" and "hör auf, so förmlich zu sein" are no two clauses.
    for clause in [sentence] if _heard(plain(sentence), "") is not None else clauses(sentence):
        words = plain(clause)
        asked = asked or asks_to_do(words)
        told = _heard(words, carried)
        if told is None:
            if bare(words):
                return []
            continue
        one, said = told
        carried = one.sense
        found.append((one.wish, said))
    return found if asked else []


def _heard(words: str, carried: Sense) -> tuple[Heard, str] | None:
    """The wish in the clause of plain *words*, and the words that tell it."""
    core = bare(words)
    phrase = next((said for said in (words, core) if said in WISH_OF), None)
    told = heard(one_noun(core), carried) if core else None
    if phrase is not None:
        return Heard(WISH_OF[phrase], told.sense if told is not None else ""), phrase
    return None if told is None else (told, core)
