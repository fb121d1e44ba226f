"""What every provider has in common, and what a person writes to add one.

A custom provider needs three methods: `get_provider_name`, `_make_request(messages, **kwargs)` (async; talk to the
model) and `_parse_response(response)` (a string or an `LLMResponse`). It then works in full: its answer streams as one
chunk. A provider that can stream overrides `stream()` instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from coda_cli.engine.core.config import LLMProvider, ProviderConfig, sampling
from coda_cli.engine.core.errors import LLMBadResponseError, LLMUnsupportedError
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import LLMMessage
from coda_cli.engine.core.ports import ModelInfo, ProviderRequest
from coda_cli.engine.core.profiles import Dialect, ModelProfile, profile_for
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.providers.endpoints import secrets_of


class BaseLLMProvider(ABC):
    """A provider made from a `ProviderConfig`; see the module's text for what to write."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config

    @abstractmethod
    def get_provider_name(self) -> LLMProvider | str:
        """The kind of provider, e.g. `LLMProvider.CUSTOM`."""

    async def _make_request(self, messages: Sequence[LLMMessage], **kwargs: Any) -> Any:
        """Ask the model. `kwargs` holds `model` and the options; the result goes to `_parse_response`."""
        raise LLMUnsupportedError(
            f"{type(self).__name__} can't be asked: it has neither `_make_request` nor its own `stream`",
            hint="write `async def _make_request(self, messages, **kwargs)` and `_parse_response(self, response)`",
        )

    def _parse_response(self, response: Any) -> LLMResponse | str:
        """The answer in what `_make_request` returned."""
        raise LLMUnsupportedError(
            f"{type(self).__name__} can't read its own answer: `_parse_response` is missing",
            hint="return a string or an LLMResponse from `_parse_response(self, response)`",
        )

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer; here the whole of it as one piece."""
        kwargs = {"model": request.model, **request.options}
        if request.schema is not None:
            kwargs["schema"] = request.schema
        if request.tools and request.tool_choice == "auto":
            kwargs["tools"] = request.tools
        # A person's own code may return anything, whatever its annotation says.
        answer: object = self._parse_response(await self._make_request(list(request.messages), **kwargs))
        if isinstance(answer, str):
            answer = LLMResponse(response_id="", content=answer, provider="", model="")
        if not isinstance(answer, LLMResponse):
            raise LLMBadResponseError(
                f"{type(self).__name__}._parse_response gave {type(answer).__name__} where an answer was expected",
                hint="return a string or an LLMResponse from `_parse_response`",
            )
        if answer.reasoning:
            yield ReasoningDelta(answer.reasoning)
        if answer.content:
            yield TextDelta(answer.content)
        for index, call in enumerate(answer.tool_calls):
            yield ToolCallDelta(index, call.id, call.name, call.arguments)
        if answer.usage.reported:
            yield Usage(answer.usage)
        yield Finished(answer.finish_reason, answer.model or None, answer.response_id or None)

    async def list_models(self) -> list[ModelInfo]:
        """What the provider offers; the configured model where it cannot be asked."""
        return [ModelInfo(self.config.model)] if self.config.model else []

    async def resolve_model(self) -> str:
        """The model that is used where none is named."""
        return self.config.model

    @property
    def dialect(self) -> Dialect:
        """Which rows of the profile table apply."""
        return "custom"

    def profile(self, model: str) -> ModelProfile:
        """What *model* can do."""
        return profile_for(self.dialect, model)

    def options(self, request: ProviderRequest) -> dict[str, Any]:
        """The options in force: the provider's configured ones, then the request's."""
        return {**sampling(self.config), **self.config.extra_params, **request.options}

    async def check(self, model: str = "") -> str | None:
        """Return if the provider answers; raise LLMError with a hint if not. May return a doubt about *model*."""
        await self.list_models()
        return None

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """The exact number of tokens of *request*'s prompt; here None: only the vendor could tell."""
        return None

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be shown: keys, and what an address carries beside host and path."""
        return secrets_of(self.config)

    async def aclose(self) -> None:  # noqa: B027 - nothing to give back is a fine default
        """Give back connections, processes and memory."""
