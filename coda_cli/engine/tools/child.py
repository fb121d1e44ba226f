"""Run a command in a child: with a deadline, a clean environment, capped output, and nothing of it left at the end.

`run_child(Command(...))` is all that a tool needs. A `Supervisor` process stands between (see `supervisor`); this side
only reads its frames.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from msgspec import Struct, field

from coda_cli.engine.tools import sandbox
from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.guarded import kept_from_commands
from coda_cli.engine.tools.kept import HEAD
from coda_cli.engine.tools.output import SPOOL_CAP, SPOOLS, kept_text, new_spool
from coda_cli.engine.tools.processes import send_group, tasks_of_user
from coda_cli.engine.tools.supervisor import Confine, Order, Reason, Report

GRACE: Final = 1.0
"""Seconds between the request to end and the kill."""
_OVERTIME: Final = 5.0
"""Seconds over the grace that a supervisor may take before it is killed itself."""
_MEGABYTE: Final = 1024 * 1024


class Limits(Struct, frozen=True):
    """What one process of a command may use; `processes` is beyond those that the user has now (not of root's)."""

    memory: int | None = None
    file_size: int = 2048 * _MEGABYTE
    processes: int = 512
    open_files: int = 1024

    def numbers(self, timeout: float | None) -> dict[str, int]:
        """The limits by the names of `resource`. Data, not address space: that is reserved by many and used by few."""
        found = {
            "RLIMIT_CORE": 0,
            "RLIMIT_FSIZE": self.file_size,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_DATA": self.memory or _half_of_memory(),
            "RLIMIT_NPROC": tasks_of_user() + self.processes,
        }
        if timeout is not None:
            found["RLIMIT_CPU"] = int(timeout * (os.cpu_count() or 1)) + 5
        if sys.platform != "linux":  # Darwin counts otherwise: a shell would not start
            del found["RLIMIT_DATA"]
        return found


class Command(Struct, frozen=True):
    """What to run. `argv` is run as it is; a line for the shell is `shell_line(text)`.

    `folder` is where it starts and may write (None: in its own temporary folder, and nowhere else); `files` are put
    into the temporary folder before. `confine` off (or a machine that cannot) leaves it free;
    `environment` None is the clean one. With `leave` what it has put into the background lives on.
    """

    argv: Sequence[str]
    folder: Path | None
    timeout: float | None = 120.0
    network: bool = False
    confine: bool = True
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    limits: Limits | None = field(default_factory=Limits)
    leave: bool = False


class ChildResult(Struct, frozen=True):
    """How it ended. `code` is the exit code or minus a signal; `output` is untrusted text without control characters.

    `left_out` counts bytes that are missing in its middle; `spool` is the id to read them by, "" for none.
    `survivors` counts processes that could not be ended.
    """

    code: int
    reason: Reason
    output: str
    total: int
    left_out: int
    spool: str
    survivors: int
    seconds: float

    @property
    def outcome(self) -> str:
        """The end in words, "exit code 1"."""
        if self.reason == "timeout":
            return f"stopped after {self.seconds:.0f} s: its time was over"
        if self.reason == "stopped":
            return "stopped"
        return f"killed by {_signal_name(-self.code)}" if self.code < 0 else f"exit code {self.code}"


def result_text(result: ChildResult) -> str:
    """What the model is told: the output, how it ended, and how to read what is missing."""
    lines = [result.output.rstrip("\n")] if result.output.strip() else ["(no output)"]
    end = f"[{result.outcome}, {result.seconds:.1f} s]"
    if result.survivors:
        end += f"\n[{result.survivors} of its processes could not be ended]"
    if result.spool:
        end += (
            f'\n[{result.total:,} bytes in all; read_output(id="{result.spool}", offset={HEAD}) reads the missing ones]'
        )
    return "\n".join([*lines, end])


def shell_line(line: str) -> list[str]:
    """The argv that has a shell run *line*."""
    return ["/bin/sh", "-c", line]


async def run_child(command: Command, progress: Callable[[str], None] | None = None) -> ChildResult:
    """Run *command* to its end. A cancellation ends all that it started before it goes on. Raises ToolError."""
    child = await Child.start(command, progress)
    try:
        return await child.wait()
    except asyncio.CancelledError:
        await asyncio.shield(child.stop())
        raise


class Child:
    """A command that runs: `wait()` for its end, `stop()` it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        scratch: str,
        spool: IO[bytes],
        progress: Callable[[str], None] | None,
    ) -> None:
        self._process = process
        self._scratch = scratch
        self._spool = spool
        self._progress = progress
        self._ended = asyncio.ensure_future(self._collect())

    @classmethod
    async def start(cls, command: Command, progress: Callable[[str], None] | None = None) -> Child:
        """Begin. Raises ToolError where it cannot; a command that is not found ends with a word of that instead."""
        found = await asyncio.to_thread(sandbox.confinement) if command.confine else None
        kind: sandbox.Kind = found.kind if found is not None else "none"
        scratch = await asyncio.to_thread(_make_scratch, command.files)
        spool = new_spool()
        opened = [spool.fileno()]
        try:
            order = _order(command, kind, scratch, opened)
            process = await asyncio.create_subprocess_exec(
                *supervisor_argv(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                pass_fds=opened,
                start_new_session=True,
                limit=1 << 20,
            )
        except OSError as exc:
            spool.close()
            shutil.rmtree(scratch, ignore_errors=True)
            raise ToolError(f"can't start a process: {exc.strerror or exc}") from exc
        finally:
            for fd in opened[1:]:
                os.close(fd)
        assert process.stdin is not None  # noqa: S101 -- asked for above
        process.stdin.write(json.dumps(order).encode() + b"\n")
        return cls(process, scratch, spool, progress)

    async def wait(self) -> ChildResult:
        """Its end. Raises ToolError where it could not begin."""
        return await asyncio.shield(self._ended)

    async def stop(self) -> ChildResult | None:
        """End it and all that it started; None where it could not even begin."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        done, _ = await asyncio.wait([self._ended], timeout=GRACE + _OVERTIME)
        if not done:
            send_group(self._process.pid, signal.SIGKILL)
            done, _ = await asyncio.wait([self._ended], timeout=_OVERTIME)
        for ended in done:
            if not ended.cancelled() and ended.exception() is None:
                return ended.result()
        return None

    async def _collect(self) -> ChildResult:
        parts: dict[bytes, bytes] = {}
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 -- asked for at the start
        try:
            while True:
                kind = await stream.readexactly(1)
                payload = await stream.readexactly(int.from_bytes(await stream.readexactly(4), "big"))
                if kind != b"o":
                    parts[kind] = payload
                elif self._progress is not None and (text := decoder.decode(payload)):
                    self._progress(text)
        except asyncio.IncompleteReadError:
            await self._process.wait()
        finally:
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)
        if b"r" not in parts:
            self._spool.close()
            raise ToolError(f"the process that watches over commands died (exit code {self._process.returncode})")
        report: Report = json.loads(parts[b"r"])
        return self._result(report, parts.get(b"h", b""), parts.get(b"t", b""))

    def _result(self, report: Report, head: bytes, tail: bytes) -> ChildResult:
        text, left_out = kept_text(head, tail, report["total"])
        key = ""
        if left_out and report["spooled"]:
            key = SPOOLS.put(self._spool, report["total"])
        else:
            self._spool.close()
        if report["failed"]:
            raise ToolError(f"can't run it: {report['failed']}")
        return ChildResult(
            report["status"],
            report["reason"],
            text,
            report["total"],
            left_out,
            key,
            report["survivors"],
            report["seconds"],
        )


