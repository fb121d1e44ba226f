"""The process that stands beside an MCP server: what the server has started ends with it, and all of it with Coda.

It is started as a small Python process of its own (`python -I -S`) and gets no byte of the conversation: the server
has Coda's pipes as its standard input and output. Standard library only.

Descriptors: 0 and 1 are the server's, argv[2] is control (one line of JSON, the `KeepOrder`; its end means "stop"),
argv[3] takes the `KeepReport` as JSON at the end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import Final, NoReturn, TypedDict

from coda_cli.engine.tools.processes import send_group, sweep

GRACE: Final = 0.5
"""Seconds for a server to end by itself when its input is closed, and again when it is asked to (SIGTERM)."""
_TAIL: Final = 8 * 1024
"""Bytes of what a server says on its standard error that are kept."""
_PAUSE: Final = 0.01
"""Seconds between two looks at a flood."""


class KeepOrder(TypedDict):
    """The server to run."""

    argv: list[str]
    cwd: str
    env: dict[str, str]


class KeepReport(TypedDict):
    """How it ended: `status` is an exit code or minus a signal, `said` the end of its standard error."""

    status: int
    failed: str
    said: str


def keep(order: KeepOrder, control: int, told: int) -> None:
    """Run the server of *order* until it ends or *control* does."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    if sys.platform == "linux":
        from coda_cli.engine.tools import kernel

        kernel.be_subreaper()
    errors, errors_end = os.pipe()
    failed, failed_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_server(order, errors_end, failed_end)
    if sys.platform == "linux":
        kernel.be_unreadable()  # the order may hold a secret
    null = os.open(os.devnull, os.O_RDWR)
    for mine in (0, 1, 2):  # or the server's pipes would stay open when it has closed them
        os.dup2(null, mine)
    os.close(errors_end)
    os.close(failed_end)
    server = _Server(pid, control, errors)
    server.watch()
    why = os.read(failed, 4096).decode("utf-8", "replace") if server.status == 127 else ""
    report: KeepReport = {"status": server.status, "failed": why, "said": server.said.decode("utf-8", "replace")}
    try:
        os.write(told, json.dumps(report).encode())
    except OSError:  # Coda is gone
        pass


class _Server:
    """The server's process, as its keeper sees it."""

    def __init__(self, pid: int, control: int, errors: int) -> None:
        self._pid, self._control, self._errors = pid, control, errors
        self.status = -signal.SIGKILL
        self.said = b""
        self._ended = False

    def watch(self) -> None:
        """Until it has ended: by itself, or since Coda wants it to. Nothing that it started is left."""
        until: float | None = None
        asked = False
        wake, poke = os.pipe()
        for fd in (wake, poke):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._reap()
        poller = select.poll()
        poller.register(wake, select.POLLIN)
        poller.register(self._control, select.POLLIN)
        poller.register(self._errors, select.POLLIN)
        open_errors = True
        while not self._ended:
            ready = dict(poller.poll(None if until is None else max(0.0, until - time.monotonic()) * 1000 + 1))
            if wake in ready:
                os.read(wake, 4096)
            if self._control in ready:
                poller.unregister(self._control)
                until = time.monotonic() + GRACE
            if open_errors and self._errors in ready:
                open_errors = self._hear()
                if not open_errors:
                    poller.unregister(self._errors)
                time.sleep(_PAUSE)
            self._reap()
            if until is not None and time.monotonic() >= until and not self._ended:
                if asked:
                    break
                asked, until = True, time.monotonic() + GRACE
                send_group(self._pid, signal.SIGTERM)
        send_group(self._pid, signal.SIGKILL)
        sweep(os.getpid(), self._reap)
        self._reap()
        os.set_blocking(self._errors, False)
        while open_errors and self._hear():
            pass

    def _hear(self) -> bool:
        """Read what it says on its standard error; whether there may be more."""
        try:
            chunk = os.read(self._errors, 64 * 1024)
        except OSError:
            return False
        self.said = (self.said + chunk)[-_TAIL:]
        return bool(chunk)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._ended = True
                return
            if pid == 0:
                return
            if pid == self._pid:
                self.status, self._ended = os.waitstatus_to_exitcode(status), True


def _be_server(order: KeepOrder, errors: int, failed: int) -> NoReturn:
    try:
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(sign, signal.SIG_DFL)
        os.setsid()
        os.dup2(errors, 2)
        os.set_inheritable(failed, False)
        os.closerange(3, failed)
        os.closerange(failed + 1, 4096)
        os.chdir(order["cwd"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 -- the person has named it
    except OSError as exc:
        os.write(
            failed, f"{exc.strerror or exc}{f': {exc.filename}' if exc.filename else ''}".encode("utf-8", "replace")
        )
    finally:
        os._exit(127)


def main() -> None:
    """Read the order and carry it out."""
    control, told = int(sys.argv[2]), int(sys.argv[3])
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(control, 1 << 16)
        if not more:
            return
        line += more
    keep(json.loads(line), control, told)
