"""A small HTTP/1.1 server on loopback that answers from a script and breaks in every way a server can.

Public API::

    async with FakeServer(script) as server:         .url .port .requests .connections
        server.queue(reply, ...)                     served first, one a request
        await server.wait_for_requests(n)            until n requests have arrived
        await server.wait_sent(i, k)                 until k bytes of the body of requests[i] have been written
        await server.wait_idle()                     until every answer has ended
    Reply(status=200, headers={}, body=[b"..."], framing="chunked", end="complete", ...)
    Reply.json(obj, status)   Reply.text(str, status, content_type)   reply.but(**changes)
    Pause(seconds), Gate()    items of a body: wait a while, or until the test calls gate.open()
    Recorded                  one request as it arrived, and how its answer ended (see `request`)

A script is one Reply (given to every request), a sequence of replies (one a request, in order; then 501), or a
callable `(request, n) -> Reply` (sync or async; n counts from 1). Waiting in vain raises TimeoutError.

Faults of a Reply, which combine freely:

- `delay_headers`, `delay_between`: seconds before the status line, and between two pieces of the body
- `every_byte=True`: each byte is written by itself; `split_at=k`: the body is cut in two at byte k
- `framing`: "chunked", "length" (Content-Length) or "close" (the end of the connection ends the body)
- `end` says what follows the first `after` bytes of the body (all of it, where `after` is None):
    "complete"  the proper end of the whole body (takes no `after`)
    "eof"       a proper end too, at `after` bytes: to HTTP the body is whole, the stream inside it is not
    "cut"       the connection is closed in an orderly way with the framing unfinished: no last chunk, a chunk that is
                shorter than announced, or fewer bytes than Content-Length (with "close" the same as "eof")
    "reset"     a TCP RST (SO_LINGER 0), once the kernel has delivered what was written
    "hang"      nothing more comes, the connection stays open until the client leaves
- `no_headers=True`: not even a status line; `end` ("hang", "cut" or "reset") happens at once
- `raw_head`: these bytes instead of the status line and headers (the blank line included)

A piece is written by itself, but whether the client also reads it by itself is for the kernel to say, unless a
`Pause`, a `Gate` or `delay_between` stands between two pieces.
"""

import asyncio
import fcntl
import inspect
import socket
import struct
import sys
import termios
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Self, assert_never

from tests.servers.reply import Body, End, Framing, Gate, Pause, Reply
from tests.servers.request import Recorded, read_request

__all__ = ["Body", "End", "FakeServer", "Framing", "Gate", "Handler", "Pause", "Recorded", "Reply", "Script"]

Handler = Callable[[Recorded, int], Reply | Awaitable[Reply]]
Script = Reply | Sequence[Reply] | Handler

_WAIT = 10.0  # seconds that a test waits for what it says must happen


class _ClientGone(ConnectionError):
    """The client closed its side while the answer was under way."""


def _unacknowledged(sock: socket.socket) -> int:
    """Bytes that the kernel still holds for the other side."""
    if sys.platform == "darwin":
        return sock.getsockopt(socket.SOL_SOCKET, 0x1024)  # SO_NWRITE, which the socket module does not name
    count: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return count


