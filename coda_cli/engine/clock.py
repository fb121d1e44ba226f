"""The real clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Wall time, monotonic time and asyncio's sleep."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        await asyncio.sleep(seconds)
