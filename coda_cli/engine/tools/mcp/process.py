"""An MCP server as a child process: lines to it and from it, and an end to all that it has started."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.mcp.config import ServerConfig
from coda_cli.engine.tools.mcp.keeper import GRACE, KeepOrder, KeepReport
from coda_cli.engine.tools.processes import send_group

LONGEST_LINE: Final = 8 * 1024 * 1024
"""Bytes of one message of a server."""
_READ: Final = 64 * 1024
_OVERTIME: Final = 2.0
_SAID: Final = 400
"""Characters of a server's last words that are told."""


class ServerProcess:
    """A running server. `broken` says why it is given up while it still runs."""

    def __init__(self, process: asyncio.subprocess.Process, control: int, told: int, scratch: str) -> None:
        self._process = process
        self._control, self._told = control, told
        self._scratch = scratch
        self.broken = ""
        self.stopped = False
        """Set before `end` by who ends it while it runs: its end is then none of its own."""
        self.report: KeepReport | None = None

    @classmethod
    async def start(cls, config: ServerConfig) -> ServerProcess:
        """Begin. Raises ToolError where no process can be started; a command that is not there ends at once."""
        cwd = await asyncio.to_thread(_folder, config.cwd)
        scratch = await asyncio.to_thread(tempfile.mkdtemp, prefix="coda-")
        order: KeepOrder = {
            "argv": [config.command, *config.args],
            "cwd": cwd,
            "env": config.environment(scratch),
        }
        control_end, control = os.pipe()
        told, told_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *_argv(control_end, told_end),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                pass_fds=(control_end, told_end),
                start_new_session=True,
                limit=_READ,
            )
        except OSError as exc:
            os.close(control)
            os.close(told)
            shutil.rmtree(scratch, ignore_errors=True)
            raise ToolError(f"can't start a process: {exc.strerror or exc}") from exc
        finally:
            os.close(control_end)
            os.close(told_end)
        os.write(control, json.dumps(order).encode() + b"\n")
        return cls(process, control, told, scratch)

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """What it writes, line by line, to the end of its output; one that is too long is the last."""
        stream = self._process.stdout
        assert stream is not None  # noqa: S101 -- asked for at the start
        held = bytearray()
        while chunk := await stream.read(_READ):
            first, *more = chunk.split(b"\n")
            held += first
            if len(held) > LONGEST_LINE:
                self.broken = f"it sent a message of more than {LONGEST_LINE // 2**20} MB"
                return
            for piece in more:
                yield bytes(held)
                held = bytearray(piece)

    async def write(self, line: bytes) -> None:
        """Send a line. Raises OSError when it is gone."""
        stream = self._process.stdin
        assert stream is not None  # noqa: S101 -- asked for at the start
        stream.write(line)
        await stream.drain()

    async def end(self) -> None:
        """End it and all that it started. Takes at most a few seconds, whatever the server does."""
        if self._control < 0:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        os.close(self._control)
        self._control = -1
        try:
            await asyncio.wait_for(self._process.wait(), 2 * GRACE + _OVERTIME)
        except TimeoutError:
            send_group(self._process.pid, signal.SIGKILL)
        finally:
            os.set_blocking(self._told, False)
            try:
                self.report = json.loads(os.read(self._told, 1 << 16))
            except (OSError, ValueError):  # its keeper was killed
                pass
            os.close(self._told)
            _close(self._process)
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    @property
    def last_words(self) -> str:
        """How it ended and what it said, "" if nothing is known."""
        report = self.report
        if self.broken or report is None:
            return self.broken
        if report["failed"]:
            return f"it can't be started: {report['failed']}"
        status = report["status"]
        how = f"killed by signal {-status}" if status < 0 else f"exit code {status}"
        said = " ".join(report["said"].split())[-_SAID:]
        ended = "" if self.stopped else f"it ended ({how})"
        return ended + (f"{' and' if ended else 'it'} said: {said}" if said else "")


def _folder(written: str) -> str:
    """The folder that it starts in. Raises ToolError."""
    folder = Path(written).expanduser() if written else Path.cwd()
    if not folder.is_dir():
        raise ToolError(f"its folder {folder} is not there")
    return str(folder)


def _argv(control: int, told: int) -> list[str]:
    code = "import sys; sys.path.append(sys.argv[1]); from coda_cli.engine.tools.mcp.keeper import main; main()"
    return [sys.executable, "-I", "-S", "-c", code, str(Path(__file__).parents[4]), str(control), str(told)]


def _close(process: asyncio.subprocess.Process) -> None:
    """Close what asyncio keeps open while a descendant still holds an end of a pipe; nothing public does."""
    transport = getattr(process, "_transport", None)
    if isinstance(transport, asyncio.SubprocessTransport):
        transport.close()
