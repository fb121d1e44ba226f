"""What comes from the terminal, in place of Textual's parser where that falls short (measured with 8.2.8).

Textual reads a paste letter by letter (1 s a megabyte) and looks for keys in it: after an ESC in the paste the next 32
characters are typed as keys, an Enter among them sends. In a terminal without the kitty protocol Alt+Enter comes out
as Enter. Here a paste is cut out before the parser sees it, whatever is in it, and Enter with a modifier is told apart.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Generator, Iterable, Iterator
from typing import Final

from textual._xterm_parser import XTermParser
from textual.events import Paste
from textual.message import Message

_START: Final = "\x1b[200~"
_END: Final = "\x1b[201~"
_OTHER_KEYS: Final = re.compile("\x1b\\[27;(\\d+);(\\d+)~")
# Answers to the questions of `background`, which a slow line brings after the wait for them: colour, device.
_ANSWERS: Final = re.compile("\x1b\\]11;[^\x07\x1b]{0,64}(?:\x07|\x1b\\\\)|\x1b\\[\\?[\\d;]{0,64}c")
_DRIVERS: Final = ("linux_driver", "linux_inline_driver", "win32", "web_driver")


class InputParser(XTermParser):
    """Textual's parser with pastes taken out beforehand, whole."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._pasted: list[str] | None = None
        self._held = ""  # the end of a read that may be the first half of a marker
        self._before = ""  # what the parser saw last, if that may be the first half of a sequence

    def feed(self, data: str) -> Iterable[Message]:
        """The messages that *data* makes; "" is the end of the input."""
        if not data:
            yield from super().feed(data)
            return
        data, self._held = self._held + data, ""
        while data:
            if self._pasted is None:
                data = yield from self._keys(data)
            else:
                data = yield from self._paste(self._pasted, data)

    def tick(self) -> Iterable[Message]:
        """What is decided by time: a lone ESC was the Escape key."""
        for message in super().tick():
            self._before = ""
            yield message

    def _keys(self, data: str) -> Generator[Message, None, str]:
        """Keys up to the start of a paste; returns what stands behind it."""
        joined = self._before + data
        if self._before and joined.startswith(_START):
            # The start was cut in two by the read, and the parser has its first half: it sees an empty paste.
            rest = joined[len(_START) :]
            yield from self._parsed(_START[len(self._before) :] + _END)
            self._pasted = []
            return rest
        if self._before and len(joined) > 2 and _START.startswith(joined):
            self._held = data
            return ""
        before, start, rest = data.partition(_START)
        if start:
            self._pasted = []
        else:
            before, self._held = _split_marker(before, _START, 3)
        yield from self._parsed(before)
        return rest

    def _paste(self, pasted: list[str], data: str) -> Generator[Message, None, str]:
        """Paste up to its end; returns what stands behind it. A second end before a start: the first was forged."""
        last = data.find(_START)
        end = data.rfind(_END, 0, last if last >= 0 else len(data))
        if end < 0:
            end = data.find(_END)
        if end < 0:
            data, self._held = _split_marker(data, _END, 1)
            pasted.append(data)
            return ""
        pasted.append(data[:end])
        self._pasted = None
        yield Paste("".join(pasted))
        return data[end + len(_END) :]

    def _parsed(self, data: str) -> Iterator[Message]:
        """What Textual makes of *data*, which has no paste in it but the empty one."""
        if not data:
            return
        if data[0] == "\r" and self._before == "\x1b":
            data = "[13;3u" + data[1:]
        if "\x1b" in data:
            data = _ANSWERS.sub("", data)
            data = _OTHER_KEYS.sub("\x1b[\\2;\\1u", data).replace("\x1b\r", "\x1b[13;3u")
        if not data:  # nothing else was in it, and to the parser "" is the end of all input
            return
        joined = self._before + data
        self._before = next((tail for tail in ("\x1b[", "\x1b") if joined.endswith(tail)), "")
        for message in super().feed(data):
            if not (isinstance(message, Paste) and not message.text):
                yield message


def _split_marker(data: str, marker: str, least: int) -> tuple[str, str]:
    """*data* without the first part of *marker* that it ends with, if that has *least* characters; and that part."""
    for size in range(len(marker) - 1, least - 1, -1):
        if data.endswith(marker[:size]):
            return data[:-size], data[-size:]
    return data, ""


def install() -> bool:
    """Have Textual's drivers read with `InputParser`; False where there is none to do it to. Before the app runs."""
    done = False
    for name in _DRIVERS:
        try:
            driver = importlib.import_module(f"textual.drivers.{name}")
        except ImportError:  # another system's driver
            continue
        if getattr(driver, "XTermParser", None) is XTermParser:
            driver.XTermParser = InputParser  # type: ignore[attr-defined]  # the name it looks up when it starts
            done = True
    return done
