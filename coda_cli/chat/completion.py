"""What a prompt offers while somebody types: values, a Protocol, and completers made of others."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from coda_cli.chat import front


class Completion(Struct, frozen=True):
    """`insert` may stand in place of the characters from `start` to `end` of the prompt.

    `label` and `detail` are shown (untrusted: a front end cleans them). Not `final`: there is more to complete behind
    it, as behind a folder.
    """

    start: int
    end: int
    insert: str
    label: str
    detail: str = ""
    final: bool = True


class Completer(Protocol):
    """Whoever knows what may be meant."""

    def complete(self, text: str, cursor: int) -> Sequence[Completion] | Awaitable[Sequence[Completion]]:
        """What may be meant by *text* with the cursor before character *cursor*, the best first; what takes time
        (files) comes later."""
        ...


class Completers:
    """Several, asked in turn: the first that has something to offer, or that has to look first, is heard."""

    def __init__(self, *completers: Completer) -> None:
        self._completers = completers

    def complete(self, text: str, cursor: int) -> Sequence[Completion] | Awaitable[Sequence[Completion]]:
        """As in `Completer`."""
        for completer in self._completers:
            found = completer.complete(text, cursor)
            if inspect.isawaitable(found) or found:
                return found
        return ()


class CommandCompleter:
    """Slash commands and their arguments, as `commands.complete` knows them."""

    def __init__(self, complete: Callable[[str], Sequence[front.Completion]]) -> None:
        self._complete = complete

    def complete(self, text: str, cursor: int) -> Sequence[Completion]:
        """As in `Completer`. A command that takes arguments is followed by a blank, so that they are offered next."""
        if not text.startswith("/"):
            return ()
        made = []
        for one in self._complete(text[:cursor]):
            more = one.text.startswith("/") and one.label.startswith(one.text + " ")
            insert = one.text + " " if more else one.text
            made.append(Completion(cursor - one.replaces, cursor, insert, one.label, one.detail, final=not more))
        return made
