"""What a server takes: sizes, numbers, patience (FAULTS 54, 55)."""

from __future__ import annotations

import asyncio
import json
import os
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coda_cli.server.options import Limits
from tests.unit.server_kit import Running, frame, next_frame, next_text, opened, raw, running, upgrade


async def closed_with(kit: Running, sent: bytes) -> int:
    """The code that a client is closed with which sends *sent*."""
    reader, writer = await opened(kit.port, kit.server.token)
    await next_frame(reader)
    writer.write(sent)
    while (one := await next_frame(reader))[0] != 8:
        pass
    writer.close()
    return int.from_bytes(one[1][:2], "big")


def long_frame(size: int, first: int = 0x81) -> bytes:
    return bytes([first, 0xFF]) + size.to_bytes(8, "big") + bytes(4) + b" " * size


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (long_frame(2 << 20), 1009),
        (long_frame((64 << 10) + 1), 1009),
        (long_frame(40_000, 0x01) + long_frame(40_000, 0x80), 1009),
        (frame(b"\x00\x01", opcode=2), 1003),
        (frame(b"\xff\xfe", opcode=1), 1007),
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # an opcode that does not exist
        (b"\xc1\x80\x00\x00\x00\x00", 1002),  # compressed, which was not agreed on
        (b"\x89\xfe\x00\xff" + bytes(4 + 255), 1002),  # a ping that is too long
    ],
    ids=["2 MB", "over 64 KB", "over 64 KB in two", "binary", "no UTF-8", "opcode", "compressed", "long ping"],
)
async def test_a_frame_that_is_too_much_closes_its_own_connection_only(sent: bytes, code: int) -> None:
    async with running() as kit, kit.watch() as other:
        assert await closed_with(kit, sent) == code
        await kit.manager.generate_response("x")
        await other.until("response_complete")


