"""One page off the web: the name resolved once, the address checked, and that address connected to.

Between the check and the connection nothing is looked up again (DNS rebinding): the request goes to the IP address, the
Host header and the certificate check stand for the name. No cookies, no proxy, no key of anybody: a bare transport.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
import zlib
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from coda_cli.engine.tools.addresses import WebAddress, forbidden, inner_name
from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.threads import in_thread

if TYPE_CHECKING:
    import httpx2

Resolve = Callable[[str, int], Sequence[str]]
"""A host name and a port -> its IP addresses. Blocks. Raises OSError."""
MOST: Final = 2 * 1024 * 1024
"""Bytes of a page, sent and unpacked."""
HOPS: Final = 5
_ADDRESSES: Final = 4
_CONNECT: Final = 10.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ACCEPT: Final = "text/html,application/xhtml+xml,application/json,text/plain;q=0.9,*/*;q=0.5"


class Page(Struct, frozen=True):
    """What came. `leads_to`: it did not come, but a redirect to another site, which nobody was asked about yet."""

    address: WebAddress
    content_type: str = ""
    body: bytes = b""
    cut: bool = False
    leads_to: WebAddress | None = None


def system_resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that the system knows for *host*."""
    import socket

    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for _, _, _, _, place in found]


class Fetcher(Struct):
    """What may be fetched. `hosts` ("name" or "name:port") may have any address, with `allow_private` all may."""

    allow_private: bool = False
    hosts: Collection[str] = ()
    resolve: Resolve = system_resolve
    _context: ssl.SSLContext | None = None

    def check(self, address: WebAddress) -> None:
        """Refuse what can be refused without asking anybody. Raises ToolError."""
        if self.allow_private or address.listed(self.hosts):
            return
        ip = address.ip
        what = forbidden(ip) if ip is not None else "this machine or its network" if inner_name(address.host) else ""
        if what:
            raise ToolError(f"{address.host} is {what}, not the public internet: it is not fetched")

    async def fetch(self, address: WebAddress, seconds: float, cancelled: threading.Event) -> Page:
        """The page at *address*, redirects within the site followed. Raises ToolError."""
        known: dict[tuple[str, int], list[str]] = {}
        try:
            async with asyncio.timeout(seconds):
                for _ in range(HOPS + 1):
                    self.check(address)
                    ips = known.get((address.host, address.port))
                    if ips is None:
                        ips = known[address.host, address.port] = await self._checked(address, cancelled)
                    found = await self._asked(address, ips, cancelled)
                    if isinstance(found, Page):
                        return found
                    if not address.stays(found):
                        self.check(found)
                        return Page(address, leads_to=found)
                    address = found
        except TimeoutError as exc:
            raise ToolError(f"{address.authority} took longer than {seconds:g} seconds") from exc
        raise ToolError(f"{address.authority} redirects over {HOPS} times")

    async def _checked(self, address: WebAddress, cancelled: threading.Event) -> list[str]:
        """The addresses of the host. One that is not public among them and none is used."""
        if address.ip is not None:
            return [address.host]
        try:
            found = await in_thread(lambda: self.resolve(address.host, address.port), cancelled)
        except OSError as exc:
            raise ToolError(f"there is no host {address.host}, or it cannot be looked up") from exc
        ips = [ipaddress.ip_address(one) for one in dict.fromkeys(found)]
        if not ips:
            raise ToolError(f"there is no host {address.host}")
        if not self.allow_private and not address.listed(self.hosts):
            for ip in ips:
                if what := forbidden(ip):
                    raise ToolError(f"{address.host} has the address {ip}, which is {what}: it is not fetched")
        return [str(ip) for ip in ips[:_ADDRESSES]]

    async def _asked(self, address: WebAddress, ips: Sequence[str], cancelled: threading.Event) -> Page | WebAddress:
        """The page, or where its server sends us: from the first of *ips* that can be connected to."""
        context, agent = await in_thread(lambda: (self._tls(address), _agent()), cancelled)
        last: ToolError | None = None
        for ip in ips:
            try:
                return await _requested(address, ip, context, agent)
            except _NoConnectionError as exc:
                last = ToolError(f"can't connect to {address.authority}: {exc}")
        raise last or ToolError(f"can't connect to {address.authority}")

    def _tls(self, address: WebAddress) -> ssl.SSLContext:
        """What certificates are checked by: the system's, which take a while to load and are kept."""
        import httpx2

        if address.scheme == "http":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._context is None:
            self._context = httpx2.create_ssl_context()
        return self._context


