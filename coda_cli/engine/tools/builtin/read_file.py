"""`read_file`: a text file, or some lines of it."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Mapping
from typing import Any, Final

from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools import texts
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.folder import Folder, Held, Place, readable
from coda_cli.engine.tools.threads import in_thread

_CHARACTERS: Final = 48_000
"""Of one answer: more would crowd out the conversation, and the executor cuts at 64 KB."""
_LINE: Final = 4_000


class ReadFile(BaseTool):
    """Reads in the working folder at once; asks for what is outside or may hold secrets."""

    name = "read_file"
    description = "Read a text file."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "path of the file, relative to the working folder"},
            "start_line": {"type": "integer", "minimum": 1, "default": 1, "description": "first line to read"},
            "lines": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100_000,
                "default": 2000,
                "description": "how many lines",
            },
            "line_numbers": {"type": "boolean", "default": False, "description": "number the lines"},
        },
        "required": ["path"],
        "additionalProperties": False,
    }
    touches = Touches.READS
    category = "files"

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The file is opened here: what is read later is what was shown, whatever its name means by then."""
        place, held = await in_thread(lambda: _open(context, arguments["path"]), context.cancelled)
        start, lines = arguments.get("start_line", 1), arguments.get("lines", 2000)
        numbers = arguments.get("line_numbers", False)

        async def run() -> ToolOutput:
            return await in_thread(
                lambda: _read(place, held, start, lines, numbers, context.cancelled), context.cancelled
            )

        return Planned(reading(self.name, "read", place), run)


def reading(tool: str, verb: str, place: Place) -> Effect:
    """What a person is told of *tool* reading *place*: outside of the folder, and for secrets, they are asked."""
    shown = readable(place.shown)
    reason = place.secret() or ("outside the working folder" if place.outside else "")
    if not reason:
        return Effect(f"{verb} {shown}", rule=place.rule(tool))
    summary, detail = f"{verb} {shown}: {reason}", f"{shown}\n{reason}"
    return Effect(summary, detail, outside=True, rule=place.rule(tool), reason=reason)


def _open(context: ToolContext, path: str) -> tuple[Place, Held]:
    place = Folder(context.folder).find(path)
    return place, place.open_file()


def _read(place: Place, held: Held, start: int, lines: int, numbers: bool, cancelled: threading.Event) -> ToolOutput:
    shown = readable(place.shown)
    try:
        sample = os.pread(held.fd, texts.SAMPLE, 0)
        total = os.fstat(held.fd)
        encoding = texts.encoding(sample)
        if encoding is None:
            raise ToolError(f"{shown} is {texts.kind(sample)} ({texts.size(total.st_size)}), not text")
        try:
            found = _Reader(held, encoding, cancelled).read(start, lines, numbers)
        except UnicodeDecodeError:
            encoding = "latin-1"
            found = _Reader(held, encoding, cancelled).read(start, lines, numbers)
    except OSError as exc:
        raise ToolError(f"{shown} can't be read: {(exc.strerror or str(exc)).lower()}") from exc
    notes = [found.where(shown, start)]
    if encoding == "latin-1":
        notes.append("not UTF-8: read as Latin-1")
    elif encoding in ("utf-16", "utf-32"):
        notes.append(encoding.upper())
    if found.crlf:
        notes.append("lines end with CRLF")
    if total.st_nlink > 1:
        notes.append(f"the file has {total.st_nlink} names (hard links)")
    told = "; ".join(note for note in notes if note)
    if not told:
        return ToolOutput(found.text)
    return ToolOutput(f"{found.text.removesuffix(chr(10))}\n[{told}]" if found.text else f"[{told}]")


class _Reader:
    """Some lines of an open file, read from its start without holding what comes before them."""

    def __init__(self, held: Held, encoding: str, cancelled: threading.Event) -> None:
        self._held = held
        self._encoding = encoding
        self._cancelled = cancelled
        self.text = ""
        self.crlf = False
        self._last = 0
        self._more = False

    def where(self, shown: str, start: int) -> str:
        """Which lines these are, "" where they are the whole file."""
        if self._last < start:
            return "the file is empty" if not self._last else f"{shown} has only {self._last} lines"
        if self._more:
            return f"lines {start}-{self._last} of {shown}; it goes on: start_line={self._last + 1}"
        return f"lines {start}-{self._last} of {shown}, its end" if start > 1 else ""

    def read(self, start: int, lines: int, numbers: bool) -> _Reader:
        """Take *lines* lines from line *start*. Raises UnicodeDecodeError, ToolError."""
        os.lseek(self._held.fd, 0, os.SEEK_SET)
        raw = io.FileIO(self._held.fd, closefd=False)
        taken: list[str] = []
        length = 0
        with io.TextIOWrapper(io.BufferedReader(raw, 1 << 18), encoding=self._encoding, newline=None) as file:
            while line := file.readline(_LINE):
                self._last += 1
                line = self._whole(file, line, keep=self._last >= start)
                if self._last < start:
                    continue
                taken.append((f"{self._last:>6}\t" if numbers else "") + line.removesuffix("\n") + "\n")
                length += len(taken[-1])
                if len(taken) >= lines or length >= _CHARACTERS:
                    self._more = bool(file.readline(1))
                    break
            self.crlf = "\r\n" in (file.newlines or ())
        self.text = "".join(taken)
        return self

    def _whole(self, file: io.TextIOWrapper, line: str, *, keep: bool) -> str:
        """The rest of a long line is left out, and said."""
        if self._last % 4096 == 0 and self._cancelled.is_set():
            raise ToolError("stopped")
        left_out = 0
        while line[-1] != "\n" and len(line) == _LINE and (more := file.readline(_LINE)):
            if self._cancelled.is_set():
                raise ToolError("stopped")
            left_out += len(more)
            if more[-1] == "\n":
                break
        return f"{line}... ({left_out} more characters in this line)\n" if left_out and keep else line
