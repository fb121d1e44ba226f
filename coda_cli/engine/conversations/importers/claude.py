"""Claude's data export: `conversations.json` in a zip.

Anthropic documents no format. This reads what exports of 2023 to 2026 hold: each conversation has `chat_messages` with
`sender`, `text` and `content` blocks; newer ones name the message before each (`parent_message_uuid`), so that an edit
or a new try is a sibling, in older ones the order of the list is all there is.
"""

from __future__ import annotations

import json
from typing import Any, Final

from coda_cli.engine.conversations.importers.growing import (
    Draft,
    Tree,
    listed,
    mapping,
    seconds,
    stable_id,
    string,
    tidy,
    title,
)
from coda_cli.engine.conversations.importers.reading import JSON
from coda_cli.engine.conversations.outline import fenced
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    ToolCallPart,
    ToolResultPart,
)

ROOT: Final = "00000000-0000-4000-8000-000000000000"
"""The parent of a first message."""

_NO_WORDS: Final = ("token_budget", "flag")
_Turn = tuple[MessageRole, list[str | Part]]


def is_conversation(value: JSON) -> bool:
    """Whether *value* looks like one of Claude's."""
    return isinstance(value.get("chat_messages"), list)


def tree(value: JSON) -> Tree:
    """The conversation *value*."""
    name = value.get("uuid") or value.get("name") or ""
    created = seconds(value.get("created_at")) or seconds(value.get("updated_at"))
    made = Tree(
        stable_id("claude", name), title(value.get("name")), created, {"import": "claude", "id": str(name)[:200]}
    )
    messages: list[JSON] = []
    for number, message in enumerate(value["chat_messages"]):
        if isinstance(message, dict):
            messages.append(message)
        else:
            made.problems.append(f"message {number} is none")
    branched = any(string(message.get("parent_message_uuid")) for message in messages)
    groups: list[list[Draft]] = []
    ends: dict[str, str] = {}  # a message with tools in it becomes several; what follows it follows the last of them
    before: str | None = None
    for number, message in enumerate(messages):
        key = string(message.get("uuid")) or f"message-{number}"
        parent = string(message.get("parent_message_uuid")) if branched else before
        group = _drafts(key, None if parent in (ROOT, "") else parent, message)
        ends.setdefault(key, group[-1].id)
        groups.append(group)
        before = key
    for group in groups:
        if group[0].parent is not None:
            group[0].parent = ends.get(group[0].parent, group[0].parent)
        made.drafts += group
    made.head = ends.get(string(value.get("current_leaf_message_uuid")))
    return made


def _drafts(key: str, parent: str | None, message: JSON) -> list[Draft]:
    """The message as Coda's messages: calls and their results are apart there, as vendors want them."""
    time = seconds(message.get("created_at"))
    model = string(message.get("model"))
    turns = [(role, parts) for role, pieces in _turns(key, message) if (parts := tidy(pieces))]
    if not turns:
        return [Draft(key, parent, None, time)]
    out: list[Draft] = []
    for number, (role, parts) in enumerate(turns):
        name = f"{key}.{number}" if number else key
        more: dict[str, Any] = {}
        if role is MessageRole.ASSISTANT:
            more = {"provider": "anthropic", **({"model": model[:200]} if model else {})}
        said = LLMMessage(role=role, parts=parts, message_id=name, created=0.0, metadata=more)
        out.append(Draft(name, out[-1].id if out else parent, said, time))
    return out


def _turns(key: str, message: JSON) -> list[_Turn]:
    role = MessageRole.USER if message.get("sender") in ("human", "user") else MessageRole.ASSISTANT
    turns: list[_Turn] = [(role, [])]
    open_calls: list[tuple[str, str]] = []
    blocks = [block for block in listed(message.get("content")) if isinstance(block, dict)]
    for number, block in enumerate(blocks):
        if block.get("type") == "tool_use":
            call = ToolCallPart(
                id=f"{key}-{number}", name=string(block.get("name")) or "tool", arguments=_text_of(block.get("input"))
            )
            open_calls.append((string(block.get("id")), call.id))
            _turn(turns, role).append(call)
        elif block.get("type") == "tool_result":
            _turn(turns, MessageRole.TOOL).append(_result(block, open_calls, f"{key}-{number}"))
        else:
            _turn(turns, role).extend(_block(block))
    if not any(pieces for _, pieces in turns):
        turns[0][1].append(string(message.get("text")))
    turns[0][1][:0] = _attachments(message)
    return turns


def _turn(turns: list[_Turn], role: MessageRole) -> list[str | Part]:
    """The pieces of the turn that goes on as *role*."""
    if turns[-1][0] is not role:
        turns.append((role, []))
    return turns[-1][1]


def _result(block: JSON, open_calls: list[tuple[str, str]], fallback: str) -> ToolResultPart:
    """The result, paired with its call: by the vendor's id where the export has one, else with the oldest open one."""
    wanted = string(block.get("tool_use_id"))
    at = next((at for at, (theirs, _) in enumerate(open_calls) if theirs == wanted), 0)
    ours = open_calls.pop(at)[1] if open_calls else fallback
    content = block.get("content")
    texts = [content] if isinstance(content, str) else [_shown(mapping(inner)) for inner in listed(content)]
    return ToolResultPart(
        id=ours,
        name=string(block.get("name")) or "tool",
        text="\n\n".join(text for text in texts if text),
        is_error=block.get("is_error") is True,
    )


def _shown(inner: JSON) -> str:
    if isinstance(text := inner.get("text"), str):
        return text
    kind = string(inner.get("type")) or "part"
    found = " ".join((string(inner.get("title")) + " " + string(inner.get("url"))).split())
    return found or f"[{kind}]"


def _block(block: JSON) -> list[str | Part]:
    match block.get("type"):
        case "thinking":
            thought = string(block.get("thinking"))
            return [ReasoningPart(text=thought)] if thought.strip() else []
        case "text":
            return [string(block.get("text"))]
        case kind if kind in _NO_WORDS:
            return []
    text = block.get("text")
    return [text if isinstance(text, str) else "[a block of an unknown kind]"]


def _attachments(message: JSON) -> list[str | Part]:
    out: list[str | Part] = []
    seen: set[str] = set()
    for attached in map(mapping, listed(message.get("attachments"))):
        name = " ".join(string(attached.get("file_name")).split())[:200] or "a pasted text"
        text = string(attached.get("extracted_content"))
        seen.add(name)
        out.append(f"[attached file: {name}]")
        if text:
            out.append(fenced(text))
    for key in ("files", "files_v2"):
        for file in map(mapping, listed(message.get(key))):
            name = " ".join(string(file.get("file_name")).split())[:200]
            if name and name not in seen:
                seen.add(name)
                out.append(f"[attached file: {name}]")
    return out


def _text_of(value: object) -> str:
    try:
        return value if isinstance(value, str) else json.dumps({} if value is None else value, ensure_ascii=False)
    except RecursionError:
        return "{}"
