"""The process that stands between Coda and a command: it keeps the deadline, the output and every descendant.

It is started as a small Python process of its own (`python -I -S`), so that no process of the caller becomes a
subreaper and that all of a command ends even where Coda is killed. Only the standard library is used here.

Descriptors: 0 is control (one line of JSON, the `Order`; then any byte, or its end, means "stop"), 1 takes frames
(one letter, four bytes of length, the payload): `o` a piece of output to show, `h` and `t` the kept head and tail at
the end, `r` the `Report` as JSON. What the command writes beyond them goes to the descriptor `spool` until its cap.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Final, Literal, NoReturn, TypedDict

from coda_cli.engine.tools.kept import Kept
from coda_cli.engine.tools.processes import descendants, send, send_group, sweep

_READ: Final = 64 * 1024
_LIVE_EVERY: Final = 0.1
"""Seconds between two pieces that are shown of a flood."""
_BACKLOG: Final = 256 * 1024
"""Bytes waiting for Coda, over which no more is shown as it comes."""
_DRAIN: Final = 0.5
"""Seconds that output may still come in when the command has ended."""

Reason = Literal["", "timeout", "stopped"]


class Confine(TypedDict):
    """What holds a command in: see `sandbox`.

    Where there are mounts, `fixed` are paths in the folder that it cannot write, and `pinned` folders that it cannot
    move away. `seen` are folders below the real /tmp that stay to be read.
    """

    folder: str
    scratch: str
    network: bool
    hidden: list[str]
    seen: list[str]
    pinned: list[str]
    fixed: list[str]
    namespaces: bool
    landlock: bool
    filter: bool


class Order(TypedDict):
    """What to run, and how. Sizes are bytes, times seconds.

    `limits` maps names of `resource` to their bound, `keep` are descriptors that the command gets.
    """

    argv: list[str]
    cwd: str
    scratch: str
    env: dict[str, str]
    timeout: float | None
    grace: float
    limits: dict[str, int]
    spool: int
    spool_cap: int
    keep: list[int]
    leave: bool
    confine: Confine | None


class Report(TypedDict):
    """How it ended. `status` is an exit code or minus a signal; `failed` says why it never began."""

    status: int
    reason: Reason
    failed: str
    total: int
    spooled: int
    survivors: int
    seconds: float


class Supervisor:
    """One command, from its fork to the report."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._kept = Kept(order["spool"], order["spool_cap"])
        self._out = bytearray()
        self._reason: Reason = ""
        self._status: int | None = None
        self._failed = ""
        self._begun = time.monotonic()
        limit = order["timeout"]
        self._deadline = self._begun + limit if limit is not None else float("inf")
        self._kill_at = float("inf")
        self._next_live = 0.0
        self._poller = select.poll()
        self._pid = 0
        self._namespaces = order["confine"] is not None and order["confine"]["namespaces"]

    def run(self) -> None:
        """Start the command, see it to its end, and tell the report."""
        wake, poke = os.pipe()
        for fd in (wake, poke, 1):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, signal.SIG_IGN)
        survivors = 0
        try:
            output, status = self._start()
        except OSError as exc:
            self._failed = exc.strerror or str(exc)
        else:
            self._loop(wake, output)
            survivors = self._end(output)
            self._read_status(status)
        self._tell(survivors)

    # -- the start

    def _start(self) -> tuple[int, int]:
        """Fork the command; gives the ends that its output and its status are read from."""
        confine = self._order["confine"]
        if sys.platform == "linux":
            from coda_cli.engine.tools import kernel

            kernel.be_subreaper()
            if confine is not None and confine["namespaces"]:
                kernel.new_namespaces(network=confine["network"])
        output, output_end = os.pipe()
        status, status_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _be_command(self._order, output_end, status_end)
        if sys.platform == "linux":
            kernel.be_unreadable()  # by what the command runs as the same user; only now: namespaces need it readable
        os.close(output_end)
        os.close(status_end)
        os.set_blocking(output, False)
        return output, status

    # -- while it runs

    def _loop(self, wake: int, output: int) -> None:
        self._poller.register(0, select.POLLIN)
        self._poller.register(wake, select.POLLIN)
        self._poller.register(output, select.POLLIN)
        while self._status is None:
            ready = dict(self._poller.poll(self._patience()))
            if 0 in ready:
                self._poller.unregister(0)
                self._stop("stopped")
            if wake in ready:
                _drain(wake)
            if output in ready and not self._read(output):
                self._poller.unregister(output)
            self._show()
            now = time.monotonic()
            if now >= self._kill_at:
                self._kill()
            elif now >= self._deadline:
                self._deadline = float("inf")
                self._stop("timeout")
            self._reap()

    def _patience(self) -> float | None:
        """Milliseconds until something is due."""
        due = min(self._deadline, self._kill_at)
        if self._kept.waiting:
            due = min(due, self._next_live)
        return None if due == float("inf") else max(0.0, due - time.monotonic()) * 1000 + 1

    def _stop(self, reason: Reason) -> None:
        """Ask it to end; `_kill` follows when it does not."""
        if self._reason:
            return
        self._reason = reason
        self._kill_at = time.monotonic() + self._order["grace"]
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, sign: int) -> None:
        below = descendants(os.getpid())
        if not self._namespaces:
            send_group(self._pid, sign)
        for pid in below:
            if not (self._namespaces and pid == self._pid):  # the first of a namespace heeds no TERM from outside
                send(pid, sign)

    def _kill(self) -> None:
        self._kill_at = float("inf")
        if self._namespaces:
            send(self._pid, signal.SIGKILL)  # and the kernel ends all that live in its namespace
            return
        send_group(self._pid, signal.SIGKILL)
        sweep(os.getpid(), self._reap)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)

    # -- the output

    def _read(self, output: int) -> bool:
        """Read once; False at the end of the output."""
        try:
            chunk = os.read(output, _READ)
        except BlockingIOError:
            return True
        if shown := self._kept.add(chunk):
            self._send(b"o", shown)
        return bool(chunk)

    def _show(self) -> None:
        """Hand on what is due, as far as Coda takes it."""
        now = time.monotonic()
        if self._kept.waiting and now >= self._next_live:
            self._next_live = now + _LIVE_EVERY
            piece = self._kept.live()
            if len(self._out) < _BACKLOG:
                self._send(b"o", piece)
        if self._out:
            try:
                del self._out[: os.write(1, self._out)]
            except BlockingIOError:
                pass
            except OSError:  # nobody listens any more: descriptor 0 says so, too
                self._out.clear()

    def _send(self, kind: bytes, payload: bytes) -> None:
        self._out += kind + len(payload).to_bytes(4, "big") + payload

    # -- the end

    def _end(self, output: int) -> int:
        """What the command has left behind goes too, and its last words are read. Gives the survivors."""
        survivors = 0
        if not self._order["leave"] or self._reason:
            survivors = sweep(os.getpid(), self._reap)
        until = time.monotonic() + _DRAIN
        poller = select.poll()
        poller.register(output, select.POLLIN)
        while (rest := until - time.monotonic()) > 0 and poller.poll(rest * 1000):
            if not self._read(output):
                break
        return survivors

    def _read_status(self, status: int) -> None:
        """What the child said: `E` why it could not begin, `X` how the command under a namespace's init ended."""
        os.set_blocking(status, False)
        try:
            said = os.read(status, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            said = ""
        if said.startswith("E"):
            self._failed = said[1:].strip()
        elif said.startswith("X"):
            self._status = os.waitstatus_to_exitcode(int(said[1:]))
        elif self._namespaces and not self._reason:
            self._failed = "the process that keeps the command in did not start"

    def _tell(self, survivors: int) -> None:
        report: Report = {
            "status": self._status if self._status is not None else -signal.SIGKILL,
            "reason": self._reason,
            "failed": self._failed,
            "total": self._kept.total,
            "spooled": self._kept.spooled,
            "survivors": survivors,
            "seconds": time.monotonic() - self._begun,
        }
        self._send(b"h", bytes(self._kept.head))
        self._send(b"t", bytes(self._kept.tail))
        self._send(b"r", json.dumps(report).encode())
        os.set_blocking(1, True)
        try:
            while self._out:
                del self._out[: os.write(1, self._out)]
        except OSError:  # nobody listens any more, so nobody tidies up
            import shutil

            shutil.rmtree(self._order["scratch"], ignore_errors=True)


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


# -- in the child


def _be_command(order: Order, output: int, status: int) -> NoReturn:
    """Turn this forked process into the command. What goes wrong is told through *status*."""
    try:
        signal.set_wakeup_fd(-1)
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(sign, signal.SIG_DFL)
        os.setsid()
        _keep_descriptors(output, {status, *order["keep"]})
        for fd in order["keep"]:
            os.set_inheritable(fd, True)
        confine = order["confine"]
        if confine is not None and sys.platform == "linux":
            from coda_cli.engine.tools import kernel

            if confine["namespaces"]:
                kernel.die_with_parent()
                kernel.furnish(confine)
                _be_init(status)
            os.chdir(order["cwd"])  # anew: the mounts are others now
            kernel.hold_in(confine)
        else:
            os.chdir(order["cwd"])
        _limit(order["limits"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 -- a person has approved it
    except OSError as exc:
        name = f": {exc.filename}" if exc.filename else ""
        os.write(status, f"E{exc.strerror or exc}{name}\n".encode("utf-8", "replace"))
    finally:
        os._exit(127)


def _keep_descriptors(output: int, kept: set[int]) -> None:
    """0 is empty, 1 and 2 are the output, *kept* stay; everything else is closed."""
    null = os.open(os.devnull, os.O_RDONLY)
    for fd, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(fd, target)
    low = 3
    for fd in [*sorted(kept), _top()]:
        os.closerange(low, fd)
        low = fd + 1


def _top() -> int:
    """More than the highest open descriptor."""
    try:
        return max(int(path.name) for path in Path("/proc/self/fd").iterdir()) + 1
    except OSError:
        return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16)


def _be_init(told: int) -> None:
    """Stay as the first process of the namespace and wait; only the command's process returns from here."""
    command = os.fork()
    if command == 0:
        os.setsid()
        return
    os.closerange(0, 3)
    while True:
        try:
            pid, status = os.wait()
        except OSError as exc:
            if exc.errno == errno.EINTR:
                continue
            break
        if pid == command:
            os.write(told, f"X{status}\n".encode())
            break
    os._exit(0)


def _limit(limits: dict[str, int]) -> None:
    """Lower the limits of this process; one that may not be raised stays as it is."""
    for name, value in limits.items():
        which = getattr(resource, name, None)
        if which is None:
            continue
        hard = resource.getrlimit(which)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (bound, bound))


def main() -> None:
    """Read the order from descriptor 0 and carry it out."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(0, 1 << 16)
        if not more:
            return
        line += more
    order: Order = json.loads(line)
    Supervisor(order).run()
