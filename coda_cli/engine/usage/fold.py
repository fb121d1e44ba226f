"""Lines of the usage log -> sums by day. Pure, but for the clock's time zone: a day is one of where the person is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, field

from coda_cli.engine.usage.histogram import bucket, packed
from coda_cli.engine.usage.log import rate
from coda_cli.engine.usage.sums import Speeds, Sums

Counts = dict[int, int]

_QUARTER: Final = 900  # every time zone is off by whole quarters of an hour
_LONGEST: Final = 400  # characters of a name that are kept
_DEAREST: Final = 1e7  # USD; more is damage, not a price
_MOST_TOKENS: Final = 10**12


class Folded(Struct):
    """Sums and speeds by (day, provider, model), sums by (day, conversation); a day is a proleptic ordinal."""

    daily: dict[tuple[int, str, str], tuple[Sums, tuple[Counts, Counts, Counts]]] = field(default_factory=dict)
    chats: dict[tuple[int, str], Sums] = field(default_factory=dict)
    lines: int = 0
    _days: dict[int, int] = field(default_factory=dict)

    def take(self, raws: Iterable[bytes]) -> None:
        """Count these lines; what is no line of a request is passed over."""
        loads = json.loads
        for raw in raws:
            try:
                line = loads(raw)
                provider, when = line["provider"], line["time"]
                day = self._days.get(int(when // _QUARTER))
                if day is None:
                    day = self._day(when)
            except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
                continue
            if isinstance(provider, str):
                self._count(line, day, provider)

    def _day(self, when: float) -> int:
        day = datetime.fromtimestamp(when).astimezone().toordinal()
        self._days[int(when // _QUARTER)] = day
        return day

    def _count(self, line: dict[str, Any], day: int, provider: str) -> None:
        self.lines += 1
        get = line.get
        key = (day, _name(provider), _name(get("model")))
        entry = self.daily.get(key)
        if entry is None:
            entry = self.daily[key] = (Sums(), ({}, {}, {}))
        sums, counts = entry
        chat_key = (day, _name(get("conversation")))
        chat = self.chats.get(chat_key)
        if chat is None:
            chat = self.chats[chat_key] = Sums()
        sent, came, thought = _tokens(get("input")), _tokens(get("output")), _tokens(get("reasoning"))
        cached, written, retries = _tokens(get("cached")), _tokens(get("cache_write")), _tokens(get("retries"))
        failed, hit, cost = get("error") is not None, get("hit") is True, _usd(get("price"))
        # What failed before anything came has no price because there is nothing to pay.
        unpriced = cost is None and not (failed and not sent and not came and get("first_token") is None)
        for one in (sums, chat):
            one.requests += 1
            one.errors += failed
            one.hits += hit
            one.retries += retries
            one.input += sent
            one.cached += cached
            one.cache_write += written
            one.output += came
            one.reasoning += thought
            one.unpriced += unpriced
            one.cost += cost or 0.0
        if not hit and not failed:
            _measure(counts, line, came - thought)


def speeds_of(counts: tuple[Counts, Counts, Counts]) -> Speeds:
    """The histograms of these counts."""
    return Speeds(*map(packed, counts))


def _measure(counts: tuple[Counts, Counts, Counts], line: dict[str, Any], visible: int) -> None:
    latency = _seconds(line.get("latency")) or None  # 0: an answer of a vendor's batch, which nobody waited for
    first = _seconds(line.get("first_token"))
    told = _seconds(line["rate"]) if "rate" in line else rate(visible, latency or 0.0, first)
    for into, value in zip(counts, (latency, first, told), strict=True):
        if value is not None:
            at = bucket(value)
            into[at] = into.get(at, 0) + 1


def _name(value: object) -> str:
    if not isinstance(value, str):
        return ""
    value = value[:_LONGEST]
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _tokens(value: object) -> int:
    return value if type(value) is int and 0 < value < _MOST_TOKENS else 0


def _usd(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _DEAREST
    return float(value) if good and isinstance(value, int | float) else None


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return float(value)
    return None
