"""What the SDK's client speaks through: pipes of a child that are bounded on every side, and HTTP that is.

The SDK's own transport for pipes keeps a line of any length in memory, hands its standard error to the terminal, and
ends the process group alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import httpx2
import mcp_types
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from coda_cli.engine.tools.mcp.process import ServerProcess

LARGEST_BODY: Final = 8 * 1024 * 1024
_MOST_JUNK: Final = 100
"""Lines that are no messages (programs print) before a server is given up."""
MOST_UNASKED: Final = 10_000
"""Messages between two requests of ours before a server is given up."""


class Tally:
    """How much a server has said since it was last asked. `broken` says why it is given up."""

    def __init__(self) -> None:
        self.unasked = self.junk = 0
        self.broken = ""

    def asked(self) -> None:
        """Something is asked now."""
        self.unasked = self.junk = 0

    def message(self, *, junk: bool = False) -> bool:
        """Count a message; whether it is within the bounds."""
        self.unasked += 1
        self.junk += junk
        if self.junk > _MOST_JUNK:
            self.broken = "it sends what is no message of MCP"
        elif self.unasked > MOST_UNASKED:
            self.broken = f"it sent more than {MOST_UNASKED:,} messages that nobody asked for"
        return not self.broken


Streams = tuple[
    anyio.abc.ObjectReceiveStream[SessionMessage | Exception],
    anyio.abc.ObjectSendStream[SessionMessage],
]


@asynccontextmanager
async def pipes(process: ServerProcess, tally: Tally, over: Callable[[], None]) -> AsyncGenerator[Streams, None]:
    """The streams of *process*, which ends with them. *over* is called when it says no more."""
    into, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, out_of = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        lines = process.lines()
        try:
            async for line in lines:
                if not line.strip():
                    continue
                message = _message(line)
                if not tally.message(junk=message is None):
                    break
                if message is not None:
                    await into.send(message)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):  # the session is over
            pass
        finally:
            await lines.aclose()
            into.close()
            over()

    async def write() -> None:
        try:
            async for message in out_of:
                line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                await process.write(line.encode() + b"\n")
        except OSError:  # it is gone; its output ends as well
            into.close()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(write)
            try:
                yield incoming, outgoing
            finally:
                with anyio.CancelScope(shield=True):
                    incoming.close()
                    outgoing.close()
                    await process.end()
                tasks.cancel_scope.cancel()
    finally:
        for stream in (into, incoming, outgoing, out_of):
            stream.close()


def _message(line: bytes) -> SessionMessage | None:
    try:
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        return None


@asynccontextmanager
async def web(url: str, headers: dict[str, str], timeout: float, *, direct: bool) -> AsyncGenerator[Transport, None]:
    """The transport for the server at *url*. *direct*: past any proxy. Answers are bounded; redirects stay there."""
    client = httpx2.AsyncClient(
        headers=headers,
        timeout=httpx2.Timeout(10.0, read=max(timeout, 300.0)),
        trust_env=not direct,
        event_hooks={"response": [_bounded]},
    )
    async with client:
        yield streamable_http_client(url, http_client=client)


async def _bounded(response: httpx2.Response) -> None:
    """Let no body but that of an event stream, whose events the SDK bounds, be longer than it may."""
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._stream, httpx2.AsyncByteStream)  # noqa: S101 -- of an asynchronous client
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_BODY:
                raise httpx2.ReadError(f"the answer has more than {LARGEST_BODY // 2**20} MB")
            yield chunk

    async def aclose(self) -> None:
        assert isinstance(self._stream, httpx2.AsyncByteStream)  # noqa: S101 -- of an asynchronous client
        await self._stream.aclose()
