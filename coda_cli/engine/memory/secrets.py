"""What is never remembered: keys, tokens, passwords, card and account numbers. Told by kind, never repeated."""

from __future__ import annotations

import itertools
import re
from typing import Final

_PATTERNS: Final = (
    ("a private key", r"BEGIN [A-Z ]*PRIVATE KEY|PuTTY-User-Key-File|AGE-SECRET-KEY-1"),
    (
        "an API key or token",
        (
            r"\b(?:sk|pk|rk)[-_](?:[A-Za-z]+[-_])*[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"
            r"|\bxox[abeoprs]-[\w-]{10,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bhf_[A-Za-z0-9]{20,}"
            r"|\bglpat-[\w-]{16,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.?[\w-]*"
            r"|\bya29\.[\w-]{20,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bdop_v1_\w{20,}|(?i:\bbearer\s+[\w.~+/-]{16,})"
        ),
    ),
    ("an address with a password in it", r"\b[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]{2,}@"),
    (
        "a password or a code",
        (
            r"(?i:\b(?:pass(?:word|phrase|code)|passwd|pwd|pin(?: code)?|cvv2?|cvc|otp|2fa code|recovery code"
            r"|secret key"
            r"|access key|api[ _-]?key|auth(?:entication)? token|access token|client secret|seed phrase"
            r"|passwort|kennwort|mot de passe|contrase[nñ]a|clave|geheimzahl|code pin)\b"
            r"(?:\s+(?:for|of|to|f[uü]r|de|du|del|von)\s+[^:=]{1,40}?)?\s*(?:is|are|was|=|:|ist|lautet|est"
            r"|es)\s*(?!\s*(?:"
            r"stored|saved|kept|in|on|at|too|very|not|never|a|an|the|to|required|optional|managed|rotated|secure"
            r"|safe)\b)\S)"
        ),
    ),
    ("a social security number", r"(?i:\b(?:ssn|social security)\b)\D{0,20}\d{3}-?\d{2}-?\d{4}"),
)
_COMPILED: Final = tuple((what, re.compile(pattern)) for what, pattern in _PATTERNS)
_DIGITS: Final = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
_LONG: Final = re.compile(r"(?<![\w/.-])[A-Za-z0-9+=_-]{24,}(?![\w/.])")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def secret_in(text: str) -> str | None:
    """What kind of secret stands in *text* ("a card number"), None for none."""
    for what, pattern in _COMPILED:
        if pattern.search(text):
            return what
    if any(luhn(found[0]) for found in _DIGITS.finditer(text)):
        return "a card number"
    if any(iban(found[0]) for found in _IBAN.finditer(text.upper())):
        return "an account number (IBAN)"
    if any(_random(found[0]) for found in _LONG.finditer(text)):
        return "what looks like a key or a token"
    return None


def luhn(number: str) -> bool:
    """Whether the digits of *number* end with the check digit of a payment card (ISO/IEC 7812)."""
    digits = [int(char) for char in number if char.isdigit()]
    if len(set(digits)) < 2:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether *text* is an account number by its check digits (ISO 13616)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return any(iban(text[:cut]) for cut in range(len(text) - 1, 14, -1) if text[cut] == " ")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _random(word: str) -> bool:
    """Letters of both cases and digits all mixed up, as no language writes them."""
    kinds = (any(c.isdigit() for c in word), any(c.islower() for c in word), any(c.isupper() for c in word))
    changes = sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(word))
    hexadecimal = re.fullmatch(r"[0-9a-f]{32,}", word) is not None
    return _UUID.fullmatch(word) is None and (hexadecimal or (all(kinds) and changes >= 4))
