"""The typed models behind `coda.toml`. Field by field they are described in `docs/settings.md`.

They are strict (a number in quotes is a wrong type, not a number), refuse keys they do not know, and never repeat a
value in their errors: somebody may have put a key where it does not belong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from coda_cli.engine.core.config import BudgetConfig, ConversationConfig, FunctionCallingConfig
from coda_cli.engine.core.prices import TokenPrices
from coda_cli.settings.glance import KEY_NAMES, flat_keys

ProviderType = Literal["openai", "anthropic", "ollama", "local", "scripted"]
PROVIDER_TYPES: Final[tuple[str, ...]] = get_args(ProviderType)

# What exists before anybody wrote a coda.toml. No model for Ollama means its first chat model, none for `local` the
# small one that Coda fetches by itself.
BUILT_IN_PROVIDERS: Final[dict[str, dict[str, Any]]] = {
    "openai": {"type": "openai", "model": "gpt-6.1-sol"},
    "anthropic": {"type": "anthropic", "model": "claude-sonnet-5-5"},
    "ollama": {"type": "ollama"},
    "local": {"type": "local"},
}

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
_CONFIG: Final = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def _numbers(value: JsonValue) -> Iterator[float]:
    match value:
        case float():
            yield value
        case dict():
            for inner in value.values():
                yield from _numbers(inner)
        case list():
            for inner in value:
                yield from _numbers(inner)
        case _:
            return


class ProviderSettings(BaseModel):
    """One `[providers.NAME]` table. Times are in seconds; `None` leaves the choice to the provider."""

    model_config = _CONFIG

    type: ProviderType
    model: Text | None = None
    api_base: Text | None = None
    api_key_env: Text | None = None
    api: Literal["chat", "responses"] = "chat"
    transport: Literal["lean", "sdk"] = "lean"
    timeout: Seconds | None = None
    connect_timeout: Seconds = 10.0
    idle_timeout: Seconds = 300.0
    max_retries: Annotated[int, Field(ge=0)] = 3
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    fallback: list[Text] = Field(default_factory=list)
    extra_params: dict[str, JsonValue] = Field(default_factory=dict)

    @field_validator("api_key_env")
    @classmethod
    def _names_a_variable(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise PydanticCustomError("not_a_variable", "expected the name of an environment variable")
        return value

    @field_validator("extra_params")
    @classmethod
    def _finite(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if not all(math.isfinite(number) for number in _numbers(value)):
            raise PydanticCustomError("not_finite", "inf and nan cannot be sent to a provider")
        return value

    @field_validator("api_base")
    @classmethod
    def _one_word(cls, value: str | None) -> str | None:
        if value is not None and _CONTROL.search(value):
            raise PydanticCustomError("not_a_url", "a URL has no spaces or control characters")
        return value

    @model_validator(mode="after")
    def _fits_the_type(self) -> ProviderSettings:
        if self.api == "responses" and self.type != "openai":
            raise PydanticCustomError("openai_only", 'api = "responses" exists only for type = "openai"')
        web = self.type in ("openai", "anthropic")
        if web and self.api_base is not None and not self.api_base.lower().startswith(("http://", "https://")):
            raise PydanticCustomError("not_a_url", "api_base must start with http:// or https://")
        return self


class ConversationSettings(ConversationConfig):
    """The `[conversation]` table: the engine's own fields, read strictly."""

    model_config = _CONFIG


class FunctionCallingSettings(FunctionCallingConfig):
    """The `[function_calling]` table: the engine's own fields, read strictly."""

    model_config = _CONFIG


class BudgetSettings(BudgetConfig):
    """The `[budget]` table: the engine's own fields, read strictly."""

    model_config = _CONFIG


class PriceSettings(TokenPrices):
    """One `[prices."MODEL"]` table, in USD per million tokens: the engine's own fields, read strictly."""

    model_config = _CONFIG


class PermissionSettings(BaseModel):
    """The `[permissions]` table: what tools may do without a question, and what they may never do."""

    model_config = _CONFIG

    allow: list[Text] = Field(default_factory=list)
    deny: list[Text] = Field(default_factory=list)

    @field_validator("allow", "deny")
    @classmethod
    def _patterns(cls, value: list[str], info: ValidationInfo) -> list[str]:
        """A slip in a denial would leave open what was to be closed: it is an error, as everywhere in this file."""
        if value:
            from coda_cli.engine.tools.rules import BadPattern, parse

            for number, text in enumerate(value, 1):
                try:
                    parse(text, allow=info.field_name == "allow")
                except BadPattern as exc:
                    context = {"number": number, "why": str(exc)}
                    raise PydanticCustomError("not_a_pattern", "pattern {number}: {why}", context) from None
        return value


_SERVER: Final = re.compile(r"[A-Za-z0-9](?:_?[A-Za-z0-9-]){0,31}")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SECRET: Final = re.compile(r"(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|CREDENTIALS?)$", re.IGNORECASE)


