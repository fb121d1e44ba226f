"""How many tokens a message takes, without asking anybody: an estimate that learns from what providers report.

The text's part is counted by classes of characters, times a factor per provider and model (`token_factors`). The
weights were set so that the factor is about 1 for current vendors' tokenizers (o200k among them) on prose, code, JSON
and other scripts, rather a little too much than too little. Attachments go by the rules in `media_tokens`, which no
factor moves.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import Final, assert_never

from msgspec import Struct

from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.usage.media_tokens import media_tokens
from coda_cli.engine.usage.token_factors import TokenFactors

PER_MESSAGE: Final = 4
"""The role and the marks around a message (OpenAI Cookbook, "How to count tokens": 3, and 1 for the role)."""

PER_REQUEST: Final = 3
"""The marks that open the answer (same source)."""

PER_CALL: Final = 8
"""The marks around a tool call, a tool result or a tool's description, ids included."""

_CLASSES: Final[tuple[tuple[bytes, float], ...]] = (
    # (the UTF-8 bytes that count one character each, tokens for it); all others are continuation bytes
    (b"abcdefghijklmnopqrstuvwxyz", 0.08),
    (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 0.22),
    (b"0123456789", 0.55),
    (b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", 0.75),
    (b" \t", 0.02),
    (b"\n\r", 0.7),
    (bytes([*range(9), 11, 12, *range(14, 32), 127]), 1.0),  # control characters: hardly any tokenizer joins them
    (bytes(range(0xC2, 0xCC)), 0.5),  # Latin letters with marks
    (bytes(range(0xCC, 0xD5)), 0.25),  # Greek, Cyrillic
    (bytes(range(0xD5, 0xE0)), 0.3),  # Armenian, Hebrew, Arabic
    (b"\xe0", 0.4),  # the scripts of India, Thai, Lao
    (b"\xe1", 0.5),  # Georgian, Ethiopic, Khmer, Latin letters with two marks
    (b"\xe2", 0.8),  # typographic punctuation, arrows, mathematics, boxes
    (b"\xe3", 0.75),  # Hiragana, Katakana and their punctuation
    (bytes(range(0xE4, 0xEA)), 0.9),  # Han
    (bytes(range(0xEA, 0xEE)), 0.6),  # Hangul
    (b"\xee\xef", 1.0),  # private use, full-width forms
    (bytes(range(0xF0, 0xF5)), 2.0),  # emoji, rare Han
)
_PER_WORD: Final = 0.7
_DENSE: Final = 16  # letters and digits between two breaks, from which on text is no language: base64, hashes
_PER_DENSE: Final = 0.65
_TABLE: Final = bytes(
    next((number for number, (members, _) in enumerate(_CLASSES) if byte in members), 255) for byte in range(256)
)


def text_tokens(text: str) -> float:
    """About how many tokens *text* takes, before any factor. Linear in its length, some 20 ms a megabyte."""
    if not text:
        return 0.0
    classes = text.encode("utf-8", "surrogatepass").translate(_TABLE)
    counts = [classes.count(number) for number in range(len(_CLASSES))]
    words = len(text.split())
    spelled, breaks = sum(counts[:3]), words + counts[3]
    if spelled > _DENSE * breaks:
        counts[:3] = 0, 0, 0
        words += round(spelled * _PER_DENSE / _PER_WORD)
    return words * _PER_WORD + sum(count * weight for count, (_, weight) in zip(counts, _CLASSES, strict=True))


def _part(part: Part) -> tuple[float, int]:
    """(tokens of text, tokens of media) of one part."""
    match part:
        case TextPart():
            return text_tokens(part.text), 0
        case ReasoningPart():
            # Only what a vendor signed goes back to it. `data` is encrypted: about a token in six base64 characters.
            signed = bool(part.signature or part.data)
            return (text_tokens(part.text) + len(part.data or "") / 6 if signed else 0.0), 0
        case ToolCallPart():
            return PER_CALL + text_tokens(part.name) + text_tokens(part.arguments), 0
        case ToolResultPart():
            return PER_CALL + text_tokens(part.name) + text_tokens(part.text), 0
        case ImagePart() | AudioPart() | FilePart():
            return 0.0, media_tokens(part)
        case _:
            assert_never(part)


def _message(message: LLMMessage) -> tuple[float, int]:
    text, media = float(PER_MESSAGE), 0
    for part in message.parts:
        more_text, more_media = _part(part)
        text, media = text + more_text, media + more_media
    return text, media


@lru_cache(maxsize=1024)
def _tool(name: str, description: str, shape: str) -> float:
    """Tokens of what a model is told of one tool: the same with every request, and maybe a hundred of them."""
    return PER_CALL + text_tokens(name) + text_tokens(description) + text_tokens(shape)


def _request(request: ProviderRequest) -> tuple[float, int]:
    text, media = float(PER_REQUEST), 0
    for message in request.messages:
        more_text, more_media = _message(message)
        text, media = text + more_text, media + more_media
    for tool in request.tools:
        shape = json.dumps(dict(tool.parameters), ensure_ascii=False, default=str)
        text += _tool(tool.name, tool.description, shape)
    if request.schema is not None:
        text += text_tokens(json.dumps(dict(request.schema), ensure_ascii=False, default=str))
    return text, media


class ModelCounter(Struct, frozen=True):
    """Counts for one model, at the factor it had when this was made: the same message always weighs the same."""

    factor: float = 1.0

    def message(self, message: LLMMessage) -> int:
        """Tokens of *message*, the marks around it included. Never 0."""
        text, media = _message(message)
        return max(1, math.ceil(text * self.factor + media))

    def request(self, request: ProviderRequest) -> int:
        """Tokens of the whole prompt: system messages, tools and schema included."""
        text, media = _request(request)
        return max(1, math.ceil(text * self.factor + media))

    def corrected(self, request: ProviderRequest, exact: int) -> ModelCounter:
        """A counter that gives *exact* for *request*, as the provider has counted it."""
        text, media = _request(request)
        return ModelCounter(max(exact - media, 1) / text)


class TokenEstimator:
    """Estimates for every provider and model. With `persist=False` (incognito) what it learns is not written."""

    def __init__(self, factors: TokenFactors | None = None, *, persist: bool = True) -> None:
        self.factors = factors if factors is not None else TokenFactors(persist=persist)

    def counter(self, provider: str, model: str) -> ModelCounter:
        """The counts for *model* of the provider called *provider*, by what is known of it now."""
        return ModelCounter(self.factors.get(provider, model))

    def count_message(self, message: LLMMessage, provider: str = "", model: str = "") -> int:
        """Tokens of *message* for *model*; for a model that is not named, what an average one takes."""
        return self.counter(provider, model).message(message)

    def learn(self, provider: str, model: str, request: ProviderRequest, reported: int) -> None:
        """Take in that *request* was *reported* tokens (`usage.input_tokens`: the whole prompt, cached ones included).

        A request that is mostly attachments says little about text and is passed over. Never raises.
        """
        text, media = _request(request)
        if media * 4 <= text:
            self.factors.learn(provider, model, text, reported - media)
