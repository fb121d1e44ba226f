"""What remains of a conversation: its title, what was asked, and what was decided, in one line. No model is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from coda_cli.engine.core.prompts import Messages
from coda_cli.engine.memory.record import one_line
from coda_cli.engine.memory.wishes import wishes

QUESTIONS: Final = 4
DECISIONS: Final = 5
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_CODE: Final = re.compile(r"(?s)```.*?(?:```|\Z)|^>.*$", re.MULTILINE)
_DECISION: Final = re.compile(
    r"\b(?:we(?:'ve| have)? (?:decided|agreed|chose|settled|will|'ll|are going)|i(?:'ve| have)? (?:decided"
    r"|chose|settled)"
    r"|let's (?:use|go|keep|take|do|make|call|stick|drop|switch|name)|let us (?:use|go|keep|take)|we(?:'ll| will) "
    r"(?:use|go|keep|take|call|drop|switch)|i(?:'ll| will) (?:use|go with|take|keep|switch)|the decision is|decision:"
    r"|agreed:|go with|going with|we use|wir (?:nehmen|haben beschlossen|benutzen)|nous avons décidé|hemos decidido)\b",
    re.IGNORECASE,
)
_NO_DECISION: Final = re.compile(r"\?\s*$|\b(?:should|could|might|haven't|have not|not yet) ", re.IGNORECASE)


class Gist(Struct, frozen=True):
    """Its text, and the id of the message that says what was decided (else of the first question)."""

    text: str
    message: str = ""


def gist(title: str, messages: Messages) -> Gist | None:
    """The gist of a conversation, None of one in which nothing was asked. Messages may carry an `id`."""
    asked: list[str] = []
    decided: list[str] = []
    first, place = "", ""
    for message in messages:
        text = _CODE.sub(" ", message.get("text", "")[:20_000].replace("’", "'"))
        identifier = message.get("id", "") or message.get("message_id", "")
        if message.get("role") == "user":
            head = next((one for one in _sentences(text) if not wishes(one)), "")  # a wish has been followed
            if head:
                asked.append(_short(head, 160))
                first = first or identifier
            for sentence in _sentences(text):
                if wishes(sentence):
                    continue
                if len(sentence) <= 300 and _DECISION.search(sentence) and not _NO_DECISION.search(sentence):
                    decided.append(_short(sentence, 200))
                    place = place or identifier
    if not asked:
        return None
    decided = list(dict.fromkeys(decided))[-DECISIONS:]
    asked = [one for one in dict.fromkeys(asked) if one not in decided]
    parts = [_short(title, 120).rstrip(".")] if title.strip() else []
    parts += ["decided: " + "; ".join(decided)] if decided else []
    parts += ["asked: " + "; ".join(asked[:QUESTIONS])] if asked else []
    return Gist(one_line(". ".join(parts)), place or first)


def _sentences(text: str) -> Iterator[str]:
    return (one for part in _SENTENCE.split(text) if (one := " ".join(part.split())))


def _short(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
