"""A value that somebody has put in the place of another, to be given back."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

_T = TypeVar("_T")


class Lent(Struct, Generic[_T], frozen=True):
    """`value` stands where `before` stood."""

    value: _T
    before: _T

    @staticmethod
    def of(last: Lent[_T] | None, now: _T, wanted: _T | None) -> tuple[Lent[_T] | None, _T]:
        """What is lent, and what stands, once *wanted* (None: nothing) is put where *now* stands.

        What was lent *last* is given back first, unless something else stands there by now.
        """
        before = last.before if last is not None and last.value == now else now
        return (None, before) if wanted is None else (Lent(wanted, before), wanted)
