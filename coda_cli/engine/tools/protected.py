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

SECRET_FILES: Final = ("keys.toml",)
"""In the config folder: read and written by nobody but Coda itself."""
RULE_FILES: Final = ("permissions.toml", "trust.toml")
"""In the data folder: what a person has allowed. A tool that may write them may do anything."""

# What runs by itself, or changes what runs, when the person next uses the folder. Compared without regard to case.
_RUN_BY_THEMSELVES: Final = {
    ".git": "git runs what stands in its hooks and settings",
    ".githooks": "git runs what stands in its hooks and settings",
    ".husky": "git runs what stands in its hooks and settings",
    ".gitmodules": "git fetches and runs by it",
    ".gitattributes": "git chooses programs by it",
    ".pre-commit-config.yaml": "it runs with the next commit",
    ".hg": "Mercurial runs what stands in its hooks and settings",
    ".jj": "Jujutsu chooses programs by it",
    ".coda": "Coda reads its settings and tools from there",
    ".vscode": "an editor runs tasks from there",
    ".idea": "an editor runs tasks from there",
    ".devcontainer": "an editor runs tasks from there",
    ".mcp.json": "it starts programs",
    ".envrc": "the shell runs it",
    ".ssh": "it decides who may log in",
    ".gnupg": "it holds keys",
    ".bashrc": "the shell runs it",
    ".bash_profile": "the shell runs it",
    ".bash_login": "the shell runs it",
    ".bash_logout": "the shell runs it",
    ".profile": "the shell runs it",
    ".zshrc": "the shell runs it",
    ".zshenv": "the shell runs it",
    ".zprofile": "the shell runs it",
    ".zlogin": "the shell runs it",
    ".kshrc": "the shell runs it",
    ".cshrc": "the shell runs it",
    ".tcshrc": "the shell runs it",
    ".gitconfig": "git runs what stands in its hooks and settings",
    ".vimrc": "an editor runs it",
    ".exrc": "an editor runs it",
    ".netrc": "it holds keys",
    ".npmrc": "a package manager takes its settings from it",
    ".pypirc": "it holds keys",
    "sitecustomize.py": "every Python runs it",
    "usercustomize.py": "every Python runs it",
}
_RUN_BY_PLACE: Final = {
    (".github", "workflows"): "it runs with the next push",
    (".config", "git"): "git runs what stands in its hooks and settings",
    (".config", "fish"): "the shell runs it",
    (".config", "autostart"): "it runs with the next login",
    (".config", "systemd"): "it runs with the next login",
}


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
        parts = [part.casefold().rstrip(". ") for part in spelled.parts]
        for i, part in enumerate(parts):
            if why := _RUN_BY_THEMSELVES.get(part) or _RUN_BY_PLACE.get((part, "".join(parts[i + 1 : i + 2]))):
                return f"{spelled.parts[i]}: {why}"
        if parts[-1].endswith(".pth"):
            return f"{spelled.name}: every Python may run it"
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
