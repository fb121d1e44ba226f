"""`search_files`: the lines of files in which a text stands."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

from msgspec import Struct, field

from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools import texts
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.builtin.read_file import reading
from coda_cli.engine.tools.folder import Folder, Held, Place, readable
from coda_cli.engine.tools.ignored import IgnoreRules, glob
from coda_cli.engine.tools.matching import Matcher
from coda_cli.engine.tools.secret_names import own, secret
from coda_cli.engine.tools.threads import in_thread
from coda_cli.engine.tools.walking import DEEPEST, Walk

_BYTES: Final = 5 * 1024 * 1024
"""Of a file that is searched."""
_SECONDS: Final = 20.0
_LETTERS: Final = 300


class SearchFiles(BaseTool):
    """A plain text is looked for here, a regular expression in a child that is killed when it takes too long."""

    name = "search_files"
    description = "Find the lines that contain a text in files. Files that git ignores and binary files are left out."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1, "description": "what to look for"},
            "path": {"type": "string", "default": ".", "description": "folder or file to look in"},
            "glob": {"type": "string", "description": "only files like this, e.g. *.py"},
            "regex": {"type": "boolean", "default": False, "description": "text is a regular expression (Python)"},
            "ignore_case": {"type": "boolean", "default": False, "description": "upper and lower case are the same"},
            "max_results": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        },
        "required": ["text"],
        "additionalProperties": False,
    }
    touches = Touches.READS
    category = "files"

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The folder or file is opened here: what is searched later is what was shown."""
        if "\n" in arguments["text"] and not arguments.get("regex"):
            raise ToolError("text is looked for in one line at a time: search for one of its lines")
        search = _Search(
            arguments["text"],
            glob(arguments["glob"]) if arguments.get("glob") else None,
            arguments.get("max_results", 100),
            arguments.get("ignore_case", False),
            min(_SECONDS, context.timeout * 0.75),
            context.cancelled,
        )
        path = arguments.get("path") or "."

        def opened() -> tuple[Effect, Walk | Held, str]:
            folder = Folder(context.folder)
            place = folder.find(path)
            return reading(self.name, "search", place), _opened(folder, place, search), readable(place.shown)

        effect, where, shown = await in_thread(opened, context.cancelled)
        regex = arguments.get("regex", False)

        async def run() -> ToolOutput:
            return await in_thread(lambda: search.through(where, shown, regex), context.cancelled)

        return Planned(effect, run)


def _opened(folder: Folder, place: Place, search: _Search) -> Walk | Held:
    if place.status is not None and not place.is_folder:
        return place.open_file()
    return Walk(folder, place, depth=DEEPEST, seconds=search.seconds, cancelled=search.cancelled)


class _Search(Struct):
    """One search and what came of it."""

    text: str
    files: IgnoreRules | None
    most: int
    ignore_case: bool
    seconds: float
    cancelled: threading.Event
    lines: list[str] = field(default_factory=list)
    searched: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def through(self, where: Walk | Held, shown: str, regex: bool) -> ToolOutput:
        """Search, and tell what was found and what was not looked at."""
        with ExitStack() as stack:
            matcher = None
            if regex:
                matcher = stack.enter_context(
                    Matcher(self.text, ignore_case=self.ignore_case, seconds=self.seconds, cancelled=self.cancelled)
                )
            for name, text in self._texts(where, shown):
                self._search(name, text, matcher)
                if len(self.lines) >= self.most:
                    break
        notes = [f"the first {self.most}: there may be more" if len(self.lines) >= self.most else ""]
        if isinstance(where, Walk):
            notes.append(where.cut)
        notes += [f"left out: {count} {what}" for what, count in self.left_out.items()]
        told = "; ".join(note for note in notes if note)
        found = self.lines or [f"no line contains it ({self.searched} files searched)"]
        return ToolOutput("\n".join((*found, f"[{told}]") if told else found))

    def _texts(self, where: Walk | Held, shown: str) -> Iterator[tuple[str, str]]:
        if isinstance(where, Held):
            text = self._text(where, os.fstat(where.fd).st_size)
            if text is None:
                raise ToolError(f"{shown} is not text, or over {texts.size(_BYTES)}")
            yield shown, text
            return
        ours = own()
        base = "" if shown == "." else shown.rstrip("/") + "/"
        for entry in where:
            if entry.is_folder or (self.files is not None and not self.files.verdict(entry.path, is_folder=False)):
                continue
            if secret(entry.path) or (entry.status.st_dev, entry.status.st_ino) in ours:
                self._leave_out("that may hold secrets")
                continue
            held = entry.open()
            text = None if held is None else self._text(held, entry.status.st_size)
            if text is not None:
                yield base + readable(entry.path), text

    def _text(self, held: Held, size: int) -> str | None:
        if size > _BYTES:
            self._leave_out(f"over {texts.size(_BYTES)}")
            return None
        try:
            data = os.pread(held.fd, _BYTES + 1, 0)
        except OSError:
            return None
        text = texts.decode(data)
        if text is None:
            return None
        self.searched += 1
        return text.text

    def _leave_out(self, what: str) -> None:
        self.left_out[what] = self.left_out.get(what, 0) + 1

    def _search(self, name: str, text: str, matcher: Matcher | None) -> None:
        left = self.most - len(self.lines)
        found = matcher.lines(text, left, name) if matcher else self._plain(text, left)
        self.lines += [f"{name}:{number}: {line}" for number, line in found]

    def _plain(self, text: str, left: int) -> list[tuple[int, str]]:
        wanted = self.text.casefold() if self.ignore_case else self.text
        if not self.ignore_case and wanted not in text:
            return []
        found: list[tuple[int, str]] = []
        for number, line in enumerate(text.split("\n"), 1):
            place = (line.casefold() if self.ignore_case else line).find(wanted)
            if place >= 0:
                line = line.removesuffix("\r")
                start = 0 if len(line) <= _LETTERS else max(0, min(place - 60, len(line) - _LETTERS))
                found.append((number, line[start : start + _LETTERS]))
                if len(found) >= left:
                    break
        return found
