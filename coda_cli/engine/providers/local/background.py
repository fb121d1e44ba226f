"""Blocking work in daemon threads: awaited without holding up the event loop, and never waited for at exit.

`asyncio.to_thread` uses a pool that `asyncio.run` joins before it returns: Ctrl-C during a download or the load of a
model would then hang until the work is done.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_background(work: Callable[[], T], name: str) -> T:
    """The result of *work*, run in a daemon thread. If the caller is cancelled, *work* goes on alone."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # `work` returned it: None only if T allows None

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as exc:  # carried to the one who awaits, whatever it is
            error = exc
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    threading.Thread(target=run, name=f"coda-{name}", daemon=True).start()
    return await future
