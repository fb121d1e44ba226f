"""One line on a terminal's stderr that says what is being waited for, and goes away without a trace."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from coda_cli.cli.output import say, style
from coda_cli.engine.rendering.sanitize import sanitize


class StatusLine:
    """Shows a text with its seconds, or a countdown; on anything but a terminal a countdown is one plain line.

    It writes once a second while something is shown, and nothing while nothing is.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._task: asyncio.Task[None] | None = None
        self._shown = False

    def waiting(self, text: str) -> None:
        """Show *text* and how long it takes, from the second second on."""
        self.clear()
        if self._terminal:
            self._task = asyncio.get_running_loop().create_task(self._count_up(text))

    def countdown(self, text: str, seconds: float, reason: str) -> None:
        """Show *text*, the seconds that are left, and as much of *reason* as fits."""
        self.clear()
        if self._terminal:
            self._task = asyncio.get_running_loop().create_task(self._count_down(text, seconds, reason))
        else:
            say(f"{text} in {seconds:.1f} s: {reason}")

    def clear(self) -> None:
        """Take the line away."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    async def _count_up(self, text: str) -> None:
        started = time.monotonic()
        await asyncio.sleep(1)
        while True:
            self._draw(f"{text} {time.monotonic() - started:.0f} s")
            await asyncio.sleep(1)

    async def _count_down(self, text: str, seconds: float, reason: str) -> None:
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            shown = f"{left:.0f} s" if left >= 1 else "a moment"
            self._draw(f"{text} in {shown} (Ctrl-C stops): {reason}")
            await asyncio.sleep(min(1.0, left))

    def _draw(self, text: str) -> None:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
        line = sanitize(text).replace("\n", " ")
        if columns and len(line) >= columns:
            line = line[: columns - 2] + "…"
        self._shown = True
        sys.stderr.write(f"\r\x1b[K{style(line, '2', sys.stderr)}")
        sys.stderr.flush()
