"""One request on its way: out of the cache if it was asked before, within the budget, to a host that is well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final, Protocol

from coda_cli.engine.accounts import Accounts
from coda_cli.engine.breaker import Breaker
from coda_cli.engine.cache import Cached, ResponseCache, key_of
from coda_cli.engine.core.config import LLMConfig
from coda_cli.engine.core.errors import (
    LLMBudgetError,
    LLMConnectionError,
    LLMError,
    LLMIncompleteResponseError,
    LLMOverloadedError,
    LLMProviderUnavailableError,
    LLMRateLimitError,
    LLMTimeoutError,
)
from coda_cli.engine.core.events import BudgetReached, CacheHit, Event, ProviderEvent
from coda_cli.engine.core.ports import Clock, Provider, ProviderRequest
from coda_cli.engine.turn import Stamp, Turn
from coda_cli.engine.usage.budget import Reservation
from coda_cli.engine.usage.tokens import TokenEstimator

_ELSEWHERE: Final = (
    LLMConnectionError,
    LLMTimeoutError,
    LLMOverloadedError,
    LLMRateLimitError,
    LLMProviderUnavailableError,
)
"""Where another provider may help."""


class SendingHost(Protocol):
    """What sending needs of the manager."""

    config: LLMConfig
    clock: Clock
    accounts: Accounts
    tokens: TokenEstimator
    cache: ResponseCache
    breaker: Breaker


class Sent:
    """A request that is sent, or answered from the cache: its `turn` is to be run, then `done`, then `settled`."""

    def __init__(
        self,
        host: SendingHost,
        conversation_id: str,
        turn: Turn,
        name: str,
        held: Reservation | None,
        recorder: _Recorder,
    ) -> None:
        self._host, self._name = host, name
        self._conversation_id = conversation_id
        self._held, self._recorder = held, recorder
        self.turn = turn

    @property
    def cached(self) -> bool:
        """Whether the answer came from the cache."""
        return self._recorder.hit is not None

    async def done(self, cost: float | None, *, keep: bool) -> bool | None:
        """The turn has ended: settle the budget; *keep*: put the answer into the cache. What `Breaker.note` says."""
        turn, recorder = self.turn, self._recorder
        if keep and recorder.key and not self.cached and turn.error is None and not turn.answer.tool_calls():
            now = self._host.clock.now()
            await asyncio.to_thread(self._host.cache.put, recorder.key, recorder.events, now)
        if self.cached:
            return None
        await self._host.accounts.settle(self._conversation_id, self._held, turn, cost, turn.error)
        if turn.error is None and turn.answer.finished is None and not turn.answer.visible:
            self._host.breaker.release(self._name)  # it was given up before anything came: that says nothing
            return None
        return self._host.breaker.note(self._name, turn.error)


class Sending:
    """Sends the requests of one answer."""

    def __init__(
        self, host: SendingHost, conversation_id: str, stamp: Stamp, publish: Callable[[Event], None], *, cached: bool
    ) -> None:
        self._host = host
        self._conversation_id = conversation_id
        self._stamp, self._publish = stamp, publish
        self._cached = cached

    async def send(self, provider: Provider, name: str, request: ProviderRequest, started: float) -> Sent:
        """Prepare *request*. Raises LLMBudgetError, and LLMConnectionError for a host that is left alone."""
        host = self._host
        recorder = _Recorder(provider)
        if self._cached:
            recorder.key = key_of(provider.config, name, request)
            ttl, now = host.config.cache_ttl_seconds, host.clock.now()
            recorder.hit = await asyncio.to_thread(host.cache.get, recorder.key, ttl, now)
        held: Reservation | None = None
        if recorder.hit is not None:
            age = max(0.0, host.clock.now() - recorder.hit.time)
            self._publish(self._stamp(CacheHit, provider=name, model=request.model, age=age))
        else:
            host.breaker.admit(name)
            try:
                held = await self._reserve(name, request)
            except BaseException:
                host.breaker.release(name)
                raise
        source = recorder if self._cached else provider
        turn = Turn(source, name, request, host.clock, self._stamp, started, held)
        return Sent(host, self._conversation_id, turn, name, held, recorder)

    async def _reserve(self, name: str, request: ProviderRequest) -> Reservation | None:
        host = self._host
        if not host.config.budget.limited:
            return None
        most = request.options.get("max_tokens")
        sent = host.tokens.counter(name, request.model).request(request)
        try:
            return await host.accounts.reserve(
                self._conversation_id, name, request.model, sent, most if isinstance(most, int) else None
            )
        except LLMBudgetError as error:
            self.tell_budget(error)
            raise

    def tell_budget(self, error: LLMBudgetError) -> None:
        """Publish the limit that *error* is about."""
        if error.reached is not None:
            self._publish(self._stamp(BudgetReached, **error.reached))


def helped_elsewhere(error: LLMError) -> bool:
    """Whether another provider may answer where this one failed with *error*."""
    return isinstance(error, _ELSEWHERE) and not isinstance(error, LLMIncompleteResponseError)


class _Recorder:
    """A provider whose words are kept for the cache, or that says what the cache holds. It is a `Source`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.config = provider.config
        self.key = ""
        self.hit: Cached | None = None
        self.events: list[ProviderEvent] = []

    def secrets(self) -> tuple[str, ...]:
        return self._provider.secrets()

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        if self.hit is not None:
            for event in self.hit.events:
                yield event
            return
        self.events.clear()
        source = self._provider.stream(request)
        try:
            async for event in source:
                self.events.append(event)
                yield event
        finally:
            await source.aclose()
