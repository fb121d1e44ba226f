"""HTTP statuses, headers and error bodies of every vendor -> Coda's errors."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import pytest

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
    retryable,
)
from coda_cli.engine.providers.status import error_fields, from_event, from_fields, from_status, retry_after
from tests.servers.errors import COMPATIBLE, KINDS, RETRY_AFTER, STATUS, ErrorKind, captive_portal, error_reply
from tests.servers.wire import Vendor

VENDORS: list[Vendor] = ["openai", "anthropic", "ollama"]
WHERE = "https://host.example/v1/chat/completions"
NOW = 1_790_000_000.0


# -- Retry-After


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "Mon, 99 Foo 2026 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "-5"}, 0.0),
        ({"retry-after-ms": "junk"}, None),
        ({"retry-after-ms": ""}, None),
        ({"retry-after-ms": "junk", "retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
    ],
    ids=str,
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize("junk", ["junk", "", "nan", "inf"])
def test_junk_in_milliseconds_does_not_hide_the_seconds(junk: str) -> None:
    assert retry_after({"retry-after-ms": junk, "retry-after": "9"}, NOW) == 9.0


def test_the_dates_of_http_are_gmt_wherever_this_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 has two obsolete forms beside the common one; asctime's names no zone and means GMT."""
    monkeypatch.setenv("TZ", "XXX-05:30")
    time.tzset()
    try:
        asctime = time.asctime(time.gmtime(NOW + 30))
        assert retry_after({"retry-after": asctime}, NOW) == 30.0
        rfc850 = time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(NOW + 30))
        assert retry_after({"retry-after": rfc850}, NOW) == 30.0
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("name", RETRY_AFTER)
def test_whatever_a_server_wishes_is_a_time_or_nothing(name: str) -> None:
    seconds = retry_after({"retry-after": RETRY_AFTER[name]()})
    assert seconds is None or 0.0 <= seconds <= 3600.0
    assert (seconds is None) is (name == "junk")


# -- what a body says


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c", "param": None}}, "c", "m"),
        ({"error": {"message": "m", "type": "t", "code": None}}, "t", "m"),
        ({"error": {"message": "m", "type": "t", "code": 400}}, "t", "m"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "overloaded_error", "m"),
        ({"error": "m"}, "", "m"),
        ({"type": "error", "code": "c", "message": "m"}, "c", "m"),
        ({"message": "m"}, "", "m"),
        ({"detail": "m"}, "", "m"),
        ({"error": {"detail": "m"}}, "", "m"),
        ({"error": {}}, "", ""),
        ({}, "", ""),
        ([], "", ""),
        (None, "", ""),
        (5, "", ""),
        ("m", "", "m"),
    ],
)
def test_error_fields(body: object, code: str, message: str) -> None:
    assert error_fields(body) == (code, message)


def test_a_list_of_errors_tells_its_first() -> None:
    """Google's OpenAI-compatible server wraps its error object in a list."""
    body = [{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}]
    assert error_fields(body)[1] == "API key not valid"


def test_an_empty_error_beside_a_message_does_not_hide_it() -> None:
    assert error_fields({"error": None, "message": "m"}) == ("", "m")


def test_details_that_are_a_list_are_told_as_json() -> None:
    _, message = error_fields(json.loads(COMPATIBLE["fastapi_422"].payload()))
    assert "Field required" in message


# -- statuses

KIND_CLASS: dict[ErrorKind, type[LLMError]] = {
    "bad_request": LLMInvalidRequestError,
    "context_length": LLMContextLengthError,
    "unauthorized": LLMAuthenticationError,
    "forbidden": LLMAuthenticationError,
    "model_not_found": LLMModelNotFoundError,
    "too_large": LLMInvalidRequestError,
    "unprocessable": LLMInvalidRequestError,
    "rate_limited": LLMRateLimitError,
    "quota": LLMRateLimitError,
    "server_error": LLMOverloadedError,
    "bad_gateway": LLMOverloadedError,
    "unavailable": LLMOverloadedError,
    "overloaded": LLMOverloadedError,
}
RETRIED = {"rate_limited", "server_error", "bad_gateway", "unavailable", "overloaded"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendors_error_has_its_class_its_words_and_its_request_id(vendor: Vendor, kind: ErrorKind) -> None:
    reply = error_reply(vendor, kind, model="gone", retry_after="7")
    error = from_status(reply.status, reply.headers, reply.payload(), where=WHERE)
    assert type(error) is KIND_CLASS[kind]
    assert error.status == STATUS[vendor][kind]
    assert error.retry_after == 7.0
    assert error.request_id == (None if vendor == "ollama" else "req_fake0001")
    _, said = error_fields(json.loads(reply.payload()))
    assert said.rstrip(".") in str(error)
    if (vendor, kind) != ("ollama", "quota"):  # only words that change tell that one from a rate limit
        assert retryable(error) is (kind in RETRIED)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llamacpp_context", LLMContextLengthError),
        ("vllm_context", LLMContextLengthError),
        ("fastapi_422", LLMInvalidRequestError),
    ],
)
def test_compatible_servers(name: str, kind: type[LLMError]) -> None:
    reply = COMPATIBLE[name]
    error = from_status(reply.status, reply.headers, reply.payload(), where=WHERE)
    assert type(error) is kind
    assert not retryable(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, LLMBadResponseError),
        (307, LLMBadResponseError),
        (400, LLMInvalidRequestError),
        (401, LLMAuthenticationError),
        (403, LLMAuthenticationError),
        (404, LLMInvalidRequestError),
        (405, LLMInvalidRequestError),
        (408, LLMTimeoutError),
        (409, LLMOverloadedError),
        (413, LLMInvalidRequestError),
        (418, LLMInvalidRequestError),
        (422, LLMInvalidRequestError),
        (429, LLMRateLimitError),
        (500, LLMOverloadedError),
        (502, LLMOverloadedError),
        (503, LLMOverloadedError),
        (504, LLMTimeoutError),
        (520, LLMOverloadedError),
        (529, LLMOverloadedError),
        (599, LLMOverloadedError),
    ],
)
def test_a_bare_status_has_its_class_and_a_message(status: int, kind: type[LLMError]) -> None:
    error = from_status(status, {}, b"", where=WHERE)
    assert type(error) is kind
    assert error.status == status
    assert str(status) in str(error)


