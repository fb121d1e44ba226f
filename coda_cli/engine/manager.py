"""LLMManager: the one object that front ends and programs drive."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from coda_cli.engine.accounts import Accounts
from coda_cli.engine.answer import Answer, Emit
from coda_cli.engine.aside import Aside
from coda_cli.engine.breaker import Breaker
from coda_cli.engine.bus import BACKLOG, EventBus, Subscription
from coda_cli.engine.cache import ResponseCache
from coda_cli.engine.clock import SystemClock
from coda_cli.engine.conversations.context import Compact
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.config import LLMConfig
from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.events import Event
from coda_cli.engine.core.messages import MediaPart, MessageRole, new_id
from coda_cli.engine.core.ports import (
    Approver,
    Clock,
    ConversationStore,
    MemoryPort,
    ModelInfo,
    PersonaPort,
    PromptPort,
    Provider,
    StoredSummary,
    ToolPort,
    UsageSink,
)
from coda_cli.engine.core.responses import LLMResponse
from coda_cli.engine.core.usage import TokenUsage
from coda_cli.engine.generation import Generation, Outcome
from coda_cli.engine.plan import Plan, asked
from coda_cli.engine.pool import ProviderPool
from coda_cli.engine.providers.choose import Choice, standard_providers
from coda_cli.engine.providers.endpoints import has_own_address
from coda_cli.engine.usage.budget import Budget, used_before
from coda_cli.engine.usage.log import UsageLog
from coda_cli.engine.usage.prices import price
from coda_cli.engine.usage.tokens import TokenEstimator
from coda_cli.engine.window import compacted, preview

_SPEAKERS: Final = (MessageRole.USER, MessageRole.ASSISTANT)


class LLMManager:
    """Conversations with any provider.

    Keeps *config* by reference: later changes to it take effect. Without one, the environment decides (a vendor's key,
    else a running Ollama, else a small model on this machine). *store* keeps the conversations (default: the person's
    own, on disk; `ConversationManager.in_memory()` writes nothing), *usage* gets a record of every request (by default
    the usage log, beside the default store).
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
        self.store: ConversationStore = store if store is not None else ConversationManager()
        if usage is None and store is None:
            usage = UsageLog()  # beside the person's own conversations
        self.clock: Clock = clock if clock is not None else SystemClock()
        self._bus = EventBus()
        self.budget = Budget(lambda: self.config.budget, history=used_before)
        self.accounts = Accounts(self.price, self.clock, usage, self.budget)
        self.cache = ResponseCache()
        self.breaker = Breaker(self.clock)
        self.tokens = TokenEstimator(
            persist=isinstance(self.store, ConversationManager) and self.store.shelf.persistent
        )
        self.summary_failures: dict[str, int] = {}
        self.pool = ProviderPool(self.config, self.accounts, self.clock, self.publish)
        self.memory: MemoryPort | None = None
        self.personality: PersonaPort | None = None
        self.prompts: PromptPort | None = None
        self.folder: Path | None = None
        self.tools: ToolPort | None = None
        self.approver: Approver | None = None

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
        tools: Sequence[str] | None = None,
        said: str | None = None,
        use_cache: bool | None = None,
        must_exist: bool = False,
        **more: Any,
    ) -> Generation:
        """An answer to *prompt*: await the result, or iterate it for chunks. Nothing is sent before that.

        Without *conversation_id* a new conversation begins; an unknown one is created, unless it *must_exist*.
        *options* and *more* (which wins) are sampling and vendor options of the request (`temperature`, `effort`, ...).
        `stream=False` makes an iteration yield the whole answer as one chunk. *parent* is the message that the question
        stands below (default: the newest; "" begins a branch of its own): the question's siblings stay. *tools* are
        those that the model may call (names, categories, `name*`; none: `()`), by default all that are allowed. *said*:
        the person's own words in *prompt*, where the rest comes from elsewhere (a pipe, a file): only they can ask to
        remember something. *use_cache*: whether an answer that was given before will do (default:
        `config.enable_caching`). Awaiting or iterating raises LLMError.
        """
        plan = Plan(
            prompt=prompt,
            conversation_id=conversation_id or new_id("conv"),
            must_exist=must_exist,
            parent=parent,
            provider=provider,
            model=model,
            system_prompt=system_prompt,
            media=tuple(media),
            options={**(options or {}), **more},
            schema=schema,
            tools=tools,
            said=said,
            use_cache=use_cache,
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
        tools: Sequence[str] | None = None,
        said: str | None = None,
        use_cache: bool | None = None,
        **more: Any,
    ) -> Generation:
        """Like `generate_response`, in a conversation that exists: an unknown one is LLMInvalidRequestError."""
        return self.generate_response(
            prompt,
            conversation_id=conversation_id,
            provider=provider,
            model=model,
            system_prompt=system_prompt,
            stream=stream,
            media=media,
            schema=schema,
            options=options,
            tools=tools,
            said=said,
            use_cache=use_cache,
            must_exist=True,
            **more,
        )

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
        tools: Sequence[str] | None = None,
        use_cache: bool | None = False,
    ) -> Generation:
        """Another answer to the question *question_id*, beside those it has. Arguments as for `generate_response`.

        An edited question is a `generate_response` whose `parent` is that of the question it replaces. By default the
        cache, which knows the answer beside it, is not asked.
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
            tools=tools,
            use_cache=use_cache,
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
        return await preview(self, conversation_id, provider, model)

    async def compact(
        self, conversation_id: str, *, provider: str | None = None, model: str | None = None
    ) -> StoredSummary | None:
        """Summarise all but the latest turn of the active branch with the model; None where there is nothing to.

        The messages stay, and `ConversationManager.uncompact` sends them again. Raises CodaError where it fails.
        """
        return await compacted(self, conversation_id, provider, model)

    async def suggest_title(
        self, conversation_id: str, *, provider: str | None = None, model: str | None = None
    ) -> str:
        """A title of a few words for the conversation, by the model; nothing is changed. Raises LLMError."""
        messages = await self.store.messages(conversation_id)
        texts = [next((m.content for m in messages if m.role is role and m.content), "") for role in _SPEAKERS]
        return await (await self.aside(conversation_id, provider, model)).title(*texts)

    async def aside(self, conversation_id: str, provider: str | None = None, model: str | None = None) -> Aside:
        """A model to ask something beside the conversation: counted, and not kept as a message. Raises LLMError."""
        name, chosen, model = await self.resolve(provider, model)
        return Aside(self.accounts, self.clock, conversation_id, chosen, name, model)

    def publish(self, event: Event) -> None:
        """Tell every subscriber; nobody while `config.websocket_events_enabled` is off."""
        if self.config.websocket_events_enabled:
            self._bus.publish(event)

    def _generation(self, plan: Plan, stream: bool | None) -> Generation:
        chunked = self.config.stream_responses if stream is None else stream and self.config.stream_responses
        return Generation(lambda emit: self._answer(plan, emit), plan.conversation_id, chunked=chunked)

    async def _answer(self, plan: Plan, emit: Emit) -> Outcome:
        def publish(event: Event) -> None:
            emit(event)
            self.publish(event)

        return await Answer(plan, self, publish, self._process_response).run()

    async def _process_response(self, response: LLMResponse) -> LLMResponse:
        """For subclasses: change the answer before it is kept and returned. Chunks have gone out raw by then."""
        return response

    def price(self, provider: str, model: str, usage: TokenUsage) -> float | None:
        """USD for *usage*, or None where no price is known."""
        config, prices = self.config.providers.get(provider), self.config.prices
        if config is None:
            return None
        own = has_own_address(config)
        return price(config.provider, model, usage, own_host=own, name=provider, overrides=prices)

    # ---- providers --------------------------------------------------------------------------------------------

    @property
    def _providers(self) -> dict[str, Provider]:
        """The providers that have been made; a program may put its own in: `manager._providers["name"] = provider`."""
        return self.pool.made

    def provider(self, name: str) -> Provider:
        """The provider called *name*, made on first use. Raises LLMProviderUnavailableError for an unknown one."""
        return self.pool.get(name)

    async def resolve(self, provider: str | None, model: str | None) -> tuple[str, Provider, str]:
        """(name, provider, model) for what was asked, defaults filled in. Raises LLMError."""
        return await self.pool.resolve(provider, model)

    async def default_choice(self) -> Choice:
        """The provider that answers when none is named, and why. Decided once."""
        return await self.pool.default_choice()

    def tell_health(self, provider: str, error: LLMError | None) -> None:
        """Publish that *provider* is left alone because of *error*, or (None) well again."""
        self.pool.note_availability(provider, error)

    async def list_providers(self) -> list[str]:
        """The names of all providers, in the order they were configured."""
        return self.pool.names()

    async def list_models(self, provider: str) -> list[ModelInfo]:
        """What *provider* offers. Raises LLMError."""
        return await self.pool.list_models(provider)

    async def get_provider_status(self, provider: str, *, model: str | None = None) -> dict[str, Any]:
        """Whether *provider* answers and has *model* (default: its own), and what was asked of it, across restarts.

        Keys: `provider`, `kind`, `model`, `available`, `reason` (when available: a doubt about the model, or None),
        `hint`, `error`, `latency` (seconds), `request_count`, `total_tokens`, `total_cost` (USD), `error_count`.
        """
        from coda_cli.engine.usage.analytics import provider_counts

        status = await self.pool.status(provider, model=model)
        return status | await provider_counts(self._log, provider, self.accounts.stats(provider))

    async def get_analytics(self) -> dict[str, Any]:
        """What was asked of whom, and what it cost, across restarts; `usage.analytics` says what is in it.

        `conversations` (`total_conversations`, `total_tokens`, `total_cost` in USD) is of what is kept, `providers`
        (`request_count`, `total_tokens`, ...) of every request. Raises StoreError.
        """
        from coda_cli.engine.usage.analytics import analytics, nothing_stored

        live = {name: self.accounts.stats(name) for name in self.pool.names()}
        totals = self.store.totals if isinstance(self.store, ConversationManager) else nothing_stored
        return await analytics(self._log, totals, live)

    @property
    def _log(self) -> UsageLog | None:
        return self.accounts.sink if isinstance(self.accounts.sink, UsageLog) else None

    # ---- memory and persona -----------------------------------------------------------------------------------

    @property
    def remembers(self) -> bool:
        """Whether conversations are kept at all: what is incognito reads and writes no memory."""
        return not isinstance(self.store, ConversationManager) or self.store.shelf.persistent

    async def set_memory_manager(self, memory: MemoryPort | None) -> None:
        """Remember across conversations from now on: what a person asks to keep is kept, what matters recalled."""
        self.memory = memory
        self._enhance()

    async def set_personality_manager(self, personality: PersonaPort | None) -> None:
        """Answer as a persona from now on."""
        self.personality = personality
        self._enhance()

    def _enhance(self) -> None:
        from coda_cli.engine.prompting.enhancer import PromptEnhancer

        self._share_memory()
        memory = self.memory if self.config.memory_enabled else None
        persona = self.personality if self.config.personality_enabled else None
        self.prompts = PromptEnhancer(memory, persona)

    def _share_memory(self) -> None:
        """The tools of memory work on what the manager remembers with."""
        if self.tools is not None:
            self.tools.use_memory(self.memory if self.remembers and self.config.memory_enabled else None)

    # ---- tools ------------------------------------------------------------------------------------------------

    async def set_tool_manager(self, tools: ToolPort | None) -> None:
        """Let models call *tools* from now on (`ToolManager()` has the built-in ones); None takes them away."""
        self.tools = tools
        self._share_memory()

    def set_approver(self, approver: Approver | None) -> None:
        """Who is asked before a call that the rules do not allow by themselves; None: nobody, and the answer is no."""
        self.approver = approver

    # ---- the world --------------------------------------------------------------------------------------------

    def subscribe(
        self, *, backlog: int = BACKLOG, types: Collection[str] | None = None, conversation_id: str | None = None
    ) -> Subscription:
        """Every event of every generation from now on; nothing while `config.websocket_events_enabled` is off.

        *types* (such as "response_complete") and *conversation_id* leave the others out. A subscriber that falls
        *backlog* events behind loses chunks and is told how many by an `EventsLost`; nothing else is ever lost.
        """
        return self._bus.subscribe(backlog=backlog, types=types, conversation_id=conversation_id)

    async def aclose(self) -> None:
        """Close the connections of all providers and what runs for tools; a last try to keep what a full disk refused.

        Models loaded on this machine stay so until the process ends.
        """
        try:
            await self.store.flush()
        finally:
            try:
                await self.pool.aclose()
            finally:
                if self.tools is not None:
                    await self.tools.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
