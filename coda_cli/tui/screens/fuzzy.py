"""Narrowing a list by some letters of what is wanted, quickly enough that no key waits for ten thousand options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.chat.fuzzy import match

_IN_NAME: Final = 1000.0


class Matcher:
    """What was typed, ready to be held against many texts. All words must fit, in any order."""

    def __init__(self, typed: str) -> None:
        self._words = typed.split()[:8]

    def score(self, text: str) -> float | None:
        """How well *text* fits, None where it does not."""
        total = 0.0
        for word in self._words:
            fit = match(word, text)
            if fit is None:
                return None
            total += fit.score
        return total

    def places(self, text: str) -> list[int]:
        """The places of the characters of *text* that are meant, ascending."""
        fits = (match(word, text) for word in self._words)
        return sorted({place for fit in fits if fit is not None for place in fit.places})


class Haystack:
    """Names to search, each with more words that may be meant; more can be added.

    A fit in the name itself comes before one in its other words. A longer query looks only at what fitted before.
    """

    def __init__(self) -> None:
        self._texts: list[tuple[str, str]] = []
        self._before: tuple[str, list[int]] = ("", [])

    def add(self, texts: Sequence[tuple[str, str]]) -> None:
        """More names with their other words, at the end."""
        self._texts += [(name.lower(), f"{name} {more}".lower() if more else "") for name, more in texts]
        self._before = ("", [])

    def find(self, typed: str) -> list[int]:
        """The indexes of the names that fit, best first; all of them, in their order, where nothing was typed."""
        if not typed.strip():
            return list(range(len(self._texts)))
        matcher = Matcher(typed)
        query, among = self._before
        narrowed = bool(query) and typed.startswith(query) and not query[-1].isspace()
        found: list[tuple[float, int]] = []
        for index in among if narrowed else range(len(self._texts)):
            name, all_words = self._texts[index]
            score = matcher.score(name)
            if score is not None:
                found.append((-score - _IN_NAME, index))
            elif all_words and (score := matcher.score(all_words)) is not None:
                found.append((-score, index))
        self._before = (typed, [index for _, index in found])
        found.sort()  # equal ones stay in the order in which they were given
        return [index for _, index in found]
