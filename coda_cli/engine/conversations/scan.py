"""Lists and searches by reading everything: for conversations in memory, and where there is no index to ask."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from coda_cli.engine.conversations.info import HIT_END, HIT_START, ConversationInfo, Filter, SearchHit
from coda_cli.engine.conversations.tree import Conversation

_AROUND: Final = 60
"""Characters of a message that a hit shows on either side."""


def describe(conversation: Conversation, file: Path = Path(), size: int = 0) -> ConversationInfo:
    """The row of *conversation* in a list."""
    provider = model = ""
    tokens, cost = 0, None
    for node in conversation.nodes.values():
        meta = node.message.metadata
        provider, model = str(meta.get("provider") or provider), str(meta.get("model") or model)
        usage = meta.get("usage")
        if isinstance(usage, dict):
            tokens += sum(usage[name] for name in ("input_tokens", "output_tokens") if isinstance(usage.get(name), int))
        if isinstance(meta.get("cost"), int | float):
            cost = (cost or 0.0) + meta["cost"]
    return ConversationInfo(
        id=conversation.id,
        title=conversation.name,
        created=conversation.created,
        updated=conversation.updated,
        messages=len(conversation.nodes),
        file=file,
        size=size,
        tags=tuple(conversation.tags),
        pinned=conversation.pinned,
        provider=provider,
        model=model,
        tokens=tokens,
        cost=cost,
    )


def fits(info: ConversationInfo, where: Filter) -> bool:
    """Whether *info* is meant by *where*."""
    return (
        (where.tag is None or where.tag.casefold() in (tag.casefold() for tag in info.tags))
        and where.provider in (None, info.provider)
        and where.model in (None, info.model)
        and where.pinned in (None, info.pinned)
        and (where.since is None or info.updated >= where.since)
        and (where.until is None or info.updated <= where.until)
    )


def _around(text: str, word: str) -> str:
    at = text.casefold().find(word)
    if at < 0 or len(text.casefold()) != len(text):
        return text[: 2 * _AROUND]
    start, end = max(0, at - _AROUND), at + len(word)
    return f"{text[start:at]}{HIT_START}{text[at:end]}{HIT_END}{text[end : end + _AROUND]}"


def newest(rows: Iterable[ConversationInfo], where: Filter, *, limit: int, offset: int = 0) -> list[ConversationInfo]:
    """The *rows* that fit, pinned ones first, then by their latest activity."""
    fitting = sorted((row for row in rows if fits(row, where)), key=lambda row: (row.pinned, row.updated), reverse=True)
    return fitting[offset : offset + limit]


def matching(
    conversations: Iterable[tuple[Conversation, ConversationInfo]], text: str, where: Filter
) -> list[SearchHit]:
    """The messages that hold every word of *text*, newest first."""
    words = text.casefold().split()
    hits = []
    for conversation, info in conversations:
        if not words or not fits(info, where):
            continue
        for node in conversation.nodes.values():
            said = node.message.content
            if not node.hidden and all(word in said.casefold() for word in words):
                role, at = node.message.role.value, node.message.created
                hits.append(SearchHit(info, node.message.message_id, role, at, _around(said, words[0]), 0.0))
    hits.sort(key=lambda hit: hit.time, reverse=True)
    return hits
