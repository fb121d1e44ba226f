"""The working folder, held open: every path of a tool is resolved from its descriptor, one name at a time.

A name is looked at without following it, a link is read and resolved again from the folder down, and `..` goes back
along what was walked: nothing that is swapped between two looks leads out. What leaves the folder is not refused here
but said (`Place.outside`), so that a person can be asked; it is then opened exactly as it was shown, with no link on
the way. What is opened must be the same file (device and inode) that was looked at.

Why no `openat2(RESOLVE_BENEATH)`: it refuses what leaves the folder, but a person is to see *where* it leads. The walk
finds that out anyway, is as strict, and is one way on every system.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import weakref
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.secret_names import Identity, identity, secret

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
# Not blocked by a FIFO that is swapped in, no controlling terminal from a device.
_FILE: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_LINKS: Final = 40
_PATH_BYTES: Final = 4096
_TRIES: Final = 5
_ESCAPED: Final = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})")


class Held:
    """An open descriptor, closed when nobody holds it any more."""

    __slots__ = ("__weakref__", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        weakref.finalize(self, os.close, fd)


class _MovedError(Exception):
    """What was looked at is something else by now: look again."""


class Place(Struct, frozen=True):
    """Where a path leads. `parent` and `name` reach it; `status` is what stands there (no link), None for nothing.

    `shown` is the resolved path: below the folder, or absolute where it is `outside`. `missing` are the folders
    between `parent` and the file that are still to be made. `folders` are the identities of the folders on the way.
    """

    parent: Held
    name: str
    shown: str
    outside: bool
    status: os.stat_result | None = None
    missing: tuple[str, ...] = ()
    folders: frozenset[Identity] = frozenset()

    @property
    def is_folder(self) -> bool:
        return self.status is not None and stat.S_ISDIR(self.status.st_mode)

    @property
    def identity(self) -> Identity | None:
        """Device and inode of what stands there."""
        return None if self.status is None else (self.status.st_dev, self.status.st_ino)

    def secret(self) -> str:
        """Why a person is asked before this is read, wherever it is; "" if it needs no reason."""
        return secret(self.shown, self.folders | ({self.identity} if self.identity else frozenset()))

    def rule(self, tool: str) -> str:
        """What rules about *tool* are compared with."""
        text = self.shown.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return f"{tool} {text}"  # it is shown and stored: half a character could be neither

    def open_file(self) -> Held:
        """The file for reading. Raises ToolError for what is no plain file, is gone, or is another by now."""
        if self.status is None or self.missing:
            raise ToolError(f"there is no {readable(self.shown)}")
        _must_be_file(self.status, self.shown)
        held = _same(self, _FILE)
        if held is None:
            raise ToolError(f"{readable(self.shown)} has changed since it was looked at: try again")
        if of_kernel(os.fstat(held.fd)):
            raise ToolError(f"{readable(self.shown)} belongs to /proc, which is closed to tools")
        return held

    def open_folder(self) -> Held:
        """The folder for listing. Raises ToolError."""
        if self.status is None or self.missing:
            raise ToolError(f"there is no folder {readable(self.shown)}")
        if not self.is_folder:
            raise ToolError(f"{readable(self.shown)} is not a folder")
        held = _same(self, _FOLDER)
        if held is None:
            raise ToolError(f"{readable(self.shown)} has changed since it was looked at: try again")
        if of_kernel(os.fstat(held.fd)):
            raise ToolError(f"{readable(self.shown)} belongs to /proc, which is closed to tools")
        return held


class Folder:
    """A working folder whose files tools may reach. Raises ToolError if it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = os.path.realpath(path)
        try:
            self._top = Held(os.open(self.path, _FOLDER))
            above = (identity(one) for one in (Path(self.path), *Path(self.path).parents))
            self._above = frozenset(one for one in above if one is not None)
            named = os.path.abspath(path)  # noqa: PTH100 - as the person calls it, links unresolved
            self._names = (self.path, named) if Path(named).samefile(self.path) else (self.path,)
        except OSError as exc:
            raise ToolError(f"the working folder {readable(self.path)} can't be opened: {_why(exc)}") from exc

    def find(self, written: str) -> Place:
        """Where *written* leads: relative to the folder, absolute, or from `~`. Raises ToolError."""
        names = [_checked(written)]
        if _ESCAPED.search(written):  # as a listing shows a name that is no text
            try:
                names.append(_checked(_ESCAPED.sub(_unescaped, written)))
            except ToolError:
                pass  # an escape that no name can hold: then it is meant as it is written
        places = [self._found(name) for name in names]
        return next((place for place in places if place.status is not None), places[0])

    def again(self, place: Place) -> Place:
        """Where the shown path of *place* leads now, links no longer followed: another place means a change."""
        return self._found(place.shown)

    def _found(self, written: str) -> Place:
        for _ in range(_TRIES):
            try:
                return self._resolved(written)
            except _MovedError:
                continue
            except OSError as exc:
                raise ToolError(f"{readable(written)} can't be reached: {_why(exc)}") from exc
        raise ToolError(f"{readable(written)} changes while it is looked at: try again")

    def _resolved(self, written: str) -> Place:
        path = os.path.expanduser(written) if written.startswith("~") else written  # noqa: PTH111 - unknown users
        below = self._below(path)
        if below is not None:
            place = self._walk(below)
            if isinstance(place, Place):
                return place
            path = place
        real = os.path.realpath(path)
        below = self._below(real)
        if below is not None:  # out and in again
            place = self._walk(below)
            if isinstance(place, Place):
                return place
            raise _MovedError
        try:
            return _Walk(Held(os.open("/", _FOLDER)), "/").go(real)
        except _LinkError as exc:
            Path(real).stat()  # says so if it is a circle
            raise _MovedError from exc

    def _below(self, path: str) -> str | None:
        """*path* relative to the folder, or None if it is another's."""
        if not path.startswith("/"):
            return path
        for top in self._names:
            if path == top or path.startswith(top.rstrip("/") + "/"):
                return path[len(top) :].lstrip("/")
        return None

    def _walk(self, path: str) -> Place | str:
        """The place at *path* below the folder, or the absolute path that leads out of it."""
        links = 0
        rest = path
        while True:
            walk = _Walk(self._top, self.path, self._above)
            try:
                return walk.go(rest)
            except _LeftError as left:
                return os.path.join(self.path, *walk.names, left.rest)  # noqa: PTH118 - `..` is to stay
            except _LinkError as link:
                links += 1
                if links > _LINKS:
                    raise ToolError(f"{readable(path)} is a circle of links") from None
                rest = "/".join((*(() if link.target.startswith("/") else walk.names), link.target, *link.rest))
                below = self._below(rest)
                if below is None:
                    return rest
                rest = below


