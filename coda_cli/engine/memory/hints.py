"""Whether a text can hold a wish at all: a look at its words, before the patterns of `wishes` are loaded (25 ms)."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = re.compile(
    # who speaks of themselves
    r"\b(?:i|my|mine|me|we|our|us|ich|mein\w*|mir|mich|wir|uns\w*|je|j|mon|ma|mes|moi|nous|notre|nos|yo|mis?|soy|"
    r"tengo|vivo|nuestr\w*)\b|\bi['’]|\bj['’]"
    # who wants something kept, changed or forgotten
    r"|re?member|memor|forget|oubli|olvid|verg(?:iss|ess)|merk|erinner|souvien|retien|retén|recuerd|apunt|anota"
    r"|\b(?:note|keep|store|save|add|record|know|fyi|actually|correction|update|delete|remove|erase|drop|scratch|clear"
    r"|always|never|now on|onwards?|forward|henceforth|future|today|call|prefer|answer|reply|use|speak|write|notier\w*"
    r"|prefier\w*|prefiero|préf\w*|bevorzug\w*|gust\w*|immer|nie|ab jetzt|von nun|künftig|nenn\w*|lösch\w*"
    r"|toujours|jamais|désormais|à partir|appel\w*|note[zr]?"
    r"|siempre|nunca|ahora|adelante|llám\w*|borra|efface\w*|supprime\w*)\b",
    re.IGNORECASE,
)


def may_hold_a_wish(text: str) -> bool:
    """False only where `wishes` finds nothing for sure."""
    return _WORDS.search(text) is not None
