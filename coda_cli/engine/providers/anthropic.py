"""Anthropic, and every server that speaks its Messages API (llama.cpp, gateways)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from msgspec.structs import replace

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMAuthenticationError, LLMInvalidRequestError
from coda_cli.engine.core.events import ProviderEvent
from coda_cli.engine.core.ports import ModelInfo, ProviderRequest
from coda_cli.engine.core.profiles import Dialect, ModelProfile, profile_for
from coda_cli.engine.providers.anthropic_messages import MessagesMapping, messages_body
from coda_cli.engine.providers.base import BaseLLMProvider
from coda_cli.engine.providers.choose import DEFAULT_MODEL
from coda_cli.engine.providers.endpoints import Endpoint, check_headers, custom_headers, endpoint
from coda_cli.engine.providers.http import LeanTransport, Transport, new_client, timeouts
from coda_cli.engine.providers.lookup import doubt, if_it_lists
from coda_cli.engine.providers.parts import count
from coda_cli.engine.providers.wire import JSON, events

if TYPE_CHECKING:
    from coda_cli.engine.providers.stainless import SDK, SDKTransport

# The same as the SDK sends (2.12), so that both transports mean the same bodies.
API_VERSION: Final = "2026-10-21"
_PAGE: Final = 1000


class AnthropicProvider(BaseLLMProvider):
    """Anthropic or a server that speaks like it: `config.transport` picks what carries the Messages API."""

    def __init__(self, config: ProviderConfig, *, offline: bool = False) -> None:
        super().__init__(config)
        self._offline = offline
        self._transport: Transport | None = None

    def get_provider_name(self) -> LLMProvider:
        """`anthropic`."""
        return LLMProvider.ANTHROPIC

    @property
    def dialect(self) -> Dialect:
        """Anthropic's models."""
        return "anthropic"

    def profile(self, model: str) -> ModelProfile:
        """What *model* can do; a server of one's own may have other models than Claude."""
        if "claude" not in model.lower() and endpoint(self.config).own:
            # llama.cpp answers a request with a schema as if there were none: better refused than ignored
            return replace(profile_for("compatible", model), schema=False)
        return profile_for(self.dialect, model)

    def _endpoint(self) -> Endpoint:
        where = endpoint(self.config, offline=self._offline)
        if where.key is None and not where.own:
            raise LLMAuthenticationError(
                "there is no API key for Anthropic",
                hint="set ANTHROPIC_API_KEY, or run `coda config set-key anthropic`; "
                "`-m local` answers on this machine without a key",
            )
        return where

    def _connection(self) -> Transport:
        if self._transport is None:
            where = self._endpoint()
            # the paths here begin with /v1, and many write it into the address out of habit
            base_url = where.base_url.removesuffix("/v1")
            key = where.key.get_secret_value() if where.key else ""
            if self.config.transport == "lean":
                self._transport = LeanTransport(base_url, _headers(self.config, key), self.config)
            else:
                self._transport = self.sdk_transport()
        return self._transport

    def sdk_transport(self) -> SDKTransport:
        """A connection through the SDK, whatever carries the chats; whoever asks for it closes it. Raises LLMError."""
        from coda_cli.engine.providers.stainless import SDKTransport

        where = self._endpoint()
        base_url = where.base_url.removesuffix("/v1")
        key = where.key.get_secret_value() if where.key else ""
        return SDKTransport(lambda: _load(self.config, base_url, key), base_url)

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer."""
        body = messages_body(request, self.profile(request.model))
        connection: Transport = self._connection()
        async with (
            connection.post("/v1/messages", body) as response,
            aclosing(events(response, MessagesMapping())) as answer,
        ):
            async for event in answer:
                yield event

    async def list_models(self) -> list[ModelInfo]:
        """The server's models, with their windows where it tells them."""
        found: list[ModelInfo] = []
        after = ""
        while True:
            page = await self._models_page(_PAGE, after)
            found += _models(page)
            last = str(page.get("last_id") or "")
            if not page.get("has_more") or last in ("", after):
                return found
            after = last

    async def _models_page(self, limit: int, after: str = "") -> JSON:
        query = {"limit": limit, **({"after_id": after} if after else {})}
        return await self._connection().get(f"/v1/models?{urlencode(query)}")

    async def resolve_model(self) -> str:
        """The configured model; else the vendor's default, or the first one of a server that does not have it."""
        default = DEFAULT_MODEL[LLMProvider.ANTHROPIC]
        if self.config.model:
            return self.config.model
        if not endpoint(self.config).own:
            return default
        try:
            listed = [model.id for model in await self.list_models()]
        except LLMInvalidRequestError:  # a gateway that lists nothing
            return default
        return default if default in listed or not listed else listed[0]

    async def check(self, model: str = "") -> str | None:
        """Return if the server answers; raise LLMError with a hint if not. May return a doubt about *model*."""
        listing = self._models_page(_PAGE)
        page = await (if_it_lists(listing) if endpoint(self.config).own else listing)
        wanted = model or self.config.model
        if not wanted:
            return None
        if page is None:
            return doubt(wanted, None)
        unsure = doubt(wanted, [found.id for found in _models(page)])
        return None if page.get("has_more") else unsure

    async def aclose(self) -> None:
        """Close all connections."""
        if self._transport is not None:
            await self._transport.aclose()


def _models(page: JSON) -> list[ModelInfo]:
    return [_model(entry) for entry in page.get("data") or () if isinstance(entry, dict) and "id" in entry]


def _model(entry: JSON) -> ModelInfo:
    features = entry.get("capabilities")
    return ModelInfo(
        str(entry["id"]),
        context_window=count(entry, "max_input_tokens") or None,
        max_output=count(entry, "max_tokens") or None,
        capabilities=tuple(
            name
            for name, support in (features.items() if isinstance(features, dict) else ())
            if isinstance(support, dict) and support.get("supported") is True
        ),
    )


def _headers(config: ProviderConfig, key: str) -> dict[str, str]:
    """The headers of the lean transport."""
    headers = {"anthropic-version": API_VERSION, **({"x-api-key": key} if key else {})}
    if config.api_base is None:
        headers |= {name.lower(): value for name, value in custom_headers(LLMProvider.ANTHROPIC).items()}
    check_headers(headers)
    return headers


def _load(config: ProviderConfig, base_url: str, key: str) -> SDK:
    from anthropic import APIConnectionError, APITimeoutError, AsyncAnthropic, Omit

    # Without a key in its arguments the SDK looks for other credentials (tokens, profiles, federation) in the
    # environment and on disk, and would send them anywhere. A server without keys ignores this one.
    key = key or "unused"
    headers: dict[str, object] = {}
    if config.api_base is not None:
        for name in custom_headers(LLMProvider.ANTHROPIC):
            headers[name] = f"Bearer {key}" if name.lower() == "authorization" else Omit()
    client = AsyncAnthropic(
        api_key=key,
        base_url=base_url,
        max_retries=0,
        timeout=timeouts(config),
        http_client=new_client(config, base_url),
        default_headers=headers,  # type: ignore[arg-type]  # Omit() takes a header away; only the types do not say so
        open_telemetry=False,
    )
    from coda_cli.engine.providers.stainless import SDK

    return SDK(client, APITimeoutError, APIConnectionError)
