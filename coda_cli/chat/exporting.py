"""A chat to a file, and files of other programs into the store, for `/export` and `/import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from coda_cli import paths
from coda_cli.chat.session import ChatSession
from coda_cli.chat.words import file_name
from coda_cli.engine.conversations.export import ExportFormat, export_html, export_json, export_markdown
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.errors import UsageError

if TYPE_CHECKING:
    from coda_cli.engine.conversations.importers import ImportReport

SUFFIXES: Final[dict[str, ExportFormat]] = {
    ".md": "md",
    ".markdown": "md",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
}


def export(
    session: ChatSession, form: ExportFormat | None, file: Path | None, conversation_id: str | None = None
) -> Path:
    """Write a chat (default: the open one) to *file* (default: one named after it, here); returns where.

    *form* None is what the file's suffix says, else Markdown. JSON holds all branches, the others the active one.
    Raises CodaError.
    """
    shelf, name = session.conversations.shelf, conversation_id or session.conversation_id or ""
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
    target = (
        file
        if file is not None
        else _free(Path(file_name(conversation.id, conversation.name, conversation.created, form)))
    )
    _write(target, text)
    return target


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
    from coda_cli.engine.conversations.importers import import_file  # the formats of others, which few ever need

    return import_file(shelf, file)
