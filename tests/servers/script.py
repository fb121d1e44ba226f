"""What a fake model says, in no vendor's words; `wire` turns it into each vendor's bytes.

Public API: the dataclasses below, `Script` (a sequence of them), `say(text)` and the defaults.

A script is read in order. Neighbours of one kind share a block (a message, a thinking block), and each item is one
delta on the wire: `[Say("Hel"), Say("lo")]` is one message in two deltas. Where no `Stop` is given, the reason is
"tool_calls" if there is a `Call`, else "stop". Where no `Used` is given, no usage is sent, except by Anthropic,
whose messages always have one (zeros).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = [
    "CREATED",
    "Call",
    "ErrorEvent",
    "Item",
    "Ping",
    "RawEvent",
    "Redacted",
    "Refuse",
    "Say",
    "Script",
    "Stop",
    "Think",
    "Used",
    "say",
    "stop_reason",
    "usage",
]

CREATED = 1_790_000_000  # seconds since 1970, in every answer: 2026-09-21T14:13:20Z


@dataclass(frozen=True)
class Say:
    """One delta of the answer's text."""

    text: str


@dataclass(frozen=True)
class Think:
    """One delta of reasoning; a signature (Anthropic; encrypted_content for Responses) ends its block."""

    text: str
    signature: str | None = None


@dataclass(frozen=True)
class Redacted:
    """A redacted_thinking block (Anthropic only; others leave it out)."""

    data: str = "cmVkYWN0ZWQ="


@dataclass(frozen=True)
class Refuse:
    """One delta of a refusal: `refusal` for OpenAI, plain text elsewhere."""

    text: str


@dataclass(frozen=True)
class Call:
    """One tool call; its JSON arguments come in these fragments (whole for Ollama, which sends an object)."""

    id: str
    name: str
    arguments: Sequence[str] = ("{}",)


@dataclass(frozen=True)
class Stop:
    """Why the answer ended.

    Neutral reasons: stop, length, tool_calls, content_filter, refusal, pause, context_window. Anything else goes to the
    wire as it is. "failed" and "cancelled" make a Responses answer end with that status.
    """

    reason: str = "stop"


@dataclass(frozen=True)
class Used:
    """Token counts: `input` is the whole prompt with its cached part, `output` everything with its reasoning."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0


@dataclass(frozen=True)
class RawEvent:
    """These bytes, in the place of an event (with their own line ends)."""

    data: bytes


@dataclass(frozen=True)
class ErrorEvent:
    """The vendor's own error inside a stream that began with 200; the end markers are left out after it.

    `failed=True` makes the Responses API say response.failed instead of its `error` event.
    """

    type: str
    message: str
    failed: bool = False


@dataclass(frozen=True)
class Ping:
    """A keep-alive: Anthropic's ping event, an SSE comment for OpenAI, an empty line for Ollama."""


Item = Say | Think | Redacted | Refuse | Call | Stop | Used | RawEvent | ErrorEvent | Ping
Script = Sequence[Item]


def say(text: str) -> list[Say]:
    """The text, one delta a word, as models stream it."""
    return [Say(word) for word in re.findall(r"\s*\S+|\s+", text)]


def stop_reason(script: Script) -> str:
    """The reason the script gives, or the one that fits it."""
    for item in script:
        if isinstance(item, Stop):
            return item.reason
    return "tool_calls" if any(isinstance(item, Call) for item in script) else "stop"


def usage(script: Script) -> Used | None:
    """The script's usage, or None."""
    return next((item for item in script if isinstance(item, Used)), None)


@dataclass
class Block:
    """A run of neighbours of one kind: what becomes one content block or output item."""

    kind: type[Item]
    items: list[Item] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All the text of the block."""
        return "".join(item.text for item in self.items if isinstance(item, Say | Think | Refuse))


def blocks(script: Script) -> list[Block]:
    """The script's content in blocks: text, reasoning and refusals joined, each call and redaction by itself."""
    result: list[Block] = []
    closed = True
    for item in script:
        if isinstance(item, Stop | Used):
            continue
        # What is not content stands between two deltas without ending their block.
        if isinstance(item, Ping | RawEvent | ErrorEvent):
            if result and not closed:
                result[-1].items.append(item)
            else:
                result.append(Block(type(item), [item]))
            continue
        if closed or result[-1].kind is not type(item):
            result.append(Block(type(item), []))
        result[-1].items.append(item)
        closed = isinstance(item, Call | Redacted) or (isinstance(item, Think) and item.signature is not None)
    return result
