"""`read_output`: the part of a command's output that was left out of its result."""

from __future__ import annotations

from typing import Final

from coda_cli.engine.core.tools import Arguments, Touches
from coda_cli.engine.tools.base import BaseTool, ToolContext

_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "the id that the result names"},
        "offset": {"type": "integer", "description": "the byte to begin at", "minimum": 0, "default": 0},
    },
    "required": ["id"],
    "additionalProperties": False,
}


class ReadOutput(BaseTool):
    """Read on in the output of an earlier command."""

    name = "read_output"
    description = "Read a further part of a long output of run_command or run_python."
    parameters = _PARAMETERS
    touches = Touches.NOTHING
    category = "commands"

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        """The page, and where the next one begins."""
        from coda_cli.engine.tools.output import SPOOLS

        page = SPOOLS.read(str(arguments["id"]), int(arguments.get("offset", 0)))
        if page.next is not None:
            end = f"[the next part: offset={page.next}, of {page.size:,} bytes]"
        elif page.cut:
            end = f"[the end of what was kept; {page.cut:,} further bytes were not]"
        else:
            end = "[the end]"
        return f"{page.text}\n{end}"
