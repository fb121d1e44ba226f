"""Web addresses: read in one strict way, and which machines they may lead to.

What is public is listed, not what is forbidden: IPv4 without the special ranges, IPv6 only of the global unicast range
without those that carry an IPv4 address or are no hosts. Ranges: the IANA special-purpose address registries
(RFC 6890 and its updates), and addresses at which clouds give out keys.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Final
from urllib.parse import quote, urljoin

from msgspec import Struct

from coda_cli.engine.tools.base import ToolError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LENGTH: Final = 8_000
_IPV4: Final = (
    ("0.0.0.0/8", "this machine"),
    ("10.0.0.0/8", "a private network"),
    ("100.64.0.0/10", "a provider's inner network"),
    ("127.0.0.0/8", "this machine"),
    ("168.63.129.16/32", "a cloud's inner service"),
    ("169.254.0.0/16", "this link, or a cloud's inner service"),
    ("172.16.0.0/12", "a private network"),
    ("192.0.0.0/24", "a reserved range"),
    ("192.0.2.0/24", "a range for examples"),
    ("192.31.196.0/24", "a reserved range"),
    ("192.52.193.0/24", "a reserved range"),
    ("192.88.99.0/24", "a reserved range"),
    ("192.168.0.0/16", "a private network"),
    ("192.175.48.0/24", "a reserved range"),
    ("198.18.0.0/15", "a range for tests"),
    ("198.51.100.0/24", "a range for examples"),
    ("203.0.113.0/24", "a range for examples"),
    ("224.0.0.0/4", "many machines at once"),
    ("240.0.0.0/4", "a reserved range"),
)
_IPV6: Final = (
    ("2001::/23", "a reserved range"),
    ("2001:db8::/32", "a range for examples"),
    ("2002::/16", "an IPv4 address in disguise"),
    ("2620:4f:8000::/48", "a reserved range"),
    ("3fff::/20", "a range for examples"),
)
_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")
_INNER_NAMES: Final = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".onion")
# Ports of other protocols whose servers could take a request for their own words (the "bad ports" of browsers).
_BAD_PORTS: Final = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110}
    | {111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531}
    | {532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060}
    | {5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211}
)
_URL: Final = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ud800-\udfff]")
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*")
_NUMBER: Final = re.compile(r"(?:\d+|0x[0-9a-f]*)", re.IGNORECASE)
_DEFAULT: Final = {"http": 80, "https": 443}


class WebAddress(Struct, frozen=True):
    """An http(s) address in its one form. `host` is a name in ASCII (punycode) or an IP address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """As it is written in an address and in the Host header."""
        return self._bracketed if self.port == _DEFAULT[self.scheme] else f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def listed(self, hosts: Collection[str]) -> bool:
        """Whether *hosts* ("name" or "name:port") lists its host."""
        return not {self.host, self._bracketed, f"{self._bracketed}:{self.port}"}.isdisjoint(hosts)

    @property
    def ip(self) -> Address | None:
        """The address itself, where no name stands for it."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def join(self, location: str) -> WebAddress:
        """Where a redirect from here to *location* leads. Raises ToolError."""
        if _UNSEEN.search(location.strip(" ")) or "\\" in location:
            raise ToolError(f"{self.authority} redirects to what is no address")
        try:
            return read(urljoin(str(self), location.strip(" ")))
        except ValueError:
            raise ToolError(f"{self.authority} redirects to what is no address") from None

    def stays(self, other: WebAddress) -> bool:
        """Whether a redirect to *other* stays with the same site: the host but for `www.`, and never less secure."""
        same = self.host.removeprefix("www.") == other.host.removeprefix("www.")
        upgrade = (self.scheme, self.port, other.scheme, other.port) == ("http", 80, "https", 443)
        return same and (upgrade or (self.scheme, self.port) == (other.scheme, other.port))


def read(written: str) -> WebAddress:
    """The address that *written* means. Raises ToolError for what two programs could read in two ways."""
    written = written.strip()
    found = _URL.fullmatch(written)
    if found is None:
        raise ToolError("the address must begin with http:// or https://")
    if len(written) > LENGTH:
        raise ToolError(f"the address is over {LENGTH} characters long")
    scheme, authority, path, query = found[1].lower(), found[2], found[3], found[4] or ""
    if "@" in authority:
        raise ToolError("the address holds a user name or password before the host: leave it out")
    if _UNSEEN.search(authority) or "\\" in written or _UNSEEN.search((path + query).replace(" ", "")):
        raise ToolError("the address holds characters that no address has")
    host, port = _host_and_port(authority, _DEFAULT[scheme])
    if port in _BAD_PORTS:
        raise ToolError(f"port {port} is no port of the web")
    target = quote(path or "/", safe="/%:=&~+!$,;'@()*[]") + quote(query, safe="/%:=&?~+!$,;'@()*[]")
    return WebAddress(scheme, host, port, target)


def forbidden(address: Address) -> str:
    """What *address* leads to that is not the public internet; "" for a public address."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((what for network, what in _FORBIDDEN_4 if address in network), "")
    if address.scope_id is not None:
        return "this link"
    if address not in _GLOBAL:
        return _inner(address)
    return next((what for network, what in _FORBIDDEN_6 if address in network), "")


def inner_name(host: str) -> bool:
    """Whether *host* is a name that is never public."""
    return host == "localhost" or host.endswith(_INNER_NAMES)


def _inner(address: ipaddress.IPv6Address) -> str:
    if address.ipv4_mapped is not None or address in ipaddress.IPv6Network("64:ff9b::/32"):
        return "an IPv4 address in disguise"
    if address.is_loopback or address.is_unspecified:
        return "this machine"
    if address.is_multicast:
        return "many machines at once"
    if address.is_link_local:
        return "this link"
    return "a private or reserved network"


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    if authority.startswith("["):
        literal, bracket, rest = authority[1:].partition("]")
        host = _ipv6(literal if bracket else "")
    else:
        written, colon, port = authority.partition(":")
        host, rest = _name(written), colon + port
    if not rest or rest == ":":
        return host, default
    digits = rest.removeprefix(":")
    if not rest.startswith(":") or not re.fullmatch(r"[0-9]{1,5}", digits) or not 0 < int(digits) < 65536:
        raise ToolError("the address has a port that is none")
    return host, int(digits)


def _ipv6(literal: str) -> str:
    try:
        if "%" in literal:
            raise ValueError(literal)
        return str(ipaddress.IPv6Address(literal))
    except ValueError:
        raise ToolError("the address has an IPv6 address that is none") from None


def _name(written: str) -> str:
    host = written.lower() if written.isascii() else _punycode(written)
    host = host.removesuffix(".")
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise ToolError("the address has no valid host name")
    if _NUMBER.fullmatch(host.rpartition(".")[2]):  # 2130706433, 127.1, 0x7f.1, 0177.0.0.1
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ToolError("write an IP address as four plain numbers") from None
    return host


def _punycode(written: str) -> str:
    import httpx2

    try:
        return httpx2.URL(scheme="http", host=written).raw_host.decode("ascii").lower()
    except (httpx2.InvalidURL, ValueError):
        raise ToolError("the address has no valid host name") from None


_FORBIDDEN_4: Final = tuple((ipaddress.IPv4Network(network), what) for network, what in _IPV4)
_FORBIDDEN_6: Final = tuple((ipaddress.IPv6Network(network), what) for network, what in _IPV6)
