"""A call has its time, shows how far it is, and when it is stopped it has really stopped."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Sequence
from contextlib import aclosing

import pytest

from coda_cli.engine.core.events import FunctionProgress
from coda_cli.engine.core.messages import ToolCallPart
from coda_cli.engine.core.tools import Approval, ApprovalRequest, Decision, Touches
from coda_cli.engine.tools.base import ToolContext
from coda_cli.engine.tools.function import tool
from coda_cli.engine.tools.manager import ToolManager
from tests.unit.tool_rounds import Person, Told, Writing, add, call, managing, one, results, turn

# -- time


async def test_a_call_over_its_time_is_stopped_and_told() -> None:
    stopped: list[str] = []

    @tool
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append("async")

    @tool
    def blocking(context: ToolContext) -> str:
        context.cancelled.wait(60)
        stopped.append("thread")
        return "half of it"

    got = await results(managing(slow, blocking), calls := [call("slow"), call("blocking")], turn(timeout=0.05))
    assert sorted(stopped) == ["async", "thread"]
    for asked in calls:
        assert "took longer than 0.05 seconds" in got[asked.id].text
        assert got[asked.id].is_error
        assert got[asked.id].seconds is not None


async def test_a_tool_that_still_gives_something_when_stopped_is_heard() -> None:
    @tool
    async def partly() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "the first half"
        return "all"

    result = await one(managing(partly), call("partly"), turn(timeout=0.05))
    assert result.text.endswith("it gave:\nthe first half")
    assert result.is_error


async def test_a_tools_own_timeout_comes_first() -> None:
    @tool(timeout=0.05)
    async def slow() -> None:
        await asyncio.sleep(60)

    assert "0.05 seconds" in (await one(managing(slow), call("slow"))).text


async def test_the_time_that_a_person_thinks_does_not_count() -> None:
    class Slow(Person):
        async def ask(self, question: str, choices: Sequence[str]) -> str | None:
            await asyncio.sleep(0.2)
            return "yes"

        async def approve(self, request: ApprovalRequest) -> Approval:
            await asyncio.sleep(0.2)
            return Approval(Decision.ONCE, request.digest)

    @tool(touches=Touches.RUNS)
    async def asking(context: ToolContext) -> str:
        assert context.ask is not None
        return f"they said {await context.ask('well?', ())}"

    result = await one(managing(asking), call("asking"), turn(approver=Slow(), timeout=0.15))
    assert result.text == "they said yes"
    assert result.seconds is not None
    assert result.seconds < 0.15


async def test_a_thread_that_never_looks_is_left_alone() -> None:
    released = threading.Event()

    @tool
    def deaf() -> str:
        released.wait(60)
        return "late"

    assert "took longer" in (await one(managing(deaf), call("deaf"), turn(timeout=0.05))).text
    released.set()


# -- progress


async def test_progress_from_any_thread_comes_before_the_result_and_is_capped() -> None:
    told = Told()

    @tool
    def talking(context: ToolContext) -> str:
        context.progress("one ")
        context.progress("two ")
        for _ in range(1000):
            context.progress("x" * 1000)
        return "done"

    manager = managing(talking)
    ended = False
    async for _ in manager.run([call("talking")], turn(told)):
        ended = True
        shown = "".join(event.text for event in told.events if isinstance(event, FunctionProgress))
        assert shown.startswith("one two xxx")
        assert shown.endswith("no more of this is shown]")
        assert len(shown) < 70_000
        assert len(told.events) < 50
    assert ended


async def test_progress_after_the_end_is_not_heard() -> None:
    told = Told()
    kept: list[ToolContext] = []

    @tool
    async def quick(context: ToolContext) -> None:
        kept.append(context)

    await one(managing(quick), call("quick"), turn(told))
    kept[0].progress("too late")
    await asyncio.sleep(0.1)
    assert told.events == []


# -- stopping


async def stopping(manager: ToolManager, calls: Sequence[ToolCallPart], started: Awaitable[object]) -> list[str]:
    """The ids of the results that came although the one who reads them was cancelled."""
    came: list[str] = []

    async def reading() -> None:
        running = manager.run(calls, turn())
        async with aclosing(running):
            async for result in running:
                came.append(result.id)  # noqa: PERF401  # what came before the cancellation counts, too

    task = asyncio.create_task(reading())
    await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return came


async def test_when_cancellation_escapes_every_tool_is_stopped() -> None:
    started, cleaned = asyncio.Event(), []

    @tool
    async def slow() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            cleaned.append("async")

    @tool
    def blocking(context: ToolContext) -> None:
        context.cancelled.wait(60)
        time.sleep(0.05)
        cleaned.append("thread")

    calls = [call("slow"), call("blocking"), call("add", '{"a": 1}')]
    came = await stopping(managing(slow, blocking, add), calls, started.wait())
    assert sorted(cleaned) == ["async", "thread"]
    assert set(came) <= {calls[2].id}


async def test_a_result_that_is_there_is_not_lost_to_a_stop() -> None:
    done = asyncio.Event()

    @tool
    async def quick() -> str:
        done.set()
        return "done"

    @tool
    async def slow() -> None:
        await asyncio.sleep(60)

    async def both() -> None:
        await done.wait()
        for _ in range(20):
            await asyncio.sleep(0)

    calls = [call("slow"), call("quick")]
    assert await stopping(managing(slow, quick), calls, both()) == [calls[1].id]


async def test_a_second_cancellation_leaves_nothing_running() -> None:
    started, cleaned = asyncio.Event(), []

    @tool
    async def slow() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            cleaned.append("end")

    async def reading() -> None:
        async for _ in managing(slow).run([call("slow")], turn()):
            pass

    task = asyncio.create_task(reading())
    await started.wait()
    task.cancel()
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["end"]


async def test_closing_early_stops_what_runs() -> None:
    cleaned: list[str] = []

    @tool
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append("end")

    running = managing(slow, add).run([call("slow"), call("add", '{"a": 1}')], turn())
    async with aclosing(running):
        async for _ in running:
            break
    assert cleaned == ["end"]


async def test_a_person_who_is_being_asked_is_let_go_when_the_answer_is_stopped() -> None:
    asked, let_go = asyncio.Event(), []

    class Waiting(Person):
        async def approve(self, request: ApprovalRequest) -> Approval:
            asked.set()
            try:
                await asyncio.sleep(60)
            finally:
                let_go.append(request.call_id)
            raise AssertionError

    writing = Writing()

    async def reading() -> None:
        async for _ in managing(writing).run([call("writing", '{"text": "t"}')], turn(approver=Waiting())):
            pass

    task = asyncio.create_task(reading())
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(let_go) == 1
    assert writing.wrote == []


def test_one_manager_serves_one_loop_after_another() -> None:
    writing = Writing()
    manager = managing(writing)
    for n in range(2):
        calls = [call("writing", f'{{"text": "{n}{m}"}}') for m in range(2)]
        asyncio.run(_all(manager, calls))
    assert len(writing.wrote) == 4


async def _all(manager: ToolManager, calls: Sequence[ToolCallPart]) -> None:
    await results(manager, calls, turn(approver=Person()))
