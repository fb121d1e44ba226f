"""What the transcript's tests share: an application that shows one, entries, and what stands on its screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import App, ComposeResult
from textual.message import Message
from textual.widgets import Input

from coda_cli.chat.entry import Entry
from coda_cli.tui.transcript import Styles, Transcript, TranscriptPane
from coda_cli.tui.transcript.messages import Acted, AtEnd, LinkPressed, NeedOlder, Selected

NOW = 1_700_000_000.0


def answer(text: str, name: str = "a", **values: Any) -> Entry:
    """An assistant's entry."""
    return Entry(name, "assistant", text, **values)


def question(text: str, name: str = "q", **values: Any) -> Entry:
    """A user's entry."""
    return Entry(name, "user", text, **values)


def conversation(count: int) -> list[Entry]:
    """*count* entries, questions and answers in turn, each with its number in it."""
    return [
        (answer if number % 2 else question)(
            f"Message number {number}.\n\n" + "Some words of it. " * (number % 7), f"m{number}"
        )
        for number in range(count)
    ]


class Show(App[None]):
    """A transcript and a prompt; keeps the messages that the transcript posts."""

    def __init__(self, entries: Sequence[Entry] = (), *, at: str | None = None, styles: Styles | None = None) -> None:
        super().__init__()
        self._entries = list(entries)
        self._at = at
        self.pane = TranscriptPane(styles=styles, clock=lambda: NOW)
        self.posted: list[Message] = []

    @property
    def transcript(self) -> Transcript:
        """The widget under test."""
        return self.pane.transcript

    def compose(self) -> ComposeResult:
        """The transcript over a prompt."""
        yield self.pane
        yield Input()

    def on_mount(self) -> None:
        """Show what was given."""
        self.transcript.show(self._entries, at=self._at)
        self.transcript.focus()

    def on_at_end(self, message: AtEnd) -> None:
        self.posted.append(message)

    def on_need_older(self, message: NeedOlder) -> None:
        self.posted.append(message)

    def on_link_pressed(self, message: LinkPressed) -> None:
        self.posted.append(message)

    def on_acted(self, message: Acted) -> None:
        self.posted.append(message)

    def on_selected(self, message: Selected) -> None:
        self.posted.append(message)

    def screen_lines(self) -> list[str]:
        """The rows of the transcript as they stand on the screen, without the gutter."""
        view = self.transcript
        return [strip.text[2:].rstrip() for strip in view.render_lines(view.size.region)]

    def texts(self) -> str:
        """What stands on the screen."""
        return "\n".join(self.screen_lines())
