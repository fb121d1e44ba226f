"""MCP servers that hang, flood, die, talk nonsense and lie: each costs one error in words, and nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.tools.mcp.config import ServerConfig
from tests.unit.mcp_calls import START, call, demo, faulty, manager, until


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except FileNotFoundError:
        return False


def pids_in(mark: Path) -> list[int]:
    return [int(pid) for pid in mark.read_text().split()] if mark.exists() else []


@pytest.mark.parametrize("fault", ["hang_start", "deaf", "dies_at_start", "missing", "gone"])
async def test_a_server_that_does_not_start_costs_one_line(fault: str) -> None:
    configs = {
        "missing": ServerConfig("faulty", "/no/such/program"),
        "gone": ServerConfig("faulty", "sh", ["-c", "exit 0"]),
    }
    config = configs.get(fault) or faulty(fault, start_timeout=START if fault == "dies_at_start" else 1.0)
    expected = {
        "hang_start": "it did not start within 1 seconds",
        "deaf": "it did not start within 1 seconds",
        "dies_at_start": "it ended (exit code 2) and said: no configuration",
        "missing": "it can't be started: No such file or directory: /no/such/program",
        "gone": "it ended (exit code 0)",
    }
    async with manager(config, demo()) as tools:
        (problem,) = tools.problems
        assert problem.startswith("MCP server faulty: it is left out: ")
        assert expected[fault] in problem
        assert "mcp__demo__add" in tools.names()  # the others are not harmed
        await tools.ready()
        assert len(tools.problems) == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("hang_call", "this took longer than 1.5 seconds"),
        ("dies", "it ended (exit code 3) and said: out of cheese"),
        ("flood", "it sent a message of more than 8 MB"),
        ("junk_flood", "it sends what is no message of MCP"),
        ("notifications", "messages that nobody asked for"),
        ("no_result", "it answered with what is no result of MCP"),
        ("error", "it says: the database is down"),
    ],
)
async def test_each_fault_costs_one_error(fault: str, expected: str) -> None:
    async with manager(faulty(fault, timeout=1.5 if fault == "hang_call" else 60.0)) as tools:
        result = await call(tools, "mcp__faulty__say")
        assert result.is_error
        assert expected in result.text
        assert len(result.text) < 1_000


@pytest.mark.parametrize("fault", ["junk", "stderr_flood", "big_result"])
async def test_what_can_be_borne_is(fault: str, capfd: pytest.CaptureFixture[str]) -> None:
    async with manager(faulty(fault)) as tools:
        result = await call(tools, "mcp__faulty__say")
        assert not result.is_error
        assert len(result.text.encode()) < 70_000
    assert capfd.readouterr() == ("", "")  # not a byte of it on the terminal


async def test_schemas_that_no_vendor_takes_cost_their_tool_alone() -> None:
    async with manager(faulty("lies")) as tools:
        names = tools.names()
        assert names[0] == "mcp__faulty__" + "l" * 42 + names[0][-9:]
        assert "mcp__faulty__say" in names
        assert len(names) == 3
        left_out = {line.split("the tool ")[1].split()[0]: line for line in tools.problems}
        assert set(left_out) == {"huge", "deep", "recursive", "invalid", "away", "say"}
        assert all(line.isprintable() and len(line) < 400 for line in tools.problems)
        odd = next(spec for spec in tools.specs(FunctionCallingConfig()) if "odd" in spec.name)
        assert "\x1b" not in odd.description
        assert len(odd.description) < 2_000


async def test_a_server_is_started_again_twice_and_then_given_up() -> None:
    async with manager(faulty("dies")) as tools:
        said = [(await call(tools, "mcp__faulty__say", json.dumps({"text": str(n)}))).text for n in range(4)]
        assert all("out of cheese" in one for one in said[:3])
        assert "not started again" in said[3]


async def test_nothing_that_a_server_started_outlives_it(tmp_path: Path) -> None:
    mark = tmp_path / "pids"
    async with manager(faulty("ignores_term", mark)) as tools:
        task = asyncio.create_task(call(tools, "mcp__faulty__say"))
        await until(lambda: len(pids_in(mark)) == 2)
        pids = pids_in(mark)
        assert all(map(alive, pids))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not any(map(alive, pids))


async def test_a_stopped_call_of_a_server_that_does_not_listen_ends_it(tmp_path: Path) -> None:
    mark = tmp_path / "pids"
    async with manager(faulty("ignores_term", mark)) as tools:
        task = asyncio.create_task(call(tools, "mcp__faulty__say"))
        await until(lambda: len(pids_in(mark)) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not any(map(alive, pids_in(mark))))


async def test_a_slow_start_does_not_hold_up_a_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coda_cli.engine.tools.mcp.servers._PATIENCE", 0.01)
    async with manager(faulty("hang_start", start_timeout=600.0), ready=False) as tools:
        await tools.ready()
        (problem,) = tools.problems
        assert "still starting" in problem
        monkeypatch.setattr("coda_cli.engine.tools.mcp.servers._PATIENCE", 600.0)
        await tools.ready()  # it has been waited for


async def test_a_server_ends_with_coda_however_that_ends(tmp_path: Path) -> None:
    """The process that has the server is killed: nobody is left to say goodbye."""
    mark = tmp_path / "pids"
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom tests.unit.mcp_calls import call, faulty, manager\n"
        "async def main():\n"
        "    async with manager(faulty('ignores_term', Path(sys.argv[1]))) as tools:\n"
        "        await call(tools, 'mcp__faulty__say')\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(mark), cwd=root)
    await until(lambda: len(pids_in(mark)) == 2)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await until(lambda: not any(map(alive, pids_in(mark))))
