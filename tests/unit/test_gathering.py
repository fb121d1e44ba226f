"""Small pieces of a body gather for a moment before they are read; nothing else waits, and no byte is lost."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.providers.http import Gathering, read
from tests.servers.http import FakeServer
from tests.servers.reply import Body, Pause, Reply

TOKEN = 200


async def taken(body: Body) -> list[bytes]:
    """The pieces of *body* as they are read."""
    async with (
        FakeServer(Reply(body=body)) as server,
        httpx2.AsyncClient() as client,
        client.stream("GET", server.url) as response,
    ):
        return [chunk async for chunk in read(response, "the server")]


def pauses(reads: list[list[int]]) -> list[float]:
    """The pause in each of *reads*, which are the sizes of their pieces."""
    gathering = Gathering()
    out = []
    for pieces in reads:
        first, *rest = [gathering.came(size, read=not number) for number, size in enumerate(pieces)]
        assert not any(rest)
        out.append(first)
    return out


def test_the_first_word_and_what_follows_it_is_not_put_off() -> None:
    assert not any(pauses([[TOKEN]] * Gathering.PROMPT))


def test_the_tokens_of_a_fast_model_gather() -> None:
    assert all(pauses([[TOKEN] * 8] * 100)[Gathering.PROMPT :])


def test_a_body_in_large_pieces_is_never_put_off() -> None:
    assert not any(pauses([[16 * 1024]] * 200))


def test_a_body_of_many_small_pieces_a_read_is_put_off_once_in_a_while_at_most() -> None:
    put_off = [pause for pause in pauses([[TOKEN] * 300] * 1000) if pause]
    assert len(put_off) <= 1000 / Gathering.HURRY + 1


def test_where_nothing_gathers_nothing_is_put_off() -> None:
    put_off = [pause for pause in pauses([[TOKEN]] * 1000) if pause]
    assert len(put_off) <= 1000 * 2 * Gathering.IN_VAIN / Gathering.HURRY


@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=60), slow=st.sets(st.integers(0, 59)))
async def test_every_byte_arrives_in_order_however_it_came(pieces: list[bytes], slow: set[int]) -> None:
    body: list[bytes | Pause] = []
    for number, piece in enumerate(pieces):
        body += [Pause(0.001), piece] if number in slow else [piece]
    came = await taken(body)
    assert b"".join(came) == b"".join(pieces)


async def test_what_gathered_is_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    came = Gathering.came

    def counted(self: Gathering, size: int, *, read: bool) -> float:
        reads.append(read)
        return came(self, size, read=read)

    monkeypatch.setattr(Gathering, "came", counted)
    body = [item for number in range(300) for item in (Pause(0.001), b"%03d." % number)]
    assert len(await taken(body)) == len(reads) == 300
    assert sum(reads) < 200


async def test_it_can_be_left_while_it_gathers() -> None:
    body = [item for number in range(1000) for item in (Pause(0.001), b"%03d." % number)]
    async with FakeServer(Reply(body=body)) as server, httpx2.AsyncClient() as client:

        async def all_of_it() -> None:
            async with client.stream("GET", server.url) as response:
                async for _ in read(response, "the server"):
                    pass

        reader = asyncio.create_task(all_of_it())
        await server.wait_for_requests(1)
        await server.wait_sent(0, 400)
        reader.cancel()
        assert isinstance((await asyncio.gather(reader, return_exceptions=True))[0], asyncio.CancelledError)
        await server.wait_idle()
