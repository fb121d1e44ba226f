"""A large paste is one quiet word in the prompt, `[pasted 1,240 lines]`, and its text again when it is sent."""

from __future__ import annotations

from typing import Final

LINES: Final = 8
CHARACTERS: Final = 1_000
"""A paste with more of either is shown as a word."""


class Pastes:
    """The large pastes of one prompt."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def add(self, text: str) -> str:
        """What to put into the prompt for the pasted *text*: itself, if it is small."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.count("\n") + 1
        if lines <= LINES and len(text) <= CHARACTERS:
            return text
        what = f"{lines:,} lines" if lines > LINES else f"{len(text):,} characters"
        word, number = f"[pasted {what}]", 1
        while self._texts.get(word, text) != text:
            number += 1
            word = f"[pasted {what}, {number}]"
        self._texts[word] = text
        return word

    def expand(self, text: str) -> str:
        """*text* with every such word replaced by what was pasted. What a paste holds is not expanded again."""
        if not self._texts:
            return text
        out, at = [], 0
        while at < len(text):
            found = [(place, word) for word in self._texts if (place := text.find(word, at)) >= 0]
            if not found:
                break
            place, word = min(found)
            out += [text[at:place], self._texts[word]]
            at = place + len(word)
        return "".join([*out, text[at:]])

    def clear(self) -> None:
        """The prompt was sent."""
        self._texts.clear()
