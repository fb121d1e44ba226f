"""The model asks the person something: its words, whoever they claim to be of, above the answers or a line for one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from textual.widget import Widget

from coda_cli.chat.front import Option
from coda_cli.engine.tools.visible import visible
from coda_cli.tui.screens.ask_text import AskText
from coda_cli.tui.screens.picker import Picker
from coda_cli.tui.screens.text_view import TextView

_TITLE: Final = "The model asks"


class _Words(TextView):
    """What is asked: a long text is scrolled (Tab, or the mouse), and leaves room for the answer."""

    DEFAULT_CSS = "_Words { height: auto; max-height: 40%; min-height: 1; margin: 1 2; }"


class Question(AskText):
    """Gives back the answer, None where the person closed it."""

    def __init__(self, question: str) -> None:
        super().__init__(_TITLE)
        self._question = visible(question)

    def compose_sheet(self) -> Iterable[Widget]:
        """The question, and the line."""
        yield _Words(self._question)
        yield from super().compose_sheet()


class Choice(Picker):
    """Gives back which of the *choices* was taken, None where the person closed it."""

    def __init__(self, question: str, choices: Sequence[str]) -> None:
        super().__init__(_TITLE, [Option(visible(choice)) for choice in choices])
        self._question = visible(question)

    def compose_sheet(self) -> Iterable[Widget]:
        """The question, and the list."""
        yield _Words(self._question)
        yield from super().compose_sheet()
