"""The one file that turns engine events into calls of widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from coda_cli.chat import telling
from coda_cli.chat.entry import Entry
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
from coda_cli.tui.status import Status
from coda_cli.tui.transcript.view import Transcript
from coda_cli.tui.warm import ready

STREAMING: Final = "answer-under-way"
"""The id of the entry that is being written; the message's own id replaces it at the end."""


class AnswerView:
    """Shows one answer while it comes. After `follow()`: `error` and `hint` if it failed, `text` of what came."""

    def __init__(self, transcript: Transcript, status: Status, note: Callable[[str], None]) -> None:
        self._transcript = transcript
        self._status = status
        self._note = note
        self._begun = False
        self._provider = self._model = ""
        self.error: ResponseError | None = None
        self.complete: ResponseComplete | None = None

    async def follow(self, generation: Generation) -> None:
        """Show *generation* to its end. Raises only defects: an answer's failure is an event."""
        try:
            async for batch in generation.batches():
                for event in batch:
                    self._show(event)
                await ready()
        finally:
            self._status.rest()

    def _show(self, event: Event) -> None:
        match event:
            case ResponseChunk():
                self._begin()
                self._status.doing("answering")
                self._transcript.feed(event.delta)
            case ReasoningChunk():
                self._begin()
                self._status.doing("thinking")
                self._transcript.feed_reasoning(event.delta)
            case ResponseStart():
                self._provider, self._model = event.provider, event.model
                self._status.tell(model=f"{event.provider}/{event.model}")
                self._status.doing("waiting")
            case RetryScheduled():
                why = str(event.error.get("message") or "it failed")
                self._note(f"{why}; retry {event.attempt} of {event.max_retries}")
                self._status.doing(f"retry {event.attempt} of {event.max_retries}", wait=event.wait)
            case ContextCompacting():
                self._status.doing(telling.compacting(event))
            case ContextCompacted():
                self._note(telling.compacted(event))
                self._status.doing("waiting")
            case ContextTrimmed():
                self._note(telling.trimmed(event))
            case ConversationUnsaved():
                self._status.tell(unsaved=True)
                self._note(f"this chat is not saved: {event.reason}" + (f" ({event.hint})" if event.hint else ""))
            case ResponseComplete():
                self.complete = event
            case ResponseError():
                self.error = event
            case ConversationCreated() | ProviderStatusChange() | AnalyticsUpdate():
                pass
            case FunctionCalls() | FunctionProgress() | FunctionResult() | ToolsUnavailable():
                pass
            case ApprovalRequested() | ApprovalAnswered():
                pass
            case _:
                assert_never(event)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._transcript.begin(
                Entry(STREAMING, "assistant", "", status="streaming", provider=self._provider, model=self._model)
            )

    def end(self, entry: Entry | None) -> None:
        """Put the stored answer (None: nothing of it was kept) in the place of the one that streamed."""
        if self._begun:
            if entry is not None:
                self._transcript.end(entry)
            else:
                self._transcript.discard(STREAMING)
        elif entry is not None:
            self._transcript.add(entry)
