"""ChatGPT's data export: `conversations.json`, or `conversations-000.json` and on, in a zip with the pictures.

OpenAI documents no format. This reads what exports of 2023 to 2026 hold: each conversation is a `mapping` of nodes with
`parent` and `children`, where a new try or an edit is a sibling, and `current_node` is where it stands. Pictures are
named by pointers (`file-service://file-Ab12`, `sediment://file_00ab`) and lie in the zip as `file-Ab12-name.png`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from coda_cli.engine.conversations.importers.growing import (
    Draft,
    Tree,
    listed,
    mapping,
    picture,
    seconds,
    stable_id,
    string,
    tidy,
    title,
)
from coda_cli.engine.conversations.importers.reading import JSON, ArchiveError, Assets
from coda_cli.engine.conversations.outline import fenced
from coda_cli.engine.core.messages import LLMMessage, MessageRole, Part, ReasoningPart
from coda_cli.engine.rendering.sanitize import sanitize

_POINTER: Final = re.compile(r"(?:file-service|sediment)://(file[-_][A-Za-z0-9]{1,100})")
_ROLES: Final = {"user": MessageRole.USER, "assistant": MessageRole.ASSISTANT, "tool": MessageRole.TOOL}
_STATUS: Final = {"in_progress": "interrupted", "finished_partial_completion": "incomplete"}
# the account's own settings, which ChatGPT repeats as a hidden message in every conversation
_SETTINGS: Final = ("user_editable_context", "model_editable_context")


def is_conversation(value: JSON) -> bool:
    """Whether *value* looks like one of ChatGPT's."""
    return isinstance(value.get("mapping"), dict)


def tree(value: JSON, assets: Assets) -> Tree:
    """The conversation *value*, its pictures taken from *assets*."""
    nodes: dict[str, Any] = value["mapping"]
    name = value.get("conversation_id") or value.get("id") or sorted(nodes)[:1]
    created = seconds(value.get("create_time")) or seconds(value.get("update_time"))
    origin = {"import": "chatgpt", "id": str(name)[:200]}
    made = Tree(stable_id("chatgpt", name), title(value.get("title")), created, origin)
    if value.get("is_archived") is True:
        made.tags.append("archived")
    if value.get("is_starred") is True:
        made.tags.append("starred")
    above = _parents(nodes)
    model = string(value.get("default_model_slug"))
    for key, node in nodes.items():
        if not isinstance(node, dict):
            made.problems.append(f"node {sanitize(key[:60])} is none")
            node = {}
        message = mapping(node.get("message"))
        parent = node.get("parent")
        parent = parent if isinstance(parent, str) and parent else above.get(key)
        said = _message(key, message, model, assets, made.problems) if message else None
        made.drafts.append(Draft(key, parent, said, seconds(message.get("create_time"))))
    made.head = string(value.get("current_node")) or None
    return made


def _parents(nodes: dict[str, Any]) -> dict[str, str]:
    """The parents as the lists of children tell them."""
    out: dict[str, str] = {}
    for key, node in nodes.items():
        for child in listed(mapping(node).get("children")):
            if isinstance(child, str):
                out.setdefault(child, key)
    return out


def _message(key: str, message: JSON, model: str, assets: Assets, problems: list[str]) -> LLMMessage | None:
    """The message of a node; None for what ChatGPT itself does not show."""
    author, meta, content = mapping(message.get("author")), mapping(message.get("metadata")), message.get("content")
    role = _ROLES.get(string(author.get("role")))
    if role is None or meta.get("is_visually_hidden_from_conversation") is True or message.get("weight") == 0:
        return None
    content = {"content_type": "text", "parts": [content]} if isinstance(content, str) else mapping(content)
    if content.get("content_type") in _SETTINGS:
        return None
    pieces = _pieces(content, _Pictures(assets, meta, problems))
    pieces += [f"[attached file: {name}]" for name in _attached(meta)]
    parts = tidy(pieces)
    if not parts:
        return None
    if role is MessageRole.ASSISTANT and any(part.type == "image" for part in parts):
        role = MessageRole.TOOL  # made by a tool; and no vendor takes an image that an assistant says
    more: dict[str, Any] = {}
    if role is not MessageRole.USER:
        more["provider"] = "openai"
        if slug := string(meta.get("model_slug")) or model:
            more["model"] = slug[:200]
    if role is MessageRole.TOOL and (tool := string(author.get("name"))):
        more["tool"] = tool[:200]
    if (recipient := string(message.get("recipient"))) not in ("", "all"):
        more["recipient"] = recipient[:200]
    status = _STATUS.get(string(message.get("status")), "complete") if role is MessageRole.ASSISTANT else "complete"
    return LLMMessage(role=role, parts=parts, message_id=key, created=0.0, status=status, metadata=more)


