"""Walking through what was asked before: Up and Down at the edges of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class History(Protocol):
    """What was sent before. Entries are drafts (`Submitted.draft`), numbered from 1, the newest first."""

    def older(self, prefix: str, position: int) -> tuple[int, str] | None:
        """The next entry behind *position* (0: the prompt itself) that starts with *prefix*, with its number."""
        ...

    def search(self, text: str, limit: int) -> Sequence[str]:
        """Entries that contain *text*, whatever the case, the newest first and each once."""
        ...


class MemoryHistory:
    """A history that lasts as long as the program."""

    def __init__(self, *entries: str) -> None:
        self._entries = list(entries)

    def add(self, entry: str) -> None:
        """*entry* was sent."""
        self._entries.append(entry)

    def older(self, prefix: str, position: int) -> tuple[int, str] | None:
        """As in `History`."""
        for number in range(position + 1, len(self._entries) + 1):
            if self._entries[-number].startswith(prefix):
                return number, self._entries[-number]
        return None

    def search(self, text: str, limit: int) -> Sequence[str]:
        """As in `History`."""
        wanted = text.lower()
        found = dict.fromkeys(entry for entry in reversed(self._entries) if wanted in entry.lower())
        return list(found)[:limit]


class Walk:
    """Where somebody is in the history. What was not sent yet is its last entry; it also says which entries fit."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._seen: list[tuple[int, str]] = []
        self._unsent = ""

    def older(self, draft: str) -> str | None:
        """What stands before *draft*, the prompt as it is now; None if nothing does."""
        if self._seen and self._seen[-1][1] != draft:  # somebody went on writing in an old entry: a new text
            self._seen.clear()
        if not self._seen:
            self._unsent = draft
        position = self._seen[-1][0] if self._seen else 0
        found = self._history.older(self._unsent, position)
        while found is not None and found[1] == draft:  # the same thing asked twice is one stop
            found = self._history.older(self._unsent, found[0])
        if found is None:
            return None
        self._seen.append(found)
        return found[1]

    def shown(self, draft: str) -> None:
        """How the prompt reads now that the last entry stands in it (it is cleaned there)."""
        if self._seen:
            self._seen[-1] = (self._seen[-1][0], draft)

    def newer(self, draft: str) -> str | None:
        """What stands behind *draft*; None if it is no entry of the walk."""
        if not self._seen or self._seen[-1][1] != draft:
            return None
        self._seen.pop()
        return self._seen[-1][1] if self._seen else self._unsent

    def stop(self) -> None:
        """The prompt was sent or replaced."""
        self._seen.clear()
        self._unsent = ""
