"""The prompt in the person's own editor: $VISUAL, $EDITOR, else nano, vim or vi."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from coda_cli import paths
from coda_cli.engine.core.errors import UsageError

HINT: Final = "set EDITOR to your editor's command, as in EDITOR=nano"


def editor_command(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The editor's command line. Raises UsageError where there is none."""
    try:
        command = shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or "")
    except ValueError as exc:
        raise UsageError(f"EDITOR is not a command: {exc}", hint=HINT) from exc
    command = command or [name for name in ("nano", "vim", "vi") if shutil.which(name)][:1]
    if not command:
        raise UsageError("there is no editor to open", hint=HINT)
    return command


def run_editor(file: Path) -> None:
    """Open *file* in the editor and wait. Raises UsageError if there is none or it fails."""
    command = editor_command()
    try:
        status = subprocess.run([*command, str(file)], check=False).returncode
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else None
        raise UsageError(f"cannot start the editor {command[0]}: {reason or exc}", hint=HINT) from exc
    if status != 0:
        raise UsageError(f"the editor {command[0]} ended with status {status}", hint=f"the file is {file}")


def edit(text: str) -> str:
    """*text* as it comes back from the editor, without its last newline. The terminal is the editor's meanwhile.

    Raises UsageError; the text is then as it was.
    """
    try:
        folder = paths.private_dir(paths.cache_dir())
        fd, name = tempfile.mkstemp(".md", "prompt-", folder)  # 0600
    except OSError as exc:
        raise UsageError(
            f"can't make a file for the editor: {exc.strerror or exc}", hint="make room, or check the cache folder"
        ) from exc
    file = Path(name)
    try:
        with os.fdopen(fd, "wb") as opened:
            opened.write(text.encode("utf-8", "surrogatepass"))
        run_editor(file)
        return file.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n")
    except OSError as exc:
        raise UsageError(f"can't read {file}: {exc.strerror or exc}", hint="the prompt is as it was") from exc
    finally:
        file.unlink(missing_ok=True)
