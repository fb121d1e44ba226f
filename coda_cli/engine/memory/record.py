"""One memory: what was said, where it comes from, and whether it still holds. Values only.

A memory is one line of `memory.jsonl`. Fields that this version does not know are kept as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from msgspec import Struct, field
from msgspec.structs import replace

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.prompts import MemoryNote
from coda_cli.engine.rendering.sanitize import sanitize

Kind = Literal["fact", "preference", "gist", "note"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
LONGEST: Final = 2000
"""Characters of a memory; a longer text is a document, not a memory."""
LONGEST_NOTE: Final = 500
"""Characters of a memory that reach a prompt."""
PERSON: Final = "you"
"""`ended_by` of a memory that the person themselves has ended."""

_HIDDEN: Final = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))
_MARKUP: Final = re.compile(r"^(?:[#>*+~=|_-]+(?=[\s#>*+~=|_-])\s*|[#>|]+|\d+[.)]\s+)+")
_CLOSERS: Final = str.maketrans(dict.fromkeys('"“”„‟«»`', "'") | {"<": "‹", ">": "›"})
_FENCES: Final = re.compile(r"'{2,}|~{3,}|-{3,}|={3,}|#{2,}|\[/?INST\]|\{\{|\}\}|‹\||\|›", re.IGNORECASE)


class MemoryStoreError(CodaError):
    """The memory file could not be read or written; what was kept before is safe."""


class Memory(Struct, frozen=True):
    """What is remembered. Times are ISO 8601 in UTC. `importance` is from 0 to 1.

    `conversation` and `message` say where it was said ("" for by hand), `folder` the folder that it is bound to.
    `ended_at` is "" while it holds; `ended_by` is then the id of the memory that contradicts it, or PERSON.
    `more` holds the fields that this version does not know.
    """

    id: str
    kind: Kind
    text: str
    conversation: str = ""
    message: str = ""
    created: str = ""
    importance: float = 0.5
    uses: int = 0
    last_used: str = ""
    folder: str = ""
    ended_at: str = ""
    ended_by: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing has ended it."""
        return not self.ended_at

    @property
    def source(self) -> str:
        """`conversation#message`, as far as they are known."""
        return f"{self.conversation}#{self.message}" if self.message else self.conversation

    def note(self) -> MemoryNote:
        """What a prompt and a person see: one line that can close no quotation."""
        return MemoryNote(self.id, self.kind, safe_line(self.text), self.created[:10], self.source)

    def ended(self, at: str, by: str) -> Memory:
        """It, ended."""
        return replace(self, ended_at=at, ended_by=by)


_TEXTS: Final = ("conversation", "message", "created", "last_used", "folder", "ended_at", "ended_by")
_KNOWN: Final = frozenset(("id", "kind", "text", "importance", "uses", *_TEXTS))


def to_json(memory: Memory) -> dict[str, Any]:
    """*memory* as it stands in the file; what is empty is left out."""
    out: dict[str, Any] = {"id": memory.id, "kind": memory.kind, "text": memory.text}
    out["importance"] = round(memory.importance, 3)
    out |= {"uses": memory.uses} if memory.uses else {}
    out |= {name: value for name in _TEXTS if (value := getattr(memory, name))}
    return out | {key: value for key, value in memory.more.items() if key not in out}


def from_json(value: object) -> Memory:
    """The memory that *value* is. Raises ValueError, which says what is wrong with it."""
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    identifier, text, kind = value.get("id"), value.get("text"), value.get("kind", "fact")
    if not isinstance(identifier, str) or not re.fullmatch(r"[\w.:-]{1,64}", identifier):
        raise ValueError("it has no id")
    if not isinstance(text, str) or not text.strip():
        raise ValueError("it has no text")
    known = next((one for one in KINDS if one == kind), None)
    if known is None:
        raise ValueError("its kind is none of " + ", ".join(KINDS))
    more = {key: one for key, one in value.items() if key not in _KNOWN}
    texts = {name: one for name in _TEXTS if isinstance(one := value.get(name), str)}
    weight, uses = value.get("importance", 0.5), value.get("uses", 0)
    importance = min(1.0, max(0.0, float(weight))) if type(weight) in (int, float) and weight == weight else 0.5  # NaN
    return Memory(
        identifier,
        known,
        one_line(text),
        **texts,
        importance=importance,
        uses=max(0, uses) if type(uses) is int else 0,
        more=more,
    )


def one_line(text: str) -> str:
    """*text* without line breaks and without what could act on a terminal, at most LONGEST characters."""
    line = " ".join(sanitize(text[: 4 * LONGEST]).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def safe_line(text: str) -> str:
    """*text* as data in a prompt: one short line that closes no quotation, opens no section and hides nothing."""
    line = unicodedata.normalize("NFC", text[: 4 * LONGEST])
    shown = (char if unicodedata.category(char) not in _HIDDEN else " " if char.isspace() else "" for char in line)
    line = " ".join("".join(shown).split()).translate(_CLOSERS)
    while (cut := _MARKUP.sub("", _FENCES.sub("'", line)).strip()) != line:
        line = cut
    return line if len(line) <= LONGEST_NOTE else line[: LONGEST_NOTE - 1].rstrip() + "…"
