"""Where a working folder keeps what it brings along: `.coda/` and `AGENTS.md`, in it or in the root of its repository.

Looks at names only, and loads nothing: every start of the program asks this.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

OWN_FOLDER: Final = ".coda"
SETTINGS: Final = "coda.toml"
TOOLS: Final = "tools"
NOTES: Final = "AGENTS.md"
"""Notes for models, as other programs read them too: beside `.coda`, or in it."""


def own_folder(start: Path | None = None) -> Path | None:
    """The nearest folder with a `.coda`, from *start* (the current folder) up to the root of its git repository.

    Where none has one, the nearest with an `AGENTS.md`: notes in a folder below take no settings away.
    Outside a repository only *start* itself counts. The home folder and what is above it never do: what a person
    wants everywhere stands in their own settings, and others may write there.
    """
    try:
        here = os.path.realpath(start if start is not None else os.getcwd())  # noqa: PTH109 - a text, fast
    except OSError:
        return None
    home = os.path.realpath(os.path.expanduser("~"))  # noqa: PTH111 - where there is no home it stays a text
    found = notes = ""
    at = here
    while at != home and not home.startswith(at.rstrip("/") + "/"):
        if not found and os.path.lexists(f"{at}/{OWN_FOLDER}") and not _is_codas(f"{at}/{OWN_FOLDER}"):
            found = at
            if at == here:
                break
        elif not notes and os.path.lexists(f"{at}/{NOTES}"):
            notes = at
        above = os.path.dirname(at)  # noqa: PTH120
        if os.path.lexists(f"{at}/.git"):
            break
        if above == at:
            return _alone(here, notes)
        at = above
    else:
        return _alone(here, notes)  # home came before the root of a repository
    return Path(found or notes) if found or notes else None


def _alone(here: str, notes: str) -> Path | None:
    """Outside a repository: what stands above *here* does not count."""
    return Path(here) if notes == here else None


def brings_something(folder: Path) -> bool:
    """Whether *folder* has notes, or a `.coda` that is a folder with settings, tools or notes. Opens nothing."""
    if os.path.lexists(folder / NOTES):
        return True
    own = folder / OWN_FOLDER
    if own.is_symlink():
        return False
    return any(os.path.lexists(own / name) for name in (SETTINGS, TOOLS, NOTES))


def _is_codas(path: str) -> bool:
    """Whether *path* is what `CODA_HOME` names: the person's own."""
    home = os.environ.get("CODA_HOME")
    return home is not None and os.path.realpath(os.path.expanduser(home)) == os.path.realpath(path)  # noqa: PTH111
