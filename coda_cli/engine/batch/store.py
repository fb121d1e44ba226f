"""Where a batch keeps what is said while it is said: in memory, each prompt forgotten once it is answered."""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.messages import LLMMessage, Part, new_id
from coda_cli.engine.core.ports import StoredBranch, StoredSummary


class PassingStore:
    """A `ConversationStore` of straight conversations that holds only those under way; `forget` drops one."""

    def __init__(self) -> None:
        self._said: dict[str, list[LLMMessage]] = {}

    async def create(self, conversation_id: str) -> bool:
        """Make it unless it exists; whether it is new."""
        if conversation_id in self._said:
            return False
        self._said[conversation_id] = []
        return True

    async def append(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        """Keep *message* at the end."""
        self._said[conversation_id].append(message)

    async def checkpoint(
        self, conversation_id: str, message: LLMMessage, parts: Sequence[Part], parent: str | None
    ) -> None:
        """Nothing: an unfinished answer is asked for again."""

    async def messages(self, conversation_id: str, to: str | None = None) -> list[LLMMessage]:
        """All of it. Raises KeyError."""
        return list(self._said[conversation_id])

    async def stored_branch(self, conversation_id: str, to: str | None = None) -> StoredBranch:
        """All of it. Raises KeyError."""
        return StoredBranch(list(self._said[conversation_id]))

    async def summarise(self, conversation_id: str, covers: Sequence[str], text: str, model: str) -> StoredSummary:
        """A summary for this one request; it is not kept."""
        return StoredSummary(new_id("sum"), tuple(covers), text)

    def unsaved(self, conversation_id: str) -> CodaError | None:
        """Nothing is to be saved."""
        return None

    async def flush(self) -> None:
        """Nothing is to be written."""

    def forget(self, conversation_id: str) -> None:
        """Drop it."""
        self._said.pop(conversation_id, None)
