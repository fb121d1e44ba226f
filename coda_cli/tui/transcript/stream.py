"""Markdown that still grows, as finished blocks, which are drawn once, and a tail, which is drawn anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from coda_cli.engine.rendering.blocks import BlockSplitter
from coda_cli.engine.rendering.sanitize import Sanitizer, sanitize
from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.markdown.text import Key, clean
from coda_cli.tui.transcript.blocks import (
    HEAVY,
    HEAVY_OPEN,
    HUGE,
    Block,
    References,
    chunks,
    finished_blocks,
    markdown_block,
    plain_block,
    told_plain,
    too_heavy,
    weight,
)
from coda_cli.tui.transcript.fence import OpenFence, content_lines
from coda_cli.tui.transcript.growing import LONG, PARTED, Growing, growing

_SLICE: Final = 4096
_COLOSSAL: Final = 400_000
"""Characters of a stored text from which on it is no Markdown at all: to split it into blocks would take seconds."""
_AT_ONCE: Final = 10_000
"""What a stored text may weigh to be taken at once."""

Job = Callable[[float], bool]
"""Work that can be done bit by bit: takes a budget in seconds, says whether it is done."""


class MarkdownStream:
    """Takes raw text and keeps `blocks`, which no later text changes, and `tail`, the blocks of what is still open.

    `feed` splits, `draw` brings the tail up to date: once a frame, however much was fed. `jobs` is what is left to do
    for blocks that are finished.
    """

    def __init__(
        self,
        renderer: MarkdownRenderer,
        width: Callable[[], int],
        *,
        style: Key = (),
        references: dict[str, dict[str, object]] | None = None,
    ) -> None:
        """*references* are link definitions that are known beforehand."""
        self._renderer = renderer
        self._width = width
        self._style = style
        self._sanitizer = Sanitizer()
        self._splitter = BlockSplitter(limit=HEAVY)
        self._splitter.references.update(references or {})
        self._source: list[str] = []
        self._fence: OpenFence | None = None
        self._opener = ""
        self._growing: Growing | None = None
        self._whole = ""
        """The kind of the open block, if that could not be taken in parts."""
        self._pieces: list[Block] = []
        self._drawn = True
        self.blocks: list[Block] = []
        self.tail: list[Block] = []
        self.jobs: list[Job] = []

    @property
    def fed(self) -> bool:
        """Whether any text has come."""
        return bool(self._source)

    @property
    def costly(self) -> bool:
        """Whether what comes next is likely to be code, which takes longer to draw than text."""
        return self._splitter.open_fence is not None

    @property
    def source(self) -> str:
        """All of it so far, sanitized."""
        return "".join(self._source)

    def feed(self, text: str) -> None:
        """Take the next piece of raw text."""
        if safe := self._sanitizer.feed(text):
            self._take(safe)

    def draw(self) -> None:
        """Bring `tail` up to date."""
        if self._drawn:
            return
        self._drawn = True
        opener = self._splitter.open_fence
        if opener is not None:
            if self._fence is None:
                self._fence = OpenFence(opener, gap=bool(self.blocks), style=self._style)
                self._opener = opener
            lines = self._splitter.fence_lines(self._fence.taken)
            self._fence.update(lines, self._splitter.partial, self._width())
            self.tail = [self._fence.block]
            return
        tail = self._splitter.tail
        references = dict(self._splitter.references)
        huge = len(self._splitter.partial) > HUGE  # a line that will be no Markdown
        if (self._growing is not None and not huge) or (len(tail) > LONG and not self._pieces):
            parts = self._in_parts(tail, references)
            if self._growing is not None and self._growing.release is not None:
                tail = self._splitter.tail
                self._pieces = []
            if parts is not None and not too_heavy(tail, growing=True):
                self.tail, self._pieces = parts, []
                return
        if too_heavy(tail, growing=True):
            done = self._growing.parts if self._growing is not None else []
            self.tail = [*done, *self._in_pieces(tail)]
            return
        self._pieces = []
        self.tail = [self._block(tail, references, growing=True)] if tail.strip() else []

    def _in_pieces(self, source: str) -> list[Block]:
        """A huge open block as plain text; pieces that were there stay."""
        del self._pieces[-1:]  # the last one grows
        at = sum(len(piece.source or "") for piece in self._pieces)
        for part in chunks(clean(source[at:])):
            gap = bool(self.blocks) and not self._pieces
            self._pieces.append(plain_block(part, style=self._style, gap=gap))
        return self._pieces

    def _in_parts(self, source: str, references: References, *, final: bool = False) -> list[Block] | None:
        """The parts of a long open list or table; None if it is none, or one that cannot be taken in parts."""
        if self._growing is None and not final and self._splitter.open_kind != self._whole:
            self._growing = growing(self._splitter.open_kind, self._renderer, style=self._style, gap=bool(self.blocks))
        if self._growing is None:
            return None
        parts = self._growing.update(source, references, final=final)
        if self._growing.release is not None:
            self._splitter.release(*self._growing.release)
        if parts is None:
            self.blocks += self._growing.parts
            self._growing, self._whole = None, self._splitter.open_kind
        return parts

    def final(self, text: str) -> list[Block] | None:
        """The blocks of the whole, if they are those of *text*; nothing can be fed after it."""
        if rest := self._sanitizer.flush():
            self._take(rest)
        self.finish()
        # A definition at the end makes links of what stood above it.
        if self._splitter.references or self._splitter.cut_short or self.source != sanitize(text):
            return None
        return self.blocks

    def finish(self) -> None:
        """There is no more: `blocks` is all."""
        self._finished(self._splitter.finish())
        self.tail = []

    @property
    def references(self) -> dict[str, dict[str, object]]:
        """The link definitions that have come."""
        return self._splitter.references

    def part(self) -> None:
        """Take what is complete of a long list or table as parts."""
        if self._splitter.open_kind in PARTED and len(self._splitter.tail) > LONG:
            self.draw()

    def _take(self, safe: str) -> None:
        for at in range(0, len(safe), _SLICE):
            piece = safe[at : at + _SLICE]
            self._source.append(piece)
            self._drawn = False
            self._finished(self._splitter.feed(piece))
            if self._splitter.weight > HEAVY_OPEN:
                self.part()

    def _finished(self, sources: list[str]) -> None:
        for source in sources:
            if self._growing is not None:
                parts = self._in_parts(source, self._splitter.references, final=True)
                self._growing, self._whole = None, ""
                if parts is not None:
                    self.blocks += parts
                    continue
            self._whole, self._pieces = "", []
            if self._fence is None:
                self.blocks += finished_blocks(
                    self._renderer, source, self._splitter.references, style=self._style, gap=bool(self.blocks)
                )
                continue
            block = self._block(source, self._splitter.references)
            fence, self._fence = self._fence, None
            fence.update(content_lines(source, self._opener)[fence.taken :], "", self._width(), whole=True)
            if (job := fence.close(block)) is not None:
                self.jobs.append(job)
            self.blocks.append(block)

    def _block(self, source: str, references: dict[str, dict[str, object]], *, growing: bool = False) -> Block:
        return markdown_block(
            self._renderer, source, references, style=self._style, gap=bool(self.blocks), growing=growing
        )


class Filling:
    """The blocks of a whole text, made bit by bit as if it streamed in."""

    def __init__(self, renderer: MarkdownRenderer, source: str, *, style: Key = ()) -> None:
        """*source* must be sanitized."""
        self._renderer = renderer
        self._source = source
        self._style = style
        self._at = 0
        self._again = False
        self._stream = MarkdownStream(renderer, lambda: 80, style=style)

    def work(self, more: Callable[[], bool]) -> list[Block] | None:
        """Go on as long as there is time for *more*; the blocks once they are complete."""
        while self._at < len(self._source):
            self._stream.feed(self._source[self._at : self._at + _SLICE])
            self._at += _SLICE
            self._stream.part()
            if not more():
                return None
        self._stream.finish()
        if self._stream.references and not self._again:
            # A definition makes links of what stood above it: all of it once more.
            known = self._stream.references
            self._stream = MarkdownStream(self._renderer, lambda: 80, style=self._style, references=known)
            self._at, self._again = 0, True
            return self.work(more)
        return self._stream.blocks


def filling(renderer: MarkdownRenderer, source: str, *, style: Key = ()) -> Filling | list[Block]:
    """The blocks of a whole Markdown text, which must be sanitized, or if that takes long, what makes them."""
    if len(source) > _COLOSSAL:
        return told_plain(source, style=style)
    if weight(source) > _AT_ONCE:
        return Filling(renderer, source, style=style)
    splitter = BlockSplitter()
    sources = [*splitter.feed(source), *splitter.finish()]
    return [
        block
        for place, part in enumerate(sources)
        for block in finished_blocks(renderer, part, splitter.references, style=style, gap=place > 0)
    ]


def markdown_blocks(renderer: MarkdownRenderer, source: str, *, style: Key = ()) -> list[Block]:
    """The blocks of a whole Markdown text, which must be sanitized."""
    made = filling(renderer, source, style=style)
    return made if isinstance(made, list) else made.work(lambda: True) or []
