"""The decoders by themselves: any cut means the same as the whole, and nothing grows without bound."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.core.errors import LLMBadResponseError
from coda_cli.engine.providers import wire
from coda_cli.engine.providers.wire import NDJSONDecoder, SSEDecoder, parse_json
from tests.unit.wire_cases import LONG

_settings = settings(max_examples=5000 if LONG else 200, deadline=None, database=None)
_LINES = st.sampled_from(
    [
        b"", b"", b"", b"data: a", b"data:b", b"data:  c", b"data: {}", b"data: [DONE]", b"event: x", b"event:y",
        b": comment", b":", b"id: 1", b"retry: 5", b"junk", b"data : no", b"Data: no",
        "data: \u2028 \u0085 \U0001f600".encode(), b"data: \xff\xfe", b"data: \x00", b" data: no",
    ]
)  # fmt: skip
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
_BODIES = st.lists(st.tuples(_LINES, _ENDS), max_size=12).map(lambda lines: b"".join(a + b for a, b in lines))
_CUTS = st.lists(st.integers(0, 120), max_size=8)


def pieces(body: bytes, cuts: list[int]) -> list[bytes]:
    """The body, cut at these offsets."""
    at = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(at)]


def read(make: Callable[[], SSEDecoder | NDJSONDecoder], chunks: list[bytes]) -> list[tuple[str, bytes]]:
    """All events, those at the end of the body included."""
    decoder = make()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.flush()


def feed_all(decoder: SSEDecoder | NDJSONDecoder, chunks: list[bytes], taken: list[int]) -> None:
    """Feed the chunks; *taken* gets the size of each that was taken."""
    for chunk in chunks:
        decoder.feed(chunk)
        taken.append(len(chunk))


def by_the_book(body: bytes) -> list[tuple[str, bytes]]:
    """The WHATWG algorithm, line by line; an event that the end of the body cuts off is given too."""
    out: list[tuple[str, bytes]] = []
    name, data = b"", list[bytes]()
    for line in [*re.split(rb"\r\n|\r|\n", body.removeprefix(b"\xef\xbb\xbf")), b""]:
        field, colon, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if data:
                out.append((name.decode("utf-8", "replace"), b"\n".join(data)))
            name, data = b"", []
        elif field == b"data" and colon:  # Coda passes over a bare `data`: no vendor means anything by it
            data.append(value)
        elif field == b"event" and colon:
            name = value.strip()
    return out


@_settings
@given(body=_BODIES | st.binary(max_size=60), cuts=_CUTS, bom=st.booleans())
def test_sse_cut_anywhere_is_what_the_specification_says(body: bytes, cuts: list[int], bom: bool) -> None:
    body = b"\xef\xbb\xbf" * bom + body
    assert read(SSEDecoder, pieces(body, cuts)) == read(SSEDecoder, [body])
    # an unfinished last event is not the specification's business; where the body ends in a blank line all agree
    finished = body + b"\n\n"
    assert read(SSEDecoder, pieces(finished, cuts)) == by_the_book(finished)


@_settings
@given(body=_BODIES)
def test_sse_events_come_as_soon_as_they_are_complete(body: bytes) -> None:
    decoder = SSEDecoder()
    for end in (b"\n\n", b"\r\n\r\n"):
        decoder.feed(b"data: 1" + end)
        assert decoder.feed(b"data: x" + end) == [("", b"x")]
        assert decoder.feed(body + end) == by_the_book(body + end)
        decoder = SSEDecoder()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\r\r", b""])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_last_event_counts_whatever_ends_the_body(end: bytes, size: int) -> None:
    body = b"data: 1\n\nevent: e\ndata: [DONE]" + end
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    assert read(SSEDecoder, chunks) == [("", b"1"), ("e", b"[DONE]")]


_VALUES = st.lists(st.text(max_size=10).map(lambda text: {"t": text}), max_size=6)


@_settings
@given(values=_VALUES, cuts=_CUTS, end=st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]), last=st.booleans())
def test_ndjson_cut_anywhere_is_the_same_lines(
    values: list[dict[str, str]], cuts: list[int], end: str, last: bool
) -> None:
    body = end.join(json.dumps(value, ensure_ascii=False) for value in values).encode("utf-8", "replace")
    body += end.encode() * last
    events = read(NDJSONDecoder, pieces(body, cuts))
    assert [name for name, _ in events] == [""] * len(values)
    assert [json.loads(data) for _, data in events] == [json.loads(json.dumps(value)) for value in values]


@pytest.mark.parametrize("make", [SSEDecoder, NDJSONDecoder])
@pytest.mark.parametrize(
    "chunks",
    [[b"x" * 999] * 30, [b"x" * 30_000], [b"data: 1\ndata: " + b"x" * 980] * 30, [b"data: x\n"] * 30_000],
    ids=["one line", "one chunk", "long data", "many lines"],
)
def test_an_event_without_end_is_given_up_in_time(
    make: Callable[[], SSEDecoder | NDJSONDecoder], chunks: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MAX_EVENT_BYTES", 10_000)
    if make is NDJSONDecoder and b"\n" in chunks[0]:
        return  # there a line is an event, and these are short
    taken: list[int] = []
    with pytest.raises(LLMBadResponseError) as caught:
        feed_all(make(), chunks, taken)
    at_most = 10_000 + len(chunks[0]) if len(chunks) < 1_000 else 10_001 * len(chunks[0])
    assert sum(taken) <= at_most
    assert caught.value.hint


def test_many_empty_data_lines_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds no byte, but each is kept."""
    monkeypatch.setattr(wire, "MAX_EVENT_BYTES", 10_000)
    with pytest.raises(LLMBadResponseError):
        feed_all(SSEDecoder(), [b"data:\n"] * 12_000, [])


def test_a_finished_large_event_within_the_bound_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_EVENT_BYTES", 10_000)
    decoder = SSEDecoder()
    for _ in range(20):  # together over the bound, each under it
        assert decoder.feed(b"data: " + b"x" * 9_000 + b"\n\n") == [("", b"x" * 9_000)]


# ---- JSON -----------------------------------------------------------------------------------------------------------

_ANY_TEXT = st.text(st.characters(codec=None), max_size=6)  # halves of surrogate pairs among them
_JSON = st.dictionaries(
    _ANY_TEXT,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@_settings
@given(value=_JSON, ascii_only=st.booleans())
def test_json_is_read_as_python_reads_it(value: dict[str, object], ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert repr(parse_json(data)) == repr(json.loads(data))


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a":1e400}', {"a": float("inf")}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":"\\ud83d\\ud83d\\ude00"}', {"a": "\ud83d\U0001f600"}),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
    ],
)
def test_what_is_json_only_nearly_is_read_too(data: bytes, value: object) -> None:
    assert parse_json(data) == value


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":"\x01"}', b'{"a":"\xff"}', b"[1]", b"1", b'{"a":' + b"[" * 100_000])
def test_broken_json_is_told_without_what_it_says(data: bytes) -> None:
    with pytest.raises(LLMBadResponseError, match=rf"JSON.*\({len(data)} bytes\)"):
        parse_json(data)
