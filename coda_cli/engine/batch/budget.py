"""A limit in USD over all requests of a run: each reserves what it may cost before it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from coda_cli.engine.batch.jobs import Job
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.ports import PriceOf
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.usage.tokens import text_tokens

_GUESS: Final = 500
"""Tokens of an answer while none has come and no limit is set."""

_ROUNDING: Final = 1e-9


class BudgetSpentError(CodaError):
    """The limit is reached."""

    exit_code = 3


class Budget:
    """*limit* USD, of which *spent* is gone. `reserve` before a request, `settle` after it.

    The estimate is the prompt's tokens and `max_tokens`, or where none is set the longest answer so far.
    """

    def __init__(self, limit: float, spent: float, price: PriceOf, *, most: Callable[[str], int | None]) -> None:
        """*most*: the `max_tokens` that a provider's settings set, by its name."""
        self.limit = limit
        self.spent = spent
        self._price = price
        self._most = most
        self._reserved = 0.0
        self._open = 0
        self._longest = 0
        self._changed = asyncio.Event()

    def estimate(self, job: Job) -> float:
        """USD that *job* may cost."""
        prompt = job.prompt
        said = [prompt.text, prompt.system or "", *(message.content for message in prompt.before)]
        limit = prompt.options.get("max_tokens") or self._most(job.target.provider)
        out = limit if isinstance(limit, int) else self._longest or _GUESS
        usage = TokenUsage(input_tokens=round(sum(map(text_tokens, said))) + 8, output_tokens=out)
        return self._price(job.target.provider, job.target.model, usage) or 0.0

    async def reserve(self, job: Job) -> float:
        """USD that are reserved for *job*, once there is room. Raises BudgetSpentError where there will be none."""
        estimate = self.estimate(job)
        while self.spent + self._reserved + estimate > self.limit + _ROUNDING:
            if not self._open:
                raise BudgetSpentError(
                    f"the budget of ${self.limit:g} is spent: ${self.spent:.4f} so far, the next one may cost "
                    f"${estimate:.4f}",
                    hint="raise --max-budget-usd and run the same command again: what is done is not asked again",
                )
            self._changed.clear()
            await self._changed.wait()
        self._reserved += estimate
        self._open += 1
        return estimate

    def settle(self, reserved: float, cost: float | None, output_tokens: int) -> None:
        """The request is over and cost *cost*."""
        self._open -= 1
        self._reserved = self._reserved - reserved if self._open else 0.0  # sums of floats leave crumbs
        self.spent += cost or 0.0
        self._longest = max(self._longest, output_tokens)
        self._changed.set()
