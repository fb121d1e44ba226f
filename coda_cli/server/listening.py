"""The listening socket: at most so many connections, each with little time to say what it wants."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web

from coda_cli.server.options import Limits
from coda_cli.server.site import Site

if TYPE_CHECKING:
    from coda_cli.server.app import CodaWebSocketServer

_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
_LINE: Final = 8190
_LINGERING: Final = 2.0


class _Refusal(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say so, and close."""
        if isinstance(transport, asyncio.Transport):
            transport.write(_FULL)
        transport.close()


async def listen(server: CodaWebSocketServer, host: str, port: int) -> tuple[asyncio.Server, web.Server, Site]:
    """Listen at *host* and *port*. Raises OSError."""
    limits: Limits = server.limits
    site = Site(server)
    # Whoever has not sent a whole head when the keepalive time is over is cut, from the first byte of a connection on.
    served = web.Server(
        site.answer,
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=limits.header_seconds,
        lingering_time=_LINGERING,
        max_line_size=_LINE,
        max_field_size=_LINE,
        max_headers=64,
        auto_decompress=False,
        logger=logging.getLogger(__name__),
    )

    def connection() -> asyncio.Protocol:
        return _Refusal() if len(served.connections) >= limits.connections else served()

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(connection, host, port, backlog=limits.backlog)
    return listening, served, site
