"""How far a run is: one line on a terminal's stderr, drawn when something changed and at most ten times a second."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Final

from coda_cli.chat.words import money
from coda_cli.cli.output import can_draw, style
from coda_cli.engine.batch.run import Progress

_PAUSE: Final = 0.1


class ProgressLine:
    """Shows a run's progress; nothing where stderr is no terminal. *read*: how much of the input is read, 0 to 1."""

    def __init__(self, read: Callable[[], float | None] = lambda: None, what: str = "") -> None:
        self._terminal = can_draw(sys.stderr)
        self._read = read
        self.what = what
        self._drawn = 0.0
        self._shown = False

    def show(self, progress: Progress) -> None:
        """Draw, unless that was done a moment ago."""
        now = time.monotonic()
        if not self._terminal or now - self._drawn < _PAUSE:
            return
        self._drawn = now
        running = progress.started - progress.complete - progress.failed
        parts = [f"{self.what}{progress.complete:,} done"]
        if progress.failed:
            parts.append(f"{progress.failed:,} failed")
        parts.append(f"{running} running")
        if (part := self._read()) is not None:
            parts.append(f"{part:.0%} of the input read")
        if progress.cost:
            parts.append(money(progress.cost))
        line = " · ".join(parts)
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
        self._shown = True
        sys.stderr.write(f"\r\x1b[K{style(line[: max(columns - 1, 1)], '2', sys.stderr)}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def part_read(fd: int) -> Callable[[], float | None]:
    """How much of the file behind *fd* has been read; None for a pipe, whose end nobody knows."""

    def read() -> float | None:
        try:
            size = os.fstat(fd).st_size
            return min(1.0, os.lseek(fd, 0, os.SEEK_CUR) / size) if size else None
        except OSError:
            return None

    return read
