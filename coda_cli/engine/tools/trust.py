"""Whether what a working folder brings along (`.coda/`: settings, tools; `AGENTS.md`: notes) may count.

Somebody else may have written it, so nothing of it counts until a person has seen it and said yes, and the yes is for
these bytes: another byte, another file, and the folder is a stranger again. What is trusted is handed out as the very
bytes that were compared, so that nothing can change between the look and the use. Files are opened below the folder
one name at a time without following a link; what is no plain file, or too large, does not exist here.

`trust.toml` in the data folder holds a list of tables `[[folder]]` with `path`, `digest` and `trusted` (a time).
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from coda_cli import paths
from coda_cli.engine.tools.own_folder import NOTES, OWN_FOLDER
from coda_cli.engine.tools.small_file import EntryFile
from coda_cli.engine.tools.visible import visible_line

MAX_FILE: Final = 1024 * 1024
MAX_FILES: Final = 200
MAX_SIZE: Final = 8 * MAX_FILE
MAX_DEPTH: Final = 6
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_HEADER: Final = "# The folders whose own settings and tools count, as long as nothing in them changes.\n\n"
# What a folder may set once it is trusted. Not where requests and keys go, and not what it may do: who writes a
# repository must not be able to send its readers' words elsewhere, even with a yes that was given too quickly.
_SETTABLE: Final[Mapping[str, frozenset[str] | None]] = {
    "conversation": None,
    "function_calling": frozenset(
        (
            "max_function_calls_per_turn",
            "parallel_execution",
            "max_parallel",
            "timeout",
            "allowed_categories",
        )
    ),
    "permissions": frozenset(("deny",)),
}
_SETTABLE_VALUES: Final = frozenset(("model", "default_provider", "stream_responses"))


BESIDE: Final = f"../{NOTES}"
"""The path of the notes that stand beside the `.coda`."""


class FolderFiles(Struct, frozen=True):
    """What a folder brought along at one moment: path below its `.coda` -> bytes. `left_out`: what does not count, why.

    The notes beside the `.coda` are `BESIDE`.
    """

    folder: str
    content: Mapping[str, bytes]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over every name and every byte, lengths included, so that no two contents share it."""
        whole = hashlib.sha256()
        for name, data in sorted(self.content.items()):
            for part in (os.fsencode(name), data):
                whole.update(len(part).to_bytes(8, "big"))
                whole.update(part)
        return whole.hexdigest()


class Trust:
    """The folders that a person trusts, in *file* (default: `trust.toml` in the data folder)."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = EntryFile(file or paths.data_dir() / "trust.toml", "folder", _HEADER)
        self._known: dict[str, str] = {}

    @property
    def problems(self) -> list[str]:
        """What is wrong with the file, for a person."""
        self._read()
        return [*self._file.notices, *self._file.problems]

    def trusted(self, folder: Path) -> FolderFiles | None:
        """What *folder* brings along, if it is trusted as it is now; else None. A stranger's files are not opened."""
        digest = self._read().get(os.path.realpath(folder))
        if digest is None:
            return None
        files = read_folder(folder)
        return files if files.digest == digest else None

    def state(self, folder: Path) -> str:
        """ "none" (it brings nothing along), "trusted", "changed" since it was, or "unknown"."""
        known = os.path.realpath(folder) in self._read()
        if not has_files(folder):
            return "none"
        if self.trusted(folder) is not None:
            return "trusted"
        return "changed" if known else "unknown"

    def trust(self, files: FolderFiles) -> None:
        """Trust exactly *files*, which `read_folder` gave and a person was shown. Raises ConfigError."""
        entry = {"path": files.folder, "digest": files.digest, "trusted": datetime.now(UTC).replace(microsecond=0)}
        self._file.change(lambda entries: [*(kept for kept in entries if not _is_of(kept, files.folder)), entry])

    def distrust(self, folder: Path) -> bool:
        """Trust *folder* no more; whether it was. Raises ConfigError."""
        real = os.path.realpath(folder)
        if not self._read():
            return False
        return self._file.change(lambda entries: [kept for kept in entries if not _is_of(kept, real)])

    def folders(self) -> list[str]:
        """The folders that are trusted, whether or not they have changed since."""
        return sorted(self._read())

    def _read(self) -> dict[str, str]:
        entries = self._file.changed()
        if entries is not None:
            self._known = {
                entry["path"]: entry["digest"]
                for entry in entries
                if isinstance(entry, dict)
                and isinstance(entry.get("path"), str)
                and isinstance(entry.get("digest"), str)
            }
        return self._known


