"""One conversation, one append-only JSON Lines file: how it is written and read.

Each line is one record, a JSON object with `type`, `seq` (0, 1, 2, ... in the order of writing) and `head` (the message
that the conversation stands at after this record, or null), so that the last line alone tells a writer where it is.

`append()` holds the file's own lock, makes sure that the file still is the one at its path, ends a torn last line with
a newline (so that two records are never fused), writes everything, and syncs; if anything fails it cuts the file back
to what it was and raises. Readers need no lock: a line that is not whole JSON is told and passed over.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from msgspec import Struct

from coda_cli import paths
from coda_cli.engine.conversations.versions import SCHEMA as SCHEMA, is_older, upgraded
from coda_cli.engine.core.errors import CodaError

Record = dict[str, Any]

SUFFIX: Final = ".jsonl"
MAX_LINE: Final = 64 * 1024 * 1024
MAX_DEPTH: Final = 200
"""How deep a record may nest: what is written from a shallow stack must be readable from a deep one."""
_BLOCK: Final = 64 * 1024


class StoreError(CodaError):
    """A conversation could not be read or written; what was acknowledged before is safe."""


class ConversationGoneError(StoreError):
    """The conversation was deleted or moved by somebody else."""


class DiskError(StoreError):
    """The disk or its permissions refuse: another try may succeed."""


class NewerSchemaError(StoreError):
    """A newer version of Coda wrote the conversation: it can be read, not written."""


class OlderSchemaError(StoreError):
    """An older version of Coda wrote the conversation: it is read as it is, and migrated before it is written."""


class Tail(Struct, frozen=True):
    """Where a journal stands: the last record's `seq` (-1 for an empty file) and `head`, and the file's size."""

    seq: int
    head: str | None
    size: int


class Line(Struct, frozen=True):
    """One line of a journal: its place (from byte `offset` up to `end`), and its record or what is wrong with it."""

    number: int
    offset: int
    end: int
    record: Record | None
    problem: str | None = None
    digest: bytes = b""
    """Of its bytes, by which it is known again; empty for one that is too long."""


class Journal:
    """The journal at *path*."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # ---- writing ----------------------------------------------------------------------------------------------

    def append(self, build: Callable[[Tail], Sequence[Record]], *, create: bool = False) -> list[Record]:
        """Append the records that *build* makes of the tail, all or none; they are on disk when this returns.

        *build* runs under the lock and need not set `seq`; `head` stays what it was unless a record sets it. With
        *create* a missing file is made. Raises ConversationGoneError, and StoreError: for a disk that does not take
        it, for a record that JSON cannot say, and for a file of another version (NewerSchemaError, OlderSchemaError).
        """
        try:
            with self.locked(create=create) as fd:
                before = os.fstat(fd).st_size
                try:
                    self._check_schema(fd)
                    tail = read_tail(fd, before)
                    records = numbered(build(tail), tail)
                    data = b"".join(encode(record) for record in records)
                    if data and before and os.pread(fd, 1, before - 1) != b"\n":
                        data = b"\n" + data
                    self._commit(fd, data, before)
                finally:
                    if create and os.fstat(fd).st_size == 0:
                        self.path.unlink(missing_ok=True)  # a full disk still makes empty files
                return records
        except OSError as exc:
            raise DiskError(
                f"the conversation could not be saved to {self.path}: {exc.strerror or exc}",
                hint="free some space or mend the folder's permissions; what was saved before is safe",
            ) from exc

    def move(self, there: Path) -> bool:
        """Give the file the name *there*, and never in another's place: False if that name is taken.

        Under the lock, so that a writer who waits for it learns that the conversation went. Raises OSError and
        ConversationGoneError.
        """
        with self.locked() as fd:
            try:
                os.link(self.path, there)  # unlike a rename it never overwrites
            except FileExistsError:
                if not self._is_still(fd, there):
                    return False  # else: a crash between the two steps left both names
            except OSError:  # a file system without hard links
                if there.exists():
                    return False
                self.path.rename(there)
            else:
                sync_with_parent(there.parent)
            if self._is_still(fd):
                self.path.unlink()
            sync_with_parent(there.parent)
            sync_folder(self.path.parent)
        return True

    def _commit(self, fd: int, data: bytes, before: int) -> None:
        """Write and sync *data*; if anything fails or interrupts, cut the file back to *before* bytes."""
        if not data:
            return
        done = False
        try:
            view = memoryview(data)
            while view:
                written = os.write(fd, view)
                if written == 0:
                    raise OSError(errno.ENOSPC, "the disk takes no more")
                view = view[written:]
            os.fsync(fd)
            if not before:
                sync_folder(self.path.parent)
                for folder in self.path.parents[1:3]:  # they may be as new as the file, or not ours to read
                    with suppress(PermissionError):
                        sync_folder(folder)
            done = True
        finally:
            if not done:
                os.ftruncate(fd, before)

    def _check_schema(self, fd: int) -> None:
        schema = schema_of(fd)
        if schema > SCHEMA:
            raise NewerSchemaError(
                f"the conversation was written by a newer version (schema {schema}; this one writes {SCHEMA})",
                hint="update Coda to go on with it; until then it can be read and exported",
            )
        if is_older(schema):
            raise OlderSchemaError(
                f"the conversation was written by an older version (schema {schema}; this one writes {SCHEMA})",
                hint="say something in it, and it is brought up to date",
            )

    @contextmanager
    def locked(self, *, create: bool = False) -> Iterator[int]:
        """Hold the lock of the file that is at the path now. Raises ConversationGoneError and OSError."""
        flags = os.O_RDWR | os.O_APPEND
        while True:
            try:
                fd = (
                    paths.open_private(self.path, flags | os.O_CREAT)
                    if create
                    else os.open(self.path, flags | os.O_CLOEXEC)
                )
            except FileNotFoundError as exc:
                raise ConversationGoneError(
                    "the conversation was deleted meanwhile", hint="`coda history restore` brings it back"
                ) from exc
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if self._is_still(fd):
                    yield fd
                    return
            finally:
                os.close(fd)

    def _is_still(self, fd: int, path: Path | None = None) -> bool:
        """Whether the open file still is the one at the path: it may have gone to the trash while we waited."""
        try:
            there = (path or self.path).stat()
        except FileNotFoundError:
            return False
        here = os.fstat(fd)
        return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)

    # ---- reading ----------------------------------------------------------------------------------------------

    def lines(self, start: int = 0) -> Iterator[Line]:
        """Every line from byte *start* on, bad ones with their problem. Raises OSError for an unreadable file.

        Records of an older version come as this one would have written them.
        """
        with self.path.open("rb") as file:
            understand = _decoder(file.fileno())
            file.seek(start)
            end, number = start, 0
            while raw := file.readline(MAX_LINE):
                number += 1
                offset, end = end, end + len(raw)
                whole = raw.endswith(b"\n")
                if not whole and len(raw) == MAX_LINE:
                    end += _skip_line(file)
                    yield Line(number, offset, end, None, f"a line longer than {MAX_LINE // 1024 // 1024} MiB")
                elif raw.strip():
                    record, problem = understand(raw)
                    if not whole and record is None:
                        problem = "torn: the end of the line is missing"
                    yield Line(number, offset, end, record, problem, digest(raw))

    def records(self) -> Iterator[Record]:
        """The good records, first to last."""
        for line in self.lines():
            if line.record is not None:
                yield line.record

    def backward(self, passed_over: Callable[[bytes], bool] | None = None) -> Iterator[Record]:
        """The good records, last to first, reading no more of the file than is asked for.

        Lines of which *passed_over* is true are not looked into: it sees them as this version writes them.
        """
        with self.path.open("rb") as file:
            understand = _decoder(file.fileno())
            known = passed_over if understand is decode else None
            size = os.fstat(file.fileno()).st_size
            for raw in _lines_backward(file.fileno(), size):
                if known is not None and known(raw):
                    continue
                if (record := understand(raw)[0]) is not None:
                    yield record

    def tail(self) -> Tail:
        """Where the journal stands, without a lock. Raises OSError."""
        with self.path.open("rb") as file:
            return read_tail(file.fileno(), os.fstat(file.fileno()).st_size)


