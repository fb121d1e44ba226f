"""The HTTP core of the fake servers: each fault must be what it says it is."""

import asyncio
import json
import socket
import urllib.request

import httpx2
import pytest

from tests.servers.clients import get
from tests.servers.http import FakeServer, Framing, Gate, Pause, Recorded, Reply
from tests.servers.threaded import SilentPort, ThreadedServer, dead_port
from tests.servers.vendors import FakeVendor
from tests.servers.wire import Vendor

VENDORS: list[Vendor] = ["openai", "anthropic", "ollama"]


# -- HTTP faults


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_a_complete_answer_in_each_framing(framing: Framing) -> None:
    reply = Reply(body=[b"one ", Pause(0.001), b"two"]).but(framing=framing)
    async with FakeServer(reply) as server:
        assert (await get(server)).content == b"one two"
        assert (await get(server)).content == b"one two"
        await server.wait_idle()
    assert [(request.sent, request.ended, request.client_gone) for request in server.requests] == [(7, True, False)] * 2


async def test_a_connection_serves_several_requests() -> None:
    async with FakeServer(Reply.text("hi")) as server, httpx2.AsyncClient() as client:
        for _ in range(3):
            await client.get(server.url)
        assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize("after", range(8))
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_an_eof_ends_the_body_properly(framing: Framing, after: int) -> None:
    reply = Reply(body=[b"one ", b"two"], end="eof", after=after).but(framing=framing)
    async with FakeServer(reply) as server:
        assert (await get(server)).content == b"one two"[:after]


async def partial(server: FakeServer) -> tuple[bytes, str]:
    """What arrived before the connection broke, and the kind of the break."""
    got = b""
    async with httpx2.AsyncClient() as client:
        try:
            async with client.stream("GET", server.url) as response:
                async for piece in response.aiter_raw():
                    got += piece
        except httpx2.TransportError as error:
            return got, type(error).__name__
    return got, "no error"


@pytest.mark.parametrize("after", range(8))
@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_a_cut_leaves_the_body_unfinished(framing: Framing, after: int) -> None:
    reply = Reply(body=[b"one ", b"two"], end="cut", after=after).but(framing=framing)
    async with FakeServer(reply) as server:
        assert await partial(server) == (b"one two"[:after], "RemoteProtocolError")


@pytest.mark.parametrize("after", range(8))
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_a_reset_comes_after_what_was_sent(framing: Framing, after: int) -> None:
    reply = Reply(body=[b"one ", b"two"], end="reset", after=after).but(framing=framing)
    async with FakeServer(reply) as server:
        assert await partial(server) == (b"one two"[:after], "ReadError")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(end="cut", no_headers=True), "RemoteProtocolError"),
        (Reply(end="reset", no_headers=True), "ReadError"),
        (Reply(raw_head=b"nonsense\r\n\r\n", end="cut"), "RemoteProtocolError"),
    ],
)
async def test_a_connection_can_end_before_any_headers(reply: Reply, error: str) -> None:
    async with FakeServer(reply) as server:
        assert await partial(server) == (b"", error)


@pytest.mark.parametrize(
    ("reply", "sent"),
    [
        (Reply(end="hang", no_headers=True), 0),
        (Reply(body=[b"one ", b"two"], end="hang", after=5), 5),
        (Reply(body=[b"one ", Gate(), b"two"]), 4),
        (Reply(body=[b"one ", Pause(60), b"two"]), 4),
        (Reply(body=[b"one"], delay_headers=60), 0),
    ],
)
async def test_a_held_answer_notices_that_the_client_has_left(reply: Reply, sent: int) -> None:
    async with FakeServer(reply) as server:
        asking = asyncio.create_task(get(server))
        await server.wait_for_requests(1)
        await server.wait_sent(0, sent)
        assert not server.requests[0].ended
        asking.cancel()
        await server.wait_idle()
    assert (server.requests[0].client_gone, server.requests[0].sent) == (True, sent)


async def test_a_gate_holds_the_rest_back_until_it_is_opened() -> None:
    gate = Gate()
    async with (
        FakeServer(Reply(body=[b"one ", gate, b"two"])) as server,
        httpx2.AsyncClient() as client,
        client.stream("GET", server.url) as response,
    ):
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"one "
        gate.open()
        assert await anext(pieces) == b"two"


async def test_every_byte_and_split_at_cut_the_pieces() -> None:
    reply = Reply(body=[b"abc", b"def"])
    assert reply.but(every_byte=True).items() == [b"a", b"b", b"c", b"d", b"e", b"f"]
    assert reply.but(split_at=4).items() == [b"abc", b"d", b"ef"]
    assert reply.but(split_at=3).items() == [b"abc", b"def"]
    async with FakeServer(reply.but(every_byte=True)) as server:
        assert (await get(server)).content == b"abcdef"


def test_a_reply_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="after"):
        Reply(after=3)
    with pytest.raises(ValueError, match="without headers"):
        Reply(no_headers=True)


async def test_a_request_is_recorded_as_it_came() -> None:
    def echo(request: Recorded, n: int) -> Reply:
        return Reply.json({"n": n, "path": request.path}, headers={"X-Echo": "yes"})

    async with FakeServer(echo) as server, httpx2.AsyncClient() as client:
        first = await client.post(f"{server.url}/a%20b?q=1&r=", json={"x": [1, {"y": 2}]}, headers={"X-Key": "k"})
        await client.put(server.url, content=b"not json")
    request, other = server.requests
    assert first.json() == {"n": 1, "path": "/a b"}
    assert first.headers["x-echo"] == "yes"
    assert (request.method, request.query, request.headers["x-key"]) == ("POST", {"q": "1"}, "k")
    assert (request.get("x", 1, "y"), request.get("x", 5), request.get("nope", "y")) == (2, None, None)
    assert (other.json, other.body, other.data) == (None, b"not json", {})
    assert request.arrived <= other.arrived


async def test_a_script_that_has_run_out_says_so() -> None:
    async with FakeServer([Reply.text("first")]) as server:
        server.queue(Reply.text("queued"))
        assert (await get(server)).text == "queued"
        assert (await get(server)).status_code == 501


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_threaded_server_answers_while_the_test_blocks(vendor: Vendor) -> None:
    path = {"openai": "/v1/models", "anthropic": "/v1/models", "ollama": "/api/tags"}[vendor]
    with ThreadedServer(FakeVendor(vendor)) as fake:
        request = urllib.request.Request(fake.url + path, headers={"anthropic-version": "2023-06-01"})
        with urllib.request.urlopen(request) as response:
            assert json.load(response)
        fake.wait_for_requests(1)
        fake.wait_idle()
        assert fake.server.requests[0].path == path


def test_a_gate_opens_from_another_thread() -> None:
    gate = Gate()
    reply = Reply(body=[b"one ", gate, b"two"])
    with ThreadedServer(FakeServer(reply)) as fake, urllib.request.urlopen(fake.url) as response:
        assert response.read(4) == b"one "
        gate.open()
        assert response.read() == b"two"


def test_nobody_answers_at_a_dead_or_a_silent_port() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", dead_port()), timeout=5)
    with SilentPort() as silent:
        port = int(silent.url.rsplit(":", 1)[1])
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", port), timeout=0.2)


async def test_closing_drops_the_answers_under_way() -> None:
    server = FakeServer(Reply(end="hang", no_headers=True))
    await server.start()
    asking = asyncio.create_task(partial(server))
    await server.wait_for_requests(1)
    await server.close()
    assert (await asking)[0] == b""
