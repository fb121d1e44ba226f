"""What can be done with a conversation beside saying something: undo, fork, rename, pin, compact and so on.

Each is one append to the journal; nothing is overwritten. Synchronous, over any `Shelf`; `ConversationManager` offers
them to front ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from coda_cli.engine.conversations.info import ConversationInfo, Filter
from coda_cli.engine.conversations.journal import Record, StoreError, Tail
from coda_cli.engine.conversations.shelf import Shelf
from coda_cli.engine.conversations.tree import Conversation, Node, Rating, Summary, message_record
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import MessageRole, new_id

ID_PREFIX: Final = "conv-"


class ConversationNotFoundError(StoreError, KeyError):
    """No conversation has this id, or several have ids that begin with it."""

    exit_code = 2

    def __str__(self) -> str:
        return self.message  # KeyError would quote it


class NothingToDoError(StoreError):
    """There is nothing to undo, to redo or to take back."""

    exit_code = 2


def _change(shelf: Shelf, conversation_id: str, build: Callable[[Conversation], Sequence[Record]]) -> Conversation:
    """Append what *build* makes of the conversation as it is under the lock; returns it as it is afterwards."""

    def under_the_lock(_: Tail) -> Sequence[Record]:
        return build(shelf.load(conversation_id))

    shelf.append(conversation_id, under_the_lock)
    return shelf.load(conversation_id)


def _known(conversation: Conversation, message_id: str) -> Node:
    node = conversation.nodes.get(message_id)
    if node is None:
        raise StoreError(f"there is no message {message_id!r} in this conversation", hint="`/tree` shows all of them")
    return node


# ---- which conversation ---------------------------------------------------------------------------------------------


def find(shelf: Shelf, prefix: str) -> str:
    """The id that *prefix* stands for: the whole id, or a beginning of one (with or without `conv-`).

    Raises ConversationNotFoundError where none or several fit.
    """
    if prefix and shelf.exists(prefix):
        return prefix
    found = shelf.with_prefix(prefix) if prefix else []
    if prefix and not prefix.startswith(ID_PREFIX):
        found += shelf.with_prefix(ID_PREFIX + prefix)
    if len(found) == 1:
        return found[0]
    if not found:
        raise not_found(prefix)
    some = ", ".join(found[:5])
    raise ConversationNotFoundError(f"several conversations begin with {prefix!r}", hint=f"say more of it: {some}")


def not_found(conversation_id: str) -> ConversationNotFoundError:
    """The error for an id that no conversation has."""
    return ConversationNotFoundError(
        f"there is no conversation {conversation_id!r}", hint="`coda history list` shows all of them"
    )


def latest(shelf: Shelf) -> ConversationInfo | None:
    """The conversation with the latest activity."""
    rows = [row for pinned in (True, False) for row in shelf.rows(Filter(pinned=pinned), limit=1)]
    return max(rows, key=lambda row: row.updated, default=None)


# ---- where the conversation stands --------------------------------------------------------------------------------


def undo(shelf: Shelf, conversation_id: str) -> Conversation:
    """Go back to before the last question. Raises NothingToDoError."""

    def build(conversation: Conversation) -> Sequence[Record]:
        questions = [node for node in conversation.path() if node.message.role is MessageRole.USER]
        if not questions:
            raise NothingToDoError("there is no question to take back")
        return [{"type": "head", "head": questions[-1].parent, "step": "undo"}]

    return _change(shelf, conversation_id, build)


def redo(shelf: Shelf, conversation_id: str) -> Conversation:
    """Take the last `undo` back. Raises NothingToDoError."""

    def build(conversation: Conversation) -> Sequence[Record]:
        if not conversation.redo:
            raise NothingToDoError("nothing was undone, or something was said since")
        return [{"type": "head", "head": conversation.redo[-1], "step": "redo"}]

    return _change(shelf, conversation_id, build)


def set_head(shelf: Shelf, conversation_id: str, message_id: str | None) -> Conversation:
    """Stand at *message_id* exactly; None is before the first question. Raises StoreError for an unknown one."""

    def build(conversation: Conversation) -> Sequence[Record]:
        if message_id is not None:
            _known(conversation, message_id)
        return [{"type": "head", "head": message_id}] if conversation.head != message_id else []

    return _change(shelf, conversation_id, build)


def branch(shelf: Shelf, conversation_id: str, message_id: str) -> Conversation:
    """Switch to the branch through *message_id*: to its newest end. Raises StoreError for an unknown message."""

    def build(conversation: Conversation) -> Sequence[Record]:
        _known(conversation, message_id)
        leaf = conversation.leaf(message_id)
        return [{"type": "head", "head": leaf}] if conversation.head != leaf else []

    return _change(shelf, conversation_id, build)


def fork(shelf: Shelf, conversation_id: str, message_id: str | None = None, new: str | None = None) -> Conversation:
    """Copy the branch up to *message_id* (default: the head) into a new conversation that names its origin.

    Raises StoreError for an unknown message or an id *new* that exists.
    """
    source = shelf.load(conversation_id)
    if message_id is not None:
        _known(source, message_id)
    made = new or new_id("conv")
    at = message_id if message_id is not None else source.head
    if not copy(source, shelf, made, to=at, origin={"conversation": conversation_id, "message": at}):
        raise StoreError(f"there is a conversation {made!r} already", hint="choose another id for the copy")
    return shelf.load(made)


def copy(source: Conversation, target: Shelf, made: str, *, to: str | None, origin: dict[str, Any] | None) -> bool:
    """Copy the branch of *source* up to *to* into *target* as the conversation *made*; False if that exists there."""
    path = source.path(to) if to is not None else []
    if not target.create(made, title=source.name, origin=origin):
        return False
    ids = {node.message.message_id for node in path}
    records: list[Record] = [message_record(node.message, node.parent) for node in path]
    for node in path:
        records += _marks(node)
    records += [_summary_record(s) for s in source.summaries.values() if not s.undone and ids.issuperset(s.covers)]
    if source.tags:
        records.append({"type": "tags", "tags": source.tags})
    target.append(made, lambda _: records)
    return True


def _marks(node: Node) -> Iterable[Record]:
    if node.pinned:
        yield {"type": "pin", "message": node.message.message_id, "pinned": True}
    if node.hidden:
        yield {"type": "hide", "message": node.message.message_id, "hidden": True}
    if node.rating is not None:
        yield {"type": "rating", "message": node.message.message_id, "rating": node.rating}


# ---- labels ---------------------------------------------------------------------------------------------------------


def rename(shelf: Shelf, conversation_id: str, title: str) -> Conversation:
    """Give the conversation *title*; an empty one brings the first words back."""
    return _change(shelf, conversation_id, lambda _: [{"type": "title", "title": " ".join(title.split())}])


def tag(shelf: Shelf, conversation_id: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Conversation:
    """Add and remove tags; each is one word or several, letter case is kept but does not tell two apart."""
    wanted = [cleaned for raw in add if (cleaned := " ".join(raw.split()))]
    gone = {" ".join(raw.split()).casefold() for raw in remove}

    def build(conversation: Conversation) -> Sequence[Record]:
        tags = [one for one in conversation.tags if one.casefold() not in gone]
        for one in wanted:
            if one.casefold() not in {known.casefold() for known in tags}:
                tags.append(one)
        return [{"type": "tags", "tags": tags}] if tags != conversation.tags else []

    return _change(shelf, conversation_id, build)


def pin(shelf: Shelf, conversation_id: str, *, pinned: bool = True, message_id: str | None = None) -> Conversation:
    """Pin the conversation (first in every list) or one message (never summarised). Raises StoreError."""

    def build(conversation: Conversation) -> Sequence[Record]:
        if message_id is None:
            return [{"type": "pin", "pinned": pinned}] if conversation.pinned != pinned else []
        same = _known(conversation, message_id).pinned == pinned
        return [] if same else [{"type": "pin", "message": message_id, "pinned": pinned}]

    return _change(shelf, conversation_id, build)


def rate(shelf: Shelf, conversation_id: str, message_id: str, rating: Rating | None) -> Conversation:
    """Keep what a person thinks of an answer; None takes it back.

    Raises StoreError, and UsageError for what is no answer.
    """

    def build(conversation: Conversation) -> Sequence[Record]:
        node = _known(conversation, message_id)
        if node.message.role is not MessageRole.ASSISTANT:
            raise UsageError("only answers are rated", hint="choose a message of a model")
        same = node.rating == rating
        return [] if same else [{"type": "rating", "message": message_id, "rating": rating}]

    return _change(shelf, conversation_id, build)


def hide(shelf: Shelf, conversation_id: str, message_id: str, *, hidden: bool = True) -> Conversation:
    """Take a message out of view and out of what is sent, or bring it back. Raises StoreError."""

    def build(conversation: Conversation) -> Sequence[Record]:
        same = _known(conversation, message_id).hidden == hidden
        return [] if same else [{"type": "hide", "message": message_id, "hidden": hidden}]

    return _change(shelf, conversation_id, build)


# ---- summaries ------------------------------------------------------------------------------------------------------


def summarise(shelf: Shelf, conversation_id: str, covers: Sequence[str], text: str, *, model: str = "") -> Summary:
    """Keep a summary that stands for the messages *covers*. They stay; `uncompact` brings them back into the window."""
    made = new_id("sum")
    now = shelf.now()
    summary = Summary(id=made, covers=tuple(covers), text=text, time=now, model=model)
    conversation = _change(shelf, conversation_id, lambda _: [_summary_record(summary)])
    return conversation.summaries[made]


def _summary_record(summary: Summary) -> Record:
    return {
        "type": "summary",
        "id": summary.id,
        "covers": list(summary.covers),
        "text": summary.text,
        "time": summary.time,
        "model": summary.model,
    }


def uncompact(shelf: Shelf, conversation_id: str) -> Summary:
    """Undo the summary that is in force on this branch; an older one may take its place. Raises NothingToDoError."""
    undone: list[Summary] = []

    def build(conversation: Conversation) -> Sequence[Record]:
        summary = conversation.summary_for(conversation.path())
        if summary is None:
            raise NothingToDoError("nothing in this conversation is summarised")
        undone.append(summary)
        return [{"type": "uncompact", "summary": summary.id}]

    _change(shelf, conversation_id, build)
    return undone[-1]
