"""ConversationManager: every conversation of a person, for front ends, programs and the engine.

Each call works in a thread, so that no fsync holds the event loop. When the disk refuses, a conversation goes on in
memory and is written as soon as the disk takes it again: see `unsaved`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from coda_cli.engine.conversations import operations
from coda_cli.engine.conversations.info import ConversationInfo, Filter, SearchHit, StoreTotals
from coda_cli.engine.conversations.journal import StoreError
from coda_cli.engine.conversations.lifeboat import Lifeboat
from coda_cli.engine.conversations.memory import MemoryShelf
from coda_cli.engine.conversations.shelf import Shelf
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Conversation, Rating, Summary
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.messages import LLMMessage, Part, new_id
from coda_cli.engine.core.ports import StoredBranch, StoredSummary

P = ParamSpec("P")
T = TypeVar("T")

EVERYTHING: Final = Filter()


class ConversationManager:
    """Conversations on disk: `ConversationManager()` is the person's own, `ConversationManager(MemoryShelf())` is none.

    It is the `ConversationStore` of an `LLMManager` too. Calls that name a conversation raise ConversationNotFoundError
    for an unknown id and StoreError for a file that cannot be read or written.
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self.shelf = shelf if shelf is not None else personal_folder()
        self._boat = Lifeboat(self.shelf)
        self._turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()

    @classmethod
    def in_memory(cls) -> ConversationManager:
        """One that writes nothing anywhere."""
        return cls(MemoryShelf())

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except StoreError:
            raise
        except KeyError as exc:
            raise operations.not_found(str(exc.args[0])) from exc

    async def _in_turn(
        self, work: Callable[Concatenate[str, P], T], conversation_id: str, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """In a thread, after what was asked of the same conversation before."""
        key = (id(asyncio.get_running_loop()), conversation_id)
        lock = self._turns.get(key)
        if lock is None:
            lock = self._turns[key] = asyncio.Lock()
        async with lock:
            return await self._in_thread(work, conversation_id, *args, **kwargs)

    async def _change(
        self,
        work: Callable[Concatenate[Shelf, str, P], T],
        conversation_id: str,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        def on_the_shelf(name: str) -> T:
            return work(self._boat, name, *args, **kwargs)

        return await self._in_turn(on_the_shelf, conversation_id)

    # ---- the seed's names -----------------------------------------------------------------------------------------

    async def create_conversation(self, conversation_id: str | None = None, *, title: str = "") -> Conversation:
        """The conversation called *conversation_id* (default: a new id), made unless it exists."""
        made = conversation_id or new_id("conv")

        def create(name: str) -> Conversation:
            self._boat.create(name, title=title)
            return self._boat.load(name)

        return await self._in_turn(create, made)

    async def add_message(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        """Keep *message* below *parent* (a message, "": a new root; default: the head); then it is on disk."""
        await self._in_turn(self._boat.add_message, conversation_id, message, parent)

    async def get_conversation_context(self, conversation_id: str, max_tokens: int | None = None) -> list[LLMMessage]:
        """The messages of the active branch that fit into *max_tokens* (estimated), the newest kept, whole turns.

        A summary in force stands for what it covers; hidden messages are left out. Unlimited without *max_tokens*.
        """
        from coda_cli.engine.conversations import context
        from coda_cli.engine.usage.tokens import TokenEstimator

        kept = await self.stored_branch(conversation_id)
        count = TokenEstimator(persist=False).count_message
        return context.fit_to(kept.messages, max_tokens, count, summary=kept.summary, pinned=kept.pinned)

    # ---- the port that the engine writes through --------------------------------------------------------------------

    async def create(self, conversation_id: str) -> bool:
        """Make the conversation unless it exists; whether it is new."""
        return await self._in_turn(self._boat.create, conversation_id)

    async def append(self, conversation_id: str, message: LLMMessage, parent: str | None = None) -> None:
        """The same as `add_message`: the name in the port."""
        await self.add_message(conversation_id, message, parent)

    async def checkpoint(
        self, conversation_id: str, message: LLMMessage, parts: Sequence[Part], parent: str | None
    ) -> None:
        """Keep the next piece of an unfinished answer."""
        await self._in_turn(self._boat.checkpoint, conversation_id, message, parts, parent)

    async def messages(self, conversation_id: str, to: str | None = None) -> list[LLMMessage]:
        """The branch that ends at *to* (default: the head), first to last."""
        return await self._in_turn(self._boat.messages, conversation_id, to)

    async def stored_branch(self, conversation_id: str, to: str | None = None) -> StoredBranch:
        """The branch that ends at *to* (default: the head) as it is to be sent: without hidden messages."""

        def read(name: str) -> StoredBranch:
            conversation = self._boat.load(name)
            path = conversation.path(to)
            shown = [node for node in path if not node.hidden or node is path[-1]]
            summary = conversation.summary_for(path)
            return StoredBranch(
                [node.message.model_copy() for node in shown],
                frozenset(node.message.message_id for node in shown if node.pinned),
                StoredSummary(summary.id, summary.covers, summary.text) if summary is not None else None,
                frozenset(one for undone in conversation.summaries.values() if undone.undone for one in undone.covers),
            )

        return await self._in_turn(read, conversation_id)

    async def summarise(self, conversation_id: str, covers: Sequence[str], text: str, model: str) -> StoredSummary:
        """Keep a summary that stands for the messages *covers*; `uncompact` undoes it."""
        made = await self._change(operations.summarise, conversation_id, covers, text, model=model)
        return StoredSummary(made.id, made.covers, made.text)

    def unsaved(self, conversation_id: str) -> CodaError | None:
        """Why what was said lately in the conversation is in memory only; None when all of it is on disk."""
        return self._boat.problem(conversation_id)

    # ---- reading --------------------------------------------------------------------------------------------------

    async def open(self, conversation_id: str) -> Conversation:
        """The conversation, its whole tree. The same object is brought up to date by the next call."""
        return await self._in_turn(self._boat.load, conversation_id)

    async def list_conversations(
        self, where: Filter = EVERYTHING, *, limit: int = 20, offset: int = 0
    ) -> list[ConversationInfo]:
        """The conversations that fit *where*, pinned ones first, then by their latest activity."""
        return await self._in_thread(self.shelf.rows, where, limit=limit, offset=offset)

    async def search(
        self, text: str, where: Filter = EVERYTHING, *, limit: int = 20, offset: int = 0
    ) -> list[SearchHit]:
        """The messages that match *text*, best first. Any text is a safe query."""
        return await self._in_thread(self.shelf.search, text, where, limit=limit, offset=offset)

    async def totals(self) -> StoreTotals:
        """How many conversations and messages there are, and the tokens and the cost that stand in them."""
        return await self._in_thread(self.shelf.totals)

    async def latest(self) -> ConversationInfo | None:
        """The conversation with the latest activity."""
        return await self._in_thread(operations.latest, self.shelf)

    async def find(self, prefix: str) -> str:
        """The id that *prefix* stands for: the whole id, or a beginning of one (with or without `conv-`).

        Raises ConversationNotFoundError where none or several fit.
        """
        return await self._in_thread(operations.find, self._boat, prefix)

    # ---- the tree -------------------------------------------------------------------------------------------------

    async def head(self, conversation_id: str) -> str | None:
        """The message that the conversation stands at; None before the first question."""
        return (await self.open(conversation_id)).head

    async def set_head(self, conversation_id: str, message_id: str | None) -> Conversation:
        """Stand at *message_id* exactly; None is before the first question."""
        return await self._change(operations.set_head, conversation_id, message_id)

    async def siblings(self, conversation_id: str, message_id: str) -> list[str]:
        """The messages beside *message_id*, this one among them, oldest first."""
        return (await self.open(conversation_id)).siblings(message_id)

    async def branch(self, conversation_id: str, message_id: str) -> Conversation:
        """Switch to the branch through *message_id*: to its newest end."""
        return await self._change(operations.branch, conversation_id, message_id)

    async def undo(self, conversation_id: str) -> Conversation:
        """Go back to before the last question; `redo` brings it back. Raises NothingToDoError."""
        return await self._change(operations.undo, conversation_id)

    async def redo(self, conversation_id: str) -> Conversation:
        """Take the last `undo` back. Raises NothingToDoError."""
        return await self._change(operations.redo, conversation_id)

    async def fork(self, conversation_id: str, message_id: str | None = None, new: str | None = None) -> Conversation:
        """Copy the branch up to *message_id* (default: the head) into a new conversation, and return that."""
        return await self._change(operations.fork, conversation_id, message_id, new)

    async def uncompact(self, conversation_id: str) -> Summary:
        """Undo the summary in force on the active branch. Raises NothingToDoError."""
        return await self._change(operations.uncompact, conversation_id)

    # ---- labels and the trash -------------------------------------------------------------------------------------

    async def rename(self, conversation_id: str, title: str) -> Conversation:
        """Give it a title; an empty one brings the first words of its first question back."""
        return await self._change(operations.rename, conversation_id, title)

    async def tag(self, conversation_id: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Conversation:
        """Add and remove tags."""
        return await self._change(operations.tag, conversation_id, add, remove)

    async def pin(self, conversation_id: str, *, pinned: bool = True, message_id: str | None = None) -> Conversation:
        """Pin the conversation, or one message of it, which is then never summarised."""
        return await self._change(operations.pin, conversation_id, pinned=pinned, message_id=message_id)

    async def rate(self, conversation_id: str, message_id: str, rating: Rating | None) -> Conversation:
        """Keep what a person thinks of an answer; None takes it back. Raises UsageError for what is no answer."""
        return await self._change(operations.rate, conversation_id, message_id, rating)

    async def hide(self, conversation_id: str, message_id: str, *, hidden: bool = True) -> Conversation:
        """Take a message out of view and out of what is sent, or bring it back."""
        return await self._change(operations.hide, conversation_id, message_id, hidden=hidden)

    async def delete(self, conversation_id: str) -> Path | None:
        """Move the conversation to the trash; returns where it lies now (None for one in memory)."""
        return await self._in_turn(self._boat.delete, conversation_id)

    async def restore(self, conversation_id: str) -> Path | None:
        """Take the conversation, as it was deleted last, out of the trash."""
        return await self._in_turn(self._boat.restore, conversation_id)

    async def flush(self) -> None:
        """Try once more to write what the disk refused."""
        await self._in_thread(self._boat.land)


def personal_folder() -> Folder:
    """The conversations in this person's data folder, with their index in the cache folder. Nothing is made yet."""
    from coda_cli.engine.conversations.index import Index  # with sqlite3: not for chats that only live in memory

    folder = Folder()
    folder.index = Index(folder.conversations, folder.blobs)
    return folder
