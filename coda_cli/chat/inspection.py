"""A glass box: what goes to the model, what each part of it takes, what the last turn was, as Markdown."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from coda_cli.chat.command_parts import cell
from coda_cli.chat.session import ChatSession
from coda_cli.chat.shares import SYSTEM, Share, kind, of_request, of_sections, of_tools, section_name
from coda_cli.chat.words import money
from coda_cli.engine.conversations.context import Limits
from coda_cli.engine.conversations.outline import fenced
from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.conversations.turns import summary_message
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.events import (
    ContextCompacted,
    ContextTrimmed,
    Event,
    ResponseComplete,
    ResponseError,
    RetryScheduled,
)
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, MessageRole, system
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.core.prompts import Section, Situation, day_of
from coda_cli.engine.generation import Generation
from coda_cli.engine.redact import hide

_BAR: Final = 24
NOT_TOLD: Final = "in Coda's words: this provider does not tell what it sends"


class Window(Struct, frozen=True):
    """What the next request takes. `size` is the model's window (None: nobody knows), `reserve` is for the answer.

    `cut` says what of the system prompt is left out, and why.
    """

    provider: str
    model: str
    size: int | None
    reserve: int
    shares: tuple[Share, ...]
    cut: tuple[str, ...] = ()

    @property
    def used(self) -> int:
        """All parts together, in tokens."""
        return sum(share.tokens for share in self.shares)


async def window_of(session: ChatSession) -> Window:
    """The window as the next question will find it."""
    provider = model = ""
    limits, small = Limits(), False
    try:
        provider, model = await session.model_name()
        chosen = session.manager.provider(provider)
        profile = chosen.profile(model)
        limits, small = Limits.of(session.manager.config.conversation, profile, chosen.config.max_tokens), profile.tiny
    except LLMError:
        pass  # nothing answers: the parts are counted for an average model
    counter = session.manager.tokens.counter(provider, model)
    count = counter.message
    parts: dict[str, list[int]] = defaultdict(list)
    prompt = await session.system_prompt()
    if prompt:
        parts[SYSTEM].append(count(system(prompt)))
    if session.conversation_id is not None:
        kept = await session.conversations.stored_branch(session.conversation_id)
        covered = set(kept.summary.covers) if kept.summary is not None else set()
        if kept.summary is not None:
            parts["summary"].append(count(summary_message(kept.summary, len(covered))))
        for message in kept.messages:
            if message.message_id in kept.pinned:
                parts["pinned messages"].append(count(message))
            elif message.message_id not in covered:
                parts[kind(message)].append(count(message))
    shares = tuple(Share(name, sum(counts), len(counts)) for name, counts in parts.items())
    assembled = await _sections(session, small=small)
    sections = of_sections(counter, assembled)
    tools = of_tools(counter, model, await _tool_specs(session, provider, model))
    shares = (
        *tools,
        *(share for share in shares if share.name == SYSTEM),
        *sections,
        *(share for share in shares if share.name != SYSTEM),
    )
    cut = tuple(f"{section_name(one)}: {one.cut}" for one in assembled if one.cut)
    return Window(provider, model, limits.window, limits.reserve, shares, cut)


async def _sections(session: ChatSession, *, small: bool) -> Sequence[Section]:
    """What the system prompt of the next question is assembled of, as far as the question does not decide it."""
    manager = session.manager
    if manager.prompts is None:
        return ()
    day, private = day_of(manager.clock.now()), not manager.remembers
    now = Situation(day=day, folder=manager.folder, incognito=private, small=small)
    return (await manager.prompts.assemble(None, now)).sections


async def _tool_specs(session: ChatSession, provider: str, model: str) -> Sequence[ToolSpec]:
    """The tools that the next request will tell of."""
    manager, tools = session.manager, session.manager.tools
    if tools is None or not provider or not manager.config.tools_enabled or session.tools == ():
        return ()
    await tools.ready()
    specs = tools.specs(manager.config.function_calling, session.tools)
    return () if isinstance(tools.fitted(manager.provider(provider), model, specs), str) else specs


async def context_text(session: ChatSession) -> str:
    """`/context`: the window, part by part."""
    window = await window_of(session)
    name = f"{window.provider}/{window.model}" if window.provider else "no model"
    head = f"**{cell(name)}**: about {window.used:,} tokens"
    if window.size:
        head += f" of {window.size:,} ({100 * window.used / window.size:.1f} %)"
    lines = [head, "", "| part | tokens | how many | share |", "|---|--:|--:|---|"]
    whole = max(1, window.used)
    for share in window.shares:
        bar = "█" * round(_BAR * share.tokens / whole)
        lines.append(
            f"| {share.name} | {share.tokens:,} | {share.messages} | {bar} {100 * share.tokens / whole:.0f} % |"
        )
    if window.size:
        free = max(0, window.size - window.used - window.reserve)
        lines.append(f"| kept free for the answer | {window.reserve:,} | | |")
        lines.append(f"| free | {free:,} | | |")
    lines += ["", *(f"- {cell(told)}" for told in window.cut)] if window.cut else []
    lines += ["", "Counts are estimates. `/compact` summarises older messages, `/pin` keeps one out of summaries."]
    return "\n".join(lines)


async def inspect_text(session: ChatSession) -> str:
    """`/inspect`: the last turn of this chat."""
    generation = session.generation
    if generation is None or generation.outcome is None:
        return _stored_turn(await session.opened())
    events = [event async for batch in generation.batches() for event in batch]
    lines = [*_facts(generation, events), "", "**What happened**", ""]
    lines += [f"- {told}" for event in events if (told := _told(event))] or ["- nothing beside the answer"]
    request, sent = generation.outcome.request, sent_json(generation)
    if request is not None:
        lines += ["", "**Tokens by part** (estimates)", "", *_shares(session, generation, request)]
    if sent is not None:
        text = json.dumps(sent, ensure_ascii=False, indent=2, default=str)
        lines += ["", "**The request as it was sent** (keys hidden, attachments by size)", "", fenced(text, "json")]
    elif request is not None:
        lines += ["", f"**The request** ({NOT_TOLD})", "", _request_block(session, generation, request)]
    else:
        lines += ["", "Nothing was sent."]
    return "\n".join(lines)


def sent_json(generation: Generation) -> Any:
    """What was sent for *generation*, as plain data: one request, a list of several, None where nobody can tell."""
    sent = [request.plain() for request in generation.sent]
    return sent[0] if len(sent) == 1 else sent or None


def _facts(generation: Generation, events: Iterable[Event]) -> list[str]:
    outcome = generation.outcome
    assert outcome is not None, "asked for after the end only"  # noqa: S101 - the caller has looked
    response = outcome.response
    last = next((e for e in events if isinstance(e, ResponseComplete | ResponseError)), None)
    usage = response.usage
    price = money(response.cost)
    rows = {
        "model": f"{response.provider}/{response.model}",
        "status": f"{response.status.value} ({response.finish_reason.value})",
        "tokens in": f"{usage.input_tokens:,} ({usage.cached_tokens:,} cached, {usage.cache_write_tokens:,} new there)",
        "tokens out": f"{usage.output_tokens:,} ({usage.reasoning_tokens:,} of them thinking)",
        "price": price,
        "first token": f"{outcome.first_token:.2f} s" if outcome.first_token is not None else "none came",
        "whole answer": f"{last.latency:.2f} s" if last is not None else "",
        "retries": str(last.retries) if last is not None else "",
        "vendor's id": str(response.metadata.get("vendor_response_id") or ""),
        "vendor's model": str(response.metadata.get("vendor_model") or ""),
        "options not taken": ", ".join(response.metadata.get("dropped_options") or ()),
        "error": outcome.error.message if outcome.error is not None else "",
    }
    return [f"- {name}: {cell(value)}" for name, value in rows.items() if value]


def _told(event: Event) -> str:
    match event:
        case RetryScheduled():
            why = cell(str(event.error.get("message")))
            return f"retry {event.attempt} of {event.max_retries} after {event.wait:.1f} s: {why}"
        case ContextCompacted():
            sizes = f"{event.tokens_before:,} to {event.tokens_after:,} tokens"
            return f"{len(event.covers)} messages were summarised ({sizes})"
        case ContextTrimmed():
            return f"{len(event.trimmed)} messages did not fit and were left out"
        case _:
            return ""


def _shares(session: ChatSession, generation: Generation, request: ProviderRequest) -> list[str]:
    outcome = generation.outcome
    name = outcome.response.provider if outcome is not None else ""
    sections = outcome.sections if outcome is not None else ()
    shares = of_request(session.manager.tokens.counter(name, request.model), request, sections)
    whole = max(1, sum(share.tokens for share in shares))
    return [f"- {share.name}: {share.tokens:,} ({_percent(share.tokens, whole)})" for share in shares]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %"


def _request_block(session: ChatSession, generation: Generation, request: ProviderRequest) -> str:
    text = json.dumps(request_json(request), ensure_ascii=False, indent=2, default=str)
    outcome = generation.outcome
    try:
        text = hide(text, session.manager.provider(outcome.response.provider if outcome is not None else "").secrets())
    except LLMError:
        pass  # the provider is gone from the settings, and its key with it
    return fenced(text, "json")


def request_json(request: ProviderRequest) -> dict[str, Any]:
    """*request* as plain data, in the words that all vendors share; attachments by their size."""
    return {
        "model": request.model,
        "messages": [
            {"role": message.role.value, "parts": [_part(part) for part in message.parts]}
            for message in request.messages
        ],
        "options": dict(request.options),
        **({"schema": dict(request.schema)} if request.schema is not None else {}),
        **({"tools": [tool.name for tool in request.tools]} if request.tools else {}),
    }


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, ImagePart | AudioPart | FilePart):
        return {"type": part.type, "name": part.name, "media_type": part.media_type, "bytes": len(part.data)}
    dumped: dict[str, Any] = part.model_dump(mode="json", exclude_none=True)
    return dumped


def _stored_turn(conversation: Conversation) -> str:
    answer = next((n for n in reversed(conversation.path()) if n.message.role is MessageRole.ASSISTANT), None)
    if answer is None:
        return "Nothing has been asked yet."
    meta = answer.message.metadata
    kept = ("provider", "model", "finish_reason", "cost", "latency")
    lines = [f"- {name}: {cell(str(meta[name]))}" for name in kept if meta.get(name) is not None]
    usage = meta.get("usage")
    if isinstance(usage, dict):
        lines += [f"- {name}: {value}" for name, value in usage.items()]
    return "\n".join([*lines, "", "The request itself is kept only until the program ends: this answer is older."])


async def usage_text(session: ChatSession) -> str:
    """`/usage`: tokens and cost of this chat, by model, over all its branches."""
    conversation = await session.opened()
    rows: dict[str, list[Any]] = {}
    for node in conversation.nodes.values():
        meta = node.message.metadata
        if node.message.role is not MessageRole.ASSISTANT:
            continue
        row = rows.setdefault(f"{meta.get('provider') or '?'}/{meta.get('model') or '?'}", [0, 0, 0, None, 0])
        usage = meta.get("usage")
        row[0] += 1
        if isinstance(usage, dict):
            row[1] += _whole(usage.get("input_tokens"))
            row[2] += _whole(usage.get("output_tokens"))
        if isinstance(price := meta.get("cost"), int | float):
            row[3] = (row[3] or 0.0) + price
        else:
            row[4] += 1
    if not rows:
        return "Nothing has been answered yet."
    lines = ["| model | answers | tokens in | tokens out | cost |", "|---|--:|--:|--:|--:|"]
    for name, (answers, sent, came, cost, unpriced) in rows.items():
        price = money(cost) + (f", {unpriced} unpriced" if unpriced and cost is not None else "")
        lines.append(f"| {cell(name)} | {answers} | {sent:,} | {came:,} | {price} |")
    return "\n".join([*lines, "", "All branches count. Summaries and other chats do not: `coda providers status`."])


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
