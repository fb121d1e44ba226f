"""What a fake server answers, as a value: status, headers, body in pieces, and the faults to commit.

Public API (all of it is exported again by `http`, whose docstring explains the faults)::

    Reply(status=200, headers={}, body=[b"..."], framing="chunked", end="complete", ...)
    Reply.json(obj, status=200, headers=None)   Reply.text(str, status=200, content_type="text/plain")
    reply.but(end="reset", after=10)            reply.payload() -> bytes
    Pause(seconds)   Gate() / gate.open()       items of a body
"""

import asyncio
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self, TypedDict, Unpack

__all__ = ["Body", "End", "Framing", "Gate", "Pause", "Reply", "ReplyChanges"]

Framing = Literal["chunked", "length", "close"]
End = Literal["complete", "eof", "cut", "reset", "hang"]


@dataclass(frozen=True)
class Pause:
    """Wait this many seconds before the next piece of the body."""

    seconds: float


class Gate:
    """Holds the body back until `open()` is called, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def open(self) -> None:
        """Let every held answer go on, now and later."""
        with self._lock:
            self._opened = True
            waiting, self._waiting = self._waiting, []
        for loop, event in waiting:
            # A loop that has ended took its held answers with it.
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def passed(self) -> None:
        """Return once the gate is open."""
        event = asyncio.Event()
        with self._lock:
            if self._opened:
                return
            self._waiting.append((asyncio.get_running_loop(), event))
        await event.wait()


Body = Sequence[bytes | Pause | Gate]


class ReplyChanges(TypedDict, total=False):
    """The fields that `Reply.but` takes."""

    status: int
    headers: Mapping[str, str]
    body: Body
    framing: Framing
    end: End
    after: int | None
    delay_headers: float
    delay_between: float
    every_byte: bool
    split_at: int | None
    no_headers: bool
    raw_head: bytes | None


@dataclass(frozen=True)
class Reply:
    """One scripted answer; the docstring of `http` explains each fault."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = ()
    framing: Framing = "chunked"
    end: End = "complete"
    after: int | None = None
    delay_headers: float = 0.0
    delay_between: float = 0.0
    every_byte: bool = False
    split_at: int | None = None
    no_headers: bool = False
    raw_head: bytes | None = None

    def __post_init__(self) -> None:
        if self.after is not None and self.end == "complete":
            raise ValueError("a complete answer takes no `after`: say end='eof', 'cut', 'reset' or 'hang'")
        if self.no_headers and self.end in ("complete", "eof"):
            raise ValueError("an answer without headers can only end as 'cut', 'reset' or 'hang'")

    @classmethod
    def json(cls, value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """The value as one JSON body with a Content-Length."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, {"content-type": "application/json", **(headers or {})}, [body], "length")

    @classmethod
    def text(cls, text: str, status: int = 200, content_type: str = "text/plain") -> Self:
        """The text as one body with a Content-Length."""
        return cls(status, {"content-type": content_type}, [text.encode()], "length")

    def but(self, **changes: Unpack[ReplyChanges]) -> Self:
        """A copy with some fields changed; `headers` are added to those already there."""
        if "headers" in changes:
            changes["headers"] = {**self.headers, **changes["headers"]}
        return replace(self, **changes)

    def payload(self) -> bytes:
        """All bytes of the body, as they would arrive without a fault."""
        return b"".join(item for item in self.body if isinstance(item, bytes))

    def items(self) -> list[bytes | Pause | Gate]:
        """The body as it is written: `every_byte` and `split_at` applied to its pieces."""
        items: list[bytes | Pause | Gate] = []
        offset = 0
        for item in self.body:
            if not isinstance(item, bytes):
                items.append(item)
                continue
            if self.every_byte:
                items += [item[i : i + 1] for i in range(len(item))]
            elif self.split_at is not None and offset < self.split_at < offset + len(item):
                items += [item[: self.split_at - offset], item[self.split_at - offset :]]
            elif item:
                items.append(item)
            offset += len(item)
        return items
