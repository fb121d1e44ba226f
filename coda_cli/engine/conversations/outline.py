"""A conversation in the order in which a person reads it: one branch, or all and where each leaves the others."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from msgspec import Struct, field

from coda_cli.engine.conversations.tree import Conversation, Node
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, MessageRole

NAMES = {
    MessageRole.USER: "You",
    MessageRole.ASSISTANT: "Assistant",
    MessageRole.TOOL: "Tool",
    MessageRole.SYSTEM: "System",
}


class Numbered(Struct):
    """One message and its number in the outline."""

    number: int
    node: Node


class Branch(Struct):
    """Messages that follow one another. `heading` says which branch it is, "" where there is only one.

    `after` is the number of the message that it leaves the branches before it at, None for one with its own beginning.
    """

    heading: str
    after: int | None
    messages: list[Numbered] = field(default_factory=list)


class Outline(Struct):
    """What is to be shown; `summary` tells what is not, `compacted` is the summary in force and what it covers."""

    branches: list[Branch]
    summary: str
    compacted: tuple[str, list[int]] | None = None


def outline(conversation: Conversation, *, tree: bool, branch: str | None) -> Outline:
    """The branch that ends at *branch* (default: the active one), or with *tree* all of them, that one first.

    Messages that were hidden are left out. Raises KeyError for an unknown message.
    """
    path = conversation.path(branch)
    numbers: dict[str, int] = {}
    first = Branch("", None)
    last = _take(first, path, numbers)
    branches = [first]
    if tree:
        first.heading = _heading(1, None, "the active one" if branch is None else "the one asked for", root=True)
        for node in conversation.nodes.values():  # every parent stands before its children
            if node.message.message_id not in numbers:
                branches.append(made := _other(node, numbers, len(branches) + 1))
                last = _take(made, _newest(conversation, node), numbers, last)
        branches = [one for one in branches if one.messages or one is first]
        if len(branches) == 1:
            first.heading = ""
    shown = sum(len(one.messages) for one in branches)
    hidden = sum(node.hidden for node in conversation.nodes.values())
    told = [f"{shown} messages" if shown != 1 else "1 message"]
    if tree:
        told.append(f"{len(branches)} branches" if len(branches) > 1 else "no other branches")
    elif elsewhere := len(conversation.nodes) - len(path):
        told.append(f"{elsewhere} more on other branches")
    if hidden:
        told.append(f"{hidden} hidden and left out")
    compacted = conversation.summary_for(path)
    covered = sorted(numbers[one] for one in compacted.covers if one in numbers) if compacted is not None else []
    return Outline(branches, ", ".join(told), (compacted.text, covered) if compacted is not None else None)


def _other(node: Node, numbers: dict[str, int], place: int) -> Branch:
    after = numbers.get(node.parent) if node.parent is not None else None
    return Branch(_heading(place, after, "", root=node.parent is None), after)


def _newest(conversation: Conversation, node: Node) -> list[Node]:
    """The newest branch from *node* on."""
    way = [node]
    while way[-1].children:
        way.append(conversation.nodes[way[-1].children[-1]])
    return way


def _take(branch: Branch, way: list[Node], numbers: dict[str, int], at: int = 0) -> int:
    """Number the messages of *way* on from *at*, into *branch*; returns the last number."""
    for node in way:
        if node.hidden:  # counts as the message before it
            numbers[node.message.message_id] = numbers.get(node.parent or "", 0)
            continue
        at += 1
        numbers[node.message.message_id] = at
        branch.messages.append(Numbered(at, node))
    return at


def _heading(place: int, after: int | None, note: str, *, root: bool) -> str:
    where = f"after message {after}" if after else ""
    if not root and not where:
        where = "from the beginning"
    elif root and place > 1:
        where = "another beginning"
    told = ", ".join(filter(None, [note, where]))
    return f"Branch {place}: {told}" if told else f"Branch {place}"


def moment(seconds: float) -> str:
    """A time for a person, in UTC; "" for none."""
    if not 0 < seconds < 2.5e11:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def attached(part: ImagePart | AudioPart | FilePart) -> str:
    """What an attachment is, in words."""
    size = len(part.data)
    amount = f"{size} bytes" if size < 1000 else f"{size / 1000:.1f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"
    return f"{part.type}: {', '.join(filter(None, [part.name or '', part.media_type, amount]))}"


def speaker(node: Node) -> str:
    """Who said it: `You`, `Assistant`, `Assistant (gpt-5)`."""
    message = node.message
    model = message.metadata.get("model") if message.role is MessageRole.ASSISTANT else message.metadata.get("tool")
    return f"{NAMES[message.role]} ({model})" if isinstance(model, str) and model else NAMES[message.role]


def fenced(text: str, language: str = "") -> str:
    """*text* as a Markdown code block that nothing in it can end."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    word = language if re.fullmatch(r"[A-Za-z0-9+#._-]{1,30}", language) else ""
    return f"{fence}{word}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}"
