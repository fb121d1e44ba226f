"""One turn: ask the provider, retry before the first visible output, gather the answer.

`Turn.run()` emits events; afterwards the turn's fields tell how it ended. It knows the `Provider` port, never a vendor.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol, TypeVar, assert_never

from coda_cli.engine.accumulate import Accumulator
from coda_cli.engine.core.config import ProviderConfig, deadline
from coda_cli.engine.core.errors import LLMError, LLMIncompleteResponseError, LLMTimeoutError
from coda_cli.engine.core.events import (
    Event,
    Finished,
    ProviderEvent,
    ReasoningChunk,
    ReasoningDelta,
    ResponseChunk,
    RetryScheduled,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from coda_cli.engine.core.ports import Clock, Meter, ProviderRequest
from coda_cli.engine.redact import conceal
from coda_cli.engine.retry import RetryPolicy
from coda_cli.engine.sent import without

E = TypeVar("E", bound=Event)


class Stamp:
    """Makes the events of one generation: numbered without gaps, timed, labelled with the conversation."""

    def __init__(self, conversation_id: str, clock: Clock) -> None:
        self.conversation_id = conversation_id
        self._clock = clock
        self._seq = 0

    def __call__(self, make: Callable[..., E], **fields: object) -> E:
        seq = self._seq
        self._seq += 1
        return make(seq=seq, time=self._clock.now(), conversation_id=self.conversation_id, **fields)


class Source(Protocol):
    """What a turn needs of a provider."""

    config: ProviderConfig

    def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be shown."""
        ...


class Turn:
    """One answer of one provider. After `run()`: `answer`, `error`, `retries`, `latency`, `first_token` (seconds)."""

    def __init__(
        self,
        provider: Source,
        name: str,
        request: ProviderRequest,
        clock: Clock,
        stamp: Stamp,
        started: float,
        meter: Meter | None = None,
    ) -> None:
        """*started*: when the person began to wait (monotonic seconds); the deadline counts from there.

        *meter* hears all that comes, and may stop it.
        """
        self._meter = meter
        self._provider = provider
        self._name = name
        self._request = request
        self._clock = clock
        self._stamp = stamp
        self._policy = RetryPolicy(max_retries=provider.config.max_retries)
        self._started = started
        limit = deadline(provider.config)
        self._deadline = None if limit is None else self._started + limit
        self.answer = Accumulator(name)
        self.error: LLMError | None = None
        self.retries = 0
        self.first_token: float | None = None

    @property
    def latency(self) -> float:
        """Seconds since the turn began."""
        return self._clock.monotonic() - self._started

    def _remaining(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - self._clock.monotonic())

    async def run(self, emit: Callable[[Event], None]) -> None:
        """Work the turn through, handing every event to *emit*. Never raises LLMError: see `error`."""
        while True:
            self.answer = Accumulator(self._name)
            try:
                await self._attempt(emit)
            except LLMError as error:
                self._place(error)
                wait = None if self.answer.visible else self._policy.wait(error, self.retries, self._remaining())
                if wait is None:
                    self.error = error
                    return
                self.retries += 1
                scheduled = self._stamp(
                    RetryScheduled,
                    attempt=self.retries,
                    max_retries=self._policy.max_retries,
                    wait=wait,
                    error=error.describe(),
                )
                emit(scheduled)
                await self._clock.sleep(wait)
            else:
                return

    async def _attempt(self, emit: Callable[[Event], None]) -> None:
        scope = asyncio.timeout(self._remaining())
        try:
            # aclosing: leaving early must stop the vendor now, not when the generator is collected
            with without(self._provider.secrets()):
                async with scope, aclosing(self._provider.stream(self._request)) as stream:
                    async for event in stream:
                        made = self._event(self.answer.add(event))
                        if made is not None:
                            emit(made)
                        if self._meter is not None and isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta):
                            await self._meter.add(event.arguments if isinstance(event, ToolCallDelta) else event.text)
        except TimeoutError as exc:
            if not scope.expired():
                raise  # the provider's own
            raise LLMTimeoutError(f"no complete answer within the deadline of {self.latency:.0f} s") from exc
        finally:
            rest = self.answer.flush()
            if rest:
                emit(self._stamp(ResponseChunk, delta=rest))
        if self.answer.finished is None:
            raise LLMIncompleteResponseError("the answer ended without the provider's end marker")

    def _event(self, event: ProviderEvent) -> Event | None:
        match event:
            case TextDelta(text):
                if not text:
                    return None
                self._mark_first()
                return self._stamp(ResponseChunk, delta=text)
            case ReasoningDelta(text):
                if not text:
                    return None
                self._mark_first()
                return self._stamp(ReasoningChunk, delta=text)
            case ToolCallDelta() | Usage() | Finished():
                return None
            case _:
                assert_never(event)

    def _mark_first(self) -> None:
        if self.first_token is None:
            self.first_token = self.latency

    def _place(self, error: LLMError) -> None:
        error.provider = error.provider or self._name
        error.model = error.model or self._request.model
        conceal(error, self._provider.secrets())
        error.partial = self.answer.text
        if error.hint:
            error.hint = error.hint.replace("PROVIDER", self._name)
