"""What is known about the files of one model folder: `.coda.json`.

    {"version": 1, "source": "owner/repo", "revision": "...", "complete": true,
     "files": {"config.json": {"size": 1, "mtime_ns": 1, "sha256": "..."}}}

A file whose size and time are as recorded has been checked. The record can be lost: it only saves hashing again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, ValidationError

from coda_cli.paths import replace_private

NAME: Final = ".coda.json"


class _Entry(BaseModel):
    size: int
    mtime_ns: int
    sha256: str


class _Content(BaseModel):
    version: int = 1
    source: str = ""
    revision: str = ""
    complete: bool = False
    files: dict[str, _Entry] = Field(default_factory=dict)


class Manifest:
    """The record of one folder; a missing or damaged one reads as empty."""

    def __init__(self, folder: Path, content: _Content) -> None:
        self._folder = folder
        self._content = content

    @classmethod
    def of(cls, folder: Path) -> Manifest:
        """The record of *folder*."""
        try:
            return cls(folder, _Content.model_validate_json((folder / NAME).read_bytes()))
        except (OSError, ValidationError):
            return cls(folder, _Content())

    @property
    def complete(self) -> bool:
        """Whether all files of a pulled repository are here."""
        return self._content.complete

    @property
    def source(self) -> str:
        """The repository the folder was pulled from ("" if it was not)."""
        return self._content.source

    @property
    def revision(self) -> str:
        """The commit it was pulled at."""
        return self._content.revision

    def sha256(self, path: Path) -> str | None:
        """The checksum that *path* had when it was checked, or None if it was not or has changed since."""
        entry = self._content.files.get(self._key(path))
        if entry is None:
            return None
        stat = path.stat()
        return entry.sha256 if (stat.st_size, stat.st_mtime_ns) == (entry.size, entry.mtime_ns) else None

    def record(self, path: Path, sha256: str) -> None:
        """Remember that *path* was checked. Raises OSError."""
        stat = path.stat()
        self._content.files[self._key(path)] = _Entry(size=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=sha256)
        self._save()

    def begin(self, source: str, revision: str) -> None:
        """A pull of *source* at *revision* begins: until `finish()` the folder is not complete. Raises OSError."""
        same = self._content.revision == revision
        self._content.source, self._content.revision = source, revision
        self._content.complete = self._content.complete and same
        self._save()

    def finish(self) -> None:
        """All files of the repository are here. Raises OSError."""
        self._content.complete = True
        self._save()

    def reset(self) -> None:
        """The pulled repository is gone. Raises OSError."""
        if self._content.complete:
            self._content.complete = False
            self._save()

    def forget(self, path: Path) -> None:
        """*path* is gone. Raises OSError."""
        if self._content.files.pop(self._key(path), None) is not None:
            self._save()

    def _key(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _save(self) -> None:
        text = json.dumps(self._content.model_dump(), indent=1)
        replace_private(self._folder / NAME, text.encode() + b"\n")
