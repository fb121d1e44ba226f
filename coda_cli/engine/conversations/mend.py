"""Mending a journal without losing anything: what it was is kept in `backups/`.

Good lines stay byte for byte. Of a bad one, what can be read as records stays; the rest becomes a record of the type
`lost`, without a number, which readers pass over and which says where the whole line is kept. A torn end, which nobody
was told is safe, is cut off.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, runtime_checkable

from coda_cli import paths
from coda_cli.engine.conversations.journal import SUFFIX, Journal, Line, Record, decode, encode, sync_folder
from coda_cli.engine.conversations.migrate import copy_bytes, keep
from coda_cli.engine.conversations.shelf import first_record
from coda_cli.engine.conversations.store import Folder

_BEGIN: Final = re.compile(r'\{"type":')
_SALVAGED: Final = 1024 * 1024
"""Bytes of a bad line up to which it is searched for records."""


@runtime_checkable
class Rebuilding(Protocol):
    """An index that can be made anew."""

    def rebuild(self) -> object:
        """Make it from the files."""
        ...


def rebuild(index: object) -> bool:
    """Make the index anew; False for one that cannot be."""
    if not isinstance(index, Rebuilding):
        return False
    index.rebuild()
    return True


def age(file: Path) -> float:
    """Seconds since *file* was changed; 0 if it is gone."""
    try:
        return time.time() - file.stat().st_mtime
    except OSError:
        return 0.0


def begins(file: Path, beginning: Path) -> bool:
    """Whether the content of *file* begins with that of *beginning*."""
    with file.open("rb") as long, beginning.open("rb") as short:
        while piece := short.read(1 << 20):
            if long.read(len(piece)) != piece:
                return False
    return True


def put_into(file: Path, folder: Path, name: str) -> Path:
    """Give the journal *file* the name *name* in *folder*, or one like it that is free; returns where it is."""
    there = paths.private_dir(folder) / name
    number = 0
    while not Journal(file).move(there):
        number += 1
        there = folder / f"{name.removesuffix(SUFFIX)}-{number}{SUFFIX}"
    return there


def remove_empty(file: Path) -> bool:
    """Delete a file without a byte in it, unless somebody has written to it meanwhile."""
    with Journal(file).locked() as fd:
        if os.fstat(fd).st_size:
            return False
        file.unlink()
    return True


def mend(folder: Folder, file: Path) -> bool:
    """Rewrite the journal *file* with what can be read of it, under its lock; always True. Raises OSError, StoreError.

    A second call for the same file finds nothing to do.
    """
    journal = Journal(file)
    temporary = file.with_name(f".{file.name}.mending")
    with journal.locked() as fd:
        lines = list(_bad(journal))
        if not lines and _has_beginning(journal):
            return True
        try:
            opened = paths.open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(opened, "wb") as out:
                anything = _copy(journal, fd, folder, out)
                out.flush()
                os.fsync(out.fileno())
            keep(file, folder.backups, f"{file.stem}.damaged")
            if anything:
                temporary.replace(file)
            else:
                file.unlink()  # nothing in it can be read
            sync_folder(file.parent)
        finally:
            temporary.unlink(missing_ok=True)
    return True


def _bad(journal: Journal) -> Iterator[Line]:
    return (line for line in journal.lines() if line.record is None)


def _has_beginning(journal: Journal) -> bool:
    first = next((record for record in journal.records() if record["type"] != "lost"), {})
    return first.get("type") == "conversation"


def _copy(journal: Journal, fd: int, folder: Folder, out: BinaryIO) -> bool:
    """Write to *out* what is to stay of the journal, whose open file is *fd*; whether anything of it can be read."""
    begun = False
    for line in journal.lines():
        records = [line.record] if line.record is not None else _salvaged(fd, line)
        for record in records:
            if not begun and record["type"] != "lost":
                begun = True
                if record["type"] != "conversation":
                    out.write(encode(_beginning(folder, journal.path, record)))
            if line.record is None:
                out.write(encode(record))
        if line.record is not None:
            copy_bytes(fd, line.offset, line.end, out)
    return begun


def _salvaged(fd: int, line: Line) -> list[Record]:
    """What stays of a bad line."""
    if (line.problem or "").startswith("torn"):
        return []
    raw = os.pread(fd, min(line.end - line.offset, _SALVAGED), line.offset)
    whole = len(raw) == line.end - line.offset
    found = _found(raw.replace(b"\0", b"").decode("utf-8", "surrogateescape").strip()) if whole else []
    fragments = sum(record is None for record in found) if found else 1
    records = [record for record in found if record is not None]
    if fragments:
        told = {"size": line.end - line.offset, "problem": line.problem, "kept_in": "backups"}
        records.insert(0, {"type": "lost", **told})
    return records


def _found(text: str) -> list[Record | None]:
    """The records in *text*, None for what stands between them and is none; nothing if there is no record in it."""
    out: list[Record | None] = []
    at = 0
    while at < len(text):
        record, end = _first(text, at)
        if record is not None:
            out.append(record)
            at = end
            continue
        out.append(None)
        begins_at = (match.start() for match in _BEGIN.finditer(text, at + 1))
        at = next((start for start in begins_at if _first(text, start)[0] is not None), len(text))
    return out if any(record is not None for record in out) else []


def _first(text: str, at: int) -> tuple[Record | None, int]:
    """The record that begins at *at* and where it ends, or (None, at)."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
        text[at:end].encode()  # no byte in it that is not UTF-8
    except (ValueError, RecursionError):
        return None, at
    if not isinstance(value, dict) or not isinstance(value.get("type"), str) or type(value.get("seq")) is not int:
        return None, at  # a part of a message has a type too, but no number
    return value, end


def _beginning(folder: Folder, file: Path, record: Record) -> Record:
    """A first record for a journal that has lost its own."""
    first = first_record(_id_of(folder, file))
    when = record.get("time")
    seq = record.get("seq")
    return {
        **first,
        "seq": max(0, seq - 1) if type(seq) is int else 0,
        "time": when if isinstance(when, int | float) else first["time"],
    }


def _id_of(folder: Folder, file: Path) -> str:
    """The id that the file's name is made of, if the usage log or another conversation knows it; else its stem."""
    return next((one for one in _candidates(folder) if folder.own_file(one).name == file.name), file.stem)


def _candidates(folder: Folder) -> Iterator[str]:
    try:
        log = (folder.conversations.parent / "usage.jsonl").read_bytes()
    except OSError:
        log = b""
    for raw in log.splitlines():
        entry: Any = decode(b'{"type":"usage","entry":' + raw + b"}")[0]
        if (
            entry is not None
            and isinstance(entry["entry"], dict)
            and isinstance(entry["entry"].get("conversation"), str)
        ):
            yield entry["entry"]["conversation"]
