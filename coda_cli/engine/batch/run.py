"""Many requests, a few at a time: admitted at a pace and within a budget, each result kept before it counts."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from typing import Final

from msgspec import Struct, field

from coda_cli.engine.batch.budget import Budget, BudgetSpentError
from coda_cli.engine.batch.jobs import Job
from coda_cli.engine.batch.pace import Pace
from coda_cli.engine.batch.results import COMPLETE, Record, Sink, counts
from coda_cli.engine.batch.store import PassingStore
from coda_cli.engine.core.errors import (
    CodaError,
    LLMAuthenticationError,
    LLMConnectionError,
    LLMError,
    LLMModelNotFoundError,
    LLMProviderUnavailableError,
    LLMRateLimitError,
)
from coda_cli.engine.core.events import ResponseComplete, ResponseError, RetryScheduled
from coda_cli.engine.core.messages import new_id
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import Status
from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager

# What the next request to the same model would end with, too.
_HOPELESS: Final = (LLMAuthenticationError, LLMModelNotFoundError, LLMProviderUnavailableError)
_UNREACHED: Final = 10
"""So many requests in a row that reach nobody are enough: what is left is for a time when somebody answers."""
_LIMIT_EXIT: Final = 3
_TOO_MANY: Final = ("LLMRateLimitError", "LLMOverloadedError")


class Progress(Struct):
    """What has become of the requests so far. `errors` counts failures by their class."""

    started: int = 0
    complete: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    errors: Counter[str] = field(default_factory=Counter)


class Run:
    """One run over some jobs. `stopped` is why it ended before all was asked, None where it did not."""

    def __init__(
        self,
        manager: LLMManager,
        sink: Sink,
        pace: Pace,
        models: Collection[str],
        *,
        budget: Budget | None = None,
        changed: Callable[[Progress], None] = lambda progress: None,
        kept: Callable[[str], Awaitable[object]] | None = None,
    ) -> None:
        """*models* are the names of all targets. *changed* hears of every result.

        *kept* is awaited with the id of each conversation, where they are kept.
        """
        self._manager = manager
        self._sink = sink
        self._pace = pace
        self._budget = budget
        self._changed = changed
        self._kept = kept
        self.progress = Progress()
        self.stopped: BaseException | None = None
        self.interrupted = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._generations: set[Generation] = set()
        self._feeding: asyncio.Task[None] | None = None
        self._given_up: dict[str, LLMError] = {}
        self._unreached: Counter[str] = Counter()
        self._models = set(models)
        self._number = 0

    # ---- from outside ---------------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Start nothing more and stop what runs: what is unfinished is not kept, what is finished stays."""
        self.interrupted = True
        self._halt()
        for generation in list(self._generations):
            generation.cancel()

    @property
    def running(self) -> int:
        """Requests under way."""
        return self._pace.running

    @property
    def given_up(self) -> dict[str, LLMError]:
        """The models that are asked no more, by name, and why."""
        return dict(self._given_up)

    async def run(self, jobs: AsyncGenerator[Job, None]) -> None:
        """Work through *jobs*. Raises what the sink raises; everything else stands in the results and in `stopped`."""
        self._feeding = asyncio.ensure_future(self._feed(jobs))
        await asyncio.wait([self._feeding])
        if not self._feeding.cancelled() and (problem := self._feeding.exception()) is not None:
            self._stop(problem)
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self.stopped is not None and not isinstance(self.stopped, CodaError):
            raise self.stopped

    # ---- asking ---------------------------------------------------------------------------------------------------

    async def _feed(self, jobs: AsyncGenerator[Job, None]) -> None:
        async with aclosing(jobs):
            async for job in jobs:
                if job.target.name in self._given_up:
                    continue
                number = self._number
                await self._sink.room(number)
                reserved = 0.0 if self._budget is None else await self._budget.reserve(job)
                await self._pace.admit()
                self._number += 1
                self.progress.started += 1
                task = asyncio.create_task(self._one(number, job, reserved))
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._stop(problem)
            for generation in list(self._generations):
                generation.cancel()

    def _stop(self, why: BaseException) -> None:
        self.stopped = self.stopped or why
        self._halt()

    def _halt(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()

    async def _one(self, number: int, job: Job, reserved: float) -> None:
        record: Record | None = None
        try:
            record = await self._ask(job)
            await self._sink.put(number, record)
        finally:
            # only now: no more than run at once are ever asked again after a crash
            answered = record is not None and record["status"] == COMPLETE
            self._pace.left(answered=answered)
            if self._budget is not None:
                cost, usage = (None, {}) if record is None else (record["cost_usd"], record["usage"])
                self._budget.settle(reserved, cost, usage.get("output_tokens", 0))
        if record is not None:
            self._count(record)
            self._changed(self.progress)

    async def _ask(self, job: Job) -> Record | None:
        """The result of one request; None where it was stopped by hand."""
        manager, prompt = self._manager, job.prompt
        conversation_id = new_id("conv")
        if prompt.before:
            await manager.store.create(conversation_id)
            for message in prompt.before:
                await manager.store.append(conversation_id, message)
        generation = manager.generate_response(
            prompt.text,
            conversation_id=conversation_id,
            provider=job.target.provider,
            model=job.target.model,
            system_prompt=prompt.system,
            media=prompt.media,
            schema=prompt.schema,
            options=prompt.options,
            tools=(),
            said="",
        )
        self._generations.add(generation)
        latency = 0.0
        try:
            if self.interrupted:
                return None
            async for events in generation.batches():
                for event in events:
                    if isinstance(event, RetryScheduled):
                        self._pace.retried(event.wait, too_many=event.error.get("type") in _TOO_MANY)
                    elif isinstance(event, ResponseComplete | ResponseError):
                        latency = event.latency
            outcome = generation.outcome
            if outcome is None:  # a defect of a provider's own code
                await generation
                return None
        finally:
            self._generations.discard(generation)
            if isinstance(manager.store, PassingStore):
                manager.store.forget(conversation_id)
        if outcome.response.status is Status.INTERRUPTED:
            return None
        if self._kept is not None:
            await self._kept(conversation_id)
        self._learn(job, outcome.error)
        return result(job, outcome.response, outcome.error, latency, outcome.first_token)

    def _learn(self, job: Job, error: LLMError | None) -> None:
        """Give up a model that can't answer; end the run where none is left, or where a limit of Coda's is reached."""
        name = job.target.name
        if error is None:
            self._unreached[name] = 0
            return
        if error.exit_code == _LIMIT_EXIT:
            self._stop(error)
            return
        if isinstance(error, LLMConnectionError):
            self._unreached[name] += 1
        hopeless = isinstance(error, _HOPELESS) or (isinstance(error, LLMRateLimitError) and error.final)
        if not hopeless and self._unreached[name] < _UNREACHED:
            return
        self._given_up.setdefault(name, error)
        if self._models <= set(self._given_up):
            self._stop(error)

    def _count(self, record: Record) -> None:
        progress = self.progress
        if record["status"] == COMPLETE:
            progress.complete += 1
        else:
            progress.failed += 1
            progress.errors[str((record["error"] or {}).get("type", "?"))] += 1
        progress.input_tokens += record["usage"]["input_tokens"]
        progress.output_tokens += record["usage"]["output_tokens"]
        cost = record["cost_usd"]
        progress.cost += cost or 0.0
        progress.unpriced += cost is None and bool(record["usage"]["input_tokens"])

    @property
    def budget_spent(self) -> bool:
        """Whether a budget ended the run."""
        return isinstance(self.stopped, BudgetSpentError) or getattr(self.stopped, "exit_code", 0) == _LIMIT_EXIT


def result(
    job: Job, response: LLMResponse, error: CodaError | None, latency: float, first_token: float | None
) -> Record:
    """The line for one answer, or for what there is of it."""
    status = response.status.value
    described = error.describe() if isinstance(error, LLMError) else None
    more: Record = {}
    if error is None and job.read is not None:
        try:
            more = dict(job.read(response.content))
        except ValueError as exc:
            status, described = "invalid", {"type": "Unreadable", "message": str(exc)}
    elif error is None and job.prompt.schema is not None and not is_json(response.content):
        status, described = "invalid", {"type": "NotJSON", "message": "the answer is not JSON"}
    return {
        "id": job.id,
        "index": job.prompt.index,
        "prompt_hash": job.hash,
        **job.extra,
        **more,
        "text": response.content,
        "model": response.model or job.target.model,
        "provider": response.provider or job.target.provider,
        "usage": counts(response.usage),
        "cost_usd": response.cost,
        "latency": round(latency, 3),
        "first_token": None if first_token is None else round(first_token, 3),
        "finish_reason": response.finish_reason.value,
        "status": status,
        "error": described,
        **({"metadata": job.prompt.metadata} if job.prompt.metadata is not None else {}),
    }


def is_json(text: str) -> bool:
    """Whether *text* is one JSON value."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
