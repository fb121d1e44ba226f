"""The prompt in a real terminal: bracketed pastes, the kitty keyboard, wide letters, and where the caret stands."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import prompt_app
from tests.e2e.program import Program, Terminal

START, END = b"\x1b[200~", b"\x1b[201~"
QUIT = b"\x11"
FOREIGN = [b"\x1b]0;title", b"\x1b[2J", b"\x1b[?1049l", b"\x9b", b"\x07", b"\x00", b"\xe2\x80\xae"]


class Screen:
    """The app in a terminal."""

    def __init__(self, terminal: Terminal, out: Path) -> None:
        self.terminal, self._out = terminal, out

    def send(self, data: bytes | str) -> None:
        """What the terminal sends when somebody types or pastes; in a thread, as a large paste waits to be read."""
        raw = data.encode() if isinstance(data, str) else data
        writer = threading.Thread(target=self._write, args=(raw,), daemon=True)
        writer.start()
        if len(raw) < 4096:
            writer.join()

    def _write(self, raw: bytes) -> None:
        while raw:
            raw = raw[os.write(self.terminal._master, raw[: 1 << 16]) :]

    def until(self, text: str) -> None:
        """Wait until *text* is on the screen."""
        self.terminal.until(lambda shown: text in shown.replace("\u00a0", " "))

    def caret_at(self, column: int, row: int) -> None:
        """Wait until the terminal's own cursor is there: an input method shows its candidates at that place."""
        cursor = self.terminal.screen.cursor
        self.terminal.until(lambda _: (cursor.x, cursor.y) == (column, row))

    @property
    def sent(self) -> list[str]:
        lines = self._out.read_text().splitlines() if self._out.exists() else []
        return [json.loads(line)["text"] for line in lines]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    out = tmp_path / "sent.jsonl"
    (tmp_path / "my notes.md").write_text("x")
    environ = {**Program(tmp_path).environ, "TEXTUAL_ANIMATIONS": "none"}
    terminal = Terminal([sys.executable, prompt_app.__file__, str(out)], environ, tmp_path)
    with terminal:
        one = Screen(terminal, out)
        one.until("Ask anything")
        yield one
        one.send(QUIT)
        assert terminal.end() == 0
        assert b"\x1b[?2004l" in terminal.raw  # bracketed paste is left as it was found


@pytest.mark.parametrize("newline", [b"\x1b[13;2u", b"\x1b[27;2;13~", b"\x1b\r", b"\x1b[13;3u", b"\n", b"\\\r"])
def test_what_a_terminal_may_send_for_a_new_line(screen: Screen, newline: bytes) -> None:
    screen.send(b"one" + newline + b"two")
    screen.until("two")
    screen.send(b"\r")
    screen.until("sent 7")
    assert screen.sent == ["one\ntwo"]


def test_keys_that_come_in_one_read_act_in_their_order(screen: Screen) -> None:
    screen.send(b"ab\x7fc\x01x\x05y\rnext")
    screen.until("next")
    assert screen.sent == ["xacy"]


def test_a_paste_never_sends_whatever_is_in_it(screen: Screen) -> None:
    screen.send(START + b"first\rsecond\r\x1bxyz\r\x00\x1b]0;title\x07\rthird\r" + END)
    screen.until("third")
    assert screen.sent == []
    screen.send(b"!\r")
    screen.until("sent")
    assert screen.sent == ["first\nsecond\nxyz\n\nthird\n!"]


def test_a_forged_end_of_a_paste_sends_nothing(screen: Screen) -> None:
    screen.send(START + b"look" + END + b"\rrm -rf .\r" + END)
    screen.until("rm -rf")
    assert screen.sent == []
    screen.send(START + b"again" + END + b"\rls\r")  # and one that the terminal does not end
    screen.until("ls")
    assert screen.sent == []


def test_ten_megabytes_are_one_block_one_question(screen: Screen) -> None:
    line = b"0123456789abcde\r"
    screen.send(START + line * (10_000_000 // 16) + END)
    screen.until("[pasted 625,000 lines #1]")
    assert screen.sent == []
    screen.send(b" why?\r")
    screen.until("sent 10000005")
    assert screen.sent == ["0123456789abcde\n" * 625_000 + " why?"]


def test_wide_letters_and_the_caret_behind_them(screen: Screen) -> None:
    screen.caret_at(1, 23)
    screen.send("漢字かな")
    screen.until("漢字かな")
    screen.caret_at(9, 23)
    screen.send(b"\x1b[D")
    screen.caret_at(7, 23)
    screen.send(b"\x1b[13;2u")
    screen.caret_at(1, 23)
    assert screen.terminal.screen.display[22].rstrip() == " 漢字か"
    screen.send("한국어 👍\r")
    screen.until("sent")
    screen.caret_at(1, 23)
    assert screen.sent == ["漢字か\n한국어 👍な"]


def test_not_one_foreign_control_byte_is_drawn(screen: Screen) -> None:
    before = len(screen.terminal.raw)
    screen.send(START + b"a" + b"b".join(FOREIGN[:3] + FOREIGN[4:]) + "\x9b31m\u009d0;xend".encode() + END)
    screen.until("end")
    drawn = screen.terminal.raw[before:]
    assert not [attack for attack in FOREIGN if attack in drawn]
    assert drawn.decode()


def test_a_command_is_completed_and_run_and_a_file_is_found(screen: Screen) -> None:
    screen.send(b"/")
    screen.until("/quit")
    screen.send(b"help")
    screen.until("/helpful")
    screen.send(b"\r")
    screen.until("sent 5")
    screen.send(b"see @not")
    screen.until("my notes.md")
    screen.send(b"\t")
    screen.until('see @"my notes.md"')
    screen.send(b"\r")
    screen.until("sent 19")
    assert screen.sent == ["/help", 'see @"my notes.md" ']


def test_escape_closes_the_list_and_then_is_the_apps(screen: Screen) -> None:
    screen.send(b"/h")
    screen.until("/helpful")
    screen.send(b"\x1b")
    screen.terminal.until(lambda shown: "/helpful" not in shown)
    screen.send(b"\x1b")
    screen.until("escaped")
