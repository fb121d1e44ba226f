"""A program on a pseudo terminal that is always drained, with the time of everything that it draws. Linux.

Public API::

    with Terminal(command, environ) as screen:     120x40; it answers what programs ask a terminal
        screen.started                             perf_counter() just before the start
        screen.drawn("Ask anything", timeout)      when that was on its way to the screen, white space left out
        screen.mark()                              what is drawn from now on: `drawn(..., since=mark)`, `written(mark)`
        screen.press("text\\r")                     when it was typed
        screen.quiet(0.05)                         when the last byte came, once it has been still for so long
        screen.cpu(), screen.memory()              CPU seconds and resident MB of it and its children
        screen.settle()                            until it uses next to no CPU

The time of a text is that of the read that completed it.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

COLUMNS: Final = 120
ROWS: Final = 40

_SEQUENCE: Final = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^X][^\x1b]*\x1b\\|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]"
    rb"|[\x00-\x20\x7f]|\xc2\xa0"
)
_ANSWERS: Final = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[0c": b"\x1b[?62;22c",
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b[?2048$p": b"\x1b[?2048;0$y",
    b"\x1b[?u": b"\x1b[?0u",
    b"\x1b]10;?": b"\x1b]10;rgb:eeee/eeee/eeee\x1b\\",
    b"\x1b]11;?": b"\x1b]11;rgb:1111/1111/1111\x1b\\",
}
_OVERLAP: Final = 4096


class Terminal:
    """One run of one program."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environ = dict(environ)
        self._reads: list[tuple[float, bytes]] = []
        self._changed = threading.Condition()
        self._closed = False

    def __enter__(self) -> Self:
        self._fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        program = shutil.which(self._command[0], path=self._environ.get("PATH")) or self._command[0]
        # The session's first terminal is the one that it controls, as for a program that a shell starts.
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.ttyname(theirs), os.O_RDWR, 0)]
        self.started = time.perf_counter()
        self.pid = os.posix_spawn(
            program,
            self._command,
            self._environ,
            file_actions=[*actions, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)],
            setsid=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(self.pid, number)
            if self._ended(5.0):
                break
        with self._changed:
            self._closed = True
        self._reader.join(timeout=2)
        os.close(self._fd)

    def _ended(self, seconds: float) -> bool:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
            time.sleep(0.01)
        return False

    def _drain(self) -> None:
        while not self._closed:
            if not select.select([self._fd], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:  # the other side is closed
                return
            if not data:
                return
            now = time.perf_counter()
            with self._changed:
                self._reads.append((now, data))
                self._changed.notify_all()
            for question, answer in _ANSWERS.items():
                if question in data:
                    os.write(self._fd, answer)

    # What is drawn

    def mark(self) -> int:
        """Now, for `since`."""
        return len(self._reads)

    def drawn(self, text: str, timeout: float, *, since: int = 0) -> float | None:
        """When *text* was drawn after the mark *since*, in perf_counter() seconds; None if it is not in time."""
        wanted = "".join(text.split()).encode()
        end = time.perf_counter() + timeout
        at, tail = since, b""
        while True:
            with self._changed:
                while len(self._reads) <= at:
                    if not self._changed.wait(max(0.0, end - time.perf_counter())):
                        return None
                fresh = self._reads[at:]
            at += len(fresh)
            for when, data in fresh:
                tail = tail[-_OVERLAP:] + data
                if wanted in _SEQUENCE.sub(b"", tail):
                    return when

    def written(self, since: int = 0) -> int:
        """Bytes written since that mark."""
        return sum(len(data) for _, data in self._reads[since:])

    def quiet(self, seconds: float, timeout: float = 10.0) -> float:
        """When the last byte came, once nothing has come for *seconds* (or *timeout* is over)."""
        end = time.perf_counter() + timeout
        while (now := time.perf_counter()) < end:
            last = self._reads[-1][0] if self._reads else self.started
            if now - last >= seconds:
                break
            time.sleep(max(0.001, last + seconds - now))
        return self._reads[-1][0] if self._reads else self.started

    @property
    def tail(self) -> str:
        """The last that was drawn, for a person who wants to know what went wrong."""
        return _SEQUENCE.sub(b"", b"".join(data for _, data in self._reads[-20:]))[-400:].decode("utf-8", "replace")

    # What is typed

    def press(self, keys: str) -> float:
        """Type *keys*; when."""
        now = time.perf_counter()
        os.write(self._fd, keys.encode())
        return now

    # What it costs

    def cpu(self) -> float:
        """CPU seconds of it and of the children that it has now."""
        return sum(_cpu(pid) for pid in _tree(self.pid))

    def memory(self) -> float:
        """Resident MB of it and its children; pages that they share count for each."""
        return sum(_resident(pid) for pid in _tree(self.pid))

    def settle(self, *, share: float = 0.04, span: float = 0.3, limit: float = 20.0) -> None:
        """Return once it uses less than this share of a processor for *span* seconds."""
        end = time.perf_counter() + limit
        before = self.cpu()
        while time.perf_counter() < end:
            time.sleep(span)
            now = self.cpu()
            if now - before < share * span:
                return
            before = now


def _tree(pid: int) -> list[int]:
    """*pid* and what it has started."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                left += map(int, task.read_text().split())
            except OSError:
                continue  # the thread has ended
    return found


def _cpu(pid: int) -> float:
    """The clock of a process as clock_getcpuclockid(3) names it: nanoseconds, where /proc has hundredths."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0
