"""One entry of the transcript as blocks, made when it is first seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from coda_cli.chat.entry import Entry
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.tui.transcript import parts
from coda_cli.tui.transcript.blocks import Block, Row, estimate, plain_blocks
from coda_cli.tui.transcript.heights import Heights
from coda_cli.tui.transcript.stream import Filling, Job, MarkdownStream, filling

REASONING: Final = ""
SUMMARY: Final = "summary"
_PLAIN: Final[dict[str, tuple[str, ...]]] = {"user": ("user_text",), "assistant": ()}
"""The style of a text that is no Markdown, or is shown as it was written."""


class Setting(Struct):
    """What all entries are laid out with."""

    width: int = 80
    reasoning_open: bool = False
    tools_open: bool = False
    raw: bool = False
    renderer: MarkdownRenderer = field(default_factory=lambda: MarkdownRenderer(widget=True, wait=False))
    now: Callable[[], float] = lambda: 0.0


class EntryView:
    """An entry, its blocks and their heights; `height` is estimated until `split()`, and block by block after it."""

    def __init__(self, entry: Entry, setting: Setting) -> None:
        self.entry = entry
        self._setting = setting
        self.blocks: list[Block] | None = None
        self.heights = Heights()
        self.folds: dict[str, bool] = {}
        """What a click has folded or unfolded: "" is the reasoning, else a tool call's id."""
        self.text: MarkdownStream | None = None
        """The text, while it streams."""
        self.reasoning: MarkdownStream | None = None
        self.jobs: list[Job] = []
        self.thought: float | None = None
        """Seconds of reasoning, where it was watched."""
        self._head: list[Block] = []
        self._thoughts: list[Block] | None = None
        self._body: list[Block] | None = None
        self._foot: list[Block] = []
        self._fillings: dict[str, Filling] = {}
        """By field: what makes the blocks of a long text bit by bit."""
        self._fold_line: tuple[object, Block] | None = None
        self._guess = 0
        self.estimate()

    @property
    def height(self) -> int:
        """Rows, as far as is known."""
        return self.heights.total if self.blocks is not None else self._guess

    @property
    def streaming(self) -> bool:
        """Whether the text still grows."""
        return self.text is not None

    @property
    def source(self) -> str:
        """The raw text; while it streams, what has come of it, sanitized."""
        return self.text.source if self.text is not None else self.entry.text

    def estimate(self) -> None:
        """Guess the height from the length of the lines."""
        width = self._setting.width
        self._guess = 3 + estimate(self.entry.text, width) + 2 * len(self.entry.tools) + bool(self.entry.attached)
        if self.entry.kind == "assistant":
            self._guess += 2 + 2 * bool(self.entry.reasoning)

    def forget(self) -> None:
        """Drop what was laid out; the height stays as it was found."""
        if self.blocks is not None and not self.streaming:
            self._guess = self.height
            self.blocks = self._body = self._thoughts = None
            self._fillings.clear()
            self.heights = Heights()

    def relay(self) -> None:
        """The width has changed: estimate anew and lay out what is seen. Blocks keep their sources."""
        self.estimate()
        if self.blocks is None:
            return
        for block in self.blocks:
            block.estimate(self._setting.width)
        self.heights = Heights(block.height for block in self.blocks)

    def split(self) -> list[Block]:
        """The blocks, made once."""
        blocks = self.blocks
        if blocks is None:
            blocks = self._make()
            self._set(blocks)
        return blocks

    def update(self, entry: Entry) -> None:
        """Show another state of the entry; what streams goes on."""
        if entry.text != self.entry.text:
            self._body = None
            self._fillings.pop("text", None)
        if entry.reasoning != self.entry.reasoning:
            self._thoughts = None
            self._fillings.pop("reasoning", None)
        self.entry = entry
        if self.blocks is None:
            self.estimate()
        else:
            self._set(self._make())

    def lay(self, at: int) -> list[Row]:
        """The rows of block number *at*."""
        block = self.split()[at]
        rows = block.lay(self._setting.width)
        self.heights.set(at, block.height)
        return rows

    def is_open(self, part: str) -> bool:
        """Whether the reasoning ("") or the card of a tool call is unfolded."""
        default = self._setting.reasoning_open if part == REASONING else self._setting.tools_open and part != SUMMARY
        return self.folds.get(part, default)

    def toggle(self, part: str) -> None:
        """Fold or unfold a part."""
        self.folds[part] = not self.is_open(part)
        self.rebuild()

    def toggle_all(self) -> None:
        """Unfold everything that folds, or if all of it is unfolded, fold it."""
        there = [SUMMARY] if self.entry.kind == "summary" else [tool.id for tool in self.entry.tools]
        if self.entry.reasoning or self.reasoning is not None:
            there.append(REASONING)
        unfold = not all(self.is_open(part) for part in there)
        self.folds.update(dict.fromkeys(there, unfold))
        self.rebuild()

    def unfold(self) -> None:
        """Unfold everything that folds."""
        self.folds.update(dict.fromkeys([REASONING, SUMMARY, *(tool.id for tool in self.entry.tools)], True))
        self.rebuild()

    def redraw(self) -> None:
        """Make all blocks again: what the text is drawn as has changed."""
        self._body = self._thoughts = None
        self._fillings.clear()
        self.rebuild()

    def recolour(self) -> None:
        """Colours have been found: blocks with code that waits for them are drawn anew."""
        for block in self.blocks or ():
            if block.waits:
                block.rows = None

    def aged(self) -> bool:
        """Bring "5 min ago" up to date where it is laid out; whether anything changed."""
        if self.blocks is None or not self.entry.created or not self._head:
            return False
        old, new = self._head[0], self._make_head()[0]
        width = self._setting.width
        if old.rows is None or [row.runs for row in old.rows] == [row.runs for row in new.lay(width)]:
            return False
        old.draw, old.rows = new.draw, new.rows
        return True

    def rebuild(self) -> None:
        """Make the blocks around the text again."""
        if self.blocks is not None:
            self._set(self._make())

    def begin(self) -> None:
        """The text streams from now on; what the entry has of it already is the start."""
        setting = self._setting
        self.text = MarkdownStream(setting.renderer, lambda: setting.width)
        self.reasoning = MarkdownStream(setting.renderer, lambda: setting.width, style=("reasoning",))
        self.text.feed(self.entry.text)
        self.reasoning.feed(self.entry.reasoning)
        self.text.draw()
        self.reasoning.draw()
        self.blocks = None
        self.split()

    def grown(self) -> int:
        """The streams have taken more text: put their new blocks in; returns the first row that is another one."""
        old = self.split()
        for stream in (self.reasoning, self.text):
            if stream is not None:
                stream.draw()
        new = self._assemble()
        same, most = 0, min(len(old), len(new))
        while same < most and old[same] is new[same] and new[same].touched is None:
            same += 1
        first = self.heights.start(same)
        if same < most:
            first += self._first_changed(old[same], new[same])
        self._estimate_new(new[same:])
        for block in new[same:]:
            block.touched = None
        self.heights.replace(same, len(old), [block.height for block in new[same:]])
        self.blocks = new
        return first

    def _first_changed(self, old: Block, new: Block) -> int:
        """The first row of *new* that is not one of *old*'s."""
        if old is new:
            return new.touched or 0
        return _reuse(old.rows, new.lay(self._setting.width)) if old.rows is not None else 0

    def work(self, budget: float) -> bool:
        """Do what is left to do for finished blocks, for *budget* seconds; whether there is more."""
        for stream in (self.reasoning, self.text):
            if stream is not None:
                self.jobs += stream.jobs
                stream.jobs.clear()
        if self.jobs and self.jobs[0](budget):
            del self.jobs[0]
        return bool(self.jobs)

    def end(self, entry: Entry) -> None:
        """The text is complete. What was drawn stays where the stream gave the very text of *entry*."""
        text, reasoning = self.text, self.reasoning
        self.text = self.reasoning = None
        self.entry = entry
        self._body = text.final(entry.text) if text is not None and not self._setting.raw else None
        self._thoughts = reasoning.final(entry.reasoning) if reasoning is not None else None
        if text is not None and self._body is None and not self._setting.raw:
            self._body = self._fill("text", entry.text, (), text.blocks)
        self.jobs += [job for stream in (text, reasoning) if stream is not None for job in stream.jobs]
        if self.blocks is None:
            self.estimate()
        else:
            self._set(self._make())

    def _set(self, blocks: list[Block]) -> None:
        self._estimate_new(blocks)
        self.blocks = blocks
        self.heights = Heights(block.height for block in blocks)

    def _estimate_new(self, blocks: list[Block]) -> None:
        for block in blocks:
            if block.rows is None:
                block.estimate(self._setting.width)

    def _make(self) -> list[Block]:
        entry = self.entry
        self._head = self._make_head()
        self._foot = [
            parts.card(tool, unfolded=self.is_open(tool.id), running=self.streaming or entry.status == "streaming")
            for tool in entry.tools
        ]
        if entry.kind == "assistant" and not self.streaming and (foot := parts.footer(entry)) is not None:
            self._foot.append(foot)
        return self._assemble()

    def _make_head(self) -> list[Block]:
        entry = self.entry
        match entry.kind:
            case "note":
                return plain_blocks(f"· {entry.text}", style=("muted",), gap=True)
            case "error":
                block = parts.failure(entry)
                block.gap = True
                return [block]
            case "summary":
                return [parts.summary_head(entry, unfolded=self.is_open(SUMMARY))]
            case _:
                head = parts.header(entry, self._setting.now())
                head.gap = True
                return [head, *([parts.attachments(entry.attached)] if entry.attached else [])]

    def _assemble(self) -> list[Block]:
        return [*self._head, *self._reasoning(), *self._text(), *self._foot]

    def _reasoning(self) -> list[Block]:
        if self.reasoning is None and not self.entry.reasoning:
            return []
        unfolded = self.is_open(REASONING)
        if self.reasoning is not None:
            if not self.reasoning.fed:
                return []
            thinking = self.text is not None and not self.text.fed
            if self._fold_line is None or self._fold_line[0] != (unfolded, thinking, self.thought):
                words = len(self.entry.reasoning.split())
                line = parts.reasoning_head(words, self.thought, unfolded=unfolded, thinking=thinking)
                self._fold_line = ((unfolded, thinking, self.thought), line)
            blocks = [*self.reasoning.blocks, *self.reasoning.tail]
            return [self._fold_line[1], *(blocks if unfolded else [])]
        head = parts.reasoning_head(len(self.entry.reasoning.split()), self.thought, unfolded=unfolded, thinking=False)
        if not unfolded:
            return [head]
        if self._thoughts is None:
            self._thoughts = self._fill("reasoning", self.entry.reasoning, ("reasoning",))
        return [head, *self._thoughts]

    def _text(self) -> list[Block]:
        entry = self.entry
        if self.text is not None:
            return [*self.text.blocks, *self.text.tail]
        if entry.kind in ("note", "error") or (entry.kind == "summary" and not self.is_open(SUMMARY)):
            return []
        if self._body is None:
            if entry.kind in ("assistant", "summary") and not self._setting.raw:
                self._body = self._fill("text", entry.text, ())
            else:
                style = _PLAIN.get(entry.kind, ("muted",))
                self._body = plain_blocks(entry.text, style=style, fill=style) if entry.text else []
        return self._body

    @property
    def filling(self) -> bool:
        """Whether what stands there is not yet what it will be."""
        return bool(self._fillings) and self.blocks is not None

    def fill(self, more: Callable[[], bool]) -> bool:
        """Go on with that as long as there is time for *more*; whether the blocks are others now."""
        changed = False
        for field_name, made in list(self._fillings.items()):
            if (blocks := made.work(more)) is None:
                break
            changed = True
            del self._fillings[field_name]
            if field_name == "text":
                self._body = blocks
            else:
                self._thoughts = blocks
        if changed:
            self._set(self._make())
        return changed

    def _fill(self, name: str, text: str, style: tuple[str, ...], until: list[Block] | None = None) -> list[Block]:
        """The blocks of a Markdown text; of a long one *until* it is taken bit by bit those, or its plain text."""
        made = filling(self._setting.renderer, sanitize(text), style=style)
        if isinstance(made, list):
            return made
        self._fillings[name] = made
        return until if until is not None else plain_blocks(text, style=style)


def _reuse(old: list[Row], new: list[Row]) -> int:
    """Put the rows of *old* into *new* as far as both begin alike, for their strips; returns how many those are."""
    count = 0
    for before, after in zip(old, new, strict=False):
        if before.runs != after.runs or before.fill != after.fill or before.joint != after.joint:
            break
        new[count] = before
        count += 1
    return count
