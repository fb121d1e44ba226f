"""The notes that a project keeps for programs like Coda: `AGENTS.md` in its folder. Read without surprises."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.rendering.sanitize import sanitize

NAME: Final = "AGENTS.md"
MAX_BYTES: Final = 64 * 1024


def folder_notes(folder: Path) -> str | None:
    """The text of *folder*'s notes, None where it has none; whether they count is the caller's to say.

    Raises CodaError for a file that cannot be read, is over 64 KiB, or is a link out of the folder.
    """
    path = folder / NAME
    try:
        if not os.path.lexists(path):
            return None
        # Path.resolve raises RuntimeError for a link to itself.
        if not Path(os.path.realpath(path, strict=True)).is_relative_to(os.path.realpath(folder)):
            raise OSError(errno.ELOOP, "it is a link out of the folder")
        return _read(path)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise CodaError(sanitize(f"{path} is left out: {why}"), hint="mend the file, or remove it") from exc


def _read(path: Path) -> str:
    # O_NONBLOCK: opening a FIFO must not wait for its writer.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file")
    with os.fdopen(fd, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, "it is larger than 64 KiB")
    return content.decode("utf-8", "replace")
