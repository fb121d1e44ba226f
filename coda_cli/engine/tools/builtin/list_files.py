"""`list_files`: what is in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools import texts
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext
from coda_cli.engine.tools.builtin.read_file import reading
from coda_cli.engine.tools.folder import Folder, readable
from coda_cli.engine.tools.ignored import glob
from coda_cli.engine.tools.threads import in_thread
from coda_cli.engine.tools.walking import DEEPEST, Entry, Walk

_LISTED: Final = 500
_SECONDS: Final = 10.0


class ListFiles(BaseTool):
    """Names, sizes and where links lead; nothing is opened."""

    name = "list_files"
    description = "List files and folders. Files that git ignores are left out."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "default": ".", "description": "the folder, relative to the working folder"},
            "pattern": {"type": "string", "description": "only names like this, e.g. *.py"},
            "depth": {
                "type": "integer",
                "minimum": 1,
                "maximum": DEEPEST,
                "description": "how many levels of folders to look into (2, or all with a pattern)",
            },
            "ignored": {"type": "boolean", "default": False, "description": "also files that git ignores"},
        },
        "additionalProperties": False,
    }
    touches = Touches.READS
    category = "files"

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The folder is opened here: what is listed later is what was shown."""
        pattern = arguments.get("pattern") or None
        depth = arguments.get("depth") or (DEEPEST if pattern else 2)
        everything = arguments.get("ignored", False)

        def opened() -> tuple[Effect, Walk, str]:
            folder = Folder(context.folder)
            place = folder.find(arguments.get("path") or ".")
            walk = Walk(
                folder,
                place,
                depth=depth,
                seconds=min(_SECONDS, context.timeout / 2),
                cancelled=context.cancelled,
                everything=everything,
            )
            return reading(self.name, "list", place), walk, readable(place.shown)

        effect, walk, shown = await in_thread(opened, context.cancelled)

        async def run() -> ToolOutput:
            return await in_thread(lambda: _listing(walk, shown, pattern), context.cancelled)

        return Planned(effect, run)


def _listing(walk: Walk, shown: str, pattern: str | None) -> ToolOutput:
    wanted = glob(pattern) if pattern else None
    # Lines, not entries: those hold their folder open.
    found = [
        (entry.path, _line(entry))
        for entry in walk
        if wanted is None or wanted.verdict(entry.path.rstrip("/"), entry.is_folder)
    ]
    # The nearest first where there are too many, then in the order of a tree.
    kept = sorted(sorted(found, key=lambda one: one[0].rstrip("/").count("/"))[:_LISTED])
    lines = [line for _, line in kept]
    notes = [
        f"{len(found) - len(kept)} more are not shown: name a folder or a pattern" if len(found) > len(kept) else "",
        walk.cut,
        f"{walk.unread} folders can't be read" if walk.unread else "",
    ]
    if not lines:
        lines.append(f"nothing in {shown}" + (f" is like {pattern}" if pattern else ""))
    told = "; ".join(note for note in notes if note)
    return ToolOutput("\n".join((*lines, f"[{told}]") if told else lines))


def _line(entry: Entry) -> str:
    path = readable(entry.path)
    if entry.is_folder:
        return path
    target = entry.target
    return f"{path} -> {readable(target)}" if target is not None else f"{path} ({texts.size(entry.status.st_size)})"
