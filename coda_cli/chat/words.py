"""Times, money, counts and file names for a person, the same in the chat and in `coda history`. Imports little."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Final

from coda_cli.engine.rendering.sanitize import sanitize

_STEPS: Final = ((3600, 60, "m"), (86400, 3600, "h"), (30 * 86400, 86400, "d"), (365 * 86400, 30 * 86400, "mo"))
_SLUG: Final = re.compile(r"[^\w]+")


def ago(when: float, now: float | None = None) -> str:
    """How long ago, in one word or two."""
    seconds = (time.time() if now is None else now) - when
    if seconds < 60:
        return "now" if seconds > -60 else "ahead"
    for below, unit, name in _STEPS:
        if seconds < below:
            return f"{seconds // unit:.0f}{name} ago"
    return f"{min(seconds // (365 * 86400), 99):.0f}y ago"


def money(cost: float | None, unpriced: str = "unpriced") -> str:
    """A price in USD; *unpriced* where none is known."""
    if cost is None:
        return unpriced
    return f"${cost:.2f}" if cost >= 1 or cost == 0 else f"${cost:.4f}"


def price(cost: float | None) -> str:
    """The price of one answer: "free" on a machine of one's own, "unpriced" where nobody knows one."""
    return "free" if cost == 0 else money(cost)


def counted(number: int, what: str) -> str:
    """`1 message`, `2,000 messages`."""
    return f"{number:,} {what}s" if number != 1 else f"1 {what}"


def file_name(conversation_id: str, title: str, created: float, form: str) -> str:
    """A file name that says what is in it, is safe everywhere, and is the same each time."""
    day = time.strftime("%Y-%m-%d", time.localtime(created)) if 0 < created < 2.5e11 else "undated"
    words = _SLUG.sub("-", sanitize(title[:200])).strip("-").encode()[:60].decode("utf-8", "ignore").strip("-")
    unique = hashlib.sha256(conversation_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return "-".join(filter(None, [day, words.lower(), unique])) + f".{form}"
