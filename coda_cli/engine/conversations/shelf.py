"""Where conversations stand, seen from above: what `Folder` (on disk) and `MemoryShelf` (in this process) share."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from coda_cli.engine.conversations.info import ConversationInfo, Filter, SearchHit, StoreTotals
from coda_cli.engine.conversations.journal import SCHEMA, Record, Tail
from coda_cli.engine.conversations.tree import Conversation, message_record
from coda_cli.engine.core.messages import LLMMessage, Part

ROOT: Final = ""
"""As a parent: the message begins a branch of its own, beside the first question."""


class Shelf(ABC):
    """Conversations by id: make one, append records to it, read it.

    Synchronous and safe to use from several threads; `ConversationManager` is its asynchronous side.
    """

    persistent = True
    """Whether it outlives this process."""

    def __init__(self) -> None:
        self._reading = threading.RLock()
        self._parents: dict[str, str | None] = {}  # of the answers that are being checkpointed

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    @abstractmethod
    def create(self, conversation_id: str, *, title: str = "", origin: dict[str, Any] | None = None) -> bool:
        """Make the conversation unless it exists; whether it is new. Raises StoreError."""

    @abstractmethod
    def append(self, conversation_id: str, build: Callable[[Tail], Sequence[Record]]) -> list[Record]:
        """Append what *build* makes of the tail, all or none. Raises KeyError for an unknown id, and StoreError."""

    @abstractmethod
    def load(self, conversation_id: str) -> Conversation:
        """The conversation as it stands. Raises KeyError for an unknown id, and StoreError."""

    @abstractmethod
    def exists(self, conversation_id: str) -> bool:
        """Whether there is one of this id. Raises StoreError."""

    @abstractmethod
    def rows(self, where: Filter, *, limit: int, offset: int = 0) -> list[ConversationInfo]:
        """The conversations that fit, pinned ones first, then by their latest activity."""

    @abstractmethod
    def search(self, text: str, where: Filter, *, limit: int, offset: int = 0) -> list[SearchHit]:
        """The messages that match, best first."""

    def totals(self) -> StoreTotals:
        """Sums over all conversations. Raises StoreError."""
        rows = self.rows(Filter(), limit=1 << 31)
        return StoreTotals(
            conversations=len(rows),
            messages=sum(row.messages for row in rows),
            tokens=sum(row.tokens for row in rows),
            cost=sum(row.cost or 0.0 for row in rows),
            size=sum(row.size for row in rows),
        )

    @abstractmethod
    def with_prefix(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids that begin with *prefix*."""

    @abstractmethod
    def delete(self, conversation_id: str) -> Path | None:
        """Move the conversation to the trash; returns where it lies now. Raises KeyError and StoreError."""

    @abstractmethod
    def restore(self, conversation_id: str) -> Path | None:
        """Take the conversation, as it was deleted last, out of the trash. Raises KeyError and StoreError."""

    def add_message(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        """Keep *message* below *parent*: a message, ROOT, or by default the head as it is when the lock is held.

        After checkpoints of the same message the default is what the first of them stood below. Raises as `append`.
        """
        self.append(conversation_id, lambda tail: [message_record(message, self._parent(message, parent, tail))])
        self._parents.pop(message.message_id, None)

    def checkpoint(self, conversation_id: str, message: LLMMessage, parts: Sequence[Part], parent: str | None) -> None:
        """Keep *parts* as the next piece of the unfinished *message*; *parent* as for `add_message`."""
        piece = message.model_copy(update={"parts": list(parts)})

        def build(tail: Tail) -> list[Record]:
            below = self._parents[message.message_id] = self._parent(message, parent, tail)
            return [{**message_record(piece, below), "type": "checkpoint"}]

        self.append(conversation_id, build)

    def _parent(self, message: LLMMessage, parent: str | None, tail: Tail) -> str | None:
        if parent is not None:
            return parent or None
        return self._parents.get(message.message_id, tail.head)

    def messages(self, conversation_id: str, to: str | None = None) -> list[LLMMessage]:
        """Copies of the messages of the branch that ends at *to* (default: the head). Raises KeyError, StoreError."""
        with self._reading:
            return [node.message.model_copy() for node in self.load(conversation_id).path(to)]


def first_record(conversation_id: str, title: str = "", origin: dict[str, Any] | None = None) -> Record:
    """The record that a conversation begins with."""
    more = {} if origin is None else {"origin": origin}
    record: Record = {"type": "conversation", "schema": SCHEMA, "id": conversation_id, "title": title}
    return {**record, "time": time.time(), "head": None, **more}
