"""What the store tells of conversations without loading them: rows of a list, hits of a search, totals."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

HIT_START: Final = "\ue000"
HIT_END: Final = "\ue001"
"""Around what matched, in `SearchHit.snippet`: private-use characters, which a front end turns into its own marks."""

TITLE_LENGTH: Final = 80
"""Characters of a title that is made of the first question's words."""


class ConversationInfo(Struct, frozen=True):
    """One conversation in a list.

    `title` is the one that was given, else the first words of the first question. `messages` counts all branches.
    Times are Unix seconds, `size` bytes on disk, `tokens` what the providers reported, `cost` USD over the priced
    answers (None: none was priced). `provider` and `model` are those of the latest answer.
    """

    id: str
    title: str
    created: float
    updated: float
    messages: int
    file: Path
    size: int = 0
    tags: tuple[str, ...] = ()
    pinned: bool = False
    provider: str = ""
    model: str = ""
    tokens: int = 0
    cost: float | None = None


class SearchHit(Struct, frozen=True):
    """A message that matches. `snippet` is a piece of its text around the hits, which HIT_START and HIT_END enclose."""

    conversation: ConversationInfo
    message_id: str
    role: str
    time: float
    snippet: str
    score: float


class Filter(Struct, frozen=True):
    """Which conversations are meant; None does not count. `since` and `until` bound `updated` (Unix seconds)."""

    tag: str | None = None
    provider: str | None = None
    model: str | None = None
    pinned: bool | None = None
    since: float | None = None
    until: float | None = None


class StoreTotals(Struct, frozen=True):
    """Totals over all conversations. `cost` in USD over what was priced, `size` in bytes."""

    conversations: int
    messages: int
    tokens: int
    cost: float
    size: int


def first_words(text: str) -> str:
    """The first words of *text*, at most TITLE_LENGTH characters of them, on one line."""
    words = " ".join(text[: 8 * TITLE_LENGTH].split())
    if len(words) <= TITLE_LENGTH:
        return words
    cut = words.rfind(" ", TITLE_LENGTH // 2, TITLE_LENGTH)
    return words[: cut if cut > 0 else TITLE_LENGTH - 1] + "…"
