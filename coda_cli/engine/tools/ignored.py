"""What a folder's `.gitignore` leaves out: the rules that people use, not every corner of git's. Globs are the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

RULES_BYTES: Final = 100_000
"""Of one `.gitignore`."""
SKIPPED: Final = frozenset({"node_modules", "__pycache__", "venv"})
"""Folders that nobody looks into, ignored or not."""
_RULES: Final = 500
"""Of one file: a longer one is no list that somebody wrote."""
_ANYWHERE: Final = 3
"""`**` in one rule: more of them could take for ever."""


class _Rule(Struct, frozen=True):
    pattern: re.Pattern[str]
    keeps: bool
    folders_only: bool


class IgnoreRules:
    """The rules of one `.gitignore`. Names are relative to its folder, with slashes."""

    def __init__(self, lines: Iterable[str]) -> None:
        made = (_rule(line) for line, _ in zip(lines, range(_RULES), strict=False))
        self._rules = [rule for rule in made if rule is not None]

    def verdict(self, name: str, is_folder: bool) -> bool | None:
        """Whether *name* is left out; None if no rule speaks of it. The last rule that does counts."""
        for rule in reversed(self._rules):
            if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(name):
                return not rule.keeps
        return None


Rules = tuple[tuple[str, IgnoreRules], ...]
"""Folders, "" or with a slash at the end, and their rules, from the top down."""


def left_out(rules: Rules, name: str) -> bool:
    """Whether the nearest `.gitignore` that speaks of *name* (a folder has a slash at the end) leaves it out."""
    for inside, one in reversed(rules):
        verdict = one.verdict(name[len(inside) :].rstrip("/"), name.endswith("/"))
        if verdict is not None:
            return verdict
    return False


def glob(pattern: str) -> IgnoreRules:
    """What *pattern* matches, by `verdict`: `*.py` in any folder, `src/**/*.py` from the top, `*.{c,h}` both."""
    written = _spelled_out(pattern.removeprefix("./"))
    return IgnoreRules("\\" + one if one.startswith(("!", "#")) else one for one in written)


def _spelled_out(pattern: str) -> list[str]:
    waiting, done = [pattern], list[str]()
    while waiting and len(done) + len(waiting) < _RULES:
        one = waiting.pop()
        braces = re.search(r"\{([^{}]*,[^{}]*)\}", one)
        if braces is None:
            done.append(one)
        else:
            waiting += [one[: braces.start()] + part + one[braces.end() :] for part in braces[1].split(",")]
    return done


def _rule(line: str) -> _Rule | None:
    line = line.rstrip("\r\n")
    if not line.endswith("\\ "):
        line = line.rstrip(" \t")
    if not line or line.startswith("#"):
        return None
    keeps = line.startswith("!")
    line = line.removeprefix("!")
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    parts = line.lstrip("/").split("/")
    if not line or parts.count("**") > _ANYWHERE:
        return None
    written = "" if "/" in line else "(?:[^/]+/)*"
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == "**":
            written += ".+" if last else "(?:[^/]+/)*"
        else:
            written += _part(part) + ("" if last else "/")
    try:
        return _Rule(re.compile(written, re.DOTALL), keeps, folders_only)
    except re.error:  # an odd range of letters
        return None


def _part(part: str) -> str:
    """One name of a pattern. The groups are atomic: no pattern takes longer than its length times the name's."""
    pieces = [""]
    place = 0
    while place < len(part):
        letter = part[place]
        place += 1
        if letter == "*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append("")
        elif letter == "?":
            pieces[-1] += "[^/]"
        elif letter == "[" and (end := part.find("]", place + 1)) > 0:
            letters = part[place:end].replace("\\", "\\\\").replace("[", "\\[")
            letters = "^" + letters[1:] if letters[0] in "!^" else letters
            pieces[-1] += f"(?!/)[{letters}]"
            place = end + 1
        elif letter == "\\" and place < len(part):
            pieces[-1] += re.escape(part[place])
            place += 1
        else:
            pieces[-1] += re.escape(letter)
    first, *others = pieces
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{last}"
