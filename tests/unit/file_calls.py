"""Calls of the file tools, for the tests: planned, run, refused."""

import os
from pathlib import Path
from typing import Any

import pytest

from coda_cli.engine.core.tools import Effect
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208 - a Path may not be listed in an async test


async def plan(tool: BaseTool, home: Path, **arguments: Any) -> Planned:
    return await tool.plan(arguments, ToolContext(folder=home))


async def run(tool: BaseTool, home: Path, **arguments: Any) -> str:
    return (await (await plan(tool, home, **arguments)).run()).text


async def effect(tool: BaseTool, home: Path, **arguments: Any) -> Effect:
    return (await plan(tool, home, **arguments)).effect


async def refused(tool: BaseTool, home: Path, **arguments: Any) -> str:
    with pytest.raises(ToolError) as caught:
        await run(tool, home, **arguments)
    assert "Errno" not in str(caught.value)
    return str(caught.value)