def encode(record: Record) -> bytes:
    """One line. Raises StoreError for what could not be read back: NaN, bytes, too deep, too long."""
    try:
        _check_depth(record)
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as exc:
        raise StoreError(
            f"a record can't be saved: {exc}", hint="leave out what is not plain JSON; nothing of it was written"
        ) from exc
    try:
        raw = text.encode("utf-8") + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: only escaped can it be written, and read back as it was
        raw = json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    if len(raw) > MAX_LINE:
        raise StoreError(
            f"a record of {len(raw) // 1024 // 1024} MiB is longer than a journal takes",
            hint="attach it as a file, or send it in smaller pieces",
        )
    return raw


def _check_depth(record: Record) -> None:
    level: list[Any] = [record]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for value in level:
            children = value.values() if isinstance(value, dict) else value
            deeper += [child for child in children if isinstance(child, dict | list | tuple)]
        if not deeper:
            return
        level = deeper
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def digest(raw: bytes) -> bytes:
    """A short digest by which a line is known again."""
    return hashlib.blake2b(raw, digest_size=16).digest()


def decode(raw: bytes) -> tuple[Record | None, str | None]:
    """(record, None) or (None, what is wrong with the line)."""
    if b"\0" in raw:
        return None, "NUL bytes, as a crash of the machine leaves them"
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        return None, f"not JSON ({type(exc).__name__})"
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return None, "not a record"
    return value, None


