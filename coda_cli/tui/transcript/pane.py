"""The transcript with its scrollbar, as an application puts it on the screen."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal

from coda_cli.tui.transcript.bar import Bar
from coda_cli.tui.transcript.styles import Styles
from coda_cli.tui.transcript.view import Transcript


class TranscriptPane(Horizontal):
    """A `Transcript`, at `.transcript`, and the bar beside it."""

    DEFAULT_CSS = "TranscriptPane { height: 1fr; }"

    def __init__(self, *, styles: Styles | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        look = styles or Styles()
        self.transcript = Transcript(styles=look, clock=clock)
        self._bar = Bar(look)
        self.transcript.attach_bar(self._bar)

    def compose(self) -> ComposeResult:
        """Side by side."""
        yield self.transcript
        yield self._bar
