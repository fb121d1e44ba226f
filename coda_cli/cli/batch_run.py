"""Running `coda batch`: one model, many prompts, one output."""

from __future__ import annotations

import os
import time

from coda_cli.chat.words import counted, price
from coda_cli.cli.batch_many import Asked, Many, stdout_sink, tidy
from coda_cli.cli.batch_setup import open_input, prepare
from coda_cli.cli.loop import run_async
from coda_cli.cli.output import put_json, say, warn
from coda_cli.engine.batch.jobs import Source, Target
from coda_cli.engine.batch.results import ResultFile, index_of
from coda_cli.engine.batch.run import Run
from coda_cli.engine.core.errors import UsageError


def run(asked: Asked) -> int:
    """Ask everything; returns the exit code."""
    if asked.json and asked.output is None:
        raise UsageError(
            "--json prints a summary, but stdout takes the answers", hint="give them a file: --output FILE"
        )
    ready = prepare(asked.wanted)
    fd = open_input(asked.wanted.file)
    sink = ResultFile(asked.output) if asked.output is not None else stdout_sink(asked.concurrency)
    try:
        if isinstance(sink, ResultFile) and sink.skipped:
            warn(f"{asked.output}: {counted(sink.skipped, 'damaged line')} passed over")
        code = run_async(_Batch(asked, ready, fd, sink).run())
    finally:
        if isinstance(sink, ResultFile):
            sink.close()
        if fd:
            os.close(fd)
    if asked.wanted.log and ready.wired.log.failed is not None:
        warn(f"the usage log could not be written ({ready.wired.log.failed})")
    return code


class _Batch(Many):
    """One run of the command."""

    target: Target | None = None

    async def ask(self) -> None:
        """Ask everything."""
        targets = await self.ready.targets(remember=self.asked.wanted.log)
        (self.target,) = targets
        source = self.new_source(targets)
        budget = self.new_budget(targets)
        await self.new_run(self.new_pace(), budget, targets).run(source.jobs())
        if isinstance(self.sink, ResultFile):
            await self.sink.flush()
            if self.whole:
                tidy(self.sink, lambda name: name in source.names, index_of)

    def tell(self) -> None:
        """One line on stderr, or JSON."""
        if self.asked.json:
            target = self.target
            named = {"provider": target.provider, "model": target.model} if target else {}
            put_json({**named, **self.summary()})
        elif self.runs and self.source is not None and self.source.prompts:
            say(_told(self.runs[0], self.source, time.monotonic() - self.started))


def _told(run: Run, source: Source, seconds: float) -> str:
    progress = run.progress
    parts = [f"{progress.complete:,} answered"]
    if progress.failed:
        kinds = ", ".join(f"{count} {name}" for name, count in progress.errors.most_common(3))
        parts.append(f"{progress.failed:,} failed ({kinds})")
    if source.skipped:
        parts.append(f"{source.skipped:,} were there already")
    parts.append(f"{seconds:.1f} s")
    if progress.input_tokens or progress.output_tokens:
        parts.append(f"{progress.input_tokens:,} tokens in, {progress.output_tokens:,} out")
        parts.append(price(None if progress.unpriced else progress.cost))
    return " · ".join(parts)
