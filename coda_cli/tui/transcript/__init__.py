"""The transcript: the whole conversation in one widget, with a scrollbar of its own."""

from coda_cli.tui.transcript.pane import TranscriptPane
from coda_cli.tui.transcript.styles import Styles
from coda_cli.tui.transcript.view import Transcript

__all__ = ["Styles", "Transcript", "TranscriptPane"]
