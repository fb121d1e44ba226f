"""Messages as another program exported them -> a tree that is one: no cycle, no missing parent, no id twice."""

from __future__ import annotations

import hashlib
import heapq
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct, field

from coda_cli.engine.core.messages import ImagePart, LLMMessage, Part, TextPart
from coda_cli.engine.rendering.sanitize import sanitize

TITLE_LIMIT: Final = 300
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,120}")
_MAGIC: Final = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


class Draft(Struct):
    """One message as it was found. Without a `message` it is a place in the tree only, whose children move up."""

    id: str
    parent: str | None
    message: LLMMessage | None
    time: float = 0.0


class Tree(Struct):
    """A conversation as it was found, to be brought in under `id`."""

    id: str
    title: str
    created: float
    origin: dict[str, Any]
    drafts: list[Draft] = field(default_factory=list)
    head: str | None = None
    tags: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Grown(Struct):
    """The messages with their parents, every parent before its children, and the head."""

    messages: list[tuple[LLMMessage, str | None]]
    head: str | None


def grow(tree: Tree) -> Grown:
    """The messages of *tree* in the order in which they were said, as far as the tree allows it."""
    drafts: dict[str, Draft] = {}
    for draft in tree.drafts:
        if draft.id in drafts:
            tree.problems.append(f"message {_shown(draft.id)} is there twice; the first one was taken")
            continue
        drafts[draft.id] = draft
    _mend(drafts, tree.problems)
    seen: dict[str, str | None] = {}  # of what has no message: the nearest one above it that has
    children: dict[str | None, list[tuple[float, int, Draft]]] = {}
    for place, draft in enumerate(drafts.values()):
        if draft.message is not None:
            children.setdefault(_above(draft.parent, drafts, seen), []).append((draft.time, place, draft))
    out: list[tuple[LLMMessage, str | None]] = []
    ready = [(time, place, draft, None) for time, place, draft in children.get(None, ())]
    heap: list[tuple[float, int, Draft, str | None]] = list(ready)
    heapq.heapify(heap)
    while heap:
        time, _, draft, parent = heapq.heappop(heap)
        if draft.message is not None:
            # what has no time was said when the message before it was
            out.append((draft.message.model_copy(update={"created": time or tree.created}), parent))
        for later, place, child in children.get(draft.id, ()):
            heapq.heappush(heap, (later if later > 0 else time, place, child, draft.id))
    head = _above(tree.head, drafts, seen) if tree.head in drafts else None
    return Grown(out, head or (out[-1][0].message_id if out else None))


def _mend(drafts: dict[str, Draft], problems: list[str]) -> None:
    """Cut the links that lead nowhere or around in a circle: what hung on them begins a branch of its own."""
    state: dict[str, int] = {}  # 1: on the way that is being walked, 2: known to lead to a root
    for start in drafts.values():
        way: list[Draft] = []
        at: Draft | None = start
        while at is not None and at.id not in state:
            state[at.id] = 1
            way.append(at)
            above = at.parent
            if above is not None and (above not in drafts or state.get(above) == 1):
                why = "missing" if above not in drafts else "also one of those after it"
                problems.append(f"the message before {_shown(at.id)} is {why}")
                at.parent = above = None
            at = drafts[above] if above is not None else None
        for walked in way:
            state[walked.id] = 2


def _above(at: str | None, drafts: dict[str, Draft], seen: dict[str, str | None]) -> str | None:
    """*at*, or the nearest one above it that has a message."""
    way: list[str] = []
    while at is not None and drafts[at].message is None:
        if at in seen:
            at = seen[at]
            break
        way.append(at)
        at = drafts[at].parent
    seen.update(dict.fromkeys(way, at))
    return at


def _shown(text: str) -> str:
    return sanitize(text[:60]).replace("\n", " ")


# ---- values of any kind ---------------------------------------------------------------------------------------------


def stable_id(source: str, value: object) -> str:
    """An id made of another program's *value*, always the same: `chatgpt-1b2c`; a hash for what is no plain name."""
    text = value if isinstance(value, str) else repr(value)
    if not _PLAIN_ID.fullmatch(text):
        text = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return f"{source}-{text}"


def seconds(value: object) -> float:
    """Unix seconds of a number or an ISO 8601 time (UTC where it names no zone); 0.0 for what is none."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
            return max(0.0, (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 < value < 1e11 and math.isfinite(value) else 0.0


def string(value: object) -> str:
    """*value* if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> dict[str, Any]:
    """*value* if it is an object, else {}."""
    return value if isinstance(value, dict) else {}


def listed(value: object) -> list[Any]:
    """*value* if it is a list, else []."""
    return value if isinstance(value, list) else []


def title(value: object) -> str:
    """*value* as a title: one line, not too long."""
    return " ".join(string(value).split())[:TITLE_LIMIT]


def tidy(pieces: Sequence[str | Part]) -> list[Part]:
    """*pieces* as parts; texts that follow one another become one, a blank line between them."""
    out: list[Part] = []
    for piece in pieces:
        if not isinstance(piece, str):
            out.append(piece)
        elif piece.strip():
            last = out[-1] if out else None
            if isinstance(last, TextPart):
                out[-1] = TextPart(text=f"{last.text}\n\n{piece}")
            else:
                out.append(TextPart(text=piece))
    return out


def picture(content: bytes, name: str | None = None) -> ImagePart | None:
    """An image of a kind that every vendor takes and every browser shows safely, told by its first bytes; else None."""
    kind = next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "image/webp"
    return ImagePart(data=content, media_type=kind, name=name) if kind is not None else None
