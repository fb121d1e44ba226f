"""What stands at which path, and who may have it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files
from socket import SO_SNDBUF, SOL_SOCKET
from typing import TYPE_CHECKING, Any, Final, assert_never

from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from coda_cli.engine.core.errors import CodaError
from coda_cli.server.client import Client, Socket
from coda_cli.server.gate import Gate
from coda_cli.server.refused import Refused, error_body
from coda_cli.server.wire import (
    PROTOCOL,
    Answer,
    Ask,
    Auth,
    Cancel,
    Message,
    Replay,
    Subscribe,
    WireError,
    dumped,
    read,
    refusal,
)

if TYPE_CHECKING:
    from coda_cli.server.app import CodaWebSocketServer
    from coda_cli.server.chat_endpoint import ChatEndpoint
    from coda_cli.server.desk import Desk

_HEARTBEAT: Final = 30.0
_KERNEL_BYTES: Final = 128 * 1024
_PAGE: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
}
HEADERS: Final = {
    "Server": "coda",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
}
_log: Final = logging.getLogger(__name__)


def as_json(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """*body* as a response."""
    return web.Response(
        body=dumped(body), status=status, content_type="application/json", headers={**HEADERS, **(headers or {})}
    )


@cache
def _asset(name: str) -> bytes:
    return (files("coda_cli.server") / "page" / name).read_bytes()


class Site:
    """Answers the requests of one server."""

    gate: Gate

    def __init__(self, server: CodaWebSocketServer) -> None:
        self._server = server
        self._open: set[Client] = set()
        self._unproven = 0
        self._chats: ChatEndpoint | None = None

    @property
    def clients(self) -> int:
        """How many clients have shown the token."""
        return len(self._open)

    # ---- requests -------------------------------------------------------------------------------------------------

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to *request*, whatever it is."""
        try:
            return await self._answer(request)
        except Refused as no:
            kind = "server_error" if no.status >= 500 else "invalid_request_error"
            return as_json(error_body(no.message, kind, no.code), no.status, no.headers)
        except web.HTTPException as no:
            return as_json(error_body(no.reason, "invalid_request_error", None), no.status)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:
            _log.error("a request failed: %s", type(error).__name__)
            return as_json(error_body("the server has failed", "server_error", None), 500)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        hosts = list(request.headers.getall(hdrs.HOST, []))
        if not self.gate.host(hosts):
            raise Refused(403, "this is no name of the server", "bad_host")
        if not self.gate.origin(request.headers.getall(hdrs.ORIGIN, []), hosts[0]):
            raise Refused(403, "pages of other sites are not let in", "bad_origin")
        path, method = request.path, request.method
        if path == "/healthz" and method in ("GET", "HEAD"):
            return as_json({"status": "ok"})
        if path in _PAGE and method in ("GET", "HEAD"):
            name, kind = _PAGE[path]
            body = await asyncio.to_thread(_asset, name)
            return web.Response(body=body, content_type=kind, charset="utf-8", headers=HEADERS)
        proven = self._proven(request)
        if path == "/events" and method == "GET":
            return await self._events(request, proven)
        if not proven:
            raise Refused(401, "the token is missing", "no_token", {"WWW-Authenticate": "Bearer"})
        if path.startswith("/v1/"):
            return await self._endpoint().answer(request)
        raise Refused(404, "there is nothing at this address", "not_found")

    def _proven(self, request: web.BaseRequest) -> bool:
        """Whether *request* carries the token; False where it carries none. Raises Refused for a wrong one."""
        shown = [self.gate.bearer(request.headers.getall(hdrs.AUTHORIZATION, []))]
        if request.path == "/events" and hdrs.ORIGIN in request.headers:  # a browser can set no header there
            given = request.query.getall("token", [])
            shown += [len(given) == 1 and self.gate.token(one) for one in given]
        if False in shown:
            raise Refused(401, "this is not the token", "bad_token", {"WWW-Authenticate": "Bearer"})
        return True in shown

    def _endpoint(self) -> ChatEndpoint:
        if self._chats is None:
            if self._server.desk is None:
                raise Refused(503, "no manager is there to ask", "no_manager")
            from coda_cli.server.chat_endpoint import ChatEndpoint

            self._chats = ChatEndpoint(self._server.desk)
        return self._chats

    # ---- events ---------------------------------------------------------------------------------------------------

    async def _events(self, request: web.BaseRequest, proven: bool) -> web.StreamResponse:
        limits = self._server.limits
        if not proven and hdrs.ORIGIN not in request.headers:
            raise Refused(401, "the token is missing", "no_token", {"WWW-Authenticate": "Bearer"})
        if len(self._open) >= limits.clients or (not proven and self._unproven >= limits.unproven):
            raise Refused(503, "there are too many clients", "too_many", {"Retry-After": "5"})
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        if (raw := transport.get_extra_info("socket")) is not None:
            # What waits in the kernel for one that does not read is memory, too.
            raw.setsockopt(SOL_SOCKET, SO_SNDBUF, _KERNEL_BYTES)
        socket = Socket(compress=False, max_msg_size=limits.message_bytes, heartbeat=_HEARTBEAT, timeout=1.0)
        client = Client(socket, transport, self._server.log, limits, self._server.name)
        if not proven:
            if not await self._introduced(request, socket):
                return socket
            if len(self._open) >= limits.clients:
                await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too many clients")
                return socket
        self._open.add(client)
        try:
            writer = await socket.prepare(request)  # the same again where that is done already
            await self._converse(socket, client, writer)
        finally:
            self._open.discard(client)
        return socket

    async def _introduced(self, request: web.BaseRequest, socket: web.WebSocketResponse) -> bool:
        """Whether the client's first message is the token; it is closed where it is not."""
        self._unproven += 1
        try:
            await socket.prepare(request)
            with suppress(TimeoutError, WireError):
                first = await socket.receive(self._server.limits.proof_seconds)
                if first.type is WSMsgType.TEXT:
                    message = read(first.data)
                    if isinstance(message, Auth) and self.gate.token(message.token):
                        return True
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the token is missing or wrong")
            return False
        finally:
            self._unproven -= 1

    async def _converse(self, socket: web.WebSocketResponse, client: Client, writer: AbstractStreamWriter) -> None:
        log = self._server.log
        hello = {
            "type": "hello",
            "protocol": PROTOCOL,
            "server": self._server.name,
            "oldest": log.oldest,
            "last": log.last,
            "allowed": self._server.allowed.names(),
        }
        await client.send(dumped(hello))
        sending = asyncio.get_running_loop().create_task(client.serve(writer))
        sending.add_done_callback(client.check)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._heard(client, message.data)
                elif message.type is WSMsgType.BINARY:
                    await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"text frames only")
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await sending

    async def _heard(self, client: Client, text: str) -> None:
        ref: str | None = None
        try:
            message = read(text)
            ref = message.ref
            await self._do(client, message)
        except WireError as error:
            await client.send(refusal(error))
        except CodaError as error:
            await client.send(refusal(WireError(error.message, code="refused", hint=error.hint, ref=ref)))

    async def _do(self, client: Client, message: Message) -> None:
        if isinstance(message, Subscribe):
            await client.subscribe(message)
        elif isinstance(message, Replay):
            await client.replay(message)
        elif not isinstance(message, Auth):  # whoever is here has shown the token
            if self._server.desk is None:
                raise WireError("no manager is there to ask", code="no_manager", ref=message.ref)
            told = _done(self._server.desk, message)
            await client.send(dumped({"type": "accepted", "ref": message.ref, **told}))

    # ---- the end --------------------------------------------------------------------------------------------------

    async def caught_up(self) -> None:
        """Return once every client has been sent what there is."""
        for client in list(self._open):
            await client.caught_up()

    async def close(self) -> None:
        """Say goodbye to every client."""
        goodbye = [client.close(WSCloseCode.GOING_AWAY, "the server ends") for client in self._open]
        await asyncio.gather(*goodbye, return_exceptions=True)


def _done(desk: Desk, message: Ask | Cancel | Answer) -> dict[str, Any]:
    match message:
        case Ask():
            return desk.ask(message)
        case Cancel():
            return desk.cancel(message)
        case Answer():
            return desk.answer(message)
        case _:
            assert_never(message)
