"""What a caller asks for, and what that means of the conversation it is asked in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from coda_cli.engine.core.errors import LLMIncompleteResponseError
from coda_cli.engine.core.messages import LLMMessage, MediaPart, new_id, user


class Plan(Struct, frozen=True):
    """What a caller asked for.

    `must_exist`: the conversation has to be there already. `parent`: what the question stands below ("": nothing; None:
    the newest message). `question`: one that was asked before and is to be answered again. `tools`: which tools the
    model may use (None: all that are allowed). `said`: the person's own words in `prompt` (None: all of it).
    `use_cache`: whether the cache may answer (None: as configured).
    """

    prompt: str
    conversation_id: str
    response_id: str = field(default_factory=lambda: new_id("resp"))
    must_exist: bool = False
    parent: str | None = None
    question: str | None = None
    provider: str | None = None
    model: str | None = None
    system_prompt: str | None = None
    media: Sequence[MediaPart] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    tools: Sequence[str] | None = None
    said: str | None = None
    use_cache: bool | None = None


def endless(most: int) -> LLMIncompleteResponseError:
    """The error of an answer that is nothing but calls, after *most* of them."""
    return LLMIncompleteResponseError(
        "the model goes on calling tools where it was told to answer with what it has",
        hint=f"ask for less at once, or raise `max_function_calls_per_turn` ({most}) in coda.toml",
        final=True,
    )


def asked(prompt: str, media: Sequence[MediaPart], system_prompt: str | None) -> LLMMessage:
    """The question as it is kept; its own system prompt holds for those that follow it, too."""
    question = user(prompt, media)
    if system_prompt is not None:
        question.metadata["system_prompt"] = system_prompt
    return question


def last_system_prompt(messages: Sequence[LLMMessage]) -> str | None:
    """The system prompt that was given last in this branch; "" takes an earlier one back."""
    given = (message.metadata.get("system_prompt") for message in reversed(messages))
    return next((text for text in given if isinstance(text, str)), None) or None
