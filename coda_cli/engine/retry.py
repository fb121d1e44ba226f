"""The one retry policy: exponential backoff with full jitter, Retry-After as a floor, a deadline over all of it.

Full jitter: the wait before retry n is uniform in [0, min(cap, base * 2^n)] (M. Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import random

from msgspec import Struct

from coda_cli.engine.core.errors import LLMError, retryable


class RetryPolicy(Struct, frozen=True):
    """`max_retries` retries after the first attempt; `base` and `cap` in seconds."""

    max_retries: int = 3
    base: float = 0.5
    cap: float = 20.0

    def wait(self, error: LLMError, retries: int, remaining: float | None) -> float | None:
        """Seconds to wait before another attempt, or None to give up.

        *retries* is how many were made before this failure; *remaining* how many seconds the deadline leaves. A
        Retry-After beyond the deadline gives up at once: waiting could only end in a timeout.
        """
        if retries >= self.max_retries or not retryable(error):
            return None
        seconds = random.uniform(0, min(self.cap, self.base * 2**retries))  # noqa: S311 - jitter, not a secret
        seconds = max(seconds, error.retry_after or 0.0)
        if remaining is not None and seconds >= remaining:
            return None
        return seconds
