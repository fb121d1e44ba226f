"""One answer, written as it comes."""

from __future__ import annotations

from typing import assert_never

from coda_cli.chat import telling
from coda_cli.engine.core.events import (
    AnalyticsUpdate,
    ApprovalAnswered,
    ApprovalRequested,
    ContextCompacted,
    ContextCompacting,
    ContextTrimmed,
    ConversationCreated,
    ConversationUnsaved,
    Event,
    FunctionCalls,
    FunctionProgress,
    FunctionResult,
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

    def __init__(self, output: Output, *, raw: bool = False) -> None:
        self._out = output
        self._raw = raw
        self._text = Speaker(raw=raw)
        self._thinking = Speaker(raw=raw)
        self._thinks = False
        self.stopped = False

    async def follow(self, generation: Generation) -> None:
        """To its end, failed or not. Raises BrokenPipeError; the answer is then stopped."""
        try:
            async for batch in generation.batches():
                written = "".join(map(self._of, batch))
                self._out.put(written)
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
                return self._end_thinking() + self._text.feed(event.delta)
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
            case ResponseError() | ConversationCreated() | FunctionCalls() | ProviderStatusChange() | AnalyticsUpdate():
                pass
            case ApprovalRequested() | ApprovalAnswered() | FunctionProgress() | FunctionResult() | ToolsUnavailable():
                pass
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
