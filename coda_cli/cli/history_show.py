"""`coda history show`: one conversation to read, a branch of it or the whole tree."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from coda_cli.chat.words import counted
from coda_cli.cli.history_common import clock, cut, find, find_message, one_line, open_folder, short_message, width
from coda_cli.cli.output import can_draw, put_json, style, warn
from coda_cli.engine.conversations.outline import attached, speaker
from coda_cli.engine.conversations.tree import Conversation, Node, Summary
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    MessageRole,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.rendering.sanitize import sanitize

_RESULT: Final = 2000
"""Characters of a tool's arguments and result that are shown: `export` has all of them."""


_WHO: Final = {MessageRole.USER: "you", MessageRole.ASSISTANT: "answer", MessageRole.SYSTEM: "system"}


def show(given: str, *, branch: str | None, tree: bool, last: int | None, json: bool) -> None:
    """Print the conversation *given*."""
    folder = open_folder()
    conversation_id = find(folder, given)
    if json:
        from coda_cli.engine.conversations.export import export_json

        put_export(export_json(folder, conversation_id))
        return
    conversation = folder.load(conversation_id)
    for problem in conversation.problems:
        warn(f"{problem}; `coda history verify` tells more")
    to = find_message(conversation, branch) if branch is not None else None
    if tree:
        for line in _tree(conversation, to):
            print(line)
    else:
        _show_branch(conversation, to, last)


def put_export(text: str) -> None:
    """Print an export that is JSON: byte for byte on a pipe; on a terminal nothing in it can act."""
    if sys.stdout.isatty():
        import json

        put_json(json.loads(text))
    else:
        sys.stdout.write(text)


# ---- one branch -----------------------------------------------------------------------------------------------------


def _show_branch(conversation: Conversation, to: str | None, last: int | None) -> None:
    path = conversation.path(conversation.leaf(to) if to is not None else None)
    summary = conversation.summary_for(path)
    _title(conversation, len(path))
    shown = [node for node in path if not node.hidden]
    left_out = max(0, len(shown) - last) if last is not None else 0
    if left_out:
        print(_faint(f"({counted(left_out, 'message')} before that)"))
    for node in shown[left_out:]:
        print()
        _message(conversation, node)
        if summary is not None and summary.covers and node.message.message_id == summary.covers[-1]:
            print()
            _summary(summary)


def _title(conversation: Conversation, messages: int) -> None:
    name = one_line(conversation.name) or "(no title)"
    print(style(name, "1", sys.stdout))
    facts = [one_line(conversation.id), clock(conversation.created), counted(messages, "message")]
    if others := len(conversation.nodes) - messages:
        facts.append(f"{others:,} more on other branches (--tree)")
    if conversation.pinned:
        facts.append("pinned")
    facts += [f"#{one_line(tag)}" for tag in conversation.tags]
    if conversation.origin is not None:
        facts.append(f"from {one_line(str(conversation.origin.get('conversation')))}")
    print(_faint(" · ".join(filter(None, facts))))


def _message(conversation: Conversation, node: Node) -> None:
    message = node.message
    facts = [one_line(speaker(node)), clock(message.created)]
    beside = conversation.siblings(message.message_id)
    if len(beside) > 1:
        facts.append(f"{beside.index(message.message_id) + 1} of {len(beside)}")
    if message.status != "complete":
        facts.append(one_line(message.status))
    if node.pinned:
        facts.append("pinned")
    code = {MessageRole.USER: "1;36", MessageRole.ASSISTANT: "1;32"}.get(message.role, "1;33")
    print(style(facts[0], code, sys.stdout) + _faint(" · ".join(["", *filter(None, facts[1:])])))
    text = "\n\n".join(filter(None, _texts(node)))
    if not text.strip():
        return
    print()
    if can_draw(sys.stdout):
        from coda_cli.cli.markdown import MarkdownWriter

        sys.stdout.flush()
        with MarkdownWriter(sys.stdout) as writer:
            writer.write(text)
    else:
        print((sanitize(text) if sys.stdout.isatty() else text).rstrip("\n"))


def _texts(node: Node) -> Iterator[str]:
    """What a message says, in Markdown."""
    for part in node.message.parts:
        match part:
            case TextPart():
                yield part.text
            case ReasoningPart():
                continue  # `export` has it
            case ToolCallPart():
                yield f"[calls {one_line(part.name)}: {_shortened(one_line(part.arguments))}]"
            case ToolResultPart():
                yield f"[{'error' if part.is_error else 'result'} of {one_line(part.name)}]\n\n{_shortened(part.text)}"
            case ImagePart() | AudioPart() | FilePart():
                yield f"[{one_line(attached(part))}]"


def _shortened(text: str) -> str:
    rest = len(text) - _RESULT
    return text if rest <= 0 else f"{text[:_RESULT]} … ({rest:,} characters more: `coda history export`)"


def _summary(summary: Summary) -> None:
    which = counted(len(summary.covers), "message")
    print(_faint(f"-- {which} up to here are a summary for the model; all of them are kept --"))


def _faint(text: str) -> str:
    return style(text, "2", sys.stdout) if text else ""


# ---- the tree -------------------------------------------------------------------------------------------------------


class _Row(Struct):
    """One line of the tree: the lines left of the message, and the message."""

    left: str
    node: Node


def _tree(conversation: Conversation, to: str | None) -> Iterator[str]:
    """All branches, one line a message: the active branch goes straight down, the others leave it to the right."""
    columns = width()
    active = {node.message.message_id for node in conversation.path(to)}
    head = to if to is not None else conversation.head
    yield style(one_line(conversation.name) or "(no title)", "1", sys.stdout)
    for row in _rows(conversation, active):
        message = row.node.message
        on_the_way = message.message_id in active
        facts = ["here"] * (message.message_id == head) + [message.status] * (message.status != "complete")
        facts += ["pinned"] * row.node.pinned + ["hidden"] * row.node.hidden
        note = f" ({', '.join(facts)})" if facts else ""
        name = short_message(message.message_id)
        said = " ".join(_texts(row.node))
        line = one_line(f"{'●' if on_the_way else '○'} {name}  {_WHO.get(message.role, 'tool')}{note}: {said}")
        if columns is not None:
            left = row.left if len(row.left) <= columns // 2 else "…" + row.left[1 - columns // 2 :]
            line = left + cut(line, columns - 1 - len(left))
        else:
            line = row.left + line
        code = "1" if message.message_id == head else "2"
        yield line if on_the_way and code == "2" else style(line, code, sys.stdout)


def _rows(conversation: Conversation, active: set[str]) -> Iterator[_Row]:
    """The messages with the lines left of them, without recursion: a conversation may be 100,000 messages deep."""
    stack: list[tuple[str, str, str]] = []  # message, left of it, left of what comes below it

    def push(children: Sequence[str], below: str) -> None:
        if not children:
            return
        straight = next((child for child in children if child in active), children[-1])
        stack.append((straight, below, below))
        others = [child for child in reversed(children) if child != straight]
        stack.extend((child, f"{below}├─", f"{below}│ ") for child in others)

    push(conversation.roots, "")
    seen: set[str] = set()
    while stack:
        message_id, left, below = stack.pop()
        if message_id in seen:
            continue
        seen.add(message_id)
        node = conversation.nodes[message_id]
        yield _Row(left, node)
        push(node.children, below)
