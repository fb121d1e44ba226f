"""What a chat's front end offers to a slash command, and the values that cross: options, completions, comparisons.

The commands know this Protocol and nothing else of a front end, so the same table serves the screen and the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from coda_cli.chat.comparison import Comparison
from coda_cli.chat.session import ChatSession
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.generation import Generation

FrontKind = Literal["tui", "plain"]
Feature = Literal[
    "help", "model", "resume", "search", "tree", "inspect", "context", "settings", "theme", "mouse", "raw", "queue"
]
"""What a front end may have a way of its own for."""


class Option(Struct, frozen=True):
    """One choice of several. `detail` is shown beside it, `search` is looked at when a person types to filter.

    Texts are untrusted: a front end cleans them.
    """

    label: str
    detail: str = ""
    search: str = ""


class Completion(Struct, frozen=True):
    """What may stand in place of the last `replaces` characters of a prompt: `text`. `label` and `detail` are shown."""

    text: str
    replaces: int
    label: str
    detail: str = ""


class Front(Protocol):
    """A front end, as a command sees it. Everything runs in the front end's own event loop."""

    session: ChatSession

    @property
    def kind(self) -> FrontKind:
        """Which of the two it is."""
        ...

    def note(self, text: str) -> None:
        """A quiet line in the transcript."""
        ...

    def fail(self, error: CodaError) -> None:
        """An error with its hint."""
        ...

    async def choose(self, title: str, options: Sequence[Option]) -> int | None:
        """The index of the option that was chosen; None for none."""
        ...

    async def confirm(self, question: str) -> bool:
        """Whether the person says yes; no by default."""
        ...

    async def ask_text(self, title: str, *, initial: str = "", secret: bool = False) -> str | None:
        """One line of text, not shown if *secret*; None where the person gave up."""
        ...

    async def edit_text(self, text: str) -> str | None:
        """*text* as it comes back from the person's editor; None where it could not be opened."""
        ...

    def document(self, title: str, markdown: str) -> None:
        """Something to read and close. *markdown* is untrusted."""
        ...

    async def reload(self, at: str | None = None, text: str = "") -> None:
        """The conversation changed: show it anew, at its end or at the message *at* with the hits of *text* lit."""
        ...

    def start(self, generation: Generation) -> None:
        """An answer is wanted: begin it and show it as it comes."""
        ...

    async def compare(self, comparison: Comparison) -> int | None:
        """Begin all answers, show them as they come, and return the index of the chosen one."""
        ...

    def put_prompt(self, text: str, attachments: Sequence[Path] = ()) -> None:
        """Put *text* in place of what is in the prompt, and attach files beside those that are attached."""
        ...

    def copy(self, text: str) -> str:
        """Put *text* where it can be pasted from; returns how, as `clipboard.copy` says it."""
        ...

    async def own(self, feature: Feature, argument: str) -> bool:
        """Do *feature* in the front end's own way; False where it has none, and the common one is to be used."""
        ...

    def quit(self) -> None:
        """Leave the program, once nothing is under way."""
        ...