def schema_of(fd: int) -> int:
    """The version of the open journal *fd*; this one's, where it does not begin with a record that tells."""
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_LINE and (piece := os.pread(fd, _BLOCK, len(line))):
        line += piece[: piece.find(b"\n") + 1 or None]
    record = decode(line)[0]
    schema = record.get("schema") if record is not None and record["type"] == "conversation" else None
    return schema if type(schema) is int else SCHEMA  # a bool is no number


def _decoder(fd: int) -> Callable[[bytes], tuple[Record | None, str | None]]:
    """`decode` for the lines of the open journal *fd*, whatever version wrote it."""
    schema = schema_of(fd)
    if not is_older(schema):
        return decode

    def understand(raw: bytes) -> tuple[Record | None, str | None]:
        record, problem = decode(raw)
        return (upgraded(record, schema) if record is not None else None), problem

    return understand


def read_tail(fd: int, size: int) -> Tail:
    """The tail of the open file *fd* of *size* bytes, from its last good lines."""
    seq: int | None = None
    understand = _decoder(fd)
    for raw in _lines_backward(fd, size):
        record, _ = understand(raw)
        if record is None:
            continue
        number, head = record.get("seq"), record.get("head")
        if seq is None and type(number) is int:  # a bool is no number
            seq = number
        if "head" in record and (head is None or isinstance(head, str)) and seq is not None:
            return Tail(seq, head, size)
    return Tail(-1 if seq is None else seq, None, size)


def _lines_backward(fd: int, size: int) -> Iterator[bytes]:
    """The lines of *fd* from the last to the first, without their ends; blank and overlong ones are left out."""
    end = size
    pieces: list[bytes] = []  # of the line that is being gathered, last to first
    length = 0
    while end > 0:
        start = max(0, end - _BLOCK)
        *lines, last = os.pread(fd, end - start, start).split(b"\n")[::-1]
        for part in lines:
            if length + len(part) < MAX_LINE and (line := b"".join([part, *reversed(pieces)])).strip():
                yield line
            pieces, length = [], 0
        length += len(last)
        if length < MAX_LINE:
            pieces.append(last)
        else:
            pieces.clear()
        end = start
    if length < MAX_LINE and (line := b"".join(reversed(pieces))).strip():
        yield line


def numbered(records: Sequence[Record], tail: Tail) -> list[Record]:
    """*records* with the `seq` and `head` that follow on *tail*."""
    out, seq, head = [], tail.seq, tail.head
    for record in records:
        seq += 1
        head = record.get("head", head)
        out.append({**record, "seq": seq, "head": head})
    return out


def is_file(entry: os.DirEntry[str] | os.DirEntry[bytes]) -> bool:
    """Whether *entry* is a file, or a link to one."""
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def sync_with_parent(folder: Path) -> None:
    """Make sure that the names in *folder* and its own are on disk: it may be new. Raises OSError."""
    sync_folder(folder)
    with suppress(PermissionError):  # the parent may not be ours to read
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that the names in *folder* are on disk. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _skip_line(file: BinaryIO) -> int:
    skipped = 0
    while raw := file.readline(MAX_LINE):
        skipped += len(raw)
        if raw.endswith(b"\n"):
            break
    return skipped
