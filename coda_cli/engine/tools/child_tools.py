"""The other side of `isolated`: a process that imports one source of tools, and lists them or runs one call.

It is given a folder with `request.json` and leaves `result.json` there. What the tools print goes to the output of
this process and is never taken for a result.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import os
import sys
import traceback
import types
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError
from coda_cli.engine.tools.function import FunctionTool
from coda_cli.engine.tools.results import capped, output_of
from coda_cli.engine.tools.supervised import failure, outcome_of

_MODULE: Final = "coda_tools_file"


def main() -> None:
    """Do what `request.json` in the folder of the first argument asks for."""
    folder = Path(sys.argv[1])
    request: dict[str, Any] = json.loads((folder / "request.json").read_text("utf-8"))
    result: dict[str, Any]
    try:
        tools, problems = _collected(_loaded(request["source"], request["sha256"]))
        if request["action"] == "list":
            result = {"tools": [_told(tool) for tool in tools], "problems": problems}
        else:
            output = asyncio.run(_called(tools, request))
            result = {"text": output.text, "display": output.display, "is_error": output.is_error}
    except BaseException as error:  # whatever a stranger's module raises, SystemExit included, is told and no more
        result = {"failed": _at_line(error, request["source"])}
    unfinished = folder / "result.part"
    unfinished.write_text(json.dumps(result), "utf-8")
    unfinished.replace(folder / "result.json")
    sys.stdout.flush()
    os._exit(0)  # threads that a tool has left running do not hold this process


def _loaded(source: str, sha256: str) -> object:
    """The module of a file, or what an entry point names. A file is read once: what was listed is what runs."""
    if not sha256:
        module, _, attribute = source.partition(":")
        found: object = import_module(module)
        for name in filter(None, attribute.split(".")):
            found = getattr(found, name)
        return found
    content = Path(source).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ToolError("the file was changed since Coda read it; start Coda again to use it")
    loaded = types.ModuleType(_MODULE)
    loaded.__file__ = source
    sys.modules[_MODULE] = loaded
    sys.path.append(str(Path(source).parent))  # at the end: a file `random.py` beside it hides nothing
    exec(compile(content, source, "exec"), loaded.__dict__)  # noqa: S102  # the person's own file, in a child
    return loaded


def _collected(found: object) -> tuple[list[BaseTool], list[str]]:
    """The tools in *found* and what is wrong with others: those marked as tools, else all public functions."""
    if isinstance(found, types.ModuleType):
        values = list({id(value): value for value in vars(found).values()}.values())
        marked = [value for value in values if isinstance(value, BaseTool) or _is_tool_class(value, found.__name__)]
        candidates: Iterable[object] = marked or [
            value
            for value in values
            if inspect.isfunction(value) and value.__module__ == found.__name__ and not value.__name__.startswith("_")
        ]
    elif isinstance(found, Iterable) and not isinstance(found, str | BaseTool):
        candidates = list(found)
    else:
        candidates = [found]
    tools: list[BaseTool] = []
    problems: list[str] = []
    for candidate in candidates:
        try:
            tools.append(_made(candidate))
        except UsageError as error:
            problems.append(f"{error.message}; {error.hint}" if error.hint else error.message)
    return tools, problems


def _is_tool_class(value: object, module: str) -> bool:
    return (
        inspect.isclass(value)
        and issubclass(value, BaseTool)
        and value.__module__ == module
        and not inspect.isabstract(value)
    )


def _made(candidate: object) -> BaseTool:
    if isinstance(candidate, BaseTool):
        return candidate
    if inspect.isclass(candidate) and issubclass(candidate, BaseTool):
        made: BaseTool = candidate()
        return made
    if callable(candidate):
        return FunctionTool(candidate)
    raise UsageError(f"a {type(candidate).__name__} is no tool", hint="name a function, a `@tool` or a BaseTool")


def _told(tool: BaseTool) -> dict[str, Any]:
    declared = getattr(tool, "declared", True)
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "touches": (tool.touches if declared else Touches.RUNS).value,
        "category": tool.category,
        "timeout": tool.timeout,
        "repeatable": tool.repeatable,
    }


async def _called(tools: Iterable[BaseTool], request: dict[str, Any]) -> ToolOutput:
    tool = next((tool for tool in tools if tool.name == request["name"]), None)
    if tool is None:
        raise ToolError("the tool is gone from its file; do without it")
    context = ToolContext(
        call_id=request["call_id"],
        conversation_id=request["conversation_id"],
        timeout=request["timeout"],
        progress=lambda text: print(text, end="", flush=True),
    )

    async def work() -> ToolOutput:
        tool.check(request["arguments"])
        planned = await tool.plan(request["arguments"], context)
        return capped(output_of(await planned.run()))

    return (await outcome_of(work)).get()


def _at_line(error: BaseException, source: str) -> str:
    """*error* in words, with the line of *source* that raised it."""
    if isinstance(error, ToolError):
        return str(error)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source]
    place = f" at line {lines[-1]}" if lines else ""
    return f"{failure(error)}{place}"


if __name__ == "__main__":
    main()
