"""Keys of a terminal for prompt-toolkit, with pastes cut out before it looks for keys in them.

Its own parser searches a growing paste from the beginning at every read: 10 MB took minutes. And whoever puts the end
mark of a paste into a text could have the rest of it typed: here a paste ends where nothing more comes with it.
"""

from __future__ import annotations

import select
from typing import Final, TextIO

from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

START: Final = "\x1b[200~"
END: Final = "\x1b[201~"
_AT_ONCE: Final = 1 << 16


class KeyInput(Vt100Input):
    """`Vt100Input` with pastes of its own."""

    def __init__(self, stdin: TextIO) -> None:
        super().__init__(stdin)
        self._found: list[KeyPress] = []
        self._parser = Vt100Parser(self._found.append)
        self._held = ""  # the beginning of a mark, perhaps
        self._paste: list[str] | None = None
        self._ended = False

    def read_keys(self) -> list[KeyPress]:
        """What has come."""
        self._take(self.stdin_reader.read(_AT_ONCE), more=self._more())
        return self._keys()

    def flush_keys(self) -> list[KeyPress]:
        """What has come and waited for more, such as a single Escape."""
        if self._paste is None and self._held:
            held, self._held = self._held, ""
            self._parser.feed(held)
        self._parser.flush()
        return self._keys()

    def _keys(self) -> list[KeyPress]:
        found = list(self._found)
        self._found.clear()
        return found

    def _more(self) -> bool:
        return bool(select.select([self.fileno()], [], [], 0)[0])

    def _take(self, data: str, *, more: bool) -> None:
        """Keys go to the parser, a paste is one key. *more*: something has come already that is not in *data*."""
        data, self._held = self._held + data, ""
        if self._paste is None:
            before, mark, data = data.partition(START)
            if not mark:
                cut = _begun(before, START)
                self._held = before[len(before) - cut :]
                self._parser.feed(before[: len(before) - cut])
                return
            self._parser.feed(before)
            self._paste = []
        cut = _begun(data, END)
        self._held = data[len(data) - cut :]
        self._paste.append(data[: len(data) - cut])
        self._ended = self._ended or END in data
        if self._ended and not more:
            text = "".join(self._paste) + self._held
            self._found.append(KeyPress(Keys.BracketedPaste, text.replace(END, "").replace(START, "")))
            self._paste, self._held, self._ended = None, "", False


def _begun(text: str, mark: str) -> int:
    """How many characters at the end of *text* may be the beginning of *mark*."""
    return next((size for size in range(len(mark) - 1, 0, -1) if text.endswith(mark[:size])), 0)
