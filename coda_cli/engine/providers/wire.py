"""Bytes from a vendor -> JSON -> ProviderEvents: one decoder and one set of rules for every transport.

Server-sent events follow the WHATWG "event stream" format; NDJSON is one JSON document a line, split on LF only (a raw
U+2028 inside a string is text, not a line end). Both work on bytes, so a chunk may be cut anywhere, inside a UTF-8
sequence too.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from coda_cli.engine.core.errors import (
    LLMBadResponseError,
    LLMConnectionError,
    LLMError,
    LLMIncompleteResponseError,
    LLMTimeoutError,
)
from coda_cli.engine.core.events import ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta

MAX_EVENT_BYTES: Final = 32 * 1024 * 1024
DRAIN_SECONDS: Final = 0.05
DONE: Final = b"[DONE]"
_BOM: Final = b"\xef\xbb\xbf"

JSON = dict[str, Any]
_ONE_EVENT: Final = re.compile(rb"data: [^\r\n]{1,65536}\n\n").fullmatch  # a whole one in one piece, as nearly all come
_decode: Final = msgspec.json.Decoder().decode  # a quarter of the time of `json`, and there is a document a token


class RawResponse(Struct):
    """An open answer with status 200: its headers (lower-case names) and its body as it arrives."""

    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class StreamMapping(Protocol):
    """One vendor's event JSON -> ProviderEvents. Pure; holds the state of one answer."""

    def feed(self, name: str, data: JSON) -> Iterable[ProviderEvent]:
        """What one event says. *name* is the SSE event name, "" if it has none. Raises LLMError for an error event."""
        ...

    def whole(self, data: JSON) -> Iterable[ProviderEvent]:
        """What a whole (not streamed) answer says."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing of this answer can follow, so that reading may stop."""
        ...

    def end(self) -> Iterable[ProviderEvent]:
        """The `Finished` event if the vendor's end marker has come, else nothing."""
        ...


class SSEDecoder:
    """Server-sent events from bytes. `feed` gives (name, data) of every event that is complete."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []  # pieces of a line whose end has not come
        self._size = 0  # bytes that are held, in pieces and in data lines
        self._started = False
        self._idle = False  # nothing is held: what comes begins an event
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """The events that *chunk* completes. Raises LLMBadResponseError when one grows without bound."""
        if self._idle and _ONE_EVENT(chunk):
            return [("", chunk[6:-2])]
        self._size += len(chunk)
        _bound(self._size)
        self._pending.append(chunk)
        if self._started and b"\n" not in chunk and b"\r" not in chunk and not self._ends_in_cr():
            return []
        buffer = b"".join(self._pending)
        if not self._started:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                return []
            buffer = buffer.removeprefix(_BOM)
            self._started = True
        held = buffer.endswith(b"\r")  # its LF may be in the next chunk
        if b"\r" in buffer:
            buffer = (buffer[:-1] if held else buffer).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = buffer.split(b"\n")
        self._pending = [rest + b"\r" if held else rest]
        out = self._lines(lines)
        self._size = len(rest) + sum(map(len, self._data)) + len(self._data)
        self._idle = not (rest or held or self._data or self._name)
        return out

    def _ends_in_cr(self) -> bool:
        return len(self._pending) > 1 and self._pending[-2].endswith(b"\r")

    def flush(self) -> list[tuple[str, bytes]]:
        """What an unterminated last event holds, at the end of the body."""
        rest = b"".join(self._pending).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._pending = []
        return self._lines([*rest.split(b"\n"), b""])

    def _lines(self, lines: list[bytes]) -> list[tuple[str, bytes]]:
        out = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line:
                if any(self._data):
                    out.append((self._name, b"\n".join(self._data)))
                self._data = []
                self._name = ""
            elif line.startswith(b"event:"):
                self._name = line[6:].strip().decode("utf-8", "replace")
            # anything else is a comment, an id or a retry time: none of them matters here
        return out


class NDJSONDecoder:
    """One JSON document a line, from bytes."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[tuple[str, bytes]]:
        """The lines that *chunk* completes. Raises LLMBadResponseError when one grows without bound."""
        self._size += len(chunk)
        _bound(self._size)
        self._pending.append(chunk)
        if b"\n" not in chunk:
            return []
        *lines, rest = b"".join(self._pending).split(b"\n")
        self._pending, self._size = [rest], len(rest)
        return [("", line) for line in lines if line.strip()]

    def flush(self) -> list[tuple[str, bytes]]:
        """The unterminated last line, at the end of the body."""
        rest, self._pending = b"".join(self._pending), []
        return [("", rest)] if rest.strip() else []


def _bound(size: int) -> None:
    if size > MAX_EVENT_BYTES:
        raise LLMBadResponseError(f"one event of the stream is larger than {MAX_EVENT_BYTES // 1024 // 1024} MiB")


