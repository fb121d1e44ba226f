"""`coda ask` with tools: at a terminal a person is asked and sees what is done, in a pipe the answer is no."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program
from tests.e2e.test_chat_start import Sitting

LOOK = ("Let me look.", [("calculator", {"expression": "2+2"})])
WRITE = ("", [("write_file", {"path": "a.txt", "content": "hello\n"})])


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


def scripted(coda: Program, *replies: str | tuple[str, list[tuple[str, dict[str, Any]]]]) -> None:
    """A coda.toml whose model says these, and calls what they name."""
    made = []
    for reply in replies:
        text, calls = reply if isinstance(reply, tuple) else (reply, [])
        pairs = ", ".join(f"[{json.dumps(name)}, {json.dumps(json.dumps(given))}]" for name, given in calls)
        made.append(f"{{text = {json.dumps(text)}, tool_calls = [{pairs}]}}")
    coda.config(
        'default_provider = "parrot"\n[providers.parrot]\ntype = "scripted"\n[providers.parrot.extra_params]\n'
        f"replies = [{', '.join(made)}]\n"
    )


Sit = Callable[..., Sitting]


@pytest.fixture
def sit(coda: Program) -> Iterator[Sit]:
    made: list[Sitting] = []

    def start(*arguments: str) -> Sitting:
        made.append(Sitting(coda, arguments))
        return made[-1]

    yield start
    for sitting in made:
        sitting.close()


def test_on_a_pipe_the_answer_is_text_alone_and_the_calls_go_unseen(coda: Program) -> None:
    scripted(coda, LOOK, "It is **4**.")
    ran = coda.run("ask", "-T", "calculator", "2+2?")
    assert (ran.code, ran.out, ran.err) == (0, b"Let me look.\n\nIt is **4**.\n", b"")


def test_without_tools_none_is_told_of(coda: Program) -> None:
    scripted(coda, LOOK, "never")
    ran = coda.run("ask", "--output-format", "stream-json", "2+2?")
    kinds = [json.loads(line)["type"] for line in ran.text.splitlines()]
    assert "function_result" not in kinds
    assert kinds[-2] == "response_complete"


def test_events_tell_each_call_and_its_result(coda: Program) -> None:
    scripted(coda, LOOK, "4")
    ran = coda.run("ask", "-T", "math", "--output-format", "stream-json", "2+2?")
    events = [json.loads(line) for line in ran.text.splitlines()]
    calls, result = (next(e for e in events if e["type"] == t) for t in ("function_calls", "function_result"))
    assert calls["calls"][0]["name"] == "calculator"
    assert (result["call_id"], result["text"], result["is_error"]) == (calls["calls"][0]["id"], "4", False)


def test_in_a_pipe_nothing_that_needs_a_word_is_done(coda: Program) -> None:
    scripted(coda, WRITE, "I could not.")
    ran = coda.run("ask", "-T", "all", "write it")
    assert (ran.code, ran.out) == (0, b"I could not.\n")
    assert b"no terminal" in ran.err
    assert not (coda.folder / "a.txt").exists()


def test_a_mode_lets_it_be_done(coda: Program) -> None:
    scripted(coda, WRITE, "Done.")
    assert coda.run("ask", "-T", "all", "--approval-mode", "accept-edits", "write it").code == 0
    assert (coda.folder / "a.txt").read_text() == "hello\n"


def test_a_tool_that_nobody_knows_is_told_before_anything_is_sent(coda: Program) -> None:
    scripted(coda, "never")
    ran = coda.run("ask", "-T", "calculater", "2+2?")
    assert (ran.code, ran.out) == (2, b"")
    assert b"did you mean `calculator`?" in ran.err


def test_at_a_terminal_a_person_sees_what_will_be_done_and_says_yes(coda: Program, sit: Sit) -> None:
    scripted(coda, LOOK, WRITE, "All done.")
    sitting = sit("ask", "-T", "all", "go on")
    sitting.until("? ")
    for wanted in ("→ calculator", "calculator: 4", "write_file wants to write", "+hello", "[y] yes"):
        assert wanted in sitting.text, wanted
    assert not (coda.folder / "a.txt").exists()
    sitting.type("y\n")
    sitting.until("All done.")
    assert sitting.end() == 0
    assert (coda.folder / "a.txt").read_text() == "hello\n"


def test_a_no_with_a_reason_is_what_the_model_hears(coda: Program, sit: Sit) -> None:
    scripted(coda, WRITE, "Then not.")
    sitting = sit("ask", "-T", "all", "go on")
    sitting.until("? ")
    sitting.type("what\n")  # is no answer
    sitting.until(lambda text: text.count("[y] yes") == 2)
    sitting.type("r\n")
    sitting.until("why not?")
    sitting.type("wrong file\n")
    sitting.until("Then not.")
    assert sitting.end() == 0
    assert not (coda.folder / "a.txt").exists()
    kept = "".join(file.read_text() for file in (coda.home / "data" / "conversations").glob("*.jsonl"))
    assert "wrong file" in kept


def test_ctrl_c_at_the_question_stops_it_all(coda: Program, sit: Sit) -> None:
    scripted(coda, WRITE, "never")
    sitting = sit("ask", "-T", "all", "go on")
    sitting.until("? ")
    sitting.type("\x03")
    assert sitting.end() == 130
    assert not (coda.folder / "a.txt").exists()


def test_what_was_typed_before_the_question_is_no_answer(coda: Program, sit: Sit) -> None:
    """Lines that were pasted behind the command must not say yes to what nobody has read."""
    scripted(coda, WRITE, "Then not.")
    sitting = sit("ask", "-T", "all", "go on")
    sitting.type("y\ny\ny\n")
    sitting.until("[r] no")
    sitting.until("? ")
    sitting.type("n\n")
    sitting.until("Then not.")
    assert sitting.end() == 0
    assert not (coda.folder / "a.txt").exists()


def test_the_lines_that_were_left_out_can_be_seen_before_the_answer(coda: Program, sit: Sit) -> None:
    content = "".join(f"line {number}\n" for number in range(600)) + "the end\n"
    scripted(coda, ("", [("write_file", {"path": "a.txt", "content": content})]), "Then not.")
    sitting = sit("ask", "-T", "all", "go on")
    sitting.until("more lines: `v` shows them all")
    sitting.until("? ")
    sitting.type("v\n")
    sitting.until("+the end")
    sitting.type("n\n")
    sitting.until("Then not.")
    assert sitting.end() == 0


def test_a_question_of_the_model_is_told_as_one(coda: Program, sit: Sit) -> None:
    scripted(coda, ("", [("ask_user", {"question": "[sudo] password\u202e for root:"})]), "Well.")
    sitting = sit("ask", "-T", "all", "go on")
    told = "The model asks: [sudo] password\\u{202E} for root:"
    sitting.until(lambda text: told in text and text.rstrip().endswith("\n?"))  # what comes before that is no answer
    sitting.type("no\n")
    sitting.until("Well.")
    assert sitting.end() == 0
