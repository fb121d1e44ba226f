"""The ways in which a terminal and its chat are torn apart, at random moments. 200 runs with CODA_TEST_LONG=1.

Each run: an answer streams, the window is resized again and again, and then it happens, after a random number of
words. What was seen is on the disk, the terminal is as it was, and the program is gone.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.program import Program, held
from tests.e2e.test_chat_start import READY, Sitting, said
from tests.servers.reply import Gate
from tests.servers.script import Say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

RUNS = 67 if os.environ.get("CODA_TEST_LONG") else 2
WORDS = 40


def _ends(pid: int) -> bool:
    """Whether the process *pid* of another parent is gone, or is gone soon."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def _torn(coda: Program, way: str, dice: random.Random) -> int:
    """One run; how many words had been seen by then."""
    gate, words = Gate(), dice.randrange(1, WORDS)
    with ThreadedServer(FakeVendor("openai")) as server:
        server.server.queue(held([Say(f"word{number} ") for number in range(WORDS)], gate, words + 1))
        coda.served_by(server.url)
        sitting = Sitting(coda, ["chat", "tell me"])
        try:
            sitting.until(READY)
            sitting.until("tell me")
            for _ in range(dice.randrange(6)):
                sitting.child.setwinsize(dice.randrange(1, 60), dice.randrange(1, 250))
            sitting.child.setwinsize(24, 80)
            sitting.until(f"word{dice.randrange(words)} ")
            if way == "gone":
                sitting.child.ptyproc.fileobj.close()  # the window is closed: a hang-up, and nobody reads
                assert _ends(sitting.child.pid)
            else:
                number = signal.Signals[way]
                os.kill(sitting.child.pid, number)
                assert sitting.end() == 128 + number
            gate.open()
        finally:
            sitting.close()
    return words


@pytest.mark.parametrize("way", ["SIGTERM", "SIGHUP", "gone"])
def test_whatever_tears_it_apart_all_that_came_is_kept(way: str, tmp_path: Path) -> None:
    dice = random.Random(way)
    for run in range(RUNS):
        folder = tmp_path / str(run)
        folder.mkdir()
        coda = Program(folder)
        words = _torn(coda, way, dice)
        question, answer = said(coda)
        assert question == ("user", "tell me", "complete"), run
        assert answer[0] == "assistant", run
        assert answer[2] == "interrupted", run
        seen = answer[1].split()
        assert seen == [f"word{number}" for number in range(len(seen))], run
        assert 1 <= len(seen) <= words + 1, run
