"""Conversations kept in this process only: what `LLMManager` uses when it is given no store."""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.engine.core.messages import LLMMessage, Part


class MemoryStore:
    """A `ConversationStore` that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._messages: dict[str, dict[str, LLMMessage]] = {}
        self._parents: dict[str, dict[str, str | None]] = {}
        self._heads: dict[str, str | None] = {}

    async def create(self, conversation_id: str) -> bool:
        """Make the conversation unless it exists; whether it is new."""
        if conversation_id in self._messages:
            return False
        self._messages[conversation_id], self._parents[conversation_id] = {}, {}
        self._heads[conversation_id] = None
        return True

    async def append(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        """Keep *message* below *parent* (default: the newest). Raises KeyError for an unknown conversation."""
        self._messages[conversation_id][message.message_id] = message
        head = self._heads[conversation_id]
        self._parents[conversation_id][message.message_id] = parent if parent is not None else head
        self._heads[conversation_id] = message.message_id

    async def checkpoint(
        self, conversation_id: str, message: LLMMessage, parts: Sequence[Part], parent: str | None
    ) -> None:
        """Nothing: what this process has in memory would not outlive it anyway."""

    async def messages(self, conversation_id: str, to: str | None = None) -> list[LLMMessage]:
        """The branch that ends at *to* (default: the newest), first to last. Raises KeyError for an unknown one."""
        messages, parents = self._messages[conversation_id], self._parents[conversation_id]
        at = to if to is not None else self._heads[conversation_id]
        out: list[LLMMessage] = []
        while at is not None:
            out.append(messages[at])
            at = parents[at]
        return out[::-1]
