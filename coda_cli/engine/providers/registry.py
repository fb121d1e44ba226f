"""A kind of provider -> the class that speaks it, imported only when it is first used."""

from __future__ import annotations

from typing import assert_never

from coda_cli.engine.core.config import LLMProvider, ProviderConfig
from coda_cli.engine.core.errors import LLMProviderUnavailableError
from coda_cli.engine.core.ports import Provider


def create(config: ProviderConfig, *, offline: bool = False) -> Provider:
    """The provider for *config*. Imports no SDK: that waits for the first request."""
    match config.provider:
        case LLMProvider.OPENAI:
            from coda_cli.engine.providers.openai import OpenAIProvider

            return OpenAIProvider(config, offline=offline)
        case LLMProvider.ANTHROPIC:
            from coda_cli.engine.providers.anthropic import AnthropicProvider

            return AnthropicProvider(config, offline=offline)
        case LLMProvider.OLLAMA:
            from coda_cli.engine.providers.ollama import OllamaProvider

            return OllamaProvider(config, offline=offline)
        case LLMProvider.LOCAL:
            from coda_cli.engine.providers.local.provider import LocalProvider

            return LocalProvider(config, offline=offline)
        case LLMProvider.SCRIPTED:
            from coda_cli.engine.providers.scripted import ScriptedProvider

            return ScriptedProvider(config)
        case LLMProvider.CUSTOM:
            raise LLMProviderUnavailableError(
                "a custom provider can't be made from its configuration alone",
                hint="put an instance of your BaseLLMProvider subclass into `llm_manager._providers[name]`",
            )
        case _:
            assert_never(config.provider)
