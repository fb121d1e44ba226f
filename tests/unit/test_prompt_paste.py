"""Pastes of the prompt: what is kept, what is thrown away, and the terminal's input around them."""

import random
import time

import pytest
from hypothesis import given, strategies as st
from textual.events import Key
from textual.message import Message

from coda_cli.tui import terminal_input
from coda_cli.tui.prompt_paste import BIG_CHARACTERS, BIG_LINES, Blocks, PasteGuard, clean, is_big, plain
from coda_cli.tui.terminal_input import InputParser

START, END = "\x1b[200~", "\x1b[201~"
texts = st.text(st.sampled_from("ab\n\t\r\x00\x02\x03\x1b[]201~;m\x07\x9b\u2028\ud800漢#\u00a0"), max_size=60)


def seen(messages: list[Message]) -> list[str]:
    """Keys by their names, pastes by their texts."""
    return [
        message.key if isinstance(message, Key) else f"<{getattr(message, 'text', message)}>" for message in messages
    ]


@given(texts)
def test_what_is_kept_has_newlines_tabs_and_no_other_control_character(text: str) -> None:
    kept = clean(text)
    assert not [letter for letter in kept if (letter < " " and letter not in "\n\t") or "\x7f" <= letter <= "\x9f"]
    assert clean(kept) == kept
    kept.encode()


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\u2028\u2029"), max_size=200))
def test_what_is_no_control_character_is_kept_letter_by_letter(text: str) -> None:
    assert clean(text) == text


def test_colours_and_titles_of_a_terminal_go_whole() -> None:
    assert clean("\x1b[1;31mred\x1b[0m \x1b]0;title\x07and\x1b]8;;http://a\x1b\\link\x1b[201~") == "red andlink"
    assert clean("a\r\nb\rc\u2028d\x85e") == "a\nb\nc\nd\ne"


def test_more_than_eight_lines_or_two_thousand_characters_are_big() -> None:
    lines = "x\n" * BIG_LINES
    assert not is_big(lines)
    assert not is_big(lines[:-1])
    assert is_big(lines + "x")
    assert not is_big("x" * BIG_CHARACTERS)
    assert is_big("x" * (BIG_CHARACTERS + 1))


@given(st.lists(st.tuples(st.booleans(), texts.map(clean)), max_size=6))
def test_a_draft_comes_back_as_it_was_and_expands_exactly(parts: list[tuple[bool, str]]) -> None:
    blocks = Blocks()
    text = "".join(blocks.add(part) if is_block else part for is_block, part in parts)
    draft = blocks.draft(text)
    assert plain(draft) == blocks.expand(text) == "".join(part for _, part in parts)
    assert blocks.without(text) == "".join(part for is_block, part in parts if not is_block)
    other = Blocks()
    again = other.load(draft)
    assert other.draft(again) == draft
    assert other.expand(again) == plain(draft)


def test_a_block_says_how_much_it_is() -> None:
    blocks = Blocks()
    assert blocks.add("x\n" * 1240).replace("\u00a0", " ") == "[pasted 1,240 lines #1]"
    assert blocks.add("x" * 5000).replace("\u00a0", " ") == "[pasted 5,000 characters #2]"


def test_text_that_looks_like_a_block_is_text() -> None:
    blocks = Blocks()
    token = blocks.add("secret")
    pasted = blocks.harmless(f"look: {token}")
    assert pasted != f"look: {token}"
    assert blocks.expand(pasted) == pasted
    assert list(blocks.spans(pasted)) == []
    assert blocks.expand("[pasted 1 lines #9]") == "[pasted 1 lines #9]"


