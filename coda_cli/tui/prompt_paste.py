"""Pastes in the prompt: cleaned, and a big one kept beside the text as one quiet block.

In the text a block is a token like `[pasted 1,240 lines #1]` whose blanks do not break, so that nobody types one by
accident. A draft is the whole text as one string, with each block between STX and ETX: no cleaned text has those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

BIG_LINES: Final = 8
BIG_CHARACTERS: Final = 2_000
"""A paste of more lines or more characters becomes a block."""

_TOKEN: Final = re.compile("\\[pasted\u00a0[\\d,]+\u00a0(?:lines|characters)\u00a0#\\d+\\]")
_STX, _ETX = "\x02", "\x03"
_DRAFT: Final = re.compile(f"{_STX}([^{_ETX}]*){_ETX}?")
_SEQUENCES: Final = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b\n]*(?:\x07|\x1b\\\\))")
_NEWLINES: Final = ("\r\n", "\r", "\u2028", "\u2029", "\x85")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]+")


def clean(text: str) -> str:
    """*text* with newlines and tabs, and no other control character; colours of a terminal go whole.

    Unlike `sanitize` it takes out what it does not want, and lets pass what only matters on a screen (the marks for
    text that runs from right to left): this text is sent to a model.
    """
    for newline in _NEWLINES:
        text = text.replace(newline, "\n")
    if "\x1b" in text:
        text = _SEQUENCES.sub("", text)
    return _CONTROLS.sub("", text)


def is_big(text: str) -> bool:
    """Whether *text* is better shown as a block."""
    return len(text) > BIG_CHARACTERS or text.count("\n") >= BIG_LINES + text.endswith("\n")


class Blocks:
    """The blocks of one prompt: token -> text. They stay until `forget`, so that undo brings a block back whole."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, text: str) -> str:
        """Keep *text*; the token that stands for it."""
        self._count += 1
        lines = text.count("\n") + (not text.endswith("\n"))
        size = f"{lines:,}\u00a0lines" if lines > 1 else f"{len(text):,}\u00a0characters"
        token = f"[pasted\u00a0{size}\u00a0#{self._count}]"
        self._texts[token] = text
        return token

    def forget(self) -> None:
        """The prompt is empty and nothing comes back."""
        self._texts.clear()
        self._count = 0

    def text(self, token: str) -> str:
        """What *token* stands for."""
        return self._texts[token]

    def spans(self, line: str) -> Iterator[tuple[int, int]]:
        """Where blocks stand in *line*."""
        if self._texts and "#" in line:
            for found in _TOKEN.finditer(line):
                if found[0] in self._texts:
                    yield found.span()

    def around(self, line: str, column: int) -> tuple[int, int] | None:
        """The block that *column* is inside of, not at an edge."""
        return next((span for span in self.spans(line) if span[0] < column < span[1]), None)

    def beside(self, line: str, column: int) -> tuple[int, int] | None:
        """The block that *column* touches, the one before it first."""
        return next((span for span in self.spans(line) if span[0] <= column <= span[1]), None)

    def harmless(self, text: str) -> str:
        """*text* that is to be put in, with nothing in it that would read as one of the blocks here."""
        if not self._texts or "#" not in text:
            return text
        return _TOKEN.sub(lambda found: found[0].replace("\u00a0", " "), text)

    def expand(self, text: str) -> str:
        """*text* with every block in full."""
        return _TOKEN.sub(lambda found: self._texts.get(found[0], found[0]), text) if self._texts else text

    def without(self, text: str) -> str:
        """*text* with no block at all: what a person typed."""
        return _TOKEN.sub(lambda found: "" if found[0] in self._texts else found[0], text) if self._texts else text

    def draft(self, text: str) -> str:
        """*text* as one string that `load` reads again."""

        def marked(found: re.Match[str]) -> str:
            kept = self._texts.get(found[0])
            return found[0] if kept is None else f"{_STX}{kept}{_ETX}"

        return _TOKEN.sub(marked, text) if self._texts else text

    def load(self, draft: str) -> str:
        """The text of a draft; its blocks are kept here."""
        parts: list[str] = []
        end = 0
        for found in _DRAFT.finditer(draft):
            parts += [self.harmless(clean(draft[end : found.start()])), self.add(clean(found[1]))]
            end = found.end()
        return "".join([*parts, self.harmless(clean(draft[end:]))])


def plain(draft: str) -> str:
    """The whole text of a draft, blocks in full."""
    return draft.replace(_STX, "").replace(_ETX, "")


class PasteGuard:
    """Knows the keys that are in truth the rest of a paste, because its end was forged or a terminal let it through.

    Such keys come faster than hands can type: each within GAP seconds of the one before, back to the paste.
    """

    GAP: Final = 0.02

    def __init__(self) -> None:
        self._last = float("-inf")

    def paste(self, time: float) -> None:
        """A paste came."""
        self._last = time

    def key(self, time: float) -> bool:
        """Whether the key that came at *time* belongs to the paste."""
        if time - self._last > self.GAP:
            return False
        self._last = time
        return True
