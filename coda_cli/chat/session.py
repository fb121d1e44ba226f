"""ChatSession: one open chat of a front end. It asks, answers again, edits, moves in the tree, and counts.

Everything it keeps goes through the `ConversationManager`; what it hands out are `Generation`s and `Entry`s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from coda_cli.bootstrap import Wired
from coda_cli.chat.comparison import Comparison, Contender
from coda_cli.chat.drafts import Drafts
from coda_cli.chat.entries import entries_of, message_at
from coda_cli.chat.entry import Entry
from coda_cli.chat.file_blocks import with_files_of
from coda_cli.chat.gauge import Gauge, cost_of, tokens_of
from coda_cli.chat.last_spec import last_spec
from coda_cli.chat.lent import Lent
from coda_cli.chat.prompt_history import PromptHistory
from coda_cli.chat.remembering import remember_end
from coda_cli.chat.shell import ShellResult
from coda_cli.engine.conversations.info import ConversationInfo
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.tree import Conversation, Node
from coda_cli.engine.core.errors import LLMError, UsageError
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, MediaPart, MessageRole, new_id
from coda_cli.engine.core.usage import Status
from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager
from coda_cli.settings.model_cache import cached_models
from coda_cli.settings.model_spec import ModelSpec, check_prefix, parse_spec
from coda_cli.settings.schema import Settings, needs_no_key

_RECENT: Final = 200
"""Chats whose titles a completion knows."""

_DEFAULT: Final = ModelSpec(None, None)


class Queued(Struct, frozen=True):
    """A question that waits for the answer under way."""

    text: str
    media: tuple[MediaPart, ...] = ()


class Asked(Struct, frozen=True):
    """Where the answer under way stands: below the message `below` (None: the head, "": nothing).

    `text` is the question that was asked there; None where `below` is the question, which is answered again.
    """

    below: str | None
    text: str | None = None


class ChatSession:
    """The chat that is open. `conversation_id` is None until something is said; `spec` is what answers next.

    `editing` is the question that the next `submit` takes the place of. `queue` waits for the answer under way.
    `shell_notes` are what commands of the person's shell have said since the last question; they go along with the
    next one. `tools` are those that the model may call (names, categories; None: all that the settings allow).
    `notes` are told at the beginning. `asked` tells where the answer under way stands. `shown` and `recent` are what
    `entries` and `refresh_recent` gave last, for completions.
    """

    def __init__(
        self,
        wired: Wired,
        *,
        spec: ModelSpec = _DEFAULT,
        conversation_id: str | None = None,
        system_prompt: str | None = None,
        incognito: bool = False,
        tools: Sequence[str] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.wired = wired
        self.notes = notes
        self.brought = ""  # what a pipe and files have put before the first question
        self.lent_model: Lent[ModelSpec] | None = None  # by a persona
        self.lent_tools: Lent[Sequence[str] | None] | None = None
        self.named_model = self.named_tools = False  # by the person: no persona takes it from them
        self.looked_at = ""  # the digest of what was last shown of the working folder: a yes is for that
        self.tools = tools
        self.spec = spec
        self.conversation_id = conversation_id
        self.incognito = incognito
        self.queue: list[Queued] = []
        self.generation: Generation | None = None
        self.asides: set[asyncio.Task[None]] = set()  # what a model is asked beside the chat
        self.editing: str | None = None
        self.asked = Asked(None)
        self.shell_notes: list[str] = []
        self.deleted: list[str] = []  # the latest last
        self.shown: list[Entry] = []
        self.recent: list[ConversationInfo] = []
        self.history = PromptHistory(keep=not incognito)
        self.drafts = Drafts(keep=not incognito)
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

    async def submit(self, text: str, media: Sequence[MediaPart] = ()) -> Generation:
        """What Enter does: ask *text*, or with `editing` set ask it in place of that question."""
        edited, self.editing = self.editing, None
        if edited is None:
            return self.ask(text, media)
        return await self.edit(edited, text, media or None)

    def ask(self, text: str, media: Sequence[MediaPart] = ()) -> Generation:
        """Ask below the head. Nothing is sent before the Generation is awaited or iterated."""
        return self._ask(self._with_shell_notes(text), media, parent=None, said=self._own_words(text))

    def join_shell(self, result: ShellResult) -> None:
        """What a `!command` has said goes along with the next question."""
        self.shell_notes.append(result.message)

    async def edit(self, message_id: str, text: str, media: Sequence[MediaPart] | None = None) -> Generation:
        """Ask *text* in place of the question *message_id*, as its sibling; its attachments go along by default.

        Raises UsageError for a message that is no question.
        """
        node = await self._node(message_id)
        if node.message.role is not MessageRole.USER:
            raise UsageError("only a question can be edited", hint="`/retry` makes another answer beside this one")
        if media is None:
            media = [part for part in node.message.parts if isinstance(part, ImagePart | AudioPart | FilePart)]
        return self._ask(with_files_of(node.message.content, text), media, parent=node.parent or "")

    def _own_words(self, text: str) -> str:
        """What of *text* the person wrote: not what a pipe brought along."""
        brought, self.brought = self.brought, ""
        return text.removeprefix(brought)

    def _with_shell_notes(self, text: str) -> str:
        notes, self.shell_notes = self.shell_notes, []
        return "\n\n".join([*notes, text]) if notes else text

    def _ask(self, text: str, media: Sequence[MediaPart], *, parent: str | None, said: str | None = None) -> Generation:
        if self.conversation_id is None:
            self.conversation_id = new_id("conv")
        system_prompt, self._system_prompt = self._system_prompt, None
        self.asked = Asked(parent, text)
        self.generation = self.manager.generate_response(
            text,
            conversation_id=self.conversation_id,
            provider=self.spec.provider,
            model=self.spec.model,
            system_prompt=system_prompt,
            media=media,
            parent=parent,
            tools=self.tools,
            said=said,
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
        self.asked = Asked(question.message.message_id)
        self.generation = self.manager.retry(
            self.conversation_id,
            question.message.message_id,
            provider=chosen.provider,
            model=chosen.model,
            tools=self.tools,
        )
        return self.generation

    def set_system_prompt(self, text: str) -> None:
        """From the next question on; "" takes an earlier one back."""
        self._system_prompt = text

    async def system_prompt(self) -> str:
        """The one that goes along with the next question; "" for none."""
        if self._system_prompt is not None:
            return self._system_prompt
        given = [node.message.metadata.get("system_prompt") for node in (await self.opened()).path()]
        return next((text for text in reversed(given) if isinstance(text, str)), "")

    # ---- the queue --------------------------------------------------------------------------------------------------

    def enqueue(self, text: str, media: Sequence[MediaPart] = ()) -> None:
        """Ask *text* when the answer under way, and what waits already, is done."""
        self.queue.append(Queued(text, tuple(media)))

    def ask_next(self) -> Generation | None:
        """Ask what waits first; None where nothing does, or where the last answer failed or was stopped.

        What waits then stays: a person decides what to do with it.
        """
        last = self.generation.response if self.generation is not None else None
        if self.busy or not self.queue or (last is not None and last.status is not Status.COMPLETE):
            return None
        waiting = self.queue.pop(0)
        return self.ask(waiting.text, waiting.media)

    # ---- several models ---------------------------------------------------------------------------------------------

    async def compare(
        self, specs: Sequence[ModelSpec], text: str | None = None, media: Sequence[MediaPart] = ()
    ) -> Comparison:
        """All of *specs* on one question: *text*, or the latest one again. Raises UsageError where there is none."""
        for spec in specs:
            await self._find_key(spec)
        if text is None:
            node = await self.last_question()
            if node is None or self.conversation_id is None:
                raise UsageError("there is no question to compare answers to", hint="give one behind the models")
            question, said = node.message.message_id, node.message.content
        else:
            system_prompt, self._system_prompt = self._system_prompt, None
            said = self._with_shell_notes(text)
            self.conversation_id, question = await self.manager.add_question(
                said, conversation_id=self.conversation_id, media=media, system_prompt=system_prompt
            )
        conversation_id = self.conversation_id
        contenders = tuple(
            Contender(
                spec,
                self.spec_name(spec),
                self.manager.retry(conversation_id, question, provider=spec.provider, model=spec.model, tools=()),
            )
            for spec in specs
        )
        return Comparison(conversation_id, question, said, contenders)

    async def settle(self, comparison: Comparison, chosen: int | None) -> None:
        """Make the answer *chosen* (None: the first that came) the branch, and its model what answers next."""
        order = range(len(comparison.contenders)) if chosen is None else [chosen]
        for place in order:
            contender = comparison.contenders[place]
            response = contender.generation.response
            message_id = response.metadata.get("message_id") if response is not None else None
            if isinstance(message_id, str):
                await self.conversations.set_head(comparison.conversation_id, message_id)
                self.generation = contender.generation
                if chosen is not None:
                    self.spec, self.named_model = contender.spec, True
                return

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
        self.shown = entries_of(await self.opened())
        return self.shown

    async def refresh_recent(self) -> list[ConversationInfo]:
        """The latest chats, for lists and completions."""
        self.recent = await self.conversations.list_conversations(limit=_RECENT)
        return self.recent

    async def message(self, place: str) -> Node:
        """The message that *place* stands for: its number in the transcript (negative: from the end), or an id.

        A beginning of an id is enough. Raises UsageError.
        """
        return message_at(await self.opened(), place)

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

    async def last_failed(self) -> bool:
        """Whether the latest question has no whole answer, so that `retry` makes sense."""
        path = (await self.opened()).path()
        return bool(path) and (path[-1].message.role is MessageRole.USER or path[-1].message.status != "complete")

    def begin_new(self) -> None:
        """Leave this chat (it is kept) for an empty one with the same model."""
        self.conversation_id, self.generation, self.editing = None, None, None
        self._system_prompt = None
        self.queue.clear()
        self.shell_notes.clear()
        self.shown = []

    async def switch_to(self, conversation_id: str) -> None:
        """Open another chat, with the model that answered last in it if that is still configured.

        Raises ConversationNotFoundError.
        """
        conversation = await self.conversations.open(conversation_id)
        await remember_end(self)
        self.begin_new()
        self.conversation_id = conversation_id
        await self.use(last_spec(conversation, self.settings) or self.spec)

    # ---- the model --------------------------------------------------------------------------------------------------

    async def switch_model(self, text: str) -> ModelSpec:
        """Let what *text* names answer from now on. Asks nobody, so it works whatever is down. Raises UsageError."""
        spec = self.parse(text)
        await self.use(spec)
        self.named_model = True
        return spec

    def parse(self, text: str) -> ModelSpec:
        """What *text* names, with these settings. Raises UsageError for a provider that is misspelt."""
        spec = parse_spec(text.strip(), self.settings, cached_models())
        check_prefix(spec, self.settings)
        return spec

    async def use(self, spec: ModelSpec) -> None:
        """Let *spec* answer from now on; its key is looked up if it was not yet."""
        await self._find_key(spec)
        self.spec = spec

    async def _find_key(self, spec: ModelSpec) -> None:
        name = spec.provider or ""
        table, config = self.settings.providers.get(name), self.manager.config.providers.get(name)
        if table is None or config is None or config.api_key is not None or needs_no_key(table):
            return
        from coda_cli.settings.secrets import find_key

        key = await asyncio.to_thread(find_key, name, table)
        if key is not None:
            config.api_key = key.value

    def spec_name(self, spec: ModelSpec) -> str:
        """`provider/model` as far as it is known."""
        if spec.provider is None:
            return spec.model or "the default model"
        table = self.settings.providers.get(spec.provider)
        model = spec.model or (table.model if table is not None else None)
        return f"{spec.provider}/{model}" if model else spec.provider

    # ---- counting ---------------------------------------------------------------------------------------------------

    async def model_name(self) -> tuple[str, str]:
        """(provider, model) that answers next. Raises LLMError where none can."""
        name, _, model = await self.manager.resolve(self.spec.provider, self.spec.model)
        return name, model

    async def gauge(self) -> Gauge:
        """Tokens and cost of the chat as it stands."""
        conversation = await self.opened()
        window: int | None = None
        provider = model = ""
        try:
            provider, model = await self.model_name()
            window = self.manager.provider(provider).profile(model).context_window
        except LLMError:
            pass  # no provider answers: the status line says so, this has nothing to add
        counter = self.manager.tokens.counter(provider, model)
        return Gauge(tokens_of(conversation, counter), window, *cost_of(conversation))
