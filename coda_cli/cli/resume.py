"""Which conversation a command goes on with: `-c`, `--cid ID`, `--fork`, and what it was answered by."""

from __future__ import annotations

from msgspec import Struct

from coda_cli.chat.last_spec import last_spec
from coda_cli.engine.conversations import operations
from coda_cli.engine.conversations.manager import ConversationManager, personal_folder
from coda_cli.engine.core.errors import UsageError
from coda_cli.settings.model_spec import ModelSpec
from coda_cli.settings.schema import Settings


class Resumed(Struct, frozen=True):
    """The conversation to go on with; `spec` is what answered last, if that is still configured."""

    conversations: ConversationManager
    conversation_id: str
    spec: ModelSpec | None


def resume(settings: Settings, *, latest: bool, cid: str | None, fork: bool, log: bool) -> Resumed | None:
    """Find the conversation that the flags name; None if they name none.

    With *fork* it is copied first. Without *log* it is copied into memory, and nothing is written. Raises UsageError
    and StoreError.
    """
    if latest and cid is not None:
        raise UsageError("-c is the latest conversation, --cid a certain one", hint="give one of them")
    if not latest and cid is None:
        if fork:
            raise UsageError("--fork copies a conversation", hint="say which: -c for the latest, or --cid ID")
        return None
    folder = personal_folder()
    if cid is not None:
        found = operations.find(folder, cid)
    elif (newest := operations.latest(folder)) is not None:
        found = newest.id
    else:
        raise UsageError("there is no conversation to continue", hint="leave -c out to begin one")
    conversation = folder.load(found)
    conversations = ConversationManager(folder)
    if not log:
        conversations = ConversationManager.in_memory()
        operations.copy(conversation, conversations.shelf, found, to=conversation.head, origin=None)
    elif fork:
        found = operations.fork(folder, found).id
    return Resumed(conversations, found, last_spec(conversation, settings))
