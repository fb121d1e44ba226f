"""get_date: what day it is, or was, or will be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from coda_cli.engine.core.tools import Arguments
from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError
from coda_cli.engine.tools.zones import TIMEZONE, zone


class GetDate(BaseTool):
    """Today's date, or that of so many days from today."""

    name = "get_date"
    description = "Get today's date, or the date some days from today."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "days": {
                "type": "integer",
                "description": "Days from today: 1 is tomorrow, -1 is yesterday.",
                "minimum": -1_000_000,
                "maximum": 1_000_000,
                "default": 0,
            },
            "timezone": TIMEZONE,
        },
        "additionalProperties": False,
    }
    category = "time"
    repeatable = True

    async def run(self, arguments: Arguments, context: ToolContext) -> str:
        """`Tuesday 24 November 2026 (2026-11-24, week 48, day 328)`."""
        now = datetime.now(zone(arguments.get("timezone", "")))
        try:
            day = (now.replace(tzinfo=None) + timedelta(days=int(arguments.get("days", 0)))).date()
        except OverflowError as error:
            raise ToolError("there is no such date: years go from 1 to 9999") from error
        return (
            f"{day:%A} {day.day} {day:%B} {day.year} ({day.isoformat()}, week {day.isocalendar().week}, day {day:%-j})"
        )
