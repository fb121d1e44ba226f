"""Tools in `coda chat --plain`: told in lines, asked for by number; through a pipe nobody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.e2e.test_ask_tools import LOOK, WRITE, scripted
from tests.e2e.test_chat_plain import Typist


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_calls_are_lines_and_a_yes_is_a_number(coda: Program) -> None:
    scripted(coda, LOOK, WRITE, "All done.")
    with coda.terminal("chat", "--plain") as tty:
        person = Typist(tty)
        person.ready()
        person.type("go on\r")
        tty.until(lambda text: text.endswith("empty for no:"))
        shown = tty.text
        for wanted in (
            "Calls calculator(",
            "calculator: 4",
            "write_file wants to write",
            "+hello",
            "1. yes",
        ):
            assert wanted in shown, wanted
        assert not (coda.folder / "a.txt").exists()
        person.type("perhaps\r")
        tty.until(lambda text: text.count("empty for no:") == 2)
        person.say("1", "All done.")
        assert (coda.folder / "a.txt").read_text() == "hello\n"
        person.type("\x04")
        assert tty.end() == 0
    with coda.terminal("chat", "--plain", "-c") as tty:
        tty.until(lambda text: 'Called calculator(expression="2+2"): 4' in text)


def test_an_empty_line_is_no_and_a_reason_is_heard(coda: Program) -> None:
    scripted(coda, WRITE, "Then not.", WRITE, "I see.")
    with coda.terminal("chat", "--plain") as tty:
        person = Typist(tty)
        person.ready()
        person.type("go on\r")
        tty.until(lambda text: text.endswith("empty for no:"))
        person.say("", "Then not.")
        person.type("again\r")
        tty.until(lambda text: text.count("empty for no:") == 2)
        person.type("5\r")
        tty.until(lambda text: text.endswith("Why not:"))
        person.say("the wrong file", "I see.")
        person.type("\x04")
        assert tty.end() == 0
    assert not (coda.folder / "a.txt").exists()
    kept = "".join(file.read_text() for file in (coda.home / "data" / "conversations").glob("*.jsonl"))
    assert "the wrong file" in kept


def test_through_a_pipe_the_answer_is_no(coda: Program) -> None:
    scripted(coda, WRITE, "I could not.")
    ran = coda.run("chat", "--plain", stdin=b"go on\n")
    assert ran.code == 0
    assert "not run" in ran.text
    assert "I could not." in ran.text
    assert not (coda.folder / "a.txt").exists()
