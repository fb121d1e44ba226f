"""What the `coda history` commands share: the store, ids, times, and lines that fit a terminal.

`list` and `search` ask the index alone: no asyncio, no pydantic model, nothing of the engine but that.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from coda_cli import paths
from coda_cli.cli.output import can_draw, style
from coda_cli.engine.conversations.index import Index
from coda_cli.engine.conversations.info import ConversationInfo, Filter
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.rendering.sanitize import sanitize

if TYPE_CHECKING:
    from coda_cli.engine.conversations.store import Folder
    from coda_cli.engine.conversations.tree import Conversation

NEWEST: Final = ("-", "@", "latest", "last")
"""What stands for the conversation with the latest activity."""
_MESSAGE: Final = re.compile("msg-[0-9a-f]{20}")
_GENERATED: Final = re.compile(r"conv-([0-9a-f]{8})[0-9a-f]{12}")
# A shell gets these words unquoted.
_HARMLESS: Final = re.compile(r"[\w.:@+-]+", re.ASCII)
_SPAN: Final = re.compile(r"(\d{1,6})\s*(min|h|d|w|mo|y)")
_SECONDS: Final = {"min": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "mo": 30 * 86400, "y": 365 * 86400}


# ---- the store ------------------------------------------------------------------------------------------------------


def conversations_dir() -> Path:
    """Where the journals lie."""
    return paths.data_dir() / "conversations"


def open_index() -> Index | None:
    """The index; None where there are no conversations, so that asking leaves no trace."""
    root = paths.data_dir()
    return Index(root / "conversations", root / "blobs") if (root / "conversations").is_dir() else None


def open_folder() -> Folder:
    """The store, with its index where there is something to index."""
    from coda_cli.engine.conversations.store import Folder

    folder = Folder()
    folder.index = open_index()
    return folder


def find(folder: Folder, given: str) -> str:
    """The id that *given* stands for: all of it, a beginning that only one has, or a word for the newest."""
    from coda_cli.engine.conversations import operations

    if given in NEWEST and not folder.exists(given):
        newest = operations.latest(folder)
        if newest is None:
            raise UsageError("there is no conversation yet", hint='`coda ask "..."` begins one')
        return newest.id
    return operations.find(folder, given.removesuffix("…"))


def find_message(conversation: Conversation, given: str) -> str:
    """The message that *given* stands for: its id, a beginning of it (with or without `msg-`), or its number."""
    nodes = conversation.nodes
    given = given.removesuffix("…")
    if given in nodes:
        return given
    path = conversation.path()
    if given.isdecimal() and len(given) < 7 and 1 <= int(given) <= len(path):
        return path[int(given) - 1].message.message_id
    found = [one for one in nodes if given and one.startswith((given, f"msg-{given}"))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"there is no message {given!r} in {conversation.id}",
            hint=f"`coda history show {conversation.id} --tree` shows all of them",
        )
    some = ", ".join(found[:5])
    raise UsageError(f"several messages begin with {given!r}", hint=f"say more of it: {some}")


def complete_id(incomplete: str) -> list[tuple[str, str]]:
    """Ids that begin with *incomplete* and their titles, for the shell's completion: from the index only."""
    index = open_index()
    if index is None or not index.file.exists():
        return []
    from coda_cli.engine.core.errors import CodaError

    out = []
    try:
        for one in index.with_prefix(incomplete, 30):
            row = index.get(one) if _HARMLESS.fullmatch(one) else None
            if row is not None:
                out.append((one, cut(one_line(row.title), 50)))
    except CodaError:
        return []
    return out


# ---- what is asked for ----------------------------------------------------------------------------------------------


def wanted(
    tag: str | None, provider: str | None, model: str | None, since: str | None, until: str | None, *, pinned: bool
) -> Filter:
    """The filter that the options of `list` and `search` say. Raises UsageError."""
    return Filter(
        tag=tag,
        provider=provider,
        model=model,
        pinned=True if pinned else None,
        since=moment(since, "--since") if since is not None else None,
        until=moment(until, "--until", end=True) if until is not None else None,
    )


