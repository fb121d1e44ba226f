"""Token counts without asking anybody: what text and attachments weigh, and what is learned from reported usage."""

from __future__ import annotations

import json
import os
import stat
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli import paths
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    MediaPart,
    MessageRole,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    system,
    user,
)
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.usage.media_tokens import image_size, media_tokens
from coda_cli.engine.usage.token_factors import LEAST, MOST, TokenFactors
from coda_cli.engine.usage.tokens import PER_MESSAGE, ModelCounter, TokenEstimator, text_tokens

PROSE = (
    "The committee met on Tuesday morning to discuss the proposal that had been circulating for several weeks. Most of "
    "the members agreed that the plan was sensible, although a few of them worried about the cost and about how long "
    "the work would take. In the end they decided to wait until the spring.\n"
)
CODE = """def total(rows: list[dict[str, float]], *, key: str = "price") -> float:
    result = 0.0
    for index, row in enumerate(rows):
        if key not in row:
            raise KeyError(f"row {index} has no {key!r}")
        result += row[key]
    return result
"""


# ---- text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        # characters per token; the tokens that o200k makes of each are in brackets
        pytest.param(PROSE, 4.2, 5.4, id="prose"),  # 5.2
        pytest.param(CODE, 2.6, 4.2, id="code"),  # 3.6
        pytest.param(json.dumps([{"id": n, "score": n * 37.5, "ok": True} for n in range(40)]), 1.7, 2.6, id="json"),
        pytest.param(
            "人工智能正在改变我们的生活方式。许多公司使用大型语言模型来回答客户的问题。", 0.9, 1.5, id="chinese"
        ),
        pytest.param("東京は日本の首都であり、世界で最も人口の多い都市の一つです。", 1.0, 1.5, id="japanese"),
        pytest.param("서울은 대한민국의 수도이며 많은 사람들이 살고 있습니다.", 1.2, 2.0, id="korean"),
        pytest.param("Москва является столицей России и крупнейшим городом страны.", 2.5, 4.7, id="russian"),
        pytest.param("नई दिल्ली भारत की राजधानी है और यहाँ बहुत सारे लोग रहते हैं।", 1.7, 3.7, id="hindi"),
        pytest.param("😀🎉🚀🍕🌍", 0.3, 0.8, id="emoji"),
        pytest.param("iVBORw0KGgoAAAANSUhEUgAAAAUA" * 40, 1.2, 1.9, id="base64"),
        pytest.param("6b86b273ff34fce19d6b804eff5a3f57" * 40, 1.2, 2.0, id="hex"),
    ],
)
def test_text_weighs_what_its_script_weighs(text: str, least: float, most: float) -> None:
    assert least <= len(text) / text_tokens(text) <= most


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens_by_more_than_a_word(one: str, other: str) -> None:
    assert text_tokens(one) >= 0
    assert text_tokens(f"{one} . {other}") <= text_tokens(one) + text_tokens(other) + 8 + len(one + other)


@given(st.text(alphabet=st.characters(), min_size=1))
def test_any_text_has_a_weight(text: str) -> None:
    """Lone surrogates, controls and spaces too: nothing is free, or a message of it would never fill a window."""
    assert text_tokens(text) > 0


def test_the_empty_text_has_none() -> None:
    assert text_tokens("") == 0


# ---- messages and requests -----------------------------------------------------------------------------------


def test_a_message_carries_the_marks_around_it() -> None:
    assert ModelCounter().message(LLMMessage(role=MessageRole.USER)) == PER_MESSAGE
    assert ModelCounter().message(user(PROSE)) >= PER_MESSAGE + int(text_tokens(PROSE))


def test_tool_calls_and_results_count_by_their_text() -> None:
    count = ModelCounter().message
    short = LLMMessage(role=MessageRole.ASSISTANT, parts=[ToolCallPart(id="1", name="f", arguments="{}")])
    long = LLMMessage(role=MessageRole.ASSISTANT, parts=[ToolCallPart(id="1", name="f", arguments=CODE)])
    result = LLMMessage(role=MessageRole.TOOL, parts=[ToolResultPart(id="1", name="f", text=PROSE)])
    assert count(long) - count(short) >= int(text_tokens(CODE)) - 5
    assert count(result) > text_tokens(PROSE)


def test_thinking_counts_only_where_it_goes_back_to_the_vendor() -> None:
    count = ModelCounter().message
    said = [TextPart(text="Yes.")]
    bare = count(LLMMessage(role=MessageRole.ASSISTANT, parts=said))
    unsigned, signed, hidden = (
        count(LLMMessage(role=MessageRole.ASSISTANT, parts=[part, *said]))
        for part in (
            ReasoningPart(text=PROSE),
            ReasoningPart(text=PROSE, signature="s"),
            ReasoningPart(data="A" * 600, provider="p"),
        )
    )
    assert unsigned == bare
    assert signed > bare + text_tokens(PROSE) - 1
    assert hidden == bare + 100


