"""generate_uuid: identifiers that nobody else has."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from coda_cli.engine.core.tools import Arguments
from coda_cli.engine.tools.base import BaseTool, ToolContext


class GenerateUuid(BaseTool):
    """Random UUIDs (version 4)."""

    name = "generate_uuid"
    description = "Generate random unique identifiers (UUID version 4)."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "description": "How many.", "minimum": 1, "maximum": 1000, "default": 1}
        },
        "additionalProperties": False,
    }
    category = "random"
    repeatable = True

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        """One a line."""
        return "\n".join(str(uuid.uuid4()) for _ in range(int(arguments.get("count", 1))))
