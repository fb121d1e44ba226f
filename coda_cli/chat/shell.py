"""`!command`: runs at once in the person's own shell, for it is their own hand that typed it.

Its output is shown as it comes and goes along with the next question. At most 64 KB of it are kept, from its head and
its tail; a stopped command takes everything it has started with it.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from coda_cli.engine.conversations.outline import fenced
from coda_cli.engine.core.errors import UsageError

HEAD: Final = 32 * 1024
TAIL: Final = 32 * 1024
"""Bytes of the output that are kept from its two ends."""
_GRACE: Final = 0.5
"""Seconds that a stopped command has to end by itself, and an ended one's children to close its output."""


@dataclass(frozen=True, slots=True)
class ShellResult:
    """How a command ended. `output` is untrusted; `left_out` counts the bytes missing in its middle."""

    command: str
    output: str
    code: int
    left_out: int
    stopped: bool

    @property
    def outcome(self) -> str:
        """The end in words; "" for success."""
        if self.stopped:
            return "stopped"
        if self.code < 0:
            return f"killed by signal {-self.code}"
        return f"exit code {self.code}" if self.code else ""

    @property
    def message(self) -> str:
        """What the model is told of it, as a part of the next question."""
        end = f" ({self.outcome})" if self.outcome else ""
        return f"Output of `{' '.join(self.command.split())}` in my shell{end}:\n\n{fenced(self.output or '(nothing)')}"


async def run_shell(command: str, show: Callable[[str], None] | None = None) -> ShellResult:
    """Run *command*, handing the head of its output to *show* as it comes, and the tail at the end.

    A cancellation stops it with everything it started and gives what came. Raises UsageError without a command.
    """
    if not command.strip() or "\0" in command:
        raise UsageError("there is no command behind the !", hint="for example: !git status")
    shell = os.environ.get("SHELL") or "/bin/sh"
    # A pipe of our own: asyncio's would keep us until the last process in the background has closed it.
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            shell,
            "-c",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,  # a group of its own, to be stopped as a whole
        )
    except OSError as exc:
        os.close(reading)
        raise UsageError(f"can't start {shell}: {exc.strerror or exc}", hint="check SHELL") from exc
    finally:
        os.close(writing)
    output = _Output(show)
    stopped = False
    try:
        await _finish(process, reading, output)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        stopped = True
        await asyncio.shield(_kill(process))
    text, left_out = output.end()
    code = process.returncode if process.returncode is not None else -signal.SIGKILL
    return ShellResult(command, text, code, left_out, stopped)


async def _finish(process: asyncio.subprocess.Process, fd: int, output: _Output) -> None:
    """Read until the command has ended; what it left in the background does not keep us."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(fd, "rb", buffering=0)
    )
    reading = asyncio.ensure_future(_read(stream, output))
    try:
        await process.wait()
        await asyncio.wait([reading], timeout=_GRACE)
    finally:
        reading.cancel()
        transport.close()
        await asyncio.gather(reading, return_exceptions=True)


async def _read(stream: asyncio.StreamReader, output: _Output) -> None:
    while chunk := await stream.read(1 << 16):
        output.add(chunk)


async def _kill(process: asyncio.subprocess.Process) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except (ProcessLookupError, PermissionError):
            break
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            continue
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what ignored the first signal and is not the shell itself
    except (ProcessLookupError, PermissionError):
        pass
    await process.wait()


class _Output:
    """The head and the tail of what comes."""

    def __init__(self, show: Callable[[str], None] | None) -> None:
        self._show = show
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, chunk: bytes) -> None:
        """Take in what has come."""
        room = HEAD - len(self._head)
        if room > 0:
            first, chunk = chunk[:room], chunk[room:]
            self._head += first
            if self._show is not None and (text := self._decoder.decode(first)):
                self._show(text)
        self._tail += chunk
        if (much := len(self._tail) - TAIL) > 0:
            self._dropped += much
            del self._tail[:much]

    def end(self) -> tuple[str, int]:
        """(what is kept, the bytes left out of its middle)."""
        gap = f"\n[... {self._dropped:,} bytes left out ...]\n".encode() if self._dropped else b""
        rest = gap + bytes(self._tail)
        if self._show is not None and (text := self._decoder.decode(rest, final=True)):
            self._show(text)
        return (bytes(self._head) + rest).decode("utf-8", "replace"), self._dropped
