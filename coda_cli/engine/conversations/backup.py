"""Every conversation in one archive, taken while others write; and an archive brought back, overwriting nothing.

An archive has the shape of the data folder (`conversations/`, `trash/`, `blobs/`), so that it can be unpacked there by
hand, and ends with `backup.json`, which has the sha256 of everything in it. A journal is taken up to its last whole
line; the blobs are taken after the journals, and a blob is on disk before a journal names it.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Protocol

from msgspec import Struct, field

from coda_cli import paths
from coda_cli.engine.conversations.journal import StoreError, decode, sync_folder
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.errors import UsageError

Progress = Callable[[int, int], None]
"""Called with (done, whole)."""

FORMAT: Final = "coda-backup"
MANIFEST: Final = "backup.json"
BLOB: Final = re.compile("[0-9a-f]{64}")
DAMAGED: Final = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)
"""What reading an archive fails with that is not whole."""
_CHUNK: Final = 1 << 20
_PATIENCE: Final = 2.0  # seconds that a writer may hold a journal before it is taken as it is


class BackupReport(Struct):
    """What was put into `file`: counts, the archive's size in bytes, and what could not be read."""

    file: Path
    conversations: int = 0
    trashed: int = 0
    blobs: int = 0
    size: int = 0
    problems: list[str] = field(default_factory=list)


