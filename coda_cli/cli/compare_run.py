"""Running `coda compare`: answers first, then the judge, then the report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coda_cli.chat.words import counted
from coda_cli.cli.batch_many import Asked, Many, tidy
from coda_cli.cli.batch_setup import Ready, open_input, prepare
from coda_cli.cli.compare_table import table
from coda_cli.cli.loop import run_async
from coda_cli.cli.output import put, put_json, say, warn
from coda_cli.engine.batch.jobs import Job, Target
from coda_cli.engine.batch.judging import jobs_for
from coda_cli.engine.batch.prompts import Prompt
from coda_cli.engine.batch.report import Answers, PairReport, name_of
from coda_cli.engine.batch.results import Record, ResultFile, index_of
from coda_cli.engine.core.errors import UsageError


def run(asked: Asked, *, judge: str | None, seed: int) -> int:
    """Ask everything; returns the exit code."""
    ready = prepare(asked.wanted, more=[judge] if judge is not None else [])
    fd = open_input(asked.wanted.file)
    try:
        with _results(asked.output) as sink:
            if sink.skipped:
                warn(f"{asked.output}: {counted(sink.skipped, 'damaged line')} passed over")
            code = run_async(_Compare(asked, ready, fd, sink, judged=judge is not None, seed=seed).run())
    finally:
        if fd:
            os.close(fd)
    if asked.wanted.log and ready.wired.log.failed is not None:
        warn(f"the usage log could not be written ({ready.wired.log.failed})")
    return code


@contextmanager
def _results(output: Path | None) -> Iterator[ResultFile]:
    """The output; without one a file that goes away at the end."""
    with tempfile.TemporaryDirectory(prefix="coda-compare-") as folder:
        sink = ResultFile(Path(folder, "results.jsonl") if output is None else output)
        try:
            yield sink
        finally:
            sink.close()


class _Compare(Many):
    """One run of the command."""

    sink: ResultFile

    def __init__(self, asked: Asked, ready: Ready, fd: int, sink: ResultFile, *, judged: bool, seed: int) -> None:
        super().__init__(asked, ready, fd, sink)
        self._judged = judged
        self._seed = seed
        self._models: list[str] = []
        self._answers: Answers | None = None
        self._pairs: list[PairReport] = []

    async def ask(self) -> None:
        """The answers, then the verdicts, then the figures."""
        targets = await self.ready.targets(remember=self.asked.wanted.log)
        judge = targets.pop() if self._judged else None
        self._models = [target.name for target in targets]
        if twice := {name for name in self._models if self._models.count(name) > 1}:
            raise UsageError(f"{min(twice)} is named twice", hint="compare two different models")
        pace = self.new_pace()
        budget = self.new_budget([*targets, *([judge] if judge is not None else [])])
        source = self.new_source(targets, _fields)
        await self.new_run(pace, budget, targets).run(source.jobs())
        if judge is not None and self._goes_on:
            self.line.what = "judging: "
            await self.new_run(pace, budget, [judge]).run(self._to_judge(judge))
        await self.sink.flush()
        if self.whole:
            tidy(self.sink, lambda name: name in source.names, self._rank)
        self._answers = Answers(self.sink, self._models)
        self._pairs = self._answers.pair_reports()

    @property
    def _goes_on(self) -> bool:
        """Whether what came is to be judged: not where the run was stopped."""
        return not self.runs[0].interrupted and self.runs[0].stopped is None

    async def _to_judge(self, judge: Target) -> AsyncGenerator[Job, None]:
        schema = self.ready.manager.provider(judge.provider).profile(judge.model).schema
        for one, other in Answers(self.sink, self._models).pairs():
            for job in jobs_for(one, other, judge, schema=schema, seed=self._seed):
                if not self.sink.is_done(job.key):
                    yield job

    def _rank(self, record: Record) -> int:
        verdict = record.get("type") == "verdict"
        name = str(record.get("a")) if verdict else name_of(record)
        at = self._models.index(name) if name in self._models else len(self._models)
        lines = 2 * (len(self._models) + 1)  # the most that stand for one prompt, by kind and model
        return index_of(record) * lines + int(verdict) * (lines // 2) + at

    def tell(self) -> None:
        """The report: a table, or JSON."""
        answers = self._answers
        if self.asked.json:
            found: dict[str, Any] = {
                "models": [model.to_json() for model in answers.models] if answers else [],
                "pairs": [pair.to_json() for pair in self._pairs],
                "judge": answers.judge.to_json() if answers and self._judged else None,
            }
            put_json({**self.summary(), **found})
        elif answers is not None and answers.places:
            put(table(answers, self._pairs, judged=self._judged))
        for run in self.runs:
            for name, error in run.given_up.items():
                if run.stopped is None:
                    say(f"{name} was given up: {error.message}")


def _fields(prompt: Prompt, to: Target) -> dict[str, Any]:
    return {"type": "answer", "target": to.name, "prompt": prompt.text}
