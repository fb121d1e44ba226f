"""A chat that is left leaves a line of what it was about in the memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coda_cli.chat.proposing import propose_later
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.messages import MessageRole

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession


async def remember_end(session: ChatSession) -> None:
    """Keep the gist of the open chat, in place of its earlier one. Never raises: the chat itself is kept anyway."""
    manager = session.manager
    memory, conversation_id = manager.memory, session.conversation_id
    if memory is None or conversation_id is None or session.incognito or not manager.config.memory_enabled:
        return
    try:
        conversation = await session.opened()
        said = [
            {"role": message.role.value, "text": message.content, "id": message.message_id}
            for message in (node.message for node in conversation.path())
            if message.content and message.role in (MessageRole.USER, MessageRole.ASSISTANT)
        ]
        await memory.ended(conversation_id, conversation.title or "", said)
        propose_later(session, conversation, conversation_id)
    except CodaError:
        return  # the next end of the chat makes it
