"""A command in a child: nothing of it is left at the end, its output is bounded, its limits hold (FAULTS 45, 46)."""

from __future__ import annotations

import asyncio
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from coda_cli.engine.tools import sandbox
from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.child import (
    Child,
    ChildResult,
    Command,
    Limits,
    result_text,
    run_child,
    shell_line,
    supervisor_argv,
)
from coda_cli.engine.tools.output import SPOOLS
from tests.unit.held import KINDS, common_user, hold, living

LONG = bool(os.environ.get("CODA_TEST_LONG"))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> sandbox.Kind:
    found: sandbox.Kind = request.param
    hold(monkeypatch, found)
    monkeypatch.setattr("coda_cli.engine.tools.child.GRACE", 0.2)
    return found


@pytest.fixture
def mark() -> str:
    """Seconds to sleep that no other process sleeps."""
    return f"{random.randrange(10**5, 10**6)}.{random.randrange(10**6)}"


async def sh(line: str, folder: Path, timeout: float = 30.0, limits: Limits | None = None) -> ChildResult:
    return await run_child(Command(shell_line(line), folder, timeout, limits=limits or Limits()))


# -- the end of it


ESCAPES = {
    "background": "sleep {0} & sleep {0}",
    "own session": "setsid sleep {0} & sleep {0}",
    "double fork": "(setsid sh -c 'sleep {0} & sleep {0} &' &) ; sleep {0}",
    "ignores TERM": "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM; sleep {0}; sleep {0}' & sleep {0}; sleep {0}",
    "stopped": "sleep {0} & kill -STOP $!; sleep {0}",
    "reads stdin": "cat; cat /dev/stdin; read line; echo read; sleep {0}",
    "orphans by the dozen": "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do (setsid sleep {0} &); done; sleep {0}",
}


async def test_at_the_deadline_nothing_is_left(kind: sandbox.Kind, mark: str, tmp_path: Path) -> None:
    async def end(name: str, line: str) -> None:
        result = await sh(line.format(mark), tmp_path, timeout=0.5)
        assert (result.reason, result.survivors) == ("timeout", 0), name
        assert "its time was over" in result.outcome

    await asyncio.gather(*(end(name, line) for name, line in ESCAPES.items()))
    assert living(mark) == []


async def test_what_a_command_leaves_in_the_background_ends_with_it(
    kind: sandbox.Kind, mark: str, tmp_path: Path
) -> None:
    lines = ("sleep {0} & exit 3", "(setsid sh -c 'sleep {0} &' &); sleep 0.2; exit 3")
    for result in await asyncio.gather(*(sh(line.format(mark), tmp_path) for line in lines)):
        assert (result.code, result.reason, result.outcome) == (3, "", "exit code 3")
    assert living(mark) == []


async def test_a_cancelled_command_is_gone_before_the_cancellation_goes_on(
    kind: sandbox.Kind, mark: str, tmp_path: Path
) -> None:
    line = f"trap '' TERM; (setsid sleep {mark} &); echo up; sleep {mark}; sleep {mark}"
    up = asyncio.Event()
    running = asyncio.ensure_future(
        run_child(Command(shell_line(line), tmp_path), progress=lambda text: up.set())  # the first word
    )
    await up.wait()
    assert living(mark)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert living(mark) == []


