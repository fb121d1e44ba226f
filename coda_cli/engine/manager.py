"""LLMManager: the one object that front ends and programs drive."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from coda_cli.engine.accounts import Accounts
from coda_cli.engine.answer import Answer, Emit, Plan, asked
from coda_cli.engine.aside import Aside
from coda_cli.engine.bus import EventBus, Subscription
from coda_cli.engine.clock import SystemClock
from coda_cli.engine.conversations.context import Compact
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig, deadline, sampling
from coda_cli.engine.core.errors import LLMError, LLMProviderUnavailableError, LLMTimeoutError
from coda_cli.engine.core.events import Event, ProviderStatusChange
from coda_cli.engine.core.messages import LLMMessage, MediaPart, MessageRole, new_id
from coda_cli.engine.core.ports import (
    Clock,
    ConversationStore,
    ModelInfo,
    Provider,
    ProviderRequest,
    StoredBranch,
    StoredSummary,
    UsageSink,
)
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.generation import Generation, Outcome
from coda_cli.engine.providers.choose import Choice, choose, standard_providers
from coda_cli.engine.providers.endpoints import has_own_address
from coda_cli.engine.providers.registry import create
from coda_cli.engine.redact import conceal
from coda_cli.engine.turn import Stamp
from coda_cli.engine.usage.prices import price
from coda_cli.engine.usage.tokens import TokenEstimator
from coda_cli.engine.window import Window

_SPEAKERS: Final = (MessageRole.USER, MessageRole.ASSISTANT)


class LLMManager:
    """Conversations with any provider.

    Keeps *config* by reference: later changes to it take effect. Without one, the environment decides (a vendor's key,
    else a running Ollama, else a small model on this machine). *store* keeps the conversations (default: the person's
    own, on disk; `ConversationManager.in_memory()` writes nothing), *usage* gets a record of every request.
    """

    def __init__(
        self,
        config: LLMConfig | None = None,
        *,
        store: ConversationStore | None = None,
        usage: UsageSink | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config if config is not None else LLMConfig()
        if not self.config.providers:
            self.config.providers = standard_providers()  # in the caller's object, where they can be changed
        self._providers: dict[str, Provider] = {}
        self._made: dict[str, tuple[ProviderConfig | None, bool]] = {}
        self._retired: list[Provider] = []
        self.store: ConversationStore = store if store is not None else ConversationManager()
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._bus = EventBus()
        self.accounts = Accounts(self.price, self.clock, usage)
        self.tokens = TokenEstimator(
            persist=isinstance(self.store, ConversationManager) and self.store.shelf.persistent
        )
        self.summary_failures: dict[str, int] = {}
        self._available: dict[str, bool] = {}
        self._choice: Choice | None = None

    # ---- answers ----------------------------------------------------------------------------------------------

    def generate_response(
        self,
        prompt: str,
        *,
        conversation_id: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
        stream: bool | None = None,
        media: Sequence[MediaPart] = (),
        schema: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        parent: str | None = None,
        **more: Any,
    ) -> Generation:
        """An answer to *prompt*: await the result, or iterate it for chunks. Nothing is sent before that.

        Without *conversation_id* a new conversation begins; an unknown one is created. *options* and *more* (which
        wins) are sampling and vendor options of this request (`temperature`, `effort`, ...). `stream=False` makes an
        iteration yield the whole answer as one chunk. *parent* is the message that the question stands below (default:
        the newest; "" begins a branch of its own): the question's siblings stay. Awaiting or iterating raises LLMError.
        """
        plan = Plan(
            prompt=prompt,
            conversation_id=conversation_id or new_id("conv"),
            parent=parent,
            provider=provider,
            model=model,
            system_prompt=system_prompt,
            media=tuple(media),
            options={**(options or {}), **more},
            schema=schema,
        )
        return self._generation(plan, stream)

    def continue_conversation(
        self,
        conversation_id: str,
        prompt: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
        stream: bool | None = None,
        media: Sequence[MediaPart] = (),
        schema: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Generation:
        """Like `generate_response`, in a conversation that exists: an unknown one is LLMInvalidRequestError."""
        plan = Plan(
            prompt=prompt,
            conversation_id=conversation_id,
            must_exist=True,
            provider=provider,
            model=model,
            system_prompt=system_prompt,
            media=tuple(media),
            options={**(options or {}), **more},
            schema=schema,
        )
        return self._generation(plan, stream)

    def retry(
        self,
        conversation_id: str,
        question_id: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
        stream: bool | None = None,
        schema: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Generation:
        """Another answer to the question *question_id*, beside those it has. Arguments as for `generate_response`.

        An edited question is a `generate_response` whose `parent` is that of the question it replaces.
        """
        plan = Plan(
            prompt="",
            conversation_id=conversation_id,
            must_exist=True,
            question=question_id,
            provider=provider,
            model=model,
            system_prompt=system_prompt,
            options=dict(options or {}),
            schema=schema,
        )
        return self._generation(plan, stream)

    async def add_question(
        self,
        prompt: str,
        *,
        conversation_id: str | None = None,
        media: Sequence[MediaPart] = (),
        parent: str | None = None,
        system_prompt: str | None = None,
    ) -> tuple[str, str]:
        """Keep a question that several models are to answer, each by `retry`.

        Returns the conversation's id and the question's. Arguments as for `generate_response`.
        """
        conversation_id = conversation_id or new_id("conv")
        await self.store.create(conversation_id)
        question = asked(prompt, media, system_prompt)
        await self.store.append(conversation_id, question, parent)
        return conversation_id, question.message_id

    async def preview_compact(
        self, conversation_id: str, *, provider: str | None = None, model: str | None = None
    ) -> Compact | None:
        """What `compact` would summarise (its `messages`, `tokens` now), None where there is nothing to."""
        window, kept = await self._window(conversation_id, provider, model)
        return window.preview(kept)

    async def compact(
        self, conversation_id: str, *, provider: str | None = None, model: str | None = None
    ) -> StoredSummary | None:
        """Summarise all but the latest turn of the active branch with the model; None where there is nothing to.

        The messages stay, and `ConversationManager.uncompact` sends them again. Raises CodaError where it fails.
        """
        window, kept = await self._window(conversation_id, provider, model)
        return await window.compact(kept)

    async def suggest_title(
        self, conversation_id: str, *, provider: str | None = None, model: str | None = None
    ) -> str:
        """A title of a few words for the conversation, by the model; nothing is changed. Raises LLMError."""
        messages = await self.store.messages(conversation_id)
        texts = [next((m.content for m in messages if m.role is role and m.content), "") for role in _SPEAKERS]
        name, chosen, model = await self.resolve(provider, model)
        return await Aside(self.accounts, self.clock, conversation_id, chosen, name, model).title(*texts)

    async def _window(
        self, conversation_id: str, provider: str | None, model: str | None
    ) -> tuple[Window, StoredBranch]:
        kept = await self.store.stored_branch(conversation_id)
        name, chosen, model = await self.resolve(provider, model)

        def bare(messages: Sequence[LLMMessage]) -> ProviderRequest:
            return ProviderRequest(model=model, messages=messages, options=sampling(chosen.config))

        stamp = Stamp(conversation_id, self.clock)
        return Window(self, conversation_id, chosen, name, model, bare, stamp, self._publish), kept

    def _publish(self, event: Event) -> None:
        if self.config.websocket_events_enabled:
            self._bus.publish(event)

    def _generation(self, plan: Plan, stream: bool | None) -> Generation:
        chunked = self.config.stream_responses if stream is None else stream and self.config.stream_responses
        return Generation(lambda emit: self._answer(plan, emit), plan.conversation_id, chunked=chunked)

    async def _answer(self, plan: Plan, emit: Emit) -> Outcome:
        def publish(event: Event) -> None:
            emit(event)
            self._publish(event)

        return await Answer(plan, self, publish, self._process_response).run()

    async def _process_response(self, response: LLMResponse) -> LLMResponse:
        """For subclasses: change the answer before it is kept and returned. Chunks have gone out raw by then."""
        return response

    async def resolve(self, provider: str | None, model: str | None) -> tuple[str, Provider, str]:
        """(name, provider, model) for what was asked, defaults filled in. Raises LLMError."""
        name = provider or (await self.default_choice()).name
        chosen = self.provider(name)
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

    def price(self, provider: str, model: str, usage: TokenUsage) -> float | None:
        """USD for *usage*, or None where no price is known."""
        config = self.config.providers.get(provider)
        return None if config is None else price(config.provider, model, usage, own_host=has_own_address(config))

    # ---- providers --------------------------------------------------------------------------------------------

    def provider(self, name: str) -> Provider:
        """The provider called *name*, made on first use. Raises LLMProviderUnavailableError for an unknown one."""
        config = self.config.providers.get(name)
        known_as = self._made.get(name)
        if name in self._providers and (known_as is None or known_as == self._fingerprint(config)):
            return self._providers[name]
        if config is None:
            known = ", ".join(sorted({*self.config.providers, *self._providers})) or "none"
            raise LLMProviderUnavailableError(
                f"there is no provider called {name!r}", hint=f"choose one of: {known}", provider=name
            )
        if name in self._providers:
            self._retired.append(self._providers[name])  # its settings have changed; an answer may still be under way
        self._providers[name] = create(config, offline=self.config.offline)
        self._made[name] = self._fingerprint(config)
        return self._providers[name]

    def _fingerprint(self, config: ProviderConfig | None) -> tuple[ProviderConfig | None, bool]:
        """What a provider was made of: made again when this is another."""
        return (None if config is None else config.model_copy(deep=True), self.config.offline)

    async def default_choice(self) -> Choice:
        """The provider that answers when none is named, and why. Decided once."""
        if self.config.default_provider:
            return Choice(self.config.default_provider, "it is the configured default")
        if self._choice is None:
            self._choice = await choose(self.config)
        return self._choice

    async def list_providers(self) -> list[str]:
        """The names of all providers, in the order they were configured."""
        return list(dict.fromkeys([*self.config.providers, *self._providers]))

    async def list_models(self, provider: str) -> list[ModelInfo]:
        """What *provider* offers. Raises LLMError."""
        chosen = self.provider(provider)
        limit = deadline(chosen.config) or 60.0
        try:
            async with asyncio.timeout(limit):
                return await chosen.list_models()
        except TimeoutError as exc:
            raise LLMTimeoutError(f"no list of models within {limit:.0f} s", provider=provider) from exc
        except LLMError as exc:
            conceal(exc, chosen.secrets())
            raise

    async def get_provider_status(self, provider: str, *, model: str | None = None) -> dict[str, Any]:
        """Whether *provider* answers and has *model* (default: its own), and what this process has asked of it.

        Keys: `provider`, `kind`, `model`, `available`, `reason` (when available: a doubt about the model, or None),
        `hint`, `latency` (seconds), `request_count`, `total_tokens`, `total_cost` (USD), `error_count`.
        """
        stats = self.accounts.stats(provider)
        started = self.clock.monotonic()
        config: ProviderConfig | None = None
        shown, doubt, failure = model or "", None, None
        try:
            instance = self.provider(provider)
            config = instance.config
            shown = model or config.model
            async with asyncio.timeout(config.connect_timeout + 1):
                doubt = await (instance.check(model) if model else instance.check())
                shown = model or await instance.resolve_model()
        except LLMError as exc:
            failure = conceal(exc, self._providers[provider].secrets() if provider in self._providers else ())
        except TimeoutError:
            failure = LLMTimeoutError("no answer within the connect timeout", provider=provider)
        self._note_availability(provider, failure)
        return {
            "provider": provider,
            "kind": (config.provider if config else LLMProvider.CUSTOM).value,
            "model": shown,
            "available": failure is None,
            "reason": failure.message if failure else doubt,
            "hint": failure.hint if failure else None,
            "error": type(failure).__name__ if failure else None,
            "latency": self.clock.monotonic() - started,
            "request_count": stats.request_count,
            "total_tokens": stats.total_tokens,
            "total_cost": stats.total_cost,
            "error_count": stats.error_count,
        }

    def _note_availability(self, provider: str, failure: LLMError | None) -> None:
        available = failure is None
        if self._available.get(provider) not in (None, available) and self.config.websocket_events_enabled:
            reason = failure.message if failure else None
            change = ProviderStatusChange(time=self.clock.now(), provider=provider, available=available, reason=reason)
            self._bus.publish(change)
        self._available[provider] = available

    # ---- the world --------------------------------------------------------------------------------------------

    def subscribe(self) -> Subscription:
        """Every event of every generation from now on; nothing while `config.websocket_events_enabled` is off."""
        return self._bus.subscribe()

    async def aclose(self) -> None:
        """Close the connections of all providers; a last try to keep what a full disk refused.

        Models loaded on this machine stay so until the process ends.
        """
        providers = [*self._providers.values(), *self._retired]
        self._providers, self._retired, self._made = {}, [], {}
        try:
            await self.store.flush()
        finally:
            for provider in providers:
                await provider.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
