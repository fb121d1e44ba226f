"""A conversation as a tree of messages, built record by record. Nothing is ever overwritten: a retry is a sibling.

Pure: it reads records and answers questions. The journal writes, the store joins the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from msgspec import Struct, field
from pydantic import ValidationError

from coda_cli.engine.accumulate import joined
from coda_cli.engine.conversations.info import first_words
from coda_cli.engine.conversations.journal import Record
from coda_cli.engine.core.messages import LLMMessage, MessageRole, Part, TextPart

_OPEN: Final = "interrupted"
Rating = Literal["good", "bad"]
"""What a person thinks of an answer."""


class Node(Struct):
    """One message and its place. `open`: only checkpoints of it have been seen, so its writer may have died."""

    message: LLMMessage
    parent: str | None
    seq: int
    children: list[str] = field(default_factory=list)
    open: bool = False
    pinned: bool = False
    hidden: bool = False
    rating: Rating | None = None


class Summary(Struct):
    """A summary that stands for the messages in `covers`; undone ones stay in the file."""

    id: str
    covers: tuple[str, ...]
    text: str
    time: float
    model: str
    undone: bool = False


class Conversation:
    """The state that a conversation's records add up to.

    `head` is the message it stands at; `path()` is the branch that ends there; `redo` are the heads that were undone,
    the next to come back last. Records of unknown types and unknown fields are left alone (they stay in the file);
    `problems` tells of good lines that make no sense.
    """

    def __init__(self) -> None:
        self.id = ""
        self.title = ""
        self.created = 0.0
        self.updated = 0.0
        self.schema = 0
        self.origin: dict[str, Any] | None = None
        self.tags: list[str] = []
        self.pinned = False
        self.head: str | None = None
        self.nodes: dict[str, Node] = {}
        self.roots: list[str] = []
        self.summaries: dict[str, Summary] = {}
        self.heads: list[str | None] = []
        self.redo: list[str | None] = []
        self.problems: list[str] = []
        self.seq = -1
        self._lost: dict[str, str | None] = {}  # a message whose line is gone -> the one that stands in for it

    @classmethod
    def of(cls, records: Iterable[Record]) -> Conversation:
        """The conversation of *records*, first to last."""
        conversation = cls()
        for record in records:
            conversation.apply(record)
        return conversation

    # ---- questions --------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The title that was given, else the first words of the first question, else ""."""
        asked = (node.message.content for node in self.nodes.values() if node.message.role is MessageRole.USER)
        return self.title or first_words(next(asked, ""))

    def path(self, to: str | None = None) -> list[Node]:
        """The branch that ends at *to* (default: the head), first to last. Raises KeyError for an unknown message."""
        at = to if to is not None else self.head
        out: list[Node] = []
        seen: set[str] = set()
        while at is not None and at not in seen:
            seen.add(at)
            node = self.nodes.get(at)
            if node is None:
                raise KeyError(at)
            out.append(node)
            at = node.parent
        return out[::-1]

    def siblings(self, message_id: str) -> list[str]:
        """The messages with the same parent, this one among them, oldest first. Raises KeyError."""
        parent = self.nodes[message_id].parent
        if parent is None or parent not in self.nodes:
            return list(self.roots)
        return list(self.nodes[parent].children)

    def leaf(self, message_id: str) -> str:
        """The newest end of the branches below *message_id*. Raises KeyError."""
        at = message_id
        while self.nodes[at].children:  # once, unless a damaged `seq` makes a parent younger than its child
            at = max(self._below(at), key=lambda below: self.nodes[below].seq)
        return at

    def _below(self, message_id: str) -> Iterator[str]:
        stack = [*self.nodes[message_id].children]
        while stack:
            at = stack.pop()
            yield at
            stack.extend(self.nodes[at].children)

    def summary_for(self, path: Iterable[Node]) -> Summary | None:
        """The latest summary in force that covers messages of *path*."""
        ids = {node.message.message_id for node in path}
        fitting = [s for s in self.summaries.values() if not s.undone and ids.issuperset(s.covers)]
        return fitting[-1] if fitting else None

    # ---- records ----------------------------------------------------------------------------------------------

    def apply(self, record: Record) -> None:
        """Take one record in. Never raises for what a file may hold: see `problems`."""
        self.seq = max(self.seq, _whole(record.get("seq"), -1))
        try:
            self._apply(record)
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            self._tell(record, _short(exc))
            return
        head = record.get("head")
        if "head" in record and (head is None or (isinstance(head, str) and head in self.nodes)) and head != self.head:
            self._move(record, head)

    def _move(self, record: Record, head: str | None) -> None:
        match record.get("step") if record["type"] == "head" else None:
            case "undo":
                self.redo.append(self.head)
            case "redo" if self.redo:
                self.redo.pop()
            case _:
                self.redo.clear()  # another way was taken
        self.heads.append(self.head)
        self.head = head

    def _apply(self, record: Record) -> None:
        time = _number(record.get("time"))
        self.updated = max(self.updated, time)
        match record["type"]:
            case "conversation":
                self._begin(record, time)
            case "message":
                self._add(record, _message(record), open=False)
            case "checkpoint":
                self._checkpoint(record)
            case "title":
                self.title = str(record["title"])
            case "tags":
                self.tags = [str(tag) for tag in _list(record["tags"])]
            case "pin":
                if (message := record.get("message")) is None:
                    self.pinned = bool(record["pinned"])
                else:
                    self.nodes[message].pinned = bool(record["pinned"])
            case "hide":
                self.nodes[record["message"]].hidden = bool(record["hidden"])
            case "rating":
                rating = record["rating"]
                self.nodes[record["message"]].rating = rating if rating in ("good", "bad") else None
            case "summary":
                covers = tuple(str(covered) for covered in _list(record["covers"]))
                self.summaries[record["id"]] = Summary(
                    record["id"], covers, str(record["text"]), time, str(record.get("model") or "")
                )
            case "uncompact":
                self.summaries[record["summary"]].undone = True
            case _:
                pass  # "head", and what later versions may add

    def _begin(self, record: Record, time: float) -> None:
        if self.schema:
            self._tell(record, "the conversation has begun already")
            return
        self.id = str(record["id"])
        self.title = self.title or str(record.get("title") or "")
        self.created = time
        self.schema = _whole(record.get("schema"), 1)
        origin = record.get("origin")
        self.origin = origin if isinstance(origin, dict) else None

    def _add(self, record: Record, message: LLMMessage, *, open: bool) -> None:  # noqa: A002 - the field's name
        known = self.nodes.get(message.message_id)
        if known is not None and known.open:
            known.message, known.open = message, open
            return
        if known is not None:
            if known.message != message:
                self._tell(record, "another message has this id; the first one stands")
            return
        parent = record.get("parent")
        if parent is not None and parent not in self.nodes:
            # its line was lost: what was written before it is the best that is known, and keeps the branch whole
            self._tell(record, "the message before it is missing")
            parent = self._lost.setdefault(parent, next(reversed(self.nodes), None))
        self.nodes[message.message_id] = Node(message, parent, _whole(record.get("seq"), self.seq), open=open)
        if parent is not None:
            self.nodes[parent].children.append(message.message_id)
        else:
            self.roots.append(message.message_id)

    def _checkpoint(self, record: Record) -> None:
        known = self.nodes.get(str(record["id"]))
        if known is None:
            self._add(record, _message({**record, "status": _OPEN}), open=True)
        elif known.open:
            message = known.message
            known.message = message.model_copy(update={"parts": joined([*message.parts, *_message(record).parts])})

    def _tell(self, record: Record, problem: str) -> None:
        self.problems.append(f"record {record.get('seq')} ({record.get('type')}): {problem}")


