"""Text in a terminal: styled runs, their width in cells, wrapping, and the theme that colours them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from coda_cli.engine.rendering.sanitize import sanitize

Key = tuple[str, ...]
"""Names of styles, outermost first."""
Run = tuple[str, Key]
Line = list[Run]

SOFT: Final[Run] = ("", ("soft",))
"""An empty run that says: this line goes on with the one before, from which wrapping took a space."""
HARD: Final[Run] = ("", ("hard",))
"""An empty run that says: this line goes on with the one before, cut in the middle of a word."""
PANEL: Final[Run] = ("", ("panel",))
"""An empty run that says: this line is part of a panel of code."""

DEFAULT_THEME: Final[dict[str, str]] = {
    "heading1": "bold underline",
    "heading2": "bold",
    "heading3": "bold italic",
    "strong": "bold",
    "em": "italic",
    "strike": "strike",
    "code": "cyan",
    "code_block": "",
    "fence": "bright_black",
    "quote": "italic",
    "quote_bar": "bright_black",
    "link": "blue",
    "url": "bright_black",
    "image": "magenta",
    "marker": "cyan",
    "table_header": "bold",
    "table_border": "bright_black",
    "rule": "bright_black",
    "html": "bright_black",
    "math": "yellow",
    "note": "yellow",
    "syntax.comment": "bright_black",
    "syntax.keyword": "magenta",
    "syntax.string": "green",
    "syntax.number": "yellow",
    "syntax.function": "blue",
    "syntax.class": "cyan",
    "syntax.builtin": "cyan",
    "syntax.decorator": "yellow",
    "syntax.tag": "blue",
    "syntax.attribute": "cyan",
    "syntax.inserted": "green",
    "syntax.deleted": "red",
    "syntax.heading": "bold",
}

_SEPARATORS: Final = str.maketrans({"\u2028": " ", "\u2029": " "})
_WIDE: Final = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\U00020000-\U0003fffd"
)
_CLOSING: Final = "\u3001\u3002\u300b\u300d\u300f\u3011\u3015\uff01\uff09\uff0c\uff0e\uff1a\uff1b\uff1f\uff5d"
# What may not be broken: spaces between words aside, a word, or one East Asian character with its closing marks.
_PIECES: Final = re.compile(f" +|[{_WIDE}][{_CLOSING}]*|[^ {_WIDE}]+")
_ZWJ: Final = "\u200d"
_EMOJI: Final = "\ufe0f"


def clean(text: str) -> str:
    """*text* safe for a terminal and without line separators. Entities can smuggle in what `sanitize` removed."""
    return sanitize(text).translate(_SEPARATORS)


@lru_cache(maxsize=4096)
def _cell(char: str) -> int:
    from rich.cells import get_character_cell_size

    # An emoji selector widens what stands before it on some terminals.
    return 1 if char == _EMOJI else get_character_cell_size(char)


def cells(text: str) -> int:
    """The most cells that any terminal gives *text*: terminals disagree on joined emoji, too much never overflows."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def line_cells(line: Line) -> int:
    """The width of a line of runs."""
    return sum(cells(text) for text, _ in line)


def plain(line: Line) -> str:
    """The text of a line of runs."""
    return "".join(text for text, _ in line)


def cut(line: Line, start: int, end: int) -> Line:
    """The runs of the characters from *start* to *end* of a line."""
    return _pieces(line, [(start, end)])[0]


def _pieces(line: Line, spans: Sequence[tuple[int, int]]) -> list[Line]:
    """The runs of each of *spans* of a line, which stand in order: one pass, however many there are."""
    out: list[Line] = []
    place = at = 0  # the run that is next, and the character that it begins with
    for start, end in spans:
        piece: Line = []
        while place < len(line):
            text, key = line[place]
            if part := text[max(0, start - at) : max(0, end - at)]:
                piece.append((part, key))
            if at + len(text) >= end:
                break  # the next span may begin in this run
            at += len(text)
            place += 1
        out.append(piece)
    return out


def split_lines(runs: Line) -> list[Line]:
    """Runs whose text holds newlines, as lines."""
    lines: list[Line] = [[]]
    for text, key in runs:
        first, *others = text.split("\n")
        if first:
            lines[-1].append((first, key))
        lines.extend([(other, key)] if other else [] for other in others)
    return lines


