"""The names of the journals in a folder, and when they changed last: what needs no SQLite."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from coda_cli.engine.conversations.journal import SUFFIX, DiskError

_TICK: Final = 0.1
_COARSE_TICK: Final = 2.5
"""Seconds in which a folder may change again without another mtime; the second for file systems that keep seconds."""


def names_in(folder: Path) -> dict[bytes, int]:
    """What is named as a journal in *folder*, and the inodes. Raises DiskError for a folder that cannot be read."""
    end, most = SUFFIX.encode(), 2**63 - 1
    try:
        with os.scandir(os.fsencode(folder)) as entries:
            return {entry.name: entry.inode() & most for entry in entries if entry.name.endswith(end)}
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise _unreadable(folder, exc) from exc


def _unreadable(folder: Path, exc: OSError) -> DiskError:
    return DiskError(f"can't read {folder}: {exc.strerror or exc}", hint="check its permissions with `coda doctor`")


def folder_mtime(folder: Path) -> int | None:
    """When names in *folder* changed last, 0 if it is missing; None if they may change again at the same time.

    Raises DiskError.
    """
    try:
        mtime = folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
    except OSError as exc:
        raise _unreadable(folder, exc) from exc
    tick = _TICK if mtime % 10**9 else _COARSE_TICK
    return None if abs(time.time() - mtime / 1e9) < tick else mtime
