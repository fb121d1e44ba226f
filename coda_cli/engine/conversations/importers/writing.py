"""Bringing conversations into the store: new ones in one append, known ones only by what they lack."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

from msgspec import Struct, field

from coda_cli.engine.conversations import blobs
from coda_cli.engine.conversations.importers.growing import Grown, Tree, grow
from coda_cli.engine.conversations.journal import SCHEMA, Journal, Record, StoreError, Tail
from coda_cli.engine.conversations.store import Folder, header
from coda_cli.engine.conversations.tree import Conversation, message_record
from coda_cli.engine.rendering.sanitize import sanitize


class ImportReport(Struct):
    """What an import did: conversation ids by what became of them, and what was wrong, for a person to read."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


_AT_ONCE: Final = 16
_OWN_NAME: Final = re.compile(r"[0-9a-f]{32}\.jsonl")


class UnreadableError(StoreError):
    """One conversation that is there already cannot be read; the others can."""


Additions = Callable[[list[Record]], Sequence[Record]]
"""The records of a known conversation -> what it lacks."""


class Writer:
    """Writes into *folder* and keeps the report; `with` makes sure that at its end all is on disk.

    Most of the time goes to waiting for the disk, four syncs a new file, and a file system takes many at once in the
    time of one: so new conversations are written by several threads.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.report = ImportReport()
        self._done: set[str] = set()
        self._elsewhere: dict[str, Path] | None = None
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="import")
        self._open: deque[tuple[str, Path, Additions, Future[list[Record]]]] = deque()
        self._begun: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while self._open and kind is None:
                self._finish()
        finally:
            self._threads.shutdown(cancel_futures=True)

    def tell(self, where: str, problem: str) -> None:
        """Add a problem to the report."""
        self.report.problems.append(f"{sanitize(where).replace(chr(10), ' ')}: {problem}" if where else problem)

    def add_tree(self, tree: Tree) -> None:
        """Bring *tree* in: a new conversation, or what a known one lacks of it. Raises StoreError for a full disk."""
        grown = grow(tree)
        for problem in tree.problems:
            self.tell(tree.title or tree.id, problem)
        if grown.messages:
            self.put(tree.id, _records(tree, grown), lambda known: _missing(known, grown))

    def put(self, conversation_id: str, records: Sequence[Record], missing: Additions) -> None:
        """Write *records* if the conversation is new, else what *missing* makes of those that are there."""
        file = self.find(conversation_id)
        if file is None:
            self._begin(conversation_id, records, missing)
        else:
            self._extend(conversation_id, file, missing)

    def records(self, file: Path) -> list[Record]:
        """The records of a journal, blobs inlined. Raises UnreadableError."""
        try:
            return [blobs.bring_back(record, self.folder.blobs) for record in Journal(file).records()]
        except OSError as exc:
            raise UnreadableError(f"can't read {file}: {exc.strerror or exc}", hint="check its permissions") from exc

    def find(self, conversation_id: str) -> Path | None:
        """The file of a conversation. The folder is looked through once, not once for each conversation."""
        while conversation_id in self._begun:
            self._finish()
        own = self.folder.own_file(conversation_id)
        if own.exists() and own.stat().st_size:  # an empty one is what a crash leaves of one that was never begun
            return own
        if self._elsewhere is None:  # files that a person copied in: their names say nothing of what is in them
            odd = [file for file in self.folder.files() if not _OWN_NAME.fullmatch(file.name)]
            self._elsewhere = {str(header(file).get("id")): file for file in odd}
        return self._elsewhere.get(conversation_id)

    def _begin(self, conversation_id: str, records: Sequence[Record], missing: Additions) -> None:
        # unlike `Folder.create` and `append` it takes the first record as it is, its time among it, and syncs once
        while len(self._open) >= 2 * _AT_ONCE:
            self._finish()
        path, stored = self.folder.own_file(conversation_id), self.folder.blobs

        def build(tail: Tail) -> list[Record]:
            return [blobs.put_away(record, stored) for record in records] if tail.seq < 0 else []

        if self.folder.index is not None:
            self.folder.index.dirty(path)
        writing = self._threads.submit(Journal(path).append, build, create=True)
        self._open.append((conversation_id, path, missing, writing))
        self._begun.add(conversation_id)

    def _finish(self) -> None:
        """Wait for the oldest conversation that is being written."""
        conversation_id, path, missing, writing = self._open.popleft()
        self._begun.discard(conversation_id)
        try:
            written = writing.result()
        except StoreError as exc:
            self.failed(conversation_id, exc)
            return
        if self.folder.index is not None:
            # told of the beginning only, it waits for the next query and takes all new files in at once
            self.folder.index.changed(path, written[:1])
        if written:
            self._count(self.report.created, conversation_id)
        else:
            self._extend(conversation_id, path, missing)  # somebody else was faster

    def failed(self, conversation_id: str, exc: StoreError) -> None:
        """Tell that one conversation could not be kept. Raises *exc* where that would be so for all."""
        if isinstance(exc.__cause__, OSError) and not isinstance(exc, UnreadableError):
            raise exc  # a full disk: nothing else would fare better
        self.tell(conversation_id, exc.message)

    def _extend(self, conversation_id: str, file: Path, missing: Additions) -> None:
        try:
            # first without the lock: mostly there is nothing to write
            changed = missing(self.records(file)) and self.folder.append(
                conversation_id, lambda _: missing(self.records(file))
            )
        except KeyError:
            self.tell(conversation_id, "it was deleted just now")
        except StoreError as exc:
            self.failed(conversation_id, exc)
        else:
            self._count(self.report.updated if changed else self.report.unchanged, conversation_id)

    def _count(self, where: list[str], conversation_id: str) -> None:
        if conversation_id not in self._done:  # an export may hold it twice
            self._done.add(conversation_id)
            where.append(conversation_id)


def _records(tree: Tree, grown: Grown) -> list[Record]:
    first: Record = {"type": "conversation", "schema": SCHEMA, "id": tree.id, "title": tree.title}
    first |= {"time": tree.created, "head": None, "origin": tree.origin}
    records = [first, *(_said(message_record(message, parent)) for message, parent in grown.messages)]
    if tree.tags:
        records.append({"type": "tags", "tags": tree.tags})
    return [*records, {"type": "head", "head": grown.head}]


def _said(record: Record) -> Record:
    """The record of a message that does not move the head: it was said long ago."""
    return {name: value for name, value in record.items() if name != "head"}


def _missing(known: list[Record], grown: Grown) -> list[Record]:
    """The messages that the conversation of the records *known* lacks; nothing that it has is changed.

    An answer that was exported while it was being written, and is longer now, becomes a sibling.
    """
    conversation = Conversation.of(known)
    records: list[Record] = []
    heads: dict[str, str] = {}
    for message, parent in grown.messages:
        node = conversation.nodes.get(message.message_id)
        if node is not None and node.message.status != "complete" and node.message.content != message.content:
            digest = hashlib.sha256(message.content.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            message = message.model_copy(update={"message_id": f"{message.message_id}~{digest}"})
            node = conversation.nodes.get(message.message_id)
            heads[message.message_id.rpartition("~")[0]] = message.message_id
        if node is None:
            records.append(_said(message_record(message, parent)))
    here = conversation.head
    if records and (here is None or here in {message.message_id for message, _ in grown.messages}):
        head = grown.head or ""  # nobody went on with it here, so it goes on where it does there
        records.append({"type": "head", "head": heads.get(head, head) or None})
    return records


def canonical(value: Any) -> str:
    """*value* as text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
