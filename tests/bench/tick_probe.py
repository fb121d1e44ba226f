"""The real `coda`, with a stop watch on its event loop: every callback over a limit goes to a file as it ends.

    python -m tests.bench.tick_probe FILE [arguments of coda ...]

A line is `start wall cpu name`, in seconds: the start on the machine's monotonic clock, which other processes read
too, the CPU time of the thread. Nothing of the program is changed: `asyncio` is looked at from outside.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import os
import sys
import time
from typing import Any, Final

LIMIT: Final = 0.005


def watch(fd: int) -> None:
    """Measure every callback of every event loop of this process."""
    run: Any = asyncio.events.Handle._run

    def timed(handle: Any) -> None:
        start, cpu = time.perf_counter(), time.thread_time()
        run(handle)
        wall = time.perf_counter() - start
        if wall > LIMIT:
            spent = time.thread_time() - cpu
            os.write(fd, f"{start:.6f} {wall:.6f} {spent:.6f} {_name(handle)}\n".encode())

    asyncio.events.Handle._run = timed  # type: ignore[method-assign, assignment]  # the loop has no other place to look at


def _name(handle: Any) -> str:
    """What has run: a task by its coroutine, anything else by its callback."""
    called = handle._callback
    owner = getattr(called, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return f"{owner.get_name()}: {getattr(owner.get_coro(), '__qualname__', '?')}".replace("\n", " ")
    return getattr(called, "__qualname__", None) or type(called).__name__


def main() -> None:
    """Run the program."""
    watch(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    sys.argv[:2] = ["coda"]
    from coda_cli.__main__ import main as coda

    coda()


if __name__ == "__main__":
    main()
