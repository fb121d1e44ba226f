"""Looking through a folder: from open folder to open folder, links not followed, ignored files left out, bounded."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.folder import Folder, Held, Place, of_kernel
from coda_cli.engine.tools.ignored import RULES_BYTES, SKIPPED, IgnoreRules, Rules, left_out

MOST: Final = 50_000
"""Files and folders that are looked at."""
DEEPEST: Final = 30
_VERSIONS: Final = frozenset({".git", ".hg", ".svn"})
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_FILE: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class Entry(Struct, frozen=True):
    """A file or folder below the one that is walked. `path` is relative to that; a folder's ends with a slash."""

    path: str
    name: str
    parent: Held
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def target(self) -> str | None:
        """Where a link says that it leads."""
        if not stat.S_ISLNK(self.status.st_mode):
            return None
        try:
            return os.readlink(self.name, dir_fd=self.parent.fd)
        except OSError:
            return "?"

    def open(self) -> Held | None:
        """A plain file, opened; None for anything else, and for what cannot be read or is another by now."""
        if not stat.S_ISREG(self.status.st_mode):
            return None
        try:
            held = Held(os.open(self.name, _FILE, dir_fd=self.parent.fd))
        except OSError:
            return None
        status = os.fstat(held.fd)
        same = (status.st_dev, status.st_ino) == (self.status.st_dev, self.status.st_ino)
        return held if same and stat.S_ISREG(status.st_mode) and not of_kernel(status) else None


class Walk:
    """Everything below *place*, which is in *folder* or outside of it. After it, `cut` says why it ended early.

    The rules of `.gitignore` files count from the working folder down; `everything` looks at what they leave out too.
    """

    def __init__(
        self,
        folder: Folder,
        place: Place,
        *,
        depth: int,
        seconds: float,
        cancelled: threading.Event,
        everything: bool = False,
    ) -> None:
        self.cut = ""
        self.unread = 0
        self._top = place.open_folder()
        self._depth = min(depth, DEEPEST)
        self._ends = time.monotonic() + seconds
        self._cancelled = cancelled
        self._everything = everything
        self._seen = 0
        inside = not place.outside and place.shown != "."
        self._base = place.shown + "/" if inside else ""
        self._rules = () if everything or not inside else _rules_above(folder, place.shown)

    def __iter__(self) -> Iterator[Entry]:
        return self._below(self._top, "", self._rules, 1)

    def _below(self, held: Held, inside: str, rules: Rules, depth: int) -> Iterator[Entry]:
        if not self._everything:
            rules += _rules_in(held, self._base + inside)
        folders = []
        for name in self._names(held):
            entry = self._entry(held, inside, name, rules)
            if entry is None:
                continue
            self._seen += 1
            if not self._goes_on():
                return
            yield entry
            if entry.is_folder and depth < self._depth:
                folders.append(entry)
        for entry in folders:
            if self.cut:
                return
            try:
                opened = Held(os.open(entry.name, _FOLDER, dir_fd=held.fd))
            except OSError:
                self.unread += 1
                continue
            if not of_kernel(os.fstat(opened.fd)):
                yield from self._below(opened, entry.path, rules, depth + 1)

    def _names(self, held: Held) -> list[str]:
        try:
            with os.scandir(held.fd) as entries:
                names = [entry.name for entry, _ in zip(entries, range(MOST), strict=False)]
        except OSError:
            self.unread += 1
            return []
        return sorted(names)

    def _entry(self, held: Held, inside: str, name: str, rules: Rules) -> Entry | None:
        try:
            status = os.stat(name, dir_fd=held.fd, follow_symlinks=False)
        except OSError:  # gone meanwhile
            return None
        path = inside + name + "/" * stat.S_ISDIR(status.st_mode)
        hidden = name in _VERSIONS or name in SKIPPED or left_out(rules, self._base + path)
        return None if hidden and not self._everything else Entry(path, name, held, status)

    def _goes_on(self) -> bool:
        if self._cancelled.is_set():
            raise ToolError("stopped")
        if self._seen > MOST:
            self.cut = f"stopped after {MOST} files and folders"
        elif self._seen % 64 == 0 and time.monotonic() > self._ends:
            self.cut = "stopped: it takes too long"
        return not self.cut


def _rules_above(folder: Folder, shown: str) -> Rules:
    """The rules of the folders from the working folder down to *shown*, that one not included."""
    parts = shown.split("/")
    rules: Rules = ()
    for count in range(len(parts)):
        inside = "".join(part + "/" for part in parts[:count])
        try:
            rules += _rules_in(folder.find(inside or ".").open_folder(), inside)
        except ToolError:
            continue
    return rules


def _rules_in(held: Held, inside: str) -> Rules:
    try:
        fd = Held(os.open(".gitignore", _FILE, dir_fd=held.fd))
        if not stat.S_ISREG(os.fstat(fd.fd).st_mode):
            return ()
        lines = os.read(fd.fd, RULES_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return ((inside, IgnoreRules(lines)),)
