"""The installed chat at a real terminal, by keys alone: what a person does all day, and what may happen meanwhile."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program, held
from tests.e2e.test_chat_start import READY, Sitting, said
from tests.servers.errors import error_reply
from tests.servers.reply import Gate
from tests.servers.script import Say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply

UP, DOWN, ESC, CTRL_C, CTRL_D = "\x1b[A", "\x1b[B", "\x1b", "\x03", "\x04"
SHIFT_TAB = "\x1b[Z"
LONG = int(os.environ.get("CODA_TEST_LONG", "0") or 0)

Sit = Callable[..., Sitting]


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def sit(coda: Program) -> Iterator[Sit]:
    made: list[Sitting] = []

    def start(*arguments: str, **more: Any) -> Sitting:
        made.append(Sitting(coda, ["chat", *arguments], **more))
        made[-1].until(READY)
        return made[-1]

    yield start
    for sitting in made:
        sitting.close()


@pytest.fixture
def vendor(coda: Program) -> Iterator[FakeVendor]:
    with ThreadedServer(FakeVendor("openai", answer="From the server.")) as server:
        coda.served_by(server.url, more="max_retries = 0")
        yield server.server


def quiet(sitting: Sitting) -> None:
    """Until no answer is under way."""
    sitting.until(lambda text: "F1 help" in text)


def leave(sitting: Sitting) -> None:
    """Quit, whatever stands in the prompt; the terminal is as it was."""
    sitting.type("\x11")
    assert sitting.end() == 0


def drafts(coda: Program) -> list[str]:
    return [json.loads(file.read_text())["text"] for file in (coda.home / "data" / "drafts").glob("*.json")]


def wait(sitting: Sitting, done: Callable[[], Any]) -> None:
    """Until *done*, for what shows on the disk alone; the terminal goes on taking what is drawn."""
    ends = time.monotonic() + 20
    while not done():
        assert time.monotonic() < ends, sitting.text
        if select.select([sitting.child.child_fd], [], [], 0.02)[0]:
            sitting._read(ends)


def rest(sitting: Sitting, seconds: float) -> None:
    """Look on for a while."""
    ends = time.monotonic() + seconds
    wait(sitting, lambda: time.monotonic() > ends)


# ---- an answer under way --------------------------------------------------------------------------------------------


def test_escape_keeps_the_part_and_what_was_sent_meanwhile_waits(coda: Program, vendor: FakeVendor, sit: Sit) -> None:
    gate = Gate()
    vendor.queue(held([Say("the first half "), Say("and the second")], gate, 2))
    sitting = sit()
    sitting.type("tell me\r")
    sitting.until("the first half")
    sitting.type("and another\r")
    sitting.until("1. and another")
    sitting.type(ESC)
    quiet(sitting)
    gate.open()
    assert "the second" not in sitting.text
    sitting.until("1. and another")
    sitting.type("\r")  # an empty prompt asks what waits
    sitting.until("From the server.")
    quiet(sitting)
    leave(sitting)
    assert [(role, text.strip(), status) for role, text, status in said(coda)] == [
        ("user", "tell me", "complete"),
        ("assistant", "the first half", "interrupted"),
        ("user", "and another", "complete"),
        ("assistant", "From the server.", "complete"),
    ]


def test_quitting_asks_while_an_answer_runs_and_ctrl_c_twice_does_not(
    coda: Program, vendor: FakeVendor, sit: Sit
) -> None:
    gate = Gate()
    vendor.queue(held([Say("some words "), Say("more")], gate, 2))
    sitting = sit()
    sitting.type("go\r")
    sitting.until("some words")
    sitting.type("waits\r")
    sitting.until("1. waits")
    sitting.type(CTRL_D)
    sitting.until("Stop it and quit?")
    sitting.type("n")
    sitting.until(lambda text: "Stop it and quit?" not in text)
    sitting.until("Esc stops")
    sitting.type(CTRL_C)
    quiet(sitting)
    sitting.type(CTRL_C)
    assert sitting.end() == 0
    gate.open()
    assert said(coda)[-1][2] == "interrupted"
    assert drafts(coda) == ["waits"]  # what waited is not lost


def test_a_dead_provider_ends_nothing_and_r_asks_again(coda: Program, vendor: FakeVendor, sit: Sit) -> None:
    vendor.queue(error_reply("openai", "unauthorized"))
    sitting = sit()
    sitting.type("are you there?\r")
    sitting.until("hint:")
    quiet(sitting)
    sitting.type(SHIFT_TAB + "r")
    sitting.until("From the server.")
    quiet(sitting)
    leave(sitting)
    assert [role for role, _, _ in said(coda)] == ["user", "assistant"]


# ---- the tree -------------------------------------------------------------------------------------------------------


def test_retry_edit_and_the_brackets(coda: Program, sit: Sit) -> None:
    coda.scripted("the first answer", "the second answer", "the third answer")
    sitting = sit()
    sitting.type("my question\r")
    sitting.until("the first answer")
    quiet(sitting)
    sitting.type(SHIFT_TAB + "r")
    sitting.until(lambda text: "the second answer" in text and "‹ 2/2 ›" in text)
    sitting.type("[")
    sitting.until(lambda text: "the first answer" in text and "the second answer" not in text)
    sitting.type("]")
    sitting.until("the second answer")
    sitting.type(ESC)
    sitting.type(ESC)
    time.sleep(0.2)
    sitting.type(ESC)
    sitting.until(lambda text: re.search(r"❯ +my question", text))
    sitting.type("\x15other words\r")
    sitting.until("the third answer")
    quiet(sitting)
    sitting.until(lambda text: "my question" not in text)  # a frame may come in two reads
    sitting.type("/tree\r")
    sitting.until(lambda text: "my question" in text and "the first answer" in text)
    sitting.type(ESC)
    sitting.until(lambda text: "the first answer" not in text)
    leave(sitting)
    assert [text for role, text, _ in said(coda) if role == "user"] == ["my question", "other words"]


# ---- finding --------------------------------------------------------------------------------------------------------


def test_from_a_search_over_all_chats_to_the_line_and_find_in_it(coda: Program, sit: Sit) -> None:
    lines = "\n\n".join(f"Paragraph {number} of many." for number in range(60))
    coda.scripted(f"{lines}\n\nThe pelican is here.\n\n{lines}")
    assert coda.run("ask", "about birds").code == 0
    coda.scripted("Nothing about that.")
    assert coda.run("ask", "about fish").code == 0
    sitting = sit()
    sitting.type("/search pelican\r")
    sitting.until(lambda text: "pelican" in text and "about birds" in text)
    rest(sitting, 0.4)  # Enter right behind the last letter searches first
    sitting.type("\r")
    sitting.until(lambda text: "The pelican is here." in text and "Paragraph 59" in text)
    sitting.type("\x06paragraph 31\r")
    sitting.until("1/2")
    sitting.type("n")
    sitting.until("2/2")
    sitting.until("Paragraph 31 of many.")
    sitting.type(ESC)
    sitting.until(lambda text: "2/2" not in text)
    leave(sitting)


def test_a_chat_of_many_messages_is_found_in_and_walked_to_its_first_one(coda: Program, sit: Sit) -> None:
    coda.scripted("noted")
    ran = coda.run("chat", "--plain", stdin="\n".join(f"question {number:03} here" for number in range(150)).encode())
    assert ran.code == 0
    sitting = sit("-c")
    sitting.until("question 149 here")
    sitting.type("\x06question 003\r")
    sitting.until(lambda text: "question 003 here" in text and "1/1" in text)
    sitting.type(ESC)
    sitting.until(lambda text: "1/1" not in text)
    sitting.type(SHIFT_TAB + "g")
    sitting.until("question 000 here")
    sitting.type("G")
    sitting.until("question 149 here")
    sitting.type(ESC)
    leave(sitting)


# ---- models and chats -----------------------------------------------------------------------------------------------


def test_the_model_can_be_another_in_the_middle(coda: Program, sit: Sit) -> None:
    coda.scripted("from the first")
    with coda.config_file.open("a") as file:
        file.write('[providers.t]\ntype = "scripted"\nmodel = "owl"\nextra_params = {replies = ["from the second"]}\n')
    sitting = sit()
    sitting.type("one\r")
    sitting.until("from the first")
    quiet(sitting)
    sitting.type("\x1bOQ")  # F2
    sitting.until("Model")
    sitting.type("owl")
    sitting.until(lambda text: "t/owl" in text and "gpt" not in text)
    sitting.type("\r")
    sitting.until("t/owl answers from now on")
    sitting.type("two\r")
    sitting.until("from the second")
    quiet(sitting)
    leave(sitting)


def test_a_new_chat_and_back_each_with_its_draft(coda: Program, sit: Sit) -> None:
    coda.scripted("an answer")
    sitting = sit()
    sitting.type("the boat\r")
    sitting.until("an answer")
    quiet(sitting)
    sitting.type("half a thought")
    sitting.until("half a thought")
    sitting.type("\x0e")  # Ctrl+N
    sitting.until(lambda text: "an answer" not in text and "half a thought" not in text)
    sitting.type("\x13")  # Ctrl+S
    sitting.until(lambda text: "the boat" in text and "enter" in text)
    sitting.type("\r")
    sitting.until(lambda text: "an answer" in text and "half a thought" in text)
    leave(sitting)
    assert "half a thought" in drafts(coda)


# ---- what may happen ------------------------------------------------------------------------------------------------


def test_kill_9_loses_neither_the_chat_nor_the_draft(coda: Program, vendor: FakeVendor, sit: Sit) -> None:
    first, second = Gate(), Gate()
    reply = stream_reply("openai", [Say("the first part "), Say("and more "), Say("the rest")])
    vendor.queue(reply.but(body=[*reply.body[:2], first, *reply.body[2:3], second, *reply.body[3:]]))
    sitting = sit()
    sitting.type("a long story\r")
    sitting.until("the first part")
    sitting.type("and then I typed")
    wait(sitting, lambda: drafts(coda) == ["and then I typed"])
    rest(sitting, 1.1)  # an answer is kept about once a second, when something of it comes
    first.open()
    wait(sitting, lambda: "and more" in "".join(file.read_text() for file in chats(coda)))
    os.kill(sitting.child.pid, signal.SIGKILL)
    second.open()
    again = sit("-c")
    again.until(lambda text: "the first part and more" in text and "and then I typed" in text)
    leave(again)


def chats(coda: Program) -> list[Path]:
    return list((coda.home / "data" / "conversations").glob("*.jsonl"))


def test_a_storm_of_resizes_while_an_answer_streams(coda: Program, vendor: FakeVendor, sit: Sit) -> None:
    gate = Gate()
    text = "\n\n".join(f"## Part {number}\n\nSome **words** and `code`.\n\n- a\n- b" for number in range(40))
    pieces = [Say(text[at : at + 40]) for at in range(0, len(text), 40)]
    vendor.queue(held([*pieces, Say("\n\nThe very end.")], gate, 30))
    sitting = sit()
    sitting.type("go\r")
    sitting.until("Part")
    dice = random.Random(7)
    for number in range(200 if LONG else 40):
        rows, columns = dice.randrange(1, 60), dice.randrange(1, 250)
        sitting.child.setwinsize(rows, columns)
        sitting.screen.resize(rows, columns)
        if number == 20:
            gate.open()
        time.sleep(0.01)
    sitting.child.setwinsize(24, 80)
    sitting.screen.resize(24, 80)
    sitting.until("The very end.")
    quiet(sitting)
    leave(sitting)
    assert said(coda)[-1][1].endswith("The very end.")


BROKEN = """
import sys
import coda_cli.tui.app as app
def broken(self):
    key = "sk-canary-" + "in-a-local-variable"
    raise RuntimeError("a defect" if key else "")
