"""Answers that are made to hold the program up, through the real one from a server to a terminal.

Measured is the CPU time of single callbacks of the event loop, which other programs on the machine do not lengthen
much; `tests/bench/bench_hostile.py` prints the figures that matter to a person. The bound here stands far above those:
what grows with the square of the answer's length is over it by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.hostile_answers import END, HOSTILE
from tests.e2e.program import Program
from tests.e2e.test_chat_start import READY, Sitting, said
from tests.servers.script import Say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

LONGEST = 0.5
"""Seconds of CPU."""
LONG = bool(os.environ.get("CODA_TEST_LONG"))
CASES = [
    "10,000 combining marks",
    "a line of 1 MB in words",
    "10,000 quotes deep",
    "10,000 brackets",
    "a table cell of 1 MB",
    "100,000 links",
]
MORE = [
    "10,000 joined emoji", "a line of 1 MB", "10,000 lists deep on a line", "lists ever deeper", "10,000 stars",
    "a table cell of 1 MB in words", "100,000 bare links", "a table of 20,000 rows",
    "a code block with a line of 1 MB", "50,000 references",
]  # fmt: skip
MARK = "\u0301".encode()
PROBE = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.bench.tick_probe import watch
watch(os.open(os.environ["TICKS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND))
sys.argv[0] = "coda"
from coda_cli.__main__ import main
main()
"""


@dataclass
class Chat:
    """The program at a terminal, and what its event loop was busy with."""

    sitting: Sitting
    ticks: Path

    def longest(self) -> tuple[float, str]:
        """(CPU seconds of the longest callback, what it was)."""
        lines = [line.split(" ", 3) for line in self.ticks.read_text().splitlines()]
        return max(((float(cpu), name) for _, _, cpu, name in lines), default=(0.0, ""))


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def vendor(coda: Program) -> Iterator[FakeVendor]:
    with ThreadedServer(FakeVendor("openai")) as server:
        coda.served_by(server.url, more="max_retries = 0")
        yield server.server


@pytest.fixture
def chat(coda: Program, vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    script, ticks = coda.folder / "probe.py", coda.folder / "ticks"
    script.write_text(PROBE)
    sitting = Sitting(coda, ["chat"], python=str(script), env={"TICKS": str(ticks)})
    sitting.until(READY)
    feed = sitting._stream.feed
    # Not the program's work: this test's terminal normalises a cell anew with every mark.
    monkeypatch.setattr(sitting._stream, "feed", lambda piece: feed(piece.replace(MARK * 100, b"")))
    yield Chat(sitting, ticks)
    sitting.close()


def kept(coda: Program) -> bytes:
    """All that is stored; a long text stands in a file of its own."""
    return b"".join(file.read_bytes() for file in (coda.home / "data").rglob("*") if file.is_file())


@pytest.mark.parametrize("name", CASES + (MORE if LONG else []))
def test_an_answer_holds_the_program_up_only_for_a_blink(
    name: str, coda: Program, vendor: FakeVendor, chat: Chat
) -> None:
    text = f"{HOSTILE[name]()}\n\n{END}"
    vendor.queue([Say(text[at : at + 2000]) for at in range(0, len(text), 2000)])
    sitting = chat.sitting
    sitting.type("go\r")
    sitting.until(END)
    sitting.until(lambda seen: "F1 help" in seen)
    sitting.child.setwinsize(30, 100)
    sitting.screen.resize(30, 100)
    sitting.until(lambda _: sitting.screen.display[29].rstrip().endswith("F1 help"))
    sitting.type("\x1b[5~\x1b[5~still there")
    sitting.until("still there")
    sitting.type("\x11")
    assert sitting.end() == 0
    assert said(coda)[-1][2] == "complete"
    assert END.encode() in kept(coda)
    cpu, what = chat.longest()
    assert cpu < LONGEST, f"{cpu:.2f} s in {what}"
