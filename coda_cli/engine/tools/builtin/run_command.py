"""`run_command`: a line for the shell, in a child, after a person has said yes to exactly this line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.visible import visible_line

_NAMED: Final = 5
_READ_ONLY: Final = ("Read-only file system", "Device or resource busy")
_ONLY_HERE: Final = (
    "\n[it can write only in the working folder and $TMPDIR, and there not what runs by itself: .git/hooks, "
    ".git/config, .envrc, .vscode and the like; if that is what is wanted, tell the person how to do it]"
)
_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "command": {"type": "string", "description": "the command line, for /bin/sh"},
        "timeout": {"type": "number", "description": "seconds until it is stopped", "exclusiveMinimum": 0},
        "network": {"type": "boolean", "description": "true only if it needs the internet"},
    },
    "required": ["command"],
    "additionalProperties": False,
}


class RunCommand(BaseTool):
    """Run a command in the working folder."""

    name = "run_command"
    description = (
        "Run a shell command in the working folder and get its output and exit code. Write only in this "
        "folder and in $TMPDIR. It gets no input and has a time limit."
    )
    parameters = _PARAMETERS
    touches = Touches.RUNS
    category = "commands"

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The command as it will run, and what holds it in."""
        from coda_cli.engine.tools import sandbox
        from coda_cli.engine.tools.shell_words import simple_argv

        command, network = str(arguments["command"]), bool(arguments.get("network", False))
        if not command.strip() or "\0" in command:
            raise ToolError("command is empty" if not command.strip() else "command must not contain NUL")
        held = await asyncio.to_thread(sandbox.folder_confinement, context.folder, network)
        argv = None if network else simple_argv(command)
        effect = Effect(
            summary=command,
            detail=f"in {context.folder}: {held.words}\n\n{command}",  # our words first: a command can end like them
            outside=network,
            rule=f"{self.name} {command}" if argv is not None else None,
            argv=argv,
            reason="with the network open to it" if network else "",
        )
        limit = seconds_for(arguments.get("timeout"), context.timeout)

        async def run() -> ToolOutput:
            return await _run(command, context, limit, network)

        return Planned(effect, run)

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """Run it at once. The manager goes through `plan`."""
        return await (await self.plan(arguments, context)).run()


async def _run(command: str, context: ToolContext, limit: float, network: bool) -> ToolOutput:
    from coda_cli.engine.tools.child import Command, result_text, run_child, shell_line
    from coda_cli.engine.tools.guarded import changes, snapshot

    folder = Path(context.folder)
    before = await asyncio.to_thread(snapshot, str(folder))
    result = await run_child(
        Command(shell_line(command), folder, timeout=limit, network=network), progress=context.progress
    )
    text, display = result_text(result), ""
    if result.code and any(word in result.output for word in _READ_ONLY):
        text += _ONLY_HERE
    if changed := changes(before, await asyncio.to_thread(snapshot, str(folder))):
        told = _told(changed)
        text, display = f"[{told}]\n{text}", f"{told}, which runs by itself\n\n{text}"  # first: one line may be all
    return ToolOutput(text, display, is_error=result.code != 0 or bool(result.reason))


def _told(changed: Sequence[str]) -> str:
    names = ", ".join(map(visible_line, changed[:_NAMED]))
    return f"this command changed {names}" + (f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else "")


def seconds_for(asked: object, allowed: float) -> float:
    """Seconds for the command: a little less than the call has, so that what it printed is told at its end."""
    most = allowed - min(2.0, allowed / 10)
    return min(float(asked), most) if isinstance(asked, int | float) and asked > 0 else most
