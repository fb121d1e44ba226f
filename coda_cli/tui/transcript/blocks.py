"""The rows of a transcript and the blocks that they come in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from coda_cli.engine.rendering.parsing import block_tokens
from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.markdown.text import HARD, PANEL, SOFT, Key, Line, clean, fold, marked, plain, wrap

if TYPE_CHECKING:
    from textual.strip import Strip

References = Mapping[str, dict[str, object]]
Draw = Callable[[int], list[Line]]

# Plain text is cut into pieces of about this many characters: only those that are seen are wrapped.
CHUNK: Final = 8192
# A block longer or heavier than this (see `weight`) is shown as plain text, in such pieces, if it cannot be taken in
# parts: to parse, wrap or draw it whole would hold up the keys.
HUGE: Final = 32_768
HEAVY: Final = 30_000
# One that still grows, as a list's last item may, is drawn whole in every frame: from here on as plain text.
HEAVY_OPEN: Final = 12_000
# How many characters, and how many lines and marks, take about a microsecond.
_CHARS: Final = 4
_LINE: Final = 24
_MARK: Final = 10
_MARKS: Final = "*_`~[]$&<|:\\"
_FENCED: Final = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_CODE: Final = frozenset({"fence", "code_block"})


class Row:
    """One row of the screen: runs of text and how it goes on with the row before."""

    __slots__ = ("fill", "joint", "runs", "stamp", "strip")

    def __init__(self, runs: Line, joint: str, fill: Key) -> None:
        self.runs = runs
        self.joint = joint
        """What stood between this row and the one before: a newline, a space that wrapping took, or nothing."""
        self.fill = fill
        """The style of the whole row, under its text."""
        self.strip: Strip | None = None
        self.stamp: object = None
        """What `strip` was made for."""

    @property
    def text(self) -> str:
        """The row's text as it is seen."""
        return plain(self.runs)


def rows_of(lines: Iterable[Line], style: Key = (), fill: Key = ()) -> list[Row]:
    """Rows for *lines*, whose empty runs are taken as the marks that they are."""
    rows = []
    for line in lines:
        joint, under, runs = "\n", fill, line
        if not all(run[0] for run in line):
            if SOFT in line:
                joint = " "
            if HARD in line:
                joint = ""
            if PANEL in line:
                under = (*fill, "panel")
            runs = [run for run in line if run[0]]
        if style:
            runs = [(text, (*style, *key)) for text, key in runs]
        rows.append(Row(runs, joint, under))
    return rows


@dataclass(eq=False, slots=True)
class Block:
    """A part of a message that is drawn as one: a paragraph, a list, a piece of code, the line above the message.

    `source` is what copying all of it gives (None: it is no text of the message). `height` is estimated until the
    block is laid out. `style` goes under all of its text, `fill` under its whole rows.
    """

    draw: Draw
    source: str | None = None
    gap: bool = False
    style: Key = ()
    fill: Key = ()
    height: int = 1
    rows: list[Row] | None = field(default=None, repr=False)
    waits: bool = False
    """Whether it was drawn with code that has yet to get its colours."""
    touched: int | None = None
    """The first row that has changed, in a block that grows in place."""

    def redraw(self) -> None:
        """Have it laid out anew when it is seen next."""
        self.rows, self.touched = None, 0

    def estimate(self, width: int) -> None:
        """Guess the height without drawing anything."""
        self.rows = None
        if self.source is not None:
            self.height = self.gap + estimate(self.source, width)

    def lay(self, width: int) -> list[Row]:
        """The rows at *width* cells; drawn once."""
        if self.rows is None:
            rows = rows_of(self.draw(width), self.style, self.fill)
            if self.gap and rows:
                rows.insert(0, Row([], "\n", ()))
            self.rows = rows
            self.height = len(rows)
        return self.rows


