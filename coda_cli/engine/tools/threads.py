"""Functions that block, run in daemon threads: stopped by a flag, and never waited for when the program leaves."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
GRACE: Final = 0.5
"""So many seconds a thread has to see that it was stopped; then it is left alone."""


async def in_thread(work: Callable[[], T], cancelled: threading.Event) -> T:
    """The result of *work*. When the caller is cancelled, *cancelled* is set and *work* has `GRACE` seconds to end.

    `asyncio.to_thread` uses a pool that is joined at exit: a tool that hangs would hold the whole program.
    """
    loop = asyncio.get_running_loop()
    settled: asyncio.Future[Callable[[], T]] = loop.create_future()
    context = contextvars.copy_context()

    def run() -> None:
        give = _outcome(lambda: context.run(work))
        try:
            loop.call_soon_threadsafe(lambda: None if settled.done() else settled.set_result(give))
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    threading.Thread(target=run, name="coda-tool", daemon=True).start()
    try:
        give = await asyncio.shield(settled)
    except asyncio.CancelledError:
        cancelled.set()
        await asyncio.wait({settled}, timeout=GRACE)
        raise
    return give()


def _outcome(work: Callable[[], T]) -> Callable[[], T]:
    """What *work* returned or raised, to be given later. (A future refuses StopIteration, and would never be done.)"""
    try:
        result = work()
    except BaseException as error:  # carried to the one who awaits, whatever it is: here it would end a thread unseen
        failure = error

        def fail() -> T:
            if isinstance(failure, StopIteration):
                raise RuntimeError("StopIteration") from failure
            raise failure

        return fail
    return lambda: result