async def test_nothing_is_compressed_so_nothing_can_be_blown_up() -> None:
    bomb = zlib.compress(bytes(50 << 20))
    async with running(allow_ask=True) as kit:
        reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
        headers = [("Host", f"127.0.0.1:{kit.port}"), ("Authorization", f"Bearer {kit.server.token}"), *upgrade()]
        headers.append(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"))
        writer.write(("GET /events HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n").encode())
        assert b"extensions" not in (await reader.readuntil(b"\r\n\r\n")).lower()
        writer.close()
        deflated = {**kit.bearer, "Content-Encoding": "deflate", "Content-Type": "application/json"}
        async with kit.http.post(f"{kit.server.url}/v1/chat/completions", data=bomb, headers=deflated) as answer:
            assert answer.status == 415


async def test_messages_that_are_none_are_answered_and_the_connection_goes_on() -> None:
    async with running() as kit, kit.watch() as watcher:
        for text, code in {"nonsense": "bad_json", "[]": "bad_type", '{"type":"dance"}': "bad_type"}.items():
            await watcher.socket.send_str(text)
            told = await watcher.hear()
            assert (told["type"], told["code"]) == ("error", code)
        await watcher.tell(type="replay", after=-1, ref="mine")
        told = await watcher.hear()
        assert (told["code"], told["ref"]) == ("bad_message", "mine")
        await kit.manager.generate_response("x")
        await watcher.until("response_complete")


async def test_one_client_too_many_is_told_so_and_a_place_that_is_free_again_is_given() -> None:
    async with running(limits=Limits(clients=3)) as kit:
        held = [await opened(kit.port, kit.server.token) for _ in range(3)]
        headers = [("Host", f"127.0.0.1:{kit.port}"), ("Authorization", f"Bearer {kit.server.token}"), *upgrade()]
        status, body = await raw(kit.port, "/events", headers)
        assert status == 503
        assert json.loads(body)["error"]["code"] == "too_many"
        held[0][1].close()
        for _ in range(500):
            if kit.server.clients == 2:
                break
            await asyncio.sleep(0.01)
        reader, writer = await opened(kit.port, kit.server.token)
        assert (await next_text(reader))["type"] == "hello"
        for one in (*held, (reader, writer)):
            one[1].close()


async def test_pages_that_have_not_shown_the_token_take_no_place_of_those_that_have() -> None:
    async with running(limits=Limits(unproven=2, proof_seconds=0.4)) as kit:
        own = f"127.0.0.1:{kit.port}"
        waiting = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
            headers = [("Host", own), ("Origin", f"http://{own}"), *upgrade()]
            writer.write(("GET /events HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers) + "\r\n").encode())
            await reader.readuntil(b"\r\n\r\n")
            waiting.append((reader, writer))
        assert (await raw(kit.port, "/events", [("Host", own), ("Origin", f"http://{own}"), *upgrade()]))[0] == 503
        async with kit.watch():
            pass
        for reader, writer in waiting:  # they had their time
            opcode, payload = await next_frame(reader)
            assert (opcode, payload[:2]) == (8, (1008).to_bytes(2, "big"))
            writer.close()


async def test_more_connections_than_there_is_room_for_are_refused_at_once() -> None:
    async with running(limits=Limits(connections=10)) as kit:
        held = [await asyncio.open_connection("127.0.0.1", kit.port) for _ in range(10)]
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 503 ")
        writer.close()
        for _, one in held:
            one.close()
        await asyncio.sleep(0.05)
        assert (await raw(kit.port, "/healthz", [("Host", f"127.0.0.1:{kit.port}")]))[0] == 200


@pytest.mark.parametrize(
    "begun", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", b"\x16\x03\x01"]
)
async def test_who_does_not_say_what_it_wants_in_time_is_cut(begun: bytes) -> None:
    async with running(limits=Limits(header_seconds=0.3)) as kit:
        reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
        writer.write(begun)
        cut = asyncio.create_task(reader.read())
        while not cut.done():  # a byte from time to time does not buy more time
            await asyncio.wait([cut], timeout=0.05)
            if begun and not cut.done():
                writer.write(b"x")
        writer.close()
        assert (await raw(kit.port, "/healthz", [("Host", f"127.0.0.1:{kit.port}")]))[0] == 200


async def test_a_slow_body_is_not_waited_for() -> None:
    async with running(limits=Limits(body_seconds=0.2), allow_ask=True) as kit:
        host = [("Host", f"127.0.0.1:{kit.port}"), ("Authorization", f"Bearer {kit.server.token}")]
        status, _ = await raw(kit.port, "/v1/chat/completions", [*host, ("Content-Length", "100")], method="POST")
        assert status == 408


async def test_a_body_that_is_too_large_is_not_read() -> None:
    async with running(limits=Limits(body_bytes=1 << 20), allow_ask=True) as kit:
        host = [("Host", f"127.0.0.1:{kit.port}"), ("Authorization", f"Bearer {kit.server.token}")]
        length = ("Content-Length", str(1 << 40))
        assert (await raw(kit.port, "/v1/chat/completions", [*host, length], method="POST"))[0] == 413

        async def pieces() -> AsyncIterator[bytes]:  # of a length that is not told
            for _ in range(48):
                yield os.urandom(1 << 16)

        async with kit.http.post(f"{kit.server.url}/v1/chat/completions", data=pieces(), headers=kit.bearer) as answer:
            assert answer.status == 413


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: {own}\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: {own}\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: {own}\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(500)) + b"\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: {own}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: {own}\r\nContent-Length: -1\r\n\r\n",
        b"NONSENSE\r\n\r\n",
    ],
    ids=["long field", "long line", "many fields", "two lengths", "negative length", "nonsense"],
)
async def test_a_head_that_is_none_is_refused(head: bytes) -> None:
    async with running() as kit:
        reader, writer = await asyncio.open_connection("127.0.0.1", kit.port)
        writer.write(head.replace(b"{own}", f"127.0.0.1:{kit.port}".encode()))
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        assert answer.split()[1] in (b"400", b"401", b"414", b"431")
        writer.close()


CONNECTIONS = 10_000 if os.environ.get("CODA_TEST_LONG") else 1_000


def _descriptors() -> int:
    folder = Path("/dev/fd")
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


async def test_very_many_connections_one_after_the_other_leave_nothing_behind() -> None:
    async with running(limits=Limits(connections=64)) as kit:
        before = _descriptors()
        for start in range(0, CONNECTIONS, 50):
            await asyncio.gather(*(_visit(kit, start + n) for n in range(50)))
        await asyncio.sleep(0.1)
        after = _descriptors()
        assert after <= before + 5
        assert kit.server.clients == 0
        async with kit.watch() as watcher:
            await kit.manager.generate_response("x")
            await watcher.until("response_complete")


async def _visit(kit: Running, number: int) -> None:
    if number % 3 == 0:
        _, writer = await asyncio.open_connection("127.0.0.1", kit.port)
    else:
        reader, writer = await opened(kit.port, kit.server.token)
        if number % 3 == 1:
            await next_text(reader)
    writer.transport.abort() if number % 2 else writer.close()


async def test_a_turn_takes_no_longer_for_a_client_that_does_not_read() -> None:
    async with running(["word " * 300], limits=Limits(behind_events=10, behind_bytes=1000, stall_seconds=60)) as kit:
        reader, writer = await opened(kit.port, kit.server.token)
        writer.write(frame({"type": "subscribe"}))
        for _ in range(2):
            await next_text(reader)
        started = time.monotonic()
        for _ in range(30):
            response = await asyncio.wait_for(kit.manager.generate_response("x")._result(), 20)
            assert response.content == "word " * 300
        assert time.monotonic() - started < 60
        writer.transport.abort()
