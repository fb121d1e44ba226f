"""ChatSession: one open chat of a front end. It asks, answers again, edits, moves in the tree, and counts.

Everything it keeps goes through the `ConversationManager`; what it hands out are `Generation`s and `Entry`s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from coda_cli.bootstrap import Wired
from coda_cli.chat.entries import Entry, entries_of
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.tree import Conversation, Node
from coda_cli.engine.core.errors import LLMError, UsageError
from coda_cli.engine.core.messages import MediaPart, MessageRole, TextPart, new_id
from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager
from coda_cli.settings.model_spec import ModelSpec
from coda_cli.settings.schema import Settings

_DEFAULT: Final = ModelSpec(None, None)


@dataclass(frozen=True, slots=True)
class Gauge:
    """How full the window is, and what the chat has cost.

    `tokens` are those of the latest request and its answer (an estimate until there is one), `window` is the model's
    (None: nobody knows), `cost` USD over all branches (None: nothing was priced), `unpriced` counts answers without
    a price.
    """

    tokens: int
    window: int | None
    cost: float | None
    unpriced: int


@dataclass(frozen=True, slots=True)
class Queued:
    """A question that waits for the answer under way."""

    text: str
    media: tuple[MediaPart, ...] = ()


class ChatSession:
    """The chat that is open. `conversation_id` is None until something is said; `spec` is what answers next."""

    def __init__(
        self,
        wired: Wired,
        *,
        spec: ModelSpec = _DEFAULT,
        conversation_id: str | None = None,
        system_prompt: str | None = None,
        incognito: bool = False,
    ) -> None:
        self.wired = wired
        self.spec = spec
        self.conversation_id = conversation_id
        self.incognito = incognito
        self.queue: list[Queued] = []
        self.generation: Generation | None = None
        self._system_prompt = system_prompt  # goes along with the next question, and is kept with it

    @property
    def manager(self) -> LLMManager:
        """What answers."""
        return self.wired.manager

    @property
    def conversations(self) -> ConversationManager:
        """Where everything is kept."""
        return self.wired.conversations

    @property
    def settings(self) -> Settings:
        """What the person has configured."""
        return self.wired.settings

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self.generation is not None and self.generation.response is None

    # ---- asking -----------------------------------------------------------------------------------------------------

    def ask(self, text: str, media: Sequence[MediaPart] = ()) -> Generation:
        """Ask below the head. Nothing is sent before the Generation is awaited or iterated."""
        return self._ask(text, media, parent=None)

    async def edit(self, message_id: str, text: str, media: Sequence[MediaPart] | None = None) -> Generation:
        """Ask *text* in place of the question *message_id*, as its sibling; its attachments go along by default."""
        node = await self._node(message_id)
        if media is None:
            media = [part for part in node.message.parts if not isinstance(part, TextPart)]  # type: ignore[misc]  # a question has no other parts
        return self._ask(text, media, parent=node.parent or "")

    def _ask(self, text: str, media: Sequence[MediaPart], *, parent: str | None) -> Generation:
        if self.conversation_id is None:
            self.conversation_id = new_id("conv")
        system_prompt, self._system_prompt = self._system_prompt, None
        self.generation = self.manager.generate_response(
            text,
            conversation_id=self.conversation_id,
            provider=self.spec.provider,
            model=self.spec.model,
            system_prompt=system_prompt,
            media=media,
            parent=parent,
        )
        return self.generation

    async def retry(self, message_id: str | None = None, spec: ModelSpec | None = None) -> Generation:
        """Another answer beside *message_id* (an answer or its question; default: the latest), by *spec* if given.

        Raises UsageError where nothing has been asked.
        """
        conversation = await self.opened()
        path = conversation.path(message_id)
        question = next((node for node in reversed(path) if node.message.role is MessageRole.USER), None)
        if question is None or self.conversation_id is None:
            raise UsageError("there is no question to answer again", hint="ask something first")
        chosen = spec or self.spec
        self.generation = self.manager.retry(
            self.conversation_id, question.message.message_id, provider=chosen.provider, model=chosen.model
        )
        return self.generation

    def set_system_prompt(self, text: str) -> None:
        """From the next question on; "" takes an earlier one back."""
        self._system_prompt = text

    # ---- where the chat stands --------------------------------------------------------------------------------------

    async def opened(self) -> Conversation:
        """The conversation as it stands; an empty one before anything was said."""
        if self.conversation_id is None:
            return Conversation()
        try:
            return await self.conversations.open(self.conversation_id)
        except KeyError:
            return Conversation()  # its first question is still on the way to the disk

    async def entries(self) -> list[Entry]:
        """What the transcript shows."""
        return entries_of(await self.opened())

    async def _node(self, message_id: str) -> Node:
        node = (await self.opened()).nodes.get(message_id)
        if node is None:
            raise UsageError("there is no such message in this chat", hint="`/tree` shows all of them")
        return node

    async def step_sibling(self, message_id: str, step: int) -> bool:
        """Switch to the version *step* places after *message_id*; False where there is none."""
        conversation = await self.opened()
        siblings = conversation.siblings(message_id)
        place = siblings.index(message_id) + step
        if not 0 <= place < len(siblings) or self.conversation_id is None:
            return False
        await self.conversations.branch(self.conversation_id, siblings[place])
        return True

    async def last_question(self) -> Node | None:
        """The latest question of the active branch."""
        path = (await self.opened()).path()
        return next((node for node in reversed(path) if node.message.role is MessageRole.USER), None)

    def begin_new(self) -> None:
        """Leave this chat (it is kept) for an empty one with the same model."""
        self.conversation_id, self.generation = None, None
        self.queue.clear()

    async def switch_to(self, conversation_id: str) -> None:
        """Open another chat, with the model that answered last in it if that is still configured.

        Raises ConversationNotFoundError.
        """
        conversation = await self.conversations.open(conversation_id)
        self.begin_new()
        self.conversation_id = conversation_id
        self.spec = last_spec(conversation, self.settings) or self.spec

    # ---- counting ---------------------------------------------------------------------------------------------------

    async def model_name(self) -> tuple[str, str]:
        """(provider, model) that answers next. Raises LLMError where none can."""
        name, _, model = await self.manager.resolve(self.spec.provider, self.spec.model)
        return name, model

    async def gauge(self) -> Gauge:
        """Tokens and cost of the chat as it stands."""
        conversation = await self.opened()
        cost: float | None = None
        unpriced = 0
        for node in conversation.nodes.values():
            if node.message.role is MessageRole.ASSISTANT:
                value = node.message.metadata.get("cost")
                if isinstance(value, int | float):
                    cost = (cost or 0.0) + value
                else:
                    unpriced += 1
        window: int | None = None
        provider = model = ""
        try:
            provider, model = await self.model_name()
            window = self.manager.provider(provider).profile(model).context_window
        except LLMError:
            pass  # no provider answers: the status line says so, this has nothing to add
        return Gauge(self._tokens(conversation, provider, model), window, cost, unpriced)

    def _tokens(self, conversation: Conversation, provider: str, model: str) -> int:
        path = conversation.path()
        for place, node in enumerate(reversed(path)):
            usage = node.message.metadata.get("usage")
            if isinstance(usage, dict) and usage.get("input_tokens"):
                later = path[len(path) - place :]
                count = self.manager.tokens.counter(provider, model).message
                reported = int(usage["input_tokens"]) + int(usage.get("output_tokens") or 0)
                return reported + sum(count(other.message) for other in later)
        count = self.manager.tokens.counter(provider, model).message
        return sum(count(node.message) for node in path)


def last_spec(conversation: Conversation, settings: Settings) -> ModelSpec | None:
    """What answered last on the active branch, if its provider is still configured."""
    for node in reversed(conversation.path()):
        provider, model = node.message.metadata.get("provider"), node.message.metadata.get("model")
        if isinstance(provider, str) and provider in settings.providers:
            return ModelSpec(provider, model if isinstance(model, str) and model else None)
    return None
