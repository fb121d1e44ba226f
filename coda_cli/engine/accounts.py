"""What this process asked of its providers: counted, and handed to the usage log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMBudgetError,
    LLMError,
    LLMProviderUnavailableError,
    LLMUnsupportedError,
)
from coda_cli.engine.core.ports import Clock, UsageRecord, UsageSink
from coda_cli.engine.core.usage import Status, TokenUsage
from coda_cli.engine.turn import Turn
from coda_cli.engine.uninterrupted import through
from coda_cli.engine.usage.budget import Amount, Budget, Reservation

_NEVER_SENT: Final = (LLMAuthenticationError, LLMUnsupportedError, LLMProviderUnavailableError)


class ProviderStats(Struct):
    """What this process asked of one provider. Cost in USD over the priced requests."""

    request_count: int = 0
    total_tokens: int = 0
    total_cost: float = 0.0
    error_count: int = 0


class Accounts:
    """The counters of every provider; *sink* gets a record of each request, too."""

    def __init__(
        self,
        price: Callable[[str, str, TokenUsage], float | None],
        clock: Clock,
        sink: UsageSink | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._price = price
        self._clock = clock
        self._budget = budget
        self._stats: dict[str, ProviderStats] = {}
        self.sink = sink

    def cost(self, provider: str, model: str, usage: TokenUsage) -> float | None:
        """USD for *usage*, None where no price is known."""
        return self._price(provider, model, usage)

    def stats(self, provider: str) -> ProviderStats:
        """What this process asked of *provider*."""
        return self._stats.setdefault(provider, ProviderStats())

    async def reserve(
        self, conversation_id: str, provider: str, model: str, sent: int, most: int | None
    ) -> Reservation | None:
        """Hold what a request of *sent* tokens may take of the budget; None where there is none.

        *most*: how many tokens its answer may have. Raises LLMBudgetError. What is reserved must be given to `settle`.
        """
        budget = self._budget
        if budget is None or not budget.limited:
            return None

        def priced(tokens: int, came: int) -> float | None:
            return self._price(provider, model, TokenUsage(input_tokens=tokens, output_tokens=came))

        made: list[Reservation] = []
        try:
            await through(asyncio.to_thread(lambda: made.append(budget.reserve(conversation_id, sent, most, priced))))
        except asyncio.CancelledError:
            if made:
                await asyncio.to_thread(made[0].settle, Amount())
            raise
        return made[0]

    async def settle(
        self, conversation_id: str, held: Reservation | None, turn: Turn, cost: float | None, error: LLMError | None
    ) -> None:
        """The request that *held* stood for is over: the vendor's count takes its place.

        The count of an answer that was cut is the one of its beginning: what came counts, if it is more.
        """
        usage = turn.answer.usage
        told = Amount(usage.total_tokens, cost) if usage.reported else None
        spent = told if turn.answer.finished is not None else None
        if told is None and error is not None and not turn.answer.visible:
            spent = Amount()  # it failed before anything came, and is charged by nobody
        try:
            if held is not None:
                await asyncio.to_thread(held.settle, spent, at_least=told)
            elif self._budget is not None and (booked := spent or told) is not None and booked.tokens:
                await asyncio.to_thread(self._budget.book, conversation_id, booked)
        except LLMBudgetError:
            pass  # the disk refuses: what was reserved stays so

    def record(
        self,
        conversation_id: str,
        provider: str,
        model: str,
        turn: Turn,
        status: Status,
        error: LLMError | None,
        *,
        cached: bool = False,
    ) -> None:
        """Count *turn*, which ended in *error*, if any, unless nobody was asked; *cached*: it came from the cache."""
        if isinstance(error, _NEVER_SENT) and error.status is None:
            return
        usage = turn.answer.usage
        cost = 0.0 if cached else self._price(provider, model, usage)
        stats = self.stats(provider)
        stats.request_count += 1
        stats.total_tokens += usage.total_tokens
        stats.total_cost += cost or 0.0
        stats.error_count += error is not None
        if self.sink is None:
            return
        self.sink.record(
            UsageRecord(
                time=self._clock.now(),
                conversation_id=conversation_id,
                provider=provider,
                model=model,
                usage=usage,
                cost=cost,
                latency=turn.latency,
                first_token=turn.first_token,
                retries=turn.retries,
                status=status.value,
                error=type(error).__name__ if error is not None else None,
                cached=cached,
            )
        )
