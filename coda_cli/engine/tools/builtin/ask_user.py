"""ask_user: a question to the person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coda_cli.engine.core.tools import Arguments
from coda_cli.engine.tools.base import BaseTool, ToolContext


class AskUser(BaseTool):
    """One question; the time that the person thinks does not count."""

    name = "ask_user"
    description = "Ask the user one question and get the answer, when you cannot go on without it."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "question": {"type": "string", "description": "The question.", "minLength": 1, "maxLength": 4000},
            "choices": {
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": 500},
                "description": "Answers to choose from, if there are only a few.",
                "maxItems": 10,
            },
        },
        "required": ["question"],
        "additionalProperties": False,
    }
    category = "ask"

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        """What they answered, or that nobody did."""
        if context.ask is None:
            return "nobody can be asked here; decide yourself and say what you assumed"
        answer = await context.ask(str(arguments["question"]), tuple(arguments.get("choices", ())))
        return "they gave no answer; decide yourself and say what you assumed" if answer is None else answer
