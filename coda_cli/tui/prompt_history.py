"""Walking through what was asked before: Up and Down at the edges of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

_STOPS: Final = 1_000


class History(Protocol):
    """What was sent before, as drafts (`Prompt.Submitted.draft`) or plain texts; `chat.prompt_history` has one."""

    def with_prefix(self, text: str, *, limit: int) -> Sequence[str]:
        """Those that begin with *text*, the newest first, each once."""
        ...

    def search(self, text: str, *, limit: int) -> Sequence[str]:
        """Those that contain *text*, the newest first, each once."""
        ...


class Walk:
    """Where somebody is in the history. What was not sent yet is its last entry; it also says which entries fit."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._stops: Sequence[str] = ()
        self._place = 0  # in the stops, from 1; 0: what was not sent yet
        self._unsent = ""
        self._shown = ""

    def older(self, draft: str) -> str | None:
        """What stands before *draft*, the prompt as it is now; None if nothing does."""
        if not self._place or self._shown != draft:  # at the end, or somebody went on writing in an old entry
            self._place, self._unsent = 0, draft
            self._stops = [one for one in self._history.with_prefix(draft, limit=_STOPS) if one != draft]
        if self._place >= len(self._stops):
            return None
        self._place += 1
        return self._stops[self._place - 1]

    def newer(self, draft: str) -> str | None:
        """What stands behind *draft*; None if it is no entry of the walk."""
        if not self._place or self._shown != draft:
            return None
        self._place -= 1
        return self._stops[self._place - 1] if self._place else self._unsent

    def shown(self, draft: str) -> None:
        """How the prompt reads with the entry in it (it is cleaned there)."""
        self._shown = draft

    def stop(self) -> None:
        """The prompt was sent."""
        self._place = 0
