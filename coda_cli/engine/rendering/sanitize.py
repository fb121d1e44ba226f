"""The one boundary between untrusted text and a terminal.

Model output, tool output, file names, titles, errors and pastes pass here before they are shown. `\\r\\n` and a lone
`\\r` become a newline; C0 (but tab and newline), DEL, C1 and the bidi controls become U+FFFD, so that no text can
move the cursor, set a title, write the clipboard or reorder what a person reads.
"""

from __future__ import annotations

import re
from typing import Final

_CONTROLS: Final = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)
_NEWLINES: Final = re.compile("\\r\\n?")


def sanitize(text: str) -> str:
    """*text* made safe for a terminal. Idempotent; lone surrogates become U+FFFD too."""
    if "\r" in text:
        text = _NEWLINES.sub("\n", text)
    return _CONTROLS.sub("\ufffd", text)


class Sanitizer:
    """`sanitize()` for text that comes in chunks: a trailing `\\r` waits for what follows it.

    The chunks' outputs joined, plus `flush()`, equal `sanitize()` of the whole.
    """

    def __init__(self) -> None:
        self._carry = ""

    def feed(self, chunk: str) -> str:
        """The safe form of what can be decided so far."""
        chunk = self._carry + chunk
        self._carry = ""
        if chunk.endswith("\r"):
            chunk, self._carry = chunk[:-1], "\r"
        return sanitize(chunk)

    def flush(self) -> str:
        """What was held back, at the end of the text."""
        carry, self._carry = self._carry, ""
        return sanitize(carry)
