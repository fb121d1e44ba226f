"""Servers for blocking tests, and addresses where nobody answers.

Public API::

    with ThreadedServer(FakeVendor("openai")) as fake:   any FakeServer, on an event loop in its own thread
        fake.url, fake.server.requests                   fake.server.queue(...) may be called from the test's thread
        fake.wait_for_requests(n) .wait_sent(i, k) .wait_idle()    the server's own, blocking
    dead_port()      a loopback port on which nothing listens: connections are refused
    SilentPort()     context manager; .url: a connection attempt is never answered, nor refused (Linux)
"""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Generic, Self, TypeVar

from tests.servers.http import FakeServer

__all__ = ["SilentPort", "ThreadedServer", "dead_port"]

ServerT = TypeVar("ServerT", bound=FakeServer)


class ThreadedServer(Generic[ServerT]):
    """Keeps a fake server alive in a thread of its own, while the test blocks on a child process."""

    def __init__(self, server: ServerT) -> None:
        self.server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-server", daemon=True)

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return self.server.url

    def wait_for_requests(self, n: int) -> None:
        """Block until n requests have arrived; TimeoutError if they do not."""
        self._call(self.server.wait_for_requests(n))

    def wait_sent(self, index: int, size: int) -> None:
        """Block until this many bytes of the body of `requests[index]` are written; TimeoutError if they are not."""
        self._call(self.server.wait_sent(index, size))

    def wait_idle(self) -> None:
        """Block until every answer has ended; TimeoutError if they do not."""
        self._call(self.server.wait_idle())

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._call(self.server.start())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._call(self.server.close())
        finally:
            self._stop()

    def _call(self, coroutine: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def dead_port() -> int:
    """A loopback port that was free a moment ago and on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class SilentPort:
    """A loopback port whose queue of connections is full: on Linux the next attempt waits for its own timeout."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._fillers: list[socket.socket] = []

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        # A queue of length 0 still takes one or two; the rest stay half open and keep it full.
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._fillers.append(filler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (*self._fillers, self._listener):
            sock.close()