def test_an_unknown_address_is_told_from_an_unknown_model_and_names_itself() -> None:
    error = from_status(404, {}, b'{"error": {"message": "no route"}}', where=WHERE)
    assert WHERE in str(error)
    assert error.hint is not None
    assert "api_base" in error.hint
    missing = from_status(404, {}, b'{"error": {"message": "model: x"}}', where=WHERE)
    assert missing.hint is not None
    assert "coda providers models" in missing.hint


def test_a_page_is_not_shown() -> None:
    page = captive_portal().payload()
    for status in (403, 404, 502, 503):
        error = from_status(status, {}, b"\n " + page, where=WHERE)
        assert "it sent a web page" in str(error)
        assert "<" not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 5_000_000,
        json.dumps({"error": {"message": "x" * 90_000}}).encode(),
        json.dumps({"error": {"message": "x" * 5_000_000}}).encode(),
        json.dumps({"error": "x" * 90_000}).encode(),
        json.dumps({"error": {"code": "c" * 90_000, "message": ""}}).encode(),
    ],
    ids=["text", "message", "cut", "plain", "code"],
)
def test_a_huge_body_makes_a_message_that_a_person_can_read(body: bytes) -> None:
    assert len(str(from_status(500, {}, body, where=WHERE))) < 2_000


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe\x00bad", b"\x80" * 100, b'{"error": {"message": "caf\xe9"}}', b"[" * 100_000, b"null", b"{", b"5"],
    ids=range(7),
)
def test_any_bytes_are_an_error_of_the_status(body: bytes) -> None:
    error = from_status(503, {}, body, where=WHERE)
    assert type(error) is LLMOverloadedError
    assert str(error).encode()


# -- events inside a stream


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"type": "overloaded_error", "message": "m"}}, LLMOverloadedError),
        ({"error": {"type": "api_error", "message": "m"}}, LLMOverloadedError),
        ({"error": {"type": "timeout_error", "message": "m"}}, LLMOverloadedError),
        ({"error": {"type": "rate_limit_error", "message": "m"}}, LLMRateLimitError),
        ({"error": {"code": "rate_limit_exceeded", "message": "m"}}, LLMRateLimitError),
        ({"error": {"type": "authentication_error", "message": "m"}}, LLMAuthenticationError),
        ({"error": {"type": "permission_error", "message": "m"}}, LLMAuthenticationError),
        ({"error": {"type": "not_found_error", "message": "model: m"}}, LLMModelNotFoundError),
        ({"error": {"type": "invalid_request_error", "message": "m"}}, LLMInvalidRequestError),
        ({"error": {"type": "invalid_request_error", "message": "prompt is too long"}}, LLMContextLengthError),
        ({"error": {"type": "request_too_large", "message": "m"}}, LLMInvalidRequestError),
        (json.loads(COMPATIBLE["llamacpp_context"].payload()), LLMContextLengthError),
        ({"error": {"code": 503, "message": "m"}}, LLMOverloadedError),
        ({"error": {"code": 401, "message": "m"}}, LLMAuthenticationError),
        ({"error": {"code": 5, "message": "m"}}, LLMOverloadedError),
        ({"error": {"code": "insufficient_quota", "message": "m"}}, LLMRateLimitError),
        ({"error": "m"}, LLMOverloadedError),
        ({}, LLMOverloadedError),
        ([], LLMOverloadedError),
        (None, LLMOverloadedError),
    ],
    ids=str,
)
def test_an_event_has_its_class_and_no_status_that_was_never_sent(body: Any, kind: type[LLMError]) -> None:
    error = from_event(body)
    assert type(error) is kind
    assert error.status is None
    assert str(error)


def test_an_event_that_says_nothing_has_the_callers_words() -> None:
    assert "it just stopped" in str(from_event({"error": None}, fallback="it just stopped"))


def test_what_is_spent_is_not_tried_again() -> None:
    for status, code, message in [
        (429, "insufficient_quota", "m"),
        (400, "invalid_request_error", "Your credit balance is too low"),
        (403, "billing_hard_limit_reached", "m"),
    ]:
        error = from_fields(status, code, message)
        assert type(error) is LLMRateLimitError
        assert not retryable(error)
        assert error.hint is not None
        assert "credit" in error.hint


def test_a_payment_that_is_required_is_credit_that_is_spent() -> None:
    """402 is what DeepSeek and OpenRouter answer when nothing is left of the account."""
    error = from_fields(402, "", "Insufficient Balance")
    assert type(error) is LLMRateLimitError
    assert not retryable(error)


def test_a_message_says_no_full_stop_and_never_nothing() -> None:
    assert str(from_fields(500, "", "Broken. \n")).endswith("Broken")
    assert str(from_fields(500, "server_error", "")).endswith("server_error")
    assert str(from_fields(500, "", "")).endswith("HTTP 500")
