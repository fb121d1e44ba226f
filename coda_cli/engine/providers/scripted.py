"""A public fake: a provider that says what it is told to, with the faults it is told to have.

    provider = ScriptedProvider(replies=["Hello", Reply(text="4", reasoning="2+2", delay=0.01)])

Each request takes the next reply; the last one repeats. From `coda.toml`: `type = "scripted"` with
`extra_params.replies = ["text", {tool_calls = [["calculator", "{\"expression\": \"2+2\"}"]]}, ...]`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from pydantic import JsonValue

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.ports import ModelInfo, ProviderRequest
from coda_cli.engine.core.profiles import Dialect
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.base import BaseLLMProvider

_PIECES = re.compile(r"\s*\S+|\s+$")


class Reply(Struct, frozen=True):
    """One answer. `delay` is seconds before each piece; `error` is raised after everything else has been said.

    `end=False` leaves the end marker out, as a cut connection would.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: Sequence[tuple[str, str]] = ()
    error: Exception | None = None
    delay: float = 0.0
    usage: TokenUsage | None = None
    finish_reason: FinishReason | None = None
    end: bool = True


class _Script(Struct):
    replies: list[Reply]
    position: int = 0

    def next(self) -> Reply:
        reply = self.replies[min(self.position, len(self.replies) - 1)]
        self.position += 1
        return reply


def _configured(given: JsonValue) -> Reply:
    """A reply of `extra_params.replies`: a text, or a table of `text`, `reasoning` and `tool_calls` (name, JSON)."""
    if not isinstance(given, dict):
        return Reply(str(given))
    calls = given.get("tool_calls")
    pairs = [call for call in calls if isinstance(call, list)] if isinstance(calls, list) else []
    return Reply(
        str(given.get("text", "")),
        reasoning=str(given.get("reasoning", "")),
        tool_calls=[(str(name), str(arguments)) for name, arguments in pairs],
    )


@dataclass
class ScriptedProvider(BaseLLMProvider):
    """A fake provider; `requests` holds every request it was given."""

    config: ProviderConfig = field(
        default_factory=lambda: ProviderConfig(provider=LLMProvider.SCRIPTED, model="scripted")
    )
    replies: Sequence[str | Reply] = ()
    requests: list[ProviderRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        configured = self.config.extra_params.get("replies")
        listed = configured if isinstance(configured, list) else ["This is a scripted answer."]
        replies = self.replies or [_configured(reply) for reply in listed]
        self._script = _Script([Reply(reply) if isinstance(reply, str) else reply for reply in replies])

    def get_provider_name(self) -> LLMProvider:
        """`scripted`."""
        return LLMProvider.SCRIPTED

    @property
    def dialect(self) -> Dialect:
        """The profile rows of the fake."""
        return "scripted"

    async def list_models(self) -> list[ModelInfo]:
        """The one model there is."""
        return [ModelInfo(self.config.model or "scripted")]

    async def resolve_model(self) -> str:
        """`scripted`, unless the configuration names another."""
        return self.config.model or "scripted"

    def next_reply(self, request: ProviderRequest) -> Reply:
        """What *request* is answered with: for subclasses that decide by what is asked."""
        return self._script.next()

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """The next reply, word by word."""
        self.requests.append(request)
        reply = self.next_reply(request)
        for piece in _PIECES.findall(reply.reasoning):
            await asyncio.sleep(reply.delay)
            yield ReasoningDelta(piece)
        for piece in _PIECES.findall(reply.text):
            await asyncio.sleep(reply.delay)
            yield TextDelta(piece)
        for index, (name, arguments) in enumerate(reply.tool_calls):
            yield ToolCallDelta(index, f"call-{len(self.requests)}-{index}", name, arguments)
        if reply.error is not None:
            raise reply.error
        words = sum(len(message.content.split()) for message in request.messages)
        yield Usage(reply.usage or TokenUsage(input_tokens=words, output_tokens=len(reply.text.split())))
        if reply.end:
            default = FinishReason.TOOL_CALLS if reply.tool_calls else FinishReason.STOP
            yield Finished(reply.finish_reason or default)