def _fold_points(text: str, width: int) -> list[int]:
    """Where to cut *text* so that no piece is wider than *width*; never before a joined or combining character."""
    if text.isascii():
        return list(range(width, len(text), width))
    points: list[int] = []
    used = 0
    joined = False
    for at, char in enumerate(text):
        size = _cell(char)
        attached = joined or size == 0 or char == _EMOJI
        if at and used + size > (2 * width if attached else width):
            points.append(at)
            used = 0
        used += size
        joined = char == _ZWJ
    return points


def fold(line: Line, width: int) -> list[Line]:
    """*line* cut hard into lines of at most *width* cells."""
    if line_cells(line) <= width:
        return [line]
    text = plain(line)
    points = _fold_points(text, width)
    return _pieces(line, list(zip([0, *points], [*points, len(text)], strict=True)))


def wrap(line: Line, width: int) -> list[Line]:
    """*line* wrapped between words; a word wider than *width* gets a line of its own and stays whole."""
    if line_cells(line) <= width:
        return [line]
    text = plain(line)
    spans: list[tuple[int, int]] = []
    start = end = used = 0
    for match in _PIECES.finditer(text):
        piece = match.group()
        size = cells(piece)
        if piece[0] != " ":
            if used + size > width and end > start:
                spans.append((start, end))
                start, used = match.start(), 0
            end = match.end()
        used += size
    spans.append((start, max(end, start)))
    return _pieces(line, spans)


def load_theme(path: Path) -> dict[str, str]:
    """The styles of a theme file over the built-in ones; what is missing, unreadable or no style is left built-in.

    The file is TOML with a table `[markdown]` and one `[syntax]`, of names to Rich style strings. A style with a link
    is refused: a link in a style is a hidden target.
    """
    import tomllib

    theme = dict(DEFAULT_THEME)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # ValueError: bad UTF-8 or bad TOML
        return theme
    for table, prefix in (("markdown", ""), ("syntax", "syntax.")):
        styles = data.get(table)
        for name, value in styles.items() if isinstance(styles, dict) else ():
            key = f"{prefix}{name}"
            if key in theme and isinstance(value, str) and _valid(value):
                theme[key] = value
    return theme


def _valid(style: str) -> bool:
    from rich.errors import StyleSyntaxError
    from rich.style import Style

    try:
        return Style.parse(style).link is None
    except StyleSyntaxError:
        return False


def marked(line: Line, pieces: list[Line]) -> list[Line]:
    """The *pieces* that `wrap` or `fold` made of *line*, each after the first with SOFT or HARD before it."""
    if len(pieces) < 2:
        return pieces
    text = plain(line)
    at = len(plain(pieces[0]))
    out = pieces[:1]
    for piece in pieces[1:]:
        spaces = 0
        while text.startswith(" ", at + spaces):
            spaces += 1
        out.append([SOFT if spaces else HARD, *piece])
        at += spaces + len(plain(piece))
    return out


class Palette:
    """Turns runs into the bytes for one line of a terminal, in the 16 colours that its own theme defines."""

    def __init__(self, theme: Mapping[str, str] | None, *, encode: Callable[[str], str] | None = None) -> None:
        """No *theme*, no escape sequence at all. *encode* replaces what the stream's encoding lacks."""
        self.colour = theme is not None
        self._theme = theme or {}
        self._encode = encode
        self._codes: dict[Key, str] = {}

    def paint(self, line: Line) -> str:
        """One line without its newline. The last gate: no control byte in a run gets through."""
        out: list[str] = []
        for key, group in groupby(line, key=itemgetter(1)):
            text = "".join(part for part, _ in group)
            safe = sanitize(text).replace("\n", " ")
            safe = self._encode(safe) if self._encode else safe
            code = self._code(key)
            out.append(f"{code}{safe}\x1b[0m" if code and safe else safe)
        return "".join(out)

    def _code(self, key: Key) -> str:
        if not self.colour or not key:
            return ""
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = self._escape(key)
        return code

    def _escape(self, key: Key) -> str:
        from rich.color import ColorSystem
        from rich.style import Style

        style = Style.combine([Style.parse(self._theme.get(name, "")) for name in key])
        return style.render("x", color_system=ColorSystem.STANDARD).partition("x")[0]
