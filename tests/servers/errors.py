"""How each vendor words its errors: status, body and headers, as replies of a fake server.

Public API::

    error_reply(vendor, kind, *, model="fake-model", retry_after=None) -> Reply
    ErrorKind    bad_request context_length unauthorized forbidden model_not_found too_large unprocessable
                 rate_limited quota server_error bad_gateway unavailable overloaded
    STATUS[vendor][kind] -> int      KINDS: all kinds
    RETRY_AFTER["seconds"|"date"|"past_date"|"junk"|"zero"|"negative"|"hour"]() -> str
    COMPATIBLE["llamacpp_context"|"vllm_context"|"fastapi_422"] -> Reply    servers that speak OpenAI's format
    captive_portal() -> Reply        200 with an HTML page, where JSON or a stream was asked for

Sources: the vendors' error pages, and messages that their users report; no vendor words every status, so those that
a proxy in front of it would answer (413, 502, 503) have a plausible body of the same shape.
"""

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Literal, get_args

from tests.servers.reply import Reply
from tests.servers.wire import Vendor

__all__ = ["COMPATIBLE", "KINDS", "RETRY_AFTER", "STATUS", "ErrorKind", "captive_portal", "error_reply"]

ErrorKind = Literal[
    "bad_request",
    "context_length",
    "unauthorized",
    "forbidden",
    "model_not_found",
    "too_large",
    "unprocessable",
    "rate_limited",
    "quota",
    "server_error",
    "bad_gateway",
    "unavailable",
    "overloaded",
]
KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)

_STATUS: dict[ErrorKind, int] = {
    "bad_request": 400,
    "context_length": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "model_not_found": 404,
    "too_large": 413,
    "unprocessable": 422,
    "rate_limited": 429,
    "quota": 429,
    "server_error": 500,
    "bad_gateway": 502,
    "unavailable": 503,
    "overloaded": 529,
}
STATUS: dict[Vendor, dict[ErrorKind, int]] = {
    "openai": {**_STATUS, "overloaded": 503},
    # Anthropic says with 400 that the credit is used up.
    "anthropic": {**_STATUS, "quota": 400},
    "ollama": {**_STATUS, "overloaded": 503},
}

# kind -> (message, type, code, param)
_OPENAI: dict[ErrorKind, tuple[str, str, str | None, str | None]] = {
    "bad_request": (
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "invalid_request_error",
        "unsupported_parameter",
        "temperature",
    ),
    "context_length": (
        (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130012 tokens. "
            "Please reduce the length of the messages."
        ),
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
    ),
    "unauthorized": (
        (
            "Incorrect API key provided: sk-fake*********0000. "
            "You can find your API key at https://platform.openai.com/account/api-keys."
        ),
        "invalid_request_error",
        "invalid_api_key",
        None,
    ),
    "forbidden": (
        "Country, region, or territory not supported",
        "request_forbidden",
        "unsupported_country_region_territory",
        None,
    ),
    "model_not_found": (
        "The model `{model}` does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
        None,
    ),
    "too_large": ("Request body is too large.", "invalid_request_error", "request_too_large", None),
    "unprocessable": ("Unprocessable request body.", "invalid_request_error", None, "messages"),
    "rate_limited": (
        (
            "Rate limit reached for {model} in organization org-fake on requests per min (RPM): Limit 3, Used 3, "
            "Requested 1. Please try again in 20s."
        ),
        "requests",
        "rate_limit_exceeded",
        None,
    ),
    "quota": (
        (
            "You exceeded your current quota, please check your plan and billing details. For more information on this "
            "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
        ),
        "insufficient_quota",
        "insufficient_quota",
        None,
    ),
    "server_error": (
        "The server had an error while processing your request. Sorry about that!",
        "server_error",
        None,
        None,
    ),
    "bad_gateway": ("Bad gateway.", "server_error", None, None),
    "unavailable": ("The server is temporarily unavailable, please try again later.", "server_error", None, None),
    "overloaded": ("The engine is currently overloaded, please try again later", "server_error", "overloaded", None),
}

