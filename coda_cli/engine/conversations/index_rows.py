"""A journal's records -> the index's rows: the same sums as `tree.Conversation`, without holding the conversation.

A journal is read from where it was last read to, if what was read still stands in it; else from its beginning. So an
appended record costs what reading this record costs, and what is in the index is always what a rebuild would make.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

from coda_cli.engine.conversations import blobs
from coda_cli.engine.conversations.index_database import sound
from coda_cli.engine.conversations.index_writes import ENOUGH_TEXT, Writes
from coda_cli.engine.conversations.info import first_words
from coda_cli.engine.conversations.journal import Journal, Record, digest

ROLES: Final = ("system", "user", "assistant", "tool")
"""`MessageRole`, whose import costs more than a list of conversations does."""
_KINDS_OF_PARTS: Final = ("text", "image", "audio", "file", "tool_call", "tool_result")
_ENOUGH: Final = 500
"""Messages that are gathered before they are written."""
_MOST: Final = 10**12
_SIGNED: Final = 2**63 - 1  # what SQLite's integers hold


class Chat(Struct):
    """The row of one journal. Strings that a person chose are bytes, so that lone surrogates pass."""

    name: bytes
    key: int | None = None
    id: bytes | None = None
    shown: int = 0
    begun: int = 0
    title: bytes = b""
    question: bytes | None = None
    first: bytes = b""
    created: float = 0.0
    updated: float = 0.0
    messages: int = 0
    tokens: int = 0
    cost: float | None = None
    provider: bytes = b""
    model: bytes = b""
    tags: bytes = b"[]"
    pinned: int = 0
    dev: int = 0
    ino: int = 0
    mtime: int = 0
    size: int = -1
    end: int = 0
    last: int = 0
    digest: bytes = b""


NAMES: Final = Chat.__struct_fields__
_OF: Final = {"bytes": bytes, "int": int, "float": float}
_KINDS: Final = [
    (_OF[kind] | None if empty else _OF[kind])
    for kind, _, empty in (str(Chat.__annotations__[name]).partition(" | ") for name in NAMES)
]
_MESSAGE_KINDS: Final = (int, bytes, str, float, int, int, int, float | None)
_LOAD: Final = f"SELECT {', '.join(NAMES)} FROM chat WHERE name = ?"  # noqa: S608 - names of columns
_SAVE: Final = f"REPLACE INTO chat ({', '.join(NAMES)}) VALUES ({', '.join('?' * len(NAMES))})"  # noqa: S608 - as above


class _Message(Struct):
    key: int
    id: bytes
    role: str
    time: float
    open: bool
    hidden: bool = False
    tokens: int = 0
    cost: float | None = None
    text: list[str] | None = field(default_factory=list)
    """Pieces, None for that which is in the index already."""
    new: bool = True


def catch_up(writes: Writes, file: Path, blob_folder: Path, limit: int | None = None) -> bool:
    """Bring the rows of *file* in step with it, inside a transaction; False if that means reading over *limit* bytes.

    A file that went loses its rows; one that cannot be read keeps those that it has.
    """
    chat = load(writes.db, os.fsencode(file.name))
    try:
        status = file.stat()
    except FileNotFoundError:
        drop(writes, chat)
        return True
    except OSError:
        return True
    if not stat.S_ISREG(status.st_mode):
        drop(writes, chat)
        return True
    if chat is not None and stamp(chat) == stamp(status):
        return True
    try:
        goes_on = chat is not None and _has_grown(chat, file, status)
        if limit is not None and status.st_size - (chat.end if goes_on and chat is not None else 0) > limit:
            return False
        if chat is None or not goes_on:
            drop(writes, chat)
            chat = Chat(os.fsencode(file.name))
        _take_in(writes, chat, file, status, blob_folder)
    except FileNotFoundError:
        drop(writes, load(writes.db, os.fsencode(file.name)))
    except OSError:
        pass  # it keeps what it has, and is tried again when it changes
    return True


def stamp(of: Chat | os.stat_result) -> tuple[int, int, int, int]:
    """What tells that a file has not changed."""
    if isinstance(of, Chat):
        return of.dev, of.ino, of.mtime, of.size
    return of.st_dev & _SIGNED, of.st_ino & _SIGNED, of.st_mtime_ns, of.st_size


def load(db: sqlite3.Connection, name: bytes) -> Chat | None:
    """The row of the journal *name*."""
    row = db.execute(_LOAD, (name,)).fetchone()
    return Chat(*sound(row, _KINDS)) if row is not None else None


def drop(writes: Writes, chat: Chat | None) -> None:
    """Forget a journal. Inside a transaction."""
    if chat is None:
        return
    writes.flush()
    db = writes.db
    db.execute("DELETE FROM words WHERE rowid IN (SELECT key FROM message WHERE chat = ?)", (chat.key,))
    for table, column in (("message", "chat"), ("tag", "chat"), ("chat", "key")):
        db.execute(f"DELETE FROM {table} WHERE {column} = ?", (chat.key,))  # noqa: S608 - names from the line above
    _choose(db, chat.id)


def _has_grown(chat: Chat, file: Path, status: os.stat_result) -> bool:
    """Whether *file* still holds what was read of it, and more was written after that."""
    if stamp(chat)[:2] != stamp(status)[:2] or status.st_size <= chat.size:
        return False
    with file.open("rb") as opened:
        raw = os.pread(opened.fileno(), chat.end - chat.last, chat.last)
    return not chat.digest or digest(raw) == chat.digest


def _take_in(writes: Writes, chat: Chat, file: Path, status: os.stat_result, blob_folder: Path) -> None:
    before, db = chat.id, writes.db
    if chat.key is None:
        chat.key = _next_key(db, "chat")
    taking = _Taking(writes, chat, blob_folder)
    for line in Journal(file).lines(chat.end):
        if line.problem is not None and line.problem.startswith("torn"):
            break  # somebody may be writing it
        if line.record is not None:
            taking.take(line.record)
        chat.end, chat.last, chat.digest = line.end, line.offset, line.digest
    taking.flush()
    if not chat.begun:  # its first line is lost: it goes by its file's name
        chat.id = _bytes(file.stem) if chat.messages else None
    chat.dev, chat.ino, chat.mtime, chat.size = stamp(status)
    if chat.id != before or not chat.shown:
        chat.shown = int(_choose(db, chat.id, chat))
    db.execute(_SAVE, [getattr(chat, name) for name in NAMES])
    if chat.id != before:
        _choose(db, before)


def _choose(db: sqlite3.Connection, chat_id: bytes | None, unsaved: Chat | None = None) -> bool:
    """Show one of the journals with this id, the one that `Folder.find` opens; whether that is *unsaved*."""
    if chat_id is None:
        return False
    rows = db.execute("SELECT key, name FROM chat WHERE id = ?", (chat_id,)).fetchall()
    if unsaved is not None:
        rows = [row for row in rows if row[0] != unsaved.key] + [(unsaved.key, unsaved.name)]
    if not rows:
        return False
    own = os.fsencode(f"{hashlib.sha256(chat_id).hexdigest()[:32]}.jsonl")
    chosen = min(rows, key=lambda row: (row[1] != own, row[1]))[0]
    for key, _ in rows if len(rows) > 1 or unsaved is None else ():
        db.execute("UPDATE chat SET shown = ? WHERE key = ?", (key == chosen, key))
    return unsaved is not None and bool(chosen == unsaved.key)


def _next_key(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT coalesce(max(key), 0) + 1 FROM {table}").fetchone()[0])  # noqa: S608 - our tables


class _Taking:
    """Takes records into the rows of one journal; messages are written many at a time."""

    def __init__(self, writes: Writes, chat: Chat, blob_folder: Path) -> None:
        self._writes = writes
        self._db = db = writes.db
        self._chat = chat
        self._blobs = blob_folder
        self._written = chat.messages > 0
        self._pending: dict[bytes, _Message] = {}
        self._length = 0
        self._key = _next_key(db, "message")

    def take(self, record: Record) -> None:
        """Take in one record; what makes no sense is passed over, as in the tree."""
        chat, time = self._chat, _number(record.get("time"))
        chat.updated = max(chat.updated, time)
        if not chat.created and not chat.begun:
            chat.created = time
        match record["type"]:
            case "message":
                self._message(record, time, open=False)
            case "checkpoint":
                self._message(record, time, open=True)
            case "conversation" if "id" in record and not chat.begun:
                chat.id = _bytes(str(record["id"]))
                chat.title = chat.title or _bytes(str(record.get("title") or ""))
                chat.created = time
                schema = record.get("schema")
                chat.begun = int(bool(schema)) if type(schema) is int else 1
            case "title" if "title" in record:
                chat.title = _bytes(str(record["title"]))
            case "tags" if isinstance(record.get("tags"), list):
                self._tags([str(tag) for tag in record["tags"]])
            case "pin" if "pinned" in record and record.get("message") is None:
                chat.pinned = int(bool(record["pinned"]))
            case "hide" if "hidden" in record and isinstance(record.get("message"), str):
                self._hide(_bytes(record["message"]), bool(record["hidden"]))

    def _tags(self, tags: list[str]) -> None:
        self._chat.tags = json.dumps(tags).encode()
        self._db.execute("DELETE FROM tag WHERE chat = ?", (self._chat.key,))
        rows = {tag.casefold(): tag for tag in tags}
        self._db.executemany(
            "INSERT INTO tag (folded, tag, chat) VALUES (?, ?, ?)",
            [(_bytes(folded), _bytes(tag), self._chat.key) for folded, tag in rows.items()],
        )

    def _hide(self, message_id: bytes, hidden: bool) -> None:
        message = self._known(message_id)
        if message is not None:
            message.hidden = hidden

    def _message(self, record: Record, time: float, *, open: bool) -> None:  # noqa: A002 - the tree's name for it
        role, parts = record.get("role"), record.get("parts")
        if "id" not in record or role not in ROLES or not isinstance(parts, list):
            return
        message_id = _bytes(str(record["id"]))
        known = self._known(message_id)
        if known is not None and not known.open:
            return  # the first one stands
        text = _text(parts, self._blobs)
        if known is None:
            known = self._pending[message_id] = _Message(self._key, message_id, role, time, open)
            self._key += 1
            self._chat.messages += 1
        elif open:
            self._reread(known)
        if not open:
            known.role, known.time, known.open, known.text = role, time, False, []
        if known.text and parts and not (isinstance(parts[0], dict) and parts[0].get("type") == "text"):
            known.text.append("\n")
        if known.text is not None:
            known.text.append(text)
        self._length += len(text)
        self._sum(record, known)
        if role == "user" and self._chat.question in {None, message_id}:
            self._chat.question = message_id
            self._chat.first = _bytes(first_words(_text(parts, self._blobs, only_text=True)))
        if len(self._pending) >= _ENOUGH or self._length >= ENOUGH_TEXT:
            self.flush()

    def _sum(self, record: Record, message: _Message) -> None:
        """Count what the message cost, once: a finished answer takes the place of its checkpoints."""
        chat, tokens, cost = self._chat, _tokens(record.get("usage")), _price(record.get("cost"))
        chat.tokens = min(chat.tokens - message.tokens + tokens, _MOST)
        if cost is not None or message.cost is not None:
            chat.cost = (chat.cost or 0.0) - (message.cost or 0.0) + (cost or 0.0)
        message.tokens, message.cost = tokens, cost
        chat.provider = _bytes(str(record.get("provider") or "")) or chat.provider
        chat.model = _bytes(str(record.get("model") or "")) or chat.model

    def _known(self, message_id: bytes) -> _Message | None:
        message = self._pending.get(message_id)
        if message is None and self._written:
            row = self._db.execute(
                "SELECT key, id, role, time, open, hidden, tokens, cost FROM message WHERE chat = ? AND id = ?",
                (self._chat.key, message_id),
            ).fetchone()
            if row is not None:
                message = self._pending[message_id] = _Message(*sound(row, _MESSAGE_KINDS))
                message.text, message.new = None, False
        return message

    def _reread(self, message: _Message) -> None:
        if message.text is None:
            message.text = [self._writes.text(message.key)]

    def flush(self) -> None:
        """Write what was gathered."""
        pending = self._pending.values()
        self._db.executemany(
            "REPLACE INTO message (key, chat, id, role, time, open, hidden, tokens, cost)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(m.key, self._chat.key, m.id, m.role, m.time, m.open, m.hidden, m.tokens, m.cost) for m in pending],
        )
        for message in pending:
            if message.text is not None:
                self._writes.put(message.key, "".join(message.text), new=message.new)
        self._written = self._written or bool(self._pending)
        self._pending = {}
        self._length = 0


def _text(parts: list[Any], blob_folder: Path, *, only_text: bool = False) -> str:
    """What a message says: its text, tool results, what was asked of tools, names of files. Not the reasoning."""
    said: list[str] = []
    last = ""
    for part in parts:
        if not isinstance(part, dict) or part.get("type") == "reasoning":
            continue
        kind = str(part.get("type"))
        kind = kind if kind in _KINDS_OF_PARTS else "text"  # as the tree takes what it does not know
        if only_text and kind != "text":
            continue
        if kind in {"image", "audio", "file"}:
            pieces: list[Any] = [part.get("name")]
        else:
            whole = _whole(part, blob_folder)
            pieces = [part.get("name"), whole.get("arguments")] if kind == "tool_call" else [whole.get("text")]
        for piece in pieces:
            if isinstance(piece, str) and piece:
                said.append(piece if kind == last == "text" or not said else f"\n{piece}")
        last = kind
    return "".join(said)


def _whole(part: dict[str, Any], blob_folder: Path) -> dict[str, Any]:
    if "blob" not in part:
        return part
    back = blobs.bring_back({"parts": [part]}, blob_folder)["parts"][0]
    return back if isinstance(back, dict) else {}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e15 < value < 1e15:
        return 0.0
    return float(value)


def _tokens(usage: object) -> int:
    if not isinstance(usage, dict):
        return 0
    counts = [usage.get("input_tokens"), usage.get("output_tokens")]
    return sum(count for count in counts if type(count) is int and 0 <= count <= _MOST)


def _price(cost: object) -> float | None:
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost < 1e9:
        return None
    return float(cost)