def _message(record: Record) -> LLMMessage:
    more = record.get("metadata")
    return LLMMessage(
        role=MessageRole(record["role"]),
        parts=_parts(_list(record["parts"])),
        message_id=str(record["id"]),
        created=_number(record.get("time")),
        status=str(record.get("status") or "complete"),
        metadata={name: record[name] for name in META if name in record} | (more if isinstance(more, dict) else {}),
    )


def _parts(raw: list[Any]) -> list[Part]:
    """The parts; one that this version does not understand becomes a text that says so: the branch stays whole."""
    try:
        return _read(raw)
    except ValidationError:
        return [read for part in raw for read in _tolerant(part)]


def _read(raw: list[Any]) -> list[Part]:
    """The parts as a message reads them: a validator of their own would be a second one to build at every start."""
    return LLMMessage.model_validate({"role": MessageRole.USER, "parts": raw, "message_id": "", "created": 0.0}).parts


def _tolerant(part: object) -> list[Part]:
    try:
        return _read([part])
    except ValidationError:
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get("text") if isinstance(part, dict) else None
        return [TextPart(text=text if isinstance(text, str) else f"[a part of the unknown kind {kind!r}]")]


def _number(value: object) -> float:
    """A time in seconds; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e15 < value < 1e15:
        return 0.0
    return float(value)


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {type(value).__name__}")
    return value


META: Final = ("provider", "model", "usage", "finish_reason", "cost", "latency")


def message_record(message: LLMMessage, parent: str | None) -> Record:
    """The record of *message*, without blobs. Its inverse is in `Conversation.apply`."""
    meta: Record = {name: message.metadata[name] for name in META if name in message.metadata}
    rest = {name: value for name, value in message.metadata.items() if name not in META}
    record: Record = {
        "type": "message",
        "id": message.message_id,
        "parent": parent,
        "role": message.role.value,
        "parts": [part.model_dump(mode="json", exclude_none=True) for part in message.parts],
        "time": message.created,
        "status": message.status,
        **meta,
        "head": message.message_id,
    }
    if rest:
        record["metadata"] = rest
    return record


def _short(exc: Exception) -> str:
    if isinstance(exc, ValidationError):
        return f"{exc.error_count()} fields are wrong"
    return f"{type(exc).__name__}: {exc}"
