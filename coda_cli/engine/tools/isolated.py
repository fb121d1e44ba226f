"""Tools of a person's own files and of installed packages: their code is imported in a child process only.

A file that raises, leaves, prints, hangs or is slow costs one line of words, and never this process.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from coda_cli import paths
from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError

LISTING_SECONDS: Final = 15.0
BROUGHT: Final = "folder"
"""The category of all tools that a working folder brings along."""
_FORMAT: Final = "1"
"""Changes with what `child_tools` tells: an older listing in the cache is not read."""


class Source(Struct, frozen=True):
    """Where tools come from: `where` is a file, whose content has the hash `sha256`, or "module:attribute" (then "").

    `shown` is its name for a person, `version` what changes when an installed package does. `copy` is what a trusted
    folder brings (name -> bytes, the file itself and those beside it): only that is run, and never unasked.
    """

    where: str
    shown: str
    sha256: str = ""
    version: str = ""
    copy: Mapping[str, bytes] | None = None

    @property
    def key(self) -> str:
        """What its listing is cached under."""
        known = (_FORMAT, sys.version, sys.prefix, self.where, self.sha256, self.version)
        return hashlib.sha256("\0".join(known).encode("utf-8", "surrogatepass")).hexdigest()


class IsolatedTool(BaseTool):
    """One tool of a source. Each call is a process of its own."""

    def __init__(self, source: Source, told: Mapping[str, Any]) -> None:
        """*told* is what `child_tools` says of it. Raises KeyError, ValueError or TypeError for what it never says."""
        self.source = source
        self.origin = source.where
        self.name = str(told["name"])
        self.description = str(told["description"])
        self.parameters = dict(told["parameters"])
        self.touches = Touches(told["touches"])
        self.category = str(told["category"])
        self.timeout = None if told["timeout"] is None else float(told["timeout"])
        self.repeatable = bool(told["repeatable"])
        if source.copy is not None:  # whatever it says of itself: somebody else has written it
            self.touches, self.category = Touches.RUNS, BROUGHT

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The call with its arguments, and the file that it runs."""
        shown = json.dumps(dict(arguments), ensure_ascii=False, indent=2)
        brought = self.source.copy is not None
        effect = Effect(
            summary=f"{self.name} of {self.source.shown}",
            detail=f"{self.name} {shown}\n\nof {self.source.where}",
            # A rule speaks of a name, and the folder chooses the names of its tools.
            outside=brought,
            rule=None if brought else self.name,
            reason="it comes with this folder" if brought else "",
        )

        async def run() -> ToolOutput:
            return await self.run(arguments, context)

        return Planned(effect, run)

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """Run the call in a child. Raises ToolError."""
        request = {
            "action": "call",
            "name": self.name,
            "arguments": dict(arguments),
            "call_id": context.call_id,
            "conversation_id": context.conversation_id,
            "timeout": context.timeout,
        }
        result = await _in_child(self.source, request, context.folder, _limit(context.timeout), context)
        return ToolOutput(str(result["text"]), str(result["display"]), bool(result["is_error"]))


async def listed(source: Source) -> tuple[list[IsolatedTool], list[str]]:
    """The tools of *source* and what is wrong with it. A good listing is kept until the source changes."""
    cache = paths.cache_dir() / "tools" / f"{source.key}.json"
    known = await asyncio.to_thread(_read, cache)
    if known is not None:
        return known_tools(source, known), []
    try:
        with tempfile.TemporaryDirectory(prefix="coda-") as empty:
            told = await _in_child(source, {"action": "list"}, Path(empty), LISTING_SECONDS, None)
        tools = known_tools(source, told)
    except ToolError as error:
        return [], [str(error)]
    except (KeyError, ValueError, TypeError):
        return [], ["what it says of its tools cannot be read"]
    problems = [str(problem) for problem in told["problems"]]
    if not tools and not problems:
        problems = ["there is no tool in it; write a typed function, or mark one with @tool"]
    if not problems:
        await asyncio.to_thread(_keep, cache, told)
    return tools, problems


def known_tools(source: Source, told: Mapping[str, Any]) -> list[IsolatedTool]:
    """The tools that a listing names."""
    return [IsolatedTool(source, one) for one in told["tools"]]


def _read(cache: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(cache.read_bytes())
        known_tools(Source("", ""), told)
    except (OSError, ValueError, KeyError, TypeError):  # missing or damaged: it is made again
        return None
    return dict(told)


def _keep(cache: Path, told: Mapping[str, Any]) -> None:
    try:
        paths.replace_private(cache, json.dumps(told).encode())
    except OSError:  # a full or read-only disk: it is listed again next time
        pass


def _limit(allowed: float) -> float:
    """Seconds for the child: a little less than the call has, so that its end is told by the one who saw it."""
    return allowed - min(2.0, allowed / 10)


async def _in_child(
    source: Source, request: Mapping[str, Any], folder: Path, timeout: float, context: ToolContext | None
) -> dict[str, Any]:
    from coda_cli.engine.tools.child import Command, run_child

    exchange = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="coda-"))
    try:
        where = source.where
        if source.copy is not None:
            where = str(await asyncio.to_thread(_copied, source, exchange / "tools"))
        asked = {**request, "source": where, "sha256": source.sha256}
        (exchange / "request.json").write_text(json.dumps(asked), "utf-8")
        command = Command(_argv(exchange), folder, timeout=timeout, network=True, confine=False)
        ended = await run_child(command, context.progress if context is not None else None)
        try:
            result = json.loads((exchange / "result.json").read_bytes())
        except (OSError, ValueError):
            said = f"; it printed: {ended.output.strip()[-300:]}" if ended.output.strip() else ""
            raise ToolError(f"its process ended before it was done ({ended.outcome}){said}") from None
    finally:
        await asyncio.to_thread(shutil.rmtree, exchange, ignore_errors=True)
    if not isinstance(result, dict):
        raise ToolError("its process gave no result")
    if failed := result.get("failed"):
        raise ToolError(str(failed))
    return result


def _copied(source: Source, folder: Path) -> Path:
    """The file of *source* below *folder*, with everything that was trusted beside it."""
    for name, content in (source.copy or {}).items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / Path(source.where).name


def _argv(exchange: Path) -> list[str]:
    """This Python without the working folder in its path: a `coda_cli` in there is not ours."""
    code = "import sys; sys.path += sys.argv[2:]; from coda_cli.engine.tools.child_tools import main; main()"
    return [sys.executable, "-P", "-c", code, str(exchange), *import_path()]


def import_path() -> list[str]:
    """Where a child finds Coda, should it not find it by itself (a checkout that is not installed)."""
    return [str(Path(__file__).parents[3])]