@pytest.mark.parametrize(
    "inside",
    [
        "plain",
        "line\rline\r",
        "\x1b",
        "a\x1bxyz\rrun\r",
        "a\x1b]0;title\x07\r" + "q" * 60,
        "\x1b[13;2u\x1b[A\x03\x04",
        "\x1b[200~again",
        "\x1b[20",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
def test_a_paste_is_one_message_whatever_is_in_it_and_however_it_is_read(inside: str, size: int) -> None:
    parser = InputParser()
    data = f"k{START}{inside}{END}z"
    messages = [one for place in range(0, len(data), size) for one in parser.feed(data[place : place + size])]
    assert seen(messages) == ["k", f"<{inside}>", "z"]


def test_a_forged_end_in_the_same_read_does_not_end_the_paste() -> None:
    data = f"{START}ls{END}\rrm -rf .\r{END}a{START}two{END}"
    assert seen(list(InputParser().feed(data))) == [f"<ls{END}\rrm -rf .\r>", "a", "<two>"]


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ("\r", ["enter"]),
        ("\n", ["ctrl+j"]),
        ("\x1b\r", ["alt+enter"]),
        ("\x1b[13;2u", ["shift+enter"]),
        ("\x1b[13;3u", ["alt+enter"]),
        ("\x1b[A", ["up"]),
        ("\x1b[2~", ["insert"]),
        ("漢é", ["漢", "é"]),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_enter_with_a_modifier_is_told_apart_and_other_keys_stay(data: str, keys: list[str], size: int) -> None:
    parser = InputParser()
    messages = [one for place in range(0, len(data), size) for one in parser.feed(data[place : place + size])]
    assert seen(messages) == keys


def test_the_other_way_to_tell_of_modifiers_is_understood() -> None:
    assert seen(list(InputParser().feed("\x1b[27;2;13~\x1b[27;3;13~a"))) == ["shift+enter", "alt+enter", "a"]


def test_late_answers_of_the_terminal_are_no_keys_and_end_nothing() -> None:
    parser = InputParser()
    assert seen(list(parser.feed("\x1b]11;rgb:0000/0000/0000\x1b\\"))) == []
    assert seen(list(parser.feed("a\x1b]11;rgb:ffff/ffff/ffff\x07b\x1b[?62;22c"))) == ["a", "b"]
    assert seen(list(parser.feed("c"))) == ["c"]


def test_a_lone_escape_is_a_key_after_a_moment() -> None:
    parser = InputParser()
    messages = list(parser.feed("\x1b"))
    ends = time.monotonic() + 10
    while not messages and time.monotonic() < ends:
        messages = list(parser.tick())
        time.sleep(0.01)
    assert seen(messages) == ["escape"]
    assert seen(list(parser.feed("\r"))) == ["enter"]


def test_pastes_and_keys_in_any_pieces_come_out_the_same() -> None:
    dice = random.Random(7)
    data = f"ab{START}x\x1b[Ay\r{END}\x1b[A{START}{END}c\x1b[13;2u{START}\x1b]0;{END}\r"
    whole = seen(list(InputParser().feed(data)))
    assert whole == ["a", "b", "<x\x1b[Ay\r>", "up", "<>", "c", "shift+enter", "<\x1b]0;>", "enter"]
    for _ in range(200):
        parser = InputParser()
        messages: list[Message] = []
        rest = data
        while rest:
            size = dice.randint(1, 9)
            messages += parser.feed(rest[:size])
            rest = rest[size:]
        assert seen(messages) == whole


def test_the_driver_of_this_system_reads_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from textual._xterm_parser import XTermParser
    from textual.drivers import linux_driver, linux_inline_driver

    for driver in (linux_driver, linux_inline_driver):
        monkeypatch.setattr(driver, "XTermParser", XTermParser)
    assert terminal_input.install()
    assert vars(linux_driver)["XTermParser"] is vars(linux_inline_driver)["XTermParser"] is InputParser
    assert not terminal_input.install()


def test_keys_right_behind_a_paste_belong_to_it_until_a_pause() -> None:
    guard = PasteGuard()
    assert not guard.key(1.0)
    guard.paste(2.0)
    assert guard.key(2.01)
    assert guard.key(2.025)
    assert not guard.key(2.2)
    assert not guard.key(2.201)
