"""Sample exports of other programs, written by hand in their formats, for the tests of import."""

from __future__ import annotations

import json
import sqlite3
import struct
import zipfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

JSON = dict[str, Any]

CLAUDE_ROOT = "00000000-0000-4000-8000-000000000000"


def png(red: int = 255) -> bytes:
    """A PNG of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(bytes([0, red, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


# ---- ChatGPT --------------------------------------------------------------------------------------------------------


def gpt_node(key: str, parent: str | None, role: str = "user", text: str = "", time: float = 0.0, **more: Any) -> JSON:
    """One node of a `mapping`; *more* goes into its message."""
    message = {
        "id": key,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": time or None,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "end_turn": True,
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
        **more,
    }
    return {"id": key, "message": message, "parent": parent, "children": []}


def gpt(key: str, nodes: list[JSON], current: str | None = None, **more: Any) -> JSON:
    """A conversation of ChatGPT's with *nodes* under an empty root node `root`."""
    mapping: dict[str, JSON] = {"root": {"id": "root", "message": None, "parent": None, "children": []}}
    for node in nodes:
        mapping[node["id"]] = node
        if node["parent"] in mapping:
            mapping[node["parent"]]["children"].append(node["id"])
    return {
        "title": f"Title of {key}",
        "create_time": 1700000000.25,
        "update_time": 1700000500.5,
        "mapping": mapping,
        "current_node": current or nodes[-1]["id"],
        "conversation_id": key,
        "id": key,
        "is_archived": False,
        "default_model_slug": "gpt-4o",
        **more,
    }


def gpt_sample() -> JSON:
    """A question with a picture, two answers to it, thoughts, code and its output; a hidden system message above."""
    image = {
        "content_type": "image_asset_pointer",
        "asset_pointer": "file-service://file-Ab12",
        "width": 1,
        "height": 1,
    }
    newer = {**image, "asset_pointer": "sediment://file_00ff"}
    python = {"role": "tool", "name": "python", "metadata": {}}
    slug = {"model_slug": "o3"}
    return gpt(
        "conv-1",
        [
            gpt_node("system", "root", "system", "", metadata={"is_visually_hidden_from_conversation": True}),
            gpt_node(
                "question",
                "system",
                time=1700000001.5,
                content={"content_type": "multimodal_text", "parts": [image, newer, "What is this?"]},
                metadata={"attachments": [{"id": "file-Ab12", "name": "cat.png", "mime_type": "image/png"}]},
            ),
            gpt_node("first", "question", "assistant", "A cat.", 1700000002.0),
            gpt_node(
                "thoughts",
                "question",
                "assistant",
                time=1700000003.0,
                content={"content_type": "thoughts", "thoughts": [{"summary": "Looking", "content": "It has a tail."}]},
                metadata=slug,
            ),
            gpt_node(
                "code",
                "thoughts",
                "assistant",
                time=1700000004.0,
                content={"content_type": "code", "language": "python", "text": "print('cat')"},
                recipient="python",
                metadata=slug,
            ),
            gpt_node(
                "output",
                "code",
                "tool",
                time=1700000005.0,
                author=python,
                content={"content_type": "execution_output", "text": "cat\n"},
            ),
            gpt_node("second", "output", "assistant", "Surely a cat.", 1700000006.0, metadata=slug),
        ],
        is_archived=True,
    )


def gpt_files() -> dict[str, bytes]:
    """The pictures that `gpt_sample` points at, named as ChatGPT names them."""
    return {"file-Ab12-cat.png": png(), "file_00ff-sanitized.png": png(1), "user-xyz/other.png": png(2)}


def zipped(path: Path, conversations: object, files: dict[str, bytes] | None = None) -> Path:
    """A zip with *conversations* as `conversations.json`; *files* may replace it or lie beside it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if conversations is not None:
            archive.writestr("conversations.json", json.dumps(conversations))
        for name, content in (files or {}).items():
            archive.writestr(name, content)
    return path


# ---- Claude ---------------------------------------------------------------------------------------------------------


def claude_message(key: str, sender: str, *content: JSON | str, parent: str | None = None, **more: Any) -> JSON:
    """A message of `chat_messages`; strings in *content* are text blocks."""
    blocks = [{"type": "text", "text": block} if isinstance(block, str) else block for block in content]
    said: JSON = {
        "uuid": key,
        "text": "".join(block.get("text") or "" for block in blocks),
        "content": blocks,
        "sender": sender,
        "created_at": "2025-03-01T10:00:00.500000Z",
        "updated_at": "2025-03-01T10:00:00.500000Z",
        "attachments": [],
        "files": [],
        **more,
    }
    return said if parent is None else {**said, "parent_message_uuid": parent}


def claude(key: str, messages: list[JSON], **more: Any) -> JSON:
    """A conversation of Claude's."""
    return {
        "uuid": key,
        "name": f"Name of {key}",
        "created_at": "2025-03-01T09:59:59Z",
        "updated_at": "2025-03-02T00:00:00Z",
        "account": {"uuid": "me"},
        "chat_messages": messages,
        **more,
    }


