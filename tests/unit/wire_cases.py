"""What the wire tests share: the targets, one question asked to the end with every rule checked, a clock that is held.

`TARGETS` is every wire format over every transport. `ask()` asks a manager, watches all events, and checks what must
hold for each answer whatever happened: the order of events, one final event, gapless numbers, only errors of Coda's,
and a store that agrees with what was told.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

import pytest

from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.events import (
    FINAL_EVENTS,
    AnalyticsUpdate,
    ConversationCreated,
    Event,
    FunctionCalls,
    ProviderEvent,
    ReasoningChunk,
    ResponseChunk,
    ResponseComplete,
    ResponseError,
    ResponseStart,
    RetryScheduled,
)
from coda_cli.engine.core.messages import LLMMessage, MessageRole
from coda_cli.engine.core.ports import ModelInfo, ProviderRequest
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.anthropic_messages import MessagesMapping
from coda_cli.engine.providers.openai_chat import ChatMapping
from coda_cli.engine.providers.openai_responses import ResponsesMapping
from coda_cli.engine.providers.wire import NDJSONDecoder, RawResponse, SSEDecoder, StreamMapping, events
from tests.servers.vendors import FakeVendor
from tests.servers.wire import WIRES, Vendor, Wire, WireName

LONG: Final = os.environ.get("CODA_TEST_LONG") == "1"
GUARD: Final = 30.0  # seconds after which a test calls an answer hung


@dataclass(frozen=True)
class Target:
    """One wire format over one transport."""

    wire: WireName
    transport: Literal["sdk", "lean"]

    @property
    def id(self) -> str:
        """The name of the test's parameter."""
        return f"{self.wire}-{self.transport}"

    @property
    def format(self) -> Wire:
        """How it looks on the wire."""
        return WIRES[self.wire]

    @property
    def vendor(self) -> Vendor:
        """Whose it is."""
        return self.format.vendor

    def base(self, url: str) -> str:
        """The `api_base` for a fake at *url*."""
        return f"{url}/v1" if self.vendor == "openai" else url

    def config(
        self,
        url: str | None,
        *,
        model: str = "fake-model",
        api_key: str | None = None,
        timeout: float | None = None,
        connect_timeout: float = 10.0,
        idle_timeout: float = 20.0,
        max_retries: int = 0,
    ) -> ProviderConfig:
        """A provider at *url*; None leaves the address to the environment."""
        return ProviderConfig(
            provider=LLMProvider(self.vendor),
            model=model,
            api_key=api_key,
            api_base=None if url is None else self.base(url),
            api="responses" if self.wire == "responses" else "chat",
            transport=self.transport,
            timeout=timeout,
            connect_timeout=connect_timeout,
            idle_timeout=idle_timeout,
            max_retries=max_retries,
        )


TARGETS: Final = [
    Target("openai", "sdk"),
    Target("openai", "lean"),
    Target("responses", "sdk"),
    Target("responses", "lean"),
    Target("anthropic", "sdk"),
    Target("anthropic", "lean"),
    Target("ollama", "lean"),
]
each_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
each_wire = pytest.mark.parametrize("wire", list(WIRES.values()), ids=lambda wire: wire.name)


def manager_of(*configs: ProviderConfig, offline: bool = False, **more: object) -> LLMManager:
    """A manager of these providers, called p0, p1, ...; the first is the default."""
    providers = {f"p{number}": config for number, config in enumerate(configs)}
    config = LLMConfig(providers=providers, default_provider="p0", offline=offline)
    return LLMManager(config, **more)  # type: ignore[arg-type]  # store, usage and clock, handed on as they are


@dataclass
class Bench:
    """A fake and a manager that asks it."""

    fake: FakeVendor
    manager: LLMManager


@asynccontextmanager
async def bench(target: Target, *, clock: VirtualClock | None = None, **config: object) -> AsyncIterator[Bench]:
    """A fake vendor and a manager whose only provider it is."""
    async with FakeVendor(target.vendor) as fake:
        made = target.config(fake.url, **config)  # type: ignore[arg-type]  # keywords of Target.config
        async with manager_of(made, clock=clock) as manager:
            yield Bench(fake, manager)


@dataclass
class Outcome:
    """How one answer went."""

    events: list[Event]
    messages: list[LLMMessage]
    response: LLMResponse | None
    error: LLMError | None
    conversation_id: str

    @property
    def text(self) -> str:
        """All chunks of text."""
        return "".join(event.delta for event in self.events if isinstance(event, ResponseChunk))

    @property
    def reasoning(self) -> str:
        """All chunks of reasoning."""
        return "".join(event.delta for event in self.events if isinstance(event, ReasoningChunk))

    @property
    def final(self) -> ResponseComplete | ResponseError:
        """The final event."""
        return next(event for event in self.events if isinstance(event, FINAL_EVENTS))

    @property
    def retries(self) -> list[RetryScheduled]:
        """The retries that were announced."""
        return [event for event in self.events if isinstance(event, RetryScheduled)]

    @property
    def answer(self) -> LLMMessage | None:
        """What the store kept of the answer."""
        last = self.messages[-1] if self.messages else None
        return last if last is not None and last.role is MessageRole.ASSISTANT else None

    def whole(self) -> LLMResponse:
        """The response; fails where there is none."""
        assert self.error is None, repr(self.error)
        assert self.response is not None
        return self.response

    def failure(self) -> LLMError:
        """The error; fails where there is none."""
        assert self.error is not None, f"no error, but {self.response!r}"
        return self.error


