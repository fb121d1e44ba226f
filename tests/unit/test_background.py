"""The question for the terminal's background, asked of terminals that answer, answer late, badly, in part, or never."""

from __future__ import annotations

import os
import pty
import termios
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, strategies as st
from textual.events import Key

from coda_cli.tui import background
from coda_cli.tui.background import QUESTION, Background, Query, from_environment, may_ask, parse_colour
from coda_cli.tui.terminal_input import InputParser

DARK = b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\"
LIGHT = b"\x1b]11;rgb:fd/f6/e3\x07"
DEVICE = b"\x1b[?62;22c"
GUARD = 30.0


class FakeTerminal:
    """The other end of a pseudo-terminal: waits for the question, then says *replies*, each after an event is set.

    A reply that is None waits until `late` is set.
    """

    def __init__(self, replies: Sequence[bytes | None], *, ahead: bytes = b"") -> None:
        self.master, self.slave = pty.openpty()
        self.late = threading.Event()
        self.said = threading.Event()
        self.heard = b""
        if ahead:
            os.write(self.master, ahead)
        self._replies = replies
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        while QUESTION not in self.heard:
            self.heard += os.read(self.master, 4096)
        for reply in self._replies:
            if reply is None:
                self.late.wait(GUARD)
            else:
                os.write(self.master, reply)
        self.said.set()

    def ask(self, *, patience: float = GUARD) -> Background:
        """Ask it; *patience* is the limit in seconds, which is only waited for where nothing ends the wait."""
        with Query(self.slave, self.slave) as query:
            query._until = time.monotonic() + patience
            return query.wait()

    def close(self) -> None:
        self.late.set()
        self._thread.join(GUARD)
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def terminals() -> Iterator[list[FakeTerminal]]:
    made: list[FakeTerminal] = []
    yield made
    for terminal in made:
        terminal.close()


@pytest.mark.parametrize(("answer", "dark"), [(DARK, True), (LIGHT, False)])
def test_a_terminal_that_answers_is_believed(answer: bytes, dark: bool, terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([answer, DEVICE]))
    assert terminal.ask() == Background(dark)


def test_one_that_does_not_know_the_question_is_not_waited_for(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([DEVICE]))
    assert terminal.ask() == Background(None)  # answered: the second question ended the wait


def test_one_that_never_answers_costs_the_limit_and_no_more(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([]))
    assert terminal.ask(patience=0.01) == Background(None, answered=False)


def test_what_came_while_there_was_something_else_to_do_is_read_after_the_limit(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([DARK, DEVICE]))
    with Query(terminal.slave, terminal.slave) as query:
        assert terminal.said.wait(GUARD)
        query._until = 0.0
        assert query.wait() == Background(True)


def test_one_that_answers_late_is_told_apart_from_one_that_has_answered(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([None, DARK, DEVICE]))
    assert terminal.ask(patience=0.01) == Background(None, answered=False)


@pytest.mark.parametrize("size", [1, 2, 5, 11])
def test_an_answer_in_pieces_is_put_together(size: int, terminals: list[FakeTerminal]) -> None:
    whole = DARK + DEVICE
    terminals.append(terminal := FakeTerminal([whole[at : at + size] for at in range(0, len(whole), size)]))
    assert terminal.ask() == Background(True)


@pytest.mark.parametrize("cut", range(1, len(DARK)))
def test_half_an_answer_is_no_answer_and_not_taken_for_typing(cut: int) -> None:
    assert background._understood(b"hi" + DARK[:cut]) == Background(None, "hi", answered=False)


@pytest.mark.parametrize(
    "junk",
    [
        b"\x1b]11;rgb:zz/00/00\x07", b"\x1b]11;rgb:1/2\x07", b"\x1b]11;rgb:11111/0/0\x07", b"\x1b]11;black\x07",
        b"\x1b]11;\x07", b"\x1b]11;?\x1b\\", b"\x1b]11;rgb:0/0/0;rm\x07", b"\x1b]10;rgb:0/0/0\x07", b"\x1bP1$r0m\x1b\\",
    ],
)  # fmt: skip
def test_an_answer_that_is_no_colour_means_nothing_and_leaves_nothing(junk: bytes) -> None:
    assert background._understood(junk + DEVICE) == Background(None)


