"""A host that has failed again and again is left alone for a while, instead of being asked by everybody at once."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from coda_cli.engine.core.errors import (
    LLMConnectionError,
    LLMError,
    LLMIncompleteResponseError,
    LLMOverloadedError,
    LLMRateLimitError,
    LLMTimeoutError,
)
from coda_cli.engine.core.ports import Clock

FAILURES: Final = 5
"""Answers in a row, each with its retries, that fail before a host is left alone."""
FIRST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 60.0
_OF_THE_HOST: Final = (LLMConnectionError, LLMTimeoutError, LLMOverloadedError, LLMRateLimitError)


class _State(Struct):
    failures: int = 0
    wait: float = FIRST_WAIT
    until: float | None = None
    trying: bool = False
    last: str = ""


class Breaker:
    """One for all providers of a process. After the wait one request tries again; the wait doubles while it fails."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, _State] = {}

    def admit(self, provider: str) -> None:
        """Raise LLMConnectionError while *provider* is left alone."""
        state = self._states.get(provider)
        if state is None or state.until is None:
            return
        left = state.until - self._clock.monotonic()
        if left <= 0 and not state.trying:
            state.trying = True
            return
        raise LLMConnectionError(
            f"{provider} has failed {state.failures} times in a row and is left alone for {max(left, 1):.0f} s"
            f" ({state.last})",
            hint="`coda providers status` asks it at once; -m chooses another",
            provider=provider,
            final=True,
        )

    def note(self, provider: str, error: LLMError | None) -> bool | None:
        """How an answer ended. True: *provider* is well again; False: it is left alone from now on; None: as before."""
        if error is None or isinstance(error, LLMIncompleteResponseError) or _answered(error):
            known = self._states.pop(provider, None)
            return True if known is not None and known.until is not None else None
        if not isinstance(error, _OF_THE_HOST):
            self.release(provider)
            return None  # says nothing of the host: a budget, a broken answer
        state = self._states.setdefault(provider, _State())
        state.failures += 1
        state.last, was_open = error.message, state.until is not None
        state.trying = False
        if state.failures < FAILURES:
            return None
        state.wait = min(LONGEST_WAIT, state.wait * 2) if was_open else FIRST_WAIT
        state.until = self._clock.monotonic() + max(state.wait, min(error.retry_after or 0.0, LONGEST_WAIT))
        return None if was_open else False

    def release(self, provider: str) -> None:
        """A try was given up without a result."""
        state = self._states.get(provider)
        if state is not None:
            state.trying = False


def _answered(error: LLMError) -> bool:
    """Whether the host is well, and only this request was not: a wrong key, an unknown model."""
    return error.status is not None and not isinstance(error, _OF_THE_HOST)
