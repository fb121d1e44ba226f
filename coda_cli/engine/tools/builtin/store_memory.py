"""store_memory: something to be known in later chats. It asks: a page that was read must not be able to remember."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.builtin.search_memory import memory_of
from coda_cli.engine.tools.visible import visible_line


class StoreMemory(BaseTool):
    """What the person has asked for in their own words is kept already, so that no second question is put."""

    name = "store_memory"
    description = (
        "Remember something about the user or their work in later chats, in one short sentence. Only what lasts, and "
        "never a password or a key. The user is asked."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "One sentence.", "minLength": 3, "maxLength": 1000},
            "kind": {
                "type": "string",
                "enum": ["fact", "preference", "note"],
                "description": "A fact, how the user wants answers, or a note on the project in the working folder.",
                "default": "fact",
            },
        },
        "required": ["text"],
        "additionalProperties": False,
    }
    touches = Touches.WRITES
    category = "memory"

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """Shows exactly what will be kept."""
        memory, text = memory_of(context), " ".join(str(arguments["text"]).split())
        kind = arguments.get("kind", "fact")
        if (there := await memory.known(text)) is not None:
            raise ToolError(f"nothing to do: it is remembered already, as {there.id}")

        async def run() -> ToolOutput:
            try:
                folder = context.folder if kind == "note" else None
                done = await memory.add(text, kind, folder=folder, conversation=context.conversation_id)
            except CodaError as error:
                raise ToolError(error.message) from error
            if done.action == "refused":
                return ToolOutput(f"not remembered: {done.text}", is_error=True)
            return ToolOutput(f"{done.action} as {done.memory_id}", f"Remembered: {done.text}")

        where = f" in {context.folder}" if kind == "note" else ""
        detail = visible_line(f"remember as a {kind}{where}: {text}")
        summary = visible_line(f"remember: {text if len(text) <= 100 else text[:99] + '…'}")
        return Planned(Effect(summary, detail, outside=True, reason="it changes what is remembered"), run)
