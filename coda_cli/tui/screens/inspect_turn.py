"""The last turn of a chat, for the screen that looks into it. Keys are hidden, attachments told by their size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coda_cli.chat import telling
from coda_cli.chat.inspection import NOT_TOLD, request_json, sent_json
from coda_cli.chat.session import ChatSession
from coda_cli.chat.shares import of_request
from coda_cli.chat.words import price
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.events import (
    ApprovalAnswered,
    ApprovalRequested,
    ContextCompacted,
    ContextCompacting,
    ContextTrimmed,
    ConversationUnsaved,
    Event,
    FunctionCalls,
    FunctionResult,
    MemoryUpdate,
    PersonaUpdate,
    ReasoningChunk,
    ResponseChunk,
    ResponseComplete,
    ResponseError,
    ResponseStart,
    RetryScheduled,
)
from coda_cli.engine.core.messages import MessageRole
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.redact import hide
from coda_cli.tui.screens.inspect import Moment, Turn


async def last_turn(session: ChatSession) -> Turn:
    """The turn that ended last in this chat; of an older one only what is stored."""
    generation = session.generation
    if generation is None or generation.response is None or generation.outcome is None:
        return await _stored(session)
    outcome, response = generation.outcome, generation.response
    events = [event async for batch in generation.batches() for event in batch]
    last = next((event for event in events if isinstance(event, ResponseComplete | ResponseError)), None)
    facts = {
        "model": f"{response.provider}/{response.model}",
        "status": f"{response.status.value} ({response.finish_reason.value})",
        **_usage(response.usage),
        "price": price(response.cost),
        "first word": f"{outcome.first_token:.2f} s" if outcome.first_token is not None else "none came",
        "whole answer": f"{last.latency:.2f} s" if last is not None else "",
        "retries": str(last.retries) if last is not None and last.retries else "",
        "vendor's id": str(response.metadata.get("vendor_response_id") or ""),
        "vendor's model": str(response.metadata.get("vendor_model") or ""),
        "options not taken": ", ".join(response.metadata.get("dropped_options") or ()),
        "error": outcome.error.message if outcome.error is not None else "",
    }
    request, sent = outcome.request, sent_json(generation)
    window = None
    secrets: Sequence[str] = ()
    try:
        provider = session.manager.provider(response.provider)
        window, secrets = provider.profile(response.model).context_window, list(provider.secrets())
    except LLMError:
        pass  # it is gone from the settings, and its key with it
    counter = session.manager.tokens.counter(response.provider, response.model)
    return Turn(
        facts=[(name, value) for name, value in facts.items() if value],
        parts=of_request(counter, request, outcome.sections) if request is not None else (),
        window=window,
        moments=moments(events),
        request=_redacted(request_json(request), secrets) if sent is None and request is not None else sent,
        remark=NOT_TOLD if sent is None and request is not None else "",
    )


def _usage(usage: TokenUsage) -> dict[str, str]:
    return {
        "tokens in": f"{usage.input_tokens:,} ({usage.cached_tokens:,} cached, {usage.cache_write_tokens:,} new there)",
        "tokens out": f"{usage.output_tokens:,} ({usage.reasoning_tokens:,} of them thinking)",
    }


def _redacted(value: Any, secrets: Sequence[str]) -> Any:
    """Plain data without anything that is a key, wherever it stands."""
    match value:
        case str():
            return hide(value, secrets)
        case dict():
            return {hide(str(name), secrets): _redacted(inner, secrets) for name, inner in value.items()}
        case list() | tuple():
            return [_redacted(inner, secrets) for inner in value]
        case _:
            return value


def moments(events: Sequence[Event]) -> list[Moment]:
    """What happened when; of the pieces of an answer only the first of each kind."""
    start = events[0].time if events else 0.0
    out: list[Moment] = []
    seen: set[type[Event]] = set()
    for event in events:
        told = _told(event, first=type(event) not in seen)
        seen.add(type(event))
        if told:
            bad = isinstance(event, RetryScheduled | ResponseError | ConversationUnsaved)
            out.append(Moment(max(0.0, event.time - start), told, bad))
    return out


def _told(event: Event, *, first: bool) -> str:
    match event:
        case ResponseStart():
            return f"the request leaves for {event.provider}/{event.model}"
        case ReasoningChunk():
            return "the model thinks" if first else ""
        case ResponseChunk():
            return "the first word" if first else ""
        case RetryScheduled():
            why = event.error.get("message")
            return f"attempt {event.attempt} failed: {why}; the next in {event.wait:.1f} s"
        case FunctionCalls():
            return "asks for " + ", ".join(call.get("name", "?") for call in event.calls)
        case ApprovalRequested():
            return f"{event.name} waits for a word"
        case ApprovalAnswered():
            return f"the word is: {event.decision}"
        case FunctionResult():
            return f"{event.name}: {telling.result(event)}"
        case MemoryUpdate():
            return "; ".join(telling.memory(event))
        case PersonaUpdate():
            return "; ".join(telling.persona(event))
        case ContextCompacting():
            return f"{event.messages:,} older messages are summarised"
        case ContextCompacted():
            return f"summarised: {event.tokens_before:,} tokens are {event.tokens_after:,} now"
        case ContextTrimmed():
            return f"{len(event.trimmed):,} messages did not fit and are left out"
        case ConversationUnsaved():
            return f"not saved: {event.reason}"
        case ResponseComplete():
            return f"the end: {event.finish_reason}, {event.usage.output_tokens:,} tokens, {price(event.cost)}"
        case ResponseError():
            return f"failed: {event.error.get('message')}"
        case _:
            return ""


async def _stored(session: ChatSession) -> Turn:
    path = (await session.opened()).path()
    answer = next((node for node in reversed(path) if node.message.role is MessageRole.ASSISTANT), None)
    if answer is None:
        return Turn()
    meta = answer.message.metadata
    facts = [(name, str(meta[name])) for name in ("provider", "model", "finish_reason") if meta.get(name)]
    if isinstance(took := meta.get("latency"), int | float):
        facts.append(("whole answer", f"{took:.2f} s"))
    cost, usage = meta.get("cost"), meta.get("usage")
    facts.append(("price", price(cost if isinstance(cost, int | float) else None)))
    if isinstance(usage, dict):
        facts += [(str(name).replace("_", " "), str(value)) for name, value in usage.items()]
    return Turn(facts=facts)
