"""Places that no tool writes unasked, and files that no tool ever touches.

Whoever writes Coda's settings or permissions decides what the next call may do; whoever writes a git hook runs code
with the next commit. Files are recognised by what they are (device and inode), not only by how they are spelled: a
symlink, a hard link, another case or another mount of the same folder is the same place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from coda_cli import paths
from coda_cli.engine.tools.guarded import runs_by_itself

SECRET_FILES: Final = ("keys.toml",)
"""In the config folder: read and written by nobody but Coda itself."""
RULE_FILES: Final = ("permissions.toml", "trust.toml")
"""In the data folder: what a person has allowed. A tool that may write them may do anything."""


def forbidden(path: Path | str, folder: Path | None = None) -> str | None:
    """Why no tool may read or write *path* whatever anybody says, or None. Relative to *folder* (the current one)."""
    place = _place(path, folder)
    names = {paths.config_dir() / name for name in SECRET_FILES} | {paths.data_dir() / name for name in RULE_FILES}
    for spelled in (place, _real(place)):
        for name in names:
            if _same_name(spelled, name) or _same_file(spelled, name):
                what = "holds API keys" if name.name in SECRET_FILES else "says what is allowed"
                return f"{name.name} {what}: no tool touches it"
            # Its lock, its temporary twin and what was kept aside are the file itself by another name.
            if spelled.name.casefold().lstrip(".").startswith(name.name) and _same_name(spelled.parent, name.parent):
                return f"{spelled.name} belongs to {name.name}: no tool touches it"
    return None


def coda_owns(path: Path | str, folder: Path | None = None) -> str | None:
    """Why writing *path* always needs a person (it is in Coda's own config or data folder), or None."""
    place = _place(path, folder)
    for own, what in ((paths.config_dir(), "settings"), (paths.data_dir(), "data"), (paths.config_file(), "settings")):
        for spelled in (place, _real(place)):
            if any(_same_name(above, own) or _same_file(above, own) for above in _upwards(spelled)):
                return f"Coda keeps its {what} there"
    return None


def protected(path: Path | str, folder: Path | None = None) -> str | None:
    """Why writing *path* asks even where edits are accepted, or None. Relative to *folder* (the current one)."""
    if why := forbidden(path, folder) or coda_owns(path, folder):
        return why
    place = _place(path, folder)
    for spelled in (place, _real(place)):
        if why := runs_by_itself(spelled.parts):
            return why
    return None


def _place(path: Path | str, folder: Path | None) -> Path:
    return Path(os.path.normpath(os.path.join(folder or Path.cwd(), path)))  # noqa: PTH118 - an absolute path wins


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # `resolve` raises for a loop of symlinks


def _upwards(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents


def _same_name(one: Path, other: Path) -> bool:
    return str(one).casefold() in (str(other).casefold(), str(_real(other)).casefold())


def _same_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)  # noqa: PTH121 - the same either way
    except (OSError, ValueError):
        return False
