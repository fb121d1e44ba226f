"""What the shrinking of a conversation is told as, in the same words by every front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coda_cli.chat.words import counted

if TYPE_CHECKING:
    from coda_cli.engine.core.events import ContextCompacted, ContextCompacting, ContextTrimmed


def compacting(event: ContextCompacting) -> str:
    """What is under way."""
    return f"summarising {counted(event.messages, 'older message')}"


def compacted(event: ContextCompacted) -> str:
    """What was done, and how it is undone."""
    return (
        f"{counted(len(event.covers), 'older message')} summarised for the model ({event.tokens_before:,} to "
        f"{event.tokens_after:,} tokens); all is kept, and /uncompact in the chat sends it again"
    )


def trimmed(event: ContextTrimmed) -> str:
    """What is not sent, and why it was not summarised."""
    why = f": {event.failure}" if event.failure else ""
    return f"{counted(len(event.trimmed), 'older message')} not sent for want of room, but kept{why}"
