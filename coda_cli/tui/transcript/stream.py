"""Markdown that still grows, as finished blocks, which are drawn once, and a tail, which is drawn anew."""

from __future__ import annotations

from collections.abc import Callable

from coda_cli.engine.rendering.blocks import BlockSplitter
from coda_cli.engine.rendering.sanitize import Sanitizer, sanitize
from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.markdown.text import Key, clean
from coda_cli.tui.transcript.blocks import (
    HUGE,
    OPEN_ITEM,
    Block,
    References,
    chunks,
    finished_blocks,
    markdown_block,
    plain_block,
)
from coda_cli.tui.transcript.fence import OpenFence, content_lines
from coda_cli.tui.transcript.growing import LONG, Growing, growing

Job = Callable[[float], bool]
"""Work that can be done bit by bit: takes a budget in seconds, says whether it is done."""


class MarkdownStream:
    """Takes raw text and keeps `blocks`, which no later text changes, and `tail`, the blocks of what is still open.

    `feed` splits, `draw` brings the tail up to date: once a frame, however much was fed. `jobs` is what is left to do
    for blocks that are finished.
    """

    def __init__(self, renderer: MarkdownRenderer, width: Callable[[], int], *, style: Key = ()) -> None:
        self._renderer = renderer
        self._width = width
        self._style = style
        self._sanitizer = Sanitizer()
        self._splitter = BlockSplitter()
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
        if (len(tail) > LONG or self._growing is not None) and not self._pieces:
            parts = self._in_parts(tail, references)
            if self._growing is not None and self._growing.release is not None:
                tail = self._splitter.tail
            if parts is not None and len(tail) <= OPEN_ITEM:
                self.tail = parts
                return
        if len(tail) > (OPEN_ITEM if self._growing is not None else HUGE):
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
        self._finished(self._splitter.finish())
        self.tail = []
        # A definition at the end makes links of what stood above it.
        if self._splitter.references or self.source != sanitize(text):
            return None
        return self.blocks

    def _take(self, safe: str) -> None:
        self._source.append(safe)
        self._drawn = False
        self._finished(self._splitter.feed(safe))

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
