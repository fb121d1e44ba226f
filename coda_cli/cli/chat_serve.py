"""`coda chat --serve`: the chat's own events for a page and for programs on this machine, in the chat's own loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from coda_cli.chat.session import ChatSession
from coda_cli.server.app import CodaWebSocketServer
from coda_cli.server.integration import CodaWebSocketIntegration


class Watched:
    """A chat that can be watched, and nothing else: no client can ask, stop or approve anything."""

    def __init__(self) -> None:
        self._integration = CodaWebSocketIntegration(CodaWebSocketServer())
        self._loop: asyncio.AbstractEventLoop | None = None
        # The token is for the eyes of a person: not for a file that either of them goes to.
        self._for_a_person = sys.stdout.isatty() and sys.stderr.isatty()

    def show(self, session: ChatSession) -> None:
        """Show *session*, which was just made in another thread than the loop's. Raises CodaError."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._start(session), self._loop).result()

    async def run(self, chat: Callable[[], Coroutine[Any, Any, int]], session: ChatSession | None) -> int:
        """The exit code of *chat*; *session* is its session where that is made already. Raises CodaError."""
        self._loop = asyncio.get_running_loop()
        if session is not None:
            await self._start(session)
        try:
            return await chat()
        finally:
            await self._integration.stop()

    async def _start(self, session: ChatSession) -> None:
        await self._integration.start(session.manager)
        server = self._integration.server
        session.notes = [*session.notes, f"watch this chat at\n{server.page if self._for_a_person else server.url}"]