def claude_sample() -> JSON:
    """A question with an attachment and a file, edited once; thoughts, a call and its result in one answer."""
    use = {"type": "tool_use", "id": None, "name": "web_search", "input": {"query": "späť"}}
    result = {
        "type": "tool_result",
        "tool_use_id": None,
        "name": "web_search",
        "content": [{"type": "text", "text": "42"}],
    }
    thought = {"type": "thinking", "thinking": "Let me search."}
    attached = {"file_name": "notes.txt", "file_type": "txt", "extracted_content": "remember ``` this"}
    return claude(
        "conv-1",
        [
            claude_message(
                "q1", "human", "How much?", parent=CLAUDE_ROOT, attachments=[attached], files=[{"file_name": "cat.png"}]
            ),
            claude_message("a1", "assistant", thought, "I look.", use, result, "It is 42.", parent="q1"),
            claude_message("q2", "human", "And why?", parent="a1", created_at="2025-03-01T10:05:00Z"),
            claude_message("q1-edited", "human", "How many?", parent=CLAUDE_ROOT, created_at="2025-03-01T10:06:00Z"),
            claude_message("a2", "assistant", "43.", parent="q1-edited", created_at="2025-03-01T10:07:00Z"),
        ],
    )


# ---- llm ------------------------------------------------------------------------------------------------------------

_CLASSIC = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, options_json TEXT,
  response TEXT, response_json TEXT, conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT,
  input_tokens INTEGER, output_tokens INTEGER);
CREATE TABLE attachments (id TEXT PRIMARY KEY, type TEXT, path TEXT, url TEXT, content BLOB);
CREATE TABLE prompt_attachments (response_id TEXT, attachment_id TEXT, "order" INTEGER);
CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);
CREATE TABLE prompt_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, response_id TEXT, name TEXT, arguments TEXT, tool_call_id TEXT);
CREATE TABLE tool_results (id INTEGER PRIMARY KEY, response_id TEXT, name TEXT, output TEXT, tool_call_id TEXT,
  exception TEXT);
"""

_STORE = """
CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT, provider_metadata TEXT);
CREATE TABLE parts (id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT, text TEXT,
  payload TEXT);
CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, tip_message_hash TEXT, forked_from TEXT, datetime_utc TEXT);
CREATE TABLE turns (id TEXT PRIMARY KEY, thread_id TEXT, parent_message_hash TEXT, tip_message_hash TEXT, model TEXT,
  resolved_model TEXT, options_json TEXT, input_tokens INTEGER, output_tokens INTEGER, duration_ms INTEGER,
  datetime_utc TEXT);
"""


def llm_database(path: Path, *, store: bool = False) -> sqlite3.Connection:
    """An open `logs.db` of llm, empty; with *store* the tables of 0.32 and later are there too."""
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;")  # many in a test
    connection.executescript(_CLASSIC + (_STORE if store else ""))
    return connection


def insert(connection: sqlite3.Connection, table: str, **values: Any) -> None:
    """Insert one row."""
    names = ", ".join(f'"{name}"' for name in values)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", [*values.values()])


def llm_classic(path: Path) -> Path:
    """Two calls in one conversation: a picture and a fragment in the first, a tool between the two."""
    with closing(llm_database(path)) as connection:
        insert(connection, "conversations", id="c1", name="A cat", model="gpt-4o-mini")
        common = {"model": "gpt-4o-mini", "conversation_id": "c1", "system": "Be brief"}
        insert(
            connection, "responses", id="r1", prompt="What is it?", response="", datetime_utc="2024-05-01T10:00:00.5",
            duration_ms=1500, input_tokens=10, output_tokens=5, **common,
        )  # fmt: skip
        insert(
            connection, "responses", id="r2", prompt="", response="A cat.", datetime_utc="2024-05-01T10:00:05", **common
        )
        insert(connection, "attachments", id="a1", type="image/png", content=png())
        insert(connection, "attachments", id="a2", type="text/plain", path="/etc/hostname")
        insert(connection, "prompt_attachments", response_id="r1", attachment_id="a1", order=0)
        insert(connection, "prompt_attachments", response_id="r1", attachment_id="a2", order=1)
        insert(connection, "fragments", id=1, hash="h", content="Context first.")
        insert(connection, "prompt_fragments", response_id="r1", fragment_id=1, order=0)
        insert(connection, "tool_calls", response_id="r1", name="look", arguments='{"at": "it"}', tool_call_id="t1")
        insert(connection, "tool_results", response_id="r2", name="look", output="whiskers", tool_call_id="t1")
        connection.commit()
    return path


def llm_message(
    connection: sqlite3.Connection, key: str, parent: str | None, role: str, *parts: tuple[str, str | None, JSON | None]
) -> str:
    """A message of the newer layout with its *parts* (type, text, payload); returns its hash."""
    insert(connection, "messages", hash=key, parent_hash=parent, role=role)
    for position, (kind, text, payload) in enumerate(parts):
        raw = json.dumps(payload) if payload is not None else None
        insert(connection, "parts", message_hash=key, position=position, type=kind, text=text, payload=raw)
    return key
