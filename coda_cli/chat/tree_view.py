"""A whole conversation as lines of a tree: every branch, where each leaves the others, and where the chat stands."""

from __future__ import annotations

from collections.abc import Iterator

from coda_cli.chat.command_parts import excerpt
from coda_cli.chat.file_blocks import split_files
from coda_cli.chat.front import Option
from coda_cli.chat.telling import calling
from coda_cli.engine.conversations.outline import fenced, speaker
from coda_cli.engine.conversations.tree import Conversation, Node
from coda_cli.engine.core.messages import LLMMessage, ToolResultPart


def tree_rows(conversation: Conversation) -> Iterator[tuple[int, Node]]:
    """(depth, message) of all messages, each before what follows it; the depth grows only where branches part."""
    stack = [(0, one) for one in reversed(conversation.roots)]
    if len(stack) > 1:
        stack = [(1, one) for _, one in stack]
    seen: set[str] = set()
    while stack:
        depth, at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        node = conversation.nodes[at]
        yield depth, node
        below = depth + (len(node.children) > 1)
        stack += [(below, child) for child in reversed(node.children)]


def tree_options(conversation: Conversation) -> tuple[list[str], list[Option]]:
    """The ids of all messages, and each as a choice."""
    active = {node.message.message_id for node in conversation.path()}
    ids, options = [], []
    for depth, node in tree_rows(conversation):
        ids.append(node.message.message_id)
        marks = [speaker(node)]
        if node.message.message_id == conversation.head:
            marks.append("here")
        elif node.message.message_id not in active:
            marks.append("another branch")
        marks += [word for word, on in (("pinned", node.pinned), ("deleted from view", node.hidden)) if on]
        marks += [f"rated {node.rating}"] if node.rating else []
        text = excerpt(_said(node.message)) or "(no text)"
        options.append(Option("  " * depth + text, ", ".join(marks), text))
    return ids, options


def _said(message: LLMMessage) -> str:
    """What a message says in words: its text, else what it calls or what calls gave."""
    if text := split_files(message.content)[0]:
        return text
    results = [f"{part.name}: {part.text}" for part in message.parts if isinstance(part, ToolResultPart)]
    return ", ".join([*(calling(call.name, call.arguments) for call in message.tool_calls), *results])


def tree_text(conversation: Conversation) -> str:
    """The tree as a code block."""
    _, options = tree_options(conversation)
    return fenced("\n".join(f"{option.label}  ({option.detail})" for option in options))