async def test_a_fork_bomb_of_a_common_user_ends(
    kind: sandbox.Kind, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with common_user(monkeypatch) as folder:
        result = await sh(
            f"id -u >who; b() {{ sh -c 'sleep {mark}' & b | b & }}; b; sleep {mark}",
            folder,
            timeout=6.0 if LONG else 0.8,
            limits=Limits(processes=300),
        )
        assert int(folder.joinpath("who").read_text("ascii")) != 0
    assert result.reason == "timeout"
    assert result.survivors == 0
    assert living(mark) == []


async def test_a_common_user_leaves_nothing_behind_either(
    kind: sandbox.Kind, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with common_user(monkeypatch) as folder:
        lines = (ESCAPES["double fork"], ESCAPES["ignores TERM"])
        for result in await asyncio.gather(*(sh(line.format(mark), folder, timeout=0.5) for line in lines)):
            assert (result.reason, result.survivors) == ("timeout", 0)
    assert living(mark) == []


def test_when_coda_is_killed_its_commands_end(kind: sandbox.Kind, mark: str, tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from coda_cli.engine.tools import sandbox
from coda_cli.engine.tools.child import Command, run_child, shell_line
sandbox.confinement = lambda: sandbox._confinement({kind!r}, "sweep", "")
line = "trap '' TERM; (setsid sleep {mark} &); echo up >up; sleep {mark}; sleep {mark}"
asyncio.run(run_child(Command(shell_line(line), Path({str(tmp_path)!r}))))
"""
    with subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(tmp_path)}) as coda:
        _until(lambda: tmp_path.joinpath("up").exists())
        assert len(living(mark)) > 1
        coda.send_signal(signal.SIGKILL)
    _until(lambda: living(mark) == [])
    _until(lambda: not [name for name in _names(tmp_path) if name.startswith("coda-") and name != "coda-home"])


def _until(true: object) -> None:
    assert callable(true)
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def own_children() -> set[int]:
    """The processes whose parent this one is, those included that have ended and were not waited for."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # it has ended meanwhile
            continue
        if parent == os.getpid():
            found.add(int(entry.parent.name))
    return found


async def test_the_caller_gets_no_foreign_children(kind: sandbox.Kind, tmp_path: Path) -> None:
    before = own_children()  # of other tests in this process
    await sh("(setsid sleep 30 &); (setsid true &)", tmp_path)
    assert own_children() <= before


async def test_what_a_person_leaves_in_the_background_may_live_on(mark: str, tmp_path: Path) -> None:
    """A person's own `!server &` is such a command: no limits, nothing that holds it, its own environment."""
    command = Command(
        shell_line(f"sleep {mark} & echo $! $MINE"),
        tmp_path,
        timeout=None,
        confine=False,
        environment={**os.environ, "MINE": "own"},
        limits=None,
        leave=True,
    )
    result = await run_child(command)
    pid, mine = result.output.split()
    assert mine == "own"
    assert living(mark)
    os.kill(int(pid), signal.SIGKILL)


# -- its output


async def test_output_is_in_the_order_that_it_was_written(kind: sandbox.Kind, tmp_path: Path) -> None:
    result = await sh("echo one; echo two >&2; echo three; exit 1", tmp_path)
    assert result.output == "one\ntwo\nthree\n"
    assert result_text(result).startswith("one\ntwo\nthree\n[exit code 1, ")


FLOODS = ["yes", "cat /dev/zero", "cat /dev/urandom", "yes \"$(printf '\033[2J\033]0;x\007')\""]


@pytest.mark.parametrize("flood", FLOODS, ids=["yes", "zeros", "binary", "escapes"])
async def test_a_flood_is_kept_flat(tmp_path: Path, flood: str) -> None:
    seconds = 10.0 if LONG else 0.5
    shown = 0

    def progress(text: str) -> None:
        nonlocal shown
        shown += len(text)

    await sh("true", tmp_path)  # what a first command loads is no growth
    before = _memory(os.getpid(), "VmRSS")
    child = await Child.start(Command(shell_line(flood), tmp_path, timeout=seconds), progress)
    watcher = child._process.pid
    await asyncio.sleep(seconds / 4)
    early = _memory(watcher, "VmRSS")
    await asyncio.sleep(seconds / 2)
    late = _memory(watcher, "VmHWM")
    result = await child.wait()
    grown = _memory(os.getpid(), "VmRSS") - before
    print(f"{result.total / 1e6:,.0f} MB in {result.seconds:.1f} s, watcher {late} KB, +{grown} KB here")
    assert result.reason == "timeout"
    assert result.total > 1_000_000
    assert len(result.output.encode()) < 64 * 1024 * 3 + 200  # a broken byte becomes three
    assert result.left_out == result.total - 64 * 1024
    assert late - early < 4096
    assert grown < 8192
    assert shown < 32 * 1024 + 4200 * (10 * seconds + 5)
    assert "\x1b" not in result.output
    assert SPOOLS.read(result.spool, 0).size == min(result.total, 10 * 1024 * 1024)


def _memory(pid: int, what: str) -> int:
    """Kilobytes."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


async def test_the_missing_middle_can_be_read(tmp_path: Path) -> None:
    result = await sh("i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done", tmp_path)
    whole = "".join(f"line {number}\n" for number in range(40_000))
    assert result.output.startswith(whole[:32_000])
    assert result.output.endswith(whole[-32_000:])
    assert f'read_output(id="{result.spool}"' in result_text(result)
    read = ""
    at: int | None = 0
    while at is not None:
        page = SPOOLS.read(result.spool, at)
        read, at = read + page.text, page.next
    assert read == whole


async def test_a_short_output_needs_no_second_reading(tmp_path: Path) -> None:
    result = await sh("head -c 65536 /dev/zero | tr '\\0' x", tmp_path)
    assert (len(result.output), result.left_out, result.spool) == (65536, 0, "")


async def test_output_is_shown_while_it_runs(tmp_path: Path) -> None:
    seen: list[str] = []
    came = asyncio.Event()

    def progress(text: str) -> None:
        seen.append(text)
        came.set()

    child = await Child.start(Command(shell_line("printf 'h\\303\\251'; cat fifo"), _with_fifo(tmp_path)), progress)
    await came.wait()
    assert seen == ["hé"]
    await child.stop()


def _with_fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    return folder


# -- what it is given


async def test_no_descriptor_of_ours_is_inherited(kind: sandbox.Kind, tmp_path: Path) -> None:
    secret = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(secret, True)
    try:
        result = await sh("for fd in /proc/self/fd/*; do echo ${fd##*/}; done", tmp_path)
    finally:
        os.close(secret)
    assert set(result.output.split()) <= {"0", "1", "2", "3", "*"}, result.output
    result = await sh(f"{shlex.quote(sys.executable)} -c 'import os; print(os.listdir(\"/proc/self/fd\"))'", tmp_path)
    assert result.output.strip() == "['0', '1', '2', '3']"


async def test_stdin_is_empty(kind: sandbox.Kind, tmp_path: Path) -> None:
    assert (await sh("cat; echo end", tmp_path)).output == "end\n"


async def test_limits_hold(kind: sandbox.Kind, tmp_path: Path) -> None:
    limits = Limits(memory=400 * 2**20, file_size=2**20, open_files=64)
    python = shlex.quote(sys.executable)
    result = await sh("ulimit -c; ulimit -n; head -c 5000000 /dev/zero >big; wc -c <big", tmp_path, limits=limits)
    assert result.output.split()[:2] == ["0", "64"]
    assert result.output.split()[-1] == str(2**20)
    result = await sh(f"{python} -c 'bytearray(2**30)'", tmp_path, limits=limits)
    assert "MemoryError" in result.output


async def test_what_cannot_be_run_is_said(kind: sandbox.Kind, tmp_path: Path) -> None:
    assert (await sh("no-such-program-here", tmp_path)).code == 127
    with pytest.raises(ToolError, match="No such file"):
        await run_child(Command(["no-such-program-here"], tmp_path, confine=kind != "bubblewrap"))
    with pytest.raises(ToolError, match=r"No such file|can't"):
        await run_child(Command(["true"], tmp_path / "gone", confine=kind != "bubblewrap"))


async def test_a_signal_is_named(tmp_path: Path) -> None:
    assert (await sh("kill -SEGV $$", tmp_path)).outcome == "killed by SIGSEGV"


async def test_nothing_is_left_in_the_temporary_folder(
    kind: sandbox.Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / "folder"
    folder.mkdir()
    result = await sh('echo kept >"$TMPDIR/x"; cat "$TMPDIR/x"', folder)
    assert result.output == "kept\n"
    assert set(_names(tmp_path)) <= {"folder", "coda-home"}


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_supervisor_needs_no_other_package() -> None:
    code = supervisor_argv()[4].replace("main()", "print(sorted(sys.modules))")
    seen = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, supervisor_argv()[5]], capture_output=True, text=True
    )
    assert "asyncio" not in seen.stdout
    assert "pydantic" not in seen.stdout
    assert seen.returncode == 0
