"""The calculator's language: what a person or a small model writes, worked out exactly where that is possible.

It is no Python that is evaluated: a grammar of its own knows numbers, operators, and the names of a table, so there
is nothing to reach from it. It runs in this process, for it cannot hang: the text is at most `MAX_LENGTH` long, no
number grows beyond `MAX_BITS`, and what would is refused before it is computed.

    sum:     product (("+" | "-") product)*          `a + 10%` is ten percent of a more
    product: unary (("*" | "/" | "//" | "%" | "of") unary)*     also × · ÷, and nothing: 2(3 + 4), 2 pi
    unary:   ("-" | "+" | "√") unary | power
    power:   postfix (("**" | "^") unary)?          to the right
    postfix: atom ("!" | "%" | "°" | "²" | "³")*
    atom:    number | constant | function "(" arguments ")" | "(" sum ")"
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from msgspec import Struct

from coda_cli.engine.tools.calculation_functions import CONSTANTS, FUNCTIONS, call
from coda_cli.engine.tools.calculation_numbers import (
    MAX_BITS,
    TOO_LARGE,
    CalculationError,
    Number,
    add,
    divide,
    floor_divide,
    modulo,
    multiply,
    power,
    root,
    subtract,
)

MAX_LENGTH: Final = 2000
MAX_DEPTH: Final = 60
_MAX_DIGITS: Final = MAX_BITS * 3 // 10

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z][A-Za-z0-9_.]*)"
    r"|(?P<sign>\*\*|//|[-+*/%^!°²³√(),\[\]]))"
)
_SPELLINGS: Final = str.maketrans(
    {
        "×": "*",
        "·": "*",
        "⋅": "*",
        "∙": "*",
        "÷": "/",
        "∕": "/",
        "⁄": "/",
        "−": "-",
        "–": "-",
        "π": " pi ",
        "τ": " tau ",
    }
)
_GROUPED: Final = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_STARTS: Final = ("number", "name")


class Answer(Struct, frozen=True):
    """A value, and whether the question had decimals in it, so that the answer has."""

    value: Number
    decimal: bool

    def __str__(self) -> str:
        return _written(self.value, self.decimal)


class _Token(Struct, frozen=True):
    kind: str
    text: str
    at: int

    @property
    def end(self) -> int:
        """Where the next one stands if nothing is between."""
        return self.at + len(self.text)


class _Value(Struct):
    """A number on its way. `percent`: it was written as `n%`."""

    number: Number
    percent: bool = False


def calculate(text: str) -> Answer:
    """The value of *text*. Raises CalculationError."""
    if len(text) > MAX_LENGTH:
        raise CalculationError(f"the expression is longer than {MAX_LENGTH:,} characters")
    plain = text.translate(_SPELLINGS).strip().rstrip("=? ")
    if "(" not in plain:
        plain = _GROUPED.sub(lambda match: match[0].replace(",", ""), plain)
    tokens = _tokens(plain)
    if len(tokens) == 1:
        raise CalculationError("there is nothing to calculate")
    value = _Parser(tokens).whole()
    return Answer(value, any(_is_decimal(token) for token in tokens))


def _is_decimal(token: _Token) -> bool:
    """It is written as `0.5` or `1e-3`."""
    return token.kind == "number" and ("." in token.text or "e-" in token.text.lower())


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise CalculationError(f"{text[at:].lstrip()[:10]!r} at {at + 1} is nothing that can be calculated")
        kind = match.lastgroup
        word = match[kind]
        found.append(_Token(kind, word, match.start(kind) + 1))
        at = match.end()
    return [*found, _Token("end", "", len(text) + 1)]


class _Parser:
    """Reads and works out in one go; every token is looked at once."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Number:
        value = self._sum()
        if self._next.kind != "end":
            raise self._unexpected()
        return value.number

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> str:
        """Take the next token if it is one of *texts*; "" if it is not."""
        token = self._next
        if token.kind != "number" and token.text in texts:
            self._at += 1
            return token.text
        return ""

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(f"; {text!r} is missing")

    def _unexpected(self, more: str = "") -> CalculationError:
        token = self._next
        found = "the expression ends too early" if token.kind == "end" else f"unexpected {token.text!r} at {token.at}"
        return CalculationError(found + more)

    def _sum(self) -> _Value:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise CalculationError(f"the expression is nested more than {MAX_DEPTH} deep")
        left = self._product()
        while sign := self._take("+", "-"):
            right = self._product()
            number = multiply(left.number, right.number) if right.percent and not left.percent else right.number
            both = left.percent and right.percent
            left = _Value(add(left.number, number) if sign == "+" else subtract(left.number, number), both)
        self._depth -= 1
        return left

    def _product(self) -> _Value:
        left = self._unary()
        while True:
            sign = self._take("*", "/", "//", "%", "of")
            if not sign and not self._side_by_side():
                return left
            right = self._unary().number
            if sign in ("*", "of", ""):
                number = multiply(left.number, right)
            elif sign == "/":
                number = divide(left.number, right)
            else:
                number = floor_divide(left.number, right) if sign == "//" else modulo(left.number, right)
            left = _Value(number)

    def _side_by_side(self) -> bool:
        """Two factors without a sign: a bracket or a name follows. Two numbers are a slip, not a product."""
        token = self._next
        return token.kind == "name" or token.text in ("(", "√")

    def _unary(self) -> _Value:
        signs: list[str] = []
        while sign := self._take("-", "+", "√"):
            signs.append(sign)
        value = self._power()
        for sign in reversed(signs):
            if sign == "-":
                value = _Value(-value.number, value.percent)
            elif sign == "√":
                value = _Value(root(value.number, 2))
        return value

    def _power(self) -> _Value:
        base = self._postfix()
        if not self._take("**", "^"):
            return base
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise CalculationError(f"the expression is nested more than {MAX_DEPTH} deep")
        exponent = self._unary()
        self._depth -= 1
        return _Value(power(base.number, exponent.number))

    def _postfix(self) -> _Value:
        value = _Value(self._atom())
        while True:
            if self._take("!"):
                value = _Value(call("factorial", [value.number]))
            elif self._take("²"):
                value = _Value(power(value.number, Fraction(2)))
            elif self._take("³"):
                value = _Value(power(value.number, Fraction(3)))
            elif self._take("°"):
                value = _Value(call("radians", [value.number]))
            elif self._next.text == "%" and self._is_percent():
                self._at += 1
                value = _Value(divide(value.number, Fraction(100)), percent=True)
            else:
                return value

    def _is_percent(self) -> bool:
        """`%` divides with rest where a number follows at once, and is a hundredth elsewhere.

        Before a sign the spaces say it: `7 % -3` divides, `50% - 3` is a half less three.
        """
        sign, after = self._next, self._tokens[self._at + 1]
        if after.text not in ("-", "+"):
            return after.text == "of" or not (after.kind in _STARTS or after.text in ("(", "√"))
        before = self._tokens[self._at - 1]
        apart = before.end < sign.at
        if not apart and sign.end == after.at and self._tokens[self._at + 2].at == after.end:
            raise CalculationError(f"'%{after.text}' at {sign.at} has two meanings: write 5% - 3, or 5 % (-3)")
        return not apart

    def _atom(self) -> Number:
        token = self._next
        if token.kind == "number":
            self._at += 1
            return _number(token.text)
        if token.kind == "name":
            return self._named()
        if self._take("("):
            value = self._sum().number
            self._need(")")
            return value
        raise self._unexpected()

    def _named(self) -> Number:
        name = self._next.text.removeprefix("math.")
        if name.lower() in CONSTANTS:
            self._at += 1
            return CONSTANTS[name.lower()]
        if name.lower() not in FUNCTIONS:
            near = ", ".join(sorted(FUNCTIONS))
            raise CalculationError(f"{self._next.text[:40]!r} is unknown; functions are {near}; constants pi, e, tau")
        self._at += 1
        self._need("(")
        given: list[Number] = []
        while not self._take(")"):
            if given:
                self._need(",")
            if self._take("["):
                while not self._take("]"):
                    if given and self._tokens[self._at - 1].text != "[":
                        self._need(",")
                    given.append(self._sum().number)
            else:
                given.append(self._sum().number)
        return call(name.lower(), given)