def backup(folder: Folder, target: Path, *, progress: Progress | None = None) -> BackupReport:
    """Write every conversation, the trash and the blobs to *target*, a new `.tar.gz`, `.tgz` or `.zip` (0600).

    The archive is read again before it gets its name. A file that cannot be read is told, and hides no other. Raises
    UsageError for a name that is taken or of another kind, and StoreError for a disk that refuses.
    """
    make = _kind(target)
    report = BackupReport(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        fd = paths.open_private(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(fd, "wb") as file:
                sums = _fill(make(file), folder, report, progress)
                file.flush()
                os.fsync(file.fileno())
            _compare(temporary, sums)
            report.size = temporary.stat().st_size
            _give_name(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as exc:
        raise StoreError(
            f"the backup could not be written to {target}: {exc.strerror or exc}",
            hint="choose another file, or make room; the conversations are untouched",
        ) from exc
    return report


def _kind(target: Path) -> Callable[[IO[bytes]], _Archive]:
    """What writes the archive that the name *target* asks for."""
    name = target.name.lower()
    if not name.endswith((".tar.gz", ".tgz", ".zip")):
        raise UsageError(f"{target.name} is no .tar.gz and no .zip", hint="give the backup one of these endings")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", hint="make it first, or choose another")
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already", hint="a backup overwrites nothing: choose another name")
    return _Zip if name.endswith(".zip") else _Tar


def _give_name(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)  # unlike a rename it never overwrites
    except FileExistsError:
        raise UsageError(f"{target} exists already", hint="a backup overwrites nothing: choose another name") from None
    except OSError:  # a file system without hard links
        temporary.rename(target)
    sync_folder(target.parent)


# ---- writing --------------------------------------------------------------------------------------------------------


class _Archive(Protocol):
    """An archive that is being written."""

    def add(self, name: str, source: _Measured, when: float) -> None:
        """Put what *source* holds under *name*."""
        ...

    def close(self) -> None:
        """Write its end."""
        ...


class _Measured:
    """The first *size* bytes of an open file, whose sha256 is known once they are read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = self.size = size
        self._hash = hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        """The next bytes. Raises OSError if the file has become shorter."""
        wanted = self._left if count < 0 else min(count, self._left)
        piece = self._file.read(wanted)
        if len(piece) < wanted:
            raise OSError("a file became shorter while it was read")
        self._left -= len(piece)
        self._hash.update(piece)
        return piece

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class _Tar:
    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w:gz", compresslevel=6, format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by close()

    def add(self, name: str, source: _Measured, when: float) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = source.size, int(when), 0o600
        self._tar.addfile(entry, source)

    def close(self) -> None:
        self._tar.close()


class _Zip:
    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)

    def add(self, name: str, source: _Measured, when: float) -> None:
        # a zip knows no time before 1980 or after 2107
        entry = zipfile.ZipInfo(name, time.localtime(min(max(when, 315619200.0), 4102444800.0))[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o100600 << 16
        with self._zip.open(entry, "w", force_zip64=source.size >= 1 << 31) as out:
            while piece := source.read(_CHUNK):
                out.write(piece)

    def close(self) -> None:
        self._zip.close()


def _fill(archive: _Archive, folder: Folder, report: BackupReport, progress: Progress | None) -> dict[str, str]:
    """Put everything into *archive*; name -> sha256 of what is in it."""
    sums: dict[str, str] = {}
    with closing(archive):
        seen: set[tuple[int, int]] = set()
        while found := [(place, file) for place, file in _journals(folder) if _is_new(file, seen)]:
            # and once more: what was deleted or restored meanwhile is in the folder that was looked at before
            for number, (place, file) in enumerate(found):
                _tell(progress, number, len(found))
                if _add(archive, f"{place}/{_plain(file.name)}", file, sums, report, whole=False):
                    report.conversations += place == "conversations"
                    report.trashed += place == "trash"
        named = sorted(file for file in _files(folder.blobs) if BLOB.fullmatch(file.name))
        for number, file in enumerate(named):
            _tell(progress, number, len(named))
            report.blobs += _add(archive, f"blobs/{file.name}", file, sums, report, whole=True)
        about = {"format": FORMAT, "version": 1, "created": time.time(), "files": sums}
        content = json.dumps(about, indent=1).encode()
        _put(archive, MANIFEST, content)
    return {**sums, MANIFEST: hashlib.sha256(content).hexdigest()}


def _tell(progress: Progress | None, done: int, whole: int) -> None:
    if progress is not None:
        progress(done, whole)


def _put(archive: _Archive, name: str, content: bytes) -> None:
    archive.add(name, _Measured(io.BytesIO(content), len(content)), time.time())


def _add(archive: _Archive, name: str, file: Path, sums: dict[str, str], report: BackupReport, *, whole: bool) -> bool:
    """Put *file* into the archive; False (and told) if it cannot be read, False if it has gone."""
    try:
        opened = file.open("rb")
    except FileNotFoundError:
        return False  # deleted or restored: the next round finds it
    except OSError as exc:
        report.problems.append(f"{file}: {exc.strerror or exc}")
        return False
    with opened:
        size = os.fstat(opened.fileno()).st_size if whole else whole_lines(opened.fileno())
        while name in sums:
            name = name.removesuffix(".jsonl") + "-again.jsonl"
        source = _Measured(opened, size)
        archive.add(name, source, os.fstat(opened.fileno()).st_mtime)
        sums[name] = source.sha256
    return True


def _journals(folder: Folder) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.files()):
        yield "conversations", file
    for file in sorted(folder.trashed()):
        yield "trash", file


def _is_new(file: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether the file was not seen under any name; it is now."""
    try:
        status = file.stat()
    except OSError:
        return False
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


def _files(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_file()]
    except FileNotFoundError:
        return []


def _plain(name: str) -> str:
    """*name* if any archive and any system takes it, else one made from it."""
    if re.fullmatch(r"[\w .-]{1,120}", name) and name.isascii():
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32] + ".jsonl"


def whole_lines(fd: int) -> int:
    """The bytes of an open journal up to the end of its last whole line, as no writer will cut them back."""
    with _shared(fd):
        size = os.fstat(fd).st_size
    end, rest = size, b""
    while end > 0:
        start = max(0, end - (1 << 16))
        piece = os.pread(fd, end - start, start)
        at = piece.rfind(b"\n")
        if at >= 0:
            rest = piece[at + 1 :] + rest
            end = start + at + 1
            break
        rest, end = piece + rest, start
    return size if not rest or decode(rest)[0] is not None else end  # a last line may be whole without its end


@contextmanager
def _shared(fd: int) -> Iterator[None]:
    """With no writer in the middle of an append, if that can be had in time."""
    ends = time.monotonic() + _PATIENCE
    locked = False
    while not locked:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                break
            time.sleep(0.005)
        except OSError:  # a file system without locks
            break
        else:
            locked = True
    try:
        yield
    finally:
        if locked:
            fcntl.flock(fd, fcntl.LOCK_UN)


# ---- reading --------------------------------------------------------------------------------------------------------


def members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The regular files in *archive*, a zip or a tar of any compression. Raises OSError and DAMAGED."""
    with archive.open("rb") as file:
        magic = file.read(2)
    if magic == b"PK":
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if info.flag_bits & 1:
                    raise zipfile.BadZipFile("it is encrypted")
                if not info.is_dir():
                    with packed.open(info) as inside:
                        yield info.filename, inside
        return
    with tarfile.open(archive) as tar:
        for entry in tar:
            inside_tar = tar.extractfile(entry) if entry.isreg() else None
            if inside_tar is not None:
                with inside_tar:
                    yield entry.name, inside_tar


def pieces(source: IO[bytes]) -> Iterator[bytes]:
    """What *source* holds, a piece at a time."""
    while piece := source.read(_CHUNK):
        yield piece


def _compare(archive: Path, sums: dict[str, str]) -> None:
    """Raises OSError if what is in *archive* is not what was put in."""
    found: dict[str, str] = {}
    with suppress(*DAMAGED):
        for name, source in members(archive):
            digest = hashlib.sha256()
            for piece in pieces(source):
                digest.update(piece)
            found[name] = digest.hexdigest()
    if found != sums:
        raise OSError("what was read back is not what was written")