def supervisor_argv() -> list[str]:
    """What starts a supervisor: this Python, without site-packages, and this package's own files."""
    code = "import sys; sys.path.append(sys.argv[1]); from coda_cli.engine.tools.supervisor import main; main()"
    return [sys.executable, "-I", "-S", "-c", code, str(Path(__file__).parents[3])]


def _make_scratch(files: Mapping[str, str]) -> str:
    """A temporary folder (0700) with *files* in it."""
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="coda-"))
    for name, text in files.items():
        Path(scratch, name).write_text(text, "utf-8", "surrogatepass")
    return scratch


def _order(command: Command, kind: sandbox.Kind, scratch: str, opened: list[int]) -> Order:
    """The supervisor's order. Descriptors that it needs are appended to *opened*."""
    folder = os.path.realpath(command.folder) if command.folder is not None else ""
    inside = "/tmp" if kind in ("namespaces", "bubblewrap") and folder != "/tmp" else scratch  # noqa: S108
    cwd = folder or inside
    environment = (
        sandbox.clean_environment(inside) if command.environment is None else dict(command.environment)
    ) | dict(command.extra)
    environment["PWD"] = cwd
    argv = list(command.argv)
    confine: Confine | None = None
    if kind == "bubblewrap":
        opened.append(_filter_file())
        argv = [
            *sandbox.bubblewrap_argv(folder, scratch, cwd, command.network, _hidden(folder), opened[-1], _kept(folder)),
            *argv,
        ]
        cwd = "/"
    elif kind != "none":
        confine = _confine(kind, folder, scratch, command.network)
    return {
        "argv": argv,
        "cwd": cwd,
        "scratch": scratch,
        "env": environment,
        "timeout": command.timeout,
        "grace": GRACE,
        "limits": command.limits.numbers(command.timeout) if command.limits is not None else {},
        "spool": opened[0],
        "spool_cap": SPOOL_CAP,
        "keep": opened[1:],
        "leave": command.leave,
        "confine": confine,
    }


