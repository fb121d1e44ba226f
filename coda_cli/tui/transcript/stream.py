"""Markdown that still grows, as finished blocks, which are drawn once, and a tail, which is drawn anew."""

from __future__ import annotations

from coda_cli.engine.rendering.blocks import BlockSplitter
from coda_cli.engine.rendering.sanitize import Sanitizer, sanitize
from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.markdown.text import Key
from coda_cli.tui.transcript.blocks import Block, markdown_block


class MarkdownStream:
    """Takes raw text and keeps `blocks`, which no later text changes, and `tail`, the blocks of what is still open."""

    def __init__(self, renderer: MarkdownRenderer, *, style: Key = ()) -> None:
        self._renderer = renderer
        self._style = style
        self._sanitizer = Sanitizer()
        self._splitter = BlockSplitter()
        self._source: list[str] = []
        self.blocks: list[Block] = []
        self.tail: list[Block] = []

    @property
    def fed(self) -> bool:
        """Whether any text has come."""
        return bool(self._source)

    @property
    def source(self) -> str:
        """All of it so far, sanitized."""
        return "".join(self._source)

    def feed(self, text: str) -> None:
        """Take the next piece of raw text."""
        if safe := self._sanitizer.feed(text):
            self._take(safe)

    def final(self, text: str) -> list[Block] | None:
        """The blocks of the whole, if they are those of *text*; nothing can be fed after it."""
        if rest := self._sanitizer.flush():
            self._take(rest)
        for source in self._splitter.finish():
            self._finished(source)
        self.tail = []
        # A definition at the end makes links of what stood above it.
        if self._splitter.references or self.source != sanitize(text):
            return None
        return self.blocks

    def _take(self, safe: str) -> None:
        self._source.append(safe)
        for source in self._splitter.feed(safe):
            self._finished(source)
        tail = self._splitter.tail
        self.tail = []
        if tail.strip():
            references = {**self._splitter.references}
            self.tail = [markdown_block(self._renderer, tail, references, style=self._style, gap=bool(self.blocks))]

    def _finished(self, source: str) -> None:
        self.blocks.append(
            markdown_block(self._renderer, source, self._splitter.references, style=self._style, gap=bool(self.blocks))
        )
