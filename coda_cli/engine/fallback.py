"""Who is asked where a provider cannot be reached: those that its `fallback` names, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from coda_cli.engine.core.config import LLMConfig
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.events import Event, ProviderFallback
from coda_cli.engine.core.ports import Provider
from coda_cli.engine.sending import helped_elsewhere
from coda_cli.engine.turn import Stamp

Chosen = tuple[str, Provider, str]
"""(name, provider, model)"""


class FallbackHost(Protocol):
    """What a fallback needs of the manager."""

    config: LLMConfig

    async def resolve(self, provider: str | None, model: str | None) -> Chosen:
        """(name, provider, model) for what was asked, defaults filled in. Raises LLMError."""
        ...


class Fallback:
    """The alternatives of one answer. Each is asked once."""

    def __init__(self, host: FallbackHost, stamp: Stamp, publish: Callable[[Event], None]) -> None:
        self._host = host
        self._stamp, self._publish = stamp, publish
        self._left: list[str] | None = None

    async def resolve(self, provider: str | None, model: str | None) -> Chosen:
        """`host.resolve`, or an alternative where that asks a host in vain. Raises LLMError."""
        try:
            return await self._host.resolve(provider, model)
        except LLMError as error:
            name = provider or error.provider or self._host.config.default_provider or ""
            return await self.instead_of(name, model or "", error)

    async def instead_of(self, name: str, model: str, error: LLMError) -> Chosen:
        """Who is asked instead of *name*, which failed with *error*. Raises *error* where nobody can help."""
        if self._left is None:
            config = self._host.config.providers.get(name)
            self._left = list(config.fallback) if config is not None else []
        while helped_elsewhere(error) and self._left:
            spec = self._left.pop(0)
            provider, _, wanted = spec.partition("/") if spec not in self._host.config.providers else (spec, "", "")
            try:
                chosen = await self._host.resolve(provider, wanted or None)
            except LLMError:
                continue  # that one is down, too
            told = {"to_provider": chosen[0], "to_model": chosen[2], "error": error.describe()}
            self._publish(self._stamp(ProviderFallback, provider=name, model=model, **told))
            return chosen
        raise error
