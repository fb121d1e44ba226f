"""What fits into a section: whole notes, or whole lines, and a word about what does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from coda_cli.engine.usage.tokens import text_tokens

CUT_LINE: Final = "[the rest is left out]"


def tokens(text: str) -> int:
    """About how many tokens *text* takes with an average model."""
    return math.ceil(text_tokens(text))


def fitting(texts: Sequence[str], budget: int) -> int:
    """How many of *texts*, from the first on, fit into *budget* tokens together, each on a line."""
    used = 0.0
    for number, text in enumerate(texts):
        used += text_tokens(f"| {text}\n")
        if used > budget:
            return number
    return len(texts)


def shortened(text: str, budget: int) -> str:
    """*text* as far as it fits into *budget* tokens: whole lines, or whole words of the only one."""
    if text_tokens(text) <= budget:
        return text
    lines = text.split("\n")
    count = fitting(lines, budget)
    if count:
        return "\n".join(lines[:count]).rstrip()
    words = lines[0].split(" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_tokens(" ".join(words[:middle])) <= budget else (low, middle - 1)
    return " ".join(words[:low])
