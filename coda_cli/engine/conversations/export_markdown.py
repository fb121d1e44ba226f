"""Markdown of a conversation. What was said stands there unchanged; what Coda writes around it is made safe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, assert_never

from coda_cli.engine.conversations.outline import Numbered, attached, fenced, moment, outline, speaker
from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.rendering.sanitize import sanitize

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>&#|~!$])")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def markdown(conversation: Conversation, *, tree: bool, branch: str | None) -> str:
    """See `export_markdown`."""
    plan = outline(conversation, tree=tree, branch=branch)
    blocks = [f"# {line(conversation.name or 'Untitled')}", "\n".join(_facts(conversation, plan.summary))]
    if plan.compacted is not None:
        text, covered = plan.compacted
        which = f"messages {covered[0]} to {covered[-1]}" if covered else "earlier messages"
        blocks += [f"**Summary that stands for {which}:**", _closed(text)]
    for one in plan.branches:
        if one.heading:
            blocks.append(f"---\n\n## {one.heading}")
        for numbered in one.messages:
            blocks += _message(numbered, "###" if plan.branches[0].heading else "##")
    return "\n\n".join(block for block in blocks if block) + "\n"


def line(text: str) -> str:
    """Untrusted *text* as one line in which Markdown and HTML mean nothing."""
    return _SPECIAL.sub(r"\\\1", " ".join(sanitize(text).split()))


def _facts(conversation: Conversation, summary: str) -> Iterator[str]:
    yield f"- Conversation: {line(conversation.id)}"
    if begun := moment(conversation.created):
        yield f"- Begun: {begun}"
    if conversation.tags:
        yield f"- Tags: {', '.join(map(line, conversation.tags))}"
    yield f"- {summary}"


def _message(numbered: Numbered, level: str) -> Iterator[str]:
    message = numbered.node.message
    facts = [line(speaker(numbered.node)), moment(message.created)]
    if message.status != "complete":
        facts.append(line(message.status))
    if numbered.node.pinned:
        facts.append("pinned")
    if numbered.node.rating is not None:
        facts.append(f"rated {numbered.node.rating}")
    yield f"{level} {numbered.number}. {' · '.join(filter(None, facts))}"
    for part in message.parts:
        yield _part(part)


def _part(part: Part) -> str:
    match part:
        case TextPart():
            return _closed(part.text)
        case ReasoningPart():
            return _details("Reasoning", _closed(part.text)) if part.text else ""
        case ToolCallPart():
            return _details(f"Call of {line(part.name)}", fenced(part.arguments, "json"))
        case ToolResultPart():
            what = "Error" if part.is_error else "Result"
            return _details(f"{what} of {line(part.name)}", fenced(part.text))
        case ImagePart() | AudioPart() | FilePart():
            return f"*{line(f'[{attached(part)}]')}*"
        case _:
            assert_never(part)


def _details(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _closed(text: str) -> str:
    """*text*, and the end of a code block that it leaves open: the rest of the file is not its code."""
    opened = ""
    for one in text.split("\n"):
        found = _FENCE.match(one)
        if found is None:
            continue
        run, rest = found.groups()
        if not opened:
            opened = run if run[0] == "~" or "`" not in rest else ""
        elif run[0] == opened[0] and len(run) >= len(opened) and not rest.strip():
            opened = ""
    return f"{text}\n{opened}" if opened else text
