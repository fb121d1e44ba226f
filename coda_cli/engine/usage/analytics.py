"""What was asked, of whom, and what it cost, across restarts: the usage log by day, and what the store keeps."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any, Protocol

from msgspec import Struct

from coda_cli.engine.usage.log import UsageLog
from coda_cli.engine.usage.rollup import Rollup, speeds, sums
from coda_cli.engine.usage.sums import Speeds, Sums


class StoredTotals(Protocol):
    """Sums over all conversations that are kept; `cost` in USD over what was priced."""

    @property
    def conversations(self) -> int: ...
    @property
    def messages(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def cost(self) -> float: ...


class _Nothing(Struct, frozen=True):
    conversations: int = 0
    messages: int = 0
    tokens: int = 0
    cost: float = 0.0


async def nothing_stored() -> StoredTotals:
    """For a store that does not count."""
    return _Nothing()


class Live(Protocol):
    """What this process asked of one provider (`accounts.ProviderStats`)."""

    request_count: int
    total_tokens: int
    total_cost: float
    error_count: int


async def analytics(
    log: UsageLog | None,
    totals: Callable[[], Awaitable[StoredTotals]],
    live: Mapping[str, Live],
) -> dict[str, Any]:
    """The seed's dictionary: `conversations`, `providers`, and beside them `models`, `days`, `total`, `speeds`.

    `conversations` is of what is kept: `total_conversations`, `total_messages`, `total_tokens`, `total_cost`. All else
    is of every request in *log*, chats that were deleted since among them; without a log, of this process (*live*).
    Each entry has `request_count`, `total_tokens`, `total_cost` (USD over what was priced), `unpriced_count`,
    `error_count`, `cache_hits` and the tokens by kind; `speeds` has percentiles by model. Raises StoreError, OSError.
    """
    stored = await totals()
    made: dict[str, Any] = {
        "conversations": {
            "total_conversations": stored.conversations,
            "total_messages": stored.messages,
            "total_tokens": stored.tokens,
            "total_cost": stored.cost,
        }
    }
    if log is None:
        return {
            **made,
            "providers": _this_process(live),
            "models": {},
            "days": {},
            "total": _told(Sums()),
            "speeds": {},
        }
    found, fast = await asyncio.to_thread(Rollup(log.path).ask, _everything)
    providers = {str(name): _told(one) for name, one in found["provider"].items()}
    for name, one in _this_process(live).items():
        if one["request_count"] > providers.get(name, one)["request_count"] or name not in providers:
            providers[name] = one  # the log could not be written
    return {
        **made,
        "providers": providers,
        "models": {str(name): _told(one) for name, one in found["model"].items()},
        "days": {_day(name): _told(one) for name, one in sorted(found["day"].items())},
        "total": _told(next(iter(found["total"].values()), Sums())),
        "speeds": {str(name): one.to_json() for name, one in fast.items()},
    }


async def provider_counts(log: UsageLog | None, provider: str, live: Live) -> dict[str, Any]:
    """`request_count`, `total_tokens`, `total_cost`, `error_count` (and more) of one provider, across restarts."""
    mine = _this_process({provider: live})[provider]
    if log is None:
        return mine
    kept = (await asyncio.to_thread(by_provider, log)).get(provider)
    return mine if kept is None or kept.requests < live.request_count else _told(kept)


def by_provider(log: UsageLog) -> dict[str, Sums]:
    """Sums of the whole log by the provider's name. Blocks for as long as it takes to read what is new in the log."""
    return {str(name): one for name, one in Rollup(log.path).ask(lambda db: sums(db, "provider")).items()}


_Found = dict[str, dict[str | int, Sums]]


def _everything(db: sqlite3.Connection) -> tuple[_Found, dict[str | int, Speeds]]:
    return {by: sums(db, by) for by in ("provider", "model", "day", "total")}, speeds(db, "model")


def _told(one: Sums) -> dict[str, Any]:
    return {
        "request_count": one.requests,
        "total_tokens": one.tokens,
        "total_cost": one.cost,
        "unpriced_count": one.unpriced,
        "error_count": one.errors,
        "cache_hits": one.hits,
        "retry_count": one.retries,
        "input_tokens": one.input,
        "cached_tokens": one.cached,
        "cache_write_tokens": one.cache_write,
        "output_tokens": one.output,
        "reasoning_tokens": one.reasoning,
    }


def _this_process(live: Mapping[str, Live]) -> dict[str, dict[str, Any]]:
    """As far as it is counted without a log."""
    return {
        name: {
            "request_count": one.request_count,
            "total_tokens": one.total_tokens,
            "total_cost": one.total_cost,
            "error_count": one.error_count,
        }
        for name, one in live.items()
    }


def _day(ordinal: str | int) -> str:
    return date.fromordinal(int(ordinal)).isoformat()
