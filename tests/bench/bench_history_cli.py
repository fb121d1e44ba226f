"""Times `coda history list` and `search` beside ten lines over the bare openai SDK, in the same rounds.

    python -m tests.bench.bench_history_cli [--runs 9] [--counts 0,1000,10000] [--messages 10]

Every line is a fresh process on a pipe; the index is there, as after the first command. Prints medians and their ratios
to the baseline (one streamed answer of 200 tokens from a fake server): compare ratios, not milliseconds. What is to be
flat in the number of conversations is flat there or is not. Nothing is asserted: these are figures, not tests.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.bench_ask import HERE, Sample, body, measure
from tests.bench.bench_history import _fill as fill
from tests.servers.http import FakeServer
from tests.servers.reply import Reply
from tests.servers.threaded import ThreadedServer

COMMANDS = {
    "list": ["list"],
    "list --json": ["list", "--json"],
    "list --offset 500": ["list", "--offset", "500"],
    "search, a rare word": ["search", "needle"],
    "search, two words": ["search", "the needle"],
    "show -": ["show", "-"],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--counts", default="0,1000,10000")
    parser.add_argument("--messages", type=int, default=10)
    asked = parser.parse_args()
    counts = [int(count) for count in asked.counts.split(",")]
    answer = Reply(headers={"content-type": "text/event-stream"}, body=body(200))
    coda = str(Path(sys.executable).parent / "coda")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CODA_", "OPENAI_", "PYTHON"))}
    with tempfile.TemporaryDirectory() as root, ThreadedServer(FakeServer(lambda request, number: answer)) as server:
        sdk_environ = {**clean, "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{server.url}/v1"}
        runs: dict[str, tuple[list[str], dict[str, str]]] = {
            "sdk": ([sys.executable, str(HERE / "sdk_ask.py"), "short", "hi"], sdk_environ)
        }
        for count in counts:
            home = Path(root, str(count))
            if count:
                fill(home / "data", count, asked.messages)
            environ = {**clean, "CODA_HOME": str(home)}
            runs |= {
                f"{count:>7,} {name}": ([coda, "history", *command], environ)
                for name, command in COMMANDS.items()
                if count or name != "show -"
            }
            measure([coda, "history", "list"], environ)  # makes the index
        samples: dict[str, list[Sample]] = {name: [] for name in runs}
        for round_number in range(asked.runs + 1):  # the first is not counted: it compiles and warms
            for name, (command, environ) in runs.items():
                sample = measure(command, environ)
                if round_number:
                    samples[name].append(sample)
    base = statistics.median(sample.exit for sample in samples["sdk"])
    print(f"{'':32} {'wall ms':>9} {'x sdk':>6} {'CPU ms':>8} {'peak MB':>8}")
    for name, taken in samples.items():
        wall, cpu, peak = (statistics.median(getattr(one, field) for one in taken) for field in ("exit", "cpu", "peak"))
        print(f"{name:32} {wall * 1000:9.0f} {wall / base:6.2f} {cpu * 1000:8.0f} {peak:8.0f}")


if __name__ == "__main__":
    main()
