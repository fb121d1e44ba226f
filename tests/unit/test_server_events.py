"""Events over the WebSocket: the seed's block, subscriptions, replay, reconnects, clients that are slow."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings, strategies as st

from coda_cli import (
    CodaWebSocketIntegration,
    CodaWebSocketServer,
    ConfigError,
    ConversationManager,
    Event,
    LLMConfig,
    LLMProvider,
    ProviderConfig,
    Reply,
    ScriptedProvider,
    UsageError,
    WebSocketLLMManager,
)
from coda_cli.engine.core.events import ResponseChunk, ResponseComplete
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.server.log import EventLog
from coda_cli.server.options import Limits
from coda_cli.server.wire import WireError, framed, read
from tests.unit.server_kit import Running, Watcher, frame, next_frame, next_text, opened, running


async def test_the_seeds_block_broadcasts_an_answer() -> None:
    config = LLMConfig(
        providers={"openai": ProviderConfig(provider=LLMProvider.SCRIPTED, model="gpt-4")}, default_provider="openai"
    )
    # Set up WebSocket server
    server = CodaWebSocketServer()
    integration = CodaWebSocketIntegration(server)

    # Create WebSocket-enabled LLM manager
    llm_manager = WebSocketLLMManager(config)
    await llm_manager.set_websocket_integration(integration)
    assert server.url.startswith("http://127.0.0.1:")

    # All LLM operations now broadcast real-time events
    bearer = {"Authorization": f"Bearer {server.token}"}
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/events", headers=bearer) as socket:
        watcher = Watcher(socket, await socket.receive_json())
        await watcher.tell(type="subscribe")
        await watcher.until("subscribed")
        await llm_manager.generate_response("Hello")  # Broadcasts events
        heard = [one["type"] for one in await watcher.until("analytics_update")]
    assert [heard[0], heard[1], heard[-2]] == ["conversation_created", "response_start", "response_complete"]
    assert set(heard[2:-2]) == {"response_chunk"}
    await server.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as http:
            await http.get(f"{server.url}/healthz")
    await llm_manager.aclose()


async def test_a_frame_is_the_event_and_a_number_that_counts_through_all_of_them() -> None:
    async with running(["one", "two"]) as kit:
        subscription = kit.manager.subscribe()
        async with kit.watch() as watcher:
            await kit.manager.generate_response("a")
            await kit.manager.generate_response("b")
            heard = [*await watcher.until("analytics_update"), *await watcher.until("analytics_update")]
        subscription.close()
        told = [event.to_json() async for event in subscription]
        assert [{k: v for k, v in one.items() if k != "id"} for one in heard] == told
        assert [one["id"] for one in heard] == list(range(1, len(told) + 1))


async def test_a_client_sees_what_it_subscribes_to() -> None:
    async with (
        running(["one two three"]) as kit,
        kit.watch(types=["response_complete"]) as ends,
        kit.watch(conversation_id="mine") as mine,
    ):
        await kit.manager.generate_response("a", conversation_id="other")
        await kit.manager.generate_response("b", conversation_id="mine")
        assert [(await ends.hear())["conversation_id"] for _ in range(2)] == ["other", "mine"]
        heard = await mine.until("analytics_update")
        assert {one["conversation_id"] for one in heard} == {"mine"}


async def test_nothing_is_sent_before_it_is_asked_for() -> None:
    async with running() as kit, kit.http.ws_connect(f"{kit.server.url}/events", headers=kit.bearer) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        await kit.manager.generate_response("a")
        with pytest.raises(TimeoutError):
            await socket.receive_json(timeout=0.05)


async def test_a_client_goes_on_from_where_it_was() -> None:
    async with running(["one two", "three four", "five"]) as kit:
        async with kit.watch() as watcher:
            await kit.manager.generate_response("a")
            last = (await watcher.until("response_complete"))[-1]["id"]
            server = watcher.hello["server"]
        await kit.manager.generate_response("b")
        async with kit.watch(after=last) as watcher:
            await kit.manager.generate_response("c")
            heard = [one for _ in range(3) for one in await watcher.until("analytics_update")]
            assert [one["id"] for one in heard] == list(range(last + 1, last + 1 + len(heard)))
            await watcher.tell(type="replay", after=0, server=server, ref="again")
            assert await watcher.hear() == {"type": "replay", "after": 0, "last": kit.server.log.last, "ref": "again"}
            assert [(await watcher.hear())["id"] for _ in range(kit.server.log.last)] == list(
                range(1, kit.server.log.last + 1)
            )


@pytest.mark.parametrize("wanted", [{"after": 3}, {"after": 10_000}, {"after": 55, "server": "another"}])
async def test_what_is_not_there_any_more_is_told(wanted: dict[str, Any]) -> None:
    async with running(["a b c d e f g h"], limits=Limits(log_events=20)) as kit:
        for _ in range(6):
            await kit.manager.generate_response("x")
        await asyncio.sleep(0)
        log = kit.server.log
        assert log.oldest == log.last - 19
        async with kit.http.ws_connect(f"{kit.server.url}/events", headers=kit.bearer) as socket:
            watcher = Watcher(socket, await socket.receive_json())
            await watcher.tell(type="replay", **wanted)
            told = await watcher.hear()
            assert told["type"] == "replay_incomplete"
            assert told["oldest"] == log.oldest
            assert [(await watcher.hear())["id"] for _ in range(20)] == list(range(log.oldest, log.last + 1))


async def reconnecting(kit: Running, told: asyncio.Queue[dict[str, Any]], cuts: int, chance: random.Random) -> None:
    """Be cut *cuts* times, at any byte, and go on each time from the last event; all that comes is *told*."""
    last = 0
    for connection in itertools.count(1):
        reader, writer = await opened(kit.port, kit.server.token)
        writer.write(frame({"type": "replay", "after": last}))
        # A cut in the middle of a frame loses that frame; the budget is in bytes.
        left = chance.randrange(100, 2500) if connection <= cuts else 1 << 40
        try:
            while True:
                opcode, payload = await next_frame(reader)
                left -= len(payload) + 4
                if left < 0:
                    break
                if opcode == 1 and "id" in (one := json.loads(payload)):
                    last = one["id"]
                    told.put_nowait({**one, "connection": connection})
        finally:
            writer.transport.abort()


async def test_a_client_that_is_cut_a_thousand_times_sees_every_end_once_and_rebuilds_every_answer() -> None:
    chance = random.Random(7)
    alphabet = 'abc äöü 漢字 😀 \n\t"\\ \u2028 \x00 <b>'
    texts = ["".join(chance.choices(alphabet, k=chance.randrange(1, 90))) + "." for _ in range(900)]
    gathered: list[dict[str, Any]] = []
    async with running(texts) as kit:
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        client = asyncio.create_task(reconnecting(kit, told, 1000, chance))
        asked = 0
        under_way: set[asyncio.Task[Any]] = set()
        ends = 0
        while ends < len(texts):
            while asked < len(texts) and asked - ends < 3:  # three at a time
                under_way.add(asyncio.create_task(_asked(kit, f"chat-{asked}")))
                asked += 1
            gathered.append(await asyncio.wait_for(told.get(), 20))
            ends += gathered[-1]["type"] == "response_complete"
        await asyncio.gather(*under_way)
        client.cancel()
    assert gathered[-1]["connection"] > 1000
    ids = [one["id"] for one in gathered]
    assert ids == list(range(1, len(ids) + 1))
    whole = {one["response_id"]: one for one in gathered if one["type"] == "response_complete"}
    assert len(whole) == len(texts)
    built: dict[str, str] = {}
    for one in gathered:
        if one["type"] == "response_chunk":
            built[one["conversation_id"]] = built.get(one["conversation_id"], "") + one["delta"]
    assert built == {one["conversation_id"]: one["content"] for one in whole.values()}
    assert Counter(built.values()) == Counter(texts)


async def _asked(kit: Running, chat: str) -> None:
    await kit.manager.generate_response("x", conversation_id=chat)


SMALL = Limits(behind_events=50, behind_bytes=8_000, log_bytes=1 << 22, log_events=100_000, stall_seconds=0.3)


def narrow(writer: asyncio.StreamWriter) -> None:
    """Let little stand in the kernel, so that it shows soon who does not read."""
    import socket

    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)


async def test_a_slow_client_loses_chunks_is_told_how_many_and_never_an_end() -> None:
    reply = Reply("word " * 3_000)
    limits = Limits(behind_events=50, behind_bytes=8_000, log_bytes=1 << 26, log_events=500_000, stall_seconds=30)
    async with running([reply], limits=limits) as kit:
        reader, writer = await opened(kit.port, kit.server.token)
        narrow(writer)
        writer.write(frame({"type": "subscribe"}))
        for _ in range(2):
            await next_text(reader)
        for _ in range(3):
            await kit.manager.generate_response("x")  # nothing is read meanwhile
        heard: list[dict[str, Any]] = []
        while sum(one["type"] == "response_complete" for one in heard) < 3:
            heard.append(await next_text(reader))
        writer.close()
    ids = [one["id"] for one in heard if "id" in one]
    assert ids == sorted(set(ids))
    lost = sum(one["count"] for one in heard if one["type"] == "events_lost")
    assert lost > 0
    assert len(ids) + lost == ids[-1]  # every event was sent, or counted
    assert all(one["content"] == reply.text for one in heard if one["type"] == "response_complete")
    assert [one["type"] for one in heard if "id" in one and "chunk" not in one["type"]].count("response_start") == 3
    for before, gap, after in zip(heard, heard[1:], heard[2:], strict=False):
        if gap["type"] == "events_lost":
            assert before["id"] == gap["after"]
            assert after["id"] == gap["to"] + 1


async def test_a_client_that_reads_nothing_is_closed_and_the_others_miss_nothing() -> None:
    async with running([Reply("word " * 3_000)], limits=SMALL) as kit:
        reader, writer = await opened(kit.port, kit.server.token)
        narrow(writer)
        writer.write(frame({"type": "subscribe"}))
        await next_frame(reader)
        async with kit.watch(types=["response_complete"]) as other:
            for _ in range(8):
                await kit.manager.generate_response("x")
                await other.until("response_complete")
            for _ in range(100):
                if kit.server.clients == 1:
                    break
                await kit.manager.generate_response("x")
                await asyncio.sleep(0.05)
            assert kit.server.clients == 1
            assert kit.server.log.bytes <= SMALL.log_bytes + 20_000
        writer.close()


async def test_a_client_that_the_events_have_overtaken_is_closed_not_cheated() -> None:
    limits = Limits(log_events=100, stall_seconds=60)
    async with running([Reply("word " * 4_000)], limits=limits) as kit:
        reader, writer = await opened(kit.port, kit.server.token)
        narrow(writer)
        writer.write(frame({"type": "subscribe"}))
        await next_frame(reader)
        for _ in range(2):
            await kit.manager.generate_response("x")
        known: list[int] = []
        code = 1013  # where the reason does not fit any more, the connection is cut
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while (one := await next_frame(reader))[0] in (1, 9):
                known += [number] if (number := json.loads(one[1] or b"{}").get("id")) else []
            assert one[0] == 8
            code = int.from_bytes(one[1][:2], "big")
        assert code == 1013
        assert known == list(range(1, len(known) + 1))
        assert len(known) < kit.server.log.last
        writer.close()


async def test_events_that_are_switched_off_cannot_be_served() -> None:
    manager = WebSocketLLMManager(LLMConfig(websocket_events_enabled=False), store=ConversationManager.in_memory())
    server = CodaWebSocketServer()
    with pytest.raises(ConfigError, match="switched off"):
        await manager.set_websocket_integration(CodaWebSocketIntegration(server))
    assert not server.running
    await manager.aclose()


async def test_another_integration_replaces_the_first_and_none_ends_it() -> None:
    async with running() as kit:
        second = CodaWebSocketServer()
        integration = CodaWebSocketIntegration(second)
        await kit.manager.set_websocket_integration(integration)
        assert (kit.server.running, second.running) == (False, True)
        other = WebSocketLLMManager(kit.manager.config, store=ConversationManager.in_memory())
        with pytest.raises(UsageError, match="already"):
            await other.set_websocket_integration(integration)
        await kit.manager.set_websocket_integration(None)
        assert not second.running


async def test_a_server_that_ends_tells_its_clients_all_there_is_first() -> None:
    async with running([Reply("word " * 500)]) as kit, kit.watch() as watcher:
        await kit.manager.generate_response("x")
        closing = asyncio.create_task(kit.manager.aclose())
        heard = await watcher.until("response_complete")
        assert heard[-1]["content"] == "word " * 500
        while (message := await watcher.socket.receive(5)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == 1001
        await closing


async def test_a_key_that_a_provider_says_back_is_in_no_frame() -> None:
    canary = "sk-canary-0123456789abcdef"
    from coda_cli import LLMAuthenticationError

    class Telling(ScriptedProvider):
        def secrets(self) -> tuple[str, ...]:
            return (canary,)

    error = LLMAuthenticationError(f"the key {canary} is refused", hint=f"look at {canary}")
    async with running() as kit:
        kit.manager._providers["fake"] = Telling(replies=[Reply("so far", error=error)])
        async with kit.watch() as watcher:
            with pytest.raises(LLMAuthenticationError):
                await kit.manager.generate_response("x")
            heard = await watcher.until("response_error")
        assert "***" in json.dumps(heard)
        assert canary not in json.dumps(heard)
        assert kit.server.token not in json.dumps(heard)


# ---- the log and the codec by themselves


def chunk(text: str) -> Event:
    return ResponseChunk(seq=1, time=1.0, conversation_id="c", delta=text)


def end(text: str) -> Event:
    return ResponseComplete(
        response_id="r",
        provider="p",
        model="m",
        content=text,
        finish_reason="stop",
        status="complete",
        usage=TokenUsage(),
    )


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(st.text(max_size=60), max_size=120),
    count=st.integers(1, 40),
    size=st.integers(1, 4000),
)
def test_the_log_holds_the_latest_events_within_its_bounds(texts: list[str], count: int, size: int) -> None:
    log = EventLog(Limits(log_events=count, log_bytes=size))
    frames: list[bytes] = []
    for text in texts:
        frames.append(log.append(chunk(text)).frame)
        held = [entry for number in range(1, log.last + 1) if (entry := log.get(number)) is not None]
        assert [entry.id for entry in held] == list(range(log.oldest, log.last + 1))
        assert [entry.frame for entry in held] == frames[log.oldest - 1 :]
        assert sum(len(entry.frame) for entry in held) == log.bytes
        assert len(held) == 1 or (len(held) <= count and log.bytes <= size)
    assert log.get(0) is None
    assert log.get(log.last + 1) is None


def test_the_log_lets_go_of_what_it_has_dropped() -> None:
    log = EventLog(Limits(log_events=10))
    for number in range(5000):
        log.append(chunk(str(number)))
    assert len(log._entries) < 2100
    assert log.oldest == 4991


@given(st.text() | st.just("\ud83d"))
def test_a_frame_is_valid_utf8_whatever_stands_in_it(text: str) -> None:
    for event in (chunk(text), end(text)):
        told = json.loads(framed(event, 3).decode())
        assert told["id"] == 3
        assert (told.get("delta") or told.get("content") or "") == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
        max_leaves=12,
    )
    | st.fixed_dictionaries({"type": st.sampled_from(["auth", "subscribe", "replay", "ask", "cancel", "answer"])})
    | st.text()
)
def test_whatever_a_client_sends_is_a_message_or_an_error_that_says_so(data: object) -> None:
    text = data if isinstance(data, str) else json.dumps(data)
    with suppress(WireError):
        read(text)
