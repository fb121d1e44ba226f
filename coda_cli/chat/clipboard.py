"""Text to where it can be pasted from, and an honest word about where that is.

On this machine the system's own tool comes first, then the terminal (OSC 52), then a file. Over SSH the tool would
fill the clipboard of the far machine, so the terminal comes first. Nobody knows whether a terminal obeys OSC 52.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from coda_cli import paths

LONGEST_OSC52: Final = 74_994
"""Bytes that xterm and those like it take in one OSC 52 (100,000 characters of base64)."""
_SECONDS: Final = 2.0

Write = Callable[[str], None]
"""Writes control characters to the terminal itself."""


def copy(text: str, write: Write | None = None, *, environ: Mapping[str, str] = os.environ) -> str:
    """Put *text* on the clipboard; returns how: "clipboard (TOOL)", "terminal (OSC 52)" or "file PATH".

    *write* is None where there is no terminal. A file that cannot be written is told as "nowhere (REASON)".
    """
    remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
    ways = [_by_terminal, _by_tool] if remote else [_by_tool, _by_terminal]
    for way in ways:
        if (how := way(text, write, environ)) is not None:
            return how
    return _by_file(text)


def tools(environ: Mapping[str, str] = os.environ) -> list[Sequence[str]]:
    """The commands that fill this session's clipboard from stdin, best first."""
    known: list[Sequence[str]] = []
    if sys.platform == "darwin":
        known.append(("pbcopy",))
    if environ.get("WAYLAND_DISPLAY"):
        known.append(("wl-copy",))
    if environ.get("DISPLAY"):
        known += [("xclip", "-selection", "clipboard", "-in"), ("xsel", "--clipboard", "--input")]
    if environ.get("WSL_DISTRO_NAME"):
        known.append(("clip.exe",))
    if environ.get("TERMUX_VERSION"):
        known.append(("termux-clipboard-set",))
    path = environ.get("PATH")
    return [command for command in known if shutil.which(command[0], path=path)]


def _by_tool(text: str, _: Write | None, environ: Mapping[str, str]) -> str | None:
    data = text.encode("utf-8", "replace")
    for command in tools(environ):
        try:
            # What serves a clipboard goes on in the background: it must not hold our output open.
            done = subprocess.run(
                command,
                input=data,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
                env=dict(environ),
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return f"clipboard ({command[0]})"
    return None


def _by_terminal(text: str, write: Write | None, environ: Mapping[str, str]) -> str | None:
    data = text.encode("utf-8", "replace")
    if write is None or len(data) > LONGEST_OSC52 or environ.get("TERM") in (None, "dumb", "linux"):
        return None
    sequence = f"\x1b]52;c;{base64.b64encode(data).decode()}\x07"
    if environ.get("TERM", "").startswith("screen") and not environ.get("TMUX"):
        sequence = f"\x1bP{sequence}\x1b\\"  # GNU screen hands it through; tmux takes it itself
    try:
        write(sequence)
    except OSError:
        return None
    return "terminal (OSC 52)"


def _by_file(text: str) -> str:
    file: Path = paths.cache_dir() / "clipboard.txt"
    try:
        paths.replace_private(file, text.encode("utf-8", "replace"))
    except OSError as exc:
        return f"nowhere ({file}: {exc.strerror or exc})"
    return f"file {file}"
