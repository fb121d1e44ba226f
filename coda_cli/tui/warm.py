"""What an answer needs and the first screen does not: loaded beside the person who has begun to type.

While nobody types it takes neither memory nor time.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import Future
from functools import cache


@cache
def warm_up() -> Future[None]:
    """Load it in a thread, once; the result is there when an answer can be drawn without holding up a key."""
    drawable: Future[None] = Future()
    threading.Thread(target=_load, args=(drawable,), name="coda-warm", daemon=True).start()
    return drawable


def _load(drawable: Future[None]) -> None:
    from coda_cli.engine.providers.http import preload
    from coda_cli.markdown.render import warm

    try:
        warm()
    finally:
        drawable.set_result(None)  # what is missing is loaded where it is used
    preload()


async def ready() -> None:
    """Wait until an answer can be drawn: on the event loop, loading would hold up every key for 100 ms."""
    if not (drawable := warm_up()).done():
        await asyncio.wrap_future(drawable)


def load_commands() -> None:
    """Load the slash commands, so that the first "/" does not wait for them."""
    from coda_cli.chat import commands

    commands.commands("tui")


def collect_again() -> None:
    """Take garbage collection up again where it was put off for the start.

    All that stands by now stays to the end. Left to the collector, it is gone through again and again: 50 ms, in the
    midst of an answer. What an answer leaves behind is little, and rarely worth the 20 ms that going through it takes.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)
        gc.enable()
