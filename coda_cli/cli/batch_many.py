"""What `coda batch` and `coda compare` do alike: Ctrl-C, deadlines, why a run ended and with which exit code."""

from __future__ import annotations

import asyncio
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from coda_cli.cli.batch_progress import ProgressLine, part_read
from coda_cli.cli.batch_setup import BadLines, Interrupts, Ready, Wanted
from coda_cli.cli.choice import show_downloads
from coda_cli.cli.output import EXIT_FAILURE, EXIT_OK, EXIT_USAGE, report, say, to_json, warn
from coda_cli.cli.status_line import StatusLine
from coda_cli.engine.batch.budget import Budget
from coda_cli.engine.batch.jobs import Source, Target
from coda_cli.engine.batch.pace import Pace, TokenBucket
from coda_cli.engine.batch.reading import numbered_lines
from coda_cli.engine.batch.results import OrderedOut, Record, ResultFile, encoded
from coda_cli.engine.batch.run import Run
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.errors import CodaError, LLMError, LLMTimeoutError, UsageError
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.manager import LLMManager
from coda_cli.settings.model_spec import ModelSpec

_AHEAD: Final = 16
"""Towards a pipe, so many times the concurrency may be answered ahead of the oldest that is not."""


class Asked(Struct, frozen=True):
    """The command line. `rate` is in requests a second."""

    wanted: Wanted
    output: Path | None = None
    concurrency: int = 4
    rate: float | None = None
    budget: float | None = None
    timeout: float | None = None
    limit: int | None = None
    json: bool = False


