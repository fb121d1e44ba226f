"""`coda chat --plain`: lines on a terminal and through a pipe, with everything a person may do there."""

import json
import os
import re
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.e2e.program import Program, Terminal, held
from tests.e2e.test_ask_terminal import ATTACKS
from tests.servers.errors import error_reply
from tests.servers.reply import Gate
from tests.servers.script import say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

READY = re.compile(r"(^|\n)>$")
# What a prompt line needs of a terminal: colour off, one row's cursor movement, erasing to its end, modes of its own.
PROMPT = re.compile(rb"\x1b\[\?(?:2004|1|25|7|12)[hl]|\x1b\[0m|\x1b\[[0-9]*[CDKJ]|\x08|\x07|\r")


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


class Typist:
    """A person at a terminal: types, waits for words, and for the prompt to be free."""

    def __init__(self, tty: Terminal) -> None:
        self.tty = tty

    def type(self, text: str) -> None:
        os.write(self.tty._master, text.encode())

    def ready(self) -> None:
        """Until the prompt is empty and waits."""
        self.tty.until(lambda text: READY.search(text))

    def say(self, text: str, wanted: str) -> None:
        """Send a line, and wait until *wanted* has come and the prompt is back."""
        self.type(f"{text}\r")
        self.tty.until(lambda shown: wanted in shown and READY.search(shown))