def _agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"coda/{version('coda-cli')}"
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "coda"


class _NoConnectionError(Exception):
    """Nothing was sent yet: another address of the host may do."""


async def _requested(address: WebAddress, ip: str, context: ssl.SSLContext, agent: str) -> Page | WebAddress:
    import httpx2

    request = httpx2.Request(
        "GET",
        httpx2.URL(scheme=address.scheme, host=ip, port=address.port, raw_path=address.target.encode("ascii")),
        headers={
            "Host": address.authority,
            "User-Agent": agent,
            "Accept": _ACCEPT,
            "Accept-Encoding": "gzip, deflate",
            "Connection": "close",
        },
        extensions={
            "timeout": {"connect": _CONNECT, "read": None, "write": None, "pool": None},
            **({} if address.ip is not None else {"sni_hostname": address.host}),
        },
    )
    try:
        async with httpx2.AsyncHTTPTransport(verify=context, trust_env=False, http2=False, retries=0) as transport:
            response = await transport.handle_async_request(request)
            try:
                return await _answer(address, response)
            finally:
                await response.aclose()
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as exc:
        raise _NoConnectionError(_reason(exc)) from exc
    except (httpx2.RequestError, httpx2.StreamError, zlib.error) as exc:
        raise ToolError(f"the answer of {address.authority} can't be read: {_reason(exc)}") from exc


async def _answer(address: WebAddress, response: httpx2.Response) -> Page | WebAddress:
    location = response.headers.get("location")
    if response.status_code in _REDIRECTS and location:
        return address.join(location)
    if not 200 <= response.status_code < 300:
        phrase = response.reason_phrase if response.reason_phrase.isprintable() else ""
        raise ToolError(f"{address} answered {response.status_code} {phrase[:80]}".rstrip())
    body = _Body(response.headers.get("content-encoding", "identity").strip().lower())
    async for piece in response.aiter_raw():
        if not body.take(piece):
            break
    return Page(address, response.headers.get("content-type", ""), bytes(body.data), cut=body.full)


class _Body(Struct):
    """The body as it comes, unpacked no further than its limit: a bomb costs 2 MB."""

    encoding: str
    data: bytearray = field(default_factory=bytearray)
    full: bool = False
    _raw: int = 0
    _unpack: zlib._Decompress | None = None

    def take(self, piece: bytes) -> bool:
        """Add *piece*; False when there is enough. Raises zlib.error, ToolError."""
        self._raw += len(piece)
        if self.encoding in ("identity", ""):
            self._add(piece)
        elif self.encoding in ("gzip", "x-gzip", "deflate"):
            self._add(self._unpacked(piece))
        else:
            raise ToolError(f"the page is packed as {self.encoding[:40]!a}, which was not asked for")
        self.full = self.full or self._raw > MOST
        return not self.full

    def _unpacked(self, piece: bytes) -> bytes:
        most = MOST - len(self.data) + 1
        if self._unpack is None:
            # "deflate" should be zlib's format; some servers send it bare.
            bare = self.encoding == "deflate" and piece[:1] and piece[0] & 0x0F != 8
            self._unpack = zlib.decompressobj(-15 if bare else 47)
        return self._unpack.decompress(piece, most)

    def _add(self, piece: bytes) -> None:
        left = MOST - len(self.data)
        self.data += piece[:left]
        self.full = len(piece) > left


def _reason(exc: BaseException) -> str:
    """What the system said, at the bottom of the chain."""
    text, seen = str(exc).strip(), 0
    cause: BaseException | None = exc
    while cause is not None and seen < 20:
        inner = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {inner.verify_message}"
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror.lower()
        text = text or str(inner).strip()
        cause, seen = inner.__cause__ or inner.__context__, seen + 1
    return text or type(exc).__name__