def _number(text: str) -> Fraction:
    """A written number, exactly. Its size is looked at before it is made."""
    digits = text.replace("_", "")
    if digits[:2].lower() in ("0x", "0b"):
        return Fraction(int(digits, 0)) if len(digits) > 2 else Fraction(0)
    mantissa, _, exponent = digits.lower().partition("e")
    before, _, after = mantissa.partition(".")
    shift = int(exponent) if len(exponent) < 8 and exponent else 0
    if len(exponent) >= 8 or len(before) + len(after) > _MAX_DIGITS or abs(shift) + len(before) > _MAX_DIGITS:
        raise CalculationError(TOO_LARGE)
    return Fraction(int((before + after) or "0")) * Fraction(10) ** (shift - len(after))


def _written(value: Number, decimal: bool) -> str:
    if isinstance(value, float):
        return f"≈ {value:.15g}" if value else "0"
    if value.denominator == 1:
        return str(value.numerator)
    places = _decimal_places(value.denominator)
    exactly = _decimal(value, places) if places is not None else ""
    if decimal and exactly:
        return exactly
    fraction = f"{value.numerator}/{value.denominator}"
    if exactly:
        return f"{fraction} = {exactly}"
    try:
        return f"{fraction} ≈ {float(value):.15g}"
    except OverflowError:
        return fraction


def _decimal_places(denominator: int) -> int | None:
    """How many decimals a fraction over *denominator* has; None for no end, or for too many to read."""
    twos = (denominator & -denominator).bit_length() - 1
    fives, rest = 0, denominator >> twos
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    places = max(twos, fives)
    return places if rest == 1 and places <= 40 else None


def _decimal(value: Fraction, places: int) -> str:
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


__all__ = ["MAX_LENGTH", "Answer", "CalculationError", "calculate"]
