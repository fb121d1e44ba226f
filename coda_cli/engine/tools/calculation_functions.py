"""The functions and constants of the calculator: a table, and nothing that is not in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from coda_cli.engine.tools.calculation_numbers import (
    MAX_ANGLE,
    MAX_BITS,
    TOO_LARGE,
    CalculationError,
    Number,
    add,
    approximate,
    checked,
    divide,
    logarithm,
    modulo,
    multiply,
    power,
    root,
    rounded,
    whole,
)

CONSTANTS: Final[dict[str, Number]] = {"pi": math.pi, "e": math.e, "tau": math.tau, "phi": (1 + math.sqrt(5)) / 2}

Function = Callable[[Sequence[Number]], Number]
_ANY: Final = 10_000


def _float(function: Callable[[float], float]) -> Function:
    def call(given: Sequence[Number]) -> Number:
        try:
            return checked(function(approximate(given[0])))
        except ValueError as exc:
            raise CalculationError("the number is outside of what the function is defined for") from exc
        except OverflowError as exc:
            raise CalculationError("the result is too large for an approximate number") from exc

    return call


def _angle(function: Callable[[float], float]) -> Function:
    def call(given: Sequence[Number]) -> Number:
        angle = approximate(given[0])
        if abs(angle) > MAX_ANGLE:
            raise CalculationError("the angle is too large")
        found = function(angle)
        # What is left of pi, which no float is: sin(pi) is 0, tan(pi/2) is nothing.
        blur = 4e-16 * max(1.0, abs(angle))
        if abs(found) < blur:
            return 0.0
        if abs(found) > 1 / blur:
            raise CalculationError("the function has no value there")
        return checked(found)

    return call


def _factorial(given: Sequence[Number]) -> Number:
    number = whole(given[0], "factorial")
    if number < 0:
        raise CalculationError("factorial needs a number of 0 or more")
    if number > MAX_BITS or math.lgamma(number + 1) / math.log(2) > MAX_BITS:
        raise CalculationError(TOO_LARGE)
    return checked(Fraction(math.factorial(number)))


def _comb(given: Sequence[Number]) -> Number:
    total, some = whole(given[0], "comb"), whole(given[1], "comb")
    if total < 0 or some < 0:
        raise CalculationError("comb needs numbers of 0 or more")
    if some > total:
        return Fraction(0)
    some = min(some, total - some)
    # (n choose k) is at least (n/k)^k
    if some > MAX_BITS or (some and some * (math.log2(total) - math.log2(some)) > MAX_BITS):
        raise CalculationError(TOO_LARGE)
    return checked(Fraction(math.comb(total, some)))


def _perm(given: Sequence[Number]) -> Number:
    total = whole(given[0], "perm")
    some = whole(given[1], "perm") if len(given) > 1 else total
    if total < 0 or some < 0:
        raise CalculationError("perm needs numbers of 0 or more")
    if some > total:
        return Fraction(0)
    # n!/(n-k)! is at least (n/e)^k
    if some > MAX_BITS or (some and some * (math.log2(total) - 1.4427) > MAX_BITS):
        raise CalculationError(TOO_LARGE)
    return checked(Fraction(math.perm(total, some)))


def _gcd(given: Sequence[Number]) -> Number:
    return Fraction(math.gcd(*(whole(each, "gcd") for each in given)))


def _lcm(given: Sequence[Number]) -> Number:
    found = 1
    for each in given:
        found = math.lcm(found, whole(each, "lcm"))
        checked(Fraction(found))
    return Fraction(found)


def _sum(given: Sequence[Number]) -> Number:
    total: Number = Fraction(0)
    for each in given:
        total = add(total, each)
    return total


def _product(given: Sequence[Number]) -> Number:
    total: Number = Fraction(1)
    for each in given:
        total = multiply(total, each)
    return total


def _mean(given: Sequence[Number]) -> Number:
    return divide(_sum(given), Fraction(len(given)))


def _median(given: Sequence[Number]) -> Number:
    ordered = sorted(given)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else _mean(ordered[middle - 1 : middle + 1])


def _hypot(given: Sequence[Number]) -> Number:
    return root(_sum([multiply(each, each) for each in given]), 2)


def _whole_part(function: Callable[[Fraction], int]) -> Function:
    return lambda given: Fraction(function(Fraction(given[0])))


def _round(given: Sequence[Number]) -> Number:
    return rounded(given[0], whole(given[1], "round") if len(given) > 1 else 0)


def _abs(given: Sequence[Number]) -> Number:
    value = given[0]
    return -value if value < 0 else value


def _sign(given: Sequence[Number]) -> Number:
    return Fraction((given[0] > 0) - (given[0] < 0))


def _isqrt(given: Sequence[Number]) -> Number:
    number = whole(given[0], "isqrt")
    if number < 0:
        raise CalculationError("a root of a negative number is not real")
    return Fraction(math.isqrt(number))


def _log(given: Sequence[Number]) -> Number:
    return logarithm(given[0], given[1] if len(given) > 1 else None)


def _exp(given: Sequence[Number]) -> Number:
    return Fraction(1) if given[0] == 0 else _float(math.exp)(given)


FUNCTIONS: Final[dict[str, tuple[int, int, Function]]] = {
    "abs": (1, 1, _abs),
    "sign": (1, 1, _sign),
    "sqrt": (1, 1, lambda given: root(given[0], 2)),
    "cbrt": (1, 1, lambda given: root(given[0], 3)),
    "root": (2, 2, lambda given: root(given[0], whole(given[1], "root"))),
    "isqrt": (1, 1, _isqrt),
    "pow": (2, 2, lambda given: power(given[0], given[1])),
    "exp": (1, 1, _exp),
    "ln": (1, 1, _log),
    "log": (1, 2, _log),
    "log2": (1, 1, lambda given: logarithm(given[0], Fraction(2))),
    "log10": (1, 1, lambda given: logarithm(given[0], Fraction(10))),
    "sin": (1, 1, _angle(math.sin)),
    "cos": (1, 1, _angle(math.cos)),
    "tan": (1, 1, _angle(math.tan)),
    "asin": (1, 1, _float(math.asin)),
    "acos": (1, 1, _float(math.acos)),
    "atan": (1, 1, _float(math.atan)),
    "atan2": (2, 2, lambda given: checked(math.atan2(approximate(given[0]), approximate(given[1])))),
    "sinh": (1, 1, _float(math.sinh)),
    "cosh": (1, 1, _float(math.cosh)),
    "tanh": (1, 1, _float(math.tanh)),
    "asinh": (1, 1, _float(math.asinh)),
    "acosh": (1, 1, _float(math.acosh)),
    "atanh": (1, 1, _float(math.atanh)),
    "radians": (1, 1, _float(math.radians)),
    "degrees": (1, 1, _float(math.degrees)),
    "floor": (1, 1, _whole_part(math.floor)),
    "ceil": (1, 1, _whole_part(math.ceil)),
    "trunc": (1, 1, _whole_part(math.trunc)),
    "int": (1, 1, _whole_part(math.trunc)),
    "round": (1, 2, _round),
    "min": (1, _ANY, min),
    "max": (1, _ANY, max),
    "sum": (1, _ANY, _sum),
    "prod": (1, _ANY, _product),
    "mean": (1, _ANY, _mean),
    "average": (1, _ANY, _mean),
    "median": (1, _ANY, _median),
    "mod": (2, 2, lambda given: modulo(given[0], given[1])),
    "gcd": (1, _ANY, _gcd),
    "lcm": (1, _ANY, _lcm),
    "factorial": (1, 1, _factorial),
    "comb": (2, 2, _comb),
    "perm": (1, 2, _perm),
    "hypot": (1, _ANY, _hypot),
}
"""Name: (fewest arguments, most, function)."""


def call(name: str, given: Sequence[Number]) -> Number:
    """The value of function *name*. Raises CalculationError."""
    low, high, function = FUNCTIONS[name]
    if not low <= len(given) <= high:
        count = f"{low}" if low == high else f"{low} to {high}" if high < _ANY else f"{low} or more"
        raise CalculationError(f"{name} takes {count} argument{'' if count == '1' else 's'}, not {len(given)}")
    return checked(function(given))
