"""The codec: an event -> one JSON text frame, a client's text -> one message.

A frame is the event's `to_json()` and `id`, which counts through all events of one server and so names a place to go on
from after a break. What belongs to a connection (`hello`, `subscribed`, `replay`, `replay_incomplete`, `events_lost`,
`accepted`, `error`) has no `id`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.events import Event, ReasoningChunk, ResponseChunk

PROTOCOL: Final = 1
_Name = Field(max_length=300)


class WireError(CodaError):
    """A client's message that is none. `code` is a word for programs."""

    def __init__(self, message: str, *, code: str, hint: str | None = None, ref: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.ref = ref


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    ref: str | None = Field(default=None, max_length=100)


class Auth(_Message):
    """The token, from a browser: its first message."""

    type: Literal["auth"]
    token: str = _Name


class Subscribe(_Message):
    """From now on (or from behind the event `after`): the events of these types, of this conversation; None is all."""

    type: Literal["subscribe"]
    types: list[str] | None = Field(default=None, max_length=100)
    conversation_id: str | None = Field(default=None, max_length=1000)
    after: int | None = Field(default=None, ge=0)
    server: str | None = Field(default=None, max_length=100)


class Replay(_Message):
    """Everything behind the event `after` once more, then on as it comes; `server` is what `hello` told with it."""

    type: Literal["replay"]
    after: int = Field(ge=0)
    server: str | None = Field(default=None, max_length=100)


class Ask(_Message):
    """A question for a model. `model` is `provider/model`, or a provider; None is the default one."""

    type: Literal["ask"]
    prompt: str = Field(min_length=1)
    conversation_id: str | None = Field(default=None, max_length=1000)
    model: str | None = Field(default=None, max_length=300)
    system_prompt: str | None = None


class Cancel(_Message):
    """Stop the answer that is under way in this conversation."""

    type: Literal["cancel"]
    conversation_id: str = Field(max_length=1000)


class Answer(_Message):
    """What a person says to an `approval_requested`; `digest` is copied from its request."""

    type: Literal["answer"]
    request_id: str = _Name
    decision: Literal["once", "chat", "no"]
    digest: str = _Name
    reason: str = Field(default="", max_length=2000)


Message = Auth | Subscribe | Replay | Ask | Cancel | Answer
_KINDS: Final[Mapping[str, type[Auth | Subscribe | Replay | Ask | Cancel | Answer]]] = {
    "auth": Auth,
    "subscribe": Subscribe,
    "replay": Replay,
    "ask": Ask,
    "cancel": Cancel,
    "answer": Answer,
}


def read(text: str) -> Message:
    """The message that a client sent. Raises WireError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise WireError("this is no JSON", code="bad_json", hint="send one JSON object a text frame") from None
    kind = data.get("type") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise WireError("there is no such message", code="bad_type", hint=f"`type` is one of: {', '.join(_KINDS)}")
    ref = data.get("ref")
    try:
        return _KINDS[kind].model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(one) for one in first["loc"])[:100]
        told = ref if isinstance(ref, str) else None
        raise WireError(f"{kind}: {where}: {first['msg']}", code="bad_message", ref=told) from None


def dumped(value: Mapping[str, Any]) -> bytes:
    """*value* as the bytes of a text frame."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair: as an escape it is valid all the same
        return json.dumps(value, separators=(",", ":")).encode()


def framed(event: Event, number: int) -> bytes:
    """*event* as the frame with the id *number*."""
    if isinstance(event, ResponseChunk | ReasoningChunk):  # one a token: its fields are plain, nothing to copy
        return dumped(
            {
                "type": event.type,
                "id": number,
                "seq": event.seq,
                "time": event.time,
                "conversation_id": event.conversation_id,
                "delta": event.delta,
            }
        )
    told = event.to_json()
    return dumped({"type": told.pop("type"), "id": number, **told})


def text_frame(payload: bytes) -> bytes:
    """*payload* as a whole text frame of a server, unmasked (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def refusal(error: WireError) -> bytes:
    """*error* as a frame."""
    told: dict[str, Any] = {"type": "error", "code": error.code, "message": error.message, "hint": error.hint}
    return dumped(told if error.ref is None else {**told, "ref": error.ref})
