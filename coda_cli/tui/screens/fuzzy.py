"""Narrowing a list by some letters of what is wanted, quickly enough that no key waits for ten thousand options."""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.chat.fuzzy import match


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
    """Texts to search, lower-cased once; more can be added. A longer query looks only at what fitted before."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._before: tuple[str, list[int]] = ("", [])

    def add(self, texts: Sequence[str]) -> None:
        """More texts, at the end."""
        self._texts += [text.lower() for text in texts]
        self._before = ("", [])

    def replace(self, index: int, text: str) -> None:
        """Another text in place of one."""
        self._texts[index] = text.lower()
        self._before = ("", [])

    def find(self, typed: str) -> list[int]:
        """The indexes of the texts that fit, best first; all of them, in their order, where nothing was typed."""
        if not typed.strip():
            return list(range(len(self._texts)))
        matcher = Matcher(typed)
        query, among = self._before
        narrowed = bool(query) and typed.startswith(query) and not query[-1].isspace()
        texts = self._texts
        found: list[tuple[float, int]] = []
        for index in among if narrowed else range(len(texts)):
            score = matcher.score(texts[index])
            if score is not None:
                found.append((-score, index))
        self._before = (typed, [index for _, index in found])
        found.sort()  # equal ones stay in the order in which they were given
        return [index for _, index in found]
