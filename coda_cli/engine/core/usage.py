"""Token counts and why an answer ended: the same words for every vendor."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"
    CONTENT_FILTER = "content_filter"
    CONTEXT = "context_window"
    PAUSE = "pause"
    CANCELLED = "cancelled"
    ERROR = "error"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """How an answer ended for the person who waits for it."""

    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    INCOMPLETE = "incomplete"
    ERROR = "error"


class TokenUsage(BaseModel):
    """Tokens of one request.

    `input_tokens` counts everything that was sent, with `cached_tokens` (read from the vendor's prompt cache),
    `cache_write_tokens` (`cache_write_1h_tokens` of them for an hour) and `input_audio_tokens` among them;
    `output_tokens` counts everything that came, with `reasoning_tokens` and `output_audio_tokens` among them. Vendors
    that report them apart (Anthropic) are added up in the mapping. `web_searches` counts those that the vendor made.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    web_searches: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: TokenUsage) -> TokenUsage:
        """Both together, as for the requests of one answer."""
        return TokenUsage(**{name: getattr(self, name) + getattr(other, name) for name in TokenUsage.model_fields})

    @property
    def reported(self) -> bool:
        """Whether the vendor told any numbers at all."""
        return bool(self.input_tokens or self.output_tokens)