def parse_json(data: bytes) -> JSON:
    """*data* as a JSON object. Raises LLMBadResponseError."""
    try:
        value = _decode(data)
    except (ValueError, RecursionError):
        value = _lenient(data)
    if not isinstance(value, dict):
        raise LLMBadResponseError(f"the provider sent JSON that is not an object ({len(data)} bytes)")
    return value


def _lenient(data: bytes) -> Any:
    """*data* by Python's own rules, which take what some servers send and JSON has not: NaN, half a surrogate pair."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise LLMBadResponseError(f"the provider sent broken JSON ({len(data)} bytes)") from exc


def _is_json(data: bytes) -> bool:
    try:
        parse_json(data)
    except LLMBadResponseError:
        return False
    return True


async def events(
    response: RawResponse, mapping: StreamMapping, *, decoder: Callable[[], SSEDecoder | NDJSONDecoder] = SSEDecoder
) -> AsyncGenerator[ProviderEvent, None]:
    """The answer in *response* as ProviderEvents, ending in `Finished`.

    A body that is one JSON document is read as a whole answer, HTML is refused, and an end of the body without the
    vendor's end marker is LLMIncompleteResponseError. Shapes that the mapping does not expect are LLMBadResponseError.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise LLMBadResponseError("the provider answered with a web page instead of an answer", final=True)
    if kind == "application/json" and decoder is SSEDecoder:
        async for event in _whole(response, mapping):
            yield event
        return
    cut: LLMError | None = None
    try:
        async with aclosing(_decoded(response.chunks, decoder())) as pieces:
            async for name, data in pieces:
                for event in _mapped(mapping, name, data):
                    yield event
                if mapping.over:
                    await _drain(pieces)
                    break
    except (LLMConnectionError, LLMTimeoutError) as exc:
        cut = exc
    ending = list(mapping.end())
    for event in ending:
        yield event
    if not ending:
        if isinstance(cut, LLMTimeoutError):
            raise cut
        if cut is not None:
            raise LLMIncompleteResponseError(f"the answer was cut off: {cut.message}") from cut
        raise LLMIncompleteResponseError("the answer ended without the provider's end marker")


async def _decoded(
    chunks: AsyncIterator[bytes], decode: SSEDecoder | NDJSONDecoder
) -> AsyncGenerator[tuple[str, bytes], None]:
    """The events of a body. What a broken end leaves of an event is dropped: the missing end marker tells the rest."""
    first = True
    async for chunk in chunks:
        if first and chunk.strip():
            first = False
            if chunk.lstrip()[:1] == b"<":
                raise LLMBadResponseError("the provider answered with a web page instead of an answer", final=True)
        for piece in decode.feed(chunk):
            yield piece
    for name, data in decode.flush():
        if data == DONE or _is_json(data):
            yield name, data


async def _drain(pieces: AsyncIterator[object]) -> None:
    """Read to the end of the body, briefly, so that the connection can serve the next request."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in pieces:
                pass
    except (TimeoutError, LLMError):
        return


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    """All of a body. Raises LLMBadResponseError for one without bound, and for a web page."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        _bound(len(body))
        if body[:100].lstrip()[:1] == b"<":
            raise LLMBadResponseError("the provider answered with a web page instead of an answer", final=True)
    return bytes(body)


async def _whole(response: RawResponse, mapping: StreamMapping) -> AsyncIterator[ProviderEvent]:
    for event in _guarded(mapping.whole(parse_json(await whole(response.chunks)))):
        yield event
    ending = list(mapping.end())
    if not ending:
        raise LLMIncompleteResponseError("the provider's answer does not say that it is complete")
    for event in ending:
        yield event


def _mapped(mapping: StreamMapping, name: str, data: bytes) -> list[ProviderEvent]:
    if data == DONE:
        return _guarded(mapping.feed("[DONE]", {}))
    return _guarded(mapping.feed(name, parse_json(data)))


def _guarded(made: Iterable[ProviderEvent]) -> list[ProviderEvent]:
    """What a mapping *made*. What the vendor said is not shown where it is wrong: it may hold a key, said back."""
    try:
        found = list(made)
        for event in found:
            _check(event)
    except (TypeError, KeyError, AttributeError, IndexError, ValueError, RecursionError) as exc:
        raise LLMBadResponseError(f"the provider sent an event of an unknown shape ({type(exc).__name__})") from exc
    return found


def _check(event: ProviderEvent) -> None:
    """Raise TypeError for a field that a vendor filled with something of another type."""
    if type(event) is TextDelta and type(event.text) is str:
        return  # nearly all of them
    texts: tuple[object, ...] = ()
    match event:
        case TextDelta(text):
            texts = (text,)
        case ReasoningDelta(text, signature, data):
            texts = (text, signature or "", data or "")
        case ToolCallDelta(index, call_id, name, arguments):
            texts = (call_id or "", name or "", arguments)
            if type(index) is not int:
                raise TypeError("index")
        case _:
            pass
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(type(event).__name__)