class _Connection(asyncio.StreamReaderProtocol):
    """The streams protocol that also knows when the client has left, while nobody reads."""

    def __init__(self, reader: asyncio.StreamReader, accept: Callable[["_Connection"], None]) -> None:
        self.gone = asyncio.Event()
        self.reader = reader
        self.writer: asyncio.StreamWriter | None = None
        self._accept = accept
        super().__init__(reader, self._connected)

    def _connected(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self._accept(self)

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


class _Sender:
    """Writes one Reply to one connection."""

    def __init__(
        self,
        reply: Reply,
        request: Recorded,
        writer: asyncio.StreamWriter,
        gone: asyncio.Event,
        progress: Callable[[], None],
    ) -> None:
        self._reply = reply
        self._progress = progress
        self._request = request
        self._writer = writer
        self._gone = gone
        self._size = len(reply.payload())
        self._limit = self._size if reply.after is None else min(reply.after, self._size)

    async def send(self) -> bool:
        """Send it all; True where the connection can take another request."""
        reply = self._reply
        await self._sleep(reply.delay_headers)
        if not reply.no_headers:
            self._request.status = reply.status
            await self._write(self._head())
            await self._body()
        return await self._end()

    def _head(self) -> bytes:
        reply = self._reply
        if reply.raw_head is not None:
            return reply.raw_head
        try:
            phrase = HTTPStatus(reply.status).phrase
        except ValueError:
            phrase = "Unknown"  # 529 is in use and in no standard
        headers = {name.lower(): value for name, value in reply.headers.items()}
        headers.setdefault("content-type", "application/octet-stream")
        match reply.framing:
            case "chunked":
                headers["transfer-encoding"] = "chunked"
            case "length":
                headers["content-length"] = str(self._promised())
            case "close":
                headers["connection"] = "close"
            case _:
                assert_never(reply.framing)
        lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def _promised(self) -> int:
        if self._reply.end in ("complete", "eof"):
            return self._limit
        # An unfinished body must lack something, even where all of it was sent.
        return self._size + 1 if self._limit == self._size else self._size

    async def _body(self) -> None:
        reply = self._reply
        for item in reply.items():
            if reply.after is not None and self._request.sent >= self._limit:
                return
            if isinstance(item, Pause):
                await self._sleep(item.seconds)
            elif isinstance(item, Gate):
                await self._pass(item)
            else:
                if self._request.sent:
                    await self._sleep(reply.delay_between)
                part = item[: self._limit - self._request.sent]
                await self._write(self._framed(part, len(item)))
                self._request.sent += len(part)
                self._progress()

    def _framed(self, part: bytes, whole: int) -> bytes:
        if self._reply.framing != "chunked":
            return part
        if len(part) < whole and self._reply.end != "eof":
            return b"%x\r\n" % whole + part  # a chunk that promises more than comes
        return b"%x\r\n%b\r\n" % (len(part), part)

    async def _end(self) -> bool:
        reply = self._reply
        match reply.end:
            case "complete" | "eof":
                if reply.framing == "chunked":
                    await self._write(b"0\r\n\r\n")
                return reply.framing != "close" and reply.raw_head is None
            case "cut":
                await self._delivered()
            case "reset":
                await self._delivered()
                sock: socket.socket = self._writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._writer.transport.abort()
            case "hang":
                await self._gone.wait()
                raise _ClientGone
            case _:
                assert_never(reply.end)
        return False

    async def _write(self, data: bytes) -> None:
        if self._gone.is_set():
            raise _ClientGone
        self._writer.write(data)
        await self._writer.drain()
        # A client on the same event loop gets its turn to read.
        await asyncio.sleep(0)

    async def _delivered(self) -> None:
        """Wait until the client's kernel has all bytes: a reset would throw away what is still on its way."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        while not self._gone.is_set():
            unsent = self._writer.transport.get_write_buffer_size()
            if not unsent and not _unacknowledged(sock):
                return
            await asyncio.sleep(0.001)

    async def _sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except TimeoutError:
            return
        raise _ClientGone

    async def _pass(self, gate: Gate) -> None:
        waits = [asyncio.ensure_future(gate.passed()), asyncio.ensure_future(self._gone.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._gone.is_set():
            raise _ClientGone


class FakeServer:
    """A loopback HTTP server with scripted answers; see the module's docstring. Subclasses override `respond`."""

    def __init__(self, script: Script | None = None, *, port: int = 0) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        self._script = script
        self._queue: deque[Reply] = deque()
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @property
    def port(self) -> int:
        """The port it listens on, or the one asked for before it has started."""
        return self._port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a path."""
        return f"http://127.0.0.1:{self._port}"

    def queue(self, *replies: Reply) -> None:
        """Answer the next requests with these, before the script is asked."""
        self._queue.extend(replies)

    async def respond(self, request: Recorded) -> Reply:
        """The answer to one request: the queue, then the script."""
        if self._queue:
            return self._queue.popleft()
        script = self._script
        if isinstance(script, Reply):
            return script
        if callable(script):
            answer = script(request, request.number)
            return await answer if inspect.isawaitable(answer) else answer
        if script is not None and request.number <= len(script):
            return script[request.number - 1]
        return Reply.text("the fake server has no answer left for this request", 501)

    async def wait_for_requests(self, n: int) -> None:
        """Return once n requests have arrived (TimeoutError after 10 seconds)."""
        await self._until(lambda: len(self.requests) >= n)

    async def wait_sent(self, index: int, size: int) -> None:
        """Return once this many bytes of the body of `requests[index]` are written (TimeoutError after 10 seconds)."""
        await self._until(lambda: len(self.requests) > index and self.requests[index].sent >= size)

    async def wait_idle(self) -> None:
        """Return once every answer has ended, by whichever side (TimeoutError after 10 seconds)."""
        await self._until(lambda: all(request.ended for request in self.requests))

    async def start(self) -> None:
        """Listen on 127.0.0.1."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(asyncio.StreamReader(limit=2**20), self._accept), "127.0.0.1", self._port
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _accept(self, connection: _Connection) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: _Connection) -> None:
        writer = connection.writer
        assert writer is not None
        try:
            while await self._exchange(connection.reader, writer, connection.gone):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client broke off; `client_gone` says so where an answer was under way
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()
            try:
                await writer.wait_closed()
            except ConnectionError:
                pass  # closed from the other side, which is closed all the same

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event) -> bool:
        request = await read_request(reader)
        if request is None:
            return False
        self.requests.append(request)
        request.number = len(self.requests)
        self._pulse()
        try:
            reply = await self.respond(request)
            keep = await _Sender(reply, request, writer, gone, self._pulse).send()
        except ConnectionError:
            request.client_gone = True
            raise
        finally:
            request.ended = True
            self._pulse()
        return keep and request.headers.get("connection", "").lower() != "close"

    def _pulse(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(_WAIT):
            while not reached():
                await self._changed.wait()
