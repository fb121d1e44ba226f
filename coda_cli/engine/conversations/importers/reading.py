"""Reading what another program exported: JSON of any size object by object, and zip archives; every size is capped.

An export may be cut off, wrong or made to do harm. So one conversation at a time is in memory, what is broken costs
only itself, and no more is unpacked than `MAX_TEXT` and `MAX_ASSETS`, whatever an archive's own table of contents says.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, Protocol, Self

from msgspec import Struct

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.rendering.sanitize import sanitize

JSON = dict[str, Any]

MAX_OBJECT: Final = 512 * 1024 * 1024
"""Bytes of one conversation's JSON."""
MAX_TEXT: Final = 4 * 1024 * 1024 * 1024
"""Bytes of JSON of one export, unpacked."""
MAX_ASSET: Final = 64 * 1024 * 1024
MAX_ASSETS: Final = 8 * 1024 * 1024 * 1024
"""Bytes of one picture, and of all pictures together."""

_CHUNK: Final = 1024 * 1024
# everything up to and with the next bracket that stands in no string; possessive, so that no text makes it go back
_TO_BRACKET: Final = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+([\[\]{}])', re.DOTALL)
_CONVERSATIONS: Final = re.compile(r"conversations(?:-\d{1,6})?\.json", re.IGNORECASE)
_ASSET_ID: Final = re.compile(r"file(?:-[A-Za-z0-9]+|_[A-Za-z0-9]+)")
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
)  # fmt: skip

Progress = Callable[[int, int], None]


class ArchiveError(Exception):
    """A part of an archive could not be read; `str()` says why."""


# ---- JSON ---------------------------------------------------------------------------------------------------------