async def finish(manager: LLMManager, generation: Generation) -> Outcome:
    """*generation* read to its end, with every rule checked that holds for all answers."""
    async with asyncio.timeout(GUARD):
        seen = [event async for event in generation.events()]
        response, error = None, None
        try:
            response = await generation
        except LLMError as exc:
            error = exc
    try:
        messages = await manager.store.messages(generation.conversation_id)
    except KeyError:
        messages = []
    outcome = Outcome(seen, messages, response, error, generation.conversation_id)
    check(outcome)
    return outcome


async def ask(manager: LLMManager, prompt: str = "time?", *, conversation_id: str | None = None) -> Outcome:
    """One question, asked to the end; see `finish`."""
    return await finish(manager, manager.generate_response(prompt, conversation_id=conversation_id))


def check(outcome: Outcome) -> None:
    """Fail unless the events, the result and the store agree and keep the rules of `core.events`."""
    check_order(outcome.events)
    final = outcome.final
    if isinstance(final, ResponseError):
        assert outcome.error is not None
        assert final.error == outcome.error.describe()
        assert final.error["message"]
        assert final.partial == outcome.error.partial == outcome.text
        assert final.status in ("incomplete", "error")
    else:
        response = outcome.whole()
        assert final.content == response.content == outcome.text
        assert final.status == response.status.value in ("complete", "interrupted")
    for event in outcome.events:
        json.dumps(event.to_json(), allow_nan=False)
    if outcome.answer is not None:
        assert outcome.answer.status == final.status
        assert outcome.answer.content == outcome.text
    else:
        assert outcome.text == ""


def check_order(seen: Sequence[Event]) -> None:
    """Fail unless *seen* keeps the order that the docstring of `core.events` promises."""
    assert [event.seq for event in seen] == list(range(len(seen)))
    assert len({event.conversation_id for event in seen}) == 1
    rest = list(seen)
    if isinstance(rest[0], ConversationCreated):
        rest.pop(0)
    assert isinstance(rest.pop(0), ResponseStart)
    if isinstance(rest[-1], AnalyticsUpdate):
        rest.pop()
    assert isinstance(rest.pop(), FINAL_EVENTS)
    assert all(isinstance(event, ResponseChunk | ReasoningChunk | FunctionCalls | RetryScheduled) for event in rest)


class VirtualClock:
    """Time that only `sleep` moves; `slept` holds every wait. `gate` stops sleepers until it is set."""

    def __init__(self) -> None:
        self.time = 1_790_000_000.0
        self.slept: list[float] = []
        self.gate: asyncio.Event | None = None

    def now(self) -> float:
        """Unix seconds."""
        return self.time

    def monotonic(self) -> float:
        """The same seconds."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Move the time on at once, unless the gate is there and closed."""
        self.slept.append(seconds)
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        self.time += seconds


# ---- a mapping without a network ------------------------------------------------------------------------------


def mapping_of(wire: Wire) -> StreamMapping:
    """A fresh mapping of this wire format."""
    match wire.name:
        case "openai":
            return ChatMapping()
        case "responses":
            return ResponsesMapping()
        case "anthropic":
            return MessagesMapping()
        case "ollama":
            from coda_cli.engine.providers.ollama_chat import ChatMapping as OllamaMapping

            return OllamaMapping()


def decoder_of(wire: Wire) -> Callable[[], SSEDecoder | NDJSONDecoder]:
    """The decoder of this wire format."""
    return NDJSONDecoder if wire.name == "ollama" else SSEDecoder


@dataclass
class CannedProvider:
    """A `Provider` that reads each answer from bytes, through the real decoder and mapping and no network."""

    wire: Wire
    pieces: Sequence[bytes] = ()
    headers: Mapping[str, str] | None = None
    config: ProviderConfig = field(
        default_factory=lambda: ProviderConfig(provider=LLMProvider.CUSTOM, model="m", max_retries=0)
    )

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """The bytes, read as the vendor's answer."""

        async def chunks() -> AsyncIterator[bytes]:
            for piece in self.pieces:
                yield piece

        headers = self.headers or {"content-type": self.wire.content_type}
        raw = RawResponse(headers, chunks())
        async for event in events(raw, mapping_of(self.wire), decoder=decoder_of(self.wire)):
            yield event

    async def list_models(self) -> list[ModelInfo]:
        """None."""
        return []

    def secrets(self) -> tuple[str, ...]:
        """None."""
        return ()

    async def resolve_model(self) -> str:
        """The configured one."""
        return self.config.model

    def profile(self, model: str) -> ModelProfile:
        """The default profile."""
        return ModelProfile()

    async def check(self, model: str = "") -> str | None:
        """It always answers."""
        return None

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """It cannot."""
        return None

    async def aclose(self) -> None:
        """Nothing to give back."""


def canned(wire: Wire) -> tuple[LLMManager, CannedProvider]:
    """A manager whose default provider reads canned bytes."""
    provider = CannedProvider(wire)
    manager = manager_of(provider.config)
    manager._providers["p0"] = provider
    return manager, provider
