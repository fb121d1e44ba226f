"""The processes of this machine as /proc tells them, and an end to all below one. Standard library only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

_SWEEPS: Final = 400


class Task(NamedTuple):
    """A process as /proc tells it."""

    pid: int
    parent: int
    state: str


def tasks() -> list[Task]:
    """All processes that /proc shows; none where there is no such /proc."""
    found = []
    try:
        names = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return []
    for name in names:
        try:
            state, parent = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):  # gone meanwhile
            continue
        found.append(Task(int(name), int(parent), state.decode()))
    return found


def descendants(root: int) -> list[int]:
    """The living processes below *root*. Whole only where *root* is a subreaper: then none can leave its tree."""
    children: dict[int, list[Task]] = {}
    for task in tasks():
        children.setdefault(task.parent, []).append(task)
    found: list[int] = []
    todo = [root]
    while todo:
        for task in children.get(todo.pop(), ()):
            todo.append(task.pid)
            if task.state not in "ZX":
                found.append(task.pid)
    return found


def send(pid: int, sign: int) -> None:
    try:
        os.kill(pid, sign)
    except (ProcessLookupError, PermissionError):  # gone, or no longer ours: the count of survivors tells
        pass


def send_group(pid: int, sign: int) -> None:
    try:
        os.killpg(pid, sign)
    except (ProcessLookupError, PermissionError):
        pass


def sweep(root: int, reap: Callable[[], None]) -> int:
    """End all below *root*, a subreaper, with *reap* between the rounds; gives how many could not be ended.

    All are stopped before any is killed: what is stopped does not fork while the others are looked for, and a killed
    one would make room for the next under a limit on processes.
    """
    left = 0
    for _ in range(_SWEEPS):
        seen: set[int] = set()
        while new := set(descendants(root)) - seen:
            for pid in new:
                send(pid, signal.SIGSTOP)
            seen |= new
        for pid in seen:
            send(pid, signal.SIGKILL)
        reap()
        left = len(seen)
        if not left:
            break
        time.sleep(0.002)
    return left


def tasks_of_user() -> int:
    """The threads of all processes of this user: what RLIMIT_NPROC counts. A guess where /proc does not tell."""
    uid, count = os.getuid(), 0
    for task in tasks():
        process = Path("/proc", str(task.pid))
        try:
            if process.stat().st_uid == uid:
                count += process.joinpath("task").stat().st_nlink - 2
        except OSError:  # gone meanwhile
            continue
    return count or 1024
