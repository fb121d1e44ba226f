"""Coda's own JSON (`export_json`): back into the store record by record, what this version does not know included."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from coda_cli.engine.conversations.export import FORMAT, VERSION
from coda_cli.engine.conversations.importers.growing import listed, string
from coda_cli.engine.conversations.importers.writing import Writer, canonical
from coda_cli.engine.conversations.journal import SCHEMA, Record, StoreError, encode
from coda_cli.engine.conversations.tree import Conversation

_LABELS: Final = ("conversation", "title", "tags", "head")
"""Records that say how a conversation stands: they are never taken over into one that is there already."""


def is_export(value: dict[str, Any]) -> bool:
    """Whether *value* is what `export_json` writes."""
    return value.get("format") == FORMAT


def bring_in(value: dict[str, Any], writer: Writer) -> None:
    """Bring the conversation *value* in. Raises StoreError for a full disk; anything else that is wrong is told."""
    name = string(value.get("title")) or string(value.get("id")) or "a conversation without id"
    version = value.get("version")
    if not isinstance(version, int) or version > VERSION:
        writer.tell(name, "a newer version of Coda exported it; update Coda to import it")
        return
    records = _records(value, name, writer)
    if records is None:
        return
    conversation_id = string(records[0].get("id"))
    file = writer.find(conversation_id)
    if file is not None:
        try:
            known = writer.records(file)
        except StoreError as exc:
            writer.failed(name, exc)
            return
        if _stripped(known)[: len(records)] != _stripped(records) and not _related(known, records):
            conversation_id = _renamed(conversation_id, records)
    writer.put(conversation_id, records, lambda known: missing(known, records))


def _records(value: dict[str, Any], name: str, writer: Writer) -> list[Record] | None:
    """The records that can be kept, the first the beginning of the conversation; None if nothing can be."""
    records: list[Record] = []
    for number, record in enumerate(listed(value.get("records"))):
        if not isinstance(record, dict) or not isinstance(record.get("type"), str):
            writer.tell(name, f"record {number} is none")
            continue
        try:
            # a part may be larger than a line: it will lie in a blob, so only what surrounds it is looked at
            encode({key: inner for key, inner in record.items() if key != "parts"})
            for part in listed(record.get("parts")):
                encode({"part": _without_bulk(part)})
        except StoreError as exc:
            writer.tell(name, f"record {number}: {exc.message}")
            continue
        records.append(record)
    if not records:
        writer.tell(name, "there is nothing in it")
        return None
    first = records[0]
    if first["type"] != "conversation":
        first = {"type": "conversation", "schema": SCHEMA, "title": string(value.get("title")), "head": None}
        first["time"] = next((record["time"] for record in records if isinstance(record.get("time"), float)), 0.0)
        records.insert(0, first)
    conversation_id = string(first.get("id")) or string(value.get("id"))
    if not conversation_id:
        conversation_id = f"coda-{hashlib.sha256(canonical(records).encode()).hexdigest()[:20]}"
    schema = first.get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        writer.tell(name, "a newer version of Coda wrote it; update Coda to import it")
        return None
    records[0] = {**first, "id": conversation_id}
    return records


def _without_bulk(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {key: None if isinstance(inner, str) and len(inner) > 4096 else inner for key, inner in part.items()}


def _stripped(records: Sequence[Record]) -> list[str]:
    """The records as they compare: without `seq`, which counts lines, and with the head that they leave behind."""
    out: list[str] = []
    head: Any = None
    for record in records:
        head = record.get("head", head)
        out.append(canonical({**record, "seq": 0, "head": head}))
    return out


def _related(known: Sequence[Record], records: Sequence[Record]) -> bool:
    """Whether the two can be one tree: they share messages, and no message says two things."""
    here, there = Conversation.of(known), Conversation.of(records)
    shared = here.nodes.keys() & there.nodes.keys()
    if not shared:
        return not here.nodes or not there.nodes
    return all(
        here.nodes[one].open
        or there.nodes[one].open
        or (here.nodes[one].message, here.nodes[one].parent) == (there.nodes[one].message, there.nodes[one].parent)
        for one in shared
    )


def _renamed(conversation_id: str, records: list[Record]) -> str:
    """Give the conversation an id of its own, always the same one, and name where it came from."""
    digest = hashlib.sha256(canonical(_stripped(records)).encode()).hexdigest()[:12]
    made = f"{conversation_id[:200]}-{digest}"
    origin: Record = {"import": "coda", "conversation": conversation_id}
    if records[0].get("origin") is not None:
        origin["origin"] = records[0]["origin"]
    records[0] = {**records[0], "id": made, "origin": origin}
    return made


def missing(known: Sequence[Record], records: Sequence[Record]) -> list[Record]:
    """The records that a conversation of the records *known* lacks; none of them changes what is there."""
    here, there = _stripped(known), _stripped(records)
    if here[: len(there)] == there:
        return []  # the same, or it went on here
    if there[: len(here)] == here:
        return [*records[len(here) :]]  # it went on there
    conversation, present = Conversation.of(known), set(here)
    added: set[str] = set()
    out: list[Record] = []
    for record, text in zip(records, there, strict=True):
        if record["type"] not in _LABELS and text not in present and _is_new(record, conversation, added):
            out.append({name: value for name, value in record.items() if name not in ("seq", "head")})
    return out if added or any(record["type"] not in _STATES for record in out) else []


_STATES: Final = ("pin", "hide", "rating", "uncompact")


def _is_new(record: Record, conversation: Conversation, added: set[str]) -> bool:
    name = str(record.get("id"))
    match record["type"]:
        case "message" | "checkpoint":
            node = conversation.nodes.get(name)
            if node is not None and not (node.open and record["type"] == "message"):
                return False
            added.add(name)
            return True
        case "summary":
            if name in conversation.summaries:
                return False
            added.add(name)
            return True
        case "pin" | "hide" | "rating":
            return record.get("message") is not None and str(record.get("message")) in added
        case "uncompact":
            return str(record.get("summary")) in added
        case _:
            return True
