"""Calls of a message for tests of tools: a person who answers, the events that were told, and what came back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.core.events import Event
from coda_cli.engine.core.messages import ToolCallPart, ToolResultPart
from coda_cli.engine.core.ports import Approver, ToolRound
from coda_cli.engine.core.tools import Approval, ApprovalRequest, Arguments, Decision, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext
from coda_cli.engine.tools.manager import ToolManager

T = TypeVar("T")


class Told:
    """The events that were told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: type[Event], **fields: Any) -> None:
        self.events.append(event(**fields))


class Person:
    """An approver that answers with *says*."""

    def __init__(self, says: Callable[[ApprovalRequest], Approval] | None = None) -> None:
        self.requests: list[ApprovalRequest] = []
        self.at_once = 0
        self.most = 0
        self._says = says or (lambda request: Approval(Decision.ONCE, request.digest))

    async def approve(self, request: ApprovalRequest) -> Approval:
        self.requests.append(request)
        return await self._one(lambda: self._says(request))

    async def ask(self, question: str, choices: Sequence[str]) -> str | None:
        return await self._one(lambda: f"answer to {question}")

    async def _one(self, answer: Callable[[], T]) -> T:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return answer()


NUMBERS = itertools.count()


def call(name: str, arguments: str = "{}", call_id: str = "") -> ToolCallPart:
    return ToolCallPart(id=call_id or f"c{next(NUMBERS)}", name=name, arguments=arguments)


def turn(
    told: Told | None = None,
    approver: Approver | None = None,
    left: int = 25,
    earlier: Sequence[ToolCallPart] = (),
    only: Sequence[str] | None = None,
    **calling: Any,
) -> ToolRound:
    return ToolRound("conv", FunctionCallingConfig(**calling), told or Told(), approver, left, earlier, only)


async def results(
    manager: ToolManager, calls: Sequence[ToolCallPart], of: ToolRound | None = None
) -> dict[str, ToolResultPart]:
    out: dict[str, ToolResultPart] = {}
    async for result in manager.run(calls, of or turn()):
        assert result.id not in out
        out[result.id] = result
    return out


async def one(manager: ToolManager, asked: ToolCallPart, of: ToolRound | None = None) -> ToolResultPart:
    return (await results(manager, [asked], of))[asked.id]


def managing(*tools: BaseTool | Callable[..., object]) -> ToolManager:
    return ToolManager(tools, builtin=False)


def add(a: int, b: int = 0) -> int:
    """Add."""
    return a + b


class Writing(BaseTool):
    name = "writing"
    touches = Touches.WRITES
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}  # noqa: RUF012  # as in the base

    def __init__(self) -> None:
        self.wrote: list[str] = []

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        raise AssertionError("only what was planned may run")

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        text = str(arguments["text"])

        async def run() -> ToolOutput:
            self.wrote.append(text)
            return ToolOutput("written")

        return Planned(Effect(f"write {text}", detail=text, rule=f"writing {text}"), run)
