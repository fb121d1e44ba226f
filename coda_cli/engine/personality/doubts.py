"""What a person should know of a persona that can be used all the same: what does not fit, what nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Final

from coda_cli.engine.personality import traits as tables
from coda_cli.engine.personality.persona import Persona
from coda_cli.engine.usage.tokens import text_tokens

PROMPT_TOKENS: Final = 600
"""What a system prompt has room for, as `prompting.sections.BUDGETS` says."""
_NOT_BUILT_IN: Final = frozenset({"user", "mcp", "folder"})
"""Categories of a person's own tools, of servers' and of a folder's: no built-in tool has them."""


def fits(text: str) -> bool:
    """Whether a model is told all of *text*."""
    return text_tokens(text) <= PROMPT_TOKENS


def too_long(persona: Persona) -> list[str]:
    """A line where a model is not told all of what *persona* says."""
    told = "\n\n".join(filter(None, [persona.prompt, " ".join(tables.sentences(persona.traits))]))
    if fits(told):
        return []
    return [
        f"it says about {text_tokens(told):,.0f} tokens, and {PROMPT_TOKENS} fit: the end of its prompt is left out"
    ]


def unknown_tools(persona: Persona, known: Mapping[str, str]) -> list[str]:
    """A line for each of its tools that is not *known* (name -> category). Own tools and those of servers may be."""
    names = {*known, *known.values(), *_NOT_BUILT_IN}
    return [
        f'no tool is known that is called "{wanted}"{_near(wanted, names)}'
        for wanted in persona.tools or ()
        if not _fits_one(wanted, known, names)
    ]


def _fits_one(wanted: str, known: Collection[str], names: Collection[str]) -> bool:
    if "*" in wanted or "?" in wanted:
        return any(fnmatchcase(name, wanted) for name in known) or wanted.startswith("mcp_")
    # A path is a file with tools, and what a server has is known once it is there.
    return wanted in names or wanted.startswith("mcp_") or "/" in wanted


def _near(wanted: str, names: Collection[str]) -> str:
    close = difflib.get_close_matches(wanted, sorted(names), n=1)
    return f", did you mean `{close[0]}`?" if close else "; is it one of your own?"
