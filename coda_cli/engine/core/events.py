"""Two closed unions: what a provider yields, and what the engine tells the world.

`ProviderEvent` is what a vendor's stream says, in Coda's words. Order: any of text, reasoning, tool-call deltas and
usage, then exactly one `Finished`. A stream that ends without `Finished` was cut.

`Event` is what front ends, programs and logs see. It is frozen and JSON-able (`to_json()`); every event has `type`,
`seq` (from 0, without gaps, per generation), `time` (Unix seconds) and `conversation_id`. Order within a generation:
`conversation_created` (only for a new conversation), `response_start`; `memory_update` and `persona_update` where the
question changed something; then `context_compacting`, `context_compacted` and `context_trimmed` where the context had
to shrink, then any of `response_chunk`, `reasoning_chunk`, `function_calls`, `retry_scheduled`, `provider_fallback`,
`cache_hit`, `budget_reached`; for each call of a `function_calls` then, in any order with those of its siblings,
`approval_requested` and `approval_answered` where a person is asked, `function_progress`, and last its
`function_result`; then the model goes on. Last comes exactly one of `response_complete` and `response_error`, after
which only an `analytics_update` may follow. `conversation_unsaved` may come once, anywhere after `response_start`. A
`provider_fallback` may come before `response_start`. `provider_status_change` and `events_lost` belong to no
generation; the latter reaches one subscriber alone.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

from msgspec import Struct

from coda_cli.engine.core.usage import FinishReason, TokenUsage

# ---- what a provider yields -----------------------------------------------------------------------------------


class TextDelta(Struct, frozen=True):
    """A piece of the answer."""

    text: str


class ReasoningDelta(Struct, frozen=True):
    """A piece of the model's thinking; `signature` and `data` (opaque, whole) close a block of it."""

    text: str = ""
    signature: str | None = None
    data: str | None = None


class ToolCallDelta(Struct, frozen=True):
    """A piece of a tool call. Pieces of one call share `index`; `id` and `name` may come only with the first."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Usage(Struct, frozen=True):
    """The vendor's token counts so far; a later one replaces an earlier one."""

    usage: TokenUsage


class Finished(Struct, frozen=True):
    """The vendor's own end marker arrived."""

    reason: FinishReason
    model: str | None = None
    response_id: str | None = None


ProviderEvent = TextDelta | ReasoningDelta | ToolCallDelta | Usage | Finished


# ---- what the engine tells the world --------------------------------------------------------------------------


class _Event(Struct, frozen=True, kw_only=True):
    type: ClassVar[str]
    seq: int = -1
    time: float = 0.0
    conversation_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """The event as plain data, `type` first."""
        out: dict[str, Any] = {"type": self.type}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            out[name] = value.model_dump() if isinstance(value, TokenUsage) else deepcopy(value)
        return out


class ConversationCreated(_Event, frozen=True, kw_only=True):
    """A new conversation exists."""

    type: ClassVar[str] = "conversation_created"


class ConversationUnsaved(_Event, frozen=True, kw_only=True):
    """What was said lately could not be kept, and why: the conversation goes on in memory until the disk is well."""

    type: ClassVar[str] = "conversation_unsaved"
    reason: str
    hint: str | None = None


class ResponseStart(_Event, frozen=True, kw_only=True):
    """The request is about to leave for `provider`."""

    type: ClassVar[str] = "response_start"
    response_id: str
    provider: str
    model: str


class ResponseChunk(_Event, frozen=True, kw_only=True):
    """A piece of the answer."""

    type: ClassVar[str] = "response_chunk"
    delta: str


class ReasoningChunk(_Event, frozen=True, kw_only=True):
    """A piece of the model's thinking."""

    type: ClassVar[str] = "reasoning_chunk"
    delta: str


class FunctionCalls(_Event, frozen=True, kw_only=True):
    """The model asks for tools: a list of `{"id", "name", "arguments"}` (arguments as JSON text).

    `message_id` is the message that asks, "" where it is not kept.
    """

    type: ClassVar[str] = "function_calls"
    calls: list[dict[str, str]]
    message_id: str = ""


class ApprovalRequested(_Event, frozen=True, kw_only=True):
    """The call `call_id` waits for a person: `request` is `ApprovalRequest.to_json()`."""

    type: ClassVar[str] = "approval_requested"
    request_id: str
    call_id: str
    name: str
    request: dict[str, Any]


class ApprovalAnswered(_Event, frozen=True, kw_only=True):
    """What was said to the request: "once", "chat", "always" or "no"; `reason` is what the model is told with a no."""

    type: ClassVar[str] = "approval_answered"
    request_id: str
    call_id: str
    decision: str
    reason: str = ""


class FunctionProgress(_Event, frozen=True, kw_only=True):
    """A running call says how far it is, or gives a piece of its output."""

    type: ClassVar[str] = "function_progress"
    call_id: str
    text: str


class FunctionResult(_Event, frozen=True, kw_only=True):
    """A call has ended: `text` goes to the model, `display` (Markdown, "": the text) is for a person.

    `seconds` is how long it ran, None where it did not run at all.
    """

    type: ClassVar[str] = "function_result"
    call_id: str
    name: str
    text: str
    display: str = ""
    is_error: bool = False
    seconds: float | None = None


class ToolsUnavailable(_Event, frozen=True, kw_only=True):
    """Tools were asked for and this model cannot use them, and why."""

    type: ClassVar[str] = "tools_unavailable"
    reason: str


