"""Slash commands for files: send one along, export and import chats."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from coda_cli.chat.attach import complete_path, existing
from coda_cli.chat.command_parts import beginning_with
from coda_cli.chat.commands import Command
from coda_cli.chat.exporting import bring_in, export as write_export
from coda_cli.chat.front import Front
from coda_cli.engine.conversations.export import ExportFormat
from coda_cli.engine.core.errors import UsageError


async def attach(front: Front, text: str) -> None:
    """Send a file or folder along with the next question: text, image, PDF or sound."""
    if not text:
        given = await front.ask_text("File to send along")
        if not given:
            return
        text = given
    path = existing(text) or existing(" ".join(_words(text)))
    if path is None:
        raise UsageError(f"there is no file {text!r}", hint="the path is looked for from the folder Coda runs in")
    front.put_prompt("", [path])
    front.note(f"{path} goes along with the next question")


async def export(front: Front, text: str) -> None:
    """Write this chat to a file."""
    words = _words(text)
    form: ExportFormat | None = None
    if words and words[0] in get_args(ExportFormat):
        form = "md" if words[0] == "md" else "json" if words[0] == "json" else "html"
        words = words[1:]
    file = _path(" ".join(words)) if words else None
    if file is not None and file.exists() and not await front.confirm(f"{file} is there already. Replace it?"):
        return
    made = await asyncio.to_thread(write_export, front.session, form, file)
    front.note(f"written to {made.resolve()}")


async def import_(front: Front, text: str) -> None:
    """Bring chats of ChatGPT, Claude, llm or Coda in."""
    given = text or await front.ask_text("File to import (an export of ChatGPT, Claude, llm or Coda)")
    if not given:
        return
    path = existing(given) or existing(" ".join(_words(given)))
    if path is None:
        raise UsageError(f"there is no file {given!r}", hint="the path is looked for from the folder Coda runs in")
    front.note("reading; a moment")
    done = await asyncio.to_thread(bring_in, front.session, path)
    await front.session.refresh_recent()
    for problem in done.problems[:5]:
        front.note(problem)
    front.note(
        f"{len(done.created):,} new chats, {len(done.updated):,} with more in them, {len(done.unchanged):,} known"
    )


def _path(text: str) -> Path:
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for an unknown user


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote without its end
        return text.split()


def _complete_file(_: Front, typed: str) -> Sequence[tuple[str, str]]:
    return [(path, "") for path in complete_path(typed.rsplit(" ", 1)[-1])]


def _complete_export(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    if " " in typed:
        return _complete_file(front, typed)
    forms = [("md", "Markdown"), ("html", "one page"), ("json", "all of it, for /import")]
    return beginning_with(typed, forms) or _complete_file(front, typed)


COMMANDS: Final = (
    Command(
        "attach",
        "FILE",
        "Send a file along with the next question",
        attach,
        "Files",
        ("file", "image", "add"),
        complete=_complete_file,
    ),
    Command(
        "export",
        "[md|json|html] [FILE]",
        "Write this chat to a file",
        export,
        "Files",
        ("save",),
        complete=_complete_export,
    ),
    Command("import", "FILE", "Bring in chats of other programs", import_, "Files", complete=_complete_file),
)
