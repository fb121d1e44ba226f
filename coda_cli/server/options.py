"""What a server may do, and how much of it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

TOKEN_BYTES: Final = 32
"""256 bits: nobody guesses it."""


class Allowed(Struct, frozen=True):
    """What clients may do beside watching: ask models, stop answers, answer approvals. Each is off by itself.

    `keep`: what is asked by the OpenAI-compatible endpoint is kept as chats, too.
    """

    ask: bool = False
    cancel: bool = False
    approve: bool = False
    keep: bool = False

    def names(self) -> list[str]:
        """The flags that are on, as clients are told."""
        return [name for name in ("ask", "cancel", "approve") if getattr(self, name)]


class Limits(Struct, frozen=True):
    """What one server takes: bytes, numbers and seconds.

    `behind_bytes` and `behind_events`: a client that is further behind loses chunks. `log_bytes` and `log_events`: what
    can be replayed. `stall_seconds`: how long such a client may read nothing before it is closed.
    """

    message_bytes: int = 64 * 1024
    body_bytes: int = 32 * 1024 * 1024
    clients: int = 64
    unproven: int = 16
    connections: int = 256
    backlog: int = 128
    asks: int = 16
    header_seconds: float = 10.0
    body_seconds: float = 60.0
    proof_seconds: float = 5.0
    stall_seconds: float = 4.0
    approval_seconds: float = 300.0
    behind_bytes: int = 1024 * 1024
    behind_events: int = 4096
    log_bytes: int = 4 * 1024 * 1024
    log_events: int = 20_000


class Address(Struct, frozen=True):
    """Where a server listens: `host` is a name or an address, `port` 0 takes a free one.

    `also` are further values of the Host header that it answers to (`name` or `name:port`): behind a proxy, or in a
    container.
    """

    host: str = "127.0.0.1"
    port: int = 0
    remote: bool = False
    also: tuple[str, ...] = field(default=())
