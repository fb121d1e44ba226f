"""What changes come to: topics lean a trait within their bounds, wishes move it in their order. Pure functions.

Wishes are reckoned without the topics. So what a wish has done follows from the persona's file and the wishes before it
alone, and once one of these is taken back it is reckoned anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from coda_cli.engine.personality.state import Change
from coda_cli.engine.personality.topics import BOUND
from coda_cli.engine.personality.traits import NEUTRAL, clamped

SMALLEST: Final = 0.005
"""A smaller change is none."""
_ALL_THE_WAY: Final = {-2.0: 0.1, 2.0: 0.9}


def traits_at(time: float, base: Mapping[str, float], changes: Iterable[Change]) -> dict[str, float]:
    """The traits of the file, *base*, with what is left of *changes* at *time*."""
    values = dict(base)
    for trait, lean in _leans(time, changes).items():
        values[trait] = clamped(values[trait] + max(-BOUND, min(BOUND, lean)))
    for change in changes:
        if change.kind == "feedback":
            values[change.trait] = clamped(values[change.trait] + change.now(time))
    return values


def _leans(time: float, changes: Iterable[Change]) -> dict[str, float]:
    leans: dict[str, float] = {}
    for change in changes:
        if change.kind == "topic":
            leans[change.trait] = leans.get(change.trait, 0.0) + change.now(time)
    return leans


def lean(time: float, changes: Iterable[Change], trait: str, cause: str, step: float) -> tuple[float, float]:
    """How far the topic of *cause* leans *trait* at *time*, and how far it does after a further *step*."""
    now = sum(one.now(time) for one in changes if (one.kind, one.trait, one.cause) == ("topic", trait, cause))
    return now, max(-BOUND, min(BOUND, now + step))


def wished(value: float, step: float) -> float:
    """What a wish for *step* changes a trait by that is at *value*."""
    goal = _ALL_THE_WAY.get(step)
    if goal is None:
        # Whoever complains is not told the opposite any more, however far the persona was on the other side.
        home = NEUTRAL - value
        change = min(step, home) if step < 0 else max(step, home)
    else:
        change = min(0.0, goal - value) if step < 0 else max(0.0, goal - value)
    return round(clamped(value + change) - value, 3)


def wish_delta(time: float, base: float, changes: Iterable[Change], trait: str, step: float) -> float:
    """What a wish for *step* at *time* changes *trait* by, after the wishes among *changes*."""
    return wished(_wishes_alone(time, base, [one for one in changes if one.trait == trait]), step)


def without(change: Change, changes: Sequence[Change], base: float) -> tuple[Change, ...]:
    """*changes* as they would be if *change* had not been made: the wishes after it are reckoned anew.

    *base*: its trait in the file.
    """
    left: list[Change] = []
    later = False
    for one in changes:
        if one == change:
            later = True
            continue
        if later and one.kind == change.kind == "feedback" and one.trait == change.trait and one.step is not None:
            one = replace(one, delta=wish_delta(one.time, base, left, one.trait, one.step))
        left.append(one)
    return tuple(left)


def _wishes_alone(time: float, base: float, changes: Iterable[Change]) -> float:
    value = base
    for change in changes:
        if change.kind == "feedback":
            value = clamped(value + change.now(time))
    return value