class RetryScheduled(_Event, frozen=True, kw_only=True):
    """Attempt `attempt` (from 1) failed with `error`; the next one starts in `wait` seconds."""

    type: ClassVar[str] = "retry_scheduled"
    attempt: int
    max_retries: int
    wait: float
    error: dict[str, Any]


class ProviderFallback(_Event, frozen=True, kw_only=True):
    """`provider` failed with `error` before anything of an answer came: `to_provider` is asked instead, as wished."""

    type: ClassVar[str] = "provider_fallback"
    provider: str
    model: str
    to_provider: str
    to_model: str
    error: dict[str, Any]


class CacheHit(_Event, frozen=True, kw_only=True):
    """The very same was asked `age` seconds ago: what was said then follows at once, and costs nothing."""

    type: ClassVar[str] = "cache_hit"
    provider: str
    model: str
    age: float


class BudgetReached(_Event, frozen=True, kw_only=True):
    """A limit stands in the way of this request, or has stopped its answer.

    `scope` is "request", "conversation", "day" or "month"; `unit` "usd" or "tokens"; `spent` what is used of `limit`
    by now, with what is under way elsewhere; `needed` what this request would have taken beside it (an estimate).
    """

    type: ClassVar[str] = "budget_reached"
    scope: str
    unit: str
    limit: float
    spent: float
    needed: float


class ResponseComplete(_Event, frozen=True, kw_only=True):
    """The answer is done. `status` is "complete" or "interrupted"; `cost` is in USD, None if not known.

    `cached`: all of it came from the cache.
    """

    type: ClassVar[str] = "response_complete"
    response_id: str
    provider: str
    model: str
    content: str
    finish_reason: str
    status: str
    usage: TokenUsage
    cost: float | None = None
    latency: float = 0.0
    retries: int = 0
    cached: bool = False


class ResponseError(_Event, frozen=True, kw_only=True):
    """The answer failed. `partial` is the text that came; `status` is "incomplete" or "error"."""

    type: ClassVar[str] = "response_error"
    response_id: str
    provider: str
    model: str
    error: dict[str, Any]
    partial: str
    status: str
    usage: TokenUsage
    latency: float = 0.0
    retries: int = 0


class ProviderStatusChange(_Event, frozen=True, kw_only=True):
    """A provider became reachable, or stopped being so."""

    type: ClassVar[str] = "provider_status_change"
    provider: str
    available: bool
    reason: str | None = None


class AnalyticsUpdate(_Event, frozen=True, kw_only=True):
    """Totals of this process after a request: requests, tokens, and USD for `provider`."""

    type: ClassVar[str] = "analytics_update"
    provider: str
    request_count: int
    total_tokens: int
    total_cost: float


class ContextCompacting(_Event, frozen=True, kw_only=True):
    """The model is asked to summarise `messages` older messages; `reason` is as in `ContextCompacted`."""

    type: ClassVar[str] = "context_compacting"
    messages: int
    reason: str


class ContextCompacted(_Event, frozen=True, kw_only=True):
    """Older messages were summarised: from now on `text` is sent in place of the messages `covers`.

    `reason` is the limit that was reached: "summarize_threshold", "max_messages", "max_tokens_per_conversation" or
    "context_window"; "request" where a person asked for it. `tokens_before` and `tokens_after` are what the
    conversation takes in the request (estimates).
    """

    type: ClassVar[str] = "context_compacted"
    summary_id: str
    covers: list[str]
    text: str
    reason: str
    tokens_before: int
    tokens_after: int


class ContextTrimmed(_Event, frozen=True, kw_only=True):
    """The messages `trimmed` are left out of this request; they stay in the conversation.

    `reason` is the limit that was reached, as in `ContextCompacted`. `failure` says why they were not summarised
    instead, None where summarising is off. `tokens` is what the rest of the conversation takes (an estimate).
    """

    type: ClassVar[str] = "context_trimmed"
    trimmed: list[str]
    reason: str
    tokens: int
    failure: str | None = None


class MemoryUpdate(_Event, frozen=True, kw_only=True):
    """What was kept, changed, forgotten or refused because of what the person said: `Noticed` as plain data.

    `failure` says why nothing could be kept, where that is so.
    """

    type: ClassVar[str] = "memory_update"
    changes: list[dict[str, Any]]
    failure: str | None = None


class PersonaUpdate(_Event, frozen=True, kw_only=True):
    """How the persona has changed because of what the person said: `Adapted` as plain data."""

    type: ClassVar[str] = "persona_update"
    changes: list[dict[str, Any]]
    failure: str | None = None


class EventsLost(_Event, frozen=True, kw_only=True):
    """To one subscriber only: it was too slow, and `count` chunks were left out here. No other event ever is."""

    type: ClassVar[str] = "events_lost"
    count: int


Event = (
    ConversationCreated
    | ConversationUnsaved
    | ResponseStart
    | ResponseChunk
    | ReasoningChunk
    | FunctionCalls
    | ApprovalRequested
    | ApprovalAnswered
    | FunctionProgress
    | FunctionResult
    | ToolsUnavailable
    | RetryScheduled
    | ResponseComplete
    | ResponseError
    | ProviderStatusChange
    | AnalyticsUpdate
    | ContextCompacting
    | ContextCompacted
    | ContextTrimmed
    | MemoryUpdate
    | PersonaUpdate
    | ProviderFallback
    | CacheHit
    | BudgetReached
    | EventsLost
)
SCHEMA_VERSION = 1
"""Of the events: raised when a field goes or changes its meaning; a new event or field leaves it as it is."""
FINAL_EVENTS = (ResponseComplete, ResponseError)
