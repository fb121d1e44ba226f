"""Which provider answers when nobody named one: a vendor with a key, else a running Ollama, else this machine."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.providers.endpoints import endpoint, has_own_address
from coda_cli.engine.providers.registry import create

PROBE_SECONDS: Final = 1.0
DEFAULT_MODEL: Final = {LLMProvider.OPENAI: "gpt-6.1-sol", LLMProvider.ANTHROPIC: "claude-sonnet-5-5"}


class Choice(Struct, frozen=True):
    """The chosen provider's name, and why, in a few words."""

    name: str
    why: str


def standard_providers() -> dict[str, ProviderConfig]:
    """The providers that exist when none is configured, under the names of their kinds."""
    kinds = (LLMProvider.OPENAI, LLMProvider.ANTHROPIC, LLMProvider.OLLAMA, LLMProvider.LOCAL)
    return {kind.value: ProviderConfig(provider=kind, model=DEFAULT_MODEL.get(kind, "")) for kind in kinds}


async def choose(config: LLMConfig) -> Choice:
    """The default of *config*. Asks nothing outside this machine but a configured Ollama host, for at most 1 s."""
    if config.default_provider:
        return Choice(config.default_provider, "it is the configured default")
    for name, provider in config.providers.items():
        if provider.provider in (LLMProvider.OPENAI, LLMProvider.ANTHROPIC) and _usable(provider, config):
            keyed = provider.api_key is not None or not has_own_address(provider)
            return Choice(name, "it has a key" if keyed else "it has an address of its own")
    for name, provider in config.providers.items():
        if provider.provider is LLMProvider.OLLAMA and await _runs(provider, config):
            return Choice(name, "an Ollama is running")
    for name, provider in config.providers.items():
        if provider.provider is LLMProvider.LOCAL:
            return Choice(name, "no key, no Ollama")
    return Choice(next(iter(config.providers)), "it is the only one configured")


def _usable(provider: ProviderConfig, config: LLMConfig) -> bool:
    try:
        target = endpoint(provider, offline=config.offline)
    except LLMError:
        return False
    return target.key is not None or target.own


async def _runs(provider: ProviderConfig, config: LLMConfig) -> bool:
    probe = None
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            probe = create(provider, offline=config.offline)
            return bool(await probe.resolve_model())
    except (LLMError, TimeoutError):
        return False
    finally:
        if probe is not None:
            await probe.aclose()
