"""A running server with a scripted model, and clients of every manner to try it with."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from coda_cli import (
    CodaWebSocketIntegration,
    CodaWebSocketServer,
    ConversationManager,
    LLMConfig,
    Reply,
    ScriptedProvider,
    WebSocketLLMManager,
)
from coda_cli.server.options import Limits

T = TypeVar("T")
JSON = dict[str, Any]


@dataclass
class Running:
    """A server that runs, with all that stands behind it."""

    server: CodaWebSocketServer
    manager: WebSocketLLMManager
    provider: ScriptedProvider
    http: aiohttp.ClientSession

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    @asynccontextmanager
    async def watch(self, **subscribe: Any) -> AsyncIterator[Watcher]:
        """A client that has shown the token and subscribed."""
        async with self.http.ws_connect(f"{self.server.url}/events", headers=self.bearer) as socket:
            watcher = Watcher(socket, await socket.receive_json())
            await watcher.tell(type="subscribe", **subscribe)
            assert (await watcher.hear())["type"] in ("subscribed", "replay", "replay_incomplete")
            yield watcher

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.server.token}"}


@dataclass
class Watcher:
    """One client."""

    socket: aiohttp.ClientWebSocketResponse
    hello: JSON

    async def tell(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def hear(self) -> JSON:
        """The next frame."""
        heard: JSON = await self.socket.receive_json(timeout=60)
        return heard

    async def until(self, kind: str) -> list[JSON]:
        """The frames up to the first one of this type."""
        heard = [await self.hear()]
        while heard[-1]["type"] != kind:
            heard.append(await self.hear())
        return heard


@asynccontextmanager
async def running(
    replies: Sequence[str | Reply] = ("Hello there",),
    *,
    limits: Limits | None = None,
    config: Callable[[LLMConfig], None] | None = None,
    server: Mapping[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Running]:
    """A server over a manager whose only model says *replies*; *server* and *more* are arguments of the server."""
    provider = ScriptedProvider(replies=replies)
    llm = LLMConfig(providers={"fake": provider.config}, default_provider="fake")
    if config is not None:
        config(llm)
    manager = WebSocketLLMManager(llm, store=ConversationManager.in_memory())
    manager._providers["fake"] = provider
    made = CodaWebSocketServer(limits=limits, **(server or {}), **more)
    async with aiohttp.ClientSession() as http:
        await manager.set_websocket_integration(CodaWebSocketIntegration(made))
        try:
            yield Running(made, manager, provider, http)
        finally:
            await manager.aclose()


async def raw(port: int, path: str, headers: Sequence[tuple[str, str]], *, method: str = "GET") -> tuple[int, bytes]:
    """(status, body or first frames) of a request whose head is exactly *headers*."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        status = int(answer.split()[1])
        length = next((int(x[15:]) for x in answer.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0)
        return status, await reader.readexactly(length)
    finally:
        writer.close()


def upgrade() -> list[tuple[str, str]]:
    """The headers of a WebSocket handshake."""
    key = base64.b64encode(os.urandom(16)).decode()
    return [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", "13"),
    ]


def frame(message: Mapping[str, Any] | bytes, opcode: int = 1) -> bytes:
    """A client's frame, masked."""
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    size = len(payload)
    if size < 126:
        head = bytes([0x80 | opcode, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, 0xFF]) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


async def next_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """(opcode, payload) of a server's frame."""
    first, second = await asyncio.wait_for(reader.readexactly(2), 10)
    size = second & 0x7F
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    elif size == 127:
        size = int.from_bytes(await reader.readexactly(8), "big")
    return first & 0x0F, await reader.readexactly(size)


async def opened(port: int, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare WebSocket connection with the token, behind its handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    headers = [("Host", f"127.0.0.1:{port}"), ("Authorization", f"Bearer {token}"), *upgrade()]
    writer.write(("GET /events HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n").encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return reader, writer


async def next_text(reader: asyncio.StreamReader) -> JSON:
    """The next message of the server; it may ping meanwhile."""
    while (one := await next_frame(reader))[0] == 9:
        pass
    assert one[0] == 1, one
    told: JSON = json.loads(one[1])
    return told
