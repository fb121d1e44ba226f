"""A chat to a file, and files of other programs into the store, for `/export` and `/import`."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from typing import Final

from coda_cli import paths
from coda_cli.chat.session import ChatSession
from coda_cli.engine.conversations.export import ExportFormat, export_html, export_json, export_markdown
from coda_cli.engine.conversations.importers import ImportReport, import_file
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.rendering.sanitize import sanitize

SUFFIXES: Final[dict[str, ExportFormat]] = {
    ".md": "md",
    ".markdown": "md",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
}
_SLUG: Final = re.compile(r"[^\w]+")


def export(session: ChatSession, form: ExportFormat | None, file: Path | None) -> Path:
    """Write the open chat to *file* (default: one named after it, here); returns where. Raises CodaError.

    *form* None is what the file's suffix says, else Markdown. JSON holds all branches, the others the active one.
    """
    shelf, name = session.conversations.shelf, session.conversation_id or ""
    try:
        conversation = shelf.load(name)
    except KeyError:
        raise UsageError("nothing has been said in this chat yet", hint="ask something first") from None
    form = form or (SUFFIXES.get(file.suffix.lower(), "md") if file is not None else "md")
    if form == "json":
        if not isinstance(shelf, Folder):
            raise UsageError("an incognito chat has no file to export", hint="/export md and /export html work")
        text = export_json(shelf, name)
    else:
        text = (export_markdown if form == "md" else export_html)(conversation)
    target = file if file is not None else _free(Path(file_name(conversation, form)))
    _write(target, text)
    return target


def file_name(conversation: Conversation, form: str) -> str:
    """A file name that says what is in it and is safe everywhere."""
    created = conversation.created
    day = time.strftime("%Y-%m-%d", time.localtime(created)) if 0 < created < 2.5e11 else "undated"
    slug = _SLUG.sub("-", sanitize(conversation.name[:200])).strip("-").lower()
    words = slug.encode()[:60].decode("utf-8", "ignore").strip("-")
    unique = hashlib.sha256(conversation.id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return "-".join(filter(None, [day, words, unique])) + f".{form}"


def _free(file: Path) -> Path:
    """*file*, or with a number in its name where it is taken: what nobody named overwrites nothing."""
    made, number = file, 1
    while made.exists():
        number += 1
        made = file.with_name(f"{file.stem}-{number}{file.suffix}")
    return made


def _write(file: Path, text: str) -> None:
    try:
        if not file.resolve().parent.is_dir():
            raise UsageError(f"there is no folder {file.resolve().parent}", hint="make it first, or choose another")
        if file.exists() and not file.is_file():
            raise UsageError(f"{file} is not a file", hint="name a file")
        paths.replace_private(file.resolve(), text.encode("utf-8", "surrogatepass"))
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else None
        raise UsageError(f"can't write {file}: {reason or exc}", hint="choose another file, or make room") from exc


def bring_in(session: ChatSession, file: Path) -> ImportReport:
    """Bring the conversations of *file* into the store. Raises CodaError."""
    shelf = session.conversations.shelf
    if not isinstance(shelf, Folder):
        raise UsageError("an incognito chat imports nothing", hint="`coda history import FILE` does")
    return import_file(shelf, file)
