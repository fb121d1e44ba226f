"""A vendor-neutral script as the exact bytes of each vendor.

Public API::

    openai_chat(script, model="fake-model", *, end=True, done=True, include_usage=True) -> list[bytes]
    openai_responses(...)   anthropic_messages(...)   ollama_chat(...)        the same arguments
    openai_chat_whole(script, model="fake-model", *, end=True) -> dict[str, object]
    openai_responses_whole(...)   anthropic_messages_whole(...)   ollama_chat_whole(...)
    WIRES["openai"|"responses"|"anthropic"|"ollama"]: Wire     .stream .whole .path .content_type .vendor
    stream_reply(wire, script, model) -> Reply      whole_reply(wire, script, model) -> Reply

- One item of the list is one event on the wire (an SSE event with its blank line, or a line of NDJSON).
- `end=False` stops after the content: no finish reason, no usage, no end marker. With a proper end of the HTTP
  body this is the clean EOF that must not count as an answer.
- `done=False` leaves out the last marker alone (`data: [DONE]`, message_stop); the finish reason still comes. Responses
  and Ollama say both in one event, so there it is the same as `end=False`.
- `include_usage=False` leaves the usage out (Anthropic then says zeros).
- In a whole answer `RawEvent` and `Ping` are left out, and an `ErrorEvent` makes it the vendor's error (to be sent with
  status 200: an error inside a success).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from tests.servers.reply import Reply
from tests.servers.script import Script
from tests.servers.wire_anthropic import anthropic_messages, anthropic_messages_whole
from tests.servers.wire_chat import JsonObject, dumps, openai_chat, openai_chat_whole, sse
from tests.servers.wire_ollama import ndjson, ollama_chat, ollama_chat_whole
from tests.servers.wire_responses import openai_responses, openai_responses_whole

__all__ = [
    "WIRES",
    "JsonObject",
    "Vendor",
    "Wire",
    "WireName",
    "anthropic_messages",
    "anthropic_messages_whole",
    "dumps",
    "ndjson",
    "ollama_chat",
    "ollama_chat_whole",
    "openai_chat",
    "openai_chat_whole",
    "openai_responses",
    "openai_responses_whole",
    "sse",
    "stream_reply",
    "whole_reply",
]

Vendor = Literal["openai", "anthropic", "ollama"]
WireName = Literal["openai", "responses", "anthropic", "ollama"]


class StreamBuilder(Protocol):
    """The signature of `openai_chat` and its like."""

    def __call__(
        self, script: Script, model: str = ..., *, end: bool = ..., done: bool = ..., include_usage: bool = ...
    ) -> list[bytes]: ...


class WholeBuilder(Protocol):
    """The signature of `openai_chat_whole` and its like."""

    def __call__(self, script: Script, model: str = ..., *, end: bool = ...) -> JsonObject: ...


@dataclass(frozen=True)
class Wire:
    """One wire format: where it is served and how it is built."""

    name: WireName
    vendor: Vendor
    path: str
    content_type: str
    stream: StreamBuilder
    whole: WholeBuilder


_SSE = "text/event-stream; charset=utf-8"

WIRES: dict[WireName, Wire] = {
    "openai": Wire("openai", "openai", "/v1/chat/completions", _SSE, openai_chat, openai_chat_whole),
    "responses": Wire("responses", "openai", "/v1/responses", _SSE, openai_responses, openai_responses_whole),
    "anthropic": Wire("anthropic", "anthropic", "/v1/messages", _SSE, anthropic_messages, anthropic_messages_whole),
    "ollama": Wire("ollama", "ollama", "/api/chat", "application/x-ndjson", ollama_chat, ollama_chat_whole),
}


def stream_reply(
    wire: Wire | WireName,
    script: Script,
    model: str = "fake-model",
    *,
    end: bool = True,
    done: bool = True,
    include_usage: bool = True,
    cut: Callable[[bytes], list[bytes]] | None = None,
) -> Reply:
    """The script as a streamed Reply, one piece an event; `cut` (a value of FRAMINGS) lays the bytes out anew."""
    wire = WIRES[wire] if isinstance(wire, str) else wire
    pieces = wire.stream(script, model, end=end, done=done, include_usage=include_usage)
    if cut is not None:
        pieces = cut(b"".join(pieces))
    return Reply(headers={"content-type": wire.content_type, "cache-control": "no-cache"}, body=pieces)


def whole_reply(wire: Wire | WireName, script: Script, model: str = "fake-model", *, end: bool = True) -> Reply:
    """The script as one JSON answer."""
    wire = WIRES[wire] if isinstance(wire, str) else wire
    return Reply.json(wire.whole(script, model, end=end))