def test_nothing_is_echoed_and_the_terminal_is_as_before(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([b"typed", DARK, DEVICE]))
    before = termios.tcgetattr(terminal.slave)
    assert terminal.ask() == Background(True, "typed")
    assert termios.tcgetattr(terminal.slave) == before
    os.write(terminal.slave, b"|")
    heard = terminal.heard
    while not heard.endswith(b"|"):
        heard += os.read(terminal.master, 4096)
    assert heard == QUESTION + b"|"


def test_the_terminal_is_as_before_also_after_an_interruption(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([]))
    before = termios.tcgetattr(terminal.slave)

    def interrupted() -> None:
        with Query(terminal.slave, terminal.slave):
            assert termios.tcgetattr(terminal.slave) != before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert termios.tcgetattr(terminal.slave) == before


def test_what_was_typed_ahead_comes_back_whole(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([b"wo", DARK, b"rld \xc3\xa4", DEVICE], ahead="héllo\n".encode()))
    assert terminal.ask() == Background(True, "héllo\nworld ä")


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (b"\x1b[A\x1b[1;5Cup\x1bOP", "up"),
        (b"helo\x7flo\x7f\x7f\x7fxx", "hexx"),
        (b"\x7f\x7fa", "\x7f\x7fa".replace("\x7f", "")),
        (b"one\rtwo", "one\ntwo"),
        (b"\x01\x02a\x1f\x9b", "a"),
        (b"\xff\xfe", ""),
        (b"a\xe2\x80\xaeb", "ab"),
    ],
)
def test_only_what_means_something_in_a_prompt_is_kept(keys: bytes, typed: str) -> None:
    assert background._typed(keys) == typed


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_whatever_comes_no_control_byte_gets_through(before: bytes, after: bytes) -> None:
    got = background._understood(before + DARK + after)
    assert not any(ord(char) < 32 and char not in "\n\t" for char in got.typed)
    assert "\x7f" not in got.typed


def test_a_pipe_or_a_closed_terminal_is_no_trouble() -> None:
    reader, writer = os.pipe()
    try:
        with Query(reader, writer) as query:
            assert query.wait() == Background(None)
    finally:
        os.close(reader)
        os.close(writer)
    with Query(reader, writer) as query:
        assert query.wait() == Background(None)


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}, {"TERM": "linux"}, {"TERM": "xterm", "CI": "true"}])
def test_who_is_not_asked(environ: dict[str, str], terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal([]))
    assert not may_ask(environ, terminal.slave, terminal.slave)
    assert may_ask({"TERM": "xterm-256color"}, terminal.slave, terminal.slave)
    with open(os.devnull) as nowhere:  # noqa: PTH123 - a descriptor
        assert not may_ask({"TERM": "xterm-256color"}, nowhere.fileno(), terminal.slave)
        assert not may_ask({"TERM": "xterm-256color"}, terminal.slave, nowhere.fileno())
    os.write(terminal.slave, QUESTION)  # the fake one ends when it has heard it


@pytest.mark.parametrize(
    ("value", "dark"),
    [("15;0", True), ("0;15", False), ("0;default;15", False), ("12;7", False), ("7;8", True), ("15;default", None),
     ("", None), ("0;16", None), ("0;-1", None), ("0;²", None)],
)  # fmt: skip
def test_colorfgbg_is_read(value: str, dark: bool | None) -> None:
    assert from_environment({"COLORFGBG": value}) is dark
    assert from_environment({}) is None


@pytest.mark.parametrize(
    ("colour", "dark"),
    [(b"rgb:0/0/0", True), (b"rgb:f/f/f", False), (b"rgb:282/282/282", True), (b"rgb:ffff/ffff/dddd", False),
     (b"RGBA:1E1E/1E1E/2E2E/FFFF", True), (b"rgb:002b/0036/0042", True), (b"rgb:fdfd/f6f6/e3e3", False)],
)  # fmt: skip
def test_colours_of_every_width_are_read(colour: bytes, dark: bool) -> None:
    assert parse_colour(colour) is dark


LATE = (DARK + DEVICE, LIGHT + DEVICE, DEVICE, DARK)


@pytest.mark.parametrize("answer", LATE)
def test_an_answer_that_comes_when_the_screen_is_up_is_no_key(answer: bytes) -> None:
    parser = InputParser()
    keys = [message.key for message in parser.feed(f"a{answer.decode()}b") if isinstance(message, Key)]
    assert keys == ["a", "b"]


def test_what_the_screen_asks_itself_is_still_answered() -> None:
    messages = list(InputParser().feed("\x1b[?2026;2$y"))
    assert [type(message).__name__ for message in messages] == ["TerminalSupportsSynchronizedOutput"]