app.CodaApp.action_toggle_tools = broken
sys.argv = ["coda", "chat"]
from coda_cli.__main__ import main
main()
"""


def test_a_defect_restores_the_terminal_shows_no_local_variable_and_keeps_the_chat(coda: Program, sit: Sit) -> None:
    coda.scripted("an answer")
    script = coda.folder / "broken.py"
    script.write_text(BROKEN)
    sitting = Sitting(coda, [], python=str(script))
    try:
        sitting.until(READY)
        sitting.type("a question\r")
        sitting.until("an answer")
        quiet(sitting)
        sitting.type("a draft")
        sitting.until("a draft")
        sitting.type(SHIFT_TAB + "\x0f")  # Ctrl+O
        assert sitting.end() == 1
    finally:
        sitting.close()
    assert "RuntimeError: a defect" in sitting.text
    assert b"sk-canary-in-a-local-variable" not in sitting.raw
    assert b"goes on with it" in sitting.raw
    assert drafts(coda) == ["a draft"]
    assert [text for _, text, _ in said(coda)] == ["a question", "an answer"]


def test_an_incognito_chat_leaves_nothing_on_the_disk(coda: Program, vendor: FakeVendor, sit: Sit) -> None:
    before = {file: (coda.home / file).read_bytes() for file in coda.files() if (coda.home / file).is_file()}
    vendor.queue(error_reply("openai", "unauthorized"))
    sitting = sit("-n")
    sitting.until("incognito")
    sitting.type("a secret question\r")
    sitting.until("hint:")
    quiet(sitting)
    sitting.type("another\r")
    sitting.until("From the server.")
    quiet(sitting)
    sitting.type("!echo secret\r")
    sitting.until("goes along")
    for command, seen in (("/context", "estimated"), ("/usage", "Tokens and cost")):
        sitting.type(command + "\r")
        sitting.until(seen)
        rest(sitting, 0.3)
        sitting.type(ESC)
        sitting.until(lambda text: "F1 help" in text and "esc close" not in text)
    sitting.type("a draft that waits")
    sitting.until("a draft")
    rest(sitting, 1.5)  # longer than a draft waits for the disk
    leave(sitting)
    after = {file: (coda.home / file).read_bytes() for file in coda.files() if (coda.home / file).is_file()}
    assert after == before


def test_ctrl_g_writes_the_prompt_in_an_editor(coda: Program, sit: Sit) -> None:
    coda.scripted("an answer")
    editor = coda.folder / "editor.sh"
    editor.write_text("#!/bin/sh\nprintf '\\nfrom the editor' >> \"$1\"\n")
    editor.chmod(0o700)
    sitting = sit(env={"EDITOR": str(editor)})
    sitting.type("begun here")
    sitting.until("begun here")
    sitting.type("\x07")
    sitting.until("from the editor")
    sitting.type("\r")
    sitting.until("an answer")
    quiet(sitting)
    leave(sitting)
    assert said(coda)[0][1] == "begun here\nfrom the editor"


def test_the_shell_behind_a_mark_joins_the_next_question(coda: Program, sit: Sit) -> None:
    coda.scripted("seen")
    sitting = sit()
    sitting.type("!printf 'a\\033[31mb'\r")
    sitting.until("goes along with the next question")
    sitting.type("what is it?\r")
    sitting.until("seen")
    quiet(sitting)
    leave(sitting)
    assert "Output of" in said(coda)[0][1]
    assert said(coda)[0][1].endswith("what is it?")


def test_two_terminals_on_one_chat_each_go_on_and_nothing_is_lost(coda: Program, vendor: FakeVendor, sit: Sit) -> None:
    one = sit()
    one.type("the beginning\r")
    one.until("From the server.")
    quiet(one)
    two = sit("-c")
    two.until("the beginning")
    gate = Gate()
    vendor.queue(held([Say("half of one "), Say("and its rest")], gate, 2))
    one.type("asked in one\r")
    one.until("half of one")
    two.type("asked in two\r")
    two.until(lambda text: text.count("From the server.") == 2)
    quiet(two)
    gate.open()
    one.until("and its rest")
    quiet(one)
    leave(one)
    leave(two)
    [file] = chats(coda)
    records = {one["id"]: one for one in map(json.loads, file.read_text().splitlines()) if one["type"] == "message"}
    below = {
        record["parts"][0]["text"]: records[record["parent"]]["parts"][0]["text"]
        for record in records.values()
        if record["parent"] is not None
    }
    assert below["half of one and its rest"] == "asked in one"
    assert "asked in two" in below
    assert sum(record["role"] == "assistant" for record in records.values()) == 3
    assert coda.run("history", "verify").code == 0
