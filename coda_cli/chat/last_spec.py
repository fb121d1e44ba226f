"""What a conversation was answered by, to go on with the same."""

from __future__ import annotations

from coda_cli.engine.conversations.tree import Conversation
from coda_cli.settings.model_spec import ModelSpec
from coda_cli.settings.schema import Settings


def last_spec(conversation: Conversation, settings: Settings) -> ModelSpec | None:
    """What answered last on the active branch, if its provider is still configured."""
    for node in reversed(conversation.path()):
        provider, model = node.message.metadata.get("provider"), node.message.metadata.get("model")
        if isinstance(provider, str) and provider in settings.providers:
            return ModelSpec(provider, model if isinstance(model, str) and model else None)
    return None
