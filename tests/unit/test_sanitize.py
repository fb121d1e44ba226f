"""The one boundary for untrusted text."""

from __future__ import annotations

import unicodedata

from hypothesis import given, strategies as st

from coda_cli.engine.rendering.sanitize import Sanitizer, sanitize

HOSTILE = st.text(alphabet=st.sampled_from("ab\r\n\t\x1b\x07\x9b\x9d\x85\x00\x7f\u202e\u2066\u200f\ud800é漢"))
BIDI = "\u061c\u200e\u200f" + "".join(map(chr, range(0x202A, 0x202F))) + "".join(map(chr, range(0x2066, 0x206A)))


def test_every_control_but_tab_and_newline_becomes_a_replacement() -> None:
    for code in [*range(0x20), *range(0x7F, 0xA0)]:
        char = chr(code)
        expected = char if char in "\t\n" else "\n" if char == "\r" else "\ufffd"
        assert sanitize(char) == expected, hex(code)


def test_bidi_controls_and_lone_surrogates_become_a_replacement() -> None:
    assert sanitize(BIDI + "\ud800\udfff") == "\ufffd" * (len(BIDI) + 2)


def test_carriage_returns_become_newlines() -> None:
    assert sanitize("a\r\nb\rc\r\r\nd") == "a\nb\nc\n\nd"


def test_ordinary_text_of_any_script_is_untouched() -> None:
    text = "naïve 漢字 😀👩‍👩‍👧 عربى עברית\t— “quoted”\n"
    assert sanitize(text) == text


def test_a_trailing_carriage_return_waits_for_the_next_chunk() -> None:
    sanitizer = Sanitizer()
    assert [sanitizer.feed("a\r"), sanitizer.feed(""), sanitizer.feed("\nb\r"), sanitizer.flush()] == [
        "a",
        "",
        "\nb",
        "\n",
    ]
    assert sanitizer.flush() == ""


@given(st.lists(HOSTILE))
def test_chunks_give_what_the_whole_gives(chunks: list[str]) -> None:
    sanitizer = Sanitizer()
    out = "".join([*map(sanitizer.feed, chunks), sanitizer.flush()])
    assert out == sanitize("".join(chunks))


@given(HOSTILE)
def test_nothing_dangerous_is_left_and_twice_is_as_once(text: str) -> None:
    safe = sanitize(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cs") or char in "\t\n" for char in safe)
    assert not set(safe) & set(BIDI)
    assert sanitize(safe) == safe
