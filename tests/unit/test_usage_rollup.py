"""The daily sums of the usage log: the same as reading all of it, whatever happened to the log or to the sums."""

from __future__ import annotations

import json
import math
import os
import random
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli import paths
from coda_cli.engine.usage.histogram import bucket, from_bytes, packed, percentiles, to_bytes
from coda_cli.engine.usage.rollup import Rollup, speeds, sums
from coda_cli.engine.usage.sums import Sums

NOON = 1_790_000_000.0
DAY = 86400.0


def line(**more: Any) -> dict[str, Any]:
    fields = {"time": NOON, "conversation": "c", "provider": "p", "model": "m", "input": 10, "output": 5, "price": 0.5}
    return {**fields, **more}


def write(log: Path, *lines: dict[str, Any], end: str = "\n") -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write("".join(json.dumps(one) + "\n" for one in lines[:-1]))
        if lines:
            file.write(json.dumps(lines[-1]) + end)


def told(rollup: Rollup, by: str = "day") -> dict[str | int, Sums]:
    return rollup.ask(lambda db: sums(db, by))


def afresh(log: Path, tmp_path: Path, by: str = "day") -> dict[str | int, Sums]:
    """What a rollup that was made this moment says."""
    return told(Rollup(log, tmp_path / f"fresh-{random.random()}" / "usage.sqlite3"), by)


@pytest.fixture
def log() -> Path:
    return paths.data_dir() / "usage.jsonl"


def test_what_is_new_is_taken_in_and_nothing_twice(log: Path, tmp_path: Path) -> None:
    rollup = Rollup()
    for number in range(5):
        write(log, *[line(time=NOON + DAY * (number % 2), price=0.25) for _ in range(3)])
        for _ in range(2):
            assert told(rollup) == afresh(log, tmp_path)
    assert sorted(one.requests for one in told(rollup).values()) == [6, 9]


def test_asking_without_a_log_leaves_no_trace(tmp_path: Path) -> None:
    assert told(Rollup()) == {}
    assert not paths.cache_dir().exists()


def test_a_line_that_is_still_being_written_is_counted_once_it_is_whole(log: Path) -> None:
    rollup = Rollup()
    text = json.dumps(line())
    write(log, line())
    for at in range(0, len(text), 7):
        with log.open("a") as file:
            file.write(text[at : at + 7])
        assert told(rollup, "total")[""].requests == 1
    with log.open("a") as file:
        file.write("\n")
    assert told(rollup, "total")[""].requests == 2


def cut(log: Path) -> None:
    os.truncate(log, log.stat().st_size // 2)


def rewritten_in_place(log: Path) -> None:
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[3:]) + "".join(lines))


def replaced(log: Path) -> None:
    other = log.with_name("other")
    other.write_text(log.read_text() + json.dumps(line(provider="q")) + "\n")
    other.replace(log)


def emptied(log: Path) -> None:
    os.truncate(log, 0)


def gone(log: Path) -> None:
    log.unlink()


@pytest.mark.parametrize("happens", [cut, rewritten_in_place, replaced, emptied, gone])
def test_another_log_is_read_from_its_beginning(happens: Callable[[Path], None], log: Path, tmp_path: Path) -> None:
    rollup = Rollup()
    write(log, *[line(conversation=str(number), price=number / 8) for number in range(20)])
    told(rollup)
    happens(log)
    for by in ("day", "provider", "conversation"):
        assert told(rollup, by) == afresh(log, tmp_path, by)


def garbage(file: Path) -> None:
    file.write_bytes(b"not a database at all" * 300)


def half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def nothing(file: Path) -> None:
    os.truncate(file, 0)


