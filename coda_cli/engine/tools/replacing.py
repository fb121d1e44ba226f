"""Changing a file: planned against what stands there, done whole or not at all, and only if it still stands there."""

from __future__ import annotations

import os
import secrets
import threading
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.tools import Effect
from coda_cli.engine.tools import texts
from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.diff import Diff
from coda_cli.engine.tools.folder import Folder, Held, Place, of_kernel, readable

MOST: Final = 10 * 1024 * 1024
"""Bytes of a file that can be changed."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_one_at_a_time = threading.Lock()


class Target(Struct, frozen=True):
    """A file that is to be changed, as it was when the change was planned. `data` is None where there is none."""

    folder: Folder
    place: Place
    data: bytes | None

    @property
    def shown(self) -> str:
        return readable(self.place.shown)

    @property
    def text(self) -> texts.Text | None:
        """What it holds, if that is text."""
        return None if self.data is None else texts.decode(self.data)


def target(folder: Folder, path: str) -> Target:
    """The file at *path* for a change. Raises ToolError for what no tool may change."""
    place = folder.find(path)
    shown = readable(place.shown)
    if of_kernel(os.fstat(place.parent.fd)):
        raise ToolError(f"{shown} belongs to /proc, which is closed to tools")
    if place.outside and place.missing:
        raise ToolError(f"{shown} is outside the working folder, where no folders are made")
    if path.endswith(("/", "/.")) or place.name == ".":
        raise ToolError(f"{shown} names a folder, not a file")
    if place.status is None:
        return Target(folder, place, None)
    if not place.status.st_mode & 0o222:
        raise ToolError(f"{shown} is read-only (mode {place.status.st_mode & 0o777:o})")
    return Target(folder, place, _content(place))


def effect(tool: str, verb: str, target: Target, diff: Diff) -> Effect:
    """What a person is told before *target* is changed."""
    place = target.place
    reason = place.secret() or ("outside the working folder" if place.outside else "")
    summary = f"{verb} {target.shown} ({diff})" + (f": {reason}" if reason else "")
    detail = "\n".join(
        (target.shown, *(f"makes the folder {readable(one)}" for one in place.missing), *((reason,) if reason else ()))
    )
    return Effect(summary, detail=detail, diff=diff.text, outside=bool(reason), rule=place.rule(tool), reason=reason)


def replace(target: Target, content: bytes) -> str:
    """Put *content* there; returns what the model should know beside ("" for nothing).

    Whole or not at all: a new file beside it, synced, takes its name, its mode and its owner. Other names of the same
    file (hard links) keep the old content. Raises ToolError, also if anything is not as it was planned.
    """
    with _one_at_a_time:
        try:
            place = _unchanged(target)
            parent = _made(place)
            return _put(place, parent, content)
        except OSError as exc:
            raise ToolError(f"{target.shown} can't be written: {(exc.strerror or str(exc)).lower()}") from exc


def _content(place: Place) -> bytes:
    held = place.open_file()
    if os.fstat(held.fd).st_size > MOST:
        raise ToolError(f"{readable(place.shown)} is over {texts.size(MOST)}: too large to change")
    data = bytearray()
    while piece := os.read(held.fd, 1 << 20):
        data += piece
        if len(data) > MOST:
            raise ToolError(f"{readable(place.shown)} grows while it is read")
    return bytes(data)


def _unchanged(target: Target) -> Place:
    """The place as it is now, if it is as it was when the change was shown."""
    changed = ToolError(f"{target.shown} has changed since this was planned: nothing was written; read it again")
    planned, place = target.place, target.folder.again(target.place)
    if (place.shown, place.outside) != (planned.shown, planned.outside):
        raise changed
    if (None if place.status is None else _content(place)) != target.data:
        raise changed
    return place


def _made(place: Place) -> Held:
    """The folder of the file, made where it is missing."""
    parent = place.parent
    for name in place.missing:
        os.mkdir(name, dir_fd=parent.fd)
        os.fsync(parent.fd)
        parent = Held(os.open(name, _FOLDER, dir_fd=parent.fd))
    return parent


def _put(place: Place, parent: Held, content: bytes) -> str:
    status = place.status
    temporary = f".coda-{secrets.token_hex(8)}.tmp"
    fd = os.open(temporary, _NEW, 0o666 if status is None else 0o600, dir_fd=parent.fd)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            if status is not None:
                _take_after(fd, status)
            os.fsync(fd)
        _name(temporary, place.name, parent, new=status is None)
    except BaseException:
        _remove(temporary, parent)
        raise
    try:
        os.fsync(parent.fd)
    except OSError:
        pass  # the file is there; not every file system syncs a folder
    if status is not None and status.st_nlink > 1:
        return f"the file had {status.st_nlink} names (hard links): only this one has the new content"
    return ""


def _take_after(fd: int, status: os.stat_result) -> None:
    """The owner and mode of the file that is replaced; not its setuid bits, which were for other content."""
    made = os.fstat(fd)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        try:
            os.fchown(fd, status.st_uid, status.st_gid)
        except PermissionError:
            pass  # the file then belongs to who changed it
    os.fchmod(fd, status.st_mode & 0o777)


def _name(temporary: str, name: str, parent: Held, *, new: bool) -> None:
    """Give the file its name. A new one never takes the place of what has come meanwhile."""
    if not new:
        os.replace(temporary, name, src_dir_fd=parent.fd, dst_dir_fd=parent.fd)
        return
    try:
        os.link(temporary, name, src_dir_fd=parent.fd, dst_dir_fd=parent.fd, follow_symlinks=False)
    except FileExistsError as exc:
        raise ToolError(f"{readable(name)} has come to be since this was planned: nothing was written") from exc
    except OSError:  # a file system without hard links
        os.replace(temporary, name, src_dir_fd=parent.fd, dst_dir_fd=parent.fd)
        return
    _remove(temporary, parent)


def _remove(name: str, parent: Held) -> None:
    try:
        os.unlink(name, dir_fd=parent.fd)
    except FileNotFoundError:
        pass
