"""Where a person's own tools are: files in the config folder's `tools/`, files named for one run, installed packages.

And those that a trusted working folder brings along in `.coda/tools/`.

A source that is broken gives one line of words for the person and is left out; the others are not harmed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coda_cli import paths
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.tools.isolated import IsolatedTool, Source, listed
from coda_cli.engine.tools.own_folder import OWN_FOLDER, TOOLS
from coda_cli.engine.tools.visible import visible_line

if TYPE_CHECKING:
    from coda_cli.engine.tools.trust import FolderFiles

GROUP: Final = "coda.tools"
_AT_ONCE: Final = 2
_LARGEST: Final = 4 * 1024 * 1024


def tools_dir() -> Path:
    """The folder of a person's own tools."""
    return paths.config_dir() / "tools"


async def discovered(
    files: Sequence[Path] = (),
    folder: Path | None = None,
    installed: bool = True,
    brought: FolderFiles | None = None,
) -> tuple[list[IsolatedTool], list[str]]:
    """All tools of *files*, of the `*.py` in *folder* (default: `tools_dir()`) and of packages; and what is wrong.

    At the end those of *brought*, which a person trusts: where names are the same, their own are first. Raises
    UsageError where one of *files* cannot be read: it was asked for.
    """
    sources: list[Source] = []
    problems: list[str] = []
    for file in files:
        try:
            sources.append(await asyncio.to_thread(_file, file))
        except OSError as error:
            raise UsageError(
                f"cannot read the tools of {visible_line(str(file))}: {error.strerror or error}",
                hint="--functions takes a Python file",
            ) from error
    for file in await asyncio.to_thread(_python_files, tools_dir() if folder is None else folder):
        try:
            sources.append(await asyncio.to_thread(_own_file, file))
        except OSError as error:
            problems.append(f"tools/{visible_line(file.name)} is left out: {error.strerror or error}")
    if installed:
        sources += await asyncio.to_thread(_entry_points)
    if brought is not None:
        sources += brought_sources(brought)
    tools, wrong = await _all(sources)
    return tools, [*problems, *wrong]


async def tools_of(brought: FolderFiles) -> tuple[list[IsolatedTool], list[str]]:
    """The tools that a trusted folder brings along, and what is wrong with them."""
    return await _all(brought_sources(brought))


async def _all(sources: Sequence[Source]) -> tuple[list[IsolatedTool], list[str]]:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(source: Source) -> tuple[list[IsolatedTool], list[str]]:
        async with slots:
            return await listed(source)

    tools: list[IsolatedTool] = []
    problems: list[str] = []
    for source, (found, wrong) in zip(sources, await asyncio.gather(*map(one, sources)), strict=True):
        tools += [tool for tool in found if not _of_a_server(tool)]
        wrong += [f"{tool.name}: only the tools of servers are called mcp__" for tool in found if _of_a_server(tool)]
        left_out = "" if found else " is left out"
        problems += [visible_line(f"{source.shown}{left_out}: {problem}") for problem in wrong]
    return tools, problems


def _of_a_server(tool: IsolatedTool) -> bool:
    """Whether what a folder brings calls itself a tool of a server."""
    return tool.source.copy is not None and tool.name.startswith("mcp__")


def brought_sources(files: FolderFiles) -> list[Source]:
    """The Python files among the tools of a trusted folder. Each carries the bytes that were trusted."""
    inside = f"{TOOLS}/"
    copy = {name.removeprefix(inside): data for name, data in files.content.items() if name.startswith(inside)}
    names = sorted(name for name in copy if "/" not in name and name.endswith(".py") and name[0] not in "_.")
    return [
        Source(
            f"{files.folder}/{OWN_FOLDER}/{TOOLS}/{name}",
            f"{OWN_FOLDER}/{TOOLS}/{name}",
            hashlib.sha256(copy[name]).hexdigest(),
            files.digest,
            copy,
        )
        for name in names
    ]


def _python_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.py") if not path.name.startswith(("_", ".")))
    except OSError:
        return []


def _own_file(path: Path) -> Source:
    """The file, if nobody else may write it. Raises OSError."""
    found = path.stat()
    if found.st_mode & stat.S_IWOTH or found.st_uid not in (os.geteuid(), 0):
        raise OSError(0, "others can write it; make it yours alone with `chmod 600`")
    return _file(path)


def _file(path: Path) -> Source:
    if not path.is_file():
        raise OSError(0, "it is no file" if path.exists() else "there is no such file")
    if path.stat().st_size > _LARGEST:
        raise OSError(0, "it is too large")
    whole = path.resolve()
    return Source(str(whole), path.name, hashlib.sha256(whole.read_bytes()).hexdigest())


def _entry_points() -> list[Source]:
    from importlib.metadata import entry_points

    return [
        Source(
            point.value,
            f"{point.dist.name} ({point.name})" if point.dist else point.name,
            version=point.dist.version if point.dist else "",
        )
        for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    ]
