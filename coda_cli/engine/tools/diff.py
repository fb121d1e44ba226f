"""What a change does to a text, as a unified diff that a person can read before it is made."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

_CONTEXT: Final = 3
_COMPARED: Final = 2_000
"""Lines that are compared one by one: the time grows with their square."""
_NO_END: Final = "\n\\ No newline at end of file"
"""Belongs to the last line: with and without an end it is two different lines."""


class Diff(Struct, frozen=True):
    """`text` is the whole change, for what is not shown cannot be agreed to; `added` and `removed` count its lines."""

    text: str
    added: int
    removed: int

    def __str__(self) -> str:
        return f"+{self.added} -{self.removed}"


def unified(old: str, new: str, name: str, *, created: bool = False) -> Diff:
    """The change from *old* to *new*. Line ends are shown (`␍`) only where the change is about them."""
    before, after = _lines(old), _lines(new)
    if {line[-1:] for line in (*before, *after) if not line.endswith(_NO_END)} == {"\r"}:
        before, after = ([line.removesuffix("\r") for line in side] for side in (before, after))
    else:
        before, after = ([_marked(line) for line in side] for side in (before, after))
    lines = [f"--- {'/dev/null' if created else name}", f"+++ {name}"]
    added = removed = 0
    for hunk in _hunks(before, after):
        body = _body(hunk, before, after)
        added += sum(line[0] == "+" for line in body)
        removed += sum(line[0] == "-" for line in body)
        lines += [_header(hunk), *body]
    if not added and not removed:
        return Diff("", 0, 0)
    return Diff("\n".join(lines) + "\n", added, removed)


_Opcode = tuple[str, int, int, int, int]


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*lines, last + _NO_END] if last else lines


def _hunks(before: list[str], after: list[str]) -> list[list[_Opcode]]:
    """The changed places with some lines around them. What is alike at both ends is not compared."""
    import difflib

    top = 0
    most = min(len(before), len(after))
    while top < most and before[top] == after[top]:
        top += 1
    end = 0
    while end < most - top and before[-1 - end] == after[-1 - end]:
        end += 1
    old, new = before[top : len(before) - end], after[top : len(after) - end]
    if not old and not new:
        return []
    if max(len(old), len(new)) > _COMPARED:
        codes: list[_Opcode] = [("replace", 0, len(old), 0, len(new))]
    else:
        codes = [(tag, a, b, c, d) for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new).get_opcodes()]
    moved = [(tag, a + top, b + top, c + top, d + top) for tag, a, b, c, d in codes]
    whole = [("equal", 0, top, 0, top), *moved, ("equal", top + len(old), len(before), top + len(new), len(after))]
    return _grouped([code for code in whole if code[1] < code[2] or code[3] < code[4]])


def _grouped(codes: list[_Opcode]) -> list[list[_Opcode]]:
    groups: list[list[_Opcode]] = [[]]
    for place, (tag, a, b, c, d) in enumerate(codes):
        if tag != "equal":
            groups[-1].append((tag, a, b, c, d))
            continue
        first, last = place == 0, place == len(codes) - 1
        if first:
            groups[-1].append((tag, max(a, b - _CONTEXT), b, max(c, d - _CONTEXT), d))
        elif last:
            groups[-1].append((tag, a, min(b, a + _CONTEXT), c, min(d, c + _CONTEXT)))
        elif b - a > 2 * _CONTEXT:
            groups[-1].append((tag, a, a + _CONTEXT, c, c + _CONTEXT))
            groups.append([(tag, b - _CONTEXT, b, d - _CONTEXT, d)])
        else:
            groups[-1].append((tag, a, b, c, d))
    return groups


def _marked(line: str) -> str:
    return line[:-1] + "␍" if line.endswith("\r") else line


def _header(hunk: list[_Opcode]) -> str:
    old, new = hunk[-1][2] - hunk[0][1], hunk[-1][4] - hunk[0][3]
    return f"@@ -{hunk[0][1] + bool(old)},{old} +{hunk[0][3] + bool(new)},{new} @@"


def _body(hunk: list[_Opcode], before: list[str], after: list[str]) -> list[str]:
    body = []
    for tag, a, b, c, d in hunk:
        if tag == "equal":
            body += [f" {line}" for line in before[a:b]]
        else:
            body += [f"-{line}" for line in before[a:b]]
            body += [f"+{line}" for line in after[c:d]]
    return body
