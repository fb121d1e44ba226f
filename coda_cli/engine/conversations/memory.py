"""Conversations kept in this process only: incognito chats, and `LLMManager`s that are told to write nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from coda_cli.engine.conversations.info import ConversationInfo, Filter, SearchHit
from coda_cli.engine.conversations.journal import Record, StoreError, Tail, encode, numbered
from coda_cli.engine.conversations.scan import describe, matching, newest
from coda_cli.engine.conversations.shelf import Shelf, first_record
from coda_cli.engine.conversations.tree import Conversation


class MemoryShelf(Shelf):
    """Forgets everything when the process ends."""

    persistent = False

    def __init__(self) -> None:
        super().__init__()
        self._conversations: dict[str, Conversation] = {}
        self._trash: dict[str, Conversation] = {}

    def create(self, conversation_id: str, *, title: str = "", origin: dict[str, Any] | None = None) -> bool:
        """Make the conversation unless it exists; whether it is new."""
        with self._reading:
            if conversation_id in self._conversations:
                return False
            self._conversations[conversation_id] = Conversation()
            self.append(conversation_id, lambda _: [first_record(conversation_id, title, origin)])
            return True

    def append(self, conversation_id: str, build: Callable[[Tail], Sequence[Record]]) -> list[Record]:
        """Append what *build* makes of the tail. Raises KeyError, and StoreError for what JSON cannot say."""
        with self._reading:
            conversation = self._conversations[conversation_id]
            tail = Tail(conversation.seq, conversation.head, 0)
            records = numbered(build(tail), tail)
            for record in records:
                encode(record)  # what the disk would refuse is refused here too
            for record in records:
                conversation.apply(record)
            return records

    def load(self, conversation_id: str) -> Conversation:
        """The conversation itself. Raises KeyError."""
        with self._reading:
            return self._conversations[conversation_id]

    def exists(self, conversation_id: str) -> bool:
        """Whether there is one of this id."""
        return conversation_id in self._conversations

    def rows(self, where: Filter, *, limit: int, offset: int = 0) -> list[ConversationInfo]:
        """The conversations that fit, pinned ones first, then by their latest activity."""
        with self._reading:
            return newest(map(describe, self._conversations.values()), where, limit=limit, offset=offset)

    def search(self, text: str, where: Filter, *, limit: int, offset: int = 0) -> list[SearchHit]:
        """The messages that hold every word of *text*, newest first."""
        with self._reading:
            hits = matching(((one, describe(one)) for one in self._conversations.values()), text, where)
        return hits[offset : offset + limit]

    def with_prefix(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids that begin with *prefix*."""
        with self._reading:
            return [one for one in self._conversations if one.startswith(prefix)][:limit]

    def delete(self, conversation_id: str) -> None:
        """Put it aside. Raises KeyError."""
        with self._reading:
            self._trash[conversation_id] = self._conversations.pop(conversation_id)

    def restore(self, conversation_id: str) -> None:
        """Take it back. Raises KeyError, and StoreError if its place is taken."""
        with self._reading:
            if conversation_id in self._conversations:
                raise StoreError(f"there is a conversation {conversation_id!r} already", hint="delete that one first")
            self._conversations[conversation_id] = self._trash.pop(conversation_id)
