"""What goes along with a question: `@path` in its text, files that were attached, images whose path was pasted.

A path that does not exist is left alone: `@somebody` and `@decorator` are words. Everything is read when the question
is sent, in a thread, and nothing is read that nobody named.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from coda_cli.chat.attachments import (
    MAX_MEDIA_BYTES,
    MAX_TEXT_BYTES,
    decode,
    media_part,
    media_type,
    printable,
    read_bytes,
    read_named_texts,
)
from coda_cli.chat.file_blocks import file_block, with_files
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import MediaPart

_TOKEN: Final = re.compile(r"(?<![^\s(\[{\"'])@(?:\"([^\"\n]{1,4096})\"|'([^'\n]{1,4096})'|((?:\\ |[^\s])+))")
_AFTER: Final = ".,;:!?)]}'\"`"
_SECONDS: Final = 20.0
"""How long a FIFO may take."""
_LISTED: Final = 50
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", ".git"})


class Prepared(Struct, frozen=True):
    """A question as it is sent. `names` are the files in it and beside it."""

    text: str
    media: tuple[MediaPart, ...] = ()
    names: tuple[str, ...] = ()


async def prepare(text: str, attached: Sequence[Path] = (), *, typed: str | None = None) -> Prepared:
    """*text* with what `@path` in it and *attached* name. Raises UsageError for what cannot be read or is too large.

    *typed* is the part of it to look for `@path` in (default: all): nobody means a name that came with a paste.
    """
    paths = list(dict.fromkeys([*attached, *mentioned(text if typed is None else typed)]))
    if not paths:
        return Prepared(text)
    return await asyncio.to_thread(_read, text, paths)


def mentioned(text: str) -> Iterator[Path]:
    """The files that `@path` in *text* names and that exist."""
    for found in _TOKEN.finditer(text):
        quoted = found[1] or found[2]
        if quoted is not None:
            candidates: Iterable[str] = (quoted,)
        else:
            bare = found[3].replace("\\ ", " ")
            candidates = dict.fromkeys((bare, bare.rstrip(_AFTER)))
        path = next((path for one in candidates if one and (path := existing(one)) is not None), None)
        if path is not None:
            yield path


def existing(name: str) -> Path | None:
    """The file or folder *name*, `~` expanded; None where there is none."""
    try:
        path = Path(os.path.expanduser(name))  # noqa: PTH111 - Path.expanduser raises for an unknown user
        return path if path.exists() else None
    except (OSError, ValueError):  # too long, or a NUL
        return None


def _read(text: str, paths: Sequence[Path]) -> Prepared:
    deadline = time.monotonic() + _SECONDS
    blocks: list[str] = []
    media: list[MediaPart] = []
    total = 0
    for path in paths:
        if path.is_dir():
            named = list(read_named_texts([str(path)], deadline))
        else:
            data = read_bytes(str(path), MAX_MEDIA_BYTES, "an attachment", deadline)
            part = media_part(data, printable(path.name))
            if part is not None:
                media.append(part)
                continue
            content = decode(data)
            if content is None:
                raise UsageError(
                    f"can't send {printable(str(path))}: it is neither text nor an image, PDF, wav or mp3 file",
                    hint="turn it into text first",
                )
            named = [(printable(str(path)), content)]
        total += sum(len(content.encode("utf-8", "replace")) for _, content in named)
        if total > MAX_TEXT_BYTES:
            raise UsageError(
                f"the files hold more than {MAX_TEXT_BYTES // 1024 // 1024} MiB of text",
                hint="choose fewer files, or a part of them",
            )
        blocks += [file_block(name, content) for name, content in named]
    return Prepared(with_files(text, blocks), tuple(media), tuple(printable(str(path)) for path in paths))


def pasted_media(text: str) -> Path | None:
    """The image, PDF or recording whose path *text* is, as a file manager or a terminal pastes a dropped file."""
    text = text.strip()
    if not text or "\n" in text or len(text) > 4096:
        return None
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    elif text[0] in "'\"" and text[-1] == text[0] and len(text) > 1:
        text = text[1:-1]
    else:
        text = re.sub(r"\\(.)", r"\1", text)
    path = existing(text) if text[:1] in ("/", "~", ".") else None
    try:
        if path is None or not path.is_file():
            return None
        with path.open("rb") as file:
            return path if media_type(file.read(12)) else None
    except OSError:
        return None


def complete_path(typed: str) -> list[str]:
    """Paths that begin with *typed*, folders with a slash; hidden ones only where a dot was typed."""
    folder, _, start = typed.rpartition("/")
    shown = f"{folder}/" if "/" in typed else ""
    try:
        place = Path(os.path.expanduser(shown or "."))  # noqa: PTH111 - Path.expanduser raises for an unknown user
        entries = sorted(os.scandir(place), key=lambda entry: (not entry.is_dir(), entry.name.lower()))
    except (OSError, ValueError):
        return []
    out = []
    for entry in entries:
        name = entry.name
        if name.lower().startswith(start.lower()) and (start[:1] == "." or name[:1] != ".") and name not in _SKIPPED:
            out.append(shown + printable(name) + ("/" if entry.is_dir() else ""))
            if len(out) == _LISTED:
                break
    return out


def path_at_end(text: str) -> str | None:
    """What stands behind the `@` of the last word of *text*; None where there is no such word."""
    found = re.search(r"(?:^|[\s(\[{\"'])@([^\s]*)$", text)
    return found[1] if found is not None else None
