"""What a transcript shows: the active branch of a conversation as a list of entries. Texts are raw (untrusted)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any, Final

from coda_cli.chat.entry import Attached, Entry, EntryKind, ToolCard, numbered
from coda_cli.chat.file_blocks import FileBlock, split_files
from coda_cli.engine.conversations.tree import Conversation, Node
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    ToolCallPart,
    ToolResultPart,
)

_ENOUGH: Final = 4
"""Letters by which a message's id can be told."""

_KINDS: Final[dict[MessageRole, EntryKind]] = {
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.SYSTEM: "system",
}


def entries_of(conversation: Conversation, to: str | None = None) -> list[Entry]:
    """The entries of the branch that ends at *to* (default: the head); hidden messages are left out.

    A tool's result is part of its call's card. A summary in force stands before the first message that is sent whole.
    """
    path = conversation.path(to)
    results = _results(node.message for node in path)
    joined = {id(part) for found in results.values() for part in found.values()}
    summary = conversation.summary_for(path)
    covered = set(summary.covers) if summary is not None else set()
    out: list[Entry] = []
    told = summary is None
    for node in path:
        if not told and summary is not None and node.message.message_id not in covered:
            out.append(Entry(summary.id, "summary", summary.text, model=summary.model, created=summary.time))
            told = True
        if node.hidden or _is_only_results(node.message, joined):
            continue
        known = results.get(node.message.message_id, {})
        out.append(_entry(node, conversation.siblings(node.message.message_id), known))
    if not told and summary is not None:
        out.append(Entry(summary.id, "summary", summary.text, model=summary.model, created=summary.time))
    return out


def message_at(conversation: Conversation, place: str) -> Node:
    """The message that *place* stands for: its number in the transcript (negative: from the end), or an id.

    Four letters of an id are enough. Raises UsageError.
    """
    shown = numbered(entries_of(conversation))
    try:
        number = int(place) if len(place) < 8 else 0
    except ValueError:
        number = 0
    if 1 <= number <= len(shown) or -len(shown) <= number <= -1:
        return conversation.nodes[shown[number - 1 if number > 0 else number].id]
    enough = len(place.removeprefix("msg-")) >= _ENOUGH  # less is a number, or a slip of the fingers
    found = [one for one in conversation.nodes if enough and one.startswith((place, f"msg-{place}"))]
    if len(found) == 1 or place in found:
        return conversation.nodes[place if place in found else found[0]]
    hint = f"messages are numbered from 1 to {len(shown)}" if shown else "nothing has been said yet"
    raise UsageError(f"there is no message {place!r} in this chat", hint=hint)


def entry_of(message: LLMMessage) -> Entry:
    """The entry of a message that stands alone, such as a question that has just been asked."""
    return _entry(Node(message, None, 0), [message.message_id], {})


def _entry(node: Node, siblings: Sequence[str], results: dict[str, ToolResultPart]) -> Entry:
    message = node.message
    meta = message.metadata
    cost, latency = meta.get("cost"), meta.get("latency")
    files: tuple[FileBlock, ...] = ()
    text = message.content
    if message.role is MessageRole.USER:
        text, files = split_files(text)
    return Entry(
        id=message.message_id,
        kind=_KINDS[message.role],
        text=text,
        reasoning="".join(part.text for part in message.parts if isinstance(part, ReasoningPart)),
        tools=tuple(_card(part, results.get(part.id)) for part in message.tool_calls),
        attached=(*_attached(message.parts), *(Attached("file", f.name, f.size, "text/plain") for f in files)),
        status=message.status,
        provider=str(meta.get("provider") or ""),
        model=str(meta.get("model") or ""),
        created=message.created,
        place=siblings.index(message.message_id) + 1,
        siblings=len(siblings),
        pinned=node.pinned,
        rating=node.rating,
        tokens=_tokens(meta.get("usage")),
        cost=float(cost) if isinstance(cost, int | float) else None,
        latency=float(latency) if isinstance(latency, int | float) else None,
    )


def _results(messages: Iterable[LLMMessage]) -> dict[str, dict[str, ToolResultPart]]:
    """For each message that calls, the results of its calls by their ids, which another message may use again."""
    out: dict[str, dict[str, ToolResultPart]] = {}
    asked: dict[str, str] = {}
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                asked[part.id] = message.message_id
            elif isinstance(part, ToolResultPart) and part.id in asked:
                out.setdefault(asked.pop(part.id), {})[part.id] = part
    return out


def _is_only_results(message: LLMMessage, joined: Container[int]) -> bool:
    """Whether everything in *message* is shown in the cards of the calls before it."""
    return bool(message.parts) and all(id(part) in joined for part in message.parts)


def _card(call: ToolCallPart, result: ToolResultPart | None) -> ToolCard:
    if result is None:
        return ToolCard(call.id, call.name, call.arguments)
    return ToolCard(
        call.id, call.name, call.arguments, result.text, result.is_error, display=result.display, seconds=result.seconds
    )


def _attached(parts: Iterable[Part]) -> Iterable[Attached]:
    for part in parts:
        match part:
            case ImagePart():
                yield Attached("image", part.name or "image", len(part.data), part.media_type)
            case AudioPart():
                yield Attached("audio", part.name or "audio", len(part.data), part.media_type)
            case FilePart():
                yield Attached("file", part.name or "document", len(part.data), part.media_type)
            case _:
                pass


def _tokens(usage: Any) -> int:
    value = usage.get("output_tokens") if isinstance(usage, dict) else None
    return value if isinstance(value, int) else 0
