"""The library's configuration: the seed's names and fields, mutable, kept by reference.

`LLMManager(config)` keeps the object it was given, so a later `config.function_calling.enabled = False` takes effect.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr

from coda_cli.engine.core.prices import TokenPrices
from coda_cli.engine.core.tools import ApprovalMode


class LLMProvider(StrEnum):
    """The kinds of provider that Coda knows."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OLLAMA = "ollama"
    LOCAL = "local"
    SCRIPTED = "scripted"
    CUSTOM = "custom"


class _Config(BaseModel):
    model_config = ConfigDict(validate_assignment=True, extra="forbid")


class ProviderConfig(_Config):
    """One provider: where it is, what it speaks, which model, how it samples.

    `timeout` is the deadline of a whole request with its retries, `connect_timeout` and `idle_timeout` (no byte came)
    bound its parts; all in seconds. `timeout=None` is 600 seconds for a vendor and none for models that run on this
    machine or in one's own Ollama, which may be slow and still right. `max_retries=N` is N retries, N+1 requests.
    `fallback`: who is asked instead (`provider` or `provider/model`, in order) where this one cannot be reached or is
    overloaded before anything of an answer came; it sees the whole conversation then.
    `model=""` means the provider's first or built-in one. `extra_params` go to the vendor as they are (for `local`:
    `device`, `n_ctx`, ...).
    """

    provider: LLMProvider
    model: str = ""
    api_key: SecretStr | None = None
    api_base: str | None = None
    api: Literal["chat", "responses"] = "chat"
    transport: Literal["lean", "sdk"] = "lean"
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, gt=0)
    top_p: float | None = Field(default=None, ge=0, le=1)
    timeout: float | None = Field(default=None, gt=0)
    connect_timeout: float = Field(default=10.0, gt=0)
    idle_timeout: float = Field(default=300.0, gt=0)
    max_retries: int = Field(default=3, ge=0)
    fallback: list[str] = Field(default_factory=list)
    extra_params: dict[str, JsonValue] = Field(default_factory=dict)


class ConversationConfig(_Config):
    """How much of a conversation goes into one request; all of it stays in the conversation.

    `max_messages` and `max_tokens_per_conversation` are never passed, more than `summarize_threshold` messages are
    summarised; None leaves it to the model's window. Older turns are summarised, or with `auto_summarize=False` left
    out; events tell both.
    """

    max_messages: int | None = Field(default=None, gt=0)
    max_tokens_per_conversation: int | None = Field(default=None, gt=0)
    auto_summarize: bool = True
    summarize_threshold: int | None = Field(default=None, gt=0)
    memory_integration_enabled: bool = True
    personality_integration_enabled: bool = True


class FunctionCallingConfig(_Config):
    """Whether and how the model may call tools.

    With `auto_execute` off the calls stand in `response.tool_calls` and nothing runs. After
    `max_function_calls_per_turn` calls for one question the model must answer with what it has. `timeout` is for one
    call, in seconds, without the time that a person thinks. `allowed_categories`: None is all of them. `max_parallel`
    calls run side by side where `parallel_execution` is on. `approval_mode` says what runs without a question.
    """

    enabled: bool = True
    auto_execute: bool = True
    max_function_calls_per_turn: int = Field(default=25, gt=0)
    parallel_execution: bool = True
    max_parallel: int = Field(default=4, gt=0)
    timeout: float = Field(default=120.0, gt=0)
    allowed_categories: list[str] | None = None
    approval_mode: ApprovalMode = "ask"
    tool_integration_enabled: bool = True


class BudgetLimit(_Config):
    """How much may be used; None: no limit. Tokens count what is sent and what comes."""

    usd: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)


class BudgetConfig(_Config):
    """Limits that refuse: for one request, one run of the program, one conversation, a day and a month (local time).

    Those of conversations, days and months hold for all processes together.

    A request whose price nobody knows is refused where a limit in USD holds, unless `unpriced` is "allow".
    """

    request: BudgetLimit = Field(default_factory=BudgetLimit)
    run: BudgetLimit = Field(default_factory=BudgetLimit)
    conversation: BudgetLimit = Field(default_factory=BudgetLimit)
    day: BudgetLimit = Field(default_factory=BudgetLimit)
    month: BudgetLimit = Field(default_factory=BudgetLimit)
    unpriced: Literal["refuse", "allow"] = "refuse"

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        every = (self.request, self.run, self.conversation, self.day, self.month)
        return any(one.usd is not None or one.tokens is not None for one in every)


class LLMConfig(_Config):
    """Everything an `LLMManager` needs. Without providers it uses what the environment offers.

    A switch that exists twice (`memory_integration_enabled` here and in `conversation`, `tool_integration_enabled`
    here and in `function_calling`) is on only where both are: ask `memory_enabled`, `personality_enabled`,
    `tools_enabled`.
    """

    providers: dict[str, ProviderConfig] = Field(default_factory=dict)
    default_provider: str | None = None
    conversation: ConversationConfig = Field(default_factory=ConversationConfig)
    function_calling: FunctionCallingConfig = Field(default_factory=FunctionCallingConfig)
    websocket_events_enabled: bool = True
    stream_responses: bool = True
    memory_integration_enabled: bool = True
    personality_integration_enabled: bool = True
    tool_integration_enabled: bool = True
    enable_caching: bool = False
    cache_ttl_seconds: float = Field(default=3600, gt=0)
    budget: BudgetConfig = Field(default_factory=BudgetConfig)
    prices: dict[str, TokenPrices] = Field(default_factory=dict)
    offline: bool = False

    @property
    def memory_enabled(self) -> bool:
        """Both memory switches are on."""
        return self.memory_integration_enabled and self.conversation.memory_integration_enabled

    @property
    def personality_enabled(self) -> bool:
        """Both personality switches are on."""
        return self.personality_integration_enabled and self.conversation.personality_integration_enabled

    @property
    def tools_enabled(self) -> bool:
        """All three tool switches are on."""
        calling = self.function_calling
        return self.tool_integration_enabled and calling.tool_integration_enabled and calling.enabled


def deadline(config: ProviderConfig) -> float | None:
    """The total deadline of a request in seconds, or None for none."""
    if config.timeout is not None:
        return config.timeout
    return None if config.provider in (LLMProvider.LOCAL, LLMProvider.OLLAMA) else 600.0


def sampling(config: ProviderConfig) -> dict[str, Any]:
    """The sampling parameters that *config* sets, without those left to the vendor."""
    chosen = {"temperature": config.temperature, "top_p": config.top_p, "max_tokens": config.max_tokens}
    return {name: value for name, value in chosen.items() if value is not None}
