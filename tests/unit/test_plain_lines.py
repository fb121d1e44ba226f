"""Markdown as lines that can be listened to, however it is cut into pieces."""

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.plain.lines import Speaker, inline, spoken

PARTS = (
    "# T\n", "**b** ", "a. B ", "\n", "```py\n", "```\n", "| a | b |\n", "|---|---|\n", "- x\n", "\r", "\x1b[2J",
    "`c` ", "[t](http://x) ", "* * *\n", "> q\n", "word " * 50, "\u202e", "1. one\n", "__s__", "a\\", "|", "*", "[",
)  # fmt: skip
pieces = st.lists(st.sampled_from(PARTS) | st.text(max_size=12), max_size=25)


@given(pieces, st.integers(1, 7))
def test_the_lines_are_the_same_however_the_text_is_cut(parts: list[str], size: int) -> None:
    text = "".join(parts)
    for raw in (True, False):
        whole, cut = Speaker(raw=raw), Speaker(raw=raw)
        at_once = whole.feed(text) + whole.end()
        in_pieces = "".join(cut.feed(text[at : at + size]) for at in range(0, len(text), size)) + cut.end()
        assert sanitize(at_once) == at_once
        assert sanitize(in_pieces) == in_pieces
        if raw:
            assert in_pieces == at_once
        else:
            assert in_pieces.replace(" ", "").split("\n") == at_once.replace(" ", "").split("\n")


@given(pieces)
def test_no_word_is_lost(parts: list[str]) -> None:
    said = "".join(parts)
    heard = spoken(said)
    for word in ("word", "http://x"):
        assert said.count(word) <= heard.count(word)


@pytest.mark.parametrize(
    ("source", "heard"),
    [
        ("## A *b* ##", "Heading 2: A *b*"),
        ("* one\n  * two\n+ three", "- one\n  - two\n- three"),
        ("**a** and __b__, 2**3**4, `**c**`", "a and b, 2**3**4, **c**"),
        ("![a cat](cat.png) <b>", "image a cat (cat.png) <b>"),
        ("[x](<a b>) [http://y](http://y)", "x (a b) http://y"),
        ("***\n- - -", "----\n----"),
        ("~~~\n# no heading\n~~~", "Code:\n# no heading\nEnd of code."),
        ("````md\n```\nx\n```\n````\ny", "Code, md:\n```\nx\n```\nEnd of code.\ny"),
        ("```\nnever closed", "Code:\nnever closed\nEnd of code."),
        ("a | b\n--|--\n1 | 2\n\nend", "Table with the columns a, b.\na: 1; b: 2\nEnd of table.\n\nend"),
        ("a | b is no table", "a | b is no table"),
        ("so[^1] it is [^2], `[^1]`\n\n[^1]: why\n[^n]:", "so (note 1) it is (note 2), [^1]\n\nNote 1: why\nNote n:"),
        ("1. one\n2. two", "1. one\n2. two"),
    ],
)
def test_marks_become_words(source: str, heard: str) -> None:
    assert spoken(source) == heard + "\n"


def test_a_long_paragraph_is_said_sentence_by_sentence() -> None:
    speaker = Speaker()
    said = speaker.feed("This is a sentence of some length, which has **bold words** in it. " * 5)
    assert said.count("bold words") >= 3
    assert "\n" not in said
    assert "**" not in said


@given(st.text(max_size=200) | pieces.map("".join))
def test_inline_takes_any_text(text: str) -> None:
    said = inline(sanitize(text))
    assert sanitize(said) == said
