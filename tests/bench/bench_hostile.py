"""Answers that are made to hold the chat up: the longest callback of its event loop for each, at a real terminal.

    python -m tests.bench.bench_hostile [words of a name ...]

A line is: wall and CPU of the longest callback while the answer comes, and while the window then gets another size,
all in milliseconds, and the callback's name. Nothing is asserted: these are figures, not tests.
"""

from __future__ import annotations

import select
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.hostile_answers import END, HOSTILE
from tests.e2e.program import Program
from tests.e2e.test_chat_start import READY, Sitting
from tests.e2e.test_hostile_answers import PROBE
from tests.servers.script import Say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor


def longest(ticks: Path, skip: int) -> tuple[int, str]:
    """(lines so far, the longest callback after the first *skip* of them)."""
    lines = ticks.read_text().splitlines() if ticks.exists() else []
    rows = [line.split(" ", 3) for line in lines[skip:]]
    if not rows:
        return len(lines), "under 5 ms"
    _, wall, cpu, name = max(rows, key=lambda row: float(row[2]))
    return len(lines), f"{float(wall) * 1000:6.0f} ms, CPU {float(cpu) * 1000:6.0f} ms ({name[:40]})"


def look_on(sitting: Sitting, seconds: float) -> None:
    """Take in what is drawn for a while."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if select.select([sitting.child.child_fd], [], [], 0.05)[0]:
            sitting._read(ends + 5)


def measure(name: str, folder: Path) -> str:
    """One answer."""
    coda, script, ticks = Program(folder), folder / "probe.py", folder / "ticks"
    script.write_text(PROBE)
    text = f"{HOSTILE[name]()}\n\n{END}"
    with ThreadedServer(FakeVendor("openai")) as server:
        coda.served_by(server.url, more="max_retries = 0")
        server.server.queue([Say(text[at : at + 2000]) for at in range(0, len(text), 2000)])
        sitting = Sitting(coda, ["chat"], python=str(script), env={"TICKS": str(ticks)})
        try:
            sitting.until(READY)
            count, _ = longest(ticks, 0)
            sitting.type("go\r")
            sitting.until(END)
            sitting.until(lambda seen: "F1 help" in seen)
            count, streaming = longest(ticks, count)
            sitting.child.setwinsize(30, 100)
            sitting.screen.resize(30, 100)
            look_on(sitting, 1.5)
            _, resizing = longest(ticks, count)
        finally:
            sitting.close()
    return f"{name:34} {streaming}; another size {resizing}"


def main() -> None:
    """All answers whose names hold one of the words given."""
    for name in HOSTILE:
        if not sys.argv[1:] or any(word in name for word in sys.argv[1:]):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    print(measure(name, Path(folder)), flush=True)
                except AssertionError as error:
                    print(f"{name:34} does not end: {str(error).splitlines()[0][:80]}", flush=True)


if __name__ == "__main__":
    main()
