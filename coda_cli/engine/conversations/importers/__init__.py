"""Conversations of other programs, and Coda's own exports, brought into the store.

`import_file` tells by the content what a file is. Ids are made of those in the source, so the same archive brought in
twice changes nothing, and a later one of the same account adds only what is new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from coda_cli.engine.conversations.importers import chatgpt, claude, coda, llm_logs
from coda_cli.engine.conversations.importers.reading import Assets, Progress, items
from coda_cli.engine.conversations.importers.writing import ImportReport, Writer
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.rendering.sanitize import sanitize

__all__ = ["ImportReport", "import_file"]

_SQLITE: Final = b"SQLite format 3\0"
_MAX_PROBLEMS: Final = 1000


def import_file(folder: Folder, path: Path, *, progress: Progress | None = None) -> ImportReport:
    """Bring the conversations of *path* into *folder*; what is wrong with some of them is told, the rest is imported.

    Takes Coda's JSON (one conversation or a list), ChatGPT's and Claude's export as a zip or its `conversations.json`,
    and the `logs.db` of llm. *progress* is called with (done, whole), of which only the ratio has a meaning. Raises
    UsageError for anything else, and StoreError if the store cannot be written.
    """
    if path.is_dir():
        raise UsageError(
            f"{sanitize(str(path))} is a folder", hint="name the zip, or the conversations.json inside the folder"
        )
    tell = progress if progress is not None else lambda done, whole: None
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
        with Writer(folder) as writer:
            if start == _SQLITE:
                llm_logs.bring_in(path, writer, tell)
            else:
                _import_json(path, writer, tell)
    except OSError as exc:
        raise UsageError(
            f"can't read {sanitize(str(path))}: {exc.strerror or exc}", hint="check the path and its permissions"
        ) from exc
    report = writer.report
    if len(report.problems) > _MAX_PROBLEMS:
        more = len(report.problems) - _MAX_PROBLEMS
        report.problems[_MAX_PROBLEMS:] = [f"... and {more} more problems"]
    return report


def _import_json(path: Path, writer: Writer, progress: Progress) -> None:
    known = 0
    for number, item in enumerate(items(path, progress), 1):
        if item.problem is not None:
            writer.tell("", item.problem)
            continue
        value = item.value or {}
        inside = value.get("conversations")  # a list in an object, as some tools repack it
        for one in inside if isinstance(inside, list) else [value]:
            if _import_one(one, item.assets, writer):
                known += 1
            else:
                writer.tell("", f"item {number} is no conversation in a format that Coda knows")
    if not known:
        why = f" ({writer.report.problems[0]})" if writer.report.problems else ""
        raise UsageError(
            f"there is no conversation that Coda can read in {sanitize(str(path))}{why}",
            hint="it takes Coda's JSON, exports of ChatGPT and Claude (zip or conversations.json), and llm's logs.db",
        )


def _import_one(value: object, assets: Assets, writer: Writer) -> bool:
    """Bring one conversation in; False for what is none. Raises StoreError for a full disk."""
    if not isinstance(value, dict):
        return False
    if coda.is_export(value):
        coda.bring_in(value, writer)
    elif chatgpt.is_conversation(value):
        writer.add_tree(chatgpt.tree(value, assets))
    elif claude.is_conversation(value):
        writer.add_tree(claude.tree(value))
    else:
        return False
    return True
