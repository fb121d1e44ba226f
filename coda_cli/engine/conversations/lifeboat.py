"""A shelf that keeps a conversation going in memory while the disk refuses it, and writes it once the disk is well.

What was not written waits, in order, with the parents it was said below; every later append tries it first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from coda_cli.engine.conversations.info import ConversationInfo, Filter, SearchHit
from coda_cli.engine.conversations.journal import DiskError, Record, StoreError, Tail, encode, numbered
from coda_cli.engine.conversations.shelf import Shelf, first_record
from coda_cli.engine.conversations.tree import Conversation


class _Afloat(Struct):
    """A conversation that is ahead of its file by the records `waiting`, because of `problem`.

    `deleted`: its file went to the trash meanwhile; what is waiting follows it there.
    """

    conversation: Conversation
    problem: StoreError
    new: bool
    waiting: list[Record] = field(default_factory=list)
    deleted: bool = False


class Lifeboat(Shelf):
    """*shelf*, whose failures to write keep nobody from talking."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._shelf = shelf
        self._afloat: dict[str, _Afloat] = {}

    def problem(self, conversation_id: str) -> StoreError | None:
        """Why the conversation is ahead of its file; None when all of it is on disk."""
        afloat = self._afloat.get(conversation_id)
        return afloat.problem if afloat is not None else None

    def create(self, conversation_id: str, *, title: str = "", origin: dict[str, Any] | None = None) -> bool:
        """Make the conversation unless it exists; whether it is new. A disk that refuses does not matter yet."""
        with self._reading:
            if self._visible(conversation_id) is not None:
                return False
            try:
                return self._shelf.create(conversation_id, title=title, origin=origin)
            except DiskError as error:
                begun = Conversation()
                begun.apply({**first_record(conversation_id, title, origin), "seq": 0})
                self._afloat[conversation_id] = _Afloat(begun, error, new=True)
                return True

    def append(self, conversation_id: str, build: Callable[[Tail], Sequence[Record]]) -> list[Record]:
        """Append what *build* makes, to the file or, while the disk refuses, in memory.

        *build* may run twice. Raises KeyError for an unknown id, and StoreError for what no disk could take.
        """
        with self._reading:  # always before the file's lock: *build* may load, which takes it too
            afloat = self._afloat.get(conversation_id)
            if afloat is not None and not self._land(conversation_id, afloat):
                return _keep(afloat, build)
            try:
                return self._shelf.append(conversation_id, build)
            except DiskError as error:
                begun = copy.deepcopy(self._shelf.load(conversation_id))  # to read it, a full disk is good enough
                afloat = self._afloat[conversation_id] = _Afloat(begun, error, new=False)
                return _keep(afloat, build)

    def land(self) -> None:
        """Try to write everything that is waiting."""
        with self._reading:
            for conversation_id, afloat in list(self._afloat.items()):
                self._land(conversation_id, afloat)

    def _land(self, conversation_id: str, afloat: _Afloat) -> bool:
        """Write what is waiting; whether the conversation is on disk again."""
        begun = afloat.conversation
        try:
            if afloat.new:
                self._shelf.create(conversation_id, title=begun.title, origin=begun.origin)
                afloat.new = False
            self._shelf.append(conversation_id, lambda _: afloat.waiting)
        except (StoreError, KeyError) as error:
            afloat.problem = error if isinstance(error, StoreError) else afloat.problem
            return False
        del self._afloat[conversation_id]
        return True

    # ---- reading --------------------------------------------------------------------------------------------------

    def load(self, conversation_id: str) -> Conversation:
        """The conversation with what is waiting. Raises KeyError and StoreError."""
        with self._reading:
            afloat = self._visible(conversation_id)
            return afloat.conversation if afloat is not None else self._shelf.load(conversation_id)

    def _visible(self, conversation_id: str) -> _Afloat | None:
        afloat = self._afloat.get(conversation_id)
        return afloat if afloat is not None and not afloat.deleted else None

    def exists(self, conversation_id: str) -> bool:
        """Whether there is one of this id. Raises StoreError."""
        return self._visible(conversation_id) is not None or self._shelf.exists(conversation_id)

    def rows(self, where: Filter, *, limit: int, offset: int = 0) -> list[ConversationInfo]:
        """As the shelf below says."""
        return self._shelf.rows(where, limit=limit, offset=offset)

    def search(self, text: str, where: Filter, *, limit: int, offset: int = 0) -> list[SearchHit]:
        """As the shelf below says."""
        return self._shelf.search(text, where, limit=limit, offset=offset)

    def with_prefix(self, prefix: str, limit: int = 10) -> list[str]:
        """As the shelf below says."""
        return self._shelf.with_prefix(prefix, limit)

    def delete(self, conversation_id: str) -> Path | None:
        """Move it to the trash; what is waiting goes into the file first, if the disk lets it."""
        with self._reading:
            afloat = self._afloat.get(conversation_id)
            if afloat is not None and not self._land(conversation_id, afloat) and afloat.new:
                del self._afloat[conversation_id]
                return None
            there = self._shelf.delete(conversation_id)
            if afloat is not None:
                afloat.deleted = True
            return there

    def restore(self, conversation_id: str) -> Path | None:
        """Take it out of the trash; what is waiting comes back with it."""
        with self._reading:
            there = self._shelf.restore(conversation_id)
            if (afloat := self._afloat.get(conversation_id)) is not None:
                afloat.deleted = False
            return there


def _keep(afloat: _Afloat, build: Callable[[Tail], Sequence[Record]]) -> list[Record]:
    tail = Tail(afloat.conversation.seq, afloat.conversation.head, 0)
    built = build(tail)
    records = numbered(built, tail)
    for record in records:
        encode(record)  # what cannot be written later must be refused now
    for record in records:
        afloat.conversation.apply(record)
    afloat.waiting += built  # a title that waits must not take the head back to where it was meanwhile
    return records