def test_a_request_counts_its_tools_and_its_schema() -> None:
    count = ModelCounter().request
    bare = ProviderRequest("m", [system("Be brief."), user(PROSE)])
    tool = ToolSpec("weather", "The weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}})
    assert count(bare) > text_tokens(PROSE)
    assert count(ProviderRequest("m", bare.messages, tools=[tool])) > count(bare) + 20
    assert count(ProviderRequest("m", bare.messages, schema={"type": "object"})) > count(bare)


def test_a_counter_can_be_set_right_by_an_exact_count() -> None:
    request = ProviderRequest("m", [user(PROSE), user("x", [ImagePart(data=b"?", media_type="image/png")])])
    for exact in (1_700, 1_800, 5_000):
        assert abs(ModelCounter().corrected(request, exact).request(request) - exact) <= 1
    assert ModelCounter().corrected(request, 3).message(user(PROSE)) >= 1


# ---- attachments ---------------------------------------------------------------------------------------------


def _png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)


def _jpeg(width: int, height: int) -> bytes:
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"abcd"
    return b"\xff\xd8" + comment + b"\xff\xc2" + struct.pack(">HBHH", 17, 8, height, width) + bytes(10)


def _webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + body


@pytest.mark.parametrize(
    "data",
    [
        _png(640, 480),
        _jpeg(640, 480),
        b"GIF89a" + struct.pack("<HH", 640, 480),
        _webp(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
        _webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)),
        _webp(b"VP8 ", bytes(6) + struct.pack("<HH", 640, 480)),
    ],
    ids=["png", "jpeg", "gif", "webp-extended", "webp-lossless", "webp-lossy"],
)
def test_the_size_of_an_image_is_read_off_its_first_bytes(data: bytes) -> None:
    assert image_size(data) == (640, 480)
    assert media_tokens(ImagePart(data=data, media_type="image/png")) == round(640 * 480 / 750)


@given(st.sampled_from([_png(9, 9), _jpeg(9, 9), b"GIF89a", _webp(b"VP8X", b""), b""]), st.binary(max_size=60))
def test_a_damaged_image_weighs_something_and_breaks_nothing(head: bytes, tail: bytes) -> None:
    for data in (head[: len(tail)] + tail, head + tail):
        assert 85 <= media_tokens(ImagePart(data=data, media_type="image/png")) <= 1_600


def test_a_huge_image_weighs_what_vendors_scale_it_to() -> None:
    assert media_tokens(ImagePart(data=_png(8_000, 8_000), media_type="image/png")) == 1_600
    assert media_tokens(ImagePart(data=_png(8_000, 100), media_type="image/png")) == 85
    assert media_tokens(ImagePart(data=b"not an image", media_type="image/png")) == 1_600


def test_sound_goes_by_its_length_and_a_pdf_by_its_pages() -> None:
    header = b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8_000, 8_000, 1, 8)
    minute = header + bytes(60 * 8_000 - len(header))
    assert media_tokens(AudioPart(data=minute, media_type="audio/wav")) == 600
    assert media_tokens(AudioPart(data=bytes(160_000), media_type="audio/mpeg")) == 100
    pages = b"%PDF /Type /Pages /Type /Page >> /Type/Page /Type /Page\n"
    assert media_tokens(FilePart(data=pages, media_type="application/pdf")) == 7_500
    assert media_tokens(FilePart(data=bytes(120_000), media_type="application/pdf")) == 7_500


# ---- what is learned -----------------------------------------------------------------------------------------

REQUEST = ProviderRequest("m", [user(PROSE * 5)])
RAW = ModelCounter().request(REQUEST)


def _file() -> Path:
    return paths.cache_dir() / "token-factors.json"


def test_reported_tokens_move_the_estimate_of_that_model_only() -> None:
    estimator = TokenEstimator()
    estimator.learn("p", "m", REQUEST, 2 * RAW)
    assert abs(estimator.counter("p", "m").request(REQUEST) - 2 * RAW) <= 2
    assert estimator.count_message(user(PROSE), "p", "m") > 1.8 * estimator.count_message(user(PROSE))
    assert estimator.counter("p", "other").request(REQUEST) == RAW
    assert estimator.counter("q", "m").request(REQUEST) == RAW


def test_a_counter_does_not_change_while_it_is_used() -> None:
    estimator = TokenEstimator()
    counter = estimator.counter("p", "m")
    estimator.learn("p", "m", REQUEST, 2 * RAW)
    assert counter.request(REQUEST) == RAW


def test_the_factor_settles_on_what_is_reported_again_and_again() -> None:
    factors = TokenFactors(persist=False)
    factors.learn("p", "m", 1_000, 900)
    for _ in range(40):
        factors.learn("p", "m", 1_000, 1_500)
    assert factors.get("p", "m") == pytest.approx(1.5, rel=0.01)
    for _ in range(60):
        factors.learn("p", "m", 1_000, 800)
    assert factors.get("p", "m") == pytest.approx(0.8, rel=0.01)


