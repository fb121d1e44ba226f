"""The event loop of a command: `asyncio.run`, but for name lookups that nobody waits for any more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from coda_cli.engine.providers.local.background import in_background

T = TypeVar("T")


class _Loop(asyncio.SelectorEventLoop):
    """asyncio looks names up in a pool whose threads the program waits for at its end.

    Where no name server answers that is half a minute after Ctrl-C, or after --timeout.
    """

    async def getaddrinfo(self, host: Any, port: Any, **kind: int) -> Any:
        """As asyncio's own, in a thread that may be left behind."""
        return await in_background(partial(socket.getaddrinfo, host, port, **kind), "lookup")


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """The result of *main*, run to its end."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
