"""`coda usage` over a million log lines: the first fold, later ones, and the baseline of reading the whole log.

    python -m tests.bench.bench_usage [LINES]

Prints seconds of wall: the baseline (plain Python: json.loads of each line, sums by day), the cold fold, `Rollup`
warm and warm with one new line, and the program itself. All in one run, on one log of two years, 6 models and as many
conversations as there are lines / 20.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from coda_cli.engine.usage.rollup import Rollup, speeds, sums

_MODELS = (
    ("openai", "gpt-6.1-sol"),
    ("openai", "gpt-6-luna"),
    ("anthropic", "claude-sonnet-5-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("ollama", "qwen3:8b"),
    ("local", "smollm2"),
)
_YEARS = 2 * 365 * 86400


def write_log(path: Path, lines: int) -> None:
    """A log of *lines* requests up to now."""
    rng, now = random.Random(7), time.time()
    with path.open("w") as file:
        for number in range(lines):
            provider, model = rng.choice(_MODELS)
            sent, came, first = rng.randrange(50, 9000), rng.randrange(1, 1500), rng.lognormvariate(-0.7, 0.6)
            line = {
                "time": round(now - _YEARS * (1 - number / lines), 3),
                "conversation": f"conv-{number // 20 + rng.randrange(3):020x}",
                "provider": provider,
                "model": model,
                "input": sent,
                "cached": sent // 2,
                "cache_write": 0,
                "output": came,
                "reasoning": came // 4,
                "price": "unpriced" if number % 50 == 0 else round(sent * 2e-6 + came * 1e-5, 8),
                "latency": round(first + came / rng.uniform(20, 120), 3),
                "first_token": round(first, 3),
                "rate": round(rng.uniform(20, 120), 2),
                "hit": number % 97 == 0,
                "retries": 0,
                "status": "complete",
                "error": None if number % 100 else "LLMOverloadedError",
            }
            file.write(json.dumps(line) + "\n")


def baseline(path: Path) -> dict[str, list[float]]:
    """What a short script would do."""
    out: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    with path.open("rb") as file:
        for raw in file:
            line = json.loads(raw)
            day = out[datetime.fromtimestamp(line["time"]).astimezone().strftime("%Y-%m-%d")]
            day[0] += 1
            day[1] += line["input"] + line["output"]
            if line["price"] != "unpriced":
                day[2] += line["price"]
    return out


def timed(work: Callable[[], object], times: int = 1) -> float:
    """The median of *times* runs, in seconds."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return sorted(took)[times // 2]


def main() -> None:
    """Measure and print."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        log = home / "data" / "usage.jsonl"
        log.parent.mkdir()
        write_log(log, lines)
        rollup = Rollup(log, home / "cache" / "usage.sqlite3")
        plain = timed(lambda: baseline(log))
        print(f"{lines:,} lines, {log.stat().st_size / 1e6:.0f} MB")
        print(f"  baseline, the whole log in plain Python   {plain:7.3f} s")

        def show(what: str, seconds: float) -> None:
            print(f"  {what:<41} {seconds:7.3f} s   {seconds / plain:6.3f} of the baseline")

        show("the first fold", timed(lambda: rollup.ask(lambda db: sums(db, "day"))))
        print(f"  (the rollup has {rollup.file.stat().st_size / 1e6:.1f} MB)")
        show("warm, sums by day", timed(lambda: rollup.ask(lambda db: sums(db, "day")), 5))
        show(
            "warm, sums and speeds by model",
            timed(lambda: rollup.ask(lambda db: (sums(db, "model"), speeds(db, "model"))), 5),
        )
        show("warm, sums by conversation", timed(lambda: rollup.ask(lambda db: sums(db, "conversation")), 5))

        def one_more() -> None:
            with log.open("a") as file:
                file.write(json.dumps({"time": time.time(), "provider": "p", "model": "m", "price": 0.1}) + "\n")
            rollup.ask(lambda db: sums(db, "day"))

        show("warm, with one new line", timed(one_more, 5))
        environment = {**os.environ, "CODA_HOME": str(home)}
        for more in ([], ["--by", "model"], ["--by", "conversation"], ["--since", "7d", "--json"]):
            command = [sys.executable, "-m", "coda_cli", "usage", *more]
            run = lambda command=command: subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: E731
            show(" ".join(["coda usage", *more]), timed(run, 5))


if __name__ == "__main__":
    main()