class _LeftError(Exception):
    """`..` leaves the top of a walk; `rest` is what was still to be walked."""

    def __init__(self, rest: str) -> None:
        super().__init__(rest)
        self.rest = rest


class _LinkError(Exception):
    """There is a link on the way."""

    def __init__(self, target: str, rest: Sequence[str]) -> None:
        super().__init__(target)
        self.target = target
        self.rest = tuple(rest)


class _Walk:
    """One walk down from a folder. `names` are the folders that it is in."""

    def __init__(self, top: Held, path: str, above: frozenset[Identity] = frozenset()) -> None:
        self._top = top
        self._path = path
        self._above = above
        self._trail: list[tuple[str, Held, os.stat_result]] = []

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self._trail)

    @property
    def _here(self) -> Held:
        return self._trail[-1][1] if self._trail else self._top

    def go(self, path: str) -> Place:
        """The place at *path*. Raises _LeftError, _LinkError, _MovedError, OSError, ToolError."""
        todo = deque(part for part in path.split("/") if part not in ("", "."))
        must_be_folder = path.endswith(("/", "/."))
        while todo:
            name = todo.popleft()
            if name == "..":
                if self._trail:
                    self._trail.pop()
                elif self._path != "/":
                    raise _LeftError("/".join(("..", *todo)))
                continue
            status = self._look(name)
            if status is None:
                return self._nothing((name, *todo), path)
            if stat.S_ISLNK(status.st_mode):
                raise _LinkError(self._read_link(name), todo)
            if not todo and not (must_be_folder and stat.S_ISDIR(status.st_mode)):
                if must_be_folder:
                    raise ToolError(f"{readable(path)} is not a folder")
                return self._place(name, status)
            self._enter(name, status, path)
        if not self._trail:
            return self._place(".", os.fstat(self._top.fd))
        name, _, status = self._trail.pop()
        return self._place(name, status)

    def _look(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._here.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _read_link(self, name: str) -> str:
        try:
            return os.readlink(name, dir_fd=self._here.fd)
        except OSError as exc:  # no link any more
            raise _MovedError from exc

    def _enter(self, name: str, status: os.stat_result, path: str) -> None:
        if not stat.S_ISDIR(status.st_mode):
            raise ToolError(f"{readable(path)} leads through {readable(name)}, which is not a folder")
        try:
            held = Held(os.open(name, _FOLDER, dir_fd=self._here.fd))
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # a link or nothing by now
                raise _MovedError from exc
            raise
        if _identity(os.fstat(held.fd)) != _identity(status):
            raise _MovedError
        self._trail.append((name, held, status))

    def _nothing(self, names: tuple[str, ...], path: str) -> Place:
        if ".." in names:
            raise ToolError(f"{readable(path)} leads through {readable(names[0])}, which is not there")
        return self._place(names[-1], None, names[:-1])

    def _place(self, name: str, status: os.stat_result | None, missing: tuple[str, ...] = ()) -> Place:
        outside = self._path == "/"
        parts = [*self.names, *missing, *(() if name == "." else (name,))]
        shown = "/".join(parts) or "."
        folders = self._above.union(_identity(one) for _, _, one in self._trail)
        return Place(
            self._here,
            name,
            "/" + "/".join(parts) if outside else shown,
            outside,
            status,
            missing,
            folders,
        )


def readable(path: str) -> str:
    """*path* as one line of text: bytes that are no UTF-8 and what cannot be printed as `\\x..` and `\\u....`."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unescaped(found: re.Match[str]) -> str:
    if found[2]:
        return chr(int(found[2], 16))
    code = int(found[1], 16)
    return chr(code) if code < 0x80 else chr(0xDC00 + code)


def _checked(written: str) -> str:
    if not written.strip():
        raise ToolError("the path is empty: name a file or folder, `.` is the working folder")
    if "\0" in written:
        raise ToolError("a path holds no NUL")
    try:
        size = len(os.fsencode(written))
    except UnicodeEncodeError as exc:
        raise ToolError("the path is no text that a file can be named with") from exc
    if size >= _PATH_BYTES or any(len(os.fsencode(part)) > 255 for part in written.split("/")):
        raise ToolError("the path is too long: a name has at most 255 bytes, a path 4095")
    return written


def _identity(status: os.stat_result) -> Identity:
    return (status.st_dev, status.st_ino)


def _same(place: Place, flags: int) -> Held | None:
    """*place* opened; None if another thing stands there by now."""
    try:
        held = Held(os.open(place.name, flags, dir_fd=place.parent.fd))
    except PermissionError as exc:
        raise ToolError(f"{readable(place.shown)} can't be read: permission denied") from exc
    except OSError:
        return None
    status = os.fstat(held.fd)
    if place.status is None or _identity(status) != place.identity:
        return None
    # An inode is given again: a pipe may have that of the file that was.
    return held if stat.S_IFMT(status.st_mode) == stat.S_IFMT(place.status.st_mode) else None


def _must_be_file(status: os.stat_result, shown: str) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    kinds = (
        (stat.S_ISDIR, "a folder: use list_files"),
        (stat.S_ISFIFO, "a pipe, not a file"),
        (stat.S_ISSOCK, "a socket, not a file"),
    )
    kind = next((text for is_one, text in kinds if is_one(mode)), "a device, not a file")
    raise ToolError(f"{readable(shown)} is {kind}")


def of_kernel(status: os.stat_result) -> bool:
    """Whether this is the process table: it tells the memory and the environment of every program, Coda's included."""
    try:
        proc = Path("/proc/self").lstat()
    except OSError:
        return False
    return status.st_dev == proc.st_dev


def _why(exc: OSError) -> str:
    return (exc.strerror or str(exc)).lower()
