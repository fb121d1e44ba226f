"""OpenAI, and every server that speaks its Chat Completions or Responses API (vLLM, llama.cpp, LM Studio, ...)."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMAuthenticationError, LLMModelNotFoundError
from coda_cli.engine.core.events import ProviderEvent
from coda_cli.engine.core.ports import ModelInfo, ProviderRequest
from coda_cli.engine.core.profiles import Dialect, ModelProfile, is_known, profile_for
from coda_cli.engine.providers.base import BaseLLMProvider
from coda_cli.engine.providers.choose import DEFAULT_MODEL
from coda_cli.engine.providers.endpoints import Endpoint, check_headers, custom_headers, endpoint, has_own_address
from coda_cli.engine.providers.http import LeanTransport, Transport, new_client, timeouts
from coda_cli.engine.providers.lookup import doubt, if_it_lists, missing
from coda_cli.engine.providers.openai_chat import ChatMapping, chat_body
from coda_cli.engine.providers.parts import model_list
from coda_cli.engine.providers.wire import JSON, StreamMapping, events

if TYPE_CHECKING:
    from coda_cli.engine.providers.stainless import SDK, SDKTransport


class OpenAIProvider(BaseLLMProvider):
    """OpenAI or a compatible server: `config.api` picks the API, `config.transport` what carries it."""

    def __init__(self, config: ProviderConfig, *, offline: bool = False) -> None:
        super().__init__(config)
        self._offline = offline
        self._transport: Transport | None = None

    def get_provider_name(self) -> LLMProvider:
        """`openai`."""
        return LLMProvider.OPENAI

    @property
    def dialect(self) -> Dialect:
        """OpenAI's own models, or a compatible server's."""
        return "compatible" if has_own_address(self.config) else "openai"

    def profile(self, model: str) -> ModelProfile:
        """What *model* can do. OPENAI_BASE_URL may be a proxy to the vendor: there its models keep their profiles."""
        if self.config.api_base is None and is_known("openai", model):
            return profile_for("openai", model)
        return profile_for(self.dialect, model)

    def _endpoint(self) -> Endpoint:
        where = endpoint(self.config, offline=self._offline)
        if where.key is None and not where.own:
            raise LLMAuthenticationError(
                "there is no API key for OpenAI",
                hint="set OPENAI_API_KEY, or run `coda config set-key openai`; "
                "`-m local` answers on this machine without a key",
            )
        return where

    def _connection(self) -> Transport:
        if self._transport is None:
            where = self._endpoint()
            key = where.key.get_secret_value() if where.key else ""
            if self.config.transport == "lean":
                self._transport = LeanTransport(where.base_url, _headers(self.config, key), self.config)
            else:
                self._transport = self.sdk_transport()
        return self._transport

    def sdk_transport(self) -> SDKTransport:
        """A connection through the SDK, whatever carries the chats; whoever asks for it closes it. Raises LLMError."""
        from coda_cli.engine.providers.stainless import SDKTransport

        where = self._endpoint()
        key = where.key.get_secret_value() if where.key else ""
        return SDKTransport(lambda: _load(self.config, where.base_url, key), where.base_url)

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer."""
        profile = self.profile(request.model)
        mapping: StreamMapping
        if self.config.api == "responses":
            from coda_cli.engine.providers.openai_responses import ResponsesMapping, responses_body

            path, body, mapping = "/responses", responses_body(request, profile), ResponsesMapping()
        else:
            path, body, mapping = "/chat/completions", chat_body(request, profile), ChatMapping()
        async with (
            self._connection().post(path, body) as response,
            aclosing(events(response, mapping)) as answer,
        ):
            async for event in answer:
                yield event

    async def list_models(self) -> list[ModelInfo]:
        """The server's models, by id."""
        return model_list(await self._connection().get("/models"))

    async def check(self, model: str = "") -> str | None:
        """Return if the server answers; raise LLMError with a hint if not, or if it surely lacks *model*."""
        listing = self._connection().get("/models")
        page = await (if_it_lists(listing) if has_own_address(self.config) else listing)
        wanted = model or self.config.model
        names = None if page is None else [listed.id for listed in model_list(page)]
        if not wanted:
            return None
        if page is not None and names and wanted not in names and _by_vllm(page):
            raise missing(wanted, names)
        return doubt(wanted, names)

    async def resolve_model(self) -> str:
        """The configured model; else the vendor's default, or the first one of a compatible server."""
        if self.config.model:
            return self.config.model
        if not has_own_address(self.config):
            return DEFAULT_MODEL[LLMProvider.OPENAI]
        models = await self.list_models()
        if not models:
            raise LLMModelNotFoundError("the server lists no model", hint="name one with -m PROVIDER/MODEL")
        return models[0].id

    async def aclose(self) -> None:
        """Close all connections."""
        if self._transport is not None:
            await self._transport.aclose()


def _by_vllm(page: JSON) -> bool:
    """Whether a list of models is vLLM's, which names all that it serves and refuses any other."""
    return all(entry.get("owned_by") == "vllm" for entry in page["data"])


def _headers(config: ProviderConfig, key: str) -> dict[str, str]:
    """What the SDK would send: the key, and for the vendor the account's organisation and project."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if config.api_base is None:
        for header, variable in (("openai-organization", "OPENAI_ORG_ID"), ("openai-project", "OPENAI_PROJECT_ID")):
            if value := os.environ.get(variable, "").strip():
                headers[header] = value
        headers |= {name.lower(): value for name, value in custom_headers(LLMProvider.OPENAI).items()}
    check_headers(headers)
    return headers


def _load(config: ProviderConfig, base_url: str, key: str) -> SDK:
    from openai import APIConnectionError, APITimeoutError, AsyncOpenAI, Omit

    # Taken from the environment by the constructor, and meant for the vendor only.
    taken_away: dict[str, Any] = {}
    if config.api_base is not None:
        taken_away = {name: Omit() for name in custom_headers(LLMProvider.OPENAI) if name.lower() != "authorization"}
    client = AsyncOpenAI(
        api_key=key or "unused",  # the constructor refuses an empty one; a server without keys ignores it
        base_url=base_url,
        max_retries=0,
        timeout=timeouts(config),
        http_client=new_client(config, base_url),
        default_headers={**taken_away, "authorization": f"Bearer {key or 'unused'}"} if taken_away else None,
    )
    if config.api_base is not None:
        client.organization = client.project = None
    from coda_cli.engine.providers.stainless import SDK

    return SDK(client, APITimeoutError, APIConnectionError)
