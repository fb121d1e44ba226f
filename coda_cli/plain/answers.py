"""One answer, written as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from coda_cli.chat import telling
from coda_cli.engine.core.events import (
    AnalyticsUpdate,
    ApprovalAnswered,
    ApprovalRequested,
    BudgetReached,
    CacheHit,
    ContextCompacted,
    ContextCompacting,
    ContextTrimmed,
    ConversationCreated,
    ConversationUnsaved,
    Event,
    EventsLost,
    FunctionCalls,
    FunctionProgress,
    FunctionResult,
    MemoryUpdate,
    PersonaUpdate,
    ProviderFallback,
    ProviderStatusChange,
    ReasoningChunk,
    ResponseChunk,
    ResponseComplete,
    ResponseError,
    ResponseStart,
    RetryScheduled,
    ToolsUnavailable,
)
from coda_cli.engine.generation import Generation
from coda_cli.plain.lines import Speaker, one_line
from coda_cli.plain.output import Output


class Reader:
    """Writes the events of a generation. `stopped`: a person ended it early."""

    def __init__(
        self, output: Output, *, raw: bool = False, seen: Callable[[str], None] = lambda request_id: None
    ) -> None:
        """*seen* is told the id of each approval that is asked for, once what came before it is written."""
        self._out = output
        self._seen = seen
        self._raw = raw
        self._text = Speaker(raw=raw)
        self._thinking = Speaker(raw=raw)
        self._thinks = False
        self._after_calls = False
        self.stopped = False

    async def follow(self, generation: Generation) -> None:
        """To its end, failed or not. Raises BrokenPipeError; the answer is then stopped."""
        try:
            async for batch in generation.batches():
                written = "".join(map(self._of, batch))
                self._out.put(written)
                for event in batch:
                    if isinstance(event, ApprovalRequested):
                        self._seen(event.request_id)
        except OSError:
            generation.cancel()
            raise
        self._out.put(self._end_thinking() + self._text.end())
        self._out.end_line()
        if self.stopped:
            self._out.say("(stopped; what came is kept)")
        self._out.put("\n")

    def _end_thinking(self) -> str:
        if not self._thinks:
            return ""
        self._thinks = False
        rest = self._thinking.end()
        self._thinking = Speaker(raw=self._raw)
        return f"{rest.rstrip()}\nEnd of thinking.\n"

    def _of(self, event: Event) -> str:
        match event:
            case ResponseChunk():
                delta = event.delta.lstrip("\n") if self._after_calls else event.delta
                self._after_calls = False
                return self._end_thinking() + self._text.feed(delta)
            case ReasoningChunk():
                begin = "" if self._thinks else "Thinking:\n"
                self._thinks = True
                return begin + self._thinking.feed(event.delta)
            case ResponseStart():
                return f"{one_line(event.provider)}/{one_line(event.model)}:\n"
            case RetryScheduled():
                self._say(
                    f"retry {event.attempt} of {event.max_retries} in {event.wait:.1f} s: {event.error.get('message')}"
                )
            case ContextCompacting():
                self._say(telling.compacting(event))
            case ContextCompacted():
                self._say(telling.compacted(event))
            case ContextTrimmed():
                self._say(telling.trimmed(event))
            case ConversationUnsaved():
                self._say(f"this chat is not saved: {event.reason}")
            case ResponseComplete():
                self.stopped = event.status == "interrupted"
            case ResponseError() | ConversationCreated() | ProviderStatusChange() | AnalyticsUpdate():
                pass
            case FunctionCalls():
                said = self._end_thinking() + self._text.end()
                self._text = Speaker(raw=self._raw)
                self._after_calls = True
                calls = "".join(f"Calls {one_line(telling.calling(c['name'], c['arguments']))}\n" for c in event.calls)
                return f"{said.rstrip()}\n{calls}" if said.strip() else calls
            case FunctionResult():
                return f"{one_line(event.name)}: {one_line(telling.result(event))}\n"
            case ToolsUnavailable():
                self._say(f"no tools: {event.reason}")
            case ApprovalRequested() | ApprovalAnswered() | FunctionProgress():
                pass
            case MemoryUpdate():
                for line in telling.memory(event):
                    self._say(line)
            case PersonaUpdate():
                for line in telling.persona(event):
                    self._say(line)
            case ProviderFallback():
                self._say(telling.fallback(event))
            case CacheHit():
                self._say(telling.cached(event))
            case BudgetReached() | EventsLost():
                pass  # the error says it
            case _:
                assert_never(event)
        return ""

    def _say(self, text: str) -> None:
        self._out.say(f"({one_line(text)})")


async def ended(generation: Generation) -> float | None:
    """Work *generation* to its end; how many seconds it took."""
    latency: float | None = None
    async for event in generation.events():
        if isinstance(event, ResponseComplete | ResponseError):
            latency = event.latency
    return latency
