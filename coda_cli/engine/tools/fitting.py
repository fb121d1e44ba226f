"""Which way a model calls tools: by itself, by words in its prompt, through the router, or not at all."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, Protocol, runtime_checkable

from coda_cli.engine.core.events import ProviderEvent
from coda_cli.engine.core.ports import Provider, ProviderRequest, ToolSpec
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.tools.around import AroundProvider

LEAST: Final = 450_000_000
"""Parameters below which no way works: a smaller model calls tools at random. What is sold as 0.5 B has 0.49."""

ROUTED: Final = 2_500_000_000
"""Parameters up to which a model chooses better when it is held by a grammar than when it writes its calls freely."""

_SIZE: Final = re.compile(r"(?<![a-z0-9.])(?:\d+x)?(\d{1,4}(?:\.\d+)?b|\d{3}m)(?![a-z0-9])")


@runtime_checkable
class Learns(Protocol):
    """A provider that must ask its server what a model can do."""

    async def learn(self, model: str) -> None:
        """Ask, once; afterwards `profile(model)` knows. Raises nothing: a server that is silent leaves a guess."""
        ...


def fitted(provider: Provider, model: str, specs: Sequence[ToolSpec]) -> Provider | str:
    """*provider* as it can be asked with *specs*, or why *model* must do without tools."""
    profile = provider.profile(model)
    count = parameters(profile, model)
    if count is not None and count < LEAST:
        return (
            f"{_short(model)} has {_size(count)} parameters; tools need 0.5 B or more, "
            "so it answers without them. Choose a larger model with -m"
        )
    if profile.tools:
        return LearningProvider(provider) if isinstance(provider, Learns) else provider
    if profile.grammar and (profile.tiny if count is None else count <= ROUTED):
        from coda_cli.engine.tools.router import RouterProvider  # for the models that need it

        return RouterProvider(provider)
    if profile.tiny:
        return f"{_short(model)} is too small to call tools by its prompt; as a GGUF file it could be held by a grammar"
    return _prompted(provider)


def _prompted(provider: Provider) -> Provider:
    from coda_cli.engine.tools.prompted import PromptedProvider  # for the models that need it

    return PromptedProvider(provider)


class LearningProvider(AroundProvider):
    """A provider that is asked what a model can do before it is asked with tools."""

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer; native calls where the model has them, else calls in words."""
        provider: Provider = self.inner
        if (request.tools or _called(request)) and isinstance(provider, Learns):
            await provider.learn(request.model)
            if not provider.profile(request.model).tools:
                provider = _prompted(provider)
        async with aclosing(provider.stream(request)) as answer:
            async for event in answer:
                yield event


def _called(request: ProviderRequest) -> bool:
    return any(message.tool_calls for message in request.messages)


def parameters(profile: ModelProfile, model: str) -> int | None:
    """How many parameters *model* has, by its files or its name; None where neither tells."""
    if profile.parameters is not None:
        return profile.parameters
    found = _SIZE.findall(model.rsplit("/", 1)[-1].lower().replace("_", "-"))
    return max((round(float(text[:-1]) * (1e9 if text[-1] == "b" else 1e6)) for text in found), default=None)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.0f} M"


def _short(model: str) -> str:
    return model.rsplit("/", 1)[-1] or "this model"
