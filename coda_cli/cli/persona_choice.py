"""`--persona` and the persona of the settings: who answers, and what that says of the model."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from coda_cli.engine.core.prompts import SectionName
from coda_cli.settings.schema import Settings

if TYPE_CHECKING:
    from coda_cli.engine.personality.persona import Persona

CHAT: Final[tuple[SectionName, ...]] = ("persona", "preferences", "memories", "folder", "system")
"""What the system prompt of a chat is made of."""
_ONCE: Final[tuple[SectionName, ...]] = ("preferences", "memories")


class PersonaChoice(Struct, frozen=True):
    """Who answers. `persona` is None for the plain assistant; `sections` are those of the system prompt."""

    persona: Persona | None
    sections: Collection[SectionName]

    @property
    def name(self) -> str | None:
        """The persona's name."""
        return self.persona.name if self.persona is not None else None

    @property
    def model(self) -> str | None:
        """The model that it prefers."""
        return self.persona.model if self.persona is not None else None

    @property
    def greeting(self) -> list[str]:
        """What it says first, if anything."""
        return [self.persona.greeting] if self.persona is not None and self.persona.greeting else []

    def tools(self, chosen: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """The tools that may be called where -T says *chosen* (None: all)."""
        return self.persona.tools if chosen is None and self.persona is not None else chosen


def persona_choice(name: str | None, settings: Settings, *, once: bool) -> PersonaChoice:
    """What *name* (--persona), else the settings, say. *once*: for one question, which says nothing of the day.

    Raises UsageError for an unknown persona, ConfigError for a broken one.
    """
    sections = _ONCE if once else CHAT
    wanted = name or settings.persona
    if wanted is None:
        return PersonaChoice(None, sections)
    from coda_cli.engine.personality.persona import load_persona

    return PersonaChoice(load_persona(wanted), ("persona", *sections) if once else sections)
