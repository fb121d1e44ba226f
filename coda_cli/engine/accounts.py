"""What this process asked of its providers: counted, and handed to the usage log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from coda_cli.engine.core.errors import (
    LLMAuthenticationError,
    LLMError,
    LLMProviderUnavailableError,
    LLMUnsupportedError,
)
from coda_cli.engine.core.ports import Clock, UsageRecord, UsageSink
from coda_cli.engine.core.usage import Status, TokenUsage
from coda_cli.engine.turn import Turn

_NEVER_SENT: Final = (LLMAuthenticationError, LLMUnsupportedError, LLMProviderUnavailableError)


@dataclass(slots=True)
class ProviderStats:
    """What this process asked of one provider. Cost in USD over the priced requests."""

    request_count: int = 0
    total_tokens: int = 0
    total_cost: float = 0.0
    error_count: int = 0


class Accounts:
    """The counters of every provider; *sink* gets a record of each request, too."""

    def __init__(
        self, price: Callable[[str, str, TokenUsage], float | None], clock: Clock, sink: UsageSink | None = None
    ) -> None:
        self._price = price
        self._clock = clock
        self._stats: dict[str, ProviderStats] = {}
        self.sink = sink

    def stats(self, provider: str) -> ProviderStats:
        """What this process asked of *provider*."""
        return self._stats.setdefault(provider, ProviderStats())

    def record(
        self, conversation_id: str, provider: str, model: str, turn: Turn, status: Status, error: LLMError | None
    ) -> None:
        """Count *turn*, which ended in *error*, if any, unless nothing was asked of anybody."""
        if isinstance(error, _NEVER_SENT) and error.status is None:
            return
        usage = turn.answer.usage
        cost = self._price(provider, model, usage)
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
            )
        )
