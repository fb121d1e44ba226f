"""What the tests of commands share: every way to hold a command in that works here, and a look for survivors."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from coda_cli.engine.tools import child, sandbox
from coda_cli.engine.tools.child import trial

KINDS: Final[tuple[sandbox.Kind, ...]] = (
    *(kind for kind in ("namespaces", "bubblewrap", "landlock") if sys.platform == "linux" and trial(kind)),
    "none",
)
"""What this machine really has. "none" is everywhere."""
HOLDING: Final = tuple(kind for kind in KINDS if kind != "none")
NOBODY: Final = 65534

_DROP: Final = """
import sys; sys.path.append(sys.argv[1])
import ctypes, encodings.ascii, encodings.idna, fcntl, json, os, pathlib, resource, select, signal, socket, struct
from coda_cli.engine.tools import kernel, supervisor
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
kernel._prctl(4, 1, "dumpable")
supervisor.main()
"""


def hold(patch: pytest.MonkeyPatch, kind: sandbox.Kind) -> None:
    """Commands are held in by *kind*."""
    killing: sandbox.Killing = "namespace" if kind == "namespaces" else "sweep"
    found = sandbox._confinement(kind, killing, kind)
    patch.setattr(sandbox, "confinement", lambda: found)


@contextmanager
def common_user(patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Commands run as a user without privileges, in the folder that is given: as nobody where we are root."""
    with tempfile.TemporaryDirectory(prefix="common-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.getuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            made = child._make_scratch
            launch = child.supervisor_argv()

            def scratch(files: dict[str, str]) -> str:
                path = made(files)
                os.chown(path, NOBODY, NOBODY)
                return path

            patch.setattr(child, "_make_scratch", scratch)
            patch.setattr(sandbox, "hidden", list)  # root's, that nobody could not even cover
            patch.setattr(child, "supervisor_argv", lambda: [*launch[:4], _DROP, launch[5]])
        yield folder


def living(mark: str) -> list[str]:
    """The processes that have *mark* among their arguments."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and path.name != str(os.getpid()):
            try:
                line = path.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if mark in line:
                found.append(f"{path.name} {line}")
    return found
