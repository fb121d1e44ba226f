"""A provider around a provider: it passes everything on, for those that change only what is asked and answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator

from coda_cli.engine.core.config import ProviderConfig
from coda_cli.engine.core.events import ProviderEvent
from coda_cli.engine.core.ports import ModelInfo, Provider, ProviderRequest
from coda_cli.engine.core.profiles import ModelProfile


class AroundProvider(ABC):
    """`inner`, but for what a subclass does otherwise."""

    def __init__(self, inner: Provider) -> None:
        self.inner = inner
        self.config: ProviderConfig = inner.config

    @abstractmethod
    def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer."""

    async def list_models(self) -> list[ModelInfo]:
        """What the provider offers."""
        return await self.inner.list_models()

    async def resolve_model(self) -> str:
        """The model that is used where none is named."""
        return await self.inner.resolve_model()

    def profile(self, model: str) -> ModelProfile:
        """What *model* can do."""
        return self.inner.profile(model)

    async def check(self, model: str = "") -> str | None:
        """Whether the provider answers and has *model*."""
        return await self.inner.check(model)

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """The exact number of tokens of *request*'s prompt, where that is known at once."""
        return await self.inner.count_tokens(request)

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be shown."""
        return self.inner.secrets()

    async def aclose(self) -> None:
        """Give back what the provider holds."""
        await self.inner.aclose()
