"""Text from elsewhere inside a prompt: labelled as data, and fenced so that no text can end its own fence.

Two things hold whatever a text says. Every line of it stands behind `| `, so none can be a line of ours; and no `<` is
left in it (nor one of its look-alikes), so none can hold a tag, ours or a chat template's. The fence has no random
part: the same text gives the same prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from coda_cli.engine.rendering.sanitize import sanitize

_MARGIN: Final = "| "
# Line ends that Python, a browser or a model may take for one, beside those that `sanitize` knows.
_BREAKS: Final = re.compile("[\u2028\u2029\x0b\x0c\x85]")
# Signs with no shape can hide words from the person, or split one that is looked for: tags, zero-width, fillers.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
_OPENING: Final = re.compile("[<\uff1c\ufe64\u2039\u3008\u27e8\u276e\u02c2\u1438]")
# What Llama 2 and Mistral templates write around a turn, whole or with spaces.
_TURN: Final = re.compile(r"\[(?=\s*/?\s*(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_))", re.IGNORECASE)


def harmless(text: str) -> str:
    """*text* without anything that could end a quotation or open a turn; its lines stay. Idempotent."""
    text = sanitize(_BREAKS.sub("\n", text))
    return _TURN.sub("(", _OPENING.sub("&lt;", _UNSEEN.sub("", text)))


def one_line(text: str) -> str:
    """*text* harmless and on one line."""
    return " ".join(harmless(text).split())


def fenced(tag: str, label: str, lines: Iterable[str]) -> str:
    """*lines* as quoted data under *label*. `tag` and `label` are ours, every line is made harmless."""
    quoted = [f"{_MARGIN}{part}".rstrip() for line in lines for part in harmless(line).split("\n")]
    return "\n".join([label, f"<{tag}>", *quoted, f"</{tag}>"])
