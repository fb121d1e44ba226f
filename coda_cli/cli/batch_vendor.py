"""`coda batch submit|status|collect|cancel|list`, `--vendor-batch`: the vendor's own batch API, at half the price."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from coda_cli import bootstrap
from coda_cli.chat.words import ago, counted, price
from coda_cli.cli.batch_setup import BadLines, Interrupts, Ready, Wanted, open_input, prepare
from coda_cli.cli.loop import run_async
from coda_cli.cli.output import EXIT_FAILURE, EXIT_OK, put, put_json, say, warn
from coda_cli.cli.status_line import StatusLine
from coda_cli.engine.batch import vendor_state
from coda_cli.engine.batch.jobs import Job, Source
from coda_cli.engine.batch.reading import numbered_lines
from coda_cli.engine.batch.results import ResultFile, index_of
from coda_cli.engine.batch.vendor import BatchState, VendorBatches, batches_of
from coda_cli.engine.batch.vendor_run import Fetched, collect as fetch, half_price, states, submit as hand_over, wait
from coda_cli.engine.batch.vendor_state import Submitted
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.errors import LLMError, UsageError
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.redact import conceal
from coda_cli.settings.load import load

T = TypeVar("T")


def submit_and_wait(
    wanted: Wanted, output: Path | None, *, limit: int | None, json: bool, refused: Mapping[str, object]
) -> int:
    """`--vendor-batch`: hand over, wait, collect. *refused* are flags that mean nothing here."""
    for flag, value in refused.items():
        if value is not None:
            raise UsageError(f"{flag} does not go with --vendor-batch", hint="leave one of them out")
    batch = submit(wanted, output, limit=limit)
    if batch is None:
        if json:
            put_json({"batch": None})
        return EXIT_OK
    return collect(batch.id, waiting=True, json=json, offline=wanted.offline, log=wanted.log)


def submit(wanted: Wanted, output: Path | None, *, limit: int | None = None) -> Submitted | None:
    """Hand all prompts over that are not answered in *output* yet; None where there is none. Raises CodaError."""
    if output is None:
        raise UsageError("a vendor's batch needs a file for its results", hint="name it with --output FILE")
    if (other := vendor_state.open_for(output)) is not None:
        raise UsageError(
            f"{other.id} is under way for {output}",
            hint=f"`coda batch collect {other.id}` fetches it, `coda batch cancel {other.id}` stops it",
        )
    ready = prepare(wanted)
    fd = open_input(wanted.file)
    out = ResultFile(output)
    try:
        return run_async(_submit(ready, fd, out, limit))
    finally:
        out.close()
        if fd:
            os.close(fd)


async def _submit(ready: Ready, fd: int, out: ResultFile, limit: int | None) -> Submitted | None:
    bad = BadLines()

    def unfit(job: Job, error: LLMError) -> None:
        warn(f"line {job.prompt.line}: {error.message}; left out")

    async with ready.manager as manager:
        (target,) = await ready.targets(remember=False)
        provider = manager.provider(target.provider)
        source = Source(numbered_lines(fd), ready.defaults, [target], is_done=out.is_done, tell=bad.tell, limit=limit)

        async def handed(api: VendorBatches) -> Submitted:
            batch = vendor_state.new_batch(target.provider, target.model, out.path, manager.clock.now())
            try:
                await hand_over(batch, source.jobs(), provider, api, unfit)
            finally:
                if not batch.parts:
                    vendor_state.discard(batch)
            return batch

        batch = await _with_api(manager, target.provider, handed)
    bad.end()
    if batch.parts:
        skipped = f", {source.skipped:,} were there already" if source.skipped else ""
        say(f"{batch.id}: {counted(batch.requests, 'request')} handed to {target.name}{skipped}")
        return batch
    if not source.prompts:
        raise UsageError("there is no prompt in the input", hint="one a line, as text or as a JSON object")
    say(f"nothing to ask: {source.skipped:,} were there already")
    return None


async def _with_api(manager: LLMManager, name: str, work: Callable[[VendorBatches], Awaitable[T]]) -> T:
    """*work* with the batch API of the provider *name*; no error of its tells a key."""
    provider = manager.provider(name)
    try:
        api = batches_of(provider)
        try:
            return await work(api)
        finally:
            await api.aclose()
    except LLMError as exc:
        exc.provider = exc.provider or name
        conceal(exc, provider.secrets())
        raise


def _wired(batch: Submitted, offline: bool | None, *, log: bool = True) -> bootstrap.Wired:
    settings = load(overrides={"offline": offline}).settings
    if batch.provider not in settings.providers:
        raise UsageError(
            f"there is no provider called {batch.provider!r} any more", hint="put it back into coda.toml to go on"
        )
    conversations = ConversationManager.in_memory()
    return bootstrap.wire(settings, only=[batch.provider], log=log, conversations=conversations, tools=False)


def _told(found: list[BatchState]) -> str:
    done, total = sum(one.succeeded + one.failed for one in found), sum(one.total for one in found)
    return f"{', '.join(dict.fromkeys(one.status for one in found))}, {done:,} of {total:,} done"


def status(batch_id: str | None, *, json: bool, offline: bool | None) -> int:
    """How a batch stands at the vendor."""
    batch = vendor_state.find(batch_id)
    wired = _wired(batch, offline)

    async def ask() -> list[BatchState]:
        async with wired.manager as manager:
            return await _with_api(manager, batch.provider, lambda api: states(batch, api))

    found = run_async(ask())
    if json:
        put_json({**_shown(batch), "parts": [_part(part, one) for part, one in zip(batch.parts, found, strict=True)]})
    else:
        put(f"{batch.id}  {batch.provider}/{batch.model}  {_told(found)}")
    for one in found:
        if one.problem:
            warn(f"the vendor refused it: {one.problem}")
    return EXIT_OK


def _shown(batch: Submitted) -> dict[str, Any]:
    return batch.model_dump()


def _part(part: str, state: BatchState) -> dict[str, Any]:
    return {
        "id": part,
        "status": state.status,
        "ended": state.ended,
        "total": state.total,
        "succeeded": state.succeeded,
        "failed": state.failed,
        "problem": state.problem,
    }


def list_(*, json: bool) -> int:
    """All batches that were handed over from here."""
    batches = vendor_state.all_batches()
    if json:
        put_json([_shown(batch) for batch in batches])
        return EXIT_OK
    for batch in batches:
        stage = batch.stage if batch.stage != "submitting" else "handed over in part"
        what = f"{batch.provider}/{batch.model}"
        put(f"{batch.id}  {ago(batch.created):<8}  {stage:<10}  {counted(batch.requests, 'request'):<14}  {what}")
    if not batches:
        say("no batch was handed to a vendor; see `coda batch submit --help`")
    return EXIT_OK


def cancel(batch_id: str | None, *, json: bool, offline: bool | None) -> int:
    """Stop a batch at the vendor."""
    batch = vendor_state.find(batch_id)
    wired = _wired(batch, offline)

    async def ask() -> None:
        async def all_parts(api: VendorBatches) -> None:
            for part in batch.parts:
                if not (await api.state(part)).ended:
                    await api.cancel(part)

        async with wired.manager as manager:
            await _with_api(manager, batch.provider, all_parts)

    run_async(ask())
    if json:
        put_json(_shown(batch))
    else:
        say(f"{batch.id} is stopped; `coda batch collect {batch.id}` fetches what was answered")
    return EXIT_OK


def collect(batch_id: str | None, *, waiting: bool, json: bool, offline: bool | None, log: bool = True) -> int:
    """Fetch what became of a batch; with *waiting* once it has ended. Returns the exit code."""
    batch = vendor_state.find(batch_id)
    return run_async(_Collecting(batch, _wired(batch, offline, log=log), waiting=waiting, json=json).run())


class _Collecting:
    """One collection. Ctrl-C leaves the batch under way."""

    def __init__(self, batch: Submitted, wired: bootstrap.Wired, *, waiting: bool, json: bool) -> None:
        self._batch = batch
        self._wired = wired
        self._waiting = waiting
        self._json = json
        self._status = StatusLine()
        self._main: asyncio.Task[int] | None = None

    def _stop(self) -> None:
        if self._main is not None:
            self._main.cancel()

    async def run(self) -> int:
        interrupts = Interrupts(self._stop)
        with interrupts.heard():
            self._main = asyncio.ensure_future(self._work())
            await asyncio.wait([self._main])
        self._status.clear()
        if self._main.cancelled() and interrupts.code is not None:
            say(f"{self._batch.id} goes on at the vendor; `coda batch collect {self._batch.id}` fetches it")
            return interrupts.code
        return await self._main

    async def _work(self) -> int:
        async with self._wired.manager as manager:
            return await _with_api(manager, self._batch.provider, self._collect)

    async def _collect(self, api: VendorBatches) -> int:
        batch, manager = self._batch, self._wired.manager
        told = ""

        def tell(found: list[BatchState]) -> None:
            nonlocal told
            if (now := _told(found)) != told:
                told = now
                self._status.waiting(f"{batch.id}: {now},")

        if self._waiting:
            await wait(batch, api, manager.clock, tell)
            self._status.clear()
        found = await states(batch, api)
        if not all(state.ended for state in found):
            say(f"{batch.id} is not done: {_told(found)}")
            if self._json:
                put_json({**_shown(batch), "collected": False})
            return EXIT_FAILURE
        out = ResultFile(Path(batch.output))
        try:
            sink = manager.accounts.sink
            fetched = await fetch(batch, api, out, half_price(manager), manager.clock, sink)
            await out.flush()
            names = {line.id for line in vendor_state.lines(batch)}
            out.tidy(lambda name: name in names, index_of)
        finally:
            out.close()
        batch.stage = "collected"
        vendor_state.save(batch)
        return self._end(fetched, found)

    def _end(self, fetched: Fetched, found: list[BatchState]) -> int:
        batch = self._batch
        for one in found:
            if one.problem:
                warn(f"the vendor refused a part of it: {one.problem}")
        if fetched.missing:
            warn(f"{counted(fetched.missing, 'request')} came back without a result")
        if self._json:
            put_json(
                {
                    **_shown(batch),
                    "collected": True,
                    "complete": fetched.complete,
                    "failed": fetched.failed,
                    "missing": fetched.missing,
                    "usage": {"input_tokens": fetched.input_tokens, "output_tokens": fetched.output_tokens},
                    "cost_usd": None if fetched.unpriced else fetched.cost,
                }
            )
        else:
            parts = [f"{fetched.complete:,} answered"]
            if fetched.failed:
                parts.append(f"{fetched.failed:,} failed")
            parts.append(f"{fetched.input_tokens:,} tokens in, {fetched.output_tokens:,} out")
            parts.append(price(None if fetched.unpriced else fetched.cost))
            say(f"{batch.id}: {' · '.join(parts)}; in {batch.output}")
        if fetched.failed or fetched.missing:
            say("run the same command again to ask for what failed")
        return EXIT_FAILURE if fetched.failed or fetched.missing else EXIT_OK
