"""What one answer leaves in its conversation: the question, every step of the answer, and pieces of it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from coda_cli.engine.checkpoints import Checkpoints
from coda_cli.engine.core.errors import CodaError, LLMInvalidRequestError
from coda_cli.engine.core.events import ConversationCreated, ConversationUnsaved, Event, ReasoningChunk, ResponseChunk
from coda_cli.engine.core.messages import LLMMessage, MessageRole, Part
from coda_cli.engine.core.ports import Clock, ConversationStore, StoredBranch
from coda_cli.engine.turn import Stamp


class KeepingHost(Protocol):
    """What keeping needs of the manager."""

    store: ConversationStore
    clock: Clock


class Keeping:
    """Keeps one answer of one conversation. `question` is the id of what is answered, None before it is kept.

    `message` is the step of the answer that is under way; it stands below `parent`.
    """

    def __init__(self, host: KeepingHost, conversation_id: str, stamp: Stamp, publish: Callable[[Event], None]) -> None:
        self._store, self._clock = host.store, host.clock
        self._conversation_id = conversation_id
        self._stamp, self._publish = stamp, publish
        self._unsaved_told = False
        self.question: str | None = None
        self.parent: str | None = None
        self.provider = self.model = ""
        self.begin()

    # ---- the question ---------------------------------------------------------------------------------------------

    async def create(self) -> None:
        """Make the conversation unless it exists."""
        if await self._store.create(self._conversation_id):
            self._publish(self._stamp(ConversationCreated))

    async def check_exists(self, question: str | None) -> None:
        """Raise LLMInvalidRequestError for an unknown conversation, or a *question* that is not in it."""
        try:
            await self._store.messages(self._conversation_id, question)
        except KeyError:
            what = "conversation" if question is None else f"question {question!r} in the conversation"
            raise LLMInvalidRequestError(
                f"there is no {what} {self._conversation_id!r}",
                hint="start one with generate_response(), which gives its conversation_id",
            ) from None

    async def ask(self, question: LLMMessage, below: str | None) -> StoredBranch:
        """Keep *question* below the message *below* (None: the newest); the branch up to it."""
        await self._store.append(self._conversation_id, question, below)
        return await self.again(question.message_id)

    async def again(self, question: str) -> StoredBranch:
        """Answer a question that is kept already; the branch up to it, whatever was added meanwhile."""
        self.question = self.parent = question
        return await self._store.stored_branch(self._conversation_id, question)

    # ---- the answer -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The next step of the answer begins."""
        self.message = LLMMessage(role=MessageRole.ASSISTANT, created=self._clock.now())
        self._checkpoints = Checkpoints(self._keep_piece, self._clock, self.provider)

    def add(self, event: ResponseChunk | ReasoningChunk) -> None:
        """A piece of the step under way, to be kept about once a second."""
        self._checkpoints.add(event)

    async def _keep_piece(self, parts: Sequence[Part]) -> None:
        piece = self.message.model_copy(update={"metadata": {"provider": self.provider, "model": self.model}})
        await self._store.checkpoint(self._conversation_id, piece, parts, self.parent)

    async def step(self, parts: list[Part], status: str, metadata: Mapping[str, Any], text: str | None = None) -> str:
        """Keep the step under way with all its *parts* (and *text* in place of theirs); its message's id.

        What comes next stands below it. Raises CodaError.
        """
        await self._checkpoints.stop()
        message = self.message.model_copy(update={"parts": parts, "status": status})
        if text is not None and message.content != text:
            message.content = text
        message.metadata |= {"provider": self.provider, "model": self.model, **metadata}
        await self._store.append(self._conversation_id, message, self.parent)
        self.parent = message.message_id
        return message.message_id

    async def results(self, message: LLMMessage) -> StoredBranch:
        """Keep the results of the step's calls and begin the next one; the branch up to them. Raises CodaError."""
        await self._store.append(self._conversation_id, message, self.parent)
        self.parent = message.message_id
        self.begin()
        return await self._store.stored_branch(self._conversation_id, message.message_id)

    # ---- a disk that refuses --------------------------------------------------------------------------------------

    def tell_unsaved(self) -> None:
        """Say once an answer that the disk refuses; the conversation goes on all the same."""
        problem = self._store.unsaved(self._conversation_id)
        if problem is not None and not self._unsaved_told:
            self._unsaved_told = True
            self.lost(problem)

    def lost(self, problem: CodaError) -> None:
        """The answer is on the screen: say that it is nowhere else."""
        self._publish(self._stamp(ConversationUnsaved, reason=problem.message, hint=problem.hint))
