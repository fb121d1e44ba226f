"""An archive that `backup` made, brought back into the data folder: what is there is never overwritten.

A conversation that is not there comes back as it was. One that is there with other content is added as a copy with an
id of its own, made from that content, so that the same archive brought back twice changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from msgspec import Struct, field

from coda_cli import paths
from coda_cli.engine.conversations import blobs
from coda_cli.engine.conversations.backup import BLOB, DAMAGED, FORMAT, MANIFEST, Progress, members, pieces
from coda_cli.engine.conversations.journal import SUFFIX, Journal, StoreError, encode, sync_folder
from coda_cli.engine.conversations.mend import begins
from coda_cli.engine.conversations.store import Folder, header
from coda_cli.engine.core.errors import UsageError

_TOGETHER: Final = 200
"""Files that get their names in one go: a disk syncs many files almost as fast as one."""
_DEEP: Final = 3  # a folder, `conversations/`, a name
_NAME: Final = re.compile(r"[\w .-]{1,120}\.jsonl", re.ASCII)


class RestoreReport(Struct):
    """What was brought back: conversation ids by what became of them, counts, and what was wrong with the archive.

    `copied` has pairs of an id in the archive and the id that its conversation has now.
    """

    created: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    copied: list[tuple[str, str]] = field(default_factory=list)
    trashed: int = 0
    blobs: int = 0
    problems: list[str] = field(default_factory=list)


def restore(folder: Folder, archive: Path, *, progress: Progress | None = None) -> RestoreReport:
    """Bring what is in *archive* back into *folder*. A damaged archive gives what can be read of it, and is told.

    It is read twice: what is not as it was written comes back only where nothing better is there. Raises UsageError for
    what is no backup, and StoreError for a disk that refuses.
    """
    work = _Restore(folder)
    try:
        size = 2 * max(1, archive.stat().st_size)
        for step in (work.look, work.take):
            done = 0 if step == work.look else size // 2
            try:
                for name, source in members(archive):
                    done += step(PurePosixPath(name), source)
                    if progress is not None:
                        progress(min(done, size), size)
            except DAMAGED as exc:
                if step == work.take:
                    why = f"the archive is damaged ({type(exc).__name__}): what comes after that is missing"
                    work.report.problems.append(why)
        work.settle()
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        if exc.filename != str(archive):
            raise _refused(exc) from exc
        raise UsageError(f"can't read {archive}: {exc.strerror}", hint="check the path and its permissions") from exc
    except OSError as exc:
        raise _refused(exc) from exc
    finally:
        work.tidy()
    if not work.known:
        why = f"; {work.report.problems[0]}" if work.report.problems else ""
        raise UsageError(
            f"{archive} is no backup of conversations{why}",
            hint="`coda history import` takes exports of Coda and other programs",
        )
    work.check()
    return work.report


def _refused(exc: OSError) -> StoreError:
    return StoreError(
        f"the backup could not be brought back whole: {exc.strerror or exc}",
        hint="make room or mend the data folder's permissions and do it again: what is there already is passed over",
    )


class _Waiting(Struct, frozen=True):
    """A whole file that waits for its place: *name* in *target*."""

    file: Path
    target: Path
    name: str
    id: str


class _Restore:
    """Brings back one member after another."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.report = RestoreReport()
        self.known = 0
        self._sums: dict[str, str] = {}
        self._expected: dict[str, str] | None = None
        self._temporary = self._fresh()
        self._waiting: list[_Waiting] = []
        self._there: dict[str, dict[str, list[Path]]] = {}

    def look(self, name: PurePosixPath, source: IO[bytes]) -> int:
        """Read a member to know whether it is as it was written; how many bytes."""
        digest, read, kept = hashlib.sha256(), 0, b""
        for piece in pieces(source):
            digest.update(piece)
            read += len(piece)
            kept += piece if name.name == MANIFEST else b""
        if name.name == MANIFEST:
            self._expected = _manifest(kept)
        self._sums[_key(name)] = digest.hexdigest()
        return read

    def take(self, name: PurePosixPath, source: IO[bytes]) -> int:
        """Bring back what *name* stands for; how many bytes were read."""
        place = name.parent.name if len(name.parts) <= _DEEP else ""
        if place in ("conversations", "trash") and name.suffix == SUFFIX:
            self.known += 1
            size = self._write(pieces(source))
            self._journal(place, name)
            return size
        if place == "blobs" and BLOB.fullmatch(name.name):
            self.known += 1
            content = b"".join(pieces(source))
            self._blob(name.name, content)
            return len(content)
        return 0

    def check(self) -> None:
        """Tell what is not as the manifest says."""
        if self._expected is None:
            self.report.problems.append(f"there is no {MANIFEST} in it: whether it is whole can't be said")
            return
        for name, digest in self._expected.items():
            if name not in self._sums:
                self.report.problems.append(f"{name} is missing from it")
            elif self._sums[name] != digest:
                self.report.problems.append(f"{name} is not as it was written")

    def tidy(self) -> None:
        """Leave no half of a file behind."""
        for file in (self._temporary, *(one.file for one in self._waiting)):
            file.unlink(missing_ok=True)

    # ---- one member -----------------------------------------------------------------------------------------------

    def _fresh(self) -> Path:
        return self.folder.conversations / f".restore.{os.getpid()}.{self.known}.tmp"

    def _write(self, content: Iterator[bytes]) -> int:
        fd = paths.open_private(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(fd, "wb") as file:
            for piece in content:
                file.write(piece)
            return file.tell()

    def _blob(self, name: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != name:
            self.report.problems.append(f"blobs/{name} is damaged in it")
        elif blobs.load(name, self.folder.blobs) is None:
            blobs.save(content, self.folder.blobs)
            self.report.blobs += 1

    def _journal(self, place: str, name: PurePosixPath) -> None:
        """Give the temporary file its place, unless all of it is there already."""
        conversation_id = header(self._temporary).get("id")
        if conversation_id in {one.id for one in self._waiting}:
            self.settle()
        if self._expected is None and next(Journal(self._temporary).records(), None) is None:
            self.report.problems.append(f"{_key(name)} has nothing that can be read")
            return
        damaged = self._expected is not None and self._expected.get(_key(name)) != self._sums.get(_key(name))
        if damaged and (next(Journal(self._temporary).records(), None) is None or self._better(place, conversation_id)):
            return  # `check` tells
        if not isinstance(conversation_id, str):
            self._headless(place, name.name)
        elif place == "trash":
            if not self._is_there("trash", conversation_id):
                self._place(self.folder.trash, self.folder.own_file(conversation_id).name, conversation_id)
                self.report.trashed += 1
        elif not self._known("conversations", conversation_id):
            self._place(self.folder.conversations, self.folder.own_file(conversation_id).name, conversation_id)
            self.report.created.append(conversation_id)
        elif self._is_there("conversations", conversation_id):
            self.report.unchanged.append(conversation_id)
        else:
            self._copy(conversation_id)

    def _better(self, place: str, conversation_id: object) -> bool:
        """Whether the conversation is there, so that a damaged one would only be in the way."""
        return isinstance(conversation_id, str) and bool(self._known(place, conversation_id))

    def _copy(self, conversation_id: str) -> None:
        """Add the temporary file under an id of its own, which its first record then says."""
        content = self._temporary.read_bytes()
        made = f"conv-{hashlib.sha256(content).hexdigest()[:20]}"
        first = next(line for line in Journal(self._temporary).lines() if line.record is not None)
        origin = {"conversation": conversation_id, "message": None, "backup": True}
        record = {**(first.record or {}), "id": made, "origin": origin}
        self._write(iter((content[: first.offset], encode(record), content[first.end :])))
        if self._is_there("conversations", made):
            self.report.unchanged.append(conversation_id)
            return
        self._place(self.folder.conversations, self.folder.own_file(made).name, made)
        self.report.copied.append((conversation_id, made))

    def _headless(self, place: str, name: str) -> None:
        """A journal that has lost its beginning: its name is all that it is known by."""
        target = self.folder.trash if place == "trash" else self.folder.conversations
        if not _NAME.fullmatch(name) or name.startswith("."):
            name = f"{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}{SUFFIX}"
        stem = name.removesuffix(SUFFIX)
        if any(begins(file, self._temporary) for file in target.glob(f"{stem}*{SUFFIX}")):
            self.report.unchanged.append(name)
            return
        self._place(target, name, "")
        self.report.created.append(name)

    def _place(self, target: Path, name: str, conversation_id: str) -> None:
        """Give the temporary file the name *name* in *target*, or one like it: with the next ones, in one go."""
        self._waiting.append(_Waiting(self._temporary, paths.private_dir(target), name, conversation_id))
        self._temporary = self._fresh()
        if len(self._waiting) >= _TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Give what is waiting its names, once all of it is on disk; the next query of the index finds it."""
        for one in self._waiting:
            _sync(one.file)
        for one in self._waiting:
            there = one.target / one.name
            number = 0
            while not _named(one.file, there):
                number += 1
                there = one.target / f"{one.name.removesuffix(SUFFIX)}-{number}{SUFFIX}"
            self._known(one.target.name, one.id).append(there)
        for folder in {one.target for one in self._waiting}:
            sync_folder(folder)
        self._waiting.clear()

    # ---- what is there --------------------------------------------------------------------------------------------

    def _known(self, place: str, conversation_id: str) -> list[Path]:
        """The files of a conversation in the folder *place*, which is looked through once."""
        if place not in self._there:
            found: dict[str, list[Path]] = {}
            for file in self.folder.files() if place == "conversations" else self.folder.trashed():
                found.setdefault(str(header(file).get("id")), []).append(file)
            self._there[place] = found
        return self._there[place].setdefault(conversation_id, [])

    def _is_there(self, place: str, conversation_id: str) -> bool:
        """Whether some file of the conversation begins with all that the temporary file has."""
        return any(begins(file, self._temporary) for file in self._known(place, conversation_id))


def _sync(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _named(file: Path, there: Path) -> bool:
    """Give *file* the name *there*; False if it is taken."""
    try:
        os.link(file, there)  # unlike a rename it never overwrites
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if there.exists():
            return False
        file.rename(there)
    else:
        file.unlink()
    return True


def _key(name: PurePosixPath) -> str:
    """The name of a member as the manifest has it."""
    return f"{name.parent.name}/{name.name}"


def _manifest(content: bytes) -> dict[str, str] | None:
    try:
        value: Any = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("format") != FORMAT or not isinstance(value.get("files"), dict):
        return None
    return {str(name): str(digest) for name, digest in value["files"].items()}
