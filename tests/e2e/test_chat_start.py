"""The installed `coda chat` at a terminal of its own: how it starts, what it takes along, and how it leaves."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from tests.e2e.program import GUARD, Program, held
from tests.servers.reply import Gate
from tests.servers.script import say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

QUESTION = b"\x1b]11;?\x1b\\"
PAPER = b"\x1b]11;rgb:fdfd/f6f6/e3e3\x1b\\\x1b[?62c"
READY = "Ask anything"


class Sitting:
    """A shell's child at a controlling terminal, which answers the question for its background with *answer*."""

    def __init__(
        self, coda: Program, arguments: Sequence[str], *, answer: bytes = b"\x1b[?62c", shell: str = "exec {coda}",
        env: dict[str, str] | None = None, python: str = "-m coda_cli",
    ) -> None:  # fmt: skip
        words = " ".join(f"'{word}'" for word in arguments)
        line = shell.format(coda=f"{sys.executable} {python} {words}")
        self.answer = answer
        self.raw = b""
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.child = pexpect.spawn(
            "/bin/sh",
            ["-c", f"read go; {line}"],
            env=coda.env({"COLORTERM": "truecolor", **(env or {})}),
            dimensions=(24, 80),
            cwd=str(coda.folder),
            echo=False,
        )
        self.before = termios.tcgetattr(self.child.child_fd)
        self.type("\n")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.child.child_fd, keys.encode())

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.display)

    def _read(self, ends: float) -> bool:
        ready = select.select([self.child.child_fd], [], [], max(0.0, ends - time.monotonic()))[0]
        assert ready, f"nothing more came: {self.text}"
        try:
            piece = os.read(self.child.child_fd, 1 << 16)
        except OSError:  # the terminal's end
            return False
        asked = QUESTION in self.raw
        self.raw += piece
        if not asked and QUESTION in self.raw:
            os.write(self.child.child_fd, self.answer)
        self._stream.feed(piece)
        return bool(piece)

    def until(self, wanted: str | Callable[[str], Any]) -> None:
        """Until *wanted* is on the screen."""
        ends = time.monotonic() + GUARD
        while not (wanted in self.text if isinstance(wanted, str) else wanted(self.text)):
            assert self._read(ends), f"it ended: {self.raw[-2000:]!r}"

    def answered(self, times: int = 1) -> None:
        """Until the scripted answer stands there so often, to its end: with what it took and cost below it."""
        self.until(lambda text: min(text.count("The answer is 42."), text.count(" s · free")) >= times)

    def end(self) -> int:
        """To its end; the exit code, as a shell counts it. The terminal must be as it was."""
        ends = time.monotonic() + GUARD
        while self._read(ends):
            pass
        after = termios.tcgetattr(self.child.child_fd)
        self.child.wait()
        assert after == self.before
        self.leaves_no_trace()
        return 128 + self.child.signalstatus if self.child.signalstatus is not None else int(self.child.exitstatus)

    def leaves_no_trace(self) -> None:
        """Every mode that was turned on was turned off again, and the cursor is shown."""
        for mode in (1000, 1003, 1004, 1006, 1049, 2004):
            on, off = (self.raw.rfind(b"\x1b[?%d%c" % (mode, end)) for end in b"hl")
            assert on <= off, mode
        assert self.raw.rfind(b"\x1b[?25l") <= self.raw.rfind(b"\x1b[?25h")
        assert self.raw.rfind(b"\x1b[>") <= self.raw.rfind(b"\x1b[<u")

    def close(self) -> None:
        self.child.close(force=True)


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    made = Program(tmp_path)
    made.scripted("The **answer** is 42.")
    return made


Sit = Callable[..., Sitting]


@pytest.fixture
def sit(coda: Program) -> Iterator[Sit]:
    made: list[Sitting] = []

    def start(*arguments: str, **more: Any) -> Sitting:
        made.append(Sitting(coda, arguments, **more))
        return made[-1]

    yield start
    for sitting in made:
        sitting.close()


