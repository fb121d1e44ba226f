"""What `LLMManager.generate_response()` returns: await it, iterate it, watch its events, or cancel it.

Nothing is sent before the first `await` or iteration. The work runs in one task of its own; events are kept, so any
number of readers, early or late, see all of them in the same order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator

from msgspec import Struct

from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.events import Event, ReasoningChunk, ResponseChunk, ResponseStart
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.prompts import Section
from coda_cli.engine.core.responses import LLMResponse, LLMStreamChunk
from coda_cli.engine.sent import SentLog, SentRequest, kept_in


class Outcome(Struct, frozen=True):
    """How an answer ended: what there is of it, and the error it failed with, if any.

    `request` is what was sent last (None: nothing was), `first_token` the seconds until something of it came,
    `sections` what its system prompt was assembled of.
    """

    response: LLMResponse
    error: LLMError | None
    request: ProviderRequest | None = None
    first_token: float | None = None
    sections: tuple[Section, ...] = ()


Produce = Callable[[Callable[[Event], None]], Awaitable[Outcome]]


class Generation:
    """An answer under way.

    - `await generation` gives the LLMResponse (always the same one) or raises the LLMError.
    - `async for chunk in generation` gives LLMStreamChunk; leaving the loop early cancels and keeps the part.
    - `async for event in generation.events()` gives every event and never raises an LLMError: the last one tells it.
    - `generation.cancel()` stops it; the response then has status "interrupted".
    """

    def __init__(self, produce: Produce, conversation_id: str, *, chunked: bool = True) -> None:
        self.conversation_id = conversation_id
        self._produce = produce
        self._chunked = chunked
        self._events: list[Event] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[Outcome] | None = None
        self._cancelled = False
        self._working = False
        self._sent = SentLog()

    def _start(self) -> asyncio.Task[Outcome]:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        return self._task

    async def _work(self) -> Outcome:
        self._working = True
        task = asyncio.current_task()
        if self._cancelled and task is not None:
            task.cancel()  # asked for before this task had run: now there is somebody to hear it
        try:
            with kept_in(self._sent):
                return await self._produce(self._emit)
        finally:
            self._wake()

    def _emit(self, event: Event) -> None:
        self._events.append(event)
        self._wake()

    def _wake(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def __await__(self) -> Generator[None, None, LLMResponse]:
        return self._result().__await__()

    async def _result(self) -> LLMResponse:
        task = self._start()
        try:
            outcome = await asyncio.shield(task)
        except asyncio.CancelledError:
            # The awaiting task was cancelled: the answer must stop too, and its part be kept before we leave.
            await self._stop(task)
            raise
        if outcome.error is not None:
            raise outcome.error
        return outcome.response

    @property
    def response(self) -> LLMResponse | None:
        """What there is of the answer once it has ended, also where it failed; None before that."""
        return self.outcome.response if self.outcome is not None else None

    @property
    def outcome(self) -> Outcome | None:
        """How the answer ended, with the request that was sent; None before that."""
        if self._task is None or not self._task.done() or self._task.cancelled() or self._task.exception():
            return None
        return self._task.result()

    @property
    def sent(self) -> list[SentRequest]:
        """What has left for the vendor so far, as it left but without secrets; empty where a provider does not tell."""
        return list(self._sent.requests)

    async def _stop(self, task: asyncio.Task[Outcome]) -> None:
        self.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # mark it as seen

    def cancel(self) -> None:
        """Stop the answer; what came is kept, marked as interrupted. Does nothing once it has ended."""
        if self._cancelled or (self._task is not None and self._task.done()):
            return
        self._cancelled = True
        if self._task is not None and self._working:
            self._task.cancel()

    async def batches(self) -> AsyncIterator[list[Event]]:
        """Every event, in lists of those that are there by now: for writers that write once a network read."""
        task = self._start()
        position = 0
        while True:
            if position < len(self._events):
                ready = self._events[position:]
                position += len(ready)
                yield ready
            elif task.done():
                return
            else:
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                await waiter

    async def events(self) -> AsyncIterator[Event]:
        """Every event of this answer, from its first; ends after the last one, whether it is success or failure."""
        async for batch in self.batches():
            for event in batch:
                yield event
        task = self._start()
        if not task.cancelled():
            task.result()  # a defect of our own must not pass for the end of an answer

    async def __aiter__(self) -> AsyncIterator[LLMStreamChunk]:
        if not self._chunked:
            yield _whole(await self)
            return
        provider = model = ""
        ended = False
        try:
            async for event in self.events():
                match event:
                    case ResponseStart():
                        provider, model = event.provider, event.model
                    case ResponseChunk():
                        yield self._chunk(event.delta, "", provider, model)
                    case ReasoningChunk():
                        yield self._chunk("", event.delta, provider, model)
                    case _:
                        pass
            ended = True
        finally:
            if not ended:
                await self._stop(self._start())
        await self._result()  # raises what the answer failed with

    def _chunk(self, delta: str, reasoning: str, provider: str, model: str) -> LLMStreamChunk:
        # not validated: these are our own strings, and there is one a token
        return LLMStreamChunk.model_construct(
            delta=delta, reasoning=reasoning, conversation_id=self.conversation_id, provider=provider, model=model
        )


def _whole(response: LLMResponse) -> LLMStreamChunk:
    return LLMStreamChunk(
        delta=response.content,
        reasoning=response.reasoning,
        conversation_id=response.conversation_id,
        provider=response.provider,
        model=response.model,
    )