def has_files(folder: Path) -> bool:
    """Whether *folder* has a `.coda` of any kind, or notes. Opens nothing."""
    return any(os.path.lexists(Path(folder) / name) for name in (OWN_FOLDER, NOTES))


def shown_name(name: str) -> str:
    """The path of one of `FolderFiles`, from the folder on, nothing hidden in it."""
    return NOTES if name == BESIDE else visible_line(name if name == OWN_FOLDER else f"{OWN_FOLDER}/{name}")


def read_folder(folder: Path) -> FolderFiles:
    """What *folder* brings along, each file read once. Never raises for what it finds there.

    A folder that cannot be read to its end brings nothing along: half of it is not what its writer meant.
    """
    content: dict[str, bytes] = {}
    left_out: dict[str, str] = {}
    real = os.path.realpath(folder)
    notes = _notes(real)
    if isinstance(notes, bytes):
        content[BESIDE] = notes
    elif notes:
        left_out[BESIDE] = notes
    try:
        top = os.open(Path(real) / OWN_FOLDER, _FLAGS | os.O_DIRECTORY)
    except OSError as exc:
        if exc.errno != errno.ENOENT:
            left_out[OWN_FOLDER] = _why(exc)
        return FolderFiles(real, content, left_out)
    met = size = 0
    try:
        for name, found in _walk(top, "", 0):
            met += 1
            if isinstance(found, bytes):
                content[name] = found
                size += len(found)
            elif found:
                left_out[name] = found
            if met > MAX_FILES or size > MAX_SIZE:
                what = f"more than {MAX_FILES} files" if met > MAX_FILES else f"more than {MAX_SIZE >> 20} MiB"
                return FolderFiles(real, {}, {OWN_FOLDER: f"it holds {what}"})
    finally:
        os.close(top)
    return FolderFiles(real, content, left_out)


def _notes(folder: str) -> bytes | str:
    """The notes beside the `.coda`, or why they do not count; "" where there are none."""
    try:
        fd = os.open(Path(folder) / NOTES, _FLAGS)
    except OSError as exc:
        return "" if exc.errno == errno.ENOENT else _why(exc)
    try:
        return _content(fd) if stat.S_ISREG(os.fstat(fd).st_mode) else "it is not a regular file"
    finally:
        os.close(fd)


def _walk(fd: int, above: str, depth: int) -> Iterator[tuple[str, bytes | str]]:
    """Every file below the open folder *fd*: its bytes, or why it does not count. A folder is named with ""."""
    try:
        names = sorted(os.listdir(fd))
    except OSError as exc:
        yield above or OWN_FOLDER, _why(exc)
        return
    for name in names:
        path = f"{above}{name}"
        try:
            inner = os.open(name, _FLAGS, dir_fd=fd)
        except OSError as exc:
            yield path, _why(exc)
            continue
        try:
            kind = os.fstat(inner).st_mode
            if stat.S_ISREG(kind):
                yield path, _content(inner)
            elif not stat.S_ISDIR(kind):
                yield path, "it is not a regular file"
            elif depth == MAX_DEPTH:
                yield path, "it is nested too deeply"
            else:
                yield path, ""
                yield from _walk(inner, f"{path}/", depth + 1)
        finally:
            os.close(inner)


def _content(fd: int) -> bytes | str:
    try:
        with os.fdopen(os.dup(fd), "rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as exc:
        return _why(exc)
    return content if len(content) <= MAX_FILE else "it is larger than 1 MiB"


def _why(exc: OSError) -> str:
    if exc.errno in (errno.ELOOP, errno.EMLINK):
        return "it is a symbolic link"
    return (exc.strerror or str(exc)).lower()


def _is_of(entry: object, folder: str) -> bool:
    return isinstance(entry, dict) and entry.get("path") == folder


def folder_settings(table: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The part of a trusted folder's *table* of settings that counts, and the keys that never come from a folder."""
    kept: dict[str, Any] = {}
    passed_over: list[str] = []
    for key, value in table.items():
        inner = _SETTABLE.get(key, frozenset())
        if key in _SETTABLE_VALUES or inner is None or _closes(key, value):
            kept[key] = value
        elif not inner or not isinstance(value, Mapping):
            passed_over.append(visible_line(key))
        else:
            taken = [name for name in value if name in inner or _closes(f"{key}.{name}", value[name])]
            kept[key] = {name: value[name] for name in taken}
            passed_over += [visible_line(f"{key}.{name}") for name in value if name not in taken]
    return kept, passed_over


def _closes(key: str, value: object) -> bool:
    """Whether it is a switch that a folder may throw in one direction only: to less."""
    return (key == "offline" and value is True) or (key == "function_calling.enabled" and value is False)