def records(coda: Program) -> list[dict[str, Any]]:
    files = sorted((coda.home / "data" / "conversations").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def said(coda: Program) -> list[tuple[str, str, str]]:
    """(role, text, status) of every message on disk."""
    return [
        (one["role"], "".join(part.get("text", "") for part in one["parts"]), one["status"])
        for one in records(coda)
        if one["type"] == "message"
    ]


# ---- the way in -----------------------------------------------------------------------------------------------------


def test_coda_alone_is_the_chat_and_ctrl_d_leaves_it(coda: Program, sit: Sit) -> None:
    sitting = sit()
    sitting.until(READY)
    sitting.type("what is it?\r")
    sitting.answered()
    sitting.type("\x04")
    assert sitting.end() == 0
    assert "goes on with this chat" in sitting.text
    assert said(coda)[0][:2] == ("user", "what is it?")


def test_a_prompt_on_the_command_line_is_asked_at_once(coda: Program, sit: Sit) -> None:
    sitting = sit("chat", "what", "now?")
    sitting.answered()
    sitting.type("\x04")
    assert sitting.end() == 0
    assert said(coda)[0][:2] == ("user", "what now?")


def test_what_is_piped_in_comes_first_and_the_keys_come_from_the_terminal(coda: Program, sit: Sit) -> None:
    sitting = sit("chat", "and this", shell="printf 'from a pipe' | {coda}; exit")
    sitting.answered()
    sitting.type("more\r")
    sitting.answered(2)
    sitting.type("\x04")
    sitting.end()
    assert [text for role, text, _ in said(coda) if role == "user"] == ["from a pipe\n\nand this", "more"]


def test_a_file_without_a_question_waits_in_the_prompt(coda: Program, sit: Sit) -> None:
    (coda.folder / "notes.txt").write_text("remember the milk")
    sitting = sit("chat", "-f", "notes.txt")
    sitting.until("@notes.txt")
    sitting.type("what?\r")
    sitting.answered()
    sitting.type("\x04")
    assert sitting.end() == 0
    assert "remember the milk" in said(coda)[0][1]


def test_c_goes_on_with_the_latest_chat(coda: Program, sit: Sit) -> None:
    assert coda.run("ask", "the first question").code == 0
    sitting = sit("chat", "-c")
    sitting.until("the first question")
    sitting.answered()
    sitting.type("\x04")
    assert sitting.end() == 0


def test_r_begins_with_the_list_of_chats(coda: Program, sit: Sit) -> None:
    assert coda.run("ask", "about the boat").code == 0
    assert coda.run("ask", "about the garden").code == 0
    sitting = sit("chat", "-r")
    sitting.until(lambda text: "about the boat" in text and "about the garden" in text)
    sitting.type("boat")
    sitting.until(lambda text: "about the garden" not in text)
    sitting.type("\r")
    sitting.answered()
    sitting.type("\x04")
    assert sitting.end() == 0


@pytest.mark.parametrize(
    ("arguments", "env"), [(["--plain"], {}), ([], {"TERM": "dumb"}), ([], {"CODA_PLAIN": "1"}), (["-n"], {"TERM": ""})]
)
def test_a_chat_that_is_plain_draws_nothing(arguments: list[str], env: dict[str, str], sit: Sit) -> None:
    sitting = sit("chat", *arguments, "hello", env=env)
    sitting.until(lambda text: "The answer is 42." in text and text.rstrip().endswith("\n>"))
    sitting.type("\x04")
    assert sitting.end() == 0
    assert b"\x1b[?1049h" not in sitting.raw
    assert QUESTION not in sitting.raw


def test_without_a_terminal_each_line_of_stdin_is_a_message(coda: Program) -> None:
    ran = coda.run("chat", stdin=b"one\ntwo\n", prefix=("setsid",))
    assert ran.code == 0
    assert ran.text.count("The answer is 42.") == 2
    assert [text for role, text, _ in said(coda) if role == "user"] == ["one", "two"]


def test_what_is_drawn_goes_to_the_terminal_also_when_stderr_is_a_file(coda: Program, sit: Sit) -> None:
    sitting = sit("chat", shell="exec {coda} 2> errors.txt")
    sitting.until(READY)
    sitting.type("\x04")
    assert sitting.end() == 0
    assert b"\x1b" not in (coda.folder / "errors.txt").read_bytes()


def test_a_wrong_setting_is_told_and_nothing_is_left_on_the_screen(coda: Program, sit: Sit) -> None:
    coda.config("[providers.openai]\ntimeout = 'soon'\n")
    sitting = sit("chat")
    assert sitting.end() == 2
    assert "providers.openai.timeout" in sitting.text
    assert READY not in sitting.text


# ---- the background -------------------------------------------------------------------------------------------------


def drawn_on(sitting: Sitting, colour: tuple[int, int, int]) -> bool:
    return b"48;2;%d;%d;%d" % colour in sitting.raw


DARK, LIGHT, NORD = (20, 23, 29), (252, 252, 250), (46, 52, 64)


@pytest.mark.parametrize(
    ("answer", "env", "ground"),
    [
        (PAPER, {}, LIGHT),
        (b"\x1b]11;rgb:00/00/00\x07\x1b[?62c", {"COLORFGBG": "0;15"}, DARK),
        (b"\x1b[?62c", {"COLORFGBG": "0;15"}, LIGHT),
        (b"\x1b]11;rgb:junk\x07\x1b[?62c", {}, DARK),
        (b"", {}, DARK),
    ],
)
def test_the_theme_follows_the_background(
    answer: bytes, env: dict[str, str], ground: tuple[int, int, int], sit: Sit
) -> None:
    sitting = sit("chat", answer=answer, env=env)
    sitting.until(READY)
    assert drawn_on(sitting, ground)
    assert QUESTION in sitting.raw
    sitting.type("\x04")
    assert sitting.end() == 0


def test_a_theme_that_was_named_asks_nothing(sit: Sit) -> None:
    sitting = sit("chat", "--theme", "nord")
    sitting.until(READY)
    assert drawn_on(sitting, NORD)
    assert QUESTION not in sitting.raw
    sitting.type("\x04")
    assert sitting.end() == 0


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"COLORTERM": "", "TERM": "xterm"}])
def test_no_colour_and_sixteen_colours_are_kept_to(env: dict[str, str], sit: Sit) -> None:
    sitting = sit("chat", env=env)
    sitting.until(READY)
    sitting.type("what?\r")
    sitting.answered()
    sitting.type("\x04")
    assert sitting.end() == 0
    colours = set(re.findall(rb"[34]8;[25];|\x1b\[[0-9;]*(?:3|4|9|10)[0-7](?=[;m])", sitting.raw))
    assert not any(b"8;" in colour for colour in colours)
    if "NO_COLOR" in env:
        assert colours == set()


