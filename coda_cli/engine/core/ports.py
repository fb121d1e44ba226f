"""What one part of the engine needs of another, as Protocols, and the values that cross them.

The provider contract is `Provider.stream`: a whole answer is a collected stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct, field

from coda_cli.engine.core.config import FunctionCallingConfig, ProviderConfig
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.events import Event, ProviderEvent
from coda_cli.engine.core.messages import LLMMessage, Part, ToolCallPart, ToolResultPart
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.prompts import Adapted, Assembled, MemoryNote, Messages, Noticed, Situation
from coda_cli.engine.core.tools import Approval, ApprovalRequest
from coda_cli.engine.core.usage import TokenUsage


class ToolSpec(Struct, frozen=True):
    """A tool that the model may call; `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class ProviderRequest(Struct, frozen=True):
    """One request, the same for every vendor.

    `messages` may begin with system messages. `options` holds the neutral options (`temperature`, `top_p`,
    `max_tokens`, `effort`: none|minimal|low|medium|high|xhigh|max, `seed`, `stop`) and, beside them, whatever the
    vendor takes under its own name. `schema` is a JSON Schema that the answer must fit. With `tool_choice` "none" the
    model knows the tools and must answer without them.
    """

    model: str
    messages: Sequence[LLMMessage]
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    tools: Sequence[ToolSpec] = ()
    tool_choice: Literal["auto", "none"] = "auto"


class ModelInfo(Struct, frozen=True):
    """A model that a provider offers. Windows in tokens, sizes in bytes; None where not told."""

    id: str
    context_window: int | None = None
    max_output: int | None = None
    size: int | None = None
    capabilities: tuple[str, ...] = ()


class Provider(Protocol):
    """A vendor, a server or a model on this machine. Raises only `LLMError` and `CancelledError`."""

    config: ProviderConfig

    def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer, no retries. Closing the iterator stops the vendor."""
        ...

    async def list_models(self) -> list[ModelInfo]:
        """What the provider offers."""
        ...

    async def resolve_model(self) -> str:
        """The model that is used where none is named. May ask the provider."""
        ...

    def profile(self, model: str) -> ModelProfile:
        """What *model* can do."""
        ...

    async def check(self, model: str = "") -> str | None:
        """Return if the provider answers and has *model* (default: the configured one); raise LLMError if not.

        Returns a doubt for a person where the model is not in a list that may be incomplete, else None.
        """
        ...

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """The exact number of tokens of *request*'s prompt, where that is known on this machine at once; else None.

        Never asks the network, never loads a model, never raises LLMError.
        """
        ...

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be shown: keys, and what an address carries beside host and path."""
        ...

    async def aclose(self) -> None:
        """Give back connections, processes and memory."""
        ...


class StoredSummary(Struct, frozen=True):
    """A summary in force: `text` stands for the messages with the ids `covers`."""

    id: str
    covers: tuple[str, ...]
    text: str


class StoredBranch(Struct, frozen=True):
    """A branch as it goes into a request: without hidden messages.

    `pinned` are ids that are never summarised, `declined` those whose summaries a person has undone.
    """

    messages: list[LLMMessage]
    pinned: frozenset[str] = frozenset()
    summary: StoredSummary | None = None
    declined: frozenset[str] = frozenset()


class ConversationStore(Protocol):
    """Where messages are kept. The journal implements it; `conversations.memory` keeps them in this process."""

    async def create(self, conversation_id: str) -> bool:
        """Make the conversation unless it exists; whether it is new."""
        ...

    async def append(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        """Keep *message* below the message *parent* (default: the newest); when this returns it is safe."""
        ...

    async def checkpoint(
        self, conversation_id: str, message: LLMMessage, parts: Sequence[Part], parent: str | None
    ) -> None:
        """Keep *parts*, the next piece of the unfinished *message*. `append` of the whole one ends it."""
        ...

    async def messages(self, conversation_id: str, to: str | None = None) -> list[LLMMessage]:
        """The branch that ends at *to* (default: the newest), first to last. Raises KeyError for an unknown one."""
        ...

    async def stored_branch(self, conversation_id: str, to: str | None = None) -> StoredBranch:
        """The same branch with its marks, as it is to be sent. Raises KeyError for an unknown one."""
        ...

    async def summarise(self, conversation_id: str, covers: Sequence[str], text: str, model: str) -> StoredSummary:
        """Keep a summary that stands for the messages *covers* from now on."""
        ...

    def unsaved(self, conversation_id: str) -> CodaError | None:
        """Why what was said lately in the conversation is in memory only; None when all of it is kept."""
        ...

    async def flush(self) -> None:
        """Try once more to keep what could not be kept."""
        ...


class UsageRecord(Struct, frozen=True):
    """One request for the usage log. Latencies in seconds, cost in USD (None: unpriced). `cached`: nobody was asked."""

    time: float
    conversation_id: str
    provider: str
    model: str
    usage: TokenUsage
    cost: float | None
    latency: float
    first_token: float | None
    retries: int
    status: str
    error: str | None
    cached: bool = False


class Meter(Protocol):
    """Watches what an answer takes of a budget while it comes."""

    async def add(self, text: str) -> None:
        """More of the answer came. Raises LLMBudgetError where no more may come."""
        ...


class TokenCounter(Protocol):
    """How many tokens things take with one model, estimated without asking anybody."""

    def message(self, message: LLMMessage) -> int:
        """Tokens of *message*, the marks around it included."""
        ...

    def request(self, request: ProviderRequest) -> int:
        """Tokens of the whole prompt: system messages, tools and schema included."""
        ...


class Summarizer(Protocol):
    """A model that is asked for one text beside the conversation: nothing of it is kept or shown."""

    async def ask(self, messages: Sequence[LLMMessage], max_tokens: int) -> str:
        """The text of the answer, which is cut at *max_tokens*. Raises LLMError."""
        ...


class Approver(Protocol):
    """The person, as tools see them. Where there is nobody to ask there is no approver, and the answer is no."""

    async def approve(self, request: ApprovalRequest) -> Approval:
        """What they say to one call. Asked one at a time; cancelled when the answer is stopped."""
        ...

    async def ask(self, question: str, choices: Sequence[str]) -> str | None:
        """Their answer to a question of the model, None where they do not answer."""
        ...


class ToolRound(Struct, frozen=True):
    """What belongs to the calls of one answer. `left` calls may still run; `earlier` are those that have run.

    `tell(EventClass, **fields)` stamps and publishes an event.
    """

    conversation_id: str
    calling: FunctionCallingConfig
    tell: Tell
    approver: Approver | None
    left: int
    earlier: Sequence[ToolCallPart] = ()
    only: Collection[str] | None = None


class ToolPort(Protocol):
    """The tools of a manager: what a model is told of them, and how its calls are run.

    `problems` are what `ready` found wrong with some that are left out, a line each for the person.
    """

    problems: list[str]

    def use_memory(self, memory: object | None) -> None:
        """Let the tools of memory work on *memory*; None takes them away."""
        ...

    async def ready(self, only: Collection[str] | None = None) -> None:
        """Return once all tools, or those that *only* names, are known. Raises CodaError."""
        ...

    async def aclose(self) -> None:
        """End what runs for tools. Never raises."""
        ...

    def specs(self, calling: FunctionCallingConfig, only: Collection[str] | None = None) -> Sequence[ToolSpec]:
        """The tools that *calling* allows, or those of them in *only* (names, categories, `name*`), sorted by name."""
        ...

    def fitted(self, provider: Provider, model: str, specs: Sequence[ToolSpec]) -> Provider | str:
        """*provider*, or one around it that teaches a model without native tools to call *specs*.

        A text says why this model must do without.
        """
        ...

    def run(self, calls: Sequence[ToolCallPart], turn: ToolRound) -> AsyncGenerator[ToolResultPart, None]:
        """Run *calls* under the permissions; one result a call, as each ends. Raises only CancelledError."""
        ...


class MemoryPort(Protocol):
    """What is remembered beyond a conversation. Raises only CodaError; a failure must never cost an answer."""

    async def notice(self, situation: Situation) -> Sequence[Noticed]:
        """Keep, change or forget what the question asks for ("remember that ..."); what was done."""
        ...

    async def preferences(self, situation: Situation) -> Sequence[MemoryNote]:
        """What holds for every answer, the most important first."""
        ...

    async def recall(self, situation: Situation, max_tokens: int) -> Sequence[MemoryNote]:
        """The few that matter for this question: those given before first, then new ones. May be none."""
        ...

    async def ended(self, conversation_id: str, title: str, messages: Messages) -> None:
        """A conversation is over for now: leave one gist of it, replacing its earlier one."""
        ...


class PersonaPort(Protocol):
    """Who answers: a persona with its traits. Raises only CodaError."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Options of a request that the persona wants, such as its temperature."""
        ...

    def prompt(self, situation: Situation) -> str:
        """What the persona says to the model about itself and about how to answer; "" for nothing."""
        ...

    async def heard(self, situation: Situation) -> Sequence[Adapted]:
        """Adapt to what the person said (explicit feedback at once, the topic within small bounds)."""
        ...


class PromptPort(Protocol):
    """Puts the system prompt together."""

    async def assemble(self, given: str | None, situation: Situation) -> Assembled:
        """*given* (the caller's own prompt) and the sections that are wanted. Never fails for want of a section."""
        ...


class UsageSink(Protocol):
    """Where every finished request leaves one line."""

    def record(self, record: UsageRecord) -> None:
        """Keep *record*. Must not raise for a full or read-only disk: the answer matters more."""
        ...


class Clock(Protocol):
    """Time, so that tests can hold it. `now` is Unix seconds, `monotonic` counts seconds, `sleep` waits."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class Tell(Protocol):
    """Stamps and publishes an event."""

    def __call__(self, event: type[Event], **fields: object) -> None: ...


PriceOf = Callable[[str, str, TokenUsage], float | None]
"""(provider kind, model, usage) -> USD, or None where no price is known."""
