"""`!command` in the installed chat at a real terminal: its output as it comes, its end by Esc, nothing foreign."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.e2e.test_chat_start import READY, Sitting, said
from tests.e2e.test_chat_terminal import ESC, Sit, coda, leave, quiet, sit, wait

__all__ = ["coda", "sit"]  # fixtures


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def slow(program: Program) -> str:
    """A command that says something, waits for the file `go` and goes on; it leaves the pids of all it starts."""
    script = program.folder / "slow.sh"
    go, pids = program.folder / "go", program.folder / "pids"
    script.write_text(
        f"#!/bin/sh\ntrap '' TERM\necho $$ >> {pids}\n"
        f"setsid sh -c 'echo $$ >> {pids}; exec sleep 600' > /dev/null 2>&1 &\n"
        f"printf 'first \\033[2J\\033]0;title\\007 line\\n'; seq 100 130\n"
        f"until [ -e {go} ]; do sleep 0.02; done\necho last line\n"
        f"for pid in $(cat {pids}); do [ $pid = $$ ] || kill $pid; done\n"
    )
    script.chmod(0o700)
    return str(script)


def test_output_is_seen_before_the_command_ends(coda: Program, sit: Sit) -> None:
    coda.scripted("seen")
    sitting = sit()
    sitting.type(f"!{slow(coda)}\r")
    sitting.until("runs; Esc stops it")
    sitting.until("130")
    assert "last line" not in sitting.text
    (coda.folder / "go").touch()
    sitting.until("last line")
    sitting.until("goes along with the next question")
    assert "runs; Esc stops it" not in sitting.text
    sitting.type("what is it?\r")
    sitting.until("seen")
    quiet(sitting)
    leave(sitting)
    assert b"\x1b[2J\x1b]0;title" not in sitting.raw
    assert b"]0;title\x07" not in sitting.raw
    assert "last line" in said(coda)[0][1]


@pytest.mark.parametrize("arguments", [["chat"], ["chat", "--plain"]])
def test_escape_stops_it_with_all_that_it_started(arguments: list[str], coda: Program) -> None:
    coda.scripted("seen")
    sitting = Sitting(coda, arguments)
    try:
        sitting.until("\n> " if "--plain" in arguments else READY)
        sitting.type(f"!{slow(coda)}\r")
        sitting.until("130")
        assert "last line" not in sitting.text
        wait(sitting, lambda: len((coda.folder / "pids").read_text().split()) == 2)
        sitting.type(ESC)
        sitting.until("goes along with the next question")
        for pid in (coda.folder / "pids").read_text().split():
            assert not alive(int(pid))
        assert b"]0;title\x07" not in sitting.raw
        if "--plain" in arguments:  # an Enter before the prompt reads keys is a new line in it
            wait(sitting, lambda: sitting.text.rstrip().endswith("\n>"))
        sitting.type("what is it?\r")
        sitting.until("seen")
        wait(sitting, lambda: len(said(coda)) == 2)
        if "--plain" in arguments:  # a key for the prompt is no key for the answer
            sitting.until(lambda text: text.rstrip().endswith("\n>"))
        sitting.type("\x11" if arguments == ["chat"] else "\x04")
        assert sitting.end() == 0
    finally:
        sitting.close()
        for pid in (coda.folder / "pids").read_text().split() if (coda.folder / "pids").exists() else ():
            if alive(int(pid)):
                os.kill(int(pid), 9)
    assert "in my shell (stopped):" in said(coda)[0][1]