def records(coda: Program) -> list[dict[str, Any]]:
    files = sorted((coda.home / "data" / "conversations").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def questions(coda: Program) -> list[str]:
    return [
        "".join(part.get("text", "") for part in record["parts"])
        for record in records(coda)
        if record["type"] == "message" and record["role"] == "user"
    ]


# ---- through a pipe -------------------------------------------------------------------------------------------------


def test_lines_of_a_pipe_are_asked_one_after_the_other(coda: Program) -> None:
    coda.scripted("The first.", "The second.")
    ran = coda.run("chat", "--plain", stdin=b"one\ntwo \\\nlines\n")
    assert ran.code == 0, ran.error
    assert ran.text.index("> one") < ran.text.index("The first.") < ran.text.index("> two") < ran.text.index("second.")
    assert questions(coda) == ["one", "two \nlines"]
    assert "\x1b" not in ran.text + ran.error


def test_markdown_becomes_lines_that_can_be_listened_to(coda: Program) -> None:
    coda.scripted(
        "# Plan\n\n- **one**\n\n```sh\nls -l\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nSee [it](http://x.example/y)."
    )
    ran = coda.run("chat", "--plain", stdin=b"hi\n")
    for line in (
        "Heading 1: Plan",
        "- one",
        "Code, sh:",
        "ls -l",
        "End of code.",
        "a: 1; b: 2",
        "See it (http://x.example/y).",
    ):
        assert f"\n{line}\n" in ran.text, ran.text


def test_every_command_can_be_run_from_a_pipe_and_none_ends_the_chat(coda: Program, tmp_path: Path) -> None:
    from coda_cli.chat.commands import commands

    coda.scripted("An answer with `code`.\n\n```\nx = 1\n```\n", "Another one.", "A third.")
    (coda.folder / "note.txt").write_text("text of a file\n")
    script = {
        "model": "s/parrot", "compare": "s s again?", "key": "s", "attach": "note.txt", "export": "md out.md",
        "import": "out.md", "search": "answer", "resume": "", "rename": "A title", "tag": "work", "settings": "offline",
        "edit": "1", "copy": "code", "delete": "2", "system": "Be brief.", "compact": "yes", "help": "retry",
        "new": "", "quit": None,
    }  # fmt: skip
    lines = ["first question", "second question"]
    for command in commands("plain"):
        argument = script.get(command.name, "")
        if argument is not None:
            lines += [f"/{command.name} {argument}".rstrip(), ""]  # the empty line answers what it asks back
    ran = coda.run("chat", "--plain", stdin="\n".join([*lines, "the last question", "/quit"]).encode())
    assert "> the last question" in ran.text, ran.error
    assert (coda.folder / "out.md").read_text().startswith("# ")
    assert stat.S_IMODE((coda.folder / "out.md").stat().st_mode) == 0o600


def test_a_failed_answer_is_told_with_its_hint_and_can_be_asked_again(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai", answer="Now it works.")) as fake:
        fake.server.queue(error_reply("openai", "unauthorized"))
        coda.served_by(fake.url)
        ran = coda.run("chat", "--plain", stdin=b"hi\n/retry\n")
    assert "error:" in ran.error
    assert "hint:" in ran.error
    assert "Now it works." in ran.text
    assert ran.code == 4


def test_a_reader_that_leaves_ends_the_chat_quietly(coda: Program) -> None:
    coda.scripted("word " * 20_000)
    child = coda.start("chat", "--plain", stdin=-1)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"hi\n" * 40)
    child.stdin.close()
    child.stdout.read(100)
    child.stdout.close()
    assert child.wait(30) == 141
    assert child.stderr is not None
    assert b"Traceback" not in child.stderr.read()
    child.stderr.close()


def test_incognito_leaves_nothing_on_disk(coda: Program) -> None:
    coda.scripted("Secret.")
    ran = coda.run("chat", "--plain", "-n", stdin=b"hi\n!echo out\nagain\n/rename x\n/quit\n")
    assert "Secret." in ran.text
    assert coda.files() == ["config", "config/coda.toml"]


# ---- on a terminal --------------------------------------------------------------------------------------------------


def test_a_person_asks_edits_branches_and_leaves(coda: Program) -> None:
    coda.scripted("The first answer.", "The second answer.")
    with coda.terminal("chat", "--plain", rows=60) as tty:
        person = Typist(tty)
        person.ready()
        person.say("hello", "The first answer.")
        person.type("/edit\r")
        tty.until(lambda text: text.endswith("> hello"))
        person.say(" world", "The second answer.")
        person.type("one\\\rtwo\x0athree\x1b\rfour")
        tty.until(lambda text: text.endswith("four"))
        person.say("", "4: ")
        person.type("\x04")
        assert tty.end() == 0
    assert questions(coda) == ["hello", "hello world", "one\ntwo\nthree\nfour"]
    siblings = [record["parent"] for record in records(coda) if record["type"] == "message"]
    assert siblings[0] is siblings[2] is None
    history = [json.loads(line)["text"] for line in (coda.home / "data/prompt-history.jsonl").read_text().splitlines()]
    assert history == ["hello", "/edit", "hello world", "one\ntwo\nthree\nfour"]
    assert stat.S_IMODE((coda.home / "data/prompt-history.jsonl").stat().st_mode) == 0o600


def test_a_paste_never_sends_and_a_large_one_is_one_word(coda: Program) -> None:
    coda.scripted("Read.")
    pasted = "\n".join(f"line {number}" for number in range(400))
    with coda.terminal("chat", "--plain") as tty:
        person = Typist(tty)
        person.ready()
        person.type(f"\x1b[200~{pasted}\r\n/quit\r\n\x1b[201~")
        tty.until(lambda text: "[pasted 402 lines]" in text)
        person.say(" what is it?", "Read.")
        person.type("\x04")
        assert tty.end() == 0
    assert questions(coda) == [f"{pasted}\n/quit\n what is it?"]


def test_ctrl_c_stops_an_answer_and_keeps_its_part_then_leaves(coda: Program) -> None:
    gate = Gate()
    with ThreadedServer(FakeVendor("openai")) as fake:
        fake.server.queue(held(say("The first words of it."), gate, after=3))
        coda.served_by(fake.url)
        with coda.terminal("chat", "--plain") as tty:
            person = Typist(tty)
            person.ready()
            person.type("go\r")
            tty.until(lambda text: "fake/fake-model:" in text)
            person.type("typed meanwhile")
            person.type("\x03")
            tty.until(lambda text: "(stopped; what came is kept)" in text and text.endswith("> typed meanwhile"))
            person.type("\x03")
            tty.until(lambda text: "press Ctrl+C again" in text and READY.search(text))
            person.type("\x03")
            assert tty.end() == 0
        gate.open()
    assert questions(coda) == ["go"]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_keeps_the_draft_and_restores_the_terminal(coda: Program, sign: int) -> None:
    coda.scripted("Yes.")
    with coda.terminal("chat", "--plain") as tty:
        person = Typist(tty)
        person.ready()
        person.type("half a thought")
        tty.until(lambda text: text.endswith("half a thought"))
        os.kill(tty.child.pid, sign)
        assert tty.end() == 128 + sign
        assert tty.raw.rindex(b"\x1b[?2004l") > tty.raw.rindex(b"\x1b[?2004h"), "bracketed paste is left on"
    with coda.terminal("chat", "--plain") as tty:
        tty.until(lambda text: text.endswith("> half a thought"))


def test_nothing_above_the_prompt_is_touched_and_no_foreign_byte_gets_through(coda: Program) -> None:
    attack = "".join(f"{text} word{number} " for number, text in enumerate(ATTACKS))
    coda.scripted(f"{attack}\n\n```{attack}\n{attack}\n```\n\n# {attack}\n\n| {attack} |\n|---|\n| {attack} |\n")
    (coda.folder / "e\x1b[2Jvil.txt").write_text(attack)
    with coda.terminal("chat", "--plain", rows=200, env={"NO_COLOR": "1"}) as tty:
        person = Typist(tty)
        person.ready()
        person.say("hi", "word14")
        person.say("/rename " + "".join(ATTACKS[11]), "called")
        person.say('see @"e\x1b[2Jvil.txt"'.replace("\x1b", "\x16\x1b"), "(4: ")
        person.say("/tree show", "whole")
        person.say("/inspect", "request")
        person.say("!printf 'a\\033[2Jb\\007'", "goes along")
        person.type("\x04")
        assert tty.end() == 0
    rest = PROMPT.sub(b"", tty.raw).replace(b"\n", b"").replace(b"\t", b"")
    assert {bytes([byte]) for byte in rest if byte < 0x20 or byte == 0x7F} == set()
    assert b"\x1b[2J" not in tty.raw
    assert not re.search(rb"\x1b\[[0-9;]*[AFHf]", tty.raw), "the cursor went up"


def test_a_dumb_terminal_gets_no_escape_sequence_at_all(coda: Program) -> None:
    coda.scripted("**Fine.**")
    with coda.terminal("chat", env={"TERM": "dumb"}) as tty:
        person = Typist(tty)
        person.ready()
        person.say("hi", "Fine.")
        person.type("\x04")
        assert tty.end() == 0
    assert b"\x1b" not in tty.raw


def test_a_command_of_the_shell_is_stopped_with_all_it_started(coda: Program) -> None:
    coda.scripted("I see.")
    with coda.terminal("chat", "--plain") as tty:
        person = Typist(tty)
        person.ready()
        person.type("!echo begun; sleep 1000 & sleep 1000\r")
        tty.until(lambda text: "\nbegun" in text)
        person.type("\x1b")
        tty.until(lambda text: "(stopped; the output goes along" in text and READY.search(text))
        person.say("what was that?", "I see.")
        person.type("\x04")
        assert tty.end() == 0
    [asked] = questions(coda)
    assert asked.startswith("Output of `echo begun; sleep 1000 & sleep 1000` in my shell (stopped):")
    assert asked.endswith("what was that?")


def test_ctrl_c_between_two_prompts_is_a_signal_and_leaves_too(coda: Program) -> None:
    coda.scripted("Yes.")
    child = pexpect.spawn(
        sys.executable, ["-m", "coda_cli", "chat", "--plain"], env=coda.env({}), cwd=str(coda.folder), timeout=30
    )
    child.expect("leaves")
    child.expect(">")
    child.send("abc")
    child.expect("abc")
    child.send("\x03")
    child.expect("again to leave")  # the terminal is its own again until the next prompt
    child.send("\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
