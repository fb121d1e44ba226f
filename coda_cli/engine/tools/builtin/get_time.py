"""get_time: what time it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from coda_cli.engine.core.tools import Arguments
from coda_cli.engine.tools.base import BaseTool, ToolContext
from coda_cli.engine.tools.zones import TIMEZONE, zone


class GetTime(BaseTool):
    """The time of day, here or in a time zone."""

    name = "get_time"
    description = "Get the current time."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {"timezone": TIMEZONE},
        "additionalProperties": False,
    }
    category = "time"
    repeatable = True

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        """`14:05:09 CET (UTC+01:00), Tuesday 24 November 2026`."""
        now = datetime.now(zone(arguments.get("timezone", "")))
        offset = now.strftime("%z")
        return f"{now:%H:%M:%S} {now.tzname()} (UTC{offset[:3]}:{offset[3:5]}), {now:%A %-d %B %Y}"
