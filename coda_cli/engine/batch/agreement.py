"""How much two answers to one question agree: word for word after normalisation, and by the words they share."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from typing import Final

_MARKUP: Final = re.compile(r"[*_`#>~]+")
_SPACE: Final = re.compile(r"\s+")
_WORD: Final = re.compile(r"\w+")
_ENDS: Final = " .,;:!?\"'()[]"


def normalised(text: str) -> str:
    """*text* without what does not change what it says: case, spaces, Markdown's marks, punctuation at its ends.

    JSON becomes the same for the same value.
    """
    try:
        return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        pass
    plain = _MARKUP.sub("", unicodedata.normalize("NFKC", text)).casefold()
    return _SPACE.sub(" ", plain).strip(_ENDS)


def same(one: str, other: str) -> bool:
    """Whether both say the same, word for word."""
    return normalised(one) == normalised(other)


def overlap(one: str, other: str) -> float:
    """The words that both share, from 0 to 1: F1 over the two bags of words (Rajpurkar et al., SQuAD, 2016)."""
    words, others = Counter(_WORD.findall(normalised(one))), Counter(_WORD.findall(normalised(other)))
    total = words.total() + others.total()
    if not total:
        return 1.0
    return 2 * (words & others).total() / total
