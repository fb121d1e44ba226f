"""What is known of an MCP server before anybody speaks to it. Values only."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from coda_cli.engine.tools.base import ToolError

_FORMAT: Final = "2"
"""Changes with what is kept of a server: an older listing in the cache is not read."""


class ServerConfig(Struct, frozen=True):
    """A server: a program (`command` with `args`, spoken to over its pipes) or an address (`url`, streamable HTTP).

    `env`: "NAME" hands that variable of Coda's own environment on, "NAME=value" gives one. `headers_env` maps headers
    to the variables that hold them. `timeout` bounds one call, `start_timeout` its start; in seconds.
    """

    name: str
    command: str = ""
    args: Sequence[str] = ()
    env: Sequence[str] = ()
    cwd: str = ""
    url: str = ""
    headers_env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60.0
    start_timeout: float = 10.0

    @property
    def where(self) -> str:
        """The command line or the address, for a person: what an address carries beside host and path is left out."""
        if self.url:
            from urllib.parse import urlsplit

            parts = urlsplit(self.url)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return shlex.join([self.command, *self.args])

    @property
    def here(self) -> bool:
        """Whether it is a program, or its address this machine's own; no name is looked up."""
        if not self.url:
            return True
        import ipaddress
        from urllib.parse import urlsplit

        host = urlsplit(self.url).hostname or ""
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def key(self) -> str:
        """What its listing is cached under: another program, argument or address is another server."""
        known = [_FORMAT, self.name, self.command, list(self.args), sorted(self.env), self.cwd, self.url]
        told = json.dumps([*known, sorted(self.headers_env.items())])
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()

    def environment(self, scratch: str, source: Mapping[str, str] | None = None) -> dict[str, str]:
        """What the program gets of the environment: what every tool gets, and what the settings name."""
        from coda_cli.engine.tools.sandbox import clean_environment

        given = os.environ if source is None else source
        named: dict[str, str] = {}
        for one in self.env:
            name, equals, value = one.partition("=")
            if equals:
                named[name] = value
            elif name in given:
                named[name] = given[name]
        return clean_environment(scratch, given) | named

    def headers(self, source: Mapping[str, str] | None = None) -> dict[str, str]:
        """The headers of every request. Raises ToolError for a variable that is not set or holds no header."""
        given = os.environ if source is None else source
        found: dict[str, str] = {}
        for header, variable in self.headers_env.items():
            value = given.get(variable, "").strip()
            if not value or not value.isascii() or not value.isprintable():
                what = "is not set" if not value else "holds what is no header"
                raise ToolError(f"the variable {variable} (for the header {header}) {what}")
            bare = header.lower() == "authorization" and " " not in value
            found[header] = f"Bearer {value}" if bare else value
        return found
