"""`!command`: runs at once in the person's own shell, for it is their own hand that typed it.

Its output is shown as it comes and goes along with the next question. At most 64 KB of it are kept, from its head and
its tail; a stopped command takes everything it has started with it.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import secrets
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from coda_cli.engine.conversations.outline import fenced
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.tools.processes import descendants, send, send_group, tasks

HEAD: Final = 32 * 1024
TAIL: Final = 32 * 1024
"""Bytes of the output that are kept from its two ends."""
_MARK: Final = "CODA_SHELL_COMMAND"
"""In the environment of everything a command starts, so that what has left its group is found as well."""
_SWEEPS: Final = 20
_SEEN: Final = 10
_WIDEST: Final = 400
"""Lines of a running command's output that are looked on at, and letters of one."""
_GRACE: Final = 0.5
"""Seconds that a stopped command has to end by itself, and an ended one's children to close its output."""

_LINE_END: Final = re.compile("\\r\\n?|\\n")


class ShellResult(Struct, frozen=True):
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


class Running:
    """A command as it runs, for a front end that can show its latest lines in place."""

    def __init__(self, command: str) -> None:
        self._command = " ".join(command.split())
        self._lines: deque[str] = deque([""], _SEEN + 1)
        self._above = 0
        self.changed = True

    def add(self, text: str) -> None:
        """What has come, raw."""
        self.changed = True
        for number, line in enumerate(_LINE_END.split(text)):
            if number:
                self._above += len(self._lines) > _SEEN
                self._lines.append("")
            if room := _WIDEST - len(self._lines[-1]):
                self._lines[-1] += line[:room]

    @property
    def message(self) -> str:
        """Its latest lines, as Markdown; untrusted."""
        self.changed = False
        lines = list(self._lines)
        above = self._above
        if lines[-1] == "":
            lines.pop()
        elif len(lines) > _SEEN:
            del lines[0]
            above += 1
        head = f"`{self._command.replace('`', chr(39))}` runs; Esc stops it"
        if above:
            head += f" ({above:,} lines above)"
        return f"{head}\n\n{fenced(chr(10).join(lines))}" if lines else head


async def run_shell(
    command: str, show: Callable[[str], None] | None = None, *, watch: Callable[[str], None] | None = None
) -> ShellResult:
    """Run *command*, handing the head of its output to *show* as it comes, and the tail at the end.

    *watch* is handed all of it as it comes; both get it raw. A cancellation stops the command with everything it
    started and gives what came. Raises UsageError without a command.
    """
    if not command.strip() or "\0" in command:
        raise UsageError("there is no command behind the !", hint="for example: !git status")
    shell = os.environ.get("SHELL") or "/bin/sh"
    # A pipe of our own: asyncio's would keep us until the last process in the background has closed it.
    reading, writing = os.pipe()
    mark = secrets.token_hex(16)
    try:
        process = await asyncio.create_subprocess_exec(
            shell,
            "-c",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,  # a group of its own, to be stopped as a whole
            env={**os.environ, _MARK: mark},
        )
    except OSError as exc:
        os.close(reading)
        raise UsageError(f"can't start {shell}: {exc.strerror or exc}", hint="check SHELL") from exc
    finally:
        os.close(writing)
    output = _Output(show, watch)
    stopped = False
    try:
        await _finish(process, reading, output)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        stopped = True
        await asyncio.shield(_kill(process, mark))
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


async def _kill(process: asyncio.subprocess.Process, mark: str) -> None:
    """End all that the command has started: gently, and what does not heed that at once. New ones are looked for."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        await asyncio.to_thread(_signal_all, process.pid, mark, sign)
        try:
            await asyncio.wait_for(process.wait(), _GRACE)
        except TimeoutError:
            continue
    for _ in range(_SWEEPS):
        if not await asyncio.to_thread(_signal_all, process.pid, mark, signal.SIGKILL):
            break
    await process.wait()


def _signal_all(pid: int, mark: str, sign: int) -> int:
    """Signal the group of *pid* and what has left it; how many of those there were."""
    send_group(pid, sign)
    left = _started(pid, mark)
    for one in left:
        send(one, sign)
    return len(left)


def _started(pid: int, mark: str) -> list[int]:
    """The living processes below *pid* or with *mark* in their environment; only the former without a /proc."""
    wanted, found = f"{_MARK}={mark}".encode(), set(descendants(pid))
    for task in tasks():
        try:
            if task.state not in "ZX" and wanted in Path("/proc", str(task.pid), "environ").read_bytes().split(b"\0"):
                found.add(task.pid)
        except OSError:  # gone, or another user's
            continue
    return sorted(found)


class _Output:
    """The head and the tail of what comes."""

    def __init__(self, show: Callable[[str], None] | None, watch: Callable[[str], None] | None) -> None:
        self._show = show
        self._watch = watch
        self._watched = codecs.getincrementaldecoder("utf-8")("replace")
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, chunk: bytes) -> None:
        """Take in what has come."""
        if self._watch is not None and (text := self._watched.decode(chunk)):
            self._watch(text)
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