class Many(ABC):
    """One run of a command over many prompts."""

    def __init__(self, asked: Asked, ready: Ready, fd: int, sink: ResultFile | OrderedOut) -> None:
        self.asked = asked
        self.ready = ready
        self.fd = fd
        self.sink = sink
        self.runs: list[Run] = []
        self.source: Source | None = None
        self.interrupts = Interrupts(self._stop, asked.timeout)
        self.line = ProgressLine(part_read(fd))
        self.bad = BadLines(self.line.clear)
        self.started = time.monotonic()
        self._status = StatusLine()
        self._bars: list[Callable[[], None]] = []

    def _stop(self) -> None:
        if self.runs:
            self.runs[-1].interrupt()
        else:
            for task in asyncio.all_tasks():
                task.cancel()

    async def run(self) -> int:
        """Ask everything, say how it ended; the exit code."""
        with self.interrupts.heard():
            try:
                async with self.ready.manager:
                    await self.ask()
            except asyncio.CancelledError:  # stopped before anything was asked
                task = asyncio.current_task()
                if task is not None:
                    task.uncancel()
            finally:
                for close in self._bars:
                    close()
                self.line.clear()
        self.bad.end()
        self.tell()
        if (problem := self.problem) is not None:
            report(problem)
        if self.interrupts.code is not None and self.asked.output is not None:
            say("stopped; run the same command again to go on")
        return self._code()

    @abstractmethod
    async def ask(self) -> None:
        """Ask everything."""

    @abstractmethod
    def tell(self) -> None:
        """Say what came of it."""

    # ---- parts of a run -------------------------------------------------------------------------------------------

    def new_source(self, targets: list[Target], extra: Callable[[Any, Target], dict[str, Any]] | None = None) -> Source:
        """The requests of the input to *targets*."""
        self.source = Source(
            numbered_lines(self.fd),
            self.ready.defaults,
            targets,
            is_done=self.sink.is_done,
            tell=self.bad.tell,
            limit=self.asked.limit,
            extra=extra or (lambda prompt, to: {}),
        )
        return self.source

    def new_run(self, pace: Pace, budget: Budget | None, targets: list[Target]) -> Run:
        """A run over requests to *targets*."""
        for target in targets:
            self._bars.append(
                show_downloads(self.ready.manager, ModelSpec(target.provider, target.model), self._status)
            )
        made = Run(
            self.ready.manager,
            self.sink,
            pace,
            [target.name for target in targets],
            budget=budget,
            changed=self.line.show,
            kept=self._tagging(),
        )
        self.runs.append(made)
        return made

    def new_pace(self) -> Pace:
        """The pace that the command line asks for."""
        clock = self.ready.manager.clock
        bucket = None if self.asked.rate is None else TokenBucket(self.asked.rate, clock)
        return Pace(self.asked.concurrency, clock, bucket)

    def new_budget(self, targets: list[Target]) -> Budget | None:
        """The budget, if there is one. Raises UsageError where it could not be kept."""
        limit, manager = self.asked.budget, self.ready.manager
        if limit is None:
            return None
        for one in targets:
            if manager.price(one.provider, one.model, TokenUsage(input_tokens=1, output_tokens=1)) is None:
                raise UsageError(
                    f"nobody knows the price of {one.name}, so a budget in USD can't be kept",
                    hint="leave --max-budget-usd out and use --limit N",
                )
        return Budget(limit, self.sink.cost, manager.price, most=lambda name: most_tokens(manager, name))

    def _tagging(self) -> Callable[[str], Any] | None:
        """What tags a conversation that is to be kept."""
        tag, store = self.asked.wanted.keep, self.ready.manager.store
        if tag is None or not isinstance(store, ConversationManager):
            return None
        kept = store

        async def add(conversation_id: str) -> None:
            await kept.tag(conversation_id, [tag])

        return add

    # ---- the end --------------------------------------------------------------------------------------------------

    @property
    def whole(self) -> bool:
        """Whether all was asked."""
        ended = all(run.stopped is None and not run.interrupted for run in self.runs)
        return bool(self.runs) and ended and self.asked.limit is None

    @property
    def problem(self) -> CodaError | None:
        """Why it ended early, if it did."""
        if self.interrupts.timed_out:
            return LLMTimeoutError(
                f"not done within --timeout {self.asked.timeout:g} s",
                hint="run the same command again to go on" if self.asked.output else "allow more time",
            )
        for run in self.runs:
            if isinstance(run.stopped, CodaError):
                return run.stopped
        if self.interrupts.code is None and self.source is not None and not self.source.prompts:
            return UsageError("there is no prompt in the input", hint="one a line, as text or as a JSON object")
        return None

    def _code(self) -> int:
        if self.interrupts.code is not None:
            return self.interrupts.code
        if (problem := self.problem) is not None:
            return problem.exit_code
        if self.source is None:
            return EXIT_USAGE
        failed = any(run.progress.failed or run.given_up for run in self.runs)
        return EXIT_FAILURE if failed or self.source.bad else EXIT_OK

    def summary(self) -> dict[str, Any]:
        """What both commands say with --json."""
        source, problem = self.source, self.problem
        progress = [run.progress for run in self.runs]
        return {
            "output": None if self.asked.output is None else str(self.asked.output),
            "prompts": source.prompts if source else 0,
            "bad_lines": source.bad if source else 0,
            "skipped": source.skipped if source else 0,
            "complete": sum(one.complete for one in progress),
            "failed": sum(one.failed for one in progress),
            "failures": dict(sum((one.errors for one in progress), start=Counter[str]())),
            "interrupted": self.interrupts.code is not None,
            "usage": {
                "input_tokens": sum(one.input_tokens for one in progress),
                "output_tokens": sum(one.output_tokens for one in progress),
            },
            "cost_usd": None if any(one.unpriced for one in progress) else sum(one.cost for one in progress),
            "seconds": round(time.monotonic() - self.started, 3),
            "error": described(problem),
        }


def most_tokens(manager: LLMManager, provider: str) -> int | None:
    """The `max_tokens` of a provider's settings."""
    config = manager.config.providers.get(provider)
    return None if config is None else config.max_tokens


def described(problem: CodaError | None) -> dict[str, Any] | None:
    """An error as plain data."""
    if problem is None:
        return None
    if isinstance(problem, LLMError):
        return problem.describe()
    return {"type": type(problem).__name__, "message": problem.message, "hint": problem.hint}


def tidy(sink: ResultFile, known: Callable[[str], bool], rank: Callable[[Record], int]) -> None:
    """Put the output in the order of the input, where it holds nothing else."""
    try:
        sink.tidy(known, rank)
    except OSError as exc:
        warn(f"{sink.path} is whole, but stays in the order of the answers ({exc.strerror or exc})")


def stdout_sink(concurrency: int) -> OrderedOut:
    """Results on stdout, in the order of the input."""

    def write(data: bytes) -> None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def shown(record: Record) -> bytes:
        return to_json(record).encode("utf-8", "replace") + b"\n" if sys.stdout.isatty() else encoded(record)

    return OrderedOut(write, shown, ahead=max(64, _AHEAD * concurrency))
