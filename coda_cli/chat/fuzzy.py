"""Which of many names a few typed letters mean: one matcher for completion lists and pickers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from msgspec import Struct

_T = TypeVar("_T")
_BREAKS: Final = " /\\-_.:@\"'([#"


class Match(Struct, frozen=True):
    """How well a name fits (more is better), and the places of its letters that were typed."""

    score: float
    places: tuple[int, ...] = ()


def match(query: str, name: str) -> Match | None:
    """How *name* fits *query*, whatever the case; None if a letter of it is missing or out of order.

    The letters in one piece beat scattered ones, the start of a word beats its middle, a short name a long one.
    """
    if not query:
        return Match(0.0)
    wanted, lower = _fold(query), _fold(name)
    start = _best_piece(wanted, lower)
    if start >= 0:
        score = 100.0 + (50.0 if start == 0 else 25.0 if lower[start - 1] in _BREAKS else 0.0)
        return Match(score - len(name) / 100.0, tuple(range(start, start + len(wanted))))
    places = _scattered(wanted, lower)
    if places is None:
        return None
    heads = sum(place == 0 or lower[place - 1] in _BREAKS for place in places)
    return Match(5.0 * heads - (places[-1] - places[0]) - len(name) / 100.0, places)


def best(query: str, things: Iterable[_T], name: Callable[[_T], str], limit: int) -> list[_T]:
    """The *limit* things whose names fit *query* best; equals stay in the order given."""
    found: list[tuple[float, int, _T]] = []
    for place, thing in enumerate(things):
        fit = match(query, name(thing))
        if fit is not None:
            found.append((-fit.score, place, thing))
    found.sort(key=lambda entry: entry[:2])
    return [thing for _, _, thing in found[:limit]]


def _fold(text: str) -> str:
    """Lower case with every letter at its old place (there are letters whose lower case is two)."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(letter.lower()[:1] for letter in text)


def _best_piece(wanted: str, name: str) -> int:
    """Where *wanted* stands in one piece, at the start of a word if it can be; -1 if nowhere."""
    first = start = name.find(wanted)
    while start > 0:
        if name[start - 1] in _BREAKS:
            return start
        start = name.find(wanted, start + 1)
    return first if start < 0 else start


def _scattered(wanted: str, name: str) -> tuple[int, ...] | None:
    """The places of the letters of *wanted* in *name*, in order, as late as they can start."""
    end = -1
    for letter in wanted:
        end = name.find(letter, end + 1)
        if end < 0:
            return None
    places: list[int] = []
    place = end + 1
    for letter in reversed(wanted):
        place = name.rfind(letter, 0, place)
        places.append(place)
    return tuple(reversed(places))
