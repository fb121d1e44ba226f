"""What watching costs: `python -m tests.bench.bench_server [--seconds 600] [--clients 50] [--delay 0.005]`.

One process answers with a scripted model, turn after turn: watched by nobody, by CLIENTS clients that read, and by as
many of which one never reads. The clients live in a second process. Prints the turn's median and p99 in all three, the
growth of the resident memory while the non-reader is there, and what became of it (FAULTS 54). DELAY is the seconds
between two words; 0 is the worst case, in which every token is followed by the next at once.
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
    provider = manager._providers["fake"]
    assert isinstance(provider, ScriptedProvider)
    took: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if len(took) % 20 == 0:  # what the fakes keep is not what is measured
            provider.requests.clear()
            manager.store = ConversationManager.in_memory()
        started = time.perf_counter()
        await manager.generate_response("x")
        took.append(time.perf_counter() - started)
        await asyncio.sleep(PACE)
    return took


def told(label: str, took: list[float], delay: float) -> None:
    """Print a line about *took*."""
    ordered = sorted(took)
    line = {
        "watched by": label,
        "turns": len(took),
        "median ms": round(statistics.median(ordered) * 1e3, 2),
        "p99 ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 2),
        "us a token": round((statistics.median(ordered) / WORDS - delay) * 1e6, 1),
    }
    print(json.dumps(line), flush=True)


async def watchers(server: CodaWebSocketServer, clients: int, *, idle: int) -> asyncio.subprocess.Process:
    """*clients* clients, of which *idle* never read, in a process of their own."""
    command = ["-m", "tests.bench.bench_server", "--watch", server.url, "--clients", str(clients), "--idle", str(idle)]
    environ = {**os.environ, "CODA_BENCH_TOKEN": server.token}
    watching = await asyncio.create_subprocess_exec(sys.executable, *command, env=environ, stdout=subprocess.PIPE)
    for _ in range(600):
        if server.clients == clients:
            break
        await asyncio.sleep(0.05)
    return watching


async def measure(seconds: float, clients: int, delay: float) -> None:
    """The whole bench; prints JSON lines."""
    provider = ScriptedProvider(replies=[Reply("word " * WORDS, delay=delay)])
    config = LLMConfig(providers={"fake": provider.config}, default_provider="fake")
    manager = WebSocketLLMManager(config, store=ConversationManager.in_memory())
    manager._providers["fake"] = provider
    short = min(seconds, 30.0)
    await turns(manager, 1.0)
    told("nobody, no server", await turns(manager, short), delay)
    for idle in (0, 1):
        server = CodaWebSocketServer(announce=False)
        await manager.set_websocket_integration(CodaWebSocketIntegration(server))
        before, most, gone, took = 0.0, 0.0, None, list[float]()
        for _ in range(25_000 // WORDS // 20 + 1):  # the log is full from then on, and stays so
            await turns(manager, 1.0 if not delay else 10.0)
        gc.collect()
        before = resident()
        watching = await watchers(server, clients, idle=idle)
        started = time.monotonic()
        while time.monotonic() - started < (seconds if idle else short):
            took += await turns(manager, 1.0)
            most = max(most, resident())
            if gone is None and server.clients < clients:
                gone = round(time.monotonic() - started)
        told(f"{clients} clients, {idle} of them never reads", took, delay)
        memory = {
            "resident MB before them": round(before, 1),
            "most": round(most, 1),
            "growth": round(most - before, 1),
        }
        print(json.dumps({**memory, "the non-reader was closed after s": gone, "clients left": server.clients}))
        await manager.set_websocket_integration(None)
        out, _ = await watching.communicate()
        print(out.decode().strip(), flush=True)
    await manager.aclose()


async def watch(url: str, clients: int, idle: int) -> None:
    """*clients* clients, of which *idle* never read. Prints how many ends each reader saw."""
    bearer = {"Authorization": f"Bearer {os.environ['CODA_BENCH_TOKEN']}"}

    async def reading(http: aiohttp.ClientSession) -> int:
        ends = 0
        async with http.ws_connect(f"{url}/events", headers=bearer) as socket:
            await socket.send_json({"type": "subscribe"})
            async for message in socket:
                ends += '"type":"response_complete"' in message.data[:40]
        return ends

    held = [await never_reads(url, bearer["Authorization"]) for _ in range(idle)]
    async with aiohttp.ClientSession() as http:
        ends = await asyncio.gather(*(reading(http) for _ in range(clients - idle)))
    print(json.dumps({"readers": len(ends), "ends seen, least and most": [min(ends), max(ends)]}))
    for writer in held:
        writer.close()


async def never_reads(url: str, bearer: str) -> asyncio.StreamWriter:
    """A client that subscribes to everything and reads nothing of it."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(
        (
            f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {bearer}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    body = b'{"type":"subscribe"}'
    writer.write(bytes([0x81, 0x80 | len(body)]) + bytes(4) + body)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
    return writer


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--delay", type=float, default=0.005)
    parser.add_argument("--watch")
    parser.add_argument("--idle", type=int, default=0)
    given = parser.parse_args()
    if given.watch:
        asyncio.run(watch(given.watch, given.clients, given.idle))
    else:
        asyncio.run(measure(given.seconds, given.clients, given.delay))
