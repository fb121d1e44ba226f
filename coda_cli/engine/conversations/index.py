"""The index over all conversations: lists, full-text search and totals without reading the journals.

A cache: the journals are the truth. Every query first brings in what has changed (`index_scan` says what that is), so
that it costs the same however many conversations there are. An index that is missing, damaged, of another version or
of another folder is made from the journals; where it cannot be kept (a locked file, a folder that takes no files), an
index in memory is made of them, which is as right and slower. What tells it of changes never raises.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coda_cli import paths
from coda_cli.engine.conversations.index_marks import Marks
from coda_cli.engine.conversations.info import ConversationInfo, Filter, SearchHit, StoreTotals
from coda_cli.engine.conversations.journal import Record
from coda_cli.engine.conversations.names import folder_mtime, names_in

if TYPE_CHECKING:  # SQLite is loaded by the first call that needs it
    from coda_cli.engine.conversations.index_access import Access

_Ids = list[str]
_Infos = list[ConversationInfo]
_Tags = list[tuple[str, int]]
_Hits = list[SearchHit]
_OWN_NAME: Final = re.compile(rb"[0-9a-f]{32}\.jsonl")
_ALL: Final = Filter()


class Index:
    """The index of the journals in *conversations*, whose large parts are in *blobs*, kept in *file*.

    Thread-safe, and safe with any number of processes; nothing is opened or made before the first call.
    """

    def __init__(self, conversations: Path, blobs: Path, file: Path | None = None) -> None:
        self._conversations = conversations
        self._blobs = blobs
        self._file = file
        self._marks: Marks | None = None
        self._access: Access | None = None
        self._foreign: tuple[int | None, _Ids] = (None, [])

    @property
    def file(self) -> Path:
        """Where the index is kept."""
        return self._file if self._file is not None else paths.cache_dir() / "index.sqlite3"

    # ---- what the store tells ---------------------------------------------------------------------------------

    def dirty(self, file: Path) -> None:
        """*file* is about to change."""
        if file.parent == self._conversations:
            with suppress(OSError):  # a cache that takes no mark holds no index that could be wrong
                self._marked().put(file.name)

    def changed(self, file: Path, records: Sequence[Record]) -> None:
        """*records* were appended to *file*: take them in, unless more will follow soon.

        Questions and pieces of answers wait under their mark for the answer (or the next query): a request does not
        wait for the index.
        """
        if file.parent != self._conversations:
            return
        soon = all(r.get("type") in {"conversation", "checkpoint"} or r.get("role") == "user" for r in records)
        taken_in = not self._exists() or (not soon and self._reached().take_in(file))
        with suppress(OSError):
            self._marked().lift(file.name, taken_in=taken_in)

    def moved(self, file: Path) -> None:
        """*file* came or went as a whole. The folder's mtime tells as much: this is for speed."""
        if file.parent == self._conversations and self._exists():
            self._reached().take_in(file)

    def file_of(self, conversation_id: str) -> Path | None:
        """The file that holds the conversation under a name that is not made of its id. Raises OSError.

        Asked before every new conversation: so it looks only at the headers of files with such names, and never makes
        an index.
        """
        from coda_cli.engine.conversations.store import header

        for name in self._foreign_names():
            if header(self._conversations / name).get("id") == conversation_id:
                return self._conversations / name
        if not re.fullmatch(r"[^/\0]{1,240}", conversation_id):
            return None
        nameless = self._conversations / f"{conversation_id}.jsonl"  # listed by its name, see `index_rows`
        return nameless if nameless.is_file() and not header(nameless) else None

    def _foreign_names(self) -> _Ids:
        mtime = folder_mtime(self._conversations)
        known, names = self._foreign
        if mtime is None or mtime != known:
            foreign = [os.fsdecode(n) for n in names_in(self._conversations) if not _OWN_NAME.fullmatch(n)]
            names = sorted(name for name in foreign if (self._conversations / name).is_file())
            self._foreign = (mtime, names)
        return names

    def _exists(self) -> bool:
        """Whether there is an index; one that is made later will be made of the journals as they are now."""
        with suppress(OSError):
            return self.file.exists()
        return False

    def _marked(self) -> Marks:
        if self._marks is None:
            self._marks = Marks(self.file.with_name(f"{self.file.name}.dirty"))
        return self._marks

    def _reached(self) -> Access:
        from coda_cli.engine.conversations.index_access import Access

        access = self._access
        if access is None or access.pid != os.getpid():
            access = self._access = Access(self._conversations, self._blobs, self.file, self._marked())
        return access

    # ---- queries ----------------------------------------------------------------------------------------------

    def list(self, where: Filter = _ALL, *, limit: int = 20, offset: int = 0) -> _Infos:
        """Conversations, pinned ones first, those with the latest activity first. Raises StoreError."""
        from coda_cli.engine.conversations import index_reads as reads

        return self._reached().ask(lambda db: reads.rows(db, self._conversations, where, limit, offset), _files)

    def rows(self, where: Filter, *, limit: int, offset: int = 0) -> _Infos:
        """`list`, as the store asks for it. Raises StoreError."""
        return self.list(where, limit=limit, offset=offset)

    def search(self, text: str, where: Filter = _ALL, *, limit: int = 20, offset: int = 0) -> _Hits:
        """The messages that match *text* (see `index_query.match`), the best first: a higher `score` is better.

        Raises StoreError.
        """
        from coda_cli.engine.conversations import index_reads as reads
        from coda_cli.engine.conversations.index_query import match

        query = match(text)
        if query is None:
            return []
        return self._reached().ask(
            lambda db: reads.hits(db, self._conversations, query, where, limit, offset),
            lambda hits: _files(hit.conversation for hit in hits),
        )

    def get(self, conversation_id: str) -> ConversationInfo | None:
        """One conversation, None if there is no such. Raises StoreError."""
        from coda_cli.engine.conversations import index_reads as reads

        return self._reached().ask(
            lambda db: reads.one(db, self._conversations, conversation_id),
            lambda info: _files([] if info is None else [info]),
        )

    def with_prefix(self, prefix: str, limit: int = 10) -> _Ids:
        """The ids that begin with *prefix*, those with the latest activity first. Raises StoreError."""
        from coda_cli.engine.conversations import index_reads as reads

        return self._reached().ask(lambda db: reads.ids(db, prefix, limit), _nothing)

    def totals(self) -> StoreTotals:
        """Sums over all conversations. Raises StoreError."""
        from coda_cli.engine.conversations import index_reads as reads

        return self._reached().ask(reads.totals, _nothing)

    def tags(self) -> _Tags:
        """Every tag and how many conversations have it, the most frequent first. Raises StoreError."""
        from coda_cli.engine.conversations import index_reads as reads

        return self._reached().ask(reads.tags, _nothing)

    # ---- the whole --------------------------------------------------------------------------------------------

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Make the index from the journals, from nothing; returns how many conversations there are.

        *progress* is told how many files are done, of how many. Raises StoreError.
        """
        from coda_cli.engine.conversations import index_reads as reads

        return self._reached().rebuild(lambda db: reads.totals(db).conversations, progress)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._access is not None and self._access.pid == os.getpid():
            self._access.close()


def _files(infos: Iterable[ConversationInfo]) -> _Ids:
    return [info.file.name for info in infos]


def _nothing(_answer: object) -> tuple[str, ...]:
    return ()