def test_one_strange_report_moves_it_little() -> None:
    factors = TokenFactors(persist=False)
    for _ in range(5):
        factors.learn("p", "m", 1_000, 1_000)
    factors.learn("p", "m", 10_000, 60)  # a server that left out what it had cached
    assert factors.get("p", "m") > 0.85
    factors.learn("p", "m", 1_000, 100_000)
    assert factors.get("p", "m") < 1.5


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=20))
def test_whatever_is_reported_the_factor_stays_in_its_bounds(reports: list[tuple[float, float]]) -> None:
    factors = TokenFactors(persist=False)
    for estimated, reported in reports:
        factors.learn("p", "m", estimated, reported)
    assert LEAST <= factors.get("p", "m") <= MOST


@pytest.mark.parametrize(("estimated", "reported"), [(49, 100), (100, 49), (100, 0), (-1, 100), (float("nan"), 100)])
def test_too_small_a_request_teaches_nothing(estimated: float, reported: float) -> None:
    factors = TokenFactors()
    factors.learn("p", "m", estimated, reported)
    assert factors.get("p", "m") == 1.0
    assert not _file().exists()


def test_a_request_that_is_mostly_attachments_teaches_nothing() -> None:
    estimator = TokenEstimator()
    picture: MediaPart = ImagePart(data=b"?", media_type="image/png")
    estimator.learn("p", "m", ProviderRequest("m", [user(PROSE, [picture])]), 10_000)
    assert estimator.factors.get("p", "m") == 1.0


def test_what_was_learned_outlives_the_process_in_a_private_file() -> None:
    before = os.umask(0)
    try:
        TokenFactors().learn("p", "org/m:latest \udce9", 1_000, 1_500)
    finally:
        os.umask(before)
    assert TokenFactors().get("p", "org/m:latest \udce9") == 1.5
    assert stat.S_IMODE(_file().stat().st_mode) == 0o600
    assert [path.name for path in _file().parent.iterdir()] == ["token-factors.json"]


def test_it_is_written_only_when_it_has_moved() -> None:
    factors = TokenFactors()
    factors.learn("p", "m", 1_000, 1_040)
    assert not _file().exists()
    factors.learn("p", "m", 1_000, 1_400)
    written = _file().read_bytes()
    factors.learn("p", "m", 1_000, round(1_000 * factors.get("p", "m")))
    assert _file().read_bytes() == written


def test_two_processes_keep_what_the_other_learned() -> None:
    one, other = TokenFactors(), TokenFactors()
    one.get("p", "m")
    other.get("p", "m")
    one.learn("p", "m", 1_000, 2_000)
    other.learn("q", "m", 1_000, 3_000)
    fresh = TokenFactors()
    assert (fresh.get("p", "m"), fresh.get("q", "m")) == (2.0, 3.0)


def test_incognito_writes_nothing_and_still_learns() -> None:
    estimator = TokenEstimator(persist=False)
    estimator.learn("p", "m", REQUEST, 3 * RAW)
    assert estimator.counter("p", "m").factor > 2.9
    assert not paths.cache_dir().exists()


def test_a_read_only_disk_is_no_error() -> None:
    paths.cache_dir().parent.mkdir(parents=True)
    paths.cache_dir().write_text("a file where the folder should be")
    factors = TokenFactors()
    factors.learn("p", "m", 1_000, 2_000)
    assert factors.get("p", "m") == 2.0


def test_the_file_does_not_grow_without_bound() -> None:
    entries = {f"p/{number}": [2.0, 1] for number in range(2_000)}
    paths.private_dir(paths.cache_dir())
    _file().write_text(json.dumps({"version": 1, "factors": entries}))
    TokenFactors().learn("p", "new", 1_000, 2_000)
    kept = json.loads(_file().read_text())["factors"]
    assert len(kept) == 500
    assert "p/new" in kept


DAMAGE: list[Any] = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[" * 100_000,
    b"[]",
    b"null",
    b'{"version": 2, "factors": {"p/m": [2.0, 1]}}',
    b'{"version": 1, "factors": []}',
    b'{"version": 1, "factors": {"p/m": 2.0}}',
    b'{"version": 1, "factors": {"p/m": [NaN, 1]}}',
    b'{"version": 1, "factors": {"p/m": [900, 1]}}',
    b'{"version": 1, "factors": {"p/m": ["2", 1]}}',
    b'{"version": 1, "factors": {"p/m": [2.0, -1]}}',
]


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_file_is_as_good_as_none(damage: bytes) -> None:
    paths.private_dir(paths.cache_dir())
    _file().write_bytes(damage)
    factors = TokenFactors()
    assert factors.get("p", "m") == 1.0
    factors.learn("p", "m", 1_000, 2_000)
    assert TokenFactors().get("p", "m") == 2.0


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_no_bytes_in_the_file_break_it(content: bytes) -> None:
    paths.private_dir(paths.cache_dir())
    _file().write_bytes(content)
    assert LEAST <= TokenFactors().get("p", "m") <= MOST
