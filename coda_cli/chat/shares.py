"""What each part of a request takes of the window, in tokens: estimates that learn from what providers report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, LLMMessage, MessageRole, system
from coda_cli.engine.core.ports import ProviderRequest, TokenCounter, ToolSpec
from coda_cli.engine.core.prompts import Section

SYSTEM: Final = "system prompt"
_NAMES: Final = {MessageRole.USER: "questions", MessageRole.ASSISTANT: "answers", MessageRole.TOOL: "tool results"}
_SECTIONS: Final = {"folder": "notes of the folder", "system": "day and system", "tools": "words on tools"}


class Share(Struct, frozen=True):
    """One part of the window, in tokens (an estimate). `messages`: how many things are in it."""

    name: str
    tokens: int
    messages: int = 0


def kind(message: LLMMessage) -> str:
    """Which part of the window a message belongs to."""
    if message.role is MessageRole.SYSTEM:
        return SYSTEM
    if any(isinstance(part, ImagePart | AudioPart | FilePart) for part in message.parts):
        return "questions with attachments"
    return _NAMES[message.role]


def section_name(section: Section) -> str:
    """What a section is called in a list of parts."""
    return _SECTIONS.get(section.name, section.name)


def of_sections(counter: TokenCounter, sections: Iterable[Section]) -> list[Share]:
    """The parts that a system prompt was assembled of."""
    nothing = counter.message(system(""))
    return [
        Share(section_name(one), counter.message(system(one.text)) - nothing, max(1, len(one.sources)))
        for one in sections
        if one.text
    ]


def of_tools(counter: TokenCounter, model: str, specs: Sequence[ToolSpec]) -> list[Share]:
    """What a model is told of its tools."""
    if not specs:
        return []
    asked = ProviderRequest(model=model, messages=(), tools=specs)
    return [Share("tools", counter.request(asked) - counter.request(replace(asked, tools=())), len(specs))]


def of_request(counter: TokenCounter, request: ProviderRequest, sections: Sequence[Section]) -> list[Share]:
    """All parts of a request that was sent; *sections* are those of its system prompt."""
    counts: dict[str, list[int]] = {}
    for message in request.messages:
        counts.setdefault(kind(message), []).append(counter.message(message))
    briefed = of_sections(counter, sections)
    shares = [Share(name, sum(numbers), len(numbers)) for name, numbers in counts.items()]
    if briefed:
        own = sum(counts.pop(SYSTEM, [0])) - sum(share.tokens for share in briefed)
        rest = [share for share in shares if share.name != SYSTEM]
        shares = [*([Share(SYSTEM, own, 1)] if own > _MARKS else []), *briefed, *rest]
    return [*of_tools(counter, request.model, request.tools), *shares]


_MARKS: Final = 8  # tokens around a message, which are no prompt of the person's