_ANTHROPIC: dict[ErrorKind, tuple[str, str]] = {
    "bad_request": ("messages.0.content: Field required", "invalid_request_error"),
    "context_length": ("prompt is too long: 208310 tokens > 200000 maximum", "invalid_request_error"),
    "unauthorized": ("invalid x-api-key", "authentication_error"),
    "forbidden": ("Your API key does not have permission to use the specified resource.", "permission_error"),
    "model_not_found": ("model: {model}", "not_found_error"),
    "too_large": ("Request exceeds the maximum size", "request_too_large"),
    "unprocessable": ("Unprocessable request", "invalid_request_error"),
    "rate_limited": (
        "This request would exceed your organization's rate limit of 50 requests per minute.",
        "rate_limit_error",
    ),
    "quota": (
        (
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits."
        ),
        "invalid_request_error",
    ),
    "server_error": ("Internal server error", "api_error"),
    "bad_gateway": ("Bad gateway", "api_error"),
    "unavailable": ("Service unavailable", "api_error"),
    "overloaded": ("Overloaded", "overloaded_error"),
}

_OLLAMA: dict[ErrorKind, str] = {
    "bad_request": "invalid option provided",
    "context_length": "the input length exceeds the context length",
    "unauthorized": "unauthorized",
    "forbidden": "forbidden",
    "model_not_found": "model '{model}' not found",
    "too_large": "http: request body too large",
    "unprocessable": "unprocessable request",
    "rate_limited": "too many requests",
    "quota": "you've reached your hourly usage limit, please upgrade to continue",
    "server_error": "llama runner process has terminated: exit status 2",
    "bad_gateway": "bad gateway",
    "unavailable": "server busy, please try again.  maximum pending requests exceeded",
    "overloaded": "server busy, please try again.  maximum pending requests exceeded",
}


def _body(vendor: Vendor, kind: ErrorKind, model: str) -> dict[str, object]:
    if vendor == "openai":
        message, type_, code, param = _OPENAI[kind]
        return {"error": {"message": message.format(model=model), "type": type_, "param": param, "code": code}}
    if vendor == "anthropic":
        message, type_ = _ANTHROPIC[kind]
        error = {"type": type_, "message": message.format(model=model)}
        return {"type": "error", "error": error, "request_id": "req_fake0001"}
    return {"error": _OLLAMA[kind].format(model=model)}


def error_reply(vendor: Vendor, kind: ErrorKind, *, model: str = "fake-model", retry_after: str | None = None) -> Reply:
    """The vendor's error of this kind, with a request id where the vendor sends one."""
    headers: dict[str, str] = {}
    if vendor == "openai":
        headers["x-request-id"] = "req_fake0001"
    if vendor == "anthropic":
        headers["request-id"] = "req_fake0001"
    if retry_after is not None:
        headers["retry-after"] = retry_after
    return Reply.json(_body(vendor, kind, model), STATUS[vendor][kind], headers)


RETRY_AFTER: dict[str, Callable[[], str]] = {
    "seconds": lambda: "2",
    "date": lambda: formatdate(time.time() + 2, usegmt=True),
    "past_date": lambda: formatdate(0, usegmt=True),
    "junk": lambda: "soon",
    "zero": lambda: "0",
    "negative": lambda: "-1",
    "hour": lambda: "3600",
}

COMPATIBLE: dict[str, Reply] = {
    "llamacpp_context": Reply.json(
        {
            "error": {
                "code": 400,
                "message": "request (9001 tokens) exceeds the available context size (8192 tokens), try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9001,
                "n_ctx": 8192,
            }
        },
        400,
    ),
    "vllm_context": Reply.json(
        {
            "error": {
                "message": "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens "
                "(8745 in the messages, 256 in the completion). Please reduce the length of the messages or "
                "completion.",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            }
        },
        400,
    ),
    "fastapi_422": Reply.json(
        {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required", "input": {}}]}, 422
    ),
}


def captive_portal() -> Reply:
    """200 and a page that wants a login, as a hotel's network answers every address."""
    page = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please sign in to continue.</body></html>"
    return Reply.text(page, content_type="text/html; charset=utf-8")
