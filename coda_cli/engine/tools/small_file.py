"""Small private TOML files of a person: read without surprises, changed under a lock, never half written."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.engine.tools.visible import visible_line

MAX_BYTES: Final = 1024 * 1024

Stamp = tuple[int, int, int, int]
"""Device, inode, size and time of change: another stamp, another content."""


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of the file at *path*, or None if there is none."""
    try:
        info = path.stat()
    except OSError:
        return None
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)


class EntryFile:
    """A TOML file that is one list of tables, `[[key]]`.

    One that cannot be used counts as empty, is told in `problems` and `broken`, and is never written over: the next
    change keeps it under another name, told in `notices`.
    """

    def __init__(self, path: Path, key: str, header: str) -> None:
        self.path = path
        self.problems: list[str] = []
        self.notices: list[str] = []
        self.broken = False
        self._key = key
        self._header = header
        self._seen: Stamp | Literal["never"] | None = "never"

    def changed(self) -> list[Any] | None:
        """The entries, or None if nothing has changed since they were last asked for. They may be anything."""
        stamp = stamp_of(self.path)
        if stamp == self._seen:
            return None
        self._seen = stamp
        return self._read()

    def change(self, change: Callable[[list[Any]], list[Any]]) -> bool:
        """Replace the entries by what *change* makes of them; whether that is anything else. Raises ConfigError."""
        import tomli_w

        try:
            with paths.locked(self.path):
                old = self._read()
                new = change(old)
                if new == old:
                    return False
                if self.broken:
                    aside = paths.keep_aside(self.path)
                    self.notices.append(visible_line(f"{self.path} could not be used and is kept as {aside.name}"))
                content = self._header + tomli_w.dumps({self._key: new})
                # A link (a folder of dotfiles) stays one.
                paths.replace_private(Path(os.path.realpath(self.path)), content.encode("utf-8"))
        except UnicodeEncodeError as exc:
            hint = "answer for this once, or rename the folder"
            raise ConfigError("the name of the folder is not UTF-8: nothing is kept for it", hint=hint) from exc
        except OSError as exc:
            hint = f"check the folder and the free space: `ls -ld '{self.path.parent}'`"
            raise ConfigError(f"cannot write {self.path}: {exc.strerror or exc}", hint=hint) from exc
        self.problems, self.broken = [], False
        self._seen = "never"
        return True

    def _read(self) -> list[Any]:
        self.problems, self.broken = [], False
        try:
            content = paths.read_private(self.path, MAX_BYTES, trusted=True)
            table = tomllib.loads((content or b"").decode("utf-8"))
        except OSError as exc:
            return self._bad(exc.strerror or str(exc))
        except (ValueError, RecursionError) as exc:
            return self._bad(f"bad TOML: {exc}")
        entries = table.get(self._key, [])
        if not isinstance(entries, list) or set(table) - {self._key}:
            return self._bad(f"it holds more than a list of `[[{self._key}]]`")
        return entries

    def _bad(self, why: str) -> list[Any]:
        self.broken = True
        self.problems.append(visible_line(f"{self.path} cannot be used, and nothing in it holds: {why}"))
        return []
