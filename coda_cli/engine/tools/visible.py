"""Untrusted text as a person must see it before they say yes: nothing hidden, nothing that looks like something else.

An approval shows commands, hosts, paths and diffs that a model wrote. Here whatever has no shape of its own (control,
bidi, zero-width and tag characters, odd spaces, private use), and letters that only look like those around them
(Cyrillic in a Latin word, full-width forms), become `\\u{XXXX}`. This is for reading, never for running.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final, Literal

_PLAIN: Final = re.compile(r"[\x20-\x7e\n\t]*")
_LATIN: Final = re.compile(r"[A-Za-z]")
# No shape, though their categories are those of letters, marks and symbols.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_MARKS: Final = ("Mn", "Me")
_HIDDEN: Final = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"))
# Typography that stands for ASCII by its definition and looks like nothing else.
_TYPOGRAPHY: Final = frozenset("\u2026\u00b9\u00b2\u00b3\u2122\u00aa\u00ba")
# Punctuation that no normalisation brings back to the ASCII that it looks like: slashes, dots, colons, bars, hyphens.
_LOOKS_LIKE_ASCII: Final = frozenset(
    "\u01c0\u0589\u05c3\u0701\u0702\u2010\u2011\u2012\u2043\u2044\u2212\u2215\u2216\u2223\u2236\u223c\u2758"
    "\u27cb\u29f5\u29f8\u2cba\ua4fd\ua789\u02d0\u02f8\u02bc\u02cb\u02d7"
)
# Latin letters that a reader takes for plain ones.
_LATIN_TWINS: Final = frozenset("\u0131\u017f\u0237\u01bd\u0184\u0185\ua731\ua78c")
_LATIN_TWIN_RANGES: Final = ((0x0250, 0x02AF), (0x1D00, 0x1DBF), (0xA720, 0xA7FF))
# Scripts that are written beside Latin letters without a space, and look like none of them.
_BESIDE_LATIN: Final = frozenset(("LATIN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"))
_SCRIPTS_OF_WIDE_SIGNS: Final = _BESIDE_LATIN - {"LATIN"}
# Cyrillic, Greek and Armenian letters with a Latin twin: a word of nothing else may be a Latin one in disguise.
_TWINS: Final = frozenset(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d\u0432\u043c\u043d\u0442\u043a"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408\u04c0\u04cf"
    "\u03bf\u03bd\u03c1\u03c5\u03b9\u03ba\u03b1\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4"
    "\u03a5\u03a7\u0570\u0578\u057d\u0585\u0581\u0566"
)
_MARKS_IN_A_ROW: Final = 3
_LOOKED_AT: Final = 25_000
"""Marks, signs and words that are weighed in one text; beyond them all that is doubtful anywhere is written out."""
_DIFFERENT: Final = 10_000
"""Different characters in one text; no writing of people has as many, so there all but ASCII is written out."""

_Kind = Literal["shown", "written", "mark", "sign"]


def visible(text: str) -> str:
    """*text* with every hidden or misleading character written out; line breaks and tabs stay."""
    if _PLAIN.fullmatch(text):
        return text
    chars = {char for char in set(text) if not _PLAIN.fullmatch(char)}
    if len(chars) > _DIFFERENT:
        return text.translate({ord(char): _written(char) for char in chars})
    kinds = {char: _kind(char) for char in chars}
    weighed = {char for char, kind in kinds.items() if kind in ("mark", "sign")}
    foreign = {char for char in chars if char.isalpha() and _foreign(char)}
    table = {ord(char): _written(char) for char, kind in kinds.items() if kind == "written"}
    doubtful = {**table, **{ord(char): _written(char) for char in foreign}}
    pattern = _pattern(text, weighed, foreign)
    if pattern is None:
        return text.translate(table)
    signs = {char for char in weighed if char.isalnum()}
    done: list[str] = []
    last, row, base = 0, 0, " "
    for looked_at, match in enumerate(pattern.finditer(text)):
        i, found = match.start(), match[0]
        if looked_at >= _LOOKED_AT:
            table = doubtful | {ord(char): _written(char) for char in weighed}
            break
        done.append(text[last:i].translate(table) if table else text[last:i])
        mark = match.lastindex is None and kinds[found] == "mark"
        row = row + 1 if mark and row and i == last else int(mark)
        base = base if row > 1 else text[i - 1 : i] or " "
        if match.lastindex is not None:  # a word with letters that only look like Latin ones
            wrong = [n for n, char in enumerate(found) if char in signs and _in_disguise(text, i + n)] if signs else []
            done.append(found.translate(doubtful) if not wrong else _word(found, wrong, doubtful))
        elif mark:
            done.append(_written(found) if _misplaced(found, base, row) else found)
        else:
            done.append(_written(found) if _in_disguise(text, i) else found)
        last = match.end()
    return "".join((*done, text[last:].translate(table)))


def visible_line(text: str) -> str:
    """`visible` for a place of one line: line breaks and tabs are written out too."""
    return visible(text).replace("\n", _written("\n")).replace("\t", _written("\t"))


def deceptive(text: str) -> bool:
    """Whether *text* holds anything that `visible_line` must write out."""
    return visible_line(text) != text


def _written(char: str) -> str:
    return f"\\u{{{ord(char):04X}}}"


def _word(word: str, wrong: Collection[int], table: Mapping[int, str]) -> str:
    """*word* by *table*, and with the signs at the places *wrong* written out."""
    return "".join(_written(char) if n in wrong else char.translate(table) for n, char in enumerate(word))


def _kind(char: str) -> _Kind:
    """What becomes of *char*; "mark" and "sign": that depends on what stands around it."""
    category = unicodedata.category(char)
    if category in _HIDDEN or char in _BLANK:
        return "written"
    if category in _MARKS:
        return "mark"
    if char in _TYPOGRAPHY:
        return "shown"
    normal = unicodedata.normalize("NFKC", char)
    if char not in _LOOKS_LIKE_ASCII and not (normal.isascii() and normal.strip()):
        return "shown"
    return "written" if normal.isalnum() else "sign"


def _misplaced(char: str, base: str, row: int) -> bool:
    """A combining mark or variation selector, the *row*-th on *base*, where no writing puts it."""
    code = ord(char)
    if char in "\ufe0e\ufe0f":
        return row > 1 or unicodedata.category(base) not in ("So", "Sk")
    if 0xFE00 <= code <= 0xFE0D or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F or 0x0334 <= code <= 0x0338:
        return True
    return (base.isascii() and not base.isalpha()) or row > _MARKS_IN_A_ROW


def _in_disguise(text: str, i: int) -> bool:
    """Whether the sign there reads as an ASCII one. Full-width punctuation among letters of its scripts is at home."""
    around = (_next_letter(text, range(i - 1, i - 4, -1)), _next_letter(text, range(i + 1, i + 4)))
    return not any(_script(other) in _SCRIPTS_OF_WIDE_SIGNS for other in around if other)


def _next_letter(text: str, places: range) -> str:
    """What stands beside a sign, further signs of its kind passed over."""
    for i in places:
        if not 0 <= i < len(text) or text[i].isascii() or text[i].isalnum():
            return text[i] if 0 <= i < len(text) else ""
    return ""


def _pattern(text: str, weighed: Collection[str], foreign: Collection[str]) -> re.Pattern[str] | None:
    """Finds what is to be weighed in *text*: as group 1 words with doubtful letters, and single marks and signs."""
    ways: list[str] = []
    if foreign and _LATIN.search(text) is not None:
        letter = _one_of(foreign)
        ways.append(rf"(?=\w*?[A-Za-z])(?=\w*?{letter})\w+")  # of two scripts
        # Somebody who writes in that script cannot do without its letters that have no twin.
        chars = set(text)
        at_home = {_script(char) for char in chars if char.isalpha() and not char.isascii() and char not in _TWINS}
        if twins := {char for char in chars if char in _TWINS and _script(char) not in at_home}:
            others = {char for char in chars if (char.isalnum() or char == "_") and not char.isalpha()}
            ways.append(rf"(?=\w*?{letter}){_one_of(twins | others)}+(?!\w)")
        ways = [rf"(?<!\w)({'|'.join(ways)})"]
    if weighed:
        ways.append(_one_of(weighed))
    return re.compile("|".join(ways)) if ways else None


def _one_of(chars: Collection[str]) -> str:
    return f"[{''.join(map(re.escape, sorted(chars)))}]"


def _foreign(char: str) -> bool:
    code = ord(char)
    if char in _LATIN_TWINS or any(low <= code <= high for low, high in _LATIN_TWIN_RANGES):
        return True
    return _script(char) not in _BESIDE_LATIN


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    """The first word of the character's name, which for a letter is its script."""
    return unicodedata.name(char, "").partition(" ")[0].partition("-")[0]
