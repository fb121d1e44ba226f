"""One call, from checked JSON to its result: check, plan, permission, run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.events import ApprovalAnswered, ApprovalRequested, FunctionProgress
from coda_cli.engine.core.messages import ToolCallPart, ToolResultPart, new_id
from coda_cli.engine.core.ports import Approver, ToolRound
from coda_cli.engine.core.tools import (
    Approval,
    ApprovalMode,
    ApprovalRequest,
    Decision,
    Effect,
    ToolOutput,
    digest,
)
from coda_cli.engine.tools.arguments import mended
from coda_cli.engine.tools.base import BaseTool, MemoryTools, Planned, ToolContext, ToolError
from coda_cli.engine.tools.progress import Progress
from coda_cli.engine.tools.results import capped, output_of
from coda_cli.engine.tools.supervised import Alarm, ToolTimeout, failure, outcome_of, supervised

if TYPE_CHECKING:
    from coda_cli.engine.tools.permissions import Verdict

_NOBODY: Final = "it needs the person's permission, and there is no terminal to ask"


class Judge(Protocol):
    """The permissions, as calls see them (see `permissions.Permissions`)."""

    def judge(self, tool: BaseTool, effect: Effect, mode: ApprovalMode, conversation_id: str) -> Verdict: ...
    def remember(self, request: ApprovalRequest, approval: Approval, conversation_id: str) -> object: ...


class Desk(Struct, frozen=True):
    """Where calls of one round are decided. Under `asking` one question is put to the person at a time."""

    turn: ToolRound
    permissions: Judge
    folder: Path
    asking: asyncio.Lock
    memory: MemoryTools | None = None


async def result_of(call: ToolCallPart, tool: BaseTool, arguments: dict[str, Any], desk: Desk) -> ToolResultPart:
    """Do *call*. Raises only CancelledError, and only when its tool is really stopped."""
    timeout = tool.timeout or desk.turn.calling.timeout
    alarm = Alarm(timeout)
    progress = Progress(desk.turn.tell, call.id)
    context = ToolContext(
        call_id=call.id,
        conversation_id=desk.turn.conversation_id,
        folder=desk.folder,
        timeout=timeout,
        progress=progress.show,
        memory=desk.memory,
        ask=_asking(desk, alarm) if desk.turn.approver is not None else None,
    )
    before: float | None = None
    try:
        planned = await supervised(lambda: _planned(tool, arguments, context), alarm, context.cancelled)
        refusal = await _refusal(call, tool, planned.effect, desk, alarm)
        if refusal is not None:
            output = refusal
        else:
            before = alarm.spent
            output = await supervised(lambda: _ran(planned), alarm, context.cancelled)
    except ToolError as error:
        output = ToolOutput(str(error) or "the tool failed and did not say why", is_error=True)
    except ToolTimeout as late:
        output = _late(late, timeout)
    finally:
        alarm.stop()
        progress.close()
    return part(call, output, None if before is None else alarm.spent - before)


def part(call: ToolCallPart, output: ToolOutput, seconds: float | None = None) -> ToolResultPart:
    """*output* as the result of *call*."""
    output = capped(output)
    return ToolResultPart(
        id=call.id,
        name=call.name,
        text=output.text,
        display=output.display,
        is_error=output.is_error,
        seconds=seconds,
    )


async def _planned(tool: BaseTool, arguments: dict[str, Any], context: ToolContext) -> Planned:
    arguments = mended(tool.parameters, arguments)
    tool.check(arguments)
    planned = await tool.plan(arguments, context)
    if not isinstance(planned, Planned):
        raise ToolError("the tool is broken: its plan is not a `Planned`; do without it")
    return planned


async def _ran(planned: Planned) -> ToolOutput:
    return output_of(await planned.run())


def _late(late: ToolTimeout, timeout: float) -> ToolOutput:
    text = f"this took longer than {timeout:g} seconds and was told to stop"
    if isinstance(late.value, ToolOutput) and late.value.text:
        return replace(late.value, text=f"{text}; it gave:\n{late.value.text}", is_error=True)
    return ToolOutput(text, is_error=True)


async def _refusal(call: ToolCallPart, tool: BaseTool, effect: Effect, desk: Desk, alarm: Alarm) -> ToolOutput | None:
    """None if the call may run, else what it gives instead."""
    verdict = _judged(tool, effect, desk)
    if verdict.action == "ask" and desk.turn.approver is not None:
        with alarm.held():
            async with desk.asking:
                verdict = _judged(tool, effect, desk)  # the answer to a sibling may have settled this one too
                if verdict.action == "ask":
                    return await _asked(call, tool, effect, verdict.why, desk, desk.turn.approver)
    if verdict.action == "run":
        return None
    why = _NOBODY if verdict.action == "ask" else verdict.why or "it is not allowed"
    hint = "; `--approval-mode` or a rule can allow it" if verdict.action == "ask" else ""
    return ToolOutput(
        f"not run: {why}; go on without it and say so", f"Not run: {effect.summary}: {why}{hint}", is_error=True
    )


def _judged(tool: BaseTool, effect: Effect, desk: Desk) -> Verdict:
    return desk.permissions.judge(tool, effect, desk.turn.calling.approval_mode, desk.turn.conversation_id)


async def _asked(
    call: ToolCallPart, tool: BaseTool, effect: Effect, why: str, desk: Desk, approver: Approver
) -> ToolOutput | None:
    request = ApprovalRequest(
        request_id=new_id("ask"),
        call_id=call.id,
        tool=call.name,
        touches=tool.touches,
        arguments=call.arguments,
        digest=digest(call.id, call.name, call.arguments),
        effect=effect,
        why=why,
    )
    desk.turn.tell(
        ApprovalRequested,
        request_id=request.request_id,
        call_id=call.id,
        name=call.name,
        request=request.to_json(),
    )
    answered = await outcome_of(lambda: approver.approve(request))
    approval = Approval(Decision.NO, request.digest, "")
    if answered.error is not None:
        approval = replace(approval, reason=f"asking failed: {failure(answered.error)}")
    elif answered.get().digest != request.digest:
        approval = replace(approval, reason="the answer was given to another call")
    else:
        approval = answered.get()
    desk.turn.tell(
        ApprovalAnswered,
        request_id=request.request_id,
        call_id=call.id,
        decision=approval.decision.value,
        reason=approval.reason,
    )
    if approval.decision is Decision.NO:
        because = f": {approval.reason}" if approval.reason else ""
        text = f"not run: the person said no{because}; do not try the same in another way"
        return ToolOutput(text, f"Not run{because or ': you said no'}", is_error=True)
    if approval.decision is not Decision.ONCE:
        try:
            desk.permissions.remember(request, approval, desk.turn.conversation_id)
        except CodaError as error:  # it runs this once; the next call asks again
            desk.turn.tell(FunctionProgress, call_id=call.id, text=f"the permission is not kept: {error.message}\n")
    return None


def _asking(desk: Desk, alarm: Alarm) -> Callable[[str, Sequence[str]], Awaitable[str | None]]:
    async def ask(question: str, choices: Sequence[str]) -> str | None:
        approver = desk.turn.approver
        if approver is None:
            return None
        with alarm.held():
            async with desk.asking:
                return await approver.ask(question, choices)

    return ask