def moment(text: str, option: str, *, end: bool = False) -> float:
    """A time in seconds: `2026-01-31`, `2026-01-31T10:00`, `today`, `yesterday`, or how long ago (`3d`, `12h`, `2w`).

    With *end* a day counts to its end. Raises UsageError.
    """
    given = text.strip().lower().removesuffix(" ago")
    if span := _SPAN.fullmatch(given):
        return time.time() - int(span[1]) * _SECONDS[span[2]]
    today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if given in ("today", "yesterday"):
            when = today - timedelta(days=given == "yesterday")
        else:
            when = datetime.fromisoformat(text.strip()).astimezone()
        whole_day = given in ("today", "yesterday") or len(given) <= len("2026-01-31")
        return when.timestamp() + (86400 - 1e-6 if end and whole_day else 0)
    except (ValueError, OverflowError, OSError) as exc:
        raise UsageError(
            f"{option} {text!r} is no time",
            hint="say 2026-01-31, 2026-01-31T10:00, today, yesterday, 12h, 3d, 2w or 6mo",
        ) from exc


# ---- what is shown --------------------------------------------------------------------------------------------------


def row_json(row: ConversationInfo) -> dict[str, Any]:
    """A row of a list as JSON. The keys are documented: docs/history.md."""
    return {
        "id": row.id,
        "title": row.title,
        "created": row.created,
        "updated": row.updated,
        "messages": row.messages,
        "tags": list(row.tags),
        "pinned": row.pinned,
        "provider": row.provider or None,
        "model": row.model or None,
        "tokens": row.tokens,
        "cost_usd": round(row.cost, 6) if row.cost is not None else None,
        "size": row.size,
        "file": str(row.file),
    }


def width() -> int | None:
    """The columns of the terminal that stdout is; None for anything else, which has no width."""
    return max(20, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def one_line(text: str) -> str:
    """Untrusted *text* on one line, safe for a terminal."""
    return " ".join(sanitize(text[:2000]).split())


def cells(text: str) -> int:
    """How many columns *text* takes."""
    if text.isascii():
        return len(text)
    from coda_cli.markdown.text import cells as count

    return count(text)


def cut(text: str, columns: int) -> str:
    """*text* in at most *columns* columns, with a mark where it is cut."""
    if cells(text) <= columns:
        return text
    if columns < 1:
        return ""
    kept, taken = "", 0
    for character in text:
        taken += cells(character)
        if taken > columns - 1:
            break
        kept += character
    return f"{kept.rstrip()}…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """*text*, cut to *columns* and filled up with blanks."""
    text = cut(text, columns)
    blanks = " " * (columns - cells(text))
    return blanks + text if right else text + blanks


def short_id(conversation_id: str) -> str:
    """As much of an id as a person needs to name it."""
    generated = _GENERATED.fullmatch(conversation_id)
    return generated[1] if generated else cut(one_line(conversation_id) or "(empty)", 16)


def short_message(message_id: str) -> str:
    """The same for a message."""
    return message_id[4:12] if _MESSAGE.fullmatch(message_id) else cut(one_line(message_id) or "(empty)", 16)


def clock(when: float) -> str:
    """A time for a person, in the local time zone; "" for none."""
    if not 0 < when < 2.5e11:
        return ""
    return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M")


def iso(when: float) -> str:
    """A time for a program: ISO 8601 with its offset; "" for none."""
    if not 0 < when < 2.5e11:
        return ""
    return datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")


def amount(size: int) -> str:
    """Bytes for a person."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


class ProgressLine:
    """How far something is, on a terminal's stderr: one line, drawn a few times a second, gone at the end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._draws = can_draw(sys.stderr)
        self._next = time.monotonic() + 0.3  # what is quick shows nothing
        self._shown = False

    def __call__(self, done: int, whole: int) -> None:
        """*done* of *whole* is done."""
        now = time.monotonic()
        if not self._draws or now < self._next:
            return
        self._next = now + 0.1
        self._shown = True
        share = 100 * done // whole if whole else 100
        text = cut(one_line(f"{self._what} {share} %"), max(10, os.get_terminal_size(sys.stderr.fileno()).columns - 1))
        sys.stderr.write(f"\r\x1b[K{style(text, '2', sys.stderr)}")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
