"""The usage log under many writers, full disks and damage: every line is there or was never written."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from coda_cli.engine.core.ports import UsageRecord
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.usage.analytics import by_provider
from coda_cli.engine.usage.log import UsageLog
from coda_cli.engine.usage.sums import Sums

RECORD = UsageRecord(
    time=1_790_000_000.12345,
    conversation_id="conv-1",
    provider="p",
    model="m",
    usage=TokenUsage(input_tokens=10, output_tokens=5, cached_tokens=4, cache_write_tokens=1, reasoning_tokens=2),
    cost=0.25,
    latency=1.23456,
    first_token=0.12345,
    retries=1,
    status="complete",
    error=None,
)
WRITER = """
import sys
from msgspec.structs import replace
from pathlib import Path
from coda_cli.engine.usage.log import UsageLog
from tests.unit.test_usage_log import RECORD
log = UsageLog(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    log.record(replace(RECORD, conversation_id=f"{sys.argv[2]}-{number}", model="x" * (number % 97)))
print(repr(log.failed))
"""


def made(**changes: object) -> UsageRecord:
    fields = {name: getattr(RECORD, name) for name in RECORD.__struct_fields__}
    return UsageRecord(**{**fields, **changes})


def child(*command: str, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_a_line_has_the_documented_fields_and_no_text() -> None:
    log = UsageLog()
    log.record(RECORD)
    log.record(made(cost=None, first_token=None, error="LLMTimeoutError", status="error"))
    first, second = log.lines()
    assert first == {
        "time": 1_790_000_000.123,
        "conversation": "conv-1",
        "provider": "p",
        "model": "m",
        "input": 10,
        "cached": 4,
        "cache_write": 1,
        "output": 5,
        "reasoning": 2,
        "price": 0.25,
        "latency": 1.235,
        "first_token": 0.123,
        "rate": 1.8,
        "hit": False,
        "retries": 1,
        "status": "complete",
        "error": None,
    }
    assert (second["price"], second["first_token"], second["error"]) == ("unpriced", None, "LLMTimeoutError")
    assert log.path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nobody_else_may_read_it(mask: int) -> None:
    before = os.umask(mask)
    try:
        log = UsageLog()
        log.record(RECORD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


def test_a_log_that_was_opened_to_others_is_closed_again() -> None:
    log = UsageLog()
    log.record(RECORD)
    log.path.chmod(0o644)
    log.record(RECORD)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_eight_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log" / "usage.jsonl"
    writers = [child(str(path), str(number), "200", code=WRITER) for number in range(8)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        out, err = writer.communicate(timeout=60)
        assert (out, err, writer.returncode) == ("None\n", "", 0)
    raw = path.read_bytes()
    names = [json.loads(line)["conversation"] for line in raw.splitlines()]
    assert sorted(names) == sorted(f"{writer}-{number}" for writer in range(8) for number in range(200))
    assert [name for name in names if name.startswith("3-")] == [f"3-{number}" for number in range(200)]


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_torn_tail_is_never_fused_with_the_next_line(cut: int) -> None:
    log = UsageLog()
    log.record(RECORD)
    log.record(RECORD)
    log.path.write_bytes(log.path.read_bytes()[:-cut])
    log.record(made(conversation_id="after"))
    conversations = [line["conversation"] for line in log.lines()]
    assert conversations[0] == "conv-1"
    assert conversations[-1] == "after"
    assert len(conversations) == (3 if cut == 1 else 2)


FULL_DISK = """
import resource, sys
from pathlib import Path
from coda_cli.engine.usage.log import UsageLog
from tests.unit.test_usage_log import RECORD
log = UsageLog(Path(sys.argv[1]))
log.record(RECORD)
size = log.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(sys.argv[2]), resource.RLIM_INFINITY))
log.record(RECORD)
print(size, log.path.stat().st_size, type(log.failed).__name__, log.failed.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.record(RECORD)
print(len(list(log.lines())), log.path.read_bytes().count(b"\\n"))
"""


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_disk_that_is_full_in_the_middle_of_a_line_takes_none_of_it(tmp_path: Path, room: int) -> None:
    process = child(str(tmp_path / "usage.jsonl"), str(room), code=FULL_DISK)
    out, err = process.communicate(timeout=60)
    assert err == ""
    first, second = (line.split() for line in out.splitlines())
    assert first[0] == first[1]
    assert first[2] == "OSError"
    assert second == ["2", "2"]


def test_a_disk_that_refuses_is_told_and_not_raised(tmp_path: Path) -> None:
    log = UsageLog(tmp_path / "folder")
    log.path.mkdir()
    log.record(RECORD)
    assert isinstance(log.failed, IsADirectoryError)
    blocked = UsageLog(tmp_path / "file" / "usage.jsonl")
    (tmp_path / "file").write_text("not a folder")
    blocked.record(RECORD)
    assert isinstance(blocked.failed, OSError)


DAMAGE = [
    b"",
    b"{",
    b"[]",
    b"5",
    b"null",
    b'"text"',
    b"\x00\x00\x00",
    b"\xff\xfe{}",
    b'{"provider": "p"',
    b"[" * 100_000,
    b"9" * 5_000,
]


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_line_is_passed_over(damage: bytes) -> None:
    log = UsageLog()
    log.record(RECORD)
    with log.path.open("ab") as file:
        file.write(damage + b"\n")
    log.record(RECORD)
    assert len(list(log.lines())) == 2
    (sums,) = by_provider(log).values()
    assert (sums.requests, sums.tokens, sums.cost) == (2, 30, 0.5)


def test_no_log_is_no_lines() -> None:
    assert list(UsageLog().lines()) == []
    assert by_provider(UsageLog()) == {}


def test_totals_are_by_provider_and_count_what_has_no_price() -> None:
    log = UsageLog()
    log.record(RECORD)
    log.record(made(cost=None, error="LLMTimeoutError"))
    log.record(made(provider="q", cost=0.0, usage=TokenUsage()))
    per = {"input": 10, "cached": 4, "cache_write": 1, "output": 5, "reasoning": 2, "retries": 1}
    twice = {name: 2 * number for name, number in per.items()}
    assert by_provider(log) == {
        "p": Sums(requests=2, cost=0.25, unpriced=1, errors=1, **twice),
        "q": Sums(requests=1, retries=1),
    }


@pytest.mark.parametrize(
    "line",
    [
        '{"time": 1, "provider": 5, "price": 1}',
        '{"time": 1, "price": 1}',
        '{"time": 1, "provider": "p", "input": "7", "output": null, "price": "x"}',
        '{"time": "x", "provider": "p", "input": 7, "price": 1}',
        '{"time": 1e300, "provider": "p", "input": 7, "price": 1}',
        '{"time": 1, "provider": "p", "input": -7, "latency": -1, "first_token": "x", "rate": [], "price": -1}',
        '{"time": 1, "provider": "p", "input": 1e3, "output": true, "reasoning": 1e999, "price": 1e300}',
    ],
)
def test_fields_of_another_type_do_not_break_the_totals(line: str) -> None:
    log = UsageLog()
    log.record(RECORD)
    with log.path.open("a") as file:
        file.write(line + "\n")
    totals = by_provider(log)
    assert set(totals) == {"p"}
    assert (totals["p"].tokens, totals["p"].cost) == (15, 0.25)


def test_a_line_without_a_number_where_the_price_stands_does_not_poison_the_sum() -> None:
    log = UsageLog()
    log.record(RECORD)
    with log.path.open("a") as file:
        file.write('{"time": 1, "provider": "p", "price": NaN}\n{"time": 1, "provider": "p", "price": true}\n')
    assert by_provider(log)["p"].cost == 0.25


def test_names_beyond_ascii_and_half_characters_are_written() -> None:
    log = UsageLog()
    log.record(made(model="modèle-\U0001f600", conversation_id="half \ud83d"))
    (line,) = log.lines()
    assert line["model"] == "modèle-\U0001f600"
    assert log.failed is None
