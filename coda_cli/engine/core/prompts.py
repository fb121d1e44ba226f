"""What goes into a system prompt beside a person's own words: sections, memory, persona. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

SectionName = Literal["persona", "preferences", "memories", "folder", "system", "tools"]
"""The sections in their fixed order, the stable ones first, so that a vendor's prompt cache hits."""


class Section(Struct, frozen=True):
    """One part of the system prompt: its text as it goes out, and where that comes from (ids, paths) for a person.

    `cut` says what is missing and why: what did not fit into the budget, or why there is no text at all.
    """

    name: SectionName
    text: str
    sources: tuple[str, ...] = ()
    cut: str = ""


class Assembled(Struct, frozen=True):
    """A system prompt. `text` is "" where there is nothing to say; `sections` are its parts, the caller's own apart."""

    text: str
    sections: tuple[Section, ...] = ()

    @property
    def memory_ids(self) -> tuple[str, ...]:
        """The memories that the model is given."""
        return tuple(i for s in self.sections if s.name in ("preferences", "memories") for i in s.sources)


class Situation(Struct, frozen=True):
    """What an answer is about to be given to. The clock is here, precise to the day: same inputs, same text.

    `question` is the text that was asked, `day` an ISO date, `folder` the working folder (None: none counts). `given`
    are the ids of memories that this conversation has been given before, in order: they stay where they were.
    `incognito`: nothing is read from memory, nothing kept. `context` is what a caller of the library hands in.
    """

    question: str = ""
    conversation_id: str = ""
    message_id: str = ""
    day: str = ""
    folder: Path | None = None
    given: tuple[str, ...] = ()
    incognito: bool = False
    small: bool = False
    tools: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)


class MemoryNote(Struct, frozen=True):
    """A memory as the prompt and the person see it. `kind`: fact, preference, gist, note."""

    id: str
    kind: str
    text: str
    day: str = ""
    source: str = ""


class Noticed(Struct, frozen=True):
    """What was kept, changed or refused because of what a person said: told by an event, and to the model.

    `action`: stored, merged, replaced (an older one has ended), forgotten, unknown (there is none of that to forget,
    `text` is what was named), refused (`text` is then the reason).
    """

    action: Literal["stored", "merged", "replaced", "forgotten", "unknown", "refused"]
    memory_id: str
    text: str
    kind: str = "fact"


class Adapted(Struct, frozen=True):
    """How a persona has changed, and why: `trait` from `before` to `after` (0 to 1). Undone by `id`."""

    id: str
    trait: str
    before: float
    after: float
    cause: str


def day_of(seconds: float) -> str:
    """The local day of a Unix time, as an ISO date."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().date().isoformat()


Messages = Sequence[Mapping[str, str]]
"""A conversation as `{"role", "text"}`, for what reads one as a whole."""
