"""A conversation for other eyes and other programs: JSON without any loss, Markdown and HTML to read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final, Literal

from coda_cli.engine.conversations import blobs
from coda_cli.engine.conversations.journal import Journal, Line, Record
from coda_cli.engine.conversations.store import Folder, unreadable
from coda_cli.engine.conversations.tree import Conversation

ExportFormat = Literal["md", "json", "html"]

FORMAT: Final = "coda-conversation"
VERSION: Final = 1

_SHOWN: Final = 64 * 1024
"""Bytes of a bad line that are kept as they are."""


def export_json(folder: Folder, conversation_id: str) -> str:
    """The whole conversation as JSON: `format`, `version`, `id`, `title`, the journal's `records`, and `bad_lines`.

    Every branch, unknown fields and record types included, large parts inlined. `import_file` takes it back without a
    loss. Raises KeyError for an unknown conversation, StoreError for a file that cannot be read.
    """
    file = folder.find(conversation_id)
    if file is None:
        raise KeyError(conversation_id)
    conversation = Conversation()
    records: list[str] = []
    bad: list[str] = []
    try:
        for line in Journal(file).lines():
            text = _text(_inlined(line.record, folder.blobs)) if line.record is not None else None
            if text is None:
                bad.append(json.dumps(_bad(line, file)))
                continue
            records.append(text)
            conversation.apply(line.record or {})
    except FileNotFoundError:
        raise KeyError(conversation_id) from None
    except OSError as exc:
        raise unreadable(file, exc) from exc
    head = {
        "format": FORMAT,
        "version": VERSION,
        "id": conversation.id or conversation_id,
        "title": conversation.title,
    }
    fields = [f"{json.dumps(name)}: {_text(value)}" for name, value in head.items()]
    fields.append('"records": ' + _list(records))
    fields.append('"bad_lines": ' + _list(bad))
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _list(items: list[str]) -> str:
    return "[\n" + ",\n".join(items) + "\n]" if items else "[]"


def _text(value: Any) -> str | None:
    """One line of JSON that UTF-8 can hold, or None for what JSON cannot say (NaN, or nested too deep)."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value)
    except (ValueError, RecursionError):
        return None
    return text


def _inlined(record: Record, folder: Path) -> Record:
    """*record* with its blobs inlined; where one is missing the reference stays, in case it turns up again."""
    parts = record.get("parts")
    if not isinstance(parts, list) or not any(isinstance(part, dict) and "blob" in part for part in parts):
        return record
    return {**record, "parts": [_part(part, folder) for part in parts]}


def _part(part: Any, folder: Path) -> Any:
    blob = part.get("blob") if isinstance(part, dict) else None
    if not isinstance(blob, dict) or blobs.load(str(blob.get("sha256")), folder) is None:
        return part
    return blobs.bring_back({"parts": [part]}, folder)["parts"][0]


def _bad(line: Line, file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        opened.seek(line.offset)
        raw = opened.read(min(line.end - line.offset, _SHOWN))
    told: dict[str, Any] = {"line": line.number, "byte": line.offset, "size": line.end - line.offset}
    told["problem"] = line.problem or "not plain JSON (NaN, or nested too deep)"
    return {**told, "base64": base64.b64encode(raw).decode()}


def export_markdown(conversation: Conversation, *, tree: bool = False, branch: str | None = None) -> str:
    """Markdown of the active branch, of the one that ends at the message *branch*, or with *tree* of all of them.

    What was said stands there as it was said. Raises KeyError for an unknown message.
    """
    from coda_cli.engine.conversations.export_markdown import markdown

    return markdown(conversation, tree=tree, branch=branch)


def export_html(conversation: Conversation, *, tree: bool = False, branch: str | None = None) -> str:
    """One HTML file that needs no other and runs nothing; which branches as for `export_markdown`. Raises KeyError."""
    from coda_cli.engine.conversations.export_html import html

    return html(conversation, tree=tree, branch=branch)
