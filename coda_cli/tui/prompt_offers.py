"""What the list above the prompt offers now, and what a key does to it: completions, or hits in the history."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from coda_cli.chat.completion import Completer, Completion
from coda_cli.tui.prompt_complete import Choice, PromptList
from coda_cli.tui.prompt_history import History
from coda_cli.tui.prompt_paste import plain

if TYPE_CHECKING:
    from coda_cli.tui.prompt import Prompt

_HITS: Final = 50


class Offers:
    """The list of one prompt. Its widget is made when there is something to show for the first time."""

    def __init__(
        self,
        prompt: Prompt,
        completer: Completer | None,
        history: History | None,
        runs: Callable[[str], bool] | None,
    ) -> None:
        self._prompt, self._completer, self._history, self._runs = prompt, completer, history, runs
        self._list: PromptList | None = None
        self._query: str | None = None  # of the search in the history; None: no search
        self._hits: Sequence[str] = ()
        self._moved = False
        self._dismissed: int | None = None  # where the word starts for which nothing is to be offered
        self._question: asyncio.Future[Sequence[Completion]] | None = None  # what files there are
        self.completions: Sequence[Completion] = ()

    @property
    def searching(self) -> bool:
        """Whether the history is searched now: typed letters go there."""
        return self._query is not None

    @property
    def is_open(self) -> bool:
        """Whether the list is shown."""
        return self.searching or bool(self.completions)

    # --- the list itself

    def _show(self, choices: Sequence[Choice], query: str, title: str = "", place: int = 0) -> None:
        if self._list is None:
            self._list = PromptList(self._picked)
            self._prompt.screen.mount(self._list)
        self._list.show(choices, query=query, title=title, place=place)
        self.place()

    def place(self) -> None:
        """Keep the list above the prompt, wherever that went."""
        if self._list is not None and self.is_open:
            self._list.put_above(self._prompt.region, self._prompt.app.size)

    def move(self, rows: int) -> None:
        """Another row."""
        if self._list is not None:
            self._moved = True
            self._list.move_to(self._list.place + rows)

    def _picked(self, place: int) -> None:
        """A click took a row."""
        self.move(place - (self._list.place if self._list else 0))
        self.take()

    def close(self) -> None:
        """Offer nothing."""
        was_open = self.is_open
        self._forget_question()
        self.completions, self._hits, self._query, self._moved = (), (), None, False
        if self._list is not None:
            self._list.hide()
        if was_open:
            self._prompt.offers_changed()

    def dismiss(self) -> None:
        """Offer nothing more for the word that is being written."""
        if self.completions:
            self._dismissed = self.completions[0].start
        self.close()

    def nothing_is_meant(self) -> None:
        """The cursor is at no word for which something could be offered."""
        self._dismissed = None
        if self.completions or self._question is not None:
            self.close()

    def remove(self) -> None:
        """The prompt goes, and its list with it."""
        self._forget_question()
        if self._list is not None:
            self._list.remove()
            self._list = None

    def take(self) -> None:
        """Put the row under the cursor into the prompt."""
        place = self._list.place if self._list is not None else 0
        if self.searching:
            hit = self._hits[place] if place < len(self._hits) else None
            self.close()
            if hit is not None:
                self._prompt.restore(hit)
        elif self.completions:
            taken = self.completions[place]
            self.close()
            self._dismissed = taken.start if taken.final else None
            self._prompt.put_between(taken.start, taken.end, taken.insert)

    # --- completions

    def update(self, text: str, cursor: int) -> None:
        """The text or the cursor changed."""
        if not self.searching:
            self._look_up(text, cursor)

    def _look_up(self, text: str, cursor: int) -> bool:
        """Offer what there is now, or when it comes; whether there may be something."""
        self._forget_question()
        found = self._completer.complete(text, cursor) if self._completer is not None and text else ()
        if not inspect.isawaitable(found):
            self._offer(found, text, cursor)
            return bool(found)
        self._question = asyncio.ensure_future(found)
        self._question.add_done_callback(partial(self._came, text, cursor))
        return True

    def _forget_question(self) -> None:
        if self._question is not None:
            self._question.cancel()
            self._question = None

    def _came(self, text: str, cursor: int, answer: asyncio.Future[Sequence[Completion]]) -> None:
        """Show what took time, if the prompt is still as it was. A completer that failed has nothing to offer."""
        if answer.cancelled() or answer.exception() is not None or not self._prompt.has_focus or self.searching:
            return
        if (text, cursor) == self._prompt.text_and_cursor():
            self._offer(answer.result(), text, cursor)

    def _offer(self, found: Sequence[Completion], text: str, cursor: int) -> None:
        if not found or found[0].start == self._dismissed:
            if not found:
                self._dismissed = None
            self.close()
            return
        self._dismissed = None
        keep = self._moved and self._list is not None and list(found) == list(self.completions)
        place = self._list.place if keep and self._list is not None else 0
        self.completions, self._moved = found, keep
        query = text[found[0].start : cursor].lstrip('@"/!')
        self._show([Choice(one.label, one.detail) for one in found], query, place=place)
        self._prompt.offers_changed()

    def ask(self, text: str, cursor: int) -> bool:
        """Somebody asks for completions; whether there may be any."""
        self._dismissed = None
        return self._look_up(text, cursor)

    def sends(self, text: str) -> bool:
        """Whether Enter sends *text* although the list is open: what is typed is whole already."""
        if self.searching or self._moved:
            return False
        if text.startswith("/"):
            if self._runs is not None and self._runs(text):
                return True
            if any(one.start == one.end for one in self.completions):  # nothing of the next word is typed yet
                return True
        whole = [one for one in self.completions if one.final or text.startswith("/")]
        return any(text[one.start : one.end] == one.insert.rstrip() for one in whole)

    # --- the search in the history

    def search(self) -> bool:
        """Begin to search, or go to the next hit; False if there is no history."""
        if self._history is None:
            return False
        if self.searching:
            self.move(1)
        else:
            self.close()
            self._look("")
        return True

    def type(self, letters: str) -> None:
        """Letters for the search."""
        self._look((self._query or "") + letters)

    def rub_out(self, everything: bool = False) -> None:
        """Take back the last letter of the search."""
        self._look("" if everything else (self._query or "")[:-1])

    def _look(self, query: str) -> None:
        self._query = query
        self._hits = self._history.search(query, limit=_HITS) if self._history is not None else ()
        title = f"history: {query}▏" if self._hits else f"history: {query}▏  nothing was asked like that"
        self._show([Choice(plain(hit[:1000])) for hit in self._hits], query, title)
        self._prompt.offers_changed()
