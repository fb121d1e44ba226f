"""What left for a vendor, as it left: method, address, headers, body. For a person's eyes, in memory only.

A `Generation` keeps the requests of its answer in a `SentLog`; a `Turn` says which secrets are in play; the edge (the
hook of the HTTP client, the call of an embedded engine) hands in what it sends. Secrets are hidden there and then, so
what is kept never held one. Attachments are kept by size and hash. Nothing is recorded outside of an answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from coda_cli.engine.redact import HIDDEN, hide

LONGEST_BODY: Final = 2 << 20
"""Characters of one body that are kept; of a longer one only the beginning, as text."""
LONGEST_LOG: Final = 4 << 20
"""Characters that the requests of one answer may take; the oldest go first."""
_BEGINNING: Final = 64 << 10
_SMALLEST_IMAGE: Final = 64  # characters of base64

_SECRET_HEADER: Final = re.compile(r"auth|key|token|secret|cookie|password|credential", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(Bearer|Basic|Token) ", re.IGNORECASE)
_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,")


class SentRequest(Struct, frozen=True):
    """One request. `size` is its body in bytes as sent, `times` how often just this one was sent in a row.

    An embedded engine has no method and no headers; its `url` names the engine.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any
    size: int
    times: int = 1
    weight: int = 0

    def plain(self) -> dict[str, Any]:
        """The request as plain data, in the order in which it goes over the wire."""
        return {
            **({"method": self.method} if self.method else {}),
            "url": self.url,
            **({"headers": dict(self.headers)} if self.headers else {}),
            "bytes": self.size,
            **({"times": self.times} if self.times > 1 else {}),
            "body": self.body,
        }


class SentLog:
    """The requests of one answer, the newest last: an attempt each, and those of a summary made on the way."""

    def __init__(self) -> None:
        self.requests: list[SentRequest] = []

    def add(self, request: SentRequest) -> None:
        """Keep *request*; the same one again is only counted, and what is too old is given up."""
        last = self.requests[-1] if self.requests else None
        if last is not None and (last.url, last.headers, last.body) == (request.url, request.headers, request.body):
            self.requests.pop()
            request = SentRequest(
                request.method, request.url, request.headers, last.body, request.size, last.times + 1, last.weight
            )
        self.requests.append(request)
        while len(self.requests) > 1 and sum(one.weight for one in self.requests) > LONGEST_LOG:
            del self.requests[0]


_log: ContextVar[SentLog | None] = ContextVar("sent_log", default=None)
_secrets: ContextVar[tuple[str, ...] | None] = ContextVar("sent_secrets", default=None)


@contextmanager
def kept_in(log: SentLog) -> Iterator[None]:
    """What is sent inside goes into *log*."""
    before = _log.set(log)
    try:
        yield
    finally:
        _log.reset(before)


@contextmanager
def without(secrets: Iterable[str]) -> Iterator[None]:
    """What is sent inside is recorded, and *secrets* are hidden in it."""
    before = _secrets.set(tuple(secrets))
    try:
        yield
    finally:
        _secrets.reset(before)


def recording() -> bool:
    """Whether anybody keeps what is sent just now."""
    return _log.get() is not None and _secrets.get() is not None


def record(method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes | Mapping[str, Any]) -> None:
    """Keep a request, if it is part of an answer. *body* is JSON, or what an embedded engine is handed."""
    log, secrets = _log.get(), _secrets.get()
    if log is None or secrets is None:
        return
    hidden = {hide(name, secrets): _header(name, value, secrets) for name, value in headers}
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, default=str).encode()
    kept, weight = _kept(raw, secrets)
    address = _address(url) if method else url
    log.add(SentRequest(method, hide(address, secrets), hidden, kept, len(raw), weight=weight))


def _header(name: str, value: str, secrets: Iterable[str]) -> str:
    if not _SECRET_HEADER.search(name):
        return hide(value, secrets)
    scheme = _SCHEME.match(value)
    return (scheme[0] if scheme else "") + HIDDEN


def _address(url: str) -> str:
    """*url* without what may be secret: the name and the password before the host, the values behind the `?`."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    query = "&".join(f"{pair.partition('=')[0]}={HIDDEN}" for pair in parts.query.split("&")) if parts.query else ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{query}" if query else "")


def _kept(raw: bytes, secrets: tuple[str, ...]) -> tuple[Any, int]:
    """(the body as plain data without secrets and attachments, the characters that it takes)."""
    try:
        body = _shortened(json.loads(raw) if raw else None, secrets)
        weight = len(json.dumps(body, ensure_ascii=False))
    except (ValueError, RecursionError):
        body, weight = hide(raw.decode("utf-8", "replace"), secrets), len(raw)
    if weight <= LONGEST_BODY:
        return body, weight
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return f"{text[:_BEGINNING]} … ({len(text) - _BEGINNING:,} more characters are not kept)", _BEGINNING


def _shortened(value: Any, secrets: tuple[str, ...], name: str = "", *, encoded: bool = False) -> Any:
    """*value* with every secret hidden and every attachment told by its size and hash, where the vendors place them."""
    match value:
        case str():
            if (found := _DATA_URL.match(value)) is not None and name in ("url", "image_url", "file_data"):
                return f"data:{found[1]};base64,{_told(value[found.end() :])}"
            if (encoded and name == "data") or (name == "images" and len(value) >= _SMALLEST_IMAGE):
                return _told(value)
            return hide(value, secrets)
        case dict():
            holds = name == "input_audio" or value.get("type") == "base64"
            return {hide(key, secrets): _shortened(inner, secrets, key, encoded=holds) for key, inner in value.items()}
        case list():
            return [_shortened(inner, secrets, name if name == "images" else "") for inner in value]
        case _:
            return value


def _told(encoded: str) -> str:
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return f"({len(encoded):,} characters)"
    return f"({len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()})"
