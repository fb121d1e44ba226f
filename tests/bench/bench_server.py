"""What watching costs: `python -m tests.bench.bench_server [--seconds 600] [--clients 50]`.

One process answers with a scripted model, turn after turn, first watched by nobody and then by CLIENTS clients of which
one never reads; the clients live in a second process. Prints the turn's median and p99 in both, the growth of the
resident memory while the non-reader is there, and how it ended for it (FAULTS 54).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

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

WORDS = 200
PACE = 0.02
"""Seconds from one turn to the next: watching is measured, not a machine that is full anyway."""


def resident() -> float:
    """MB of this process now."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


async def turns(manager: WebSocketLLMManager, seconds: float) -> list[float]:
    """How long each answer took, in seconds."""
    took: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        started = time.perf_counter()
        await manager.generate_response("x", conversation_id=f"c{len(took) % 20}-{len(took) // 200}")
        took.append(time.perf_counter() - started)
        await asyncio.sleep(PACE)
    return took


def told(label: str, took: list[float]) -> dict[str, Any]:
    """A line about *took*."""
    ordered = sorted(took)
    return {
        "watched by": label,
        "turns": len(took),
        "median ms": round(statistics.median(ordered) * 1e3, 2),
        "p99 ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 2),
        "us a token": round(statistics.median(ordered) / WORDS * 1e6, 1),
    }


async def measure(seconds: float, clients: int) -> None:
    """The whole bench; prints JSON lines."""
    provider = ScriptedProvider(replies=[Reply("word " * WORDS)])
    config = LLMConfig(providers={"fake": provider.config}, default_provider="fake")
    manager = WebSocketLLMManager(config, store=ConversationManager.in_memory())
    manager._providers["fake"] = provider
    await turns(manager, 1.0)
    alone = await turns(manager, min(seconds, 20.0))
    print(json.dumps(told("nobody, no server", alone)), flush=True)
    server = CodaWebSocketServer(announce=False)
    await manager.set_websocket_integration(CodaWebSocketIntegration(server))
    command = [sys.executable, "-m", "tests.bench.bench_server", "--watch", server.url, "--clients", str(clients)]
    watching = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "CODA_BENCH_TOKEN": server.token}, stdout=subprocess.PIPE
    )
    for _ in range(600):
        if server.clients == clients:
            break
        await asyncio.sleep(0.05)
    await turns(manager, 5.0)  # the log is full by then, and stays so
    gc.collect()
    before, most, started = resident(), 0.0, time.monotonic()
    gone: float | None = None
    took: list[float] = []
    while time.monotonic() - started < seconds:
        took += await turns(manager, 1.0)
        most = max(most, resident())
        if gone is None and server.clients < clients:
            gone = time.monotonic() - started
    print(json.dumps(told(f"{clients} clients", took)), flush=True)
    print(json.dumps({"resident MB": round(before, 1), "most": round(most, 1), "growth": round(most - before, 1)}))
    lag = None if gone is None else f"about {gone + 5.0:.0f} s"
    print(json.dumps({"the one that reads nothing was closed after": lag, "clients left": server.clients}))
    await manager.aclose()
    out, _ = await watching.communicate()
    print(out.decode().strip())


async def watch(url: str, clients: int) -> None:
    """All clients but one read; that one never does. Prints how many ends each reader saw."""
    bearer = {"Authorization": f"Bearer {os.environ['CODA_BENCH_TOKEN']}"}

    async def reading(http: aiohttp.ClientSession) -> int:
        ends = 0
        async with http.ws_connect(f"{url}/events", headers=bearer) as socket:
            await socket.send_json({"type": "subscribe"})
            async for message in socket:
                ends += '"type":"response_complete"' in message.data[:40]
        return ends

    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(
        (
            f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {bearer['Authorization']}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    body = b'{"type":"subscribe"}'
    writer.write(bytes([0x81, 0x80 | len(body)]) + bytes(4) + body)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
    async with aiohttp.ClientSession() as http:
        ends = await asyncio.gather(*(reading(http) for _ in range(clients - 1)))
    print(json.dumps({"readers": len(ends), "ends seen, least and most": [min(ends), max(ends)]}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--watch")
    given = parser.parse_args()
    asyncio.run(watch(given.watch, given.clients) if given.watch else measure(given.seconds, given.clients))
