"""Markdown as lines that can be listened to: headings, code and tables are said in words, marks are left out.

It streams: a line is out when it is whole, a long one sentence by sentence. Nothing is ever written twice. All text
that goes in is untrusted and comes out clean.
"""

from __future__ import annotations

import re
from typing import Final

from coda_cli.engine.rendering.footnotes import DEFINITION, MARK
from coda_cli.engine.rendering.sanitize import Sanitizer, sanitize

_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE: Final = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^`\s]{0,30})[^`]*$")
_BULLET: Final = re.compile(r"^([ \t]*)[*+-][ \t]+(?=\S)")
_RULE: Final = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
_SEPARATOR: Final = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_LINK: Final = re.compile(
    r"(!?)\[([^\[\]\n]{0,500})\]\((<[^<>\n]{0,2000}>|[^()\s]{0,2000})(?:[ \t]+\"[^\"\n]{0,500}\")?\)"
)
_STRONG: Final = re.compile(r"(?<![*\w])(\*\*|__)(?=\S)([^\n]{1,2000}?)(?<=\S)\1(?![*\w])")
_CODE: Final = re.compile(r"(`+)([^`\n]{1,2000})\1(?!`)")
_SENTENCE: Final = re.compile(r"[.!?:;]['\")\]]* (?=\S)")
_LONG: Final = 200
"""Characters of an unfinished line from which on its whole sentences are put out."""


class Speaker:
    """Turns streamed Markdown into lines: `feed` returns what can be written by now, `end` the rest.

    With *raw* the text stays as it was written, and comes at once.
    """

    def __init__(self, *, raw: bool = False) -> None:
        self._raw = raw
        self._sanitizer = Sanitizer()
        self._line = ""
        self._begun = False  # a part of the line has been put out
        self._fence = ""
        self._row: str | None = None  # a line that may be the head of a table
        self._columns: list[str] = []

    def feed(self, text: str) -> str:
        """Take the next piece; what it completes, newlines included."""
        safe = self._sanitizer.feed(text)
        return safe if self._raw else self._take(safe)

    def end(self) -> str:
        """The text is at its end."""
        rest = self._sanitizer.flush()
        if self._raw:
            return rest
        out = self._take(rest)
        if self._line:
            out += self._whole(self._line)
            self._line = ""
        elif self._begun:
            out += "\n"
            self._begun = False
        out += self._give_row()
        if self._fence:
            self._fence = ""
            out += "End of code.\n"
        return out

    def _take(self, text: str) -> str:
        *lines, self._line = (self._line + text).split("\n")
        out = "".join(self._whole(line) for line in lines)
        if len(self._line) > _LONG and not self._fence and not self._line.lstrip().startswith(("|", "#", "```", "~~~")):
            out += self._sentences()
        return out

    def _sentences(self) -> str:
        """The whole sentences of the unfinished line, as long as no mark in them is still open."""
        cut = 0
        for found in _SENTENCE.finditer(self._line):
            part = self._line[: found.end()]
            if part.count("`") % 2 == 0 and part.count("**") % 2 == 0 and part.count("[") == part.count("]"):
                cut = found.end()
        if not cut:
            return ""
        part, self._line = self._line[:cut], self._line[cut:]
        text = self._give_row() + self._prose(part)
        self._begun = True
        return text

    def _whole(self, line: str) -> str:
        if self._begun:
            self._begun = False
            return f"{inline(line)}\n"
        if self._fence:
            return self._in_fence(line)
        if self._row is not None and _SEPARATOR.match(line) and "|" in self._row:
            self._columns = _cells(self._row)
            self._row = None
            return f"Table with the columns {', '.join(self._columns)}.\n"
        before = self._give_row()
        if self._columns:
            if "|" in line:
                return before + self._table_row(line)
            self._columns = []
            before += "End of table.\n"
        if fence := _FENCE.match(line):
            self._fence = fence[1]
            return f"{before}Code{', ' + fence[2] if fence[2] else ''}:\n"
        if line.lstrip().startswith("|") or (" | " in line and not line.strip().startswith(">")):
            self._row = line
            return before
        return f"{before}{self._prose(line)}\n"

    def _in_fence(self, line: str) -> str:
        bare = line.strip()
        if bare and set(bare) == {self._fence[0]} and len(bare) >= len(self._fence):
            self._fence = ""
            return "End of code.\n"
        return f"{line}\n"

    def _give_row(self) -> str:
        row, self._row = self._row, None
        return f"{inline(row)}\n" if row is not None else ""

    def _table_row(self, line: str) -> str:
        cells = [inline(cell) for cell in _cells(line)]
        named = [
            f"{self._columns[place]}: {cell}" if place < len(self._columns) and self._columns[place] else cell
            for place, cell in enumerate(cells)
            if cell
        ]
        return f"{'; '.join(named)}\n"

    def _prose(self, line: str) -> str:
        if heading := _HEADING.match(line):
            return f"Heading {len(heading[1])}: {inline(heading[2])}"
        if _RULE.match(line):
            return "----"
        if note := DEFINITION.match(line.lstrip(" ")):
            return f"Note {note[1]}: {inline(line.lstrip(' ')[note.end() :])}".rstrip()
        return inline(_BULLET.sub(r"\1- ", line, count=1))


def inline(text: str) -> str:
    """*text* without the marks of emphasis and code; a link's or image's target stands behind its name."""
    out, at = [], 0
    for code in _CODE.finditer(text):
        out += [_marks(text[at : code.start()]), code[2]]
        at = code.end()
    return "".join([*out, _marks(text[at:])])


def _marks(text: str) -> str:
    text = MARK.sub(_mention, _LINK.sub(_target, text))
    return _STRONG.sub(r"\2", text)


def _mention(found: re.Match[str]) -> str:
    return f"{' ' if found.start() and not found.string[found.start() - 1].isspace() else ''}(note {found[1]})"


def _target(found: re.Match[str]) -> str:
    name, target = found[2].strip(), found[3].strip("<>")
    what = f"image {name}" if found[1] else name
    return target if not name or name == target else f"{what} ({target})"


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def spoken(markdown: str, *, raw: bool = False) -> str:
    """A whole text as such lines, with one newline at its end."""
    speaker = Speaker(raw=raw)
    return (speaker.feed(markdown) + speaker.end()).rstrip("\n") + "\n"


def one_line(text: str) -> str:
    """Untrusted *text* on one clean line."""
    return " ".join(sanitize(text).split())
