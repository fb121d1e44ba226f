"""Numbers that stay exact as long as they can, with the cost of every operation known before it is done.

A number is a `Fraction`, exact, or a `float`, approximate. No exact number has more than `MAX_BITS` bits above or
below its line, so one operation on two of them takes microseconds; what would grow further is refused before.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

Number = Fraction | float

MAX_BITS: Final = 13_000
"""Bits of an exact number, some 3,900 digits: what Python still prints (4,300 digits)."""
MAX_ANGLE: Final = 1e15
"""Beyond it neighbouring floats are so far apart that a sine says nothing."""
_ROOTS: Final = 64


class CalculationError(Exception):
    """It cannot be worked out; the text says why."""


TOO_LARGE: Final = f"the result is too large: more than {MAX_BITS * 3 // 10:,} digits"


def checked(value: Number) -> Number:
    """*value*, if it is a number within the limits."""
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            raise CalculationError("the result is no finite number")
        return value
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise CalculationError(TOO_LARGE)
    return value


def approximate(value: Number) -> float:
    """*value* as a float."""
    try:
        return float(value)
    except OverflowError as exc:
        raise CalculationError("the number is too large for an approximate result") from exc


def whole(value: Number, what: str) -> int:
    """*value* as an integer, for *what* that takes only those."""
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= 2**53:
            raise CalculationError(f"{what} needs whole numbers")
        return int(value)
    if value.denominator != 1:
        raise CalculationError(f"{what} needs whole numbers")
    return value.numerator


def add(left: Number, right: Number) -> Number:
    """left + right."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return checked(left + right)
    return checked(approximate(left) + approximate(right))


def subtract(left: Number, right: Number) -> Number:
    """left - right."""
    return add(left, -right)


def multiply(left: Number, right: Number) -> Number:
    """left * right."""
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return checked(left * right)
    return checked(approximate(left) * approximate(right))


def divide(left: Number, right: Number) -> Number:
    """left / right."""
    _nonzero(right)
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return checked(left / right)
    return checked(approximate(left) / approximate(right))


def floor_divide(left: Number, right: Number) -> Number:
    """The whole part of left / right, towards minus infinity."""
    _nonzero(right)
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return checked(Fraction(left // right))
    return checked(approximate(left) // approximate(right))


def modulo(left: Number, right: Number) -> Number:
    """What floor division leaves; it has the sign of *right*."""
    _nonzero(right)
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return checked(left % right)
    return checked(approximate(left) % approximate(right))


def _nonzero(value: Number) -> None:
    if value == 0:
        raise CalculationError("division by zero")


def power(base: Number, exponent: Number) -> Number:
    """base ** exponent: exact for whole exponents and for roots that come out even."""
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            return _whole_power(base, exponent.numerator)
        found = _exact_root(base, exponent.denominator)
        if found is not None:
            return _whole_power(found, exponent.numerator)
    if base == 0 and exponent < 0:
        raise CalculationError("division by zero")
    low, high = approximate(base), approximate(exponent)
    if low < 0 and not high.is_integer():
        raise CalculationError("a root of a negative number is not real")
    try:
        return checked(math.pow(low, high))
    except OverflowError as exc:
        raise CalculationError("the result is too large for an approximate number") from exc


def _whole_power(base: Fraction, exponent: int) -> Number:
    if base == 0 and exponent < 0:
        raise CalculationError("division by zero")
    if base in (0, 1):
        return Fraction(1) if exponent == 0 else base
    if base == -1:
        return Fraction(1 if exponent % 2 == 0 else -1)
    larger = max(abs(base.numerator), base.denominator)
    if abs(exponent) > MAX_BITS or abs(exponent) * math.log2(larger) > MAX_BITS:
        raise CalculationError(TOO_LARGE)
    return checked(base**exponent)


def _exact_root(base: Fraction, degree: int) -> Fraction | None:
    """The *degree*th root where it is a fraction, else None."""
    if degree > _ROOTS or base < 0:
        return None
    top, bottom = whole_root(base.numerator, degree), whole_root(base.denominator, degree)
    if top**degree == base.numerator and bottom**degree == base.denominator:
        return Fraction(top, bottom)
    return None


def whole_root(value: int, degree: int) -> int:
    """The largest integer whose *degree*th power is not over *value* (Newton's method from above)."""
    if degree == 1 or value < 2:
        return value
    if degree == 2:
        return math.isqrt(value)
    guess = 1 << -(-value.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + value // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better


def root(value: Number, degree: int) -> Number:
    """The *degree*th root; of a negative number where *degree* is odd."""
    if degree < 1:
        raise CalculationError("a root needs a degree of 1 or more")
    if value < 0:
        if degree % 2 == 0:
            raise CalculationError("a root of a negative number is not real")
        return -root(-value, degree)
    if isinstance(value, Fraction) and (found := _exact_root(value, degree)) is not None:
        return found
    if degree == 2:
        return checked(math.sqrt(approximate(value)))
    near = math.pow(approximate(value), 1 / degree)
    return checked(near)


def rounded(value: Number, places: int) -> Number:
    """*value* to *places* decimals, halves away from zero, as it is taught."""
    if abs(places) > MAX_BITS // 4:
        raise CalculationError(TOO_LARGE)
    exact = Fraction(repr(value)) if isinstance(value, float) else value
    scale = Fraction(10) ** places
    scaled = abs(exact) * scale
    steps = (scaled.numerator * 2 + scaled.denominator) // (scaled.denominator * 2)
    return checked((-1 if exact < 0 else 1) * Fraction(steps) / scale)


def logarithm(value: Number, base: Number | None = None) -> Number:
    """The logarithm, natural without *base*; exact where it comes out whole."""
    if value <= 0 or (base is not None and (base <= 0 or base == 1)):
        raise CalculationError("a logarithm needs a number over 0, and a base over 0 that is not 1")
    if base is None:
        return Fraction(0) if value == 1 else _natural(value)
    near = _natural(value) / _natural(base)
    nearest = round(near)
    if isinstance(value, Fraction) and isinstance(base, Fraction) and abs(near - nearest) < 1e-9:
        try:
            if _whole_power(base, nearest) == value:
                return Fraction(nearest)
        except CalculationError:
            pass  # too large to be compared, so not equal
    return checked(near)


def _natural(value: Number) -> float:
    if isinstance(value, float):
        return math.log(value)
    if abs(value - 1) < Fraction(1, 1000):
        return math.log1p(float(value - 1))
    return math.log(value.numerator) - math.log(value.denominator)
