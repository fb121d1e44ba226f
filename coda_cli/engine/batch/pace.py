"""How fast requests may start: a rate, a number at once, and less of both after a vendor said "too many"."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.ports import Clock

_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*(s|sec|second|m|min|minute|h|hour))?", re.IGNORECASE)
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_rate(text: str) -> float:
    """`60/min`, `2/s`, `1000/h` or `60` (a minute) as requests per second. Raises UsageError."""
    found = _RATE.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise UsageError(f"{text!r} is no rate", hint="write it as --rate 60/min (or /s, /h)")
    return float(found[1]) / _SECONDS[(found[2] or "m")[0].lower()]


class TokenBucket:
    """*rate* tokens a second, one in it at most, so that requests leave evenly and never in a burst.

    A retry takes its token when it is announced, where it can't be held back: the bucket then owes, and what follows
    waits for that too.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._every = 1 / rate
        self._clock = clock
        self._free_at = clock.monotonic()

    def take(self) -> float:
        """Take one token; how many seconds to wait before it may be used."""
        now = self._clock.monotonic()
        at = max(now, self._free_at)
        self._free_at = at + self._every
        return at - now


class Pace:
    """Admits requests: at most *most* at once, at the bucket's rate, none within a pause that a vendor asked for.

    After "too many requests" half as many may run at once; each answer then lets in a little more (as TCP does: RFC
    5681, additive increase and multiplicative decrease).
    """

    def __init__(self, most: int, clock: Clock, bucket: TokenBucket | None = None) -> None:
        self._most = most
        self._clock = clock
        self._bucket = bucket
        self._running = 0
        self._allowed = float(most)
        self._resume_at = 0.0
        self._changed = asyncio.Event()

    @property
    def allowed(self) -> int:
        """How many may run at once by now."""
        return max(1, int(self._allowed))

    @property
    def running(self) -> int:
        """How many run."""
        return self._running

    async def admit(self) -> None:
        """Return when one more may start. Not for two callers at once: requests start in order."""
        while self._running >= self.allowed:
            self._changed.clear()
            await self._changed.wait()
        if self._bucket is not None and (wait := self._bucket.take()) > 0:
            await self._clock.sleep(wait)
        while (pause := self._resume_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(pause)
        self._running += 1

    def left(self, *, answered: bool) -> None:
        """One that was admitted has ended, with an answer or without."""
        self._running -= 1
        if answered:
            self._allowed = min(float(self._most), self._allowed + 1 / max(1.0, self._allowed))
        self._changed.set()

    def retried(self, wait: float, *, too_many: bool) -> None:
        """A request is sent once more in *wait* seconds. *too_many*: because the vendor wants fewer of them."""
        if self._bucket is not None:
            self._bucket.take()
        if not too_many:
            return
        now = self._clock.monotonic()
        if now >= self._resume_at:  # those that were refused together count once
            self._allowed = max(1.0, self._allowed / 2)
        self._resume_at = max(self._resume_at, now + wait)
