"""A branch cut into turns: what must be sent, what a summary stands for, and what may be left out, whole turns only.

A turn is a question and everything up to the next one; a tool call and its result are never in two turns. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from typing import Protocol

from coda_cli.engine.core.messages import LLMMessage, MessageRole, TextPart, ToolCallPart, ToolResultPart

Count = Callable[[LLMMessage], int]
"""Tokens of one message."""


class SummaryLike(Protocol):
    """A summary: `text` stands for the messages with the ids `covers`."""

    @property
    def id(self) -> str: ...
    @property
    def covers(self) -> Collection[str]: ...
    @property
    def text(self) -> str: ...


class Branch:
    """Sets of indices into `messages`; none of them holds only one half of a tool call and its result.

    `last` is the latest turn, `fixed` the system and pinned messages outside of it, `covered` what the summary stands
    for (what is fixed or in the latest turn is sent all the same), `older` the rest, turn by turn.
    """

    def __init__(
        self, messages: Sequence[LLMMessage], count: Count, pinned: Collection[str], summary: SummaryLike | None
    ) -> None:
        self.messages = messages
        self.tokens = [count(message) for message in messages]
        partners, reach = self._partners, _ = _pairs(messages)
        starts = [i for i in range(len(messages)) if i == 0 or (reach[i] < i and is_question(messages[i]))]
        turns = [range(a, b) for a, b in pairwise([*starts, len(messages)])]
        self.last = set(turns[-1]) if turns else set()
        fixed = {i for i, m in enumerate(messages) if m.role is MessageRole.SYSTEM or m.message_id in pinned}
        self.fixed = _closed(fixed, partners) - self.last
        covers = set(summary.covers) if summary is not None else set()
        covered = {i for i, message in enumerate(messages) if message.message_id in covers}
        whole = {i for i in covered if _closed({i}, partners) <= covered}
        self.covered = whole - self.last - self.fixed
        gone = self.covered | self.fixed
        self.older = [turn for turn in ([i for i in t if i not in gone] for t in turns[:-1]) if turn]

    @property
    def under_way(self) -> bool:
        """Whether the branch ends in the middle of a tool turn."""
        return bool(self.messages) and any(
            isinstance(part, ToolCallPart | ToolResultPart) for part in self.messages[-1].parts
        )

    def fixed_blocks(self) -> list[set[int]]:
        """`fixed` cut into the smallest pieces that keep calls and results together, in order."""
        out: list[set[int]] = []
        seen: set[int] = set()
        for index in sorted(self.fixed):
            if index not in seen:
                out.append(_closed({index}, self._partners))
                seen |= out[-1]
        return out

    def sum(self, indices: Iterable[int]) -> int:
        """The tokens of the messages at *indices*."""
        return sum(self.tokens[i] for i in indices)

    def ids(self, indices: Iterable[int]) -> tuple[str, ...]:
        """The ids of the messages at *indices*, in the order of the branch."""
        return tuple(self.messages[i].message_id for i in sorted(indices))

    def assembled(self, kept: Iterable[int], summary: SummaryLike | None) -> list[LLMMessage]:
        """The messages at *kept*, with *summary* where what it covers began.

        The summary goes as a text part before the first question after that place: a message of its own would make
        two user messages in a row, which some chat templates refuse. It is not put into the system prompt, because
        that would lend what was only said (or came out of a tool) the system's voice, and would change the part of the
        request that vendors and engines cache. Where no question follows, it is a user message of its own.
        """
        order = sorted(kept)
        out = [self.messages[i] for i in order]
        if summary is None or not self.covered or not order:
            return out
        first = min(self.covered)
        place = next((p for p, i in enumerate(order) if i > first and out[p].role is not MessageRole.SYSTEM), len(out))
        if place < len(out) and is_question(out[place]):
            told = TextPart(text=labelled(summary, len(self.covered)))
            out[place] = out[place].model_copy(update={"parts": [told, *out[place].parts]})
        else:
            out.insert(place, summary_message(summary, len(self.covered), out[min(place, len(out) - 1)].created))
        return out


def is_question(message: LLMMessage) -> bool:
    """Whether *message* is a person's, not a tool's result in the user's role."""
    return message.role is MessageRole.USER and not any(isinstance(part, ToolResultPart) for part in message.parts)


def labelled(summary: SummaryLike, covered: int) -> str:
    """The text that stands for *covered* messages, so that neither a model nor a person takes it for a question."""
    return (
        f"[Notes on the {covered} earlier messages of this conversation, which are not repeated. "
        f"They are a summary, not a request.]\n{summary.text.strip()}\n[End of the notes]\n\n"
    )


def summary_message(summary: SummaryLike, covered: int, created: float = 0.0) -> LLMMessage:
    """*summary* as a user message of its own, which has the summary's id."""
    told = TextPart(text=labelled(summary, covered))
    return LLMMessage(role=MessageRole.USER, parts=[told], message_id=summary.id, created=created)


def _pairs(messages: Sequence[LLMMessage]) -> tuple[dict[int, set[int]], list[int]]:
    """(which messages belong together, by index; for each index the last result of any call before it)."""
    asked: dict[str, int] = {}
    partners: dict[int, set[int]] = {}
    last_result: dict[int, int] = {}
    for index, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                asked[part.id] = index
            elif isinstance(part, ToolResultPart) and (call := asked.get(part.id, index)) != index:
                partners.setdefault(call, set()).add(index)
                partners.setdefault(index, set()).add(call)
                last_result[call] = index
    reach, furthest = [], -1
    for index in range(len(messages)):
        reach.append(furthest)
        furthest = max(furthest, last_result.get(index, -1))
    return partners, reach


def _closed(indices: set[int], partners: dict[int, set[int]]) -> set[int]:
    """*indices* and everything that belongs together with them."""
    out, stack = set(indices), list(indices)
    while stack:
        for other in partners.get(stack.pop(), ()):
            if other not in out:
                out.add(other)
                stack.append(other)
    return out
