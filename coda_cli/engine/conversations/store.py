"""Every conversation in a folder of journals: create, find, read, append, move to the trash and back.

The synchronous half of the `ConversationStore`; `ConversationManager` offers the asynchronous port over it. File
names are made of the id's hash, so that any id is safe and two processes that create the same one meet in one file; a
file that a person copied in under another name is found by what its first line says.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from coda_cli import paths
from coda_cli.engine.conversations import blobs
from coda_cli.engine.conversations.info import ConversationInfo, Filter, SearchHit, StoreTotals
from coda_cli.engine.conversations.journal import (
    SUFFIX,
    ConversationGoneError,
    DiskError,
    Journal,
    OlderSchemaError,
    Record,
    StoreError,
    Tail,
    digest,
    is_file,
)
from coda_cli.engine.conversations.migrate import migrate
from coda_cli.engine.conversations.scan import describe, matching, newest
from coda_cli.engine.conversations.shelf import Shelf, first_record
from coda_cli.engine.conversations.tree import Conversation


class IndexPort(Protocol):
    """What the store tells the index. None of these may raise for a damaged or unwritable index."""

    def dirty(self, file: Path) -> None:
        """*file* is about to change."""
        ...

    def changed(self, file: Path, records: Sequence[Record]) -> None:
        """*records* were appended to *file*."""
        ...

    def moved(self, file: Path) -> None:
        """*file* came or went as a whole."""
        ...

    def file_of(self, conversation_id: str) -> Path | None:
        """The file that holds the conversation, as far as the index knows."""
        ...

    def rows(self, where: Filter, *, limit: int, offset: int = 0) -> list[ConversationInfo]:
        """The conversations that fit, pinned ones first, then by their latest activity."""
        ...

    def search(self, text: str, where: Filter, *, limit: int, offset: int = 0) -> list[SearchHit]:
        """The messages that match, best first."""
        ...

    def with_prefix(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids that begin with *prefix*."""
        ...

    def totals(self) -> StoreTotals:
        """Sums over all conversations."""
        ...


class _Cached(Struct):
    """A conversation as read so far: up to byte `offset` of the file `identity`, where the `last` line stands.

    A line may go again: the writer cuts back what it could not sync. `torn` is the problem of an end that is not whole.
    """

    conversation: Conversation
    identity: tuple[int, int]
    offset: int = 0
    last: tuple[int, bytes] = (0, b"")
    torn: str | None = None