class McpServerSettings(BaseModel):
    """One `[mcp.servers.NAME]` table: a program (`command`) or an address (`url`). Times are in seconds."""

    model_config = _CONFIG

    command: Text | None = None
    args: list[str] = Field(default_factory=list)
    env: list[Text] = Field(default_factory=list)
    cwd: Text | None = None
    url: Text | None = None
    headers_env: dict[str, Text] = Field(default_factory=dict)
    enabled: bool = True
    timeout: Seconds = 60.0
    start_timeout: Seconds = 10.0

    @field_validator("env")
    @classmethod
    def _variables(cls, value: list[str]) -> list[str]:
        for one in value:
            name, equals, given = one.partition("=")
            if not _VARIABLE.fullmatch(name) or "\0" in given:
                raise PydanticCustomError("not_a_variable", "expected names of environment variables, or NAME=value")
            if equals and given and _SECRET.search(name):
                raise PydanticCustomError(
                    "a_secret", "{name} is named like a secret, which this file never holds", {"name": name}
                )
        return value

    @field_validator("command", "cwd")
    @classmethod
    def _no_nul(cls, value: str | None) -> str | None:
        if value is not None and "\0" in value:
            raise PydanticCustomError("not_a_name", "it holds a NUL character")
        return value

    @field_validator("args")
    @classmethod
    def _no_nul_in_them(cls, value: list[str]) -> list[str]:
        if any("\0" in one for one in value):
            raise PydanticCustomError("not_a_name", "one of them holds a NUL character")
        return value

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is not None and (_CONTROL.search(value) or not value.lower().startswith(("http://", "https://"))):
            raise PydanticCustomError("not_a_url", "url must start with http:// or https:// and have no spaces")
        return value

    @field_validator("headers_env")
    @classmethod
    def _named_headers(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(_HEADER.fullmatch(header) and _VARIABLE.fullmatch(name) for header, name in value.items()):
            raise PydanticCustomError("not_a_header", "expected headers with the names of environment variables")
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> McpServerSettings:
        if (self.command is None) == (self.url is None):
            raise PydanticCustomError("one_of_both", "a server has either a command or a url")
        if self.url is not None and (self.args or self.env or self.cwd):
            raise PydanticCustomError("one_of_both", "args, env and cwd are for a command, not for a url")
        if self.command is not None and self.headers_env:
            raise PydanticCustomError("one_of_both", "headers_env is for a url, not for a command")
        return self


def _a_server(value: str) -> str:
    if not _SERVER.fullmatch(value):
        raise PydanticCustomError("not_a_server", "not a name for a server")
    return value


ServerName = Annotated[str, AfterValidator(_a_server)]


class McpSettings(BaseModel):
    """The `[mcp]` table: the MCP servers whose tools models may call."""

    model_config = _CONFIG

    servers: dict[ServerName, McpServerSettings] = Field(default_factory=dict)


def _a_key(value: str) -> str:
    if not KEY_NAMES.fullmatch(value):
        raise PydanticCustomError("not_a_key", "this is not the name of a key")
    return value


KeyNames = Annotated[str, AfterValidator(_a_key)]


class Settings(BaseModel):
    """All that a person can configure. `model` is a model spec or an alias and wins over `default_provider`."""

    model_config = _CONFIG

    model: Text | None = None
    default_provider: Text | None = None
    offline: bool = False
    stream_responses: bool = True
    websocket_events_enabled: bool = True
    memory_integration_enabled: bool = True
    personality_integration_enabled: bool = True
    tool_integration_enabled: bool = True
    enable_caching: bool = False
    cache_ttl_seconds: Seconds = 3600.0
    theme: Text | None = None
    theme_dark: Text = "coda-dark"
    theme_light: Text = "coda-light"
    plain: bool = False
    mouse: bool = True
    sidebar: bool = False
    bell: Literal["off", "bell", "notify"] = "bell"
    bell_after: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 20.0
    auto_title: bool = False
    propose_memories: bool = False
    persona: Text | None = None
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    aliases: dict[str, Text] = Field(default_factory=dict)
    keys: dict[str, KeyNames] = Field(default_factory=dict)
    conversation: ConversationSettings = Field(default_factory=ConversationSettings)
    function_calling: FunctionCallingSettings = Field(default_factory=FunctionCallingSettings)
    budget: BudgetSettings = Field(default_factory=BudgetSettings)
    prices: dict[Text, PriceSettings] = Field(default_factory=dict)
    permissions: PermissionSettings = Field(default_factory=PermissionSettings)
    mcp: McpSettings = Field(default_factory=McpSettings)

    @field_validator("keys", mode="before")
    @classmethod
    def _in_one_table(cls, value: object) -> object:
        return flat_keys(value)

    @field_validator("providers", mode="before")
    @classmethod
    def _type_from_name(cls, value: object) -> object:
        """A section whose name is a provider type needs no `type`."""
        if not isinstance(value, dict):
            return value
        return {
            name: {"type": name, **table} if name in PROVIDER_TYPES and isinstance(table, dict) else table
            for name, table in value.items()
        }


def is_provider_name(name: str) -> bool:
    """Whether *name* can stand before the `/` of a model spec and in an environment variable."""
    return _NAME.fullmatch(name) is not None


def needs_no_key(provider: ProviderSettings) -> bool:
    """Whether this kind of provider never has an API key."""
    return provider.type in ("local", "scripted")