def test_what_is_typed_before_the_screen_is_there_stands_in_the_prompt(sit: Sit) -> None:
    sitting = sit("chat", answer=b"early" + PAPER + b" bird")
    sitting.until(lambda text: "early bird" in text)
    sitting.type("\r")
    sitting.answered()
    sitting.type("\x04")
    assert sitting.end() == 0


def test_an_answer_that_comes_too_late_is_not_typed_into_the_prompt(sit: Sit) -> None:
    sitting = sit("chat", answer=b"")
    sitting.until(READY)
    sitting.type(PAPER.decode() + "x")
    sitting.until(lambda text: re.search(r"❯ +x", text))
    assert "rgb" not in sitting.text
    sitting.type("\x7f\x04")
    assert sitting.end() == 0


# ---- the way out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_an_answer_keeps_it_and_restores_the_terminal(
    number: signal.Signals, coda: Program, sit: Sit
) -> None:
    gate = Gate()
    with ThreadedServer(FakeVendor("openai", answer="")) as server:
        server.server.queue(held(say("half an answer and more"), gate, 4))
        coda.served_by(server.url)
        sitting = sit("chat", "tell me")
        sitting.until("half an answer")
        os.kill(sitting.child.pid, number)
        assert sitting.end() == 128 + number
        gate.open()
    assert said(coda) == [("user", "tell me", "complete"), ("assistant", "half an answer", "interrupted")]


def test_a_signal_before_anything_was_said_restores_the_terminal(sit: Sit) -> None:
    sitting = sit("chat")
    sitting.until(READY)
    os.kill(sitting.child.pid, signal.SIGTERM)
    assert sitting.end() == 128 + signal.SIGTERM


CRASH = """
from coda_cli.tui.app import CodaApp
def broken(self, *anything):
    password = "hunter2" * 2
    raise RuntimeError("a defect")
CodaApp.{method} = broken
from coda_cli.__main__ import main
main()
"""


@pytest.mark.parametrize("method", ["on_mount", "action_find"])
def test_a_defect_restores_the_terminal_shows_no_values_and_says_where_the_chat_is(
    method: str, coda: Program, sit: Sit
) -> None:
    (coda.folder / "crash.py").write_text(CRASH.format(method=method))
    sitting = sit("chat", "remember this", python="crash.py")
    if method != "on_mount":
        sitting.answered()
        sitting.type("\x06" if method == "action_find" else "again\r")
    assert sitting.end() == 1
    shown = sitting.raw.rpartition(b"\x1b[?1049l")[2]
    assert b"a defect" in shown
    assert b"hunter2hunter2" not in sitting.raw
    if method != "on_mount":
        assert b"the chat is saved" in shown
        assert said(coda)[0][:2] == ("user", "remember this")
