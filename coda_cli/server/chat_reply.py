"""What an answer is to OpenAI's programs: a chat completion, its chunks, its errors. Pure mapping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from coda_cli.engine.core.errors import (
    CodaError,
    LLMAuthenticationError,
    LLMBudgetError,
    LLMContextLengthError,
    LLMError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMOverloadedError,
    LLMProviderUnavailableError,
    LLMRateLimitError,
    LLMTimeoutError,
    LLMUnsupportedError,
)
from coda_cli.engine.core.events import FunctionCalls, ReasoningChunk, ResponseChunk
from coda_cli.engine.core.messages import ToolCallPart
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.server.refused import error_body

_REASONS: Final = {
    FinishReason.LENGTH: "length",
    FinishReason.CONTEXT: "length",
    FinishReason.TOOL_CALLS: "tool_calls",
    FinishReason.REFUSAL: "content_filter",
    FinishReason.CONTENT_FILTER: "content_filter",
}
_STATUSES: Final[Sequence[tuple[type[LLMError], int, str, str]]] = (
    (LLMContextLengthError, 400, "invalid_request_error", "context_length_exceeded"),
    (LLMUnsupportedError, 400, "invalid_request_error", "unsupported_value"),
    (LLMInvalidRequestError, 400, "invalid_request_error", "invalid_request"),
    (LLMModelNotFoundError, 404, "invalid_request_error", "model_not_found"),
    (LLMBudgetError, 429, "insufficient_quota", "budget_reached"),
    (LLMRateLimitError, 429, "rate_limit_error", "rate_limit_exceeded"),
    # Not 401: that would be the token of this server. What is wrong is a key of a provider behind it.
    (LLMAuthenticationError, 403, "permission_error", "provider_authentication"),
    (LLMTimeoutError, 504, "server_error", "timeout"),
    (LLMOverloadedError, 503, "server_error", "overloaded"),
    (LLMProviderUnavailableError, 500, "server_error", "provider_unavailable"),
)


def usage_of(usage: TokenUsage) -> dict[str, Any]:
    """The token counts as OpenAI names them."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def finish_of(response: LLMResponse) -> str:
    """Why the answer ended, as OpenAI names it."""
    if response.tool_calls and response.finish_reason in (FinishReason.STOP, FinishReason.UNKNOWN):
        return "tool_calls"
    return _REASONS.get(response.finish_reason, "stop")


def _call(call: ToolCallPart) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def completion(response: LLMResponse, created: int) -> dict[str, Any]:
    """The whole answer as a `chat.completion`."""
    message: dict[str, Any] = {"role": "assistant", "content": response.content or None, "refusal": None}
    if not response.tool_calls:
        message["content"] = response.content
    else:
        message["tool_calls"] = [_call(call) for call in response.tool_calls]
    if response.reasoning:
        message["reasoning_content"] = response.reasoning
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_of(response)}
    return {
        "id": f"chatcmpl-{response.response_id}",
        "object": "chat.completion",
        "created": created,
        "model": f"{response.provider}/{response.model}",
        "choices": [choice],
        "usage": usage_of(response.usage),
    }


class Chunks:
    """The chunks of one answer."""

    def __init__(self, response_id: str, model: str, created: int, *, include_usage: bool) -> None:
        shared: dict[str, Any] = {
            "id": f"chatcmpl-{response_id}",
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._shared = {**shared, "usage": None} if include_usage else shared
        self._include_usage = include_usage

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._shared, "choices": [choice]}

    def first(self) -> dict[str, Any]:
        """Who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def of(self, event: ResponseChunk | ReasoningChunk | FunctionCalls) -> dict[str, Any]:
        """What *event* says."""
        match event:
            case ResponseChunk():
                return self._chunk({"content": event.delta})
            case ReasoningChunk():
                return self._chunk({"reasoning_content": event.delta})
            case FunctionCalls():
                calls = [{"index": number, **_call(ToolCallPart(**call))} for number, call in enumerate(event.calls)]
                return self._chunk({"tool_calls": calls})

    def last(self, response: LLMResponse) -> list[dict[str, Any]]:
        """Why it ended, and what it took where that was asked for."""
        ended = [self._chunk({}, finish_of(response))]
        if self._include_usage:
            ended.append({**self._shared, "choices": [], "usage": usage_of(response.usage)})
        return ended


def failure(error: CodaError) -> tuple[int, dict[str, Any], dict[str, str]]:
    """(HTTP status, body, headers) for *error*. Coda has tried again already: the program need not."""
    headers = {"x-should-retry": "false"}
    if isinstance(error, LLMError) and error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    told = f"{error.message}; {error.hint}" if error.hint else error.message
    for kind, status, family, code in _STATUSES:
        if isinstance(error, kind):
            return status, error_body(told, family, code), headers
    return (502 if isinstance(error, LLMError) else 500), error_body(told, "server_error", "provider_error"), headers
