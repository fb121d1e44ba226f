"""MCP servers at an address: the official SDK's server over HTTP on loopback, and what speaks no MCP there."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from coda_cli.engine.tools.mcp.config import ServerConfig
from tests.unit.mcp_calls import SERVERS, START, call, manager, until

Answer = Callable[[bytes], bytes]


@asynccontextmanager
async def demo_at_an_address() -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(SERVERS / "mcp_demo.py"), "http", str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: _listens(port))
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def raw(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives *answer* to whatever is asked; the heads of the requests."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer(heads[-1]))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp", heads


def at(url: str, **more: object) -> ServerConfig:
    return ServerConfig("web", url=url, **{"start_timeout": START, **more})  # type: ignore[arg-type]  # of a test


async def test_a_tool_of_an_address_is_listed_and_called() -> None:
    async with demo_at_an_address() as url, manager(at(url)) as tools:
        assert tools.problems == []
        result = await call(tools, "mcp__web__add", '{"a": 40, "b": 2}')
        assert '"total": 42' in result.text
        assert "no luck today" in (await call(tools, "mcp__web__fail")).text
        assert (
            "milk, bread" in (await call(tools, "mcp_read_resource", '{"server": "web", "uri": "demo://notes"}')).text
        )


async def test_a_stopped_call_is_cancelled_over_http_too(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with demo_at_an_address() as url, manager(at(url)) as tools:
        arguments = json.dumps({"started": str(mark), "seconds": 600})
        task = asyncio.create_task(call(tools, "mcp__web__slow", arguments))
        await until(mark.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: mark.read_text() == "cancelled")


async def test_a_server_that_goes_away_costs_one_error() -> None:
    async with AsyncExitStack() as there:
        url = await there.enter_async_context(demo_at_an_address())
        async with manager(at(url, start_timeout=START)) as tools:
            assert not (await call(tools, "mcp__web__add", '{"a": 1, "b": 2}')).is_error
            await there.aclose()
            gone = await call(tools, "mcp__web__add", '{"a": 1, "b": 3}')
            assert gone.is_error
            assert "the MCP server web" in gone.text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>", ""),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 6\r\n\r\n{junk}", ""),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + b" " * 9_000_000, "8 MB"),
        (b"not http at all\r\n\r\n", ""),
        (b"", ""),
    ],
    ids=["404", "401", "html", "junk", "flood", "no http", "nothing"],
)
async def test_what_speaks_no_mcp_costs_one_line(answer: bytes, expected: str) -> None:
    async with raw(lambda _: answer) as (url, _), manager(at(url, start_timeout=5.0)) as tools:
        (problem,) = tools.problems
        assert problem.startswith("MCP server web: it is left out: ")
        assert expected in problem
        assert len(problem) < 400


async def test_headers_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_TOKEN", "canary")
    config = {"headers_env": {"Authorization": "WEB_TOKEN"}}
    refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"
    async with raw(lambda _: refusal) as (url, heads), manager(at(url, **config)) as tools:
        assert b"authorization: bearer canary" in heads[0].lower()
        assert "canary" not in tools.problems[0]
    monkeypatch.delenv("WEB_TOKEN")
    async with raw(lambda _: refusal) as (url, heads), manager(at(url, **config)) as tools:
        assert heads == []
        assert "WEB_TOKEN" in tools.problems[0]


async def test_a_token_does_not_follow_a_redirect_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_TOKEN", "canary")
    async with raw(lambda _: b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n") as (thief, stolen):
        there = f"HTTP/1.1 307 Moved\r\nlocation: {thief}\r\ncontent-length: 0\r\n\r\n".encode()
        async with raw(lambda _: there) as (url, heads), manager(at(url, headers_env={"Authorization": "WEB_TOKEN"})):
            assert heads
    assert stolen == []


async def test_offline_no_address_beyond_this_machine_is_asked() -> None:
    async with manager(at("https://mcp.example.com/mcp"), offline=True) as tools:
        (problem,) = tools.problems
        assert "offline" in problem
    async with demo_at_an_address() as url, manager(at(url), offline=True) as tools:
        assert tools.problems == []