def of_another_version(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")


def without_rows(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("DELETE FROM daily WHERE day = (SELECT max(day) FROM daily)")


def with_a_bad_histogram(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("UPDATE daily SET latency = 7")


def with_text_for_numbers(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("UPDATE daily SET input = 'x', cost = 'y'")


def without_a_table(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("DROP TABLE chat")


def overwritten_in_the_middle(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(os.urandom(4096))


HURTS = [
    *(garbage, half, nothing, of_another_version, without_rows, with_a_bad_histogram, with_text_for_numbers),
    *(without_a_table, overwritten_in_the_middle),
]


@pytest.mark.parametrize("hurt", HURTS)
def test_a_damaged_rollup_is_made_anew(hurt: Callable[[Path], None], log: Path, tmp_path: Path) -> None:
    rollup = Rollup()
    write(log, *[line(time=NOON + DAY * number, latency=1.0, first_token=0.5) for number in range(9)])
    told(rollup)
    hurt(rollup.file)
    write(log, line(time=NOON + DAY, latency=2.0))
    fresh = Rollup(log, tmp_path / "fresh.sqlite3")
    for _ in range(2):
        assert rollup.ask(lambda db: (sums(db, "day"), speeds(db, "model"))) == fresh.ask(
            lambda db: (sums(db, "day"), speeds(db, "model"))
        )
        assert told(rollup, "conversation") == told(fresh, "conversation")


def test_a_cache_that_takes_no_file_costs_time_only(log: Path) -> None:
    write(log, line())
    paths.cache_dir().parent.mkdir(parents=True, exist_ok=True)
    paths.cache_dir().write_text("not a folder")
    assert told(Rollup(), "total")[""].requests == 1


def test_another_time_zone_has_other_days(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, line(time=1_790_031_600.0))  # 2026-09-21 23:00 UTC
    seen = []
    for zone in ("UTC", "Asia/Tokyo", "UTC"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        seen += [date.fromordinal(int(day)).isoformat() for day in told(Rollup())]
    monkeypatch.delenv("TZ")
    time.tzset()
    assert seen == ["2026-09-21", "2026-09-22", "2026-09-21"]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nobody_else_may_read_it(mask: int, log: Path) -> None:
    write(log, line())
    before = os.umask(mask)
    try:
        told(Rollup())
        Rollup().file.chmod(0o644)
        told(Rollup())
    finally:
        os.umask(before)
    files = list(paths.cache_dir().iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert b"conversation text" not in b"".join(file.read_bytes() for file in files)


WRITER = """
import json, sys
from pathlib import Path
from coda_cli.engine.usage.log import UsageLog
from coda_cli.engine.usage.rollup import Rollup, sums
from tests.unit.test_usage_log import made
log = UsageLog()
rollup = Rollup()
for number in range(60):
    log.record(made(conversation_id=sys.argv[1]))
    if number % 3 == 0:
        rollup.ask(lambda db: sums(db, "total"))
"""


def test_eight_processes_that_write_and_ask_count_every_line_once(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(number)], cwd=Path(__file__).parents[2])
        for number in range(8)
    ]
    assert [child.wait(120) for child in children] == [0] * 8
    found = told(Rollup(), "conversation")
    assert {name: one.requests for name, one in found.items()} == {str(number): 60 for number in range(8)}
    assert told(Rollup(), "total")[""].requests == 480


def test_an_answer_of_a_vendors_batch_is_counted_and_takes_no_part_in_the_latencies(log: Path) -> None:
    write(log, line(latency=2.0), line(latency=0.0), line(latency=0.0))
    assert told(Rollup(), "total")[""].requests == 3
    (measured,) = Rollup().ask(lambda db: speeds(db, "total")).values()
    assert measured.to_json()["latency_seconds"]["p50"] == pytest.approx(2.0, rel=0.05)


def test_what_failed_before_anything_came_is_not_unpriced_and_what_broke_later_is(log: Path) -> None:
    write(log, line(input=0, output=0, price="unpriced", error="LLMConnectionError", first_token=None))
    write(log, line(input=0, output=0, price="unpriced", error="LLMIncompleteResponseError", first_token=0.2))
    total = told(Rollup(), "total")[""]
    assert (total.requests, total.errors, total.unpriced, total.cost) == (2, 2, 1, 0.0)


def test_old_lines_without_the_new_fields_are_counted_with_a_rate(log: Path) -> None:
    write(log, line(output=101, reasoning=0, latency=3.0, first_token=1.0))
    (one,) = Rollup().ask(lambda db: speeds(db, "model")).values()
    rate = percentiles(one.rate, [0.5])
    assert rate is not None
    assert rate[0] == pytest.approx(50, rel=0.026)


def test_days_bound_what_is_asked(log: Path) -> None:
    write(log, *[line(time=NOON + DAY * number) for number in range(5)])
    days = sorted(int(day) for day in told(Rollup()))
    found = Rollup().ask(lambda db: sums(db, "total", days[1], days[3]))
    assert found[""].requests == 3


LINES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "time": st.floats(0, 4e9) | st.none() | st.text(max_size=3) | st.just(1e400),
            "provider": st.sampled_from(["p", "q", "", "\ud800", "x" * 900]) | st.integers(),
            "model": st.sampled_from(["m", "n"]) | st.none(),
            "conversation": st.sampled_from(["c", "d"]) | st.integers(),
            "input": st.integers(-5, 10**15) | st.none() | st.booleans(),
            "output": st.integers(0, 10**6) | st.text(max_size=2),
            "price": st.floats(0, 100) | st.just("unpriced") | st.just(1e308),
            "latency": st.floats(0, 1e9) | st.none() | st.just(float("nan")),
            "first_token": st.floats(0, 10) | st.none(),
            "error": st.none() | st.just("E"),
            "hit": st.booleans() | st.just(1),
        },
    ),
    max_size=30,
)


@given(lines=LINES, stops=st.lists(st.integers(0, 30), max_size=4))
@settings(deadline=None, max_examples=60)
def test_any_lines_in_any_steps_add_up_to_the_same(
    lines: list[dict[str, Any]], stops: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rollup")
    log, rollup = folder / "usage.jsonl", Rollup(folder / "usage.jsonl", folder / "cache" / "usage.sqlite3")
    log.touch()
    for first, last in zip([0, *sorted(stops)], [*sorted(stops), len(lines)], strict=True):
        write(log, *lines[first:last])
        told(rollup)
    for by in ("day", "model", "conversation", "total"):
        once, steps = afresh(log, folder, by), told(rollup, by)
        assert once.keys() == steps.keys()
        for key, one in once.items():
            assert steps[key].cost == pytest.approx(one.cost)
            steps[key].cost = one.cost  # sums of floats differ in the last digit by their order
            assert steps[key] == one
    assert rollup.ask(lambda db: speeds(db, "total")) == Rollup(log, folder / "f.sqlite3").ask(
        lambda db: speeds(db, "total")
    )


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=300), st.floats(0, 1))
def test_a_percentile_is_within_5_percent_of_the_value_there(values: list[float], share: float) -> None:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket(value)] = counts.get(bucket(value), 0) + 1
    histogram = packed(counts)
    assert from_bytes(to_bytes(histogram)) == histogram
    found = percentiles(histogram, [share])
    assert found is not None
    exact = sorted(values)[max(1, math.ceil(share * len(values) - 1e-9)) - 1]
    assert found[0] == pytest.approx(exact, rel=0.026)


def test_a_million_lines_are_read_in_pieces(log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(log, *[line(conversation=f"c{number % 7}") for number in range(500)])
    whole = afresh(log, tmp_path, "conversation")
    monkeypatch.setattr("coda_cli.engine.usage.rollup._CHUNK", 100)
    seen: list[tuple[int, int]] = []
    found = Rollup().ask(lambda db: sums(db, "conversation"), lambda done, size: seen.append((done, size)))
    assert found == whole
    assert seen[-1] == (log.stat().st_size, log.stat().st_size)
    assert len(seen) > 100
