"""Whatever bytes come, a mapping ends in an answer or in one of Coda's errors: no other exception, no hang.

Bodies go straight through the decoder and the mapping into a whole manager, so that what a mapping lets through and
a later part stumbles over is found too. Three kinds: bytes, JSON, and real answers with one value replaced.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any, Final

from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli.engine.core.errors import LLMError
from tests.servers.samples import FULL
from tests.servers.script import Redacted, Refuse, Say, Script, Think, Used
from tests.servers.wire import Wire
from tests.unit.wire_cases import LONG, ask, canned, each_wire

_EXAMPLES: Final = 5000 if LONG else 100
_settings = settings(max_examples=_EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_NASTY: Final[list[object]] = [
    None, True, 0, -1, 7, 1.5, 10**400, float("nan"), "", "x", "\ud800", [], [None], [1], [[]], ["x"], [{}],
    {}, {"a": 1}, {"type": "x"}, {"error": "x"},
]  # fmt: skip
_SCRIPT: Script = [
    *FULL[:6],
    Redacted(),
    Refuse("no"),
    *FULL[6:8],
    Used(input=100, output=40, cached=64, reasoning=8, cache_write=3),
]
_WHOLE: Script = [Think("Hm.", signature="c2ln"), Say("Hi"), Refuse("no"), *FULL[6:]]


async def feed(wire: Wire, pieces: list[bytes], content_type: str | None = None) -> None:
    """Ask a manager whose provider answers with *pieces*; every rule of `ask` must hold."""
    manager, provider = canned(wire)
    provider.pieces = pieces
    provider.headers = {"content-type": content_type} if content_type else None
    outcome = await ask(manager)
    assert outcome.error is None or isinstance(outcome.error, LLMError)


def paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*at, key))


def replaced(value: Any, at: tuple[str | int, ...], new: object) -> Any:
    """*value* with what stands at the path replaced."""
    if not at:
        return new
    out = copy.deepcopy(value)
    inner = out
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = new
    return out


def removed(value: Any, at: tuple[str | int, ...]) -> Any:
    """*value* without what stands at the path."""
    out = copy.deepcopy(value)
    inner = out
    for key in at[:-1]:
        inner = inner[key]
    del inner[at[-1]]
    return out


def payload(event: bytes) -> tuple[bytes, Any, bytes] | None:
    """(what stands before the JSON of an event, the JSON, what stands behind); None for an event without."""
    head, marker, rest = event.partition(b"data: ")
    head, rest = (head + marker, rest) if marker else (b"", event)
    text = rest.rstrip(b"\n")
    try:
        return head, json.loads(text), rest[len(text) :]
    except ValueError:
        return None


def mutations(wire: Wire) -> list[list[bytes]]:
    """Streams with one value of one event replaced or taken out."""
    pieces = wire.stream(_SCRIPT)
    out = []
    for number, event in enumerate(pieces):
        parsed = payload(event)
        if parsed is None:
            continue
        head, value, tail = parsed
        for at in paths(value):
            changed = [replaced(value, at, new) for new in _NASTY]
            changed += [removed(value, at)] if at else []
            for new in changed:
                made = head + json.dumps(new).encode() + tail
                out.append([*pieces[:number], made, *pieces[number + 1 :]])
    return out


def whole_mutations(wire: Wire) -> list[bytes]:
    """Whole answers with one value replaced or taken out."""
    value = wire.whole(_WHOLE)
    out = []
    for at in paths(value):
        changed = [replaced(value, at, new) for new in _NASTY] + ([removed(value, at)] if at else [])
        out += [json.dumps(new).encode() for new in changed]
    return out


@each_wire
def test_a_stream_with_one_value_changed_ends_well(wire: Wire) -> None:
    cases = mutations(wire)
    chosen = cases if LONG else cases[:: max(1, len(cases) // 400)]

    async def sweep() -> None:
        for pieces in chosen:
            await feed(wire, pieces)

    asyncio.run(sweep())


@each_wire
def test_a_whole_answer_with_one_value_changed_ends_well(wire: Wire) -> None:
    cases = whole_mutations(wire)
    chosen = cases if LONG else cases[:: max(1, len(cases) // 200)]

    async def sweep() -> None:
        for body in chosen:
            await feed(wire, [body], "application/json")

    asyncio.run(sweep())


@each_wire
@_settings
@given(body=st.binary(max_size=300), cut=st.integers(0, 300))
def test_any_bytes_end_well(wire: Wire, body: bytes, cut: int) -> None:
    for content_type in (None, "application/json", "text/plain"):
        asyncio.run(feed(wire, [body[:cut], body[cut:]], content_type))


@each_wire
@_settings
@given(values=st.lists(_JSON, max_size=4), name=st.sampled_from(["", "error", "message_start", "response.completed"]))
def test_any_json_ends_well(wire: Wire, values: list[object], name: str) -> None:
    lines = [json.dumps(value).encode() for value in values]
    if wire.name == "ollama":
        body = b"\n".join(lines) + b"\n"
    else:
        body = b"".join(f"event: {name}\n".encode() * bool(name) + b"data: " + line + b"\n\n" for line in lines)
    asyncio.run(feed(wire, [body]))
    asyncio.run(feed(wire, [lines[0] if lines else b""], "application/json"))


@each_wire
def test_nesting_up_to_the_limit_of_the_parser_ends_well(wire: Wire) -> None:
    async def sweep() -> None:
        for depth in range(700, 1010, 1 if LONG else 7):
            deep = b"[" * depth + b"]" * depth
            for made in (
                b'{"choices":[{"delta":{"content":' + deep + b"}}]}",
                b'{"type":"response.output_text.delta","delta":' + deep + b"}",
                b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":' + deep + b"}}",
                b'{"message":{"content":' + deep + b"}}",
                b'{"error":{"message":' + deep + b"}}",
            ):
                event = made + b"\n" if wire.name == "ollama" else b"data: " + made + b"\n\n"
                await feed(wire, [event])
                await feed(wire, [made], "application/json")

    asyncio.run(sweep())
