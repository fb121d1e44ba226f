"""What tools, memory, persona and a full window are told as, in the same words by every front end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from coda_cli.chat.words import counted

if TYPE_CHECKING:
    from coda_cli.engine.core.events import (
        CacheHit,
        ContextCompacted,
        ContextCompacting,
        ContextTrimmed,
        FunctionResult,
        MemoryUpdate,
        PersonaUpdate,
        ProviderFallback,
    )


_MOST: Final = 100  # characters of a call or a result in one line


def calling(name: str, arguments: str) -> str:
    """A call in one line: `read_file(path="notes.txt")`."""
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return short(f"{name}({arguments})")
    pairs = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items())
    return short(f"{name}({pairs})")


def result(event: FunctionResult) -> str:
    """How a call ended, in one line."""
    first = event.text.strip().split("\n", 1)[0]
    took = "" if event.seconds is None else f" ({event.seconds:.1f} s)"
    return f"{'failed: ' if event.is_error else ''}{short(first)}{took}"


def short(text: str) -> str:
    """*text* on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _MOST else text[: _MOST - 1] + "…"


_DONE: Final = {
    "stored": "remembered",
    "merged": "known already, and remembered",
    "replaced": "remembered in place of what was known",
    "forgotten": "forgotten",
    "unknown": "nothing to forget, no memory says that",
    "refused": "not remembered",
}


def memory(event: MemoryUpdate) -> list[str]:
    """What was kept or forgotten, a line each."""
    lines = [f"{_DONE.get(str(one['action']), one['action'])}: {short(str(one['text']))}" for one in event.changes]
    return [*lines, *([f"nothing could be remembered: {event.failure}"] if event.failure else ())]


def persona(event: PersonaUpdate) -> list[str]:
    """How the persona has changed, a line each, and how that is undone."""
    lines = [
        f"{one['trait']} {'up' if one['after'] > one['before'] else 'down'} to {one['after']:.1f}: "
        f"{short(str(one['cause']))} (/persona undo {one['id']})"
        for one in event.changes
    ]
    return [*lines, *([f"the persona could not be kept: {event.failure}"] if event.failure else ())]


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


def fallback(event: ProviderFallback) -> str:
    """Who answers instead, and why."""
    why = str(event.error.get("message") or "it failed")
    return f"{why}; {event.to_provider}/{event.to_model} answers instead, and is sent the whole conversation"


def cached(event: CacheHit) -> str:
    """That nobody was asked."""
    age = f"{event.age:.0f} s" if event.age < 120 else f"{event.age / 60:.0f} min"
    return f"from the cache: the very same was asked {age} ago (--no-cache asks again)"
