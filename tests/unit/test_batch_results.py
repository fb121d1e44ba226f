"""The output file: what was acknowledged stays, what was torn is asked again, one process at a time."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path

import pytest

from coda_cli.engine.batch.prompts import key_of
from coda_cli.engine.batch.results import OrderedOut, OutputError, Record, ResultFile
from coda_cli.engine.core.errors import UsageError


def record(number: int, status: str = "complete", **more: object) -> Record:
    return {"id": str(number), "index": number, "prompt_hash": "h", "status": status, "cost_usd": 0.5, **more}


def lines(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def files(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


async def write(path: Path, *records: Record) -> None:
    out = ResultFile(path)
    try:
        await asyncio.gather(*(out.put(number, one) for number, one in enumerate(records)))
    finally:
        out.close()


def done(path: Path, *numbers: int) -> list[bool]:
    out = ResultFile(path)
    try:
        return [out.is_done(key_of(str(number), "h")) for number in numbers]
    finally:
        out.close()


async def test_a_file_cut_at_any_byte_is_mended_and_what_was_whole_is_known(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await write(path, record(1, text="ä\u2028b"), record(2), record(3))
    whole = path.read_bytes()
    assert whole.count(b"\n") == 3
    assert "\u2028".encode() not in whole
    assert path.stat().st_mode & 0o777 == 0o600
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        ends = whole[:cut].count(b"\n") + (whole[cut : cut + 1] == b"\n")
        assert done(path, 1, 2, 3) == [number < ends for number in range(3)]
        await write(path, record(9))
        assert [one["id"] for one in lines(path)] == [str(number + 1) for number in range(ends)] + ["9"]


async def test_only_what_is_complete_counts_as_done_and_all_of_it_has_cost(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await write(path, record(1, "error"), record(2), record(3, "invalid"))
    assert done(path, 1, 2, 3) == [False, True, False]
    out = ResultFile(path)
    assert out.cost == 1.5
    out.close()


@pytest.mark.parametrize("content", [b"my notes\n", b"no newline", b'{"a": 1}\n', b"[]\n", b'{"id":\xff}\n'])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="something else"):
        ResultFile(path)
    assert path.read_bytes() == content


async def test_a_damaged_line_is_passed_over_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    await write(path, record(1))
    with path.open("ab") as file:
        file.write(b"\0\0\0\n")
    await write(path, record(2))
    assert done(path, 1, 2) == [True, True]
    out = ResultFile(path)
    assert out.skipped == 1
    assert not out.tidy(lambda name: True, lambda one: 0)
    out.close()


def test_two_runs_on_one_file_are_refused_until_the_first_is_over(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    first = ResultFile(path)
    with pytest.raises(UsageError, match="another run") as told:
        ResultFile(path)
    assert told.value.hint
    first.close()
    ResultFile(path).close()


@pytest.mark.parametrize("kind", ["fifo", "folder", "nowhere"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = tmp_path / "no" / "out"
    with pytest.raises(UsageError):
        ResultFile(path)


async def test_a_full_disk_is_told_and_leaves_no_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.jsonl"
    out = ResultFile(path)
    await out.put(0, record(1))
    before = path.read_bytes()

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("coda_cli.engine.batch.results.os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        await out.put(1, record(2))
    assert path.read_bytes() == before
    monkeypatch.undo()
    await out.put(2, record(3))
    out.close()
    assert [one["id"] for one in lines(path)] == ["1", "3"]


async def test_at_the_end_the_lines_stand_in_the_order_of_the_input_once_each(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.touch(0o640)
    path.chmod(0o640)
    out = ResultFile(path)
    for one in (record(3), record(1, "error"), record(2), record(1)):
        await out.put(0, one)
    assert not out.tidy(lambda name: name != "2", lambda one: one["index"]), "2 is of another input"
    assert out.tidy(lambda name: True, lambda one: one["index"])
    assert not out.tidy(lambda name: True, lambda one: one["index"]), "it is tidy already"
    with pytest.raises(UsageError, match="another run"):
        ResultFile(path)
    await out.put(0, record(4))
    out.close()
    assert [(one["id"], one["status"]) for one in lines(path)] == [(str(n), "complete") for n in (1, 2, 3, 4)]
    assert path.stat().st_mode & 0o777 == 0o640
    assert files(tmp_path) == ["out.jsonl"]


async def test_a_pipe_gets_results_in_order_and_the_reader_of_a_slow_one_waits() -> None:
    got: list[bytes] = []
    out = OrderedOut(got.append, ahead=3)
    await out.put(2, record(2))
    await out.put(1, None)
    assert got == []
    waiting = asyncio.ensure_future(out.room(3))
    await asyncio.sleep(0)
    assert not waiting.done()
    await out.put(0, record(0))
    await waiting
    assert [json.loads(line)["id"] for line in b"".join(got).splitlines()] == ["0", "2"]
