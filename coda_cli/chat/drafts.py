"""What stands in the prompt and is not sent yet, kept per chat: it survives a crash, and a switch to another chat.

One small 0600 file a chat in `drafts/` of the data folder, written whole or not at all, a moment after the typing. An
incognito chat keeps nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Final

from coda_cli import paths

DELAY: Final = 0.7
"""Seconds from a keystroke to its draft on disk."""


class Drafts:
    """The drafts of this person. A chat that has no id yet has one draft a process, which a later process takes over.

    Calls come from one thread; none of them raises for a disk that refuses: a draft is a convenience.
    """

    def __init__(self, folder: Path | None = None, *, keep: bool = True) -> None:
        self._folder = folder
        self._keep = keep
        self._waiting: dict[str | None, str] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._in_memory: dict[str | None, str] = {}  # incognito: for a switch to another chat and back

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self._folder if self._folder is not None else paths.data_dir() / "drafts"

    def load(self, conversation_id: str | None) -> str:
        """The draft of the chat (None: of a new one); "" for none."""
        if conversation_id in self._waiting:
            return self._waiting[conversation_id]
        if not self._keep:
            return self._in_memory.get(conversation_id, "")
        file = self._file(conversation_id)
        if conversation_id is None and not file.exists():
            self._take_over(file)
        return _read(file)

    def note(self, conversation_id: str | None, text: str) -> None:
        """Keep *text* ("" forgets it) in a moment, together with what is typed until then. Wants a running loop."""
        if not self._keep:
            self._in_memory[conversation_id] = text
            return
        self._waiting[conversation_id] = text
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY, self.flush)

    def save(self, conversation_id: str | None, text: str) -> None:
        """Keep *text* now."""
        if not self._keep:
            self._in_memory[conversation_id] = text
            return
        self._waiting.pop(conversation_id, None)
        self._write(conversation_id, text)

    def forget(self, conversation_id: str | None) -> None:
        """The draft was sent, or its chat deleted."""
        self.save(conversation_id, "")

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, {}
        for conversation_id, text in waiting.items():
            self._write(conversation_id, text)

    def _write(self, conversation_id: str | None, text: str) -> None:
        file = self._file(conversation_id)
        try:
            if not text.strip():
                file.unlink(missing_ok=True)
                return
            value = {"conversation": conversation_id, "text": text}
            paths.replace_private(file, json.dumps(value).encode())
        except OSError:
            return

    def _file(self, conversation_id: str | None) -> Path:
        if conversation_id is None:
            return self.folder / f"new-{os.getpid()}.json"
        name = hashlib.sha256(conversation_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self.folder / f"{name}.json"

    def _take_over(self, mine: Path) -> None:
        """Make the newest draft of a new chat ours whose process is gone. A rename has one winner."""
        try:
            left = [file for file in self.folder.glob("new-*.json") if not _alive(file.stem.removeprefix("new-"))]
            for file in sorted(left, key=lambda file: file.stat().st_mtime, reverse=True):
                if _read(file):
                    file.rename(mine)
                    return
                file.unlink(missing_ok=True)
        except OSError:
            return


def _read(file: Path) -> str:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    text = value.get("text") if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""


def _alive(pid: str) -> bool:
    if not (pid.isascii() and pid.isdecimal() and len(pid) < 12) or int(pid) < 1:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
