"""random_number: whole numbers that nobody can foretell."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from coda_cli.engine.core.tools import Arguments
from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError

_LIMIT: Final = 10**30


class RandomNumber(BaseTool):
    """Random whole numbers of a range, both ends included."""

    name = "random_number"
    description = "Get random whole numbers between two numbers, both included."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "minimum": {
                "type": "integer",
                "description": "The smallest number.",
                "minimum": -_LIMIT,
                "maximum": _LIMIT,
                "default": 1,
            },
            "maximum": {
                "type": "integer",
                "description": "The largest number.",
                "minimum": -_LIMIT,
                "maximum": _LIMIT,
                "default": 100,
            },
            "count": {
                "type": "integer",
                "description": "How many numbers.",
                "minimum": 1,
                "maximum": 1000,
                "default": 1,
            },
        },
        "additionalProperties": False,
    }
    category = "random"
    repeatable = True

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        """The numbers, with commas between them."""
        low, high = int(arguments.get("minimum", 1)), int(arguments.get("maximum", 100))
        if low > high:
            raise ToolError(f"`minimum` is {low} and larger than `maximum`, {high}; exchange them")
        count = int(arguments.get("count", 1))
        return ", ".join(str(low + secrets.randbelow(high - low + 1)) for _ in range(count))
