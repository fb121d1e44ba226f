"""delete_memory: a memory taken out for good. It always asks, and shows what goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.builtin.search_memory import memory_of
from coda_cli.engine.tools.visible import visible_line


class DeleteMemory(BaseTool):
    """The id comes from search_memory."""

    name = "delete_memory"
    description = "Forget one memory of the user for good by its id (see search_memory). The user is asked."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The id of the memory.", "minLength": 1, "maxLength": 64},
        },
        "required": ["id"],
        "additionalProperties": False,
    }
    touches = Touches.WRITES
    category = "memory"

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """Bound to the text that stands there now."""
        memory = memory_of(context)
        try:
            old = await memory.find(str(arguments["id"]))
        except CodaError as error:
            raise ToolError(f"{error.message}; search_memory gives the ids") from error

        async def run() -> ToolOutput:
            try:
                if (await memory.find(old.id)).text != old.text:
                    raise ToolError("it has changed meanwhile: look again")
                await memory.forget(old.id)
            except CodaError as error:
                raise ToolError(error.message) from error
            return ToolOutput(f"forgotten: {old.id}", f"Forgotten: {old.text}")

        detail = f"forget for good: {visible_line(old.text)}"
        return Planned(Effect(f"forget {old.id}", detail, outside=True, reason="it changes what is remembered"), run)
