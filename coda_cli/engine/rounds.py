"""The tool calls of one answer: which tools the model is told of, what its calls give, when it has to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from coda_cli.engine.core.config import LLMConfig
from coda_cli.engine.core.events import Event, FunctionCalls, FunctionResult, ToolsUnavailable
from coda_cli.engine.core.messages import LLMMessage, MessageRole, Part, ToolCallPart, ToolResultPart
from coda_cli.engine.core.ports import Approver, Provider, ToolPort, ToolRound, ToolSpec
from coda_cli.engine.core.tools import INTERRUPTED
from coda_cli.engine.core.usage import FinishReason
from coda_cli.engine.turn import Stamp, Turn

_CUT: Final = "the answer was cut at its length limit within this call, so nothing was run; write less at once"
_FRUITLESS: Final = 3
"""After so many rounds in a row in which nothing ran, the model has to answer with what it has."""


class ToolHost(Protocol):
    """What tools need of the manager."""

    config: LLMConfig
    tools: ToolPort | None
    approver: Approver | None


class Rounds:
    """The rounds of one answer. `ran` are all calls so far, in order; `open` those whose results are not kept yet."""

    def __init__(
        self,
        host: ToolHost,
        conversation_id: str,
        only: Sequence[str] | None,
        stamp: Stamp,
        publish: Callable[[Event], None],
    ) -> None:
        """*only*: the tools that may be used (names, categories, `name*`); None is all that are allowed."""
        self._host = host
        self._conversation_id = conversation_id
        self._only = only
        self._stamp, self._publish = stamp, publish
        self._fruitless = 0
        self.specs: Sequence[ToolSpec] = ()
        self.rewritten = False  # what is sent is not the request as it was built, but in words of its own
        self.ran: list[ToolCallPart] = []
        self.open: Sequence[ToolCallPart] = ()
        self._results: dict[str, ToolResultPart] = {}
        self._untold = ""  # the id of a message whose calls nobody was told of yet

    async def fitted(self, provider: Provider, model: str) -> Provider:
        """*provider* as it can be asked with tools; sets `specs`. Raises UsageError for a tool that nobody knows."""
        port, config = self._host.tools, self._host.config
        if port is None or not config.tools_enabled or self._only == ():
            return provider
        await port.ready(self._only)
        specs = port.specs(config.function_calling, self._only)
        if not specs:
            return provider
        fitting = port.fitted(provider, model, specs)
        if isinstance(fitting, str):
            self._tell(ToolsUnavailable, reason=fitting)
            return provider
        self.specs = specs
        self.rewritten = fitting is not provider
        return fitting

    @property
    def spent(self) -> bool:
        """Whether the model has to answer without another call."""
        most = self._host.config.function_calling.max_function_calls_per_turn
        return len(self.ran) >= most or self._fruitless >= _FRUITLESS

    def wanted(self, turn: Turn) -> list[ToolCallPart]:
        """The calls of *turn* that are to be answered now; none where they are the caller's, or it is over."""
        finished = turn.answer.finished
        given_up = finished is None or finished.reason in (FinishReason.REFUSAL, FinishReason.CONTENT_FILTER)
        if given_up or not self.specs or self.spent or not self._host.config.function_calling.auto_execute:
            return []
        return turn.answer.tool_calls()

    def begin(self, calls: Sequence[ToolCallPart], message_id: str) -> None:
        """The message *message_id*, which is kept, asks for *calls*: from here on they have results, come what may."""
        self.open, self._results, self._untold = calls, {}, message_id

    def _tell_calls(self) -> None:
        """Tell what is asked for, once and before any result."""
        if not self._untold:
            return
        asked = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in self.open]
        self._tell(FunctionCalls, calls=asked, message_id=self._untold)
        self._untold = ""

    async def run(self, calls: Sequence[ToolCallPart], turn: Turn) -> None:
        """Answer *calls*, which have begun. When stopped, `results()` has what there is."""
        self._tell_calls()
        finished = turn.answer.finished
        if finished is not None and finished.reason is FinishReason.LENGTH:
            for call in calls:
                self._take(ToolResultPart(id=call.id, name=call.name, text=_CUT, is_error=True))
        else:
            await self._run(calls)
        self.ran += calls
        ran = any(result.seconds is not None for result in self._results.values())
        self._fruitless = 0 if ran else self._fruitless + 1

    async def _run(self, calls: Sequence[ToolCallPart]) -> None:
        port, calling = self._host.tools, self._host.config.function_calling
        if port is None:
            return
        left = calling.max_function_calls_per_turn - len(self.ran)
        turn = ToolRound(
            self._conversation_id, calling, self._tell, self._host.approver, left, tuple(self.ran), self._only
        )
        running = port.run(calls, turn)
        async with aclosing(running):
            async for result in running:
                self._take(result)

    def _take(self, result: ToolResultPart) -> None:
        self._results[result.id] = result
        self._tell(
            FunctionResult,
            call_id=result.id,
            name=result.name,
            text=result.text,
            display=result.display,
            is_error=result.is_error,
            seconds=result.seconds,
        )

    def results(self) -> LLMMessage:
        """The results of the open calls as a message, in the order of the calls; they are open no longer.

        A call that was stopped has a result that says so.
        """
        self._tell_calls()
        parts: list[Part] = []
        for call in self.open:
            if call.id not in self._results:
                self._take(ToolResultPart(id=call.id, name=call.name, text=INTERRUPTED, is_error=True))
            parts.append(self._results[call.id])
        self.open = ()
        return LLMMessage(role=MessageRole.TOOL, parts=parts)

    def _tell(self, event: type[Event], **fields: object) -> None:
        self._publish(self._stamp(event, **fields))