def objects(stream: BinaryIO, advanced: Callable[[int], None] = lambda _: None) -> Iterator[JSON | str]:
    """The objects of a JSON array, or those that stand on their own, one by one; a string tells what is wrong.

    *advanced* is called with the number of bytes read so far. Raises ArchiveError for a stream that cannot be read.
    """
    number = 0
    for raw in _cut(stream, advanced):
        if isinstance(raw, str):
            yield raw
            continue
        number += 1
        try:
            value = json.loads(raw.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as exc:
            yield f"item {number} is not JSON ({type(exc).__name__})"
            continue
        if isinstance(value, dict):
            yield value


def _cut(stream: BinaryIO, advanced: Callable[[int], None]) -> Iterator[bytes | str]:
    """The bytes of each object at the top, or inside the array at the top."""
    buffer, at, start = b"", 0, -1  # of the buffer, `at` bytes are understood; an object is open from `start` on
    depth, floor, total, want = 0, 0, 0, _CHUNK
    while True:
        found = _TO_BRACKET.match(buffer, at)
        if found is None:
            kept = start if start >= 0 else at
            buffer, at, start = buffer[kept:], at - kept, min(start, 0)
            if len(buffer) > MAX_OBJECT:
                yield f"an item is longer than {MAX_OBJECT // 1024 // 1024} MiB; what follows it was left out"
                return
            more = _read(stream, max(want, len(buffer)))
            if not more:
                break
            total += len(more)
            advanced(total)
            buffer = (buffer if start >= 0 else buffer.lstrip(b" \t\r\n,")) + more
            continue
        at, bracket = found.end(), found.group(1)
        if bracket in b"[{":
            if depth == floor == 0 and bracket == b"[":
                floor = 1
            elif depth == floor and bracket == b"{":
                start = at - 1
            depth += 1
        else:
            depth -= 1
            if start >= 0 and depth == floor:
                yield buffer[start:at]
                start = -1
            if depth < floor:
                depth = floor = 0
    if start >= 0 or depth > 0:
        yield "the file is cut off: its end is missing"


def _read(stream: BinaryIO, size: int) -> bytes:
    try:
        return stream.read(size)
    except _ZIP_ERRORS as exc:
        raise ArchiveError(f"it can't be read to its end ({type(exc).__name__})") from exc


# ---- pictures -------------------------------------------------------------------------------------------------------


class Assets(Protocol):
    """The pictures that lie beside the text of an export."""

    def load(self, asset_id: str) -> bytes | None:
        """The file whose name begins with *asset_id* (`file-Ab12`, `file_00ab`), or None. Raises ArchiveError."""
        ...


class NoAssets:
    """An export without files."""

    def load(self, asset_id: str) -> bytes | None:
        """None."""
        del asset_id
        return None


class FolderAssets:
    """The files of an unpacked export: beside its `conversations.json` and in the folders there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] | None = None

    def load(self, asset_id: str) -> bytes | None:
        """The file whose name begins with *asset_id*; never a link, never one outside the folder."""
        if self._files is None:
            self._files = dict(self._found())
        path = self._files.get(asset_id)
        if path is None:
            return None
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_ASSET:
                    raise ArchiveError(f"{sanitize(path.name)} is too large, or no file")
                return file.read(MAX_ASSET)
        except OSError as exc:
            raise ArchiveError(f"{sanitize(path.name)} can't be read: {exc.strerror or exc}") from exc

    def _found(self) -> Iterator[tuple[str, Path]]:
        for folder, folders, names in os.walk(self._folder):
            if Path(folder) != self._folder:
                folders.clear()
            for name in sorted(names, reverse=True):  # the first of a name wins
                if (known := _ASSET_ID.match(name)) is not None:
                    yield known.group(), Path(folder, name)


class Archive:
    """A zip with `conversations.json` in it. Nothing is ever unpacked to disk, so no name in it can do harm."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
            members = self._zip.infolist()
        except _ZIP_ERRORS as exc:
            raise UsageError(
                f"{sanitize(str(path))} is not a whole zip archive ({type(exc).__name__})",
                hint="download the export once more; it may be cut off",
            ) from exc
        self._files: dict[str, zipfile.ZipInfo] = {}
        self._left = MAX_ASSETS
        self.texts: list[zipfile.ZipInfo] = []
        for member in members:
            name = PurePosixPath(member.filename.replace("\\", "/"))
            if "__MACOSX" in name.parts:
                continue
            if _CONVERSATIONS.fullmatch(name.name):
                self.texts.append(member)
            elif (known := _ASSET_ID.match(name.name)) is not None:
                self._files.setdefault(known.group(), member)
        self.texts.sort(key=lambda member: member.filename)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def open(self, member: zipfile.ZipInfo) -> BinaryIO:
        """The unpacked bytes of *member*. Raises ArchiveError."""
        if member.flag_bits & 1:
            raise ArchiveError("it is encrypted")
        try:
            opened = self._zip.open(member)
        except _ZIP_ERRORS as exc:
            raise ArchiveError(f"it can't be unpacked ({type(exc).__name__})") from exc
        return opened  # type: ignore[return-value]  # typeshed calls it IO[bytes]

    def load(self, asset_id: str) -> bytes | None:
        """The file whose name begins with *asset_id*. Raises ArchiveError for one that is too large or broken."""
        member = self._files.get(asset_id)
        if member is None:
            return None
        limit = min(MAX_ASSET, self._left)
        with self.open(member) as file:
            content = _read(file, limit + 1)
        self._left -= len(content)
        if len(content) > limit:
            raise ArchiveError(f"{sanitize(asset_id)} is too large")
        return content


# ---- the whole of an export -----------------------------------------------------------------------------------------


class Item(Struct, frozen=True):
    """One object of an export, or what is wrong in its place; and where its pictures are."""

    value: JSON | None
    problem: str | None
    assets: Assets


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def items(path: Path, progress: Progress) -> Iterator[Item]:
    """The objects of the JSON file or zip archive *path*. Raises UsageError for a zip without conversations."""
    if not zipfile.is_zipfile(path):
        yield from _all([(path.name, path.stat().st_size, partial(_open, path))], FolderAssets(path.parent), progress)
        return
    with Archive(path) as archive:
        if not archive.texts:
            raise UsageError(
                f"there is no conversations.json in {sanitize(str(path))}",
                hint="Coda reads the export archives of ChatGPT and of Claude as they were downloaded",
            )
        texts = [(member.filename, member.file_size, partial(archive.open, member)) for member in archive.texts]
        yield from _all(texts, archive, progress)


def _all(
    texts: Sequence[tuple[str, int, Callable[[], BinaryIO]]], assets: Assets, progress: Progress
) -> Iterator[Item]:
    whole, read = sum(size for _, size, _ in texts), 0

    def advanced(done: int) -> None:
        if read + done > MAX_TEXT:  # what it says of its sizes may be wrong; what was read is not
            raise ArchiveError(f"there are more than {MAX_TEXT // 1024**3} GiB of text; the rest was left out")
        progress(min(read + done, whole), whole)

    for name, size, opened in texts:
        last = 0

        def counted(done: int) -> None:
            nonlocal last
            last = done
            advanced(done)

        try:
            with opened() as stream:
                for found in objects(stream, counted):
                    told = f"{sanitize(name)}: {found}" if isinstance(found, str) else None
                    yield Item(found if isinstance(found, dict) else None, told, assets)
        except ArchiveError as exc:
            yield Item(None, f"{sanitize(name)}: {exc}", assets)
        read += max(last, size if last else 0)
