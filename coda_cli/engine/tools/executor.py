"""The calls of one message: which of them may run at all, which side by side, and a result for each as it ends."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from coda_cli.engine.core.messages import ToolCallPart, ToolResultPart
from coda_cli.engine.core.ports import ToolRound
from coda_cli.engine.core.tools import ToolOutput, Touches
from coda_cli.engine.tools.arguments import canonical, described, parse
from coda_cli.engine.tools.base import BaseTool, MemoryTools, ToolError
from coda_cli.engine.tools.one_call import Desk, Judge, part, result_of
from coda_cli.engine.tools.supervised import failure, outcome_of

_ALONE: Final = frozenset({Touches.WRITES, Touches.RUNS})
"""What is never done beside anything else."""
_CHECKER: Final = "jsonschema.validators"
_TIMES: Final = 3
_LONGEST_LOOP: Final = 4
"""A row of up to so many calls that is made for the `_TIMES`th time running is a loop."""


class _Job(Struct, frozen=True):
    call: ToolCallPart
    tool: BaseTool
    arguments: dict[str, Any]


class Executor:
    """Runs calls under *permissions*."""

    def __init__(self, permissions: Judge) -> None:
        self._permissions = permissions
        self.memory: MemoryTools | None = None
        """What the tools of memory work on."""
        self._asking: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    async def run(
        self,
        calls: Sequence[ToolCallPart],
        turn: ToolRound,
        offered: Mapping[str, BaseTool],
        known: Collection[str],
        folder: Path,
    ) -> AsyncGenerator[ToolResultPart, None]:
        """One result a call, as each ends. *offered* are the tools of this turn, *known* the names of all, *folder* is
        the working folder.

        Raises only CancelledError, after every tool that ran is stopped and what has ended is given.
        """
        jobs: list[_Job] = []
        for ready in _prepared(calls, turn, offered, known):
            if isinstance(ready, _Job):
                jobs.append(ready)
            else:
                yield ready
        if not jobs:
            return
        if _CHECKER not in sys.modules and any(type(job.tool).check is BaseTool.check for job in jobs):
            await asyncio.to_thread(import_module, _CHECKER)  # 35 ms that the screen need not wait for
        desk = Desk(turn, self._permissions, folder, self._lock(), self.memory)
        ended: asyncio.Queue[ToolResultPart | None] = asyncio.Queue()
        driver = asyncio.create_task(_drive(jobs, desk, ended))
        try:
            while (result := await ended.get()) is not None:
                yield result
        except asyncio.CancelledError:
            await _stop(driver)
            while not ended.empty():
                if (result := ended.get_nowait()) is not None:
                    yield result
            raise
        finally:
            await _stop(driver)

    def _lock(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking[0] is not loop:
            self._asking = (loop, asyncio.Lock())
        return self._asking[1]


async def _stop(driver: asyncio.Task[None]) -> None:
    """Return when *driver* has ended, however often this is cancelled meanwhile: no tool may outlive its turn."""
    driver.cancel()
    while not driver.done():
        try:
            await asyncio.wait({driver})
        except asyncio.CancelledError:
            continue


async def _drive(jobs: Sequence[_Job], desk: Desk, ended: asyncio.Queue[ToolResultPart | None]) -> None:
    calling = desk.turn.calling
    side_by_side = asyncio.Semaphore(calling.max_parallel if calling.parallel_execution else 1)

    async def do(job: _Job) -> None:
        async with side_by_side:
            outcome = await outcome_of(lambda: result_of(job.call, job.tool, job.arguments, desk))
            if outcome.error is None:
                ended.put_nowait(outcome.get())
            else:  # not the tool's fault: its permission could not be judged, or asked for
                text = f"not run: {failure(outcome.error)}; go on without it and say so"
                ended.put_nowait(part(job.call, ToolOutput(text, is_error=True)))

    try:
        for alone, group in groupby(jobs, key=lambda job: job.tool.touches in _ALONE):
            if alone or not calling.parallel_execution:
                for job in group:
                    await do(job)
            else:
                async with asyncio.TaskGroup() as tasks:
                    for job in group:
                        tasks.create_task(do(job))
    finally:
        ended.put_nowait(None)


def _prepared(
    calls: Sequence[ToolCallPart], turn: ToolRound, offered: Mapping[str, BaseTool], known: Collection[str]
) -> list[_Job | ToolResultPart]:
    """For each call what is to run, or the error that it gives instead."""
    ids = Counter(call.id for call in calls)
    row = [_key(call) for call in turn.earlier[-_TIMES * _LONGEST_LOOP :]]
    out: list[_Job | ToolResultPart] = []
    for place, call in enumerate(calls):
        row.append(_key(call))
        try:
            if ids[call.id] > 1:
                raise ToolError(f"{ids[call.id]} calls have the id {described(call.id)}, so none of them was run")
            if place >= turn.left:
                most = turn.calling.max_function_calls_per_turn
                raise ToolError(
                    f"not run: the limit of {most} calls for one question is reached; answer with what you have"
                )
            tool = _found(call.name, offered, known)
            arguments = parse(call.arguments)
            if not tool.repeatable and _loops(row):
                raise ToolError(
                    "not run: you have made this same call again and again, and it gives the same; "
                    "use the result that you have, change the arguments, or answer"
                )
            out.append(_Job(call, tool, arguments))
        except ToolError as error:
            out.append(part(call, ToolOutput(str(error), is_error=True)))
    return out


def _found(name: str, offered: Mapping[str, BaseTool], known: Collection[str]) -> BaseTool:
    if name in offered:
        return offered[name]
    if name in known:
        raise ToolError(f"the tool {described(name)} may not be used here; go on without it")
    import difflib

    near = difflib.get_close_matches(name.rpartition(".")[2].lower(), offered, n=3) if len(name) < 200 else []
    mend = "did you mean " + " or ".join(f"`{one}`" for one in near) + "?" if near else ""
    if not near:
        mend = "there are " + ", ".join(f"`{one}`" for one in sorted(offered)) if offered else "there are no tools"
    raise ToolError(f"there is no tool {described(name)}; {mend}")


def _key(call: ToolCallPart) -> tuple[str, str]:
    """The call as it is compared with others: however its arguments are written."""
    try:
        return call.name, canonical(parse(call.arguments))
    except ToolError:
        return call.name, call.arguments


def _loops(row: Sequence[tuple[str, str]]) -> bool:
    """Whether *row* ends with the same calls `_TIMES` times in a row: A A A, or A B A B A B."""
    for length in range(1, _LONGEST_LOOP + 1):
        end = row[-_TIMES * length :]
        if len(end) == _TIMES * length and all(end[place] == end[place - length] for place in range(length, len(end))):
            return True
    return False
