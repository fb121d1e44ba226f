"""`CodaWebSocketServer`: listens, lets in who may come in, and ends with nothing left open."""

from __future__ import annotations

import asyncio
import atexit
import errno
import secrets
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from coda_cli.engine.core.errors import CodaError, UsageError
from coda_cli.engine.core.events import Event
from coda_cli.server import handed
from coda_cli.server.gate import Gate, bracketed, check_address
from coda_cli.server.log import EventLog
from coda_cli.server.options import Address, Allowed, Limits

if TYPE_CHECKING:
    from aiohttp import web

    from coda_cli.server.desk import Desk
    from coda_cli.server.site import Site

_LAST_WORDS: Final = 1.0
"""Seconds that clients have at the end to be sent what they are owed."""


class CodaWebSocketServer:
    """A WebSocket server for events, with a page to watch them and an endpoint that speaks as OpenAI's does.

    Listens at 127.0.0.1, on a free port unless *port* names one. Clients may only watch unless *allow_ask*,
    *allow_cancel* or *allow_approve* say more. *host* beyond this machine needs *allow_remote*; *allowed_hosts* are
    further names in the Host header. *keep*: chats asked for over HTTP are kept. *announce*: write `server.json`.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token: str | None = None,
        allow_remote: bool = False,
        allowed_hosts: Sequence[str] = (),
        allow_ask: bool = False,
        allow_cancel: bool = False,
        allow_approve: bool = False,
        keep: bool = False,
        announce: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self._address = Address(host, port, allow_remote, tuple(allowed_hosts))
        self.allowed = Allowed(allow_ask, allow_cancel, allow_approve, keep)
        self.limits = limits or Limits()
        self.token = token or handed.new_token()
        self.log = EventLog(self.limits)
        self.name = secrets.token_hex(8)
        self.desk: Desk | None = None
        self._announce = announce
        self._forget = partial(handed.take_back, self.token)
        self._url = ""
        self._listening: asyncio.Server | None = None
        self._web: web.Server | None = None
        self._site: Site | None = None

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._listening is not None

    @property
    def url(self) -> str:
        """Its address, such as `http://127.0.0.1:40123`. Raises CodaError before it is started."""
        if not self._url:
            raise CodaError("the server is not started yet", hint="await set_websocket_integration(), or start()")
        return self._url

    @property
    def page(self) -> str:
        """The address of its page with the token behind `#`, which no browser sends: for the person only."""
        return f"{self.url}/#token={self.token}"

    @property
    def clients(self) -> int:
        """How many watch."""
        return self._site.clients if self._site is not None else 0

    def publish(self, event: Event) -> None:
        """Send *event* to every client that wants it."""
        self.log.append(event)

    async def start(self) -> None:
        """Listen. Raises UsageError where the port is taken, or others could reach it and that is not meant."""
        if self.running:
            return
        check_address(self._address)
        from coda_cli.server.listening import listen

        host = "127.0.0.1" if self._address.host.lower() == "localhost" else self._address.host
        try:
            self._listening, self._web, self._site = await listen(self, host, self._address.port)
        except OSError as error:
            raise _cannot_listen(error, self._address) from error
        port = int(self._listening.sockets[0].getsockname()[1])
        self._site.gate = Gate(self._address, port, self.token)
        self._url = f"http://{bracketed(host)}:{port}"
        if self._announce:
            try:
                await asyncio.to_thread(handed.hand_out, self._url, self.token)
            except OSError as error:
                await self.stop()
                hint = "make room, or point CODA_HOME at a folder of your own"
                raise CodaError(f"cannot write {handed.file()}: {error.strerror}", hint=hint) from error
            atexit.register(self._forget)

    async def stop(self) -> None:
        """Close every connection and the port. What clients have asked for is stopped and kept as far as it came."""
        listening, served, site = self._listening, self._web, self._site
        self._listening = self._web = self._site = None
        if listening is None or served is None or site is None:
            return
        listening.close()
        if self.desk is not None:
            await self.desk.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await site.caught_up()
        await site.close()
        served.pre_shutdown()  # who only keeps the line open is not waited for
        await served.shutdown(_LAST_WORDS)
        await listening.wait_closed()
        if self._announce:
            await asyncio.to_thread(self._forget)
            atexit.unregister(self._forget)


def _cannot_listen(error: OSError, address: Address) -> UsageError:
    where = f"{bracketed(address.host)}:{address.port}"
    if error.errno == errno.EADDRINUSE:
        hint = "another server has it: choose another port, or 0 for a free one"
        return UsageError(f"the port {where} is taken", hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM):
        return UsageError(f"you may not listen at {where}", hint="choose a port above 1023, or 0 for a free one")
    return UsageError(f"cannot listen at {where}: {error.strerror or error}", hint="name an address of this machine")
