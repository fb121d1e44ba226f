"""One thing in a transcript: values only, so that a screen can show them before the engine is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

if TYPE_CHECKING:  # the engine is not loaded for it
    from coda_cli.engine.conversations.tree import Rating

EntryKind = Literal["user", "assistant", "tool", "system", "summary", "note", "error"]

_NUMBERED: Final = frozenset({"user", "assistant", "tool", "system"})


class ToolCard(Struct, frozen=True):
    """A tool call, with its result once there is one. `arguments` is the JSON text that the model wrote.

    `result` is what the model was told, `display` (Markdown, "": the result) what a person is. `seconds`: how long it
    ran, None where it did not. `doing` is what an unfinished call is at, `output` what it has said so far.
    """

    id: str
    name: str
    arguments: str
    result: str | None = None
    is_error: bool = False
    display: str = ""
    seconds: float | None = None
    doing: str = ""
    output: str = ""


class Attached(Struct, frozen=True):
    """An attachment of a question; `size` in bytes."""

    kind: Literal["image", "audio", "file"]
    name: str
    size: int
    media_type: str


class Entry(Struct, frozen=True):
    """One thing in the transcript.

    `id` is the message's; what is no message ("note", "error") has one of its own. `text` is Markdown for answers and
    plain text for questions, without the text files that went along. `status` is the message's, or "streaming".
    `place` of `siblings` is which of the versions this is, from 1. `tokens` are those of the answer, `cost` is USD
    (None: unpriced), `latency` seconds. `hint` is an error's next step.
    """

    id: str
    kind: EntryKind
    text: str
    reasoning: str = ""
    tools: tuple[ToolCard, ...] = ()
    attached: tuple[Attached, ...] = ()
    status: str = "complete"
    provider: str = ""
    model: str = ""
    created: float = 0.0
    place: int = 1
    siblings: int = 1
    pinned: bool = False
    rating: Rating | None = None
    tokens: int = 0
    cost: float | None = None
    latency: float | None = None
    hint: str | None = None


def numbered(entries: Iterable[Entry]) -> list[Entry]:
    """Those of *entries* that are messages; the first has the number 1 for a person."""
    return [entry for entry in entries if entry.kind in _NUMBERED]
