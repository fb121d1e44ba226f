"""The providers of a manager: made of their configuration on first use, and again when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from coda_cli.engine.accounts import Accounts
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig, deadline
from coda_cli.engine.core.errors import LLMError, LLMProviderUnavailableError, LLMTimeoutError
from coda_cli.engine.core.events import Event, ProviderStatusChange
from coda_cli.engine.core.ports import Clock, ModelInfo, Provider
from coda_cli.engine.providers.choose import Choice, choose
from coda_cli.engine.providers.registry import create
from coda_cli.engine.redact import conceal


class ProviderPool:
    """The providers that *config* names, and those that a program puts into `made` by itself.

    *publish* is told when one becomes reachable or stops being so.
    """

    def __init__(self, config: LLMConfig, accounts: Accounts, clock: Clock, publish: Callable[[Event], None]) -> None:
        self._config = config
        self._accounts = accounts
        self._clock = clock
        self._publish = publish
        self.made: dict[str, Provider] = {}
        self._known: dict[str, tuple[ProviderConfig | None, bool]] = {}
        self._retired: list[Provider] = []
        self._available: dict[str, bool] = {}
        self._choice: Choice | None = None

    async def resolve(self, provider: str | None, model: str | None) -> tuple[str, Provider, str]:
        """(name, provider, model) for what was asked, defaults filled in. Raises LLMError."""
        name = provider or (await self.default_choice()).name
        chosen = self.get(name)
        if model:
            return name, chosen, model
        limit = deadline(chosen.config)
        try:
            async with asyncio.timeout(limit):
                return name, chosen, await chosen.resolve_model()
        except TimeoutError as exc:
            raise LLMTimeoutError(f"no list of models within the deadline of {limit:.0f} s", provider=name) from exc
        except LLMError as exc:
            conceal(exc, chosen.secrets())
            raise

    def get(self, name: str) -> Provider:
        """The provider called *name*, made on first use. Raises LLMProviderUnavailableError for an unknown one."""
        config = self._config.providers.get(name)
        known_as = self._known.get(name)
        if name in self.made and (known_as is None or known_as == self._fingerprint(config)):
            return self.made[name]
        if config is None:
            known = ", ".join(sorted({*self._config.providers, *self.made})) or "none"
            raise LLMProviderUnavailableError(
                f"there is no provider called {name!r}", hint=f"choose one of: {known}", provider=name
            )
        if name in self.made:
            self._retired.append(self.made[name])  # its settings have changed; an answer may still be under way
        self.made[name] = create(config, offline=self._config.offline)
        self._known[name] = self._fingerprint(config)
        return self.made[name]

    def _fingerprint(self, config: ProviderConfig | None) -> tuple[ProviderConfig | None, bool]:
        """What a provider was made of: made again when this is another."""
        return (None if config is None else config.model_copy(deep=True), self._config.offline)

    async def default_choice(self) -> Choice:
        """The provider that answers when none is named, and why. Decided once."""
        if self._config.default_provider:
            return Choice(self._config.default_provider, "it is the configured default")
        if self._choice is None:
            self._choice = await choose(self._config)
        return self._choice

    def names(self) -> list[str]:
        """The names of all providers, in the order they were configured."""
        return list(dict.fromkeys([*self._config.providers, *self.made]))

    async def list_models(self, provider: str) -> list[ModelInfo]:
        """What *provider* offers. Raises LLMError."""
        chosen = self.get(provider)
        limit = deadline(chosen.config) or 60.0
        try:
            async with asyncio.timeout(limit):
                return await chosen.list_models()
        except TimeoutError as exc:
            raise LLMTimeoutError(f"no list of models within {limit:.0f} s", provider=provider) from exc
        except LLMError as exc:
            conceal(exc, chosen.secrets())
            raise

    async def status(self, provider: str, *, model: str | None = None) -> dict[str, Any]:
        """Whether *provider* answers and has *model* (default: its own), and what this process has asked of it.

        Keys: `provider`, `kind`, `model`, `available`, `reason` (when available: a doubt about the model, or None),
        `hint`, `latency` (seconds), `request_count`, `total_tokens`, `total_cost` (USD), `error_count`.
        """
        stats = self._accounts.stats(provider)
        started = self._clock.monotonic()
        config: ProviderConfig | None = None
        shown, doubt, failure = model or "", None, None
        try:
            instance = self.get(provider)
            config = instance.config
            shown = model or config.model
            async with asyncio.timeout(config.connect_timeout + 1):
                doubt = await (instance.check(model) if model else instance.check())
                shown = model or await instance.resolve_model()
        except LLMError as exc:
            failure = conceal(exc, self.made[provider].secrets() if provider in self.made else ())
        except TimeoutError:
            failure = LLMTimeoutError("no answer within the connect timeout", provider=provider)
        self.note_availability(provider, failure)
        return {
            "provider": provider,
            "kind": (config.provider if config else LLMProvider.CUSTOM).value,
            "model": shown,
            "available": failure is None,
            "reason": failure.message if failure else doubt,
            "hint": failure.hint if failure else None,
            "error": type(failure).__name__ if failure else None,
            "latency": self._clock.monotonic() - started,
            "request_count": stats.request_count,
            "total_tokens": stats.total_tokens,
            "total_cost": stats.total_cost,
            "error_count": stats.error_count,
        }

    def note_availability(self, provider: str, failure: LLMError | None) -> None:
        """Publish it where *provider* stops being reachable, because of *failure*, or is again."""
        available = failure is None
        if self._available.get(provider, True) != available:
            reason = failure.message if failure else None
            change = ProviderStatusChange(time=self._clock.now(), provider=provider, available=available, reason=reason)
            self._publish(change)
        self._available[provider] = available

    async def aclose(self) -> None:
        """Close the connections of all of them."""
        providers = [*self.made.values(), *self._retired]
        self.made, self._retired, self._known = {}, [], {}
        for provider in providers:
            await provider.aclose()