class Folder(Shelf):
    """The journals under *root* (default: the data folder): `conversations/`, `trash/`, `blobs/`, `backups/`."""

    def __init__(self, root: Path | None = None, index: IndexPort | None = None) -> None:
        super().__init__()
        root = root if root is not None else paths.data_dir()
        self.conversations = root / "conversations"
        self.trash = root / "trash"
        self.blobs = root / "blobs"
        self.backups = root / "backups"
        self.index = index
        self._cache: dict[str, _Cached] = {}
        self._mine: set[str] = set()  # what this process has begun to write to

    # ---- finding ----------------------------------------------------------------------------------------------

    def own_file(self, conversation_id: str) -> Path:
        """The file that this program makes for *conversation_id*."""
        digest = hashlib.sha256(conversation_id.encode("utf-8", "surrogatepass")).hexdigest()
        return self.conversations / f"{digest[:32]}{SUFFIX}"

    def find(self, conversation_id: str) -> Path | None:
        """The file of *conversation_id*, or None."""
        own = self.own_file(conversation_id)
        try:
            if own.exists():
                return own
            if self.index is not None:
                known = self.index.file_of(conversation_id)
                return known if known is not None and known.exists() else None
            return next((file for file in self.files() if header(file).get("id") == conversation_id), None)
        except OSError as exc:
            raise unreadable(self.conversations, exc) from exc

    def exists(self, conversation_id: str) -> bool:
        """Whether there is one of this id. Raises StoreError."""
        return self.find(conversation_id) is not None

    def files(self) -> Iterator[Path]:
        """Every journal, in no particular order. Raises OSError for a folder that cannot be read."""
        yield from _journals(self.conversations)

    def _journal(self, conversation_id: str) -> Journal:
        file = self.find(conversation_id)
        if file is None:
            raise KeyError(conversation_id)
        return Journal(file)

    # ---- writing ----------------------------------------------------------------------------------------------

    def create(self, conversation_id: str, *, title: str = "", origin: dict[str, Any] | None = None) -> bool:
        """Make the conversation unless it exists; whether it is new. Raises StoreError."""
        file = self.find(conversation_id)
        own = self.own_file(conversation_id)
        if file is not None and file != own:
            return False
        # an own file that is there may be empty yet: only under its lock can be said whether it has begun
        first = first_record(conversation_id, title, origin)
        return bool(self._write(Journal(own), lambda tail: [first] if tail.seq < 0 else [], create=True))

    def append(self, conversation_id: str, build: Callable[[Tail], Sequence[Record]]) -> list[Record]:
        """Append what *build* makes of the tail; it may run twice. Raises KeyError (unknown) and StoreError."""

        def begun(tail: Tail) -> list[Record]:
            records = [*build(tail)]
            if tail.seq >= 0 or not records:
                return records
            return [first_record(conversation_id), *records]  # the file has lost its beginning, or never had one

        journal = self._writable(conversation_id)
        self._mine.add(conversation_id)
        try:
            return self._write(journal, begun)
        except ConversationGoneError:  # it was moved since we found it: into the trash, or out of it
            return self._write(self._writable(conversation_id), begun)

    def _writable(self, conversation_id: str) -> Journal:
        """Its journal; in the trash, if it was deleted while this process was writing to it.

        So an answer that was under way is with its conversation when that is restored. Raises KeyError.
        """
        try:
            return self._journal(conversation_id)
        except KeyError:
            file = self._latest_trashed(conversation_id) if conversation_id in self._mine else None
            if file is None:
                raise
            return Journal(file)

    def _write(
        self, journal: Journal, build: Callable[[Tail], Sequence[Record]], *, create: bool = False
    ) -> list[Record]:
        index = self.index if journal.path.parent == self.conversations else None  # the trash is not listed
        if index is not None:
            index.dirty(journal.path)

        def lightened(tail: Tail) -> list[Record]:
            return [blobs.put_away(record, self.blobs) for record in build(tail)]

        try:
            records = journal.append(lightened, create=create)
        except OlderSchemaError:  # told before anything is built
            migrate(journal, self.backups)
            if index is not None:
                index.moved(journal.path)
            records = journal.append(lightened, create=create)
        if index is not None:
            index.changed(journal.path, records)
        return records

    # ---- reading ----------------------------------------------------------------------------------------------

    def load(self, conversation_id: str) -> Conversation:
        """The conversation, with its blobs inlined. Reads only what was appended since last time.

        The next `load` brings the same object up to date. Raises KeyError for an unknown id and StoreError for a file
        that cannot be read.
        """
        journal = self._journal(conversation_id)
        with self._reading:
            cached = self._cache.get(conversation_id)
            try:
                if cached is None or not _still_holds(cached, journal.path):
                    status = journal.path.stat()
                    cached = _Cached(Conversation(), (status.st_dev, status.st_ino))
                self._catch_up(journal, cached)
            except FileNotFoundError:
                raise KeyError(conversation_id) from None
            except OSError as exc:
                raise unreadable(journal.path, exc) from exc
            if not cached.conversation.schema:
                cached.conversation.id = conversation_id  # its first line is lost
            self._cache = {conversation_id: cached}  # one at a time: a chat program reads the one that is open
            return cached.conversation

    def _catch_up(self, journal: Journal, cached: _Cached) -> None:
        problems = cached.conversation.problems
        if cached.torn in problems:
            problems.remove(cached.torn)
        cached.torn = None
        for line in journal.lines(cached.offset):
            if line.problem is not None:
                problem = f"byte {line.offset}: {line.problem}"
                problems.append(problem)
                if line.problem.startswith("torn"):
                    cached.torn = problem
                    break  # somebody may be writing it; the next read takes it whole
            if line.record is not None:
                cached.conversation.apply(blobs.bring_back(line.record, self.blobs))
            cached.offset = line.end
            cached.last = (line.offset, line.digest)

    # ---- lists ------------------------------------------------------------------------------------------------

    def rows(self, where: Filter, *, limit: int, offset: int = 0) -> list[ConversationInfo]:
        """The conversations that fit, pinned ones first, then by their latest activity. Raises StoreError."""
        if self.index is not None:
            return self.index.rows(where, limit=limit, offset=offset)
        return newest((info for _, info in self.everything()), where, limit=limit, offset=offset)

    def search(self, text: str, where: Filter, *, limit: int, offset: int = 0) -> list[SearchHit]:
        """The messages that match, best first. Raises StoreError."""
        if self.index is not None:
            return self.index.search(text, where, limit=limit, offset=offset)
        return matching(self.everything(), text, where)[offset : offset + limit]

    def totals(self) -> StoreTotals:
        """Sums over all conversations. Raises StoreError."""
        return super().totals() if self.index is None else self.index.totals()

    def with_prefix(self, prefix: str, limit: int = 10) -> list[str]:
        """The ids that begin with *prefix*. Raises StoreError."""
        if self.index is not None:
            return list(dict.fromkeys(self.index.with_prefix(prefix, limit)))
        ids = (str(header(file).get("id") or "") for file in self._all_files())
        return [*dict.fromkeys(one for one in ids if one and one.startswith(prefix))][:limit]

    def everything(self) -> Iterator[tuple[Conversation, ConversationInfo]]:
        """Every conversation, read whole; a file that cannot be read hides no other. Raises StoreError."""
        for file in self._all_files():
            conversation = Conversation()
            try:
                for record in Journal(file).records():
                    conversation.apply(blobs.bring_back(record, self.blobs))
                size = file.stat().st_size
            except OSError:
                continue
            if conversation.seq >= 0:
                yield conversation, describe(conversation, file, size)

    def _all_files(self) -> Iterable[Path]:
        try:
            return list(self.files())
        except OSError as exc:
            raise unreadable(self.conversations, exc) from exc

    # ---- trash ------------------------------------------------------------------------------------------------

    def delete(self, conversation_id: str) -> Path:
        """Move the conversation to the trash; returns where it lies now. Raises KeyError and StoreError."""
        return self._move(self._journal(conversation_id).path, self.trash)

    def restore(self, conversation_id: str) -> Path:
        """Take the conversation, as it was deleted last, out of the trash. Raises KeyError and StoreError."""
        file = self._latest_trashed(conversation_id)
        if file is None:
            raise KeyError(conversation_id)
        there = self.find(conversation_id)
        if there is not None and not there.samefile(file):
            raise StoreError(
                f"there is a conversation {conversation_id!r} already", hint="delete that one first, or rename it"
            )
        return self._move(file, self.conversations, self.own_file(conversation_id).name)

    def _latest_trashed(self, conversation_id: str) -> Path | None:
        try:
            found = [(file.stat().st_ctime_ns, file) for file in self.trashed() if self._is_of(file, conversation_id)]
        except OSError as exc:
            raise unreadable(self.trash, exc) from exc
        return max(found)[1] if found else None

    def _is_of(self, file: Path, conversation_id: str) -> bool:
        first = header(file)
        if first:
            return first.get("id") == conversation_id
        return file.stat().st_size > 0 and file.name.startswith(self.own_file(conversation_id).stem)

    def trashed(self) -> Iterable[Path]:
        """The journals in the trash. Raises OSError for a folder that cannot be read."""
        return list(_journals(self.trash))

    def _move(self, file: Path, target: Path, name: str | None = None) -> Path:
        there = target / (name or file.name)
        stem, number = there.stem, 0
        try:
            paths.private_dir(target)
            while not Journal(file).move(there):  # a conversation of the same id was made, deleted and made again
                number += 1
                there = target / f"{stem}-{number}{SUFFIX}"
        except OSError as exc:
            raise StoreError(
                f"can't move {file}: {exc.strerror or exc}", hint="check the folder's permissions"
            ) from exc
        if self.index is not None:
            self.index.moved(file)
            self.index.moved(there)
        return there


def _journals(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(SUFFIX) and is_file(entry)]
    except FileNotFoundError:
        return
    for name in names:
        yield folder / name


def _still_holds(cached: _Cached, file: Path) -> bool:
    """Whether what was read of *file* still stands in it."""
    with file.open("rb") as opened:
        status = os.fstat(opened.fileno())
        if (status.st_dev, status.st_ino) != cached.identity or status.st_size < cached.offset:
            return False
        start, last = cached.last
        return digest(os.pread(opened.fileno(), cached.offset - start, start)) == last if last else True


def header(file: Path) -> Record:
    """The record that *file* begins with, {} if it has lost it."""
    try:
        first = next(Journal(file).records(), {})
    except OSError:
        return {}
    return first if first.get("type") == "conversation" else {}


def unreadable(file: Path, exc: OSError) -> DiskError:
    """The error for a journal that the system does not let us read."""
    return DiskError(f"can't read {file}: {exc.strerror or exc}", hint="check its permissions with `coda doctor`")