def _confine(kind: sandbox.Kind, folder: str, scratch: str, network: bool) -> Confine:
    from coda_cli.engine.tools import kernel

    pinned, fixed = _kept(folder) if kind == "namespaces" else ([], [])
    return {
        "folder": folder,
        "scratch": scratch,
        "network": network,
        "hidden": _hidden(folder),
        "seen": sandbox.programs_in_tmp(folder) if kind == "namespaces" else [],
        "pinned": pinned,
        "fixed": fixed,
        "namespaces": kind == "namespaces",
        "landlock": kernel.landlock_abi() >= kernel.LANDLOCK_FILES,
        "filter": kernel.can_filter(),
    }


def _hidden(folder: str) -> list[str]:
    """The places with secrets, less one that is the working folder itself or above it."""
    return [path for path in sandbox.hidden() if not folder or not Path(folder).is_relative_to(path)]


def _kept(folder: str) -> tuple[list[str], list[str]]:
    """What runs by itself in the folder, to be kept from the command; nothing where the folder is all there is."""
    return kept_from_commands(folder) if folder not in ("", "/") else ([], [])


def _filter_file() -> int:
    """A file in memory with the seccomp program that bubblewrap puts in force."""
    from coda_cli.engine.tools import kernel

    fd = os.memfd_create("filter")
    os.write(fd, kernel.filter_program(inet=True))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def trial(kind: sandbox.Kind) -> bool:
    """Whether a command can be held in by *kind*: `true` is run so. Blocking."""
    scratch = _make_scratch({})
    opened = [-1]
    try:
        order = _order(Command(["true"], None, timeout=10.0), kind, scratch, opened)
        with subprocess.Popen(
            supervisor_argv(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            pass_fds=opened[1:],
            start_new_session=True,
        ) as process:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 -- asked for above
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
            said = process.stdout.read()  # to its end: the supervisor keeps its own deadline
    except OSError:
        return False
    finally:
        for fd in opened[1:]:
            os.close(fd)
        shutil.rmtree(scratch, ignore_errors=True)
    start = said.rfind(b'{"status"')
    report: Report | None = json.loads(said[start:]) if start >= 0 else None
    return report is not None and report["status"] == 0 and not report["failed"]


def _half_of_memory() -> int:
    """Half of this machine's memory, at least a gigabyte."""
    return max(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2, 1024 * _MEGABYTE)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
