"""One client of the WebSocket: a place in the log, what it wants to see, and what it may ask for.

It is sent events in their order, each once. One that falls behind loses chunks and is told how many; what is no chunk
it never loses: a client that is too slow for those, or reads nothing while it is behind, is closed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.abc import AbstractStreamWriter

from coda_cli.server.log import Entry, EventLog
from coda_cli.server.options import Limits
from coda_cli.server.wire import Replay, Subscribe, dumped, text_frame

_BATCH_BYTES: Final = 32 * 1024
_BATCH_EVENTS: Final = 1000
_GRACE: Final = 1.0
"""Seconds that a client which is closed has to take the reason."""


class Socket(web.WebSocketResponse):
    """A connection that ends so that the client learns why."""

    async def close(self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True) -> bool:
        """End it with *code*. What a client sends too much of is read for a while yet, and thrown away.

        Closing at once would reset the connection, and the reason would be lost with it.
        """
        if code in (WSCloseCode.MESSAGE_TOO_BIG, WSCloseCode.PROTOCOL_ERROR, WSCloseCode.INVALID_TEXT):
            with suppress(ConnectionError):
                await self.send_frame(int(code).to_bytes(2, "big") + message, WSMsgType.CLOSE)
            await asyncio.sleep(_GRACE)  # the client's own end cancels this
        return await super().close(code=code, message=message, drain=drain)


class Client:
    """A client that has shown the token. `serve()` sends it events until it is gone."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, log: EventLog, limits: Limits, server: str
    ) -> None:
        """*server* tells this server from the one that had the same address before."""
        self._socket, self._transport = socket, transport
        self._log, self._limits, self._server = log, limits, server
        self._types: frozenset[str] | None = None
        self._conversation: str | None = None
        self._place = log.last
        self._asked_up_to = 0  # what it wants again: nothing of that is left out, however far behind it is
        self._started = asyncio.Event()
        self._lost = 0
        self._lost_after = 0
        self._handed = 0  # bytes of frames so far
        self._taken = 0  # of those, what had left at the last look
        self._waiting: asyncio.Future[None] | None = None
        self._owed: list[asyncio.Future[None]] = []
        self._closing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # ---- what it wants --------------------------------------------------------------------------------------------

    async def subscribe(self, wanted: Subscribe) -> None:
        """Send these events from now on, or from behind `wanted.after`."""
        self._types = None if wanted.types is None else frozenset(wanted.types)
        self._conversation = wanted.conversation_id
        if wanted.after is None:
            if not self._started.is_set():
                self._place = self._log.last
            await self.send(dumped({"type": "subscribed", "after": self._place, "ref": wanted.ref}))
            self._started.set()
            return
        await self._back_to(wanted.after, wanted.server, wanted.ref)

    async def replay(self, wanted: Replay) -> None:
        """Send everything behind `wanted.after` once more, then go on."""
        await self._back_to(wanted.after, wanted.server, wanted.ref)

    async def _back_to(self, after: int, server: str | None, ref: str | None) -> None:
        log = self._log
        first = log.oldest
        other = (server is not None and server != self._server) or after > log.last
        if other or after + 1 < first:
            after = first - 1
            told = {"type": "replay_incomplete", "oldest": first, "last": log.last, "server": self._server, "ref": ref}
        else:
            told = {"type": "replay", "after": after, "last": log.last, "ref": ref}
        self._place, self._asked_up_to, self._lost = after, log.last, 0
        await self.send(dumped(told))
        self._started.set()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # ---- sending --------------------------------------------------------------------------------------------------

    async def send(self, frame: bytes) -> None:
        """Send *frame*, which belongs to this connection alone. Waits while the client does not read."""
        with suppress(ConnectionError):
            await self._socket.send_frame(frame, WSMsgType.TEXT)

    async def serve(self, writer: AbstractStreamWriter) -> None:
        """Send what it wants with the connection's *writer*, until the connection is gone."""
        await self._started.wait()
        try:
            while not self._socket.closed:
                await self._next(writer)
        except ConnectionError:
            return
        finally:
            self._settle()
            if self._timer is not None:
                self._timer.cancel()

    async def caught_up(self) -> None:
        """Return once it has been sent all that there is, or is gone."""
        if self._started.is_set() and self._place < self._log.last and not self._socket.closed:
            owed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._owed.append(owed)
            await owed

    def check(self, sending: asyncio.Task[None]) -> None:
        """Cut the connection where *sending* has failed: one that says nothing any more is worse than none."""
        if not sending.cancelled() and sending.exception() is not None:
            self._transport.abort()

    def _settle(self) -> None:
        owed, self._owed = self._owed, []
        for one in owed:
            if not one.done():
                one.set_result(None)

    async def _next(self, writer: AbstractStreamWriter) -> None:
        batch = self._batch()
        if batch:
            self._watch()
            frames = b"".join(batch)
            self._handed += len(frames)
            await writer.write(frames)
        elif self._log.oldest > self._place + 1:
            await self.close(WSCloseCode.TRY_AGAIN_LATER, "too far behind")
        elif self._log.last <= self._place:
            self._settle()
            self._waiting = self._log.next()
            await self._waiting
        else:  # it wants none of the many that were looked at: others have their turn
            await asyncio.sleep(0)

    def _batch(self) -> list[bytes]:
        """The frames that are due, some of them. Its place is behind them at once.

        Sending may wait: whoever asks meanwhile to go back, goes back from there.
        """
        batch: list[bytes] = []
        left, last = _BATCH_BYTES, self._place + _BATCH_EVENTS
        while left > 0 and self._place < last and (entry := self._log.get(self._place + 1)) is not None:
            if self._wants(entry):
                if entry.chunk and self._is_behind(entry):
                    self._lost_after = self._lost_after if self._lost else self._place
                    self._lost += 1
                else:
                    batch += [*self._lost_told(), entry.frame]
                    left -= len(entry.frame)
            self._place = entry.id
        return [*batch, *self._lost_told()] if self._place == self._log.last else batch

    def _wants(self, entry: Entry) -> bool:
        if self._types is not None and entry.type not in self._types:
            return False
        return self._conversation is None or entry.conversation_id in ("", self._conversation)

    def _is_behind(self, entry: Entry) -> bool:
        return entry.id > self._asked_up_to and self._is_far(entry)

    def _lost_told(self) -> list[bytes]:
        if not self._lost:
            return []
        told = {"type": "events_lost", "count": self._lost, "after": self._lost_after, "to": self._place}
        self._lost = 0
        return [text_frame(dumped(told))]

    # ---- one that does not read -----------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look again later whether what was sent has left."""
        if self._timer is None:
            self._taken = self._passed_on()
            self._timer = asyncio.get_running_loop().call_later(self._limits.stall_seconds, self._look)

    def _passed_on(self) -> int:
        return self._handed - self._transport.get_write_buffer_size()

    def _look(self) -> None:
        self._timer = None
        if not self._transport.get_write_buffer_size() or self._transport.is_closing():
            return
        if self._passed_on() > self._taken or not self._is_full():
            self._watch()
            return
        late = self.close(WSCloseCode.TRY_AGAIN_LATER, "it reads nothing")
        self._closing = asyncio.get_running_loop().create_task(late)

    def _is_full(self) -> bool:
        entry = self._log.get(self._place + 1)
        if entry is None:
            return self._log.oldest > self._place + 1
        return self._is_far(entry)

    def _is_far(self, entry: Entry) -> bool:
        limits, log = self._limits, self._log
        return log.last - entry.id >= limits.behind_events or log.end - entry.end >= limits.behind_bytes

    async def close(self, code: int, reason: str) -> None:
        """End the connection; it is cut where the client does not take the reason in time."""
        try:
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await self._socket.close(code=code, message=reason.encode())
        finally:
            if self._transport.get_write_buffer_size():
                self._transport.abort()
