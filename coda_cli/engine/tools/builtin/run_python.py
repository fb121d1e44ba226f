"""`run_python`: a program in a Python of its own, held in like a command; it writes to a temporary folder only."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.builtin.run_command import seconds_for

_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "description": "the whole program; print what you want to know"},
        "timeout": {"type": "number", "description": "seconds until it is stopped", "exclusiveMinimum": 0},
    },
    "required": ["code"],
    "additionalProperties": False,
}
_SCRIPT: Final = "program.py"
_MOST: Final = 256 * 1024


class RunPython(BaseTool):
    """Run Python code."""

    name = "run_python"
    description = (
        "Run a Python program and get what it prints. It starts in an empty temporary folder; the working folder is "
        "os.environ['FOLDER'], to read only. No input, no network, a time limit."
    )
    parameters = _PARAMETERS
    touches = Touches.RUNS
    category = "commands"

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The code as it will run, and what holds it in."""
        from coda_cli.engine.tools import sandbox

        code = str(arguments["code"])
        if not code.strip():
            raise ToolError("code is empty")
        if len(code) > _MOST:
            raise ToolError(f"code is longer than {_MOST // 1024} KB")
        try:
            compile(code, _SCRIPT, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
            raise ToolError(f"the code is no Python: {exc}") from exc
        held = await asyncio.to_thread(sandbox.folder_confinement, None)
        lines = code.count("\n") + (not code.endswith("\n"))
        effect = Effect(
            summary=f"run {lines} line{'' if lines == 1 else 's'} of Python",
            detail=f"in a temporary folder: {held.words}\n\n{code}",
        )
        limit = seconds_for(arguments.get("timeout"), context.timeout)

        async def run() -> ToolOutput:
            return await _run(code, context, limit)

        return Planned(effect, run)

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """Run it at once. The manager goes through `plan`."""
        return await (await self.plan(arguments, context)).run()


async def _run(code: str, context: ToolContext, limit: float) -> ToolOutput:
    from coda_cli.engine.tools.child import Command, result_text, run_child

    command = Command(
        [sys.executable, "-I", "-X", "utf8", "-u", _SCRIPT],
        folder=None,
        timeout=limit,
        files={_SCRIPT: code},
        extra={"FOLDER": str(context.folder)},
    )
    result = await run_child(command, progress=context.progress)
    text = result_text(result)
    if result.code and "FileNotFoundError" in result.output:
        text += "\n[the working folder is os.environ['FOLDER']; relative paths are in an empty temporary folder]"
    return ToolOutput(text, is_error=result.code != 0 or bool(result.reason))
