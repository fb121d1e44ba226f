"""timestamp: Unix time, and from Unix time to a date and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from coda_cli.engine.core.tools import Arguments
from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError


class Timestamp(BaseTool):
    """Unix seconds and the UTC time that they are, for now or for a given moment."""

    name = "timestamp"
    description = "Get the current Unix timestamp, or convert between a Unix timestamp and a date."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "moment": {
                "type": ["string", "number"],
                "description": "What to convert: Unix seconds, or a date such as 2026-11-24T14:05:09Z. "
                "Leave it out for now.",
            }
        },
        "additionalProperties": False,
    }
    category = "time"
    repeatable = True

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        """`1795529109 is 2026-11-24T14:05:09+00:00`. A date without an offset is UTC."""
        moment = _moment(arguments.get("moment", ""))
        seconds = moment.timestamp()
        written = f"{seconds:.6f}".rstrip("0").rstrip(".")
        return f"{written} is {moment.isoformat()}"


def _moment(given: str | float) -> datetime:
    if given == "" or given == "now":
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(float(given), UTC)
    except (OverflowError, OSError) as error:
        raise ToolError(f"{given} seconds is outside the years 1 to 9999") from error
    except ValueError:
        if not isinstance(given, str):
            raise ToolError(f"{given} seconds is outside the years 1 to 9999") from None
    try:
        moment = datetime.fromisoformat(given)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ToolError(f"{given[:60]} is outside the years 1 to 9999") from error
    except ValueError as error:
        raise ToolError(f"{given[:60]!r} is no date; write it as 2026-11-24T14:05:09Z or as Unix seconds") from error
