"""A title by the model, for those who want one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coda_cli.engine.core.errors import LLMError
from coda_cli.engine.core.messages import MessageRole

if TYPE_CHECKING:
    from coda_cli.chat.session import ChatSession


async def title_if_wanted(session: ChatSession) -> bool:
    """Have the model name the chat, once, after its first answer, if the settings say so; whether it did.

    A failure is no matter: the first words stay.
    """
    name = session.conversation_id
    if not session.settings.auto_title or session.incognito or name is None:
        return False
    conversation = await session.opened()
    answers = sum(node.message.role is MessageRole.ASSISTANT for node in conversation.nodes.values())
    if conversation.title or answers != 1:
        return False
    try:
        title = await session.manager.suggest_title(name, provider=session.spec.provider, model=session.spec.model)
    except LLMError:
        return False
    await session.conversations.rename(name, title)
    return True
