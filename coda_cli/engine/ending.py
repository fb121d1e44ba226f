"""How an answer ended, in the words of its response and of the events that tell it."""

from __future__ import annotations

from coda_cli.engine.accounts import ProviderStats
from coda_cli.engine.core.errors import LLMBudgetError, LLMError, LLMIncompleteResponseError
from coda_cli.engine.core.events import AnalyticsUpdate, Event, Finished, ResponseComplete, ResponseError
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import FinishReason, Status
from coda_cli.engine.turn import Stamp


def how_it_ended(
    finished: Finished | None, error: LLMError | None, *, cancelled: bool, began: bool
) -> tuple[Status, FinishReason]:
    """The status of an answer. *began*: a request was on its way when it ended."""
    if cancelled:
        return Status.INTERRUPTED, FinishReason.CANCELLED
    if error is not None:
        cut = isinstance(error, LLMIncompleteResponseError | LLMBudgetError) and began
        return Status.INCOMPLETE if cut else Status.ERROR, FinishReason.ERROR
    return Status.COMPLETE, finished.reason if finished else FinishReason.UNKNOWN


def final_event(
    stamp: Stamp, response: LLMResponse, error: LLMError | None, latency: float, retries: int, *, cached: bool
) -> Event:
    """The last event of an answer. *latency* in seconds."""
    shared = {
        "response_id": response.response_id,
        "provider": response.provider,
        "model": response.model,
        "status": response.status.value,
        "usage": response.usage,
        "latency": latency,
        "retries": retries,
    }
    if error is not None:
        return stamp(ResponseError, error=error.describe(), partial=response.content, **shared)
    reason = response.finish_reason.value
    return stamp(
        ResponseComplete, content=response.content, finish_reason=reason, cost=response.cost, cached=cached, **shared
    )


def analytics_event(stamp: Stamp, provider: str, stats: ProviderStats) -> Event:
    """What this process has asked of *provider* by now."""
    return stamp(
        AnalyticsUpdate,
        provider=provider,
        request_count=stats.request_count,
        total_tokens=stats.total_tokens,
        total_cost=stats.total_cost,
    )
