"""`coda history export`, `import` and `backup`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from coda_cli import paths
from coda_cli.chat.words import counted, file_name
from coda_cli.cli.history_common import ProgressLine, amount, find, find_message, one_line, open_folder, short_id
from coda_cli.cli.history_show import put_export
from coda_cli.cli.output import EXIT_FAILURE, EXIT_OK, put, put_json, report, say, warn
from coda_cli.engine.conversations.export import ExportFormat, export_html, export_json, export_markdown
from coda_cli.engine.conversations.info import Filter
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.errors import CodaError, UsageError
from coda_cli.engine.rendering.sanitize import sanitize

_SUFFIXES: Final[dict[str, ExportFormat]] = {
    ".md": "md",
    ".markdown": "md",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
}
_ALL: Final = 10_000_000


# ---- export ---------------------------------------------------------------------------------------------------------


def export(given: str, form: ExportFormat | None, *, branch: str | None, tree: bool, output: Path | None) -> None:
    """Print the conversation *given* in the format *form*, or write it to *output*."""
    form = form or (_SUFFIXES.get(output.suffix.lower(), "md") if output is not None else "md")
    if branch is not None and tree:
        raise UsageError("--tree is all branches, --branch is one", hint="give one of them")
    if form == "json" and branch is not None:
        raise UsageError("JSON is always the whole tree", hint="leave out --branch, or take `--format md`")
    folder = open_folder()
    text = _text(folder, find(folder, given), form, branch=branch, tree=tree)
    if output is not None and str(output) != "-":
        _write(output, text)
        say(f"written to {output}")
    elif form == "json":
        put_export(text)
    else:
        sys.stdout.write(sanitize(text) if sys.stdout.isatty() else text)


def _text(folder: Folder, conversation_id: str, form: ExportFormat, *, branch: str | None, tree: bool) -> str:
    if form == "json":
        return export_json(folder, conversation_id)
    conversation = folder.load(conversation_id)
    to = conversation.leaf(find_message(conversation, branch)) if branch is not None else None
    return (export_markdown if form == "md" else export_html)(conversation, tree=tree, branch=to)


def _write(file: Path, text: str) -> None:
    """Write *text* whole or not at all, for this user only; what is no plain file (/dev/stdout) gets it as it comes."""
    content = text.encode("utf-8", "surrogatepass")
    try:
        if file.exists() and not file.is_file():
            with file.open("wb") as opened:
                opened.write(content)
        elif not file.resolve().parent.is_dir():
            raise UsageError(f"there is no folder {file.resolve().parent}", hint="make it first, or choose another")
        else:
            paths.replace_private(file.resolve(), content)
    except OSError as exc:
        raise UsageError(
            f"can't write {file}: {exc.strerror or exc}", hint="choose another file, or make room"
        ) from exc


def export_all(form: ExportFormat | None, *, tree: bool, output: Path | None, json: bool) -> int:
    """Write every conversation to a file of its own in the folder *output*; the exit code."""
    if output is None:
        raise UsageError("--all needs a folder", hint="name it: `coda history export --all -o FOLDER`")
    form = form or "json"
    folder = open_folder()
    try:
        paths.private_dir(output)
    except OSError as exc:
        raise UsageError(f"can't make {output}: {exc.strerror or exc}", hint="choose another folder") from exc
    code = EXIT_OK
    written: list[dict[str, str]] = []
    with ProgressLine("exporting") as progress:
        rows = folder.rows(Filter(), limit=_ALL)
        for number, row in enumerate(rows):
            progress(number, len(rows))
            file = output / file_name(row.id, row.title, row.created, form)
            try:
                _write(file, _text(folder, row.id, form, branch=None, tree=tree))
            except KeyError:
                continue  # deleted meanwhile
            except CodaError as error:
                code = report(error)
                continue
            written.append({"id": row.id, "file": str(file)})
    if json:
        put_json(written)
    say(f"{counted(len(written), 'conversation')} written to {output}")
    return code


# ---- import ---------------------------------------------------------------------------------------------------------


def import_(files: Sequence[Path], *, json: bool) -> int:
    """Bring in what other programs and Coda itself exported; the exit code."""
    from coda_cli.engine.conversations.importers import import_file

    folder = open_folder()
    told: list[dict[str, object]] = []
    code = EXIT_OK
    for file in files:
        try:
            with ProgressLine(f"reading {file.name}") as progress:
                done = import_file(folder, file, progress=progress)
        except CodaError as error:
            code = report(error)
            told.append({"file": str(file), "error": error.message})
            continue
        for problem in done.problems:
            warn(problem)
        code = code or (EXIT_FAILURE if done.problems else EXIT_OK)
        told.append(
            {
                "file": str(file),
                "created": done.created,
                "updated": done.updated,
                "unchanged": done.unchanged,
                "problems": done.problems,
            }
        )
        if not json:
            counts = (
                f"{len(done.created):,} new, {len(done.updated):,} with more in them, {len(done.unchanged):,} known"
            )
            put(f"{one_line(file.name)}: {counts}")
    if json:
        put_json(told)
    return code


# ---- backup ---------------------------------------------------------------------------------------------------------


def backup(file: Path | None, *, json: bool) -> int:
    """Put every conversation into one archive, and print its name; the exit code."""
    from coda_cli.engine.conversations.backup import backup as make

    target = file if file is not None else Path(time.strftime("coda-backup-%Y%m%d-%H%M%S.tar.gz"))
    with ProgressLine("backing up") as progress:
        made = make(open_folder(), target, progress=progress)
    for problem in made.problems:
        warn(f"can't read {problem}")
    if json:
        put_json(
            {
                "file": str(made.file),
                "conversations": made.conversations,
                "trashed": made.trashed,
                "blobs": made.blobs,
                "size": made.size,
                "problems": made.problems,
            }
        )
    else:
        put(str(made.file))
    what = [
        counted(made.conversations, "conversation"),
        f"{made.trashed:,} from the trash",
        f"{made.blobs:,} large parts",
    ]
    say(f"{', '.join(what)}; {amount(made.size)}, read again and whole")
    return EXIT_FAILURE if made.problems else EXIT_OK


def restore_backup(file: Path, *, json: bool) -> int:
    """Bring an archive back; what is there is not overwritten. The exit code."""
    from coda_cli.engine.conversations.bring_back import restore

    with ProgressLine("bringing back") as progress:
        back = restore(open_folder(), file, progress=progress)
    for problem in back.problems:
        warn(problem)
    if json:
        put_json(
            {
                "created": back.created,
                "unchanged": back.unchanged,
                "copied": [{"id": old, "copy": new} for old, new in back.copied],
                "trashed": back.trashed,
                "blobs": back.blobs,
                "problems": back.problems,
            }
        )
    else:
        counts = f"{len(back.created):,} brought back, {len(back.unchanged):,} there already"
        put(f"{counts}, {len(back.copied):,} as a copy, {back.trashed:,} into the trash")
    for old, new in back.copied:
        say(f"{short_id(old)} is there with other content: what the backup has of it is {new}")
    return EXIT_FAILURE if back.problems else EXIT_OK
