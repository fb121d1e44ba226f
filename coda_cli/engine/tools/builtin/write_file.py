"""`write_file`: a new file, or a whole one anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coda_cli.engine.core.tools import Arguments, ToolOutput, Touches
from coda_cli.engine.tools import texts
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.diff import unified
from coda_cli.engine.tools.folder import Folder
from coda_cli.engine.tools.replacing import Target, effect, replace, target
from coda_cli.engine.tools.threads import in_thread


class WriteFile(BaseTool):
    """Keeps a byte order mark and CRLF line ends of the file that it replaces."""

    name = "write_file"
    description = "Create a text file, or replace all that is in it. To change a part of it use edit_file."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "path of the file, relative to the working folder"},
            "content": {"type": "string", "description": "all that the file will contain"},
        },
        "required": ["path", "content"],
        "additionalProperties": False,
    }
    touches = Touches.WRITES
    category = "files"

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The diff is against what stands there; if that changes before the run, nothing is written."""
        return await in_thread(lambda: _planned(context, arguments["path"], arguments["content"]), context.cancelled)


def _planned(context: ToolContext, path: str, content: str) -> Planned:
    there = target(Folder(context.folder), path)
    content, data, note = _encoded(there, content)
    old = there.text
    before = "" if old is None else old.text
    diff = unified(before, content, there.shown, created=there.data is None)
    verb = "create" if there.data is None else "replace"
    if there.data is not None and old is None:
        note = f"it was {texts.kind(there.data)} ({texts.size(len(there.data))})"

    async def run() -> ToolOutput:
        more = await in_thread(lambda: replace(there, data), context.cancelled)
        told = "; ".join(one for one in (note, more) if one)
        done = "created" if there.data is None else "replaced"
        lines = content.count("\n") + bool(content and not content.endswith("\n"))
        return ToolOutput(f"{done} {there.shown} ({lines} line{'s' * (lines != 1)})" + (f": {told}" if told else ""))

    return Planned(effect("write_file", verb, there, diff), run)


def _encoded(there: Target, content: str) -> tuple[str, bytes, str]:
    """*content* in the line ends and the encoding of the file that it replaces, its bytes, and a note on both."""
    old = there.text
    encoding, notes = "utf-8", []
    if old is not None:
        if old.text.count("\n") == old.text.count("\r\n") > 0 and "\r" not in content:
            content = content.replace("\n", "\r\n")
            notes.append("lines end with CRLF as before")
        if old.encoding == "latin-1":
            notes.append("it was not UTF-8 and is now")
        else:
            encoding = old.encoding
        if encoding.startswith(("utf-16", "utf-32")) and not content.startswith("\ufeff"):
            content = "\ufeff" + content
    try:
        return content, content.encode(encoding), "; ".join(notes)
    except UnicodeEncodeError as exc:
        raise ToolError("the content holds half a character (a lone surrogate): no file can hold that") from exc
