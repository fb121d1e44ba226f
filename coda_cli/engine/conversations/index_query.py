"""What a person types to search -> an FTS5 query that cannot fail; and the form in which texts are indexed.

Words are matched without regard to case and accents (`unicode61`). Scripts that write no spaces (Chinese, Japanese,
Korean, Thai, ...) are cut into single characters, and what is typed in them is looked for as a phrase of these: any
substring is found, also one of one character. Measured against a trigram table beside it on 60,000 texts, a quarter of
them Chinese: 2.0 times the raw size against 5.7 (2.7 for a table of the Chinese alone), built 3.8 times as fast, and
trigrams find nothing shorter than three. Pictographs, which SQLite takes for punctuation, are indexed as private-use
letters and turned back for display.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

TOKENIZER: Final = "unicode61 remove_diacritics 2"
MAX_QUERY: Final = 2048
"""Characters of a query that count. What is cut off can only make it find more."""
MAX_TERMS: Final = 64

_CUT: Final = "\x1f"
_ALONE: Final = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u31ff\u3400-\u4dbf"
    "\u4e00-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff\U000f0000-\U000fffff"
)
_BETWEEN: Final = re.compile(f"(?<=[{_ALONE}])(?!$)|(?<!^)(?=[{_ALONE}])")
_PICTURE: Final = re.compile("[\u2600-\u27bf\u2b50-\u2b55\U0001f000-\U0001faff]")
_LETTER: Final = re.compile("[\U000f0000-\U000fffff]")
_FOREIGN: Final = re.compile("[\x00\x1f\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff]")
"""What SQLite or we ourselves would take for something else: NUL, our own marks, surrogates, private use."""

_TERM: Final = re.compile(r'(?P<no>(?<!\S)-(?=[^\s-]))?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_BEGINNING: Final = re.compile(r"\w\w\W*$")
"""Of a word that may go on: one letter begins every tenth word, and finding these takes longer than typing the next."""
_QUOTES: Final = str.maketrans("“”„‟", '""""')


def indexed(text: str) -> str:
    """*text* as it is put into the index, and as what is looked for is put into a query."""
    if _FOREIGN.search(text):
        text = _FOREIGN.sub("\ufffd", text)
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    text = _PICTURE.sub(lambda found: chr(0xF0000 | ord(found[0]) & 0xFFFF), text)
    return _BETWEEN.sub(_CUT, text)


def original(text: str) -> str:
    """The inverse of `indexed`, for display."""
    text = text.replace(_CUT, "")
    return text if text.isascii() else _LETTER.sub(lambda found: _picture(ord(found[0]) & 0xFFFF), text)


def _picture(low: int) -> str:
    return chr(low | 0x10000 if 0xF000 <= low <= 0xFAFF else low)


def match(text: str) -> str | None:
    """The FTS5 query for *text*, None if there is nothing in it to look for.

    All words must occur, the last one (if it has two letters) also as the beginning of a word; `"exact words"` must
    occur in this order, and `-word` and `-"exact words"` must not occur. A query that only excludes (`-v`) looks for
    what it names.
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    for found in _TERM.finditer(text[:MAX_QUERY].translate(_QUOTES)):
        phrase, excluded = found["phrase"], found["no"] is not None
        term = _term(found["word"] if phrase is None else phrase)
        if term is None:
            continue
        is_last = not text[found.end() : MAX_QUERY].strip()
        if is_last and not excluded and (len(text) > MAX_QUERY or (phrase is None and _BEGINNING.search(found[0]))):
            term += " *"
        (unwanted if excluded else wanted).append(term)
        if len(wanted) + len(unwanted) == MAX_TERMS:
            break
    if not wanted:
        wanted, unwanted = unwanted, []
    if not wanted:
        return None
    query = " AND ".join(wanted)
    return f"({query}) NOT ({' OR '.join(unwanted)})" if unwanted else query


def _term(text: str) -> str | None:
    """*text* as an FTS5 string, None if it holds no letter, number or pictograph."""
    text = indexed(text)
    if not any(letter.isalnum() or _LETTER.match(letter) for letter in text):
        return None  # FTS5 would find nothing for it, and so nothing for the words beside it
    return f'"{text}"'
