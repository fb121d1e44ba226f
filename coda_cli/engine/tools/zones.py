"""Time zones as a model names them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from coda_cli.engine.tools.base import ToolError

TIMEZONE: Final[Mapping[str, Any]] = {
    "type": "string",
    "description": "A time zone such as Europe/Berlin. Leave it out for the local time.",
}


def zone(name: str) -> tzinfo | None:
    """The zone *name*; "" is that of this machine. Raises ToolError for an unknown one."""
    if not name or name.lower() in ("local", "here"):
        return datetime.now(UTC).astimezone().tzinfo
    if name.upper() in ("UTC", "GMT", "Z"):
        return UTC
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name at all (`../x`), the name of a folder
        pass
    wanted = name.lower().replace(" ", "_")
    near = sorted(one for one in available_timezones() if wanted in one.lower())[:5]
    mend = "did you mean " + " or ".join(near) + "?" if near else "names look like Europe/Berlin or UTC"
    raise ToolError(f"there is no time zone {name[:60]!r}; {mend}")
