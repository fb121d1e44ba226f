"""Tokens -> text, one at a time: a character of several tokens is shown whole, and stop texts never are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Detokenizer:
    """Incremental decoding: the pieces joined are the decoding of all tokens.

    A tokenizer may need its left context (a leading space), so a piece is the difference between two decodings over a
    short window; while that ends in U+FFFD, a UTF-8 sequence is incomplete and nothing is given out.
    """

    def __init__(self, decode: Callable[..., Any]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._start = 0
        self._shown = 0

    def feed(self, token: int) -> str:
        """The text that becomes certain with *token*; often "" inside a multi-byte character."""
        self._tokens.append(token)
        before, text = self._window()
        if text.endswith("\ufffd") and len(self._tokens) - self._shown < 8:  # longer is no character any more
            return ""
        return self._advance(before, text)

    def flush(self) -> str:
        """What was held back, at the end."""
        return self._advance(*self._window())

    def _window(self) -> tuple[str, str]:
        return self._text(self._tokens[self._start : self._shown]), self._text(self._tokens[self._start :])

    def _advance(self, before: str, text: str) -> str:
        if len(text) <= len(before):
            return ""
        self._start, self._shown = self._shown, len(self._tokens)
        return text[len(before) :]

    def _text(self, tokens: list[int]) -> str:
        return str(self._decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)) if tokens else ""


class StopText:
    """Cuts a stream before the first of some stop texts; holds back what may be the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """The part of the stream that is certainly before any stop text."""
        if self.hit or not self._stops:
            return "" if self.hit else text
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.hit = True
            out, self._held = self._held[: min(found)], ""
            return out
        keep = max(
            (
                n
                for stop in self._stops
                for n in range(1, min(len(stop), len(self._held) + 1))
                if self._held.endswith(stop[:n])
            ),
            default=0,
        )
        cut = len(self._held) - keep
        out, self._held = self._held[:cut], self._held[cut:]
        return out

    def flush(self) -> str:
        """What was held back and turned out to be no stop text."""
        out, self._held = self._held, ""
        return out
