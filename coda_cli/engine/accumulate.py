"""Deltas -> a message, for every vendor; and the pieces of a message -> its parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import Part, ReasoningPart, TextPart, ToolCallPart, new_id
from coda_cli.engine.core.usage import TokenUsage

_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class SurrogateJoiner:
    """Text whose code points are all valid: a UTF-16 pair that a vendor cut in two is joined, a lone half is U+FFFD."""

    def __init__(self) -> None:
        self._high = ""

    def feed(self, text: str) -> str:
        """The valid form of what can be decided so far."""
        if not self._high and not _SURROGATES.search(text):
            return text
        text = self._high + text
        self._high = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._high = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def flush(self) -> str:
        """What was held back, at the end."""
        high, self._high = self._high, ""
        return "\ufffd" if high else ""


class _Call(Struct):
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


def _valid(text: str) -> str:
    joiner = SurrogateJoiner()
    return joiner.feed(text) + joiner.flush()


class Accumulator:
    """Collects one answer. `parts()` is its message so far: reasoning, text and calls in the order they began."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._runs: list[tuple[str, list[str]]] = []
        self._signatures: dict[int, tuple[str | None, str | None]] = {}
        self._calls: dict[int, _Call] = {}
        self._joiner = SurrogateJoiner()
        self._thoughts = SurrogateJoiner()
        self.usage = TokenUsage()
        self.finished: Finished | None = None

    def add(self, event: ProviderEvent) -> ProviderEvent:
        """Take *event* in; returns it with its text made valid."""
        match event:
            case TextDelta(text):
                valid = self._joiner.feed(text)
                self._run("text").append(valid)
                return event if valid is text else TextDelta(valid)
            case ReasoningDelta(text, signature, data):
                valid = self._thoughts.feed(text)
                if valid or signature or data:
                    self._run("reasoning").append(valid)
                if signature or data:
                    self._signatures[len(self._runs) - 1] = (signature, data)
                return event if valid is text else ReasoningDelta(valid, signature, data)
            case ToolCallDelta(index, call_id, name, arguments):
                call = self._calls.get(index)
                if call is None:
                    call = self._calls[index] = _Call()
                    self._runs.append((f"call {index}", []))
                call.id = call.id or call_id or ""
                call.name = call.name or name or ""
                call.arguments.append(arguments)
            case Usage(usage):
                self.usage = usage
            case Finished():
                self.finished = event
        return event

    def flush(self) -> str:
        """Text that was held back for its other half, at the end of the stream."""
        if half := self._thoughts.flush():
            self._run("reasoning").append(half)
        rest = self._joiner.flush()
        if rest:
            self._run("text").append(rest)
        return rest

    def _run(self, kind: str) -> list[str]:
        closed = len(self._runs) - 1 in self._signatures
        if not self._runs or self._runs[-1][0] != kind or closed:
            self._runs.append((kind, []))
        return self._runs[-1][1]

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join("".join(pieces) for kind, pieces in self._runs if kind == "text")

    @property
    def reasoning(self) -> str:
        """The thinking so far, blocks set apart by a blank line."""
        blocks = ("".join(pieces) for kind, pieces in self._runs if kind == "reasoning")
        return "\n\n".join(block for block in blocks if block)

    @property
    def visible(self) -> bool:
        """Whether anything has come that a person may have seen or a tool may act on."""
        return bool(self._calls) or any("".join(pieces) for _, pieces in self._runs)

    def tool_calls(self) -> list[ToolCallPart]:
        """The calls, with ids made up where the vendor gives none."""
        calls = [self._calls[index] for index in sorted(self._calls)]
        taken: set[str] = set()
        for call in calls:
            if not call.id or call.id in taken:  # none, or one that cannot tell its result from another's
                call.id = new_id("call")
            taken.add(call.id)
        return [ToolCallPart(id=call.id, name=call.name, arguments=_valid("".join(call.arguments))) for call in calls]

    def parts(self) -> list[Part]:
        """The message: every run as a part."""
        calls = dict(zip(sorted(self._calls), self.tool_calls(), strict=True))
        out: list[Part] = []
        for number, (kind, pieces) in enumerate(self._runs):
            text = "".join(pieces)
            if kind == "text":
                if text:
                    out.append(TextPart(text=text))
            elif kind == "reasoning":
                signature, data = self._signatures.get(number, (None, None))
                out.append(ReasoningPart(text=text, signature=signature, data=data, provider=self._provider))
            else:
                out.append(calls[int(kind.removeprefix("call "))])
        return out


def joined(parts: Iterable[Part]) -> list[Part]:
    """*parts* with neighbouring texts joined, and neighbouring reasoning up to what closes a block of it."""
    out: list[Part] = []
    texts: list[str] = []
    last: Part | None = None
    for part in [*parts, None]:
        same = part is not None and last is not None and type(part) is type(last)
        closed = isinstance(last, ReasoningPart) and bool(last.signature or last.data)
        if last is not None and isinstance(last, TextPart | ReasoningPart) and not (same and not closed):
            out.append(last.model_copy(update={"text": "".join(texts)}))
            texts = []
        elif last is not None and not isinstance(last, TextPart | ReasoningPart):
            out.append(last)
        if isinstance(part, TextPart | ReasoningPart):
            texts.append(part.text)
        last = part
    return out
