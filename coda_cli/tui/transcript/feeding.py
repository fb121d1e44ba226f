"""The part of the transcript that takes entries, and the answer that streams.

Nothing is done for a token but to put it on a list; a timer of at most 25 frames a second takes what has come, lays
out only the open block and draws only the rows that changed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from textual.timer import Timer

from coda_cli.chat.entry import Entry
from coda_cli.tui.transcript.entry_view import EntryView
from coda_cli.tui.transcript.styles import Styles
from coda_cli.tui.transcript.viewport import Viewport

FRAME: Final = 1 / 25
"""Seconds from one frame to the next, at least."""
# A frame that takes long puts the next one off, so that drawing never eats the processor or the keys.
_EASE: Final = 5.0
_SLICE: Final = 2048
_MOST: Final = 8192
_MOST_CODE: Final = 2048
_BUDGET: Final = 0.010
_NEXT: Final = 0.001
"""Seconds from one slice to the next of an answer that has ended."""


class Feeding(Viewport):
    """A view with at most one entry that grows."""

    def __init__(
        self,
        *,
        styles: Styles | None = None,
        clock: Callable[[], float] = time.time,
        id: str | None = None,  # noqa: A002  # as every widget of Textual names it
    ) -> None:
        super().__init__(styles=styles, clock=clock, id=id)
        self._live: EntryView | None = None
        self._pending: list[tuple[bool, str]] = []
        self._ending: Entry | None = None
        self._ended = asyncio.Event()
        self._timer: Timer | None = None
        self._work: Timer | None = None
        self._thinking_since: float | None = None
        self._unseen: tuple[int, int] | None = None
        """What was not painted yet: the height of the document before it, and the first row of the entry that changed.

        An answer that has ended is laid out in slices as fast as it goes, but painted no more often than any other.
        """
        self._painted = 0.0

    @property
    def ids(self) -> list[str]:
        """The entries that are held, first to last."""
        return [view.entry.id for view in self._doc.views]

    def begin(self, entry: Entry) -> None:
        """An answer is under way: show *entry*, whose text comes by `feed`."""
        self._finish_now()
        before = self._doc.height
        self._live = self._doc.append(entry)
        self._live.begin()
        self._doc.changed(len(self._doc.views) - 1)
        self._thinking_since = None
        self._grown(before)

    def feed(self, text: str) -> None:
        """The next piece of the answer, raw; costs an append."""
        self._pending.append((False, text))
        self._arm(FRAME)

    def feed_reasoning(self, text: str) -> None:
        """The next piece of the reasoning, raw."""
        self._pending.append((True, text))
        self._arm(FRAME)

    def end(self, entry: Entry) -> None:
        """The answer is complete as *entry*, which may have another id now."""
        if self._live is None:
            self.replace(entry)
            return
        self._ending = entry
        self._ended.clear()
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._tick()

    async def idle(self) -> None:
        """Wait until all that was fed to an answer that has ended is drawn."""
        if self._ending is not None:
            await self._ended.wait()

    def _arm(self, delay: float) -> None:
        if self._timer is None and self._live is not None and self.is_attached:
            self._timer = self.set_timer(delay, self._tick)

    def _tick(self) -> None:
        """Take what has come, within the budget, and draw it."""
        self._timer = None
        if (view := self._live) is None:
            self._pending.clear()
            return
        start = time.perf_counter()
        before, ending = self._doc.height, self._ending
        rest = self._take(view, start + _BUDGET)
        first = view.grown()
        if ending is not None and not rest:
            # To close takes a while, too: not in one go with much that was drawn.
            rest = time.perf_counter() - start > _BUDGET
            if not rest:
                self._close(view, ending)
                first = 0
        at = len(self._doc.views) - 1
        self._doc.changed(self._doc.find(view.entry.id) or at)
        self._unseen = (before, first) if self._unseen is None else (self._unseen[0], min(self._unseen[1], first))
        if not rest or ending is None or start - self._painted >= FRAME:
            self._paint()
        if rest:
            self._arm(_NEXT if ending is not None else max(FRAME, _EASE * (time.perf_counter() - start)))
        elif view.work(0):
            self._arm_work(view)

    def _paint(self) -> None:
        """Show what has grown since the last time."""
        if self._unseen is not None:
            before, first = self._unseen
            self._unseen, self._painted = None, time.perf_counter()
            self._grown(before, first)

    def _arm_work(self, view: EntryView) -> None:
        """Do the rest for finished blocks of *view* when there is time."""
        if self._work is None and self.is_attached:
            self._work = self.set_timer(FRAME, lambda: self._do_work(view))

    def _do_work(self, view: EntryView) -> None:
        self._work = None
        more = view.work(_BUDGET)
        if self._doc.find(view.entry.id) is not None:
            self._repaint()
            if more:
                self._arm_work(view)

    def _take(self, view: EntryView, deadline: float) -> bool:
        """Feed pending text until *deadline*, and no more than can be drawn in a frame; whether some is left."""
        taken = 0
        while self._pending:
            reasoning, text = self._pending[0]
            count = 1
            size = len(text)
            while count < len(self._pending) and size < _SLICE and self._pending[count][0] is reasoning:
                size += len(self._pending[count][1])
                count += 1
            joined = "".join(part for _, part in self._pending[:count])
            del self._pending[:count]
            if len(joined) > 2 * _SLICE:
                self._pending.insert(0, (reasoning, joined[_SLICE:]))
                joined = joined[:_SLICE]
            self._note_thinking(view, reasoning=reasoning)
            stream = view.reasoning if reasoning else view.text
            if stream is not None:
                stream.feed(joined)
            taken += len(joined)
            most = _MOST_CODE if stream is not None and stream.costly else _MOST
            if time.perf_counter() > deadline or taken >= most:
                break
        return bool(self._pending)

    def _note_thinking(self, view: EntryView, *, reasoning: bool) -> None:
        now = time.monotonic()
        if reasoning and self._thinking_since is None:
            self._thinking_since = now
        elif not reasoning and view.thought is None and self._thinking_since is not None:
            view.thought = now - self._thinking_since

    def _close(self, view: EntryView, entry: Entry) -> None:
        old = view.entry.id
        view.end(entry)
        if entry.id != old:
            self._doc.rename(old, entry.id)
            if self._cursor == old:
                self._cursor = entry.id
        self._live = self._ending = None
        self._ended.set()

    def _finish_now(self) -> None:
        """Another answer begins: close the one before as it is."""
        if self._live is not None:
            view = self._live
            while self._take(view, float("inf")):
                pass
            self._close(view, self._ending or view.entry)
        self._stop_stream()

    def _stop_stream(self) -> None:
        self._live = self._ending = self._unseen = None
        self._ended.set()
        self._pending.clear()
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def show(self, entries: Sequence[Entry], *, at: str | None = None) -> None:
        """Replace everything by *entries*; shows the end, or the top of entry *at*."""
        self._stop_stream()
        self._doc.show(entries)
        self._moved(0)
        self._asked = None
        self._fresh = 0
        self._cursor = at
        self._follow = at is None or self._doc.find(at) is None
        self._waiting = None if self._follow else at
        self._repaint()

    def prepend(self, entries: Sequence[Entry]) -> None:
        """Put an older page before everything; the view stays where it is."""
        count = len(self._doc.views)
        self._top += self._doc.prepend(entries)
        self._moved(len(self._doc.views) - count)
        self._asked = None
        self._repaint()

    def add(self, entry: Entry) -> None:
        """Put *entry* at the end."""
        before = self._doc.height
        self._doc.append(entry)
        self._grown(before)

    def replace(self, entry: Entry) -> None:
        """Show another state of the entry with the same id; nothing happens if there is none."""
        if (at := self._doc.find(entry.id)) is not None:
            self._doc.views[at].update(entry)
            self._doc.changed(at)
            self._repaint()

    def rename(self, old: str, entry: Entry) -> None:
        """The entry that was shown as *old* is kept now, as *entry*."""
        if (at := self._doc.find(old)) is not None:
            self._doc.rename(old, entry.id)
            self._doc.views[at].update(entry)
            self._doc.changed(at)
            self._repaint()

    def discard(self, entry_id: str) -> None:
        """Take an entry away (`remove` is Textual's: it would take the widget away)."""
        if self._live is not None and self._live.entry.id == entry_id:
            self._stop_stream()
        if self._doc.remove(entry_id):
            self._moved(0)
            self._repaint()
