"""An answer in Markdown, rendered on a terminal while it streams.

Finished blocks are printed once and belong to the terminal's scrollback. Only the tail, what may still change, is
drawn again, at most ten times a second, by going up over its own rows: no alternate screen, nothing hidden.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from coda_cli.cli.output import colour as wants_colour
from coda_cli.engine.rendering.blocks import BlockSplitter
from coda_cli.engine.rendering.sanitize import Sanitizer
from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.markdown.text import Palette, clean, load_theme, wrap
from coda_cli.paths import themes_dir

INTERVAL: Final = 0.1
"""Seconds from one frame to the next, at least."""

# A frame that takes long (a slow machine, a huge block) puts the next one off, so that drawing never eats the
# processor: a frame's own time may be a fifth of all.
_EASE: Final = 4.0
_SYNC: Final = ("\x1b[?2026h", "\x1b[?2026l")
# A row of the tail is one row of the screen even where the terminal thinks a character wider than we do.
_NO_WRAP: Final = ("\x1b[?7l", "\x1b[?7h")
_FALLBACK: Final = (80, 24)

Size = Callable[[], tuple[int, int]]


class MarkdownWriter:
    """Shows streamed, untrusted Markdown on *stream*, a terminal.

    Call `write()` with every piece of text, `tick()` from a timer of about `INTERVAL` seconds, and `finish()` at the
    end or `abort()` if it ends early; as a context manager it does the last two itself. All calls are synchronous and
    come from one thread. Between frames the cursor stands in the first column under the text. OSError from the stream
    gets through to the caller, and nothing is written after one.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        width: int | None = None,
        theme: Path | None = None,
        colour: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
        size: Size | None = None,
    ) -> None:
        """*theme* is a theme file (default: `ansi.toml`); *colour* None asks `output.colour`.

        *width* fixes the width in cells; *size* gives (columns, rows) for every frame instead of the terminal.
        """
        self._stream = stream
        self._fixed_width = width
        self._size = size or (lambda: _terminal_size(stream))
        self._clock = clock
        coloured = wants_colour(stream) if colour is None else colour
        encode = _encoder(stream)
        styles = load_theme(theme or themes_dir() / "ansi.toml") if coloured else None
        self._palette = Palette(styles, encode=encode)
        self._renderer = MarkdownRenderer(colour=coloured, unicode=encode is None)
        self._sanitizer = Sanitizer()
        self._splitter = BlockSplitter()
        self._pending: list[str] = []
        self._unprinted: list[str] = []
        self._shown: list[str] = []
        self._columns = 0
        self._printed = False
        self._closed = False
        self._due = float("-inf")
        self.frames = 0
        """How many frames were drawn."""

    @property
    def rendered_chars(self) -> int:
        """How many characters of source were rendered in all frames."""
        return self._renderer.rendered_chars

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.abort()

    def prepare(self) -> None:
        """Load what the first frame needs, about 0.1 s: call it while the model is still thinking."""
        self._palette.paint(self._renderer.render("`\u2014`", 80)[0])

    def write(self, text: str) -> None:
        """Take raw text of a model; draws if a frame is due."""
        safe = self._sanitizer.feed(text)
        if not safe or self._closed:
            return
        self._unprinted.append(safe)
        self._pending.append(safe)
        self.tick()

    def tick(self) -> bool:
        """Draw what came since the last frame, if it is time; whether some text still waits for the next tick."""
        if not self._pending or self._closed:
            return False
        start = self._clock()
        if start < self._due:
            return True
        self._frame()
        end = self._clock()
        self._due = max(start + INTERVAL, end + _EASE * (end - start))
        return False

    def finish(self, note: str | None = None) -> None:
        """Print all that is left, then *note* on a line of its own. Nothing can be written afterwards."""
        self._close(note, reset=False)

    def abort(self, note: str | None = None) -> None:
        """As `finish()`, for an end by Ctrl-C or an error: also puts the terminal's modes back. Never fails twice."""
        self._close(note, reset=True)

    def clear(self) -> None:
        """Take the tail off the screen so that something else can be printed; the next frame shows it again."""
        if self._closed or not self._shown:
            return
        columns, rows = self._measure()
        self._draw([], [], columns, rows)
        self._pending.append("")

    def _frame(self) -> None:
        columns, rows = self._measure()
        text, self._pending = "".join(self._pending), []
        printed = self._print_blocks(self._splitter.feed(text), columns)
        room = max(1, rows - 1)
        tail = self._renderer.render(
            self._splitter.preview(room + 2, 4 * columns * (room + 1)),
            columns,
            folded=True,
            references=self._splitter.references,
        )
        lines = [self._palette.paint(line) for line in tail]
        if lines and self._printed:
            lines.insert(0, "")
        self._draw(printed, lines[-room:], columns, rows)
        self._unprinted = [self._splitter.tail]
        self.frames += 1

    def _close(self, note: str | None, *, reset: bool) -> None:
        if self._closed:
            return
        self._closed = True
        # From the text and not from the splitter: an interrupt may have left that in the middle of a step.
        text = "".join(self._unprinted) + self._sanitizer.flush()
        splitter = BlockSplitter()
        splitter.references.update(self._splitter.references)
        self._splitter = splitter
        columns, rows = self._measure()
        printed = self._print_blocks([*splitter.feed(text), *splitter.finish()], columns)
        if note:
            if self._printed:
                printed.append("")
            for line in wrap([(clean(note).replace("\n", " "), ("note",))], columns):
                printed.append(self._palette.paint(line))
        self._draw(printed, [], columns, rows, reset=reset)
        self._unprinted = []

    def _print_blocks(self, blocks: list[str], columns: int) -> list[str]:
        """The painted lines of finished blocks, each after the first with an empty line before it."""
        out: list[str] = []
        for block in blocks:
            lines = self._renderer.render(block, columns, references=self._splitter.references)
            if not lines:
                continue
            if self._printed:
                out.append("")
            self._printed = True
            out += [self._palette.paint(line) for line in lines]
        return out

    def _draw(self, printed: list[str], tail: list[str], columns: int, rows: int, *, reset: bool = False) -> None:
        """Replace the rows of the old tail by *printed*, which stays, and the new *tail*, in one write."""
        old, new = self._shown, printed + tail
        keep = 0
        if columns == self._columns:
            while keep < min(len(old), len(new)) and old[keep] == new[keep]:
                keep += 1
        # Rows that scrolled off the screen are out of reach. After a change of width a terminal may or may not have
        # wrapped the old rows again: going up by their old number can leave a stale one, but never erases the answer.
        up = min(len(old) - keep, max(0, rows - 1))
        # Row by row and never `CSI J`: tmux and others copy the screen into the scrollback where that clears all of it.
        parts = [f"\x1b[{up}A\r", "\x1b[K\n" * up, f"\x1b[{up}A"] if up else []
        if reset:  # the terminal has echoed a ^C where the cursor stands
            parts.insert(0, "\r\x1b[K")
        parts += [line + "\n" for line in new[keep : max(keep, len(printed))]]
        if rest := new[max(keep, len(printed)) :]:
            parts += [_NO_WRAP[0], *[line + "\n" for line in rest], _NO_WRAP[1]]
        body = "".join(parts)
        if body or reset:
            end = f"\x1b[0m{_NO_WRAP[1]}" if reset else ""
            self._emit(f"{_SYNC[0]}{body}{end}{_SYNC[1]}")
        self._shown = tail
        self._columns = columns

    def _emit(self, data: str) -> None:
        try:
            self._stream.write(data)
            self._stream.flush()
        except OSError:
            self._closed = True
            raise

    def _measure(self) -> tuple[int, int]:
        columns, rows = self._size()
        return max(1, self._fixed_width or columns), max(2, rows)


def _terminal_size(stream: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # not a terminal, or closed
        return _FALLBACK
    # A terminal that does not know its size says 0.
    return size.columns or _FALLBACK[0], size.lines or _FALLBACK[1]


def _encoder(stream: TextIO) -> Callable[[str], str] | None:
    """What makes text fit a stream that is not in a Unicode encoding; None for one that is."""
    name = (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-")
    if name.startswith(("utf-8", "utf8", "utf-16", "utf-32")):
        return None
    return lambda text: text.encode(name, "replace").decode(name)
