"""The one file that turns engine events into calls of widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, assert_never

from msgspec.structs import replace

from coda_cli.chat import telling
from coda_cli.chat.entry import Entry, ToolCard
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
from coda_cli.tui.status import Status
from coda_cli.tui.transcript.view import Transcript
from coda_cli.tui.warm import ready

STREAMING: Final = "answer-under-way"
"""The id of the entry that is being written; the message's own id replaces it at the end."""


_MOST_OUTPUT: Final = 8192  # characters of a running call's output that its card shows
_DRAW_EVERY: Final = 0.1


class AnswerView:
    """Shows one answer while it comes. After `follow()`: `error` and `hint` if it failed, `text` of what came."""

    def __init__(
        self, transcript: Transcript, status: Status, note: Callable[[str], None], told: set[str] | None = None
    ) -> None:
        """*told*: what one telling is enough of, over all answers of a chat."""
        self._told = told if told is not None else set()
        self._transcript = transcript
        self._status = status
        self._note = note
        self._begun = False
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._provider = self._model = ""
        self._drawn = 0.0
        self.steps: dict[str, Entry] = {}
        """The steps of the answer that called tools, as they are shown, by the ids of their messages."""
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
                # the paragraph that sets a step apart from the one before is no part of either
                delta = event.delta if self._text or not self.steps else event.delta.lstrip("\n")
                self._text.append(delta)
                self._transcript.feed(delta)
            case ReasoningChunk():
                self._begin()
                self._status.doing("thinking")
                self._thoughts.append(event.delta)
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
            case FunctionCalls():
                self._step(event)
            case FunctionProgress():
                self._progress(event)
            case FunctionResult():
                self._card(
                    event.call_id,
                    result=event.text,
                    display=event.display,
                    is_error=event.is_error,
                    seconds=event.seconds,
                    doing="",
                )
                self._status.doing("waiting")
            case ApprovalRequested():
                self._card(event.call_id, doing="waits for you")
                self._status.doing("waiting for your word")
            case ApprovalAnswered():
                self._card(event.call_id, doing="running")
                self._status.doing(f"running {self._name_of(event.call_id)}")
            case ToolsUnavailable():
                if event.reason not in self._told:
                    self._told.add(event.reason)
                    self._note(f"no tools: {event.reason}")
            case MemoryUpdate():
                self._notes(telling.memory(event))
            case PersonaUpdate():
                self._notes(telling.persona(event))
            case ProviderFallback():
                self._note(telling.fallback(event))
            case CacheHit():
                self._note(telling.cached(event))
            case BudgetReached() | EventsLost():
                pass  # the error says it
            case _:
                assert_never(event)

    def _notes(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._note(line)

    # ---- tools ----------------------------------------------------------------------------------------------------

    def _step(self, event: FunctionCalls) -> None:
        """What was said so far ends with its calls, each a card; what comes next is another entry."""
        cards = tuple(ToolCard(call["id"], call["name"], call["arguments"], doing="…") for call in event.calls)
        entry = Entry(
            event.message_id,
            "assistant",
            "".join(self._text),
            reasoning="".join(self._thoughts),
            tools=cards,
            provider=self._provider,
            model=self._model,
            created=event.time,
        )
        if self._begun:
            self._transcript.end(entry)
        else:
            self._transcript.add(entry)
        self.steps[entry.id] = entry
        self._begun, self._text, self._thoughts = False, [], []
        self._status.doing("running " + ", ".join(dict.fromkeys(card.name for card in cards)))

    def _progress(self, event: FunctionProgress) -> None:
        """A piece of a call's output; drawn ten times a second at most."""
        card = self._find(event.call_id)
        if card is not None:
            said = (card.output + event.text)[-_MOST_OUTPUT:]
            late = event.time - self._drawn >= _DRAW_EVERY
            self._drawn = event.time if late else self._drawn
            self._card(event.call_id, draw=late, output=said)

    def _find(self, call_id: str) -> ToolCard | None:
        return next((card for entry in self.steps.values() for card in entry.tools if card.id == call_id), None)

    def _name_of(self, call_id: str) -> str:
        card = self._find(call_id)
        return card.name if card is not None else "a tool"

    def _card(self, call_id: str, *, draw: bool = True, **changes: Any) -> None:
        """Change a card of the latest step."""
        if not self.steps:
            return
        entry = next(reversed(self.steps.values()))
        cards = tuple(replace(card, **changes) if card.id == call_id else card for card in entry.tools)
        self.steps[entry.id] = entry = replace(entry, tools=cards)
        if draw:
            self._transcript.replace(entry)

    # ---- the end --------------------------------------------------------------------------------------------------

    def settle_steps(self, entries: Mapping[str, Entry]) -> list[Entry]:
        """Put what is kept of the steps (by their ids) in the place of what was shown; returns it."""
        kept = [entries[name] for name in self.steps if name in entries]
        for entry in kept:
            self._transcript.replace(entry)
        return kept

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
        elif entry is not None and entry.id not in self.steps:
            self._transcript.add(entry)
