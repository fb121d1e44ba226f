"""Proposals for the memory: asking the model of a chat for them, and going through those that wait."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.messages import MessageRole
from coda_cli.engine.memory.manager import MemoryManager

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession
    from coda_cli.engine.conversations.tree import Conversation

PATIENCE: Final = 15.0
"""Seconds that the end of a chat waits for a model's proposals."""


async def propose(session: ChatSession, conversation: Conversation, conversation_id: str) -> int:
    """Ask the model of *session* what of *conversation* is worth remembering; how many new proposals wait.

    Only what the person wrote is sent. Raises CodaError.
    """
    from coda_cli.engine.memory.proposals import MAX_TOKENS, asked, read_proposals

    memory, manager = session.manager.memory, session.manager
    said = [
        node.message.content
        for node in conversation.path()
        if node.message.role is MessageRole.USER and node.message.content.strip()
    ]
    if not said or not isinstance(memory, MemoryManager):
        return 0
    aside = await manager.aside(conversation_id, session.spec.provider, session.spec.model)
    answer = await aside.ask(asked(said), MAX_TOKENS)
    return await memory.propose(read_proposals(answer, said), conversation_id)


def propose_later(session: ChatSession, conversation: Conversation, conversation_id: str) -> None:
    """Do it beside everything else, where the person has asked for it in `coda.toml`. What fails is passed over."""
    if not session.settings.propose_memories or session.generation is None:
        return

    async def quietly() -> None:
        with suppress(CodaError):
            await propose(session, conversation, conversation_id)

    task = asyncio.get_running_loop().create_task(quietly())
    session.asides.add(task)
    task.add_done_callback(session.asides.discard)


async def finished(session: ChatSession) -> int:
    """Wait a while for what is still asked; how many proposals wait for the person then."""
    memory = session.manager.memory
    if session.asides:
        _, late = await asyncio.wait(session.asides, timeout=PATIENCE)
        for task in late:
            task.cancel()
    return len(await memory.proposals()) if isinstance(memory, MemoryManager) and session.manager.remembers else 0
