"""What was asked before, over all chats, for Up, Down and Ctrl+R: JSON Lines, 0600, appended to, the newest 10,000.

What begins with a blank is not kept, as in a shell, nor anything of an incognito chat.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from coda_cli import paths

NEWEST: Final = 10_000
_SLACK: Final = 2_000
"""So many lines more before the file is written anew."""
_LONGEST: Final = 200_000
"""Characters of a prompt that is kept: a longer one is a file that somebody pasted."""


class PromptHistory:
    """The prompts, oldest first. Read when first asked for; other processes' prompts are seen by `reload`.

    No call raises for a disk that refuses or a damaged file.
    """

    def __init__(self, file: Path | None = None, *, keep: bool = True) -> None:
        self._file = file
        self._keep = keep
        self._entries: list[str] | None = None
        self._lines = 0  # of the file, as far as this process knows

    @property
    def file(self) -> Path:
        """Where they are kept."""
        return self._file if self._file is not None else paths.data_dir() / "prompt-history.jsonl"

    @property
    def entries(self) -> list[str]:
        """All of them, oldest first; the same text twice in a row counts once."""
        if self._entries is None:
            self.reload()
        return [] if self._entries is None else self._entries

    def reload(self) -> None:
        """Read the file again."""
        try:
            raw = self.file.read_bytes()
        except OSError:
            raw = b""
        entries: list[str] = []
        lines = raw.splitlines()
        self._lines = len(lines)
        for line in lines:
            text = _text(line)
            if text and (not entries or entries[-1] != text):
                entries.append(text)
        self._entries = entries[-NEWEST:]

    def add(self, text: str) -> None:
        """Keep *text* as the newest."""
        if not text.strip() or text[0] == " " or len(text) > _LONGEST:
            return
        entries = self.entries
        if entries and entries[-1] == text:
            return
        entries.append(text)
        del entries[:-NEWEST]
        if not self._keep:
            return
        line = json.dumps({"time": round(time.time(), 3), "text": text}).encode() + b"\n"
        try:
            self._append(line)
        except OSError:
            return

    def search(self, text: str, *, limit: int = 50) -> list[str]:
        """Those that contain *text*, newest first, each once; case counts only where *text* has a capital."""
        fold = text == text.lower()
        return self._matching(lambda entry: text in (entry.lower() if fold else entry), limit)

    def with_prefix(self, text: str, *, limit: int = 50) -> list[str]:
        """Those that begin with *text*, newest first, each once."""
        return self._matching(lambda entry: entry.startswith(text), limit)

    def _matching(self, fits: Callable[[str], bool], limit: int) -> list[str]:
        found: dict[str, None] = {}
        for entry in reversed(self.entries):
            if fits(entry):
                found.setdefault(entry)
                if len(found) == limit:
                    break
        return list(found)

    def _append(self, line: bytes) -> None:
        with self._locked() as fd:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line  # a writer was killed in the middle of a line
            _write(fd, line)
            self._lines += 1
            if self._lines >= NEWEST + _SLACK:
                self._trim(fd)

    def _trim(self, fd: int) -> None:
        """Write the file anew with the newest ones, once it has grown well beyond them. The lock is held."""
        with os.fdopen(os.dup(fd), "rb") as file:
            file.seek(0)
            lines = file.readlines()
        self._lines = min(len(lines), NEWEST)
        if len(lines) >= NEWEST + _SLACK:
            paths.replace_private(self.file, b"".join(lines[-NEWEST:]))

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file itself, locked: if it was written anew while we waited, the new one."""
        while True:
            fd = paths.open_private(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if _is_still(fd, self.file):
                    yield fd
                    return
            finally:
                os.close(fd)


def _is_still(fd: int, file: Path) -> bool:
    try:
        now = file.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(fd)
    return (mine.st_dev, mine.st_ino) == (now.st_dev, now.st_ino)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _text(line: bytes) -> str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    text = value.get("text") if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""