def _attached(meta: JSON) -> list[str]:
    """The names of attached files that are no pictures (those are parts of their own)."""
    out: list[str] = []
    for attached in map(mapping, listed(meta.get("attachments"))):
        kind = string(attached.get("mime_type")) or string(attached.get("mimeType"))
        if not kind.startswith("image/") and (name := string(attached.get("name"))):
            out.append(" ".join(name.split())[:200])
    return out


class _Pictures:
    """Finds the pictures of one message, and tells of those that it cannot find."""

    def __init__(self, assets: Assets, meta: JSON, problems: list[str]) -> None:
        self._assets = assets
        self._problems = problems
        attached = map(mapping, listed(meta.get("attachments")))
        self._names = {string(one.get("id")): string(one.get("name"))[:200] for one in attached}

    def part(self, pointer: JSON) -> str | Part:
        found = _POINTER.match(string(pointer.get("asset_pointer")))
        if found is None:
            return "[an image]"
        key = found.group(1)
        name = self._names.get(key) or key
        try:
            content = self._assets.load(key)
        except ArchiveError as exc:
            self._problems.append(f"image {sanitize(name)}: {exc}")
            return f"[an image that could not be read: {name}]"
        if content is None:
            self._problems.append(f"image {sanitize(name)} is not in the export")
            return f"[an image that is not in the export: {name}]"
        return picture(content, name) or f"[a file of a kind that is not shown: {name}]"


def _pieces(content: JSON, pictures: _Pictures) -> list[str | Part]:
    kind, text = content.get("content_type"), string(content.get("text"))
    match kind:
        case "code":
            language = string(content.get("language"))
            return [fenced(text, "" if language == "unknown" else language)] if text else []
        case "execution_output":
            return [fenced(text)] if text else []
        case "thoughts":
            thoughts = [_thought(mapping(thought)) for thought in listed(content.get("thoughts"))]
            whole = "\n\n".join(thought for thought in thoughts if thought)
            return [ReasoningPart(text=whole)] if whole else []
        case "reasoning_recap":
            recap = string(content.get("content")) or text
            return [ReasoningPart(text=recap)] if recap.strip() else []
        case "tether_quote":
            where = " ".join((string(content.get("title")) or string(content.get("url"))).split())
            return [where, "\n".join(f"> {line}" for line in text.splitlines())]
        case "tether_browsing_display":
            return [string(content.get("result")) or string(content.get("summary"))]
        case "system_error":
            return [" ".join(filter(None, [string(content.get("name")), text]))]
    out: list[str | Part] = [text] if text else []
    for part in listed(content.get("parts")):
        out += _part(part, pictures)
    return out


def _thought(thought: JSON) -> str:
    summary, content = string(thought.get("summary")), string(thought.get("content"))
    return "\n\n".join(piece for piece in (f"**{summary}**" if summary else "", content) if piece.strip())


def _part(part: object, pictures: _Pictures) -> list[str | Part]:
    if isinstance(part, str):
        return [part]
    inner = mapping(part)
    match inner.get("content_type"):
        case "image_asset_pointer":
            return [pictures.part(inner)]
        case "audio_transcription":
            return [string(inner.get("text"))]
        case "audio_asset_pointer" | "real_time_user_audio_video_asset_pointer":
            return ["[a recording]"]
    text = inner.get("text")
    return [text if isinstance(text, str) else "[a part of an unknown kind]"] if inner else []
