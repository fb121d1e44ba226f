"""Times `coda` beside ten lines over the bare openai SDK, in the same rounds, against one fake server.

    python -m tests.bench.bench_ask [--runs 7] [--tokens 20000]

Prints medians and their ratios to the baseline: compare ratios, not milliseconds. Peak memory is the process's own
maximum resident set. Nothing here is asserted: these are figures, not tests.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers.http import FakeServer
from tests.servers.reply import Reply
from tests.servers.request import Recorded
from tests.servers.script import Say, Used
from tests.servers.threaded import ThreadedServer
from tests.servers.wire import openai_chat

HERE = Path(__file__).parent
COALESCE = 16  # events a socket write, as a fast server sends them


@dataclass(frozen=True)
class Sample:
    """One run: seconds to the first byte and to the exit, CPU seconds, peak MB."""

    first: float
    exit: float
    cpu: float
    peak: float


def body(tokens: int) -> list[bytes]:
    """The streamed answer of *tokens* tokens of about five characters."""
    words = ["Quartz"] + [" light", " settles", " over", " the", " harbour."] * (tokens // 5 + 1)
    events = openai_chat([*(Say(word) for word in words[:tokens]), Used(10, tokens)])
    return [b"".join(events[start : start + COALESCE]) for start in range(0, len(events), COALESCE)]


def measure(command: list[str], environ: dict[str, str]) -> Sample:
    """Run *command* on a pipe and read it to its end."""
    started = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=environ
    )
    assert child.stdout is not None
    first = 0.0
    while os.read(child.stdout.fileno(), 1 << 16):
        first = first or time.perf_counter() - started
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Sample(first, time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e6)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=20_000)
    asked = parser.parse_args()
    bodies = {"short": body(200), "long": body(asked.tokens)}
    headers = {"content-type": "text/event-stream"}

    def answer(request: Recorded, number: int) -> Reply:
        return Reply(headers=headers, body=bodies[str(request.get("model"))])

    python = sys.executable
    coda = str(Path(python).parent / "coda")
    with tempfile.TemporaryDirectory() as home, ThreadedServer(FakeServer(answer)) as server:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CODA_", "OPENAI_"))},
            "CODA_HOME": home,
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"{server.url}/v1",
        }
        config = Path(home, "config", "coda.toml")
        config.parent.mkdir(parents=True)
        sdk = [python, str(HERE / "sdk_ask.py")]
        commands = {
            "sdk": [*sdk, "short", "hi"],
            "coda --version": [coda, "--version"],
            "coda --help": [coda, "--help"],
            "coda ask": [coda, "ask", "-m", "openai/short", "hi"],
            "coda ask, transport sdk": [coda, "ask", "-m", "sdk/short", "hi"],
            f"sdk, {asked.tokens} tokens": [*sdk, "long", "hi"],
            f"coda ask, {asked.tokens} tokens": [coda, "ask", "-m", "openai/long", "hi"],
        }
        config.write_text(f'[providers.sdk]\ntype = "openai"\napi_base = "{server.url}/v1"\ntransport = "sdk"\n')
        samples: dict[str, list[Sample]] = {name: [] for name in commands}
        for round_number in range(asked.runs + 1):  # the first is not counted: it compiles and warms
            for name, command in commands.items():
                sample = measure(command, environ)
                if round_number:
                    samples[name].append(sample)
    print(f"{'':32} {'first ms':>9} {'x':>6} {'exit ms':>9} {'x':>6} {'CPU ms':>8} {'x':>6} {'peak MB':>8}")
    for name, taken in samples.items():
        base = samples["sdk" if str(asked.tokens) not in name else f"sdk, {asked.tokens} tokens"]
        cells = []
        for field in ("first", "exit", "cpu"):
            value, other = (statistics.median(getattr(one, field) for one in some) for some in (taken, base))
            cells.append(f"{value * 1000:9.0f} {value / other:6.2f}")
        peak = statistics.median(one.peak for one in taken)
        print(f"{name:32} {' '.join(cells)} {peak:8.0f}")


if __name__ == "__main__":
    main()
