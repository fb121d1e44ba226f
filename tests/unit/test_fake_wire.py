"""The wire formats of the fakes: what the builders leave out on request, and the framings that keep the meaning."""

import json
import re
from collections.abc import Sequence
from typing import cast

import anthropic
import openai
import pytest

from tests.servers.clients import anthropic_client, chat, chat_text, openai_client
from tests.servers.framings import FRAMINGS, SDK_LIMITS, every_split, framings
from tests.servers.samples import FULL, TEXT
from tests.servers.script import ErrorEvent, RawEvent, Say, Script, Used, say
from tests.servers.vendors import FakeVendor
from tests.servers.wire import WIRES, WireName, stream_reply, whole_reply

WIRE_NAMES = list(WIRES)


# -- what the builders leave out, and what they let through

MARKS: dict[WireName, tuple[str, str]] = {
    "openai": ('"finish_reason":"stop"', "[DONE]"),
    "responses": ("response.completed", "response.completed"),
    "anthropic": ('"stop_reason":"end_turn"', "message_stop"),
    "ollama": ('"done":true', '"done":true'),
}


@pytest.mark.parametrize("name", WIRE_NAMES)
def test_end_markers_can_be_left_out(name: WireName) -> None:
    reason, mark = MARKS[name]
    script: Script = [*say("one two"), Used(1, 2)]

    def body(*, end: bool = True, done: bool = True) -> str:
        return b"".join(WIRES[name].stream(script, end=end, done=done)).decode()

    assert reason in body()
    assert mark in body()
    assert mark not in body(done=False)
    assert reason not in body(end=False)
    assert mark not in body(end=False)
    assert " two" in body(end=False)


@pytest.mark.parametrize("name", WIRE_NAMES)
def test_raw_and_error_events_stand_where_the_script_puts_them(name: WireName) -> None:
    broken = b'data: {"oops\n\n'
    script: Script = [Say("one"), RawEvent(broken), Say("two"), ErrorEvent("overloaded_error", "Overloaded")]
    events = WIRES[name].stream(script)
    at = events.index(broken)
    assert b"one" in events[at - 1]
    assert b"two" in events[at + 1]
    assert b"Overloaded" in events[-1]
    assert b"Overloaded" in whole_reply(name, script).payload()


async def test_an_error_inside_a_stream_reaches_each_sdk() -> None:
    script: Script = [Say("one"), ErrorEvent("overloaded_error", "Overloaded")]
    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.script = script
        with pytest.raises(openai.APIError, match="Overloaded"):
            await chat(client)
        stream = await client.responses.create(model="m", input="x", stream=True)
        assert [event.type async for event in stream][-1] == "error"
        fake.script = [Say("one"), ErrorEvent("server_error", "Overloaded", failed=True)]
        stream = await client.responses.create(model="m", input="x", stream=True)
        assert [event.type async for event in stream][-1] == "response.failed"
    async with FakeVendor("anthropic") as fake, anthropic_client(fake) as other:
        fake.script = script
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            async with other.messages.stream(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]
            ) as events:
                await events.until_done()


# -- framings


def read_events(pieces: Sequence[bytes], wire: WireName) -> list[object]:
    """A slow and simple reader of both formats, to compare framings with."""
    text = b"".join(pieces).decode("utf-8-sig")
    lines = re.split(r"\r\n|\r|\n", text)
    if wire == "ollama":
        return [json.loads(line) for line in lines if line.strip()]
    events: list[object] = []
    data: list[str] = []
    for line in lines:
        if not line and data:
            joined = "\n".join(data)
            events.append(joined if joined == "[DONE]" else json.loads(joined))
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return events


@pytest.mark.parametrize(("wire", "framing"), [(wire, framing) for wire in WIRE_NAMES for framing in framings(wire)])
def test_a_framing_keeps_the_meaning(wire: WireName, framing: str) -> None:
    plain = stream_reply(wire, FULL)
    cut = stream_reply(wire, FULL, cut=framings(wire)[framing])
    assert read_events(cast("list[bytes]", cut.body), wire) == read_events([plain.payload()], wire)


def test_framings_cut_inside_characters_and_at_every_byte() -> None:
    body = "data: \U0001f600\n\n".encode()
    assert FRAMINGS["inside_characters"](body)[:4] == [b"data: \xf0", b"\x9f", b"\x98", b"\x80\n\n"]
    assert FRAMINGS["every_byte"](body) == [bytes([byte]) for byte in body]
    splits = list(every_split(b"abc"))
    assert splits == [(1, [b"a", b"bc"]), (2, [b"ab", b"c"])]


@pytest.mark.parametrize("framing", sorted(FRAMINGS.keys() - SDK_LIMITS))
async def test_openai_sdk_reads_every_framing_within_its_limits(framing: str) -> None:
    async with FakeVendor("openai") as fake, openai_client(fake) as client:
        fake.script = FULL
        plain = await chat(client)
        fake.framing = FRAMINGS[framing]
        cut = await chat(client)
    assert chat_text(cut) == TEXT
    assert cut == plain


@pytest.mark.parametrize("framing", sorted(FRAMINGS.keys() - SDK_LIMITS))
async def test_anthropic_sdk_reads_every_framing_within_its_limits(framing: str) -> None:
    async with FakeVendor("anthropic") as fake, anthropic_client(fake) as client:
        fake.script = FULL
        fake.framing = FRAMINGS[framing]
        async with client.messages.stream(
            model="m", max_tokens=100, messages=[{"role": "user", "content": "time?"}]
        ) as stream:
            final = await stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block.text for block in final.content if block.type == "text"] == [TEXT]