def estimate(source: str, width: int) -> int:
    """About how many rows *source* takes."""
    return sum(1 + len(line) // width for line in source.rstrip("\n").split("\n"))


def fixed(lines: list[Line]) -> Block:
    """A block of lines that are no text of the message; they are cut, not wrapped, where there is no room."""
    block = Block(lambda width: [fold(line, width)[0] for line in lines])
    block.height = len(lines)
    return block


def plain_lines(text: str, width: int, key: Key = ()) -> list[Line]:
    """*text*, which must be clean, wrapped without being taken for Markdown."""
    out: list[Line] = []
    for line in text.expandtabs(4).split("\n"):
        run: Line = [(line, key)] if line else []
        for piece in marked(run, wrap(run, width)):
            first, *others = fold(piece, width)
            marks = [each for each in piece if not each[0]]
            out.append([*marks, *(each for each in first if each[0])])
            out += [[HARD, *other] for other in others]
    return out


def plain_blocks(text: str, *, style: Key = (), fill: Key = (), gap: bool = False) -> list[Block]:
    """Blocks of plain, untrusted *text*."""
    return [
        plain_block(part, style=style, fill=fill, gap=gap and not place)
        for place, part in enumerate(chunks(clean(text).strip("\n")))
    ]


def plain_block(part: str, *, style: Key = (), fill: Key = (), gap: bool = False) -> Block:
    """A piece that `chunks` gives as a block."""
    return Block(partial(plain_lines, part.removesuffix("\n")), part, gap, style, fill)


def chunks(text: str) -> Iterator[str]:
    """Pieces of at most about CHUNK characters that end after a line, or after a space of a huge line."""
    at = 0
    while len(text) - at > CHUNK:
        end = text.rfind("\n", at, at + CHUNK)
        if end <= at:
            end = text.rfind(" ", at, at + CHUNK)
        end = end + 1 if end > at else at + CHUNK
        yield text[at:end]
        at = end
    yield text[at:]


def weight(source: str) -> int:
    """About how many microseconds it takes to parse and draw *source* as one block of Markdown."""
    return len(source) // _CHARS + _LINE * source.count("\n") + _MARK * sum(map(source.count, _MARKS))


def too_heavy(source: str, *, growing: bool = False) -> bool:
    """Whether *source* is too long or too heavy to be one block of Markdown, or to be drawn in every frame."""
    most = HEAVY_OPEN if growing else HEAVY
    return len(source) > HUGE or (len(source) * _LINE > most and weight(source) > most)


def told_plain(source: str, *, style: Key = (), gap: bool = False) -> list[Block]:
    """Blocks of *source* as plain text, under a line that says so."""
    note = fixed([[("shown as plain text", ("muted",))]])
    note.gap, note.height = gap, 1 + gap
    return [note, *plain_blocks(source, style=style)]


def drawn_by(
    renderer: MarkdownRenderer,
    draw: Draw,
    source: str,
    *,
    style: Key = (),
    gap: bool = False,
) -> Block:
    """A block that *renderer* draws, which knows whether code in it has yet to get its colours."""

    def watched(width: int) -> list[Line]:
        before = renderer.put_off
        lines = draw(width)
        block.waits = renderer.put_off != before
        return lines

    block = Block(watched, source, gap, style)
    return block


def markdown_block(
    renderer: MarkdownRenderer,
    source: str,
    references: References,
    *,
    style: Key = (),
    gap: bool = False,
    growing: bool = False,
) -> Block:
    """A block for the source of one top-level Markdown block, which must be sanitized."""

    def draw(width: int) -> list[Line]:
        return renderer.render(source, width, folded=True, references=references, growing=growing)

    return drawn_by(renderer, draw, source, style=style, gap=gap)


def finished_blocks(
    renderer: MarkdownRenderer, source: str, references: References, *, style: Key = (), gap: bool = False
) -> list[Block]:
    """The block of one finished top-level Markdown block, or the pieces of one that is too heavy."""
    if too_heavy(source) and not is_code(source):
        return told_plain(source, style=style, gap=gap)
    return [markdown_block(renderer, source, references, style=style, gap=gap)]


def is_code(source: str) -> bool:
    """Whether the source of one block is one of code."""
    if not source.startswith(("    ", "\t")) and _FENCED.search(source) is None:
        return False
    tokens = block_tokens(source)
    return len(tokens) == 1 and tokens[0].type in _CODE
