"""Large parts beside the journal: `blobs/<sha256>`, written once, named by their content."""

from __future__ import annotations

import base64
import hashlib
import threading
from pathlib import Path
from typing import Any, Final

from coda_cli import paths
from coda_cli.engine.conversations.journal import Record, sync_with_parent

LIMIT: Final = 64 * 1024
"""Characters of a part's text or base64 data that stay in the journal."""

_FIELDS: Final = ("text", "data", "arguments")
_BINARY: Final = ("image", "audio", "file")
"""The kinds of parts whose `data` is base64 of bytes."""
_saving = threading.Lock()  # two threads that attach the same picture would share one temporary file


def put_away(record: Record, folder: Path) -> Record:
    """*record* with its large parts moved to blobs. Raises OSError."""
    parts = record.get("parts")
    if not isinstance(parts, list):
        return record
    return {**record, "parts": [_away(part, folder) if isinstance(part, dict) else part for part in parts]}


def _away(part: dict[str, Any], folder: Path) -> dict[str, Any]:
    for name in _FIELDS:
        value = part.get(name)
        # reasoning stays as it is: its signature vouches for it
        if part.get("type") == "reasoning" or not isinstance(value, str) or len(value) <= LIMIT:
            continue
        content = _bytes(value, binary=_is_binary(part, name))
        if content is not None:
            rest = {key: other for key, other in part.items() if key != name}
            return {**rest, "blob": {"field": name, "sha256": save(content, folder), "size": len(content)}}
    return part


def _is_binary(part: dict[str, Any], name: str) -> bool:
    return name == "data" and part.get("type") in _BINARY


def _bytes(value: str, *, binary: bool) -> bytes | None:
    """The content of a field, or None if it is no base64 (it stays where it is)."""
    if not binary:
        return value.encode("utf-8", "surrogatepass")
    try:  # pydantic writes the URL-safe alphabet, other programs the standard one
        return base64.b64decode(value.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except ValueError:
        return None


def save(content: bytes, folder: Path) -> str:
    """Keep *content*; returns its sha256 in hexadecimal. On disk when this returns. Raises OSError."""
    digest = hashlib.sha256(content).hexdigest()
    with _saving:
        if load(digest, folder) is None:  # not there, or damaged: now is the time to mend it
            paths.private_dir(folder)
            paths.replace_private(folder / digest, content)
        sync_with_parent(folder)
    return digest


def bring_back(record: Record, folder: Path) -> Record:
    """*record* with its blobs inlined; one that is missing or damaged becomes a text that says so."""
    parts = record.get("parts")
    if not isinstance(parts, list) or not any(isinstance(part, dict) and "blob" in part for part in parts):
        return record
    return {**record, "parts": [_back(part, folder) for part in parts]}


def _back(part: Any, folder: Path) -> Any:
    blob = part.get("blob") if isinstance(part, dict) else None
    if not isinstance(blob, dict):
        return part
    content = load(str(blob.get("sha256")), folder)
    name = str(blob.get("field"))
    rest = {key: other for key, other in part.items() if key != "blob"}
    if content is None or name not in _FIELDS:
        missing = f"[a part of {blob.get('size')} bytes is missing from {folder.name}]"
        # a call and its result must stay a pair, whatever is lost of them
        kept = {"tool_result": {**rest, "text": missing}, "tool_call": {**rest, "arguments": "{}"}}
        return kept.get(str(part.get("type")), {"type": "text", "text": missing})
    if _is_binary(part, name):
        rest[name] = base64.urlsafe_b64encode(content).decode()
    else:
        rest[name] = content.decode("utf-8", "surrogatepass")
    return rest


def load(digest: str, folder: Path) -> bytes | None:
    """The content of a blob, or None if it is missing or not what its name says."""
    if len(digest) != 64 or not all(letter in "0123456789abcdef" for letter in digest):
        return None
    path = folder / digest
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None
