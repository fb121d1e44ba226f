"""What several slash commands share: words of a completion, titles, times, money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coda_cli.chat.entry import numbered
from coda_cli.chat.front import Front
from coda_cli.engine.core.errors import UsageError


def excerpt(text: str, length: int = 60) -> str:
    """The beginning of *text* on one line."""
    words = " ".join(text[: 4 * length].split())
    return words if len(words) <= length else f"{words[: length - 1].rstrip()}…"


def beginning_with(typed: str, values: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those *values* (each with its detail) that begin with the last word of *typed*, then those that contain it."""
    word = typed.rsplit(" ", 1)[-1].lower()
    some = list(dict.fromkeys(values))
    first = [one for one in some if one[0].lower().startswith(word)]
    return first + [one for one in some if word and word in one[0].lower() and one not in first]


def message_numbers(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    """The numbers of the messages, the latest first."""
    shown = list(enumerate(numbered(front.session.shown), 1))
    return beginning_with(typed, [(str(number), f"{e.kind}: {excerpt(e.text)}") for number, e in reversed(shown)])


def opened_id(front: Front) -> str:
    """The id of the open conversation. Raises UsageError before anything was said."""
    if front.session.conversation_id is None:
        raise UsageError("nothing has been said in this chat yet", hint="ask something first, or /resume another chat")
    return front.session.conversation_id


def cell(text: str) -> str:
    """*text* for a cell of a Markdown table."""
    return excerpt(text, 200).replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`")
