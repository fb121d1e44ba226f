"""Who may come in: the address to listen at, the Host, the Origin and the token of a request. Pure checks.

A page of another site that a person's browser shows can reach a server on this machine. Its requests carry its Origin,
and where its name was made to point here (DNS rebinding) its own name as the Host: both are refused. What no browser
sends needs the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from coda_cli.engine.core.errors import UsageError
from coda_cli.server.options import Address

_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_WEB_PORTS: Final = {"http": "80", "https": "443"}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach *host*."""
    if host.lower() == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def check_address(address: Address) -> None:
    """Raise UsageError for an address that others can reach, unless that is meant, and for a port that is none."""
    if not 0 <= address.port <= 65535:
        raise UsageError(f"there is no port {address.port}", hint="choose one from 1024 to 65535, or 0 for a free one")
    if not is_loopback(address.host) and not address.remote:
        raise UsageError(
            f"other machines could reach {address.host}",
            hint="leave --host out, or add --allow-remote; the connection is not encrypted, put a TLS proxy before it",
        )


def bracketed(host: str) -> str:
    """*host* as it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


class Gate:
    """The checks of one server that listens at *address* on *port*, which has *token*."""

    def __init__(self, address: Address, port: int, token: str) -> None:
        self._token = token.encode()
        self._port = str(port)
        hosts = {f"{name}:{port}" for name in _NAMES} | {f"{bracketed(address.host).lower()}:{port}"}
        for name in address.also:
            hosts.add(name.lower())
        if port == 80:
            hosts |= {name.removesuffix(":80") for name in hosts}
        self._hosts = frozenset(hosts)
        self._wild = address.remote and address.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound

    def host(self, values: Sequence[str]) -> bool:
        """Whether the Host headers *values* name this server: exactly one, with a name or an address of its own."""
        if len(values) != 1:
            return False
        host = values[0].strip().lower()
        return host in self._hosts or (self._wild and self._is_address(host))

    def _is_address(self, host: str) -> bool:
        """Whether *host* is a bare address with our port, or the name of this machine: no name that can be rebound."""
        name, _, port = host.rpartition(":")
        if port != self._port:
            return False
        if name == socket.gethostname().lower():
            return True
        with suppress(ValueError):
            return bool(ipaddress.ip_address(name.removeprefix("[").removesuffix("]")))
        return False

    def origin(self, values: Sequence[str], host: str) -> bool:
        """Whether the Origin headers *values* are none (no browser), or the page of this very server."""
        if not values:
            return True
        if len(values) != 1:
            return False
        scheme, found, rest = values[0].strip().lower().partition("://")
        if not found or scheme not in _WEB_PORTS:
            return False
        own = host.strip().lower()
        if scheme == "https" and own not in {f"{name}:{self._port}" for name in _NAMES}:
            return rest == own.removesuffix(":443")  # a TLS proxy stands before us
        return scheme == "http" and rest == own.removesuffix(":80")

    def token(self, given: str) -> bool:
        """Whether *given* is the token; takes as long for a wrong one as for a nearly right one."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    def bearer(self, values: Sequence[str]) -> bool | None:
        """Whether the Authorization headers *values* carry the token; None where there are none."""
        if not values:
            return None
        scheme, _, given = values[0].strip().partition(" ")
        return len(values) == 1 and scheme.lower() == "bearer" and self.token(given.strip())
