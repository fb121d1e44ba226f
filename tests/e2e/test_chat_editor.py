"""The editor behind Ctrl+G has the terminal for itself while the chat goes on: at a real terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.program import Program, held
from tests.e2e.test_chat_start import Sitting, said
from tests.e2e.test_chat_terminal import Sit, coda, drafts, leave, quiet, rest, sit, vendor, wait
from tests.servers.reply import Gate
from tests.servers.script import Say
from tests.servers.vendors import FakeVendor

__all__ = ["coda", "sit", "vendor"]  # fixtures

HEAD = "#!/bin/sh\n"
OPEN = "THE EDITOR IS OPEN"


def editor(program: Program, script: str) -> Path:
    """An editor that says that it is open, waits until the file `go` is there, and then does *script*."""
    file = program.folder / "editor.sh"
    go, pid = program.folder / "go", program.folder / "pid"
    file.write_text(
        f"{HEAD}echo $$ > {pid}; printf '\\033[2J\\033[H{OPEN}\\r\\n'\n"
        f"until [ -e {go} ]; do sleep 0.02; done\n{script}\n"
    )
    file.chmod(0o700)
    return file


def journal(program: Program) -> str:
    folder = program.home / "data" / "conversations"
    return "".join(file.read_text() for file in folder.glob("*.jsonl"))


def in_editor(sitting: Sitting, vendor: FakeVendor, gate: Gate, *, after: int = 6) -> None:
    """An answer streams, and then the editor is open."""
    pieces = [Say(f"word{number} ") for number in range(60)]
    vendor.queue(held([*pieces, Say("the very end")], gate, after))
    sitting.type("go\r")
    sitting.until("word1 ")
    sitting.type("begun here")
    sitting.until("begun here")
    sitting.type("\x07")
    sitting.until(OPEN)


def test_an_answer_goes_on_coming_while_the_editor_is_open(coda: Program, vendor: FakeVendor, sit: Sit) -> None:
    gate = Gate()
    sitting = sit(env={"EDITOR": str(editor(coda, "printf ' and more' >> \"$1\""))})
    in_editor(sitting, vendor, gate)
    drawn = len(sitting.raw)
    gate.open()
    wait(sitting, lambda: "the very end" in journal(coda))  # received and kept to its end, by a loop that runs
    assert OPEN in sitting.text
    assert sitting.raw[drawn:] == b"", "nothing is drawn over the editor"
    (coda.folder / "go").touch()
    sitting.until("begun here and more")
    sitting.until("the very end")
    quiet(sitting)
    assert OPEN not in sitting.text
    leave(sitting)
    assert said(coda)[-1][1].endswith("the very end")


def test_another_size_from_the_time_in_the_editor_is_taken_up(coda: Program, vendor: FakeVendor, sit: Sit) -> None:
    gate = Gate()
    sitting = sit(env={"EDITOR": str(editor(coda, ":"))})
    in_editor(sitting, vendor, gate)
    gate.open()
    for rows, columns in ((10, 40), (50, 160), (30, 100)):
        sitting.child.setwinsize(rows, columns)
        sitting.screen.resize(rows, columns)
        rest(sitting, 0.1)
    (coda.folder / "go").touch()
    sitting.until("the very end")
    sitting.until(lambda _: sitting.screen.display[29].rstrip().endswith("F1 help"))
    sitting.until(lambda _: len(sitting.screen.display[29].rstrip()) > 95)
    leave(sitting)


@pytest.mark.parametrize(
    "crash",
    ["stty raw -echo; printf '\\033[?1049h\\033[?1h\\033[2;5r\\033[?1000h'; kill -9 $$", "stty raw -echo; exit 3"],
)
def test_an_editor_that_crashes_leaves_the_terminal_whole(crash: str, coda: Program, sit: Sit) -> None:
    coda.scripted("an answer")
    sitting = sit(env={"EDITOR": str(editor(coda, crash))})
    sitting.type("begun here")
    sitting.until("begun here")
    sitting.type("\x07")
    sitting.until(OPEN)
    (coda.folder / "go").touch()
    sitting.until("the editor ")
    sitting.until("begun here")
    sitting.type(" and on\r")
    sitting.until("an answer")
    quiet(sitting)
    leave(sitting)  # which looks at the terminal's settings
    assert said(coda)[0][1] == "begun here and on"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_editor_is_open_ends_both_and_keeps_all(
    sign: int, coda: Program, vendor: FakeVendor, sit: Sit
) -> None:
    sitting = sit(env={"EDITOR": str(editor(coda, ":"))})
    in_editor(sitting, vendor, Gate())
    os.kill(sitting.child.pid, sign)
    assert sitting.end() == 128 + sign
    with pytest.raises(ProcessLookupError):
        os.kill(int((coda.folder / "pid").read_text()), 0)
    assert said(coda)[-1][1].startswith("word0 word1")
    assert drafts(coda) == ["begun here"]


def test_ctrl_c_in_the_editor_is_for_the_editor(coda: Program, sit: Sit) -> None:
    coda.scripted("an answer")
    sitting = sit(env={"EDITOR": str(editor(coda, "echo never"))})
    sitting.type("begun here")
    sitting.until("begun here")
    sitting.type("\x07\x07")  # twice: there is one editor all the same
    sitting.until(OPEN)
    sitting.type("\x03")
    sitting.until("killed by signal 2")
    sitting.until("begun here")
    leave(sitting)


def test_the_plain_prompt_is_written_in_the_editor_too(coda: Program) -> None:
    coda.scripted("an answer")
    sitting = Sitting(coda, ["chat", "--plain"], env={"EDITOR": str(editor(coda, "printf '\\nand more' >> \"$1\""))})
    try:
        sitting.until("> ")
        sitting.type("begun here\x07")
        sitting.until(OPEN)
        (coda.folder / "go").touch()
        sitting.until("and more")
        sitting.type("\r")
        sitting.until("an answer")
        sitting.until(lambda text: text.rstrip().endswith(">"))
        sitting.type("\x04")
        assert sitting.end() == 0
    finally:
        sitting.close()
    assert said(coda)[0][1] == "begun here\nand more"
