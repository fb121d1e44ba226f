"""Where the messages of a request stand while it is answered: in memory, and gone with it.

It is no incognito chat: what the person's own chats may use (the cache of answers) such a request may use, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.messages import LLMMessage, Part
from coda_cli.engine.core.ports import StoredBranch, StoredSummary


class PassingStore:
    """A `ConversationStore` of this process only."""

    def __init__(self) -> None:
        self._chats = ConversationManager.in_memory()

    async def create(self, conversation_id: str) -> bool:
        """As `ConversationStore`, like all the others here."""
        return await self._chats.create(conversation_id)

    async def append(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        """Hold *message*."""
        await self._chats.append(conversation_id, message, parent)

    async def checkpoint(
        self, conversation_id: str, message: LLMMessage, parts: Sequence[Part], parent: str | None
    ) -> None:
        """Nothing: who asked has the answer, or asks again."""

    async def messages(self, conversation_id: str, to: str | None = None) -> list[LLMMessage]:
        """The branch that ends at *to*."""
        return await self._chats.messages(conversation_id, to)

    async def stored_branch(self, conversation_id: str, to: str | None = None) -> StoredBranch:
        """The same with its marks."""
        return await self._chats.stored_branch(conversation_id, to)

    async def summarise(self, conversation_id: str, covers: Sequence[str], text: str, model: str) -> StoredSummary:
        """Hold a summary."""
        return await self._chats.summarise(conversation_id, covers, text, model)

    def unsaved(self, conversation_id: str) -> CodaError | None:
        """Nothing was to be saved."""
        return None

    async def flush(self) -> None:
        """Nothing waits."""
