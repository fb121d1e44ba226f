"""Times `coda batch` beside a plain gather over the bare openai SDK, in the same rounds, against one fake server.

    python -m tests.bench.bench_batch [--prompts 2000] [--concurrency 16] [--runs 3] [--many 100000]

Prints prompts a second with the ratio to the baseline (whole answers), and peak memory; `--many` adds one run of Coda
over so many lines, to see that its memory does not grow with them. Coda streams every answer and syncs every result to
disk; the baseline does neither, so a second one streams. Nothing here is asserted: these are figures, not tests.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.bench_ask import HERE, Sample, measure
from tests.servers.http import FakeServer
from tests.servers.reply import Reply
from tests.servers.request import Recorded
from tests.servers.script import Script, Used, say
from tests.servers.threaded import ThreadedServer
from tests.servers.wire import openai_chat, openai_chat_whole

ANSWER: Script = [*say("The harbour lies quiet under a light that settles over the water. " * 3), Used(20, 40)]
STREAMED = Reply(headers={"content-type": "text/event-stream"}, body=[b"".join(openai_chat(ANSWER))])
WHOLE = Reply.json(openai_chat_whole(ANSWER))


class _Forgetful(FakeServer):
    """Does not keep the requests: its memory and its time must not grow."""

    async def respond(self, request: Recorded) -> Reply:
        """Streamed or whole, as asked."""
        self.requests.clear()
        return STREAMED if request.data.get("stream") else WHOLE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--many", type=int, default=0)
    asked = parser.parse_args()
    python = sys.executable
    with tempfile.TemporaryDirectory() as home, ThreadedServer(_Forgetful()) as server:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("CODA_", "OPENAI_"))},
            "CODA_HOME": home,
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"{server.url}/v1",
        }

        def prompts(count: int) -> str:
            file = Path(home, f"prompts-{count}.txt")
            file.write_text("".join(f"What is said of harbour {number}, and by whom?\n" for number in range(count)))
            return str(file)

        def coda(count: int) -> Sample:
            output = Path(home, "coda.jsonl")
            output.unlink(missing_ok=True)
            flags = ["-m", "openai/fake", "--output", str(output), "--concurrency", str(asked.concurrency), "--no-log"]
            return measure([python, "-m", "coda_cli", "batch", prompts(count), *flags], environ)

        def sdk(count: int, *more: str) -> Sample:
            command = [python, str(HERE / "sdk_batch.py"), "fake", prompts(count), str(Path(home, "sdk.jsonl"))]
            return measure([*command, str(asked.concurrency), *more], environ)

        count = asked.prompts
        rounds = [(sdk(count), sdk(count, "stream"), coda(count)) for _ in range(asked.runs + 1)][1:]
        base = statistics.median(one[0].exit for one in rounds)
        head = f"{count} prompts, {asked.concurrency} at once"
        print(f"{head:34} {'a second':>9} {'x':>6} {'CPU s':>7} {'peak MB':>8}")
        for number, title in enumerate(("gather over the SDK, whole", "gather over the SDK, streamed", "coda batch")):
            taken = [one[number] for one in rounds]
            wall, cpu, peak = (
                statistics.median(getattr(one, what) for one in taken) for what in ("exit", "cpu", "peak")
            )
            print(f"{title:34} {count / wall:9.0f} {base / wall:6.2f} {cpu:7.2f} {peak:8.0f}")
        if asked.many:
            for count in (1000, asked.many):
                one = coda(count)
                print(
                    f"{f'coda batch, {count} lines':34} {count / one.exit:9.0f} {'':6} {one.cpu:7.2f} {one.peak:8.0f}"
                )


if __name__ == "__main__":
    main()
