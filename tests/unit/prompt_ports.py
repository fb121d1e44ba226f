"""A memory and a persona for tests of prompts: they say what they are told to, or fail."""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.prompts import Adapted, MemoryNote, Messages, Noticed, Situation


class Memory:
    """A memory that says what it is told to, or fails."""

    def __init__(self, notes: Sequence[str] = (), liked: Sequence[str] = (), failure: CodaError | None = None) -> None:
        self.notes = [MemoryNote(f"m{number}", "fact", text, "2026-11-02") for number, text in enumerate(notes)]
        self.liked = [MemoryNote(f"p{number}", "preference", text) for number, text in enumerate(liked)]
        self.failure = failure
        self.asked: list[Situation] = []

    async def notice(self, situation: Situation) -> Sequence[Noticed]:
        return ()

    async def preferences(self, situation: Situation) -> Sequence[MemoryNote]:
        self._asked(situation)
        return self.liked

    async def recall(self, situation: Situation, max_tokens: int) -> Sequence[MemoryNote]:
        self._asked(situation)
        return self.notes

    async def ended(self, conversation_id: str, title: str, messages: Messages) -> None:
        return None

    def _asked(self, situation: Situation) -> None:
        self.asked.append(situation)
        if self.failure is not None:
            raise self.failure


class Persona:
    """A persona that says what it is told to."""

    def __init__(self, text: str = "Be kind.", failure: CodaError | None = None) -> None:
        self.text, self.failure = text, failure
        self.options: dict[str, float] = {}

    def prompt(self, situation: Situation) -> str:
        if self.failure is not None:
            raise self.failure
        return self.text

    async def heard(self, situation: Situation) -> Sequence[Adapted]:
        return ()
