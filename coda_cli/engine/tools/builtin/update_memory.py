"""update_memory: another text for a memory. It always asks, and shows both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.builtin.search_memory import memory_of
from coda_cli.engine.tools.visible import visible_line


class UpdateMemory(BaseTool):
    """The id comes from search_memory."""

    name = "update_memory"
    description = "Correct one memory of the user by its id (see search_memory). The user is asked."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The id of the memory.", "minLength": 1, "maxLength": 64},
            "text": {"type": "string", "description": "The whole new text.", "minLength": 3, "maxLength": 1000},
        },
        "required": ["id", "text"],
        "additionalProperties": False,
    }
    touches = Touches.WRITES
    category = "memory"

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """Bound to the text that stands there now."""
        memory, text = memory_of(context), " ".join(str(arguments["text"]).split())
        try:
            old = await memory.find(str(arguments["id"]))
        except CodaError as error:
            raise ToolError(f"{error.message}; search_memory gives the ids") from error

        async def run() -> ToolOutput:
            try:
                if (await memory.find(old.id)).text != old.text:
                    raise ToolError("it has changed meanwhile: look again")
                done = await memory.edit(old.id, text)
            except CodaError as error:
                raise ToolError(error.message) from error
            if done.action == "refused":
                return ToolOutput(f"not changed: {done.text}", is_error=True)
            return ToolOutput(f"{old.id} now says: {done.text}", f"Changed what is remembered: {done.text}")

        detail = f"was: {visible_line(old.text)}\nbecomes: {visible_line(text)}"
        summary = f"change what is remembered ({old.id})"
        return Planned(Effect(summary, detail, outside=True, reason="it changes what is remembered"), run)
