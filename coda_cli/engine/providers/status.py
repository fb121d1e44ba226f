"""HTTP statuses and vendors' error bodies -> Coda's errors, for every transport."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final

from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMBadResponseError,
    LLMContextLengthError,
    LLMError,
    LLMInvalidRequestError,
    LLMModelNotFoundError,
    LLMOverloadedError,
    LLMRateLimitError,
    LLMTimeoutError,
)

MAX_SAID: Final = 1_500
"""Characters of a vendor's message that are read. More than is shown: `redact.conceal` cuts after hiding secrets."""

_CONTEXT: Final = re.compile(
    r"context[_ ](length|window|size)|maximum context|prompt is too long|too many tokens|exceed_context|"
    r"input length and `?max_tokens`? exceed",
    re.IGNORECASE,
)
_MODEL: Final = re.compile(r"model", re.IGNORECASE)
_QUOTA: Final = ("insufficient_quota", "billing_hard_limit_reached", "credit balance")

_TYPES: Final[dict[str, int]] = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "invalid_request_error": 400,
    "exceed_context_size_error": 400,
    "context_length_exceeded": 400,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "tokens": 429,
    "requests": 429,
    "timeout_error": 504,
    "api_error": 500,
    "server_error": 500,
    "overloaded_error": 529,
}


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that `retry-after-ms` or `retry-after` (seconds or an HTTP date) ask for; None for none or junk."""
    value = headers.get("retry-after", "").strip()
    for text, unit in ((headers.get("retry-after-ms", ""), 1000.0), (value, 1.0)):
        try:
            seconds = _finite(float(text) / unit)
        except ValueError:
            continue
        if seconds is not None:
            return seconds
    try:
        date = parsedate_to_datetime(value)
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)  # HTTP dates are GMT, whatever their form
        return _finite(date.timestamp() - (time.time() if now is None else now))
    except (ValueError, TypeError, OverflowError):
        return None


def _finite(seconds: float) -> float | None:
    return max(seconds, 0.0) if seconds == seconds and abs(seconds) != float("inf") else None


def error_fields(body: Any) -> tuple[str, str]:
    """(code or type, message) of an error in any vendor's JSON; empty strings where it has none."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, str):
        return "", body
    if not isinstance(body, dict):
        return "", ""
    inner = body.get("error") or body
    if isinstance(inner, str):
        return "", inner
    if not isinstance(inner, dict):
        return "", ""
    codes = [inner.get(name) for name in ("code", "type")]
    code = next((value for value in codes if isinstance(value, str) and value and value != "error"), "")
    message = inner.get("message") or inner.get("detail") or ""
    if isinstance(message, str):
        return code, message
    try:
        return code, json.dumps(message)
    except RecursionError:  # nested as deep as the parser takes it, and then some
        return code, ""


def from_event(body: Any, *, fallback: str = "the provider reported an error in the stream") -> LLMError:
    """The error that an error event inside a 200 stream means."""
    code, message = error_fields(body)
    inner = body.get("error") if isinstance(body, dict) else None
    number = inner.get("code") if isinstance(inner, dict) else None
    status = number if isinstance(number, int) and 400 <= number < 600 else _TYPES.get(code, 500)
    return from_fields(status, code, message or fallback, from_stream=True)


def from_status(status: int, headers: Mapping[str, str], body: bytes, *, where: str) -> LLMError:
    """The error that an HTTP answer with *status* >= 400 means. *where* is the URL, without secrets."""
    text = body[:100_000].decode("utf-8", "replace")
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    code, message = error_fields(value)
    if value is None and text.strip():
        message = "it sent a web page" if text.lstrip()[:1] == "<" else text.strip()
    error = from_fields(status, code, message, where=where)
    error.retry_after = retry_after(headers)
    error.request_id = headers.get("x-request-id") or headers.get("request-id")
    return error


def from_fields(status: int, code: str, message: str, *, where: str = "", from_stream: bool = False) -> LLMError:
    """The most specific error for a status, a vendor's code and its message."""
    said = (message.rstrip(". \n") or code or f"HTTP {status}")[:MAX_SAID]
    shown = None if from_stream else status
    spent = status == 402 or any(word in f"{code} {message}" for word in _QUOTA)
    if code == "context_length_exceeded" or (status in (400, 413, 422, 500) and _CONTEXT.search(f"{code} {message}")):
        return LLMContextLengthError(f"the request is too long for the model: {said}", status=shown)
    if status in (402, 429) or spent:
        hint = "the account has no credit left; add some, or choose another provider with -m" if spent else None
        return LLMRateLimitError(f"rate limited: {said}", hint=hint, status=shown, final=spent)
    if status in (401, 403):
        what = "does not accept the API key" if status == 401 else "refuses access"
        return LLMAuthenticationError(
            f"the provider {what}: {said}",
            hint="set the right key with `coda config set-key PROVIDER`, or in its environment variable",
            status=shown,
        )
    if status == 404:
        if _MODEL.search(f"{code} {message}"):
            return LLMModelNotFoundError(f"the provider does not know this model: {said}", status=shown)
        return LLMInvalidRequestError(
            f"there is no such address on the server{f' ({where})' if where else ''}: {said}",
            hint="check `api_base` in coda.toml; an OpenAI-compatible one usually ends in /v1",
            status=shown,
        )
    if status in (408, 504) and not from_stream:
        return LLMTimeoutError(f"the provider gave up waiting: {said}", status=shown)
    if status >= 500 or status in (408, 409):
        return LLMOverloadedError(f"the provider is overloaded or broken: {said}", status=shown)
    if status < 400:
        return LLMBadResponseError(f"the server answered with HTTP {status}: {said}", status=shown, final=True)
    return LLMInvalidRequestError(f"the provider refuses the request: {said}", status=shown)
