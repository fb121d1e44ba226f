"""Which messages of the chat the transcript holds: the newest ones at first, older ones when somebody looks for them.

What changes in the chat is changed in the transcript and nothing else is: the view stays where it is, and so do notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from coda_cli.chat.entry import Entry
from coda_cli.tui.transcript.view import Transcript

PAGE: Final = 120
"""Messages that are put into the transcript at once."""
_ABOVE: Final = 20
"""Messages above one that is gone to."""


class Pages:
    """The active branch, of which the transcript holds everything from some message on."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._entries: list[Entry] = []
        self._first = 0

    @property
    def entries(self) -> Sequence[Entry]:
        """All messages of the branch, also those that the transcript does not hold yet."""
        return self._entries

    def open(self, entries: Sequence[Entry], at: str | None = None) -> None:
        """Show another chat: its end, or the message *at*."""
        self._entries = list(entries)
        self._first = max(0, len(entries) - PAGE)
        if at is not None and (place := self._place(at)) is not None:
            self._first = max(0, min(self._first, place - _ABOVE))
        self._transcript.show(self._entries[self._first :], at=at)

    def go(self, entry_id: str, text: str = "") -> None:
        """Show a message, with *text* lit."""
        place = self._place(entry_id)
        if place is None:
            return
        if place < self._first:
            self._hold(max(0, place - _ABOVE))
        self._transcript.jump(entry_id, text)

    def older(self) -> bool:
        """Put the page before into the transcript; whether there was one."""
        there = self._first > 0
        self._hold(max(0, self._first - PAGE))
        return there

    def everything(self) -> None:
        """Put all messages into the transcript: something is looked for in them."""
        self._hold(0)

    def _hold(self, first: int) -> None:
        if first < self._first:
            older = self._entries[first : self._first]
            self._first = first
            self._transcript.prepend(older)

    def _place(self, entry_id: str) -> int | None:
        return next((place for place, entry in enumerate(self._entries) if entry.id == entry_id), None)

    # ---- changes ----------------------------------------------------------------------------------------------------

    def cut(self, below: str) -> None:
        """Another branch begins below the message *below* ("": before all): what stands there leaves the view."""
        place = self._place(below)
        if place is None or place < self._first:
            self.open(self._entries[: place + 1] if place is not None else [])
            return
        del self._entries[place + 1 :]
        self._drop_after(below)

    def adopt(self, entry: Entry) -> None:
        """The transcript shows *entry* already, at its end."""
        if self._place(entry.id) is None:
            self._entries.append(entry)

    def sync(self, entries: Sequence[Entry], *, live: bool = False) -> None:
        """The branch is *entries* now. *live*: an answer is under way, and what is new is shown by who shows that."""
        known = {entry.id for entry in self._entries}
        now = [entry for entry in entries if not live or entry.id in known]
        held = {entry.id: entry for entry in self._entries[self._first :]}
        first = next((place for place, entry in enumerate(now) if entry.id in held), None) if self._first else 0
        if first is None:
            self.open(now)
            return
        wanted = now[first:]
        stays = {entry.id for entry in wanted}
        shown = [name for name in self._transcript.ids if name in held]
        remaining = [name for name in shown if name in stays]
        if [entry.id for entry in wanted[: len(remaining)]] != remaining:
            self._anew(now)
            return
        added = wanted[len(remaining) :]
        self._entries, self._first = now, first
        self._take_out([name for name in shown if name not in stays], remaining, another=bool(added), live=live)
        for entry in wanted[: len(remaining)]:
            if held[entry.id] != entry:
                self._transcript.replace(entry)
        for entry in added:
            self._transcript.add(entry)

    def _take_out(self, gone: Sequence[str], remaining: Sequence[str], *, another: bool, live: bool) -> None:
        """Take *gone* away; where *another* branch takes its place, the notes below go too."""
        if gone and another and not live:
            self._drop_after(remaining[-1] if remaining else "")
            return
        for name in gone:
            self._transcript.discard(name)

    def _anew(self, entries: Sequence[Entry]) -> None:
        """Something has come in between: show everything anew, in the same place."""
        names = {entry.id for entry in entries}
        seen = None if self._transcript.following else self._transcript.first_seen
        self.open(entries, seen if seen in names else None)

    def _drop_after(self, entry_id: str) -> None:
        ids = self._transcript.ids
        after = ids.index(entry_id) + 1 if entry_id in ids else 0
        if not after:
            self._transcript.show([])
            return
        for name in ids[after:]:
            self._transcript.discard(name)
