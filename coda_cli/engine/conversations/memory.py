"""Conversations kept in this process only: what `LLMManager` uses when it is given no store."""

from __future__ import annotations

from coda_cli.engine.core.messages import LLMMessage


class MemoryStore:
    """A `ConversationStore` that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._conversations: dict[str, list[LLMMessage]] = {}

    async def create(self, conversation_id: str) -> bool:
        """Make the conversation unless it exists; whether it is new."""
        if conversation_id in self._conversations:
            return False
        self._conversations[conversation_id] = []
        return True

    async def append(self, conversation_id: str, message: LLMMessage) -> None:
        """Keep *message* at the end. Raises KeyError for an unknown conversation."""
        self._conversations[conversation_id].append(message)

    async def messages(self, conversation_id: str) -> list[LLMMessage]:
        """The messages from first to last. Raises KeyError for an unknown conversation."""
        return list(self._conversations[conversation_id])
