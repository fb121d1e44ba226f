"""The versions of the journal's format, and how a record of an older one is understood.

A step turns one record of its version into one of the next: it may rename, fill in and drop fields, and never makes two
records of one or none, so that `seq`, the places of bad lines and a read from the middle keep their meaning. What a
step cannot make sense of stays as it is, for the reader to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

SCHEMA: Final = 1
"""The version that this program writes, in the first record of a journal."""

Step = Callable[[dict[str, Any]], dict[str, Any]]

STEPS: Final[dict[int, Step]] = {}
"""By the version that a step begins with. None yet: 1 is the first version there was."""


def is_older(schema: object) -> bool:
    """Whether *schema* is a version that this program can bring up to date."""
    return type(schema) is int and schema < SCHEMA and all(version in STEPS for version in range(schema, SCHEMA))


def upgraded(record: dict[str, Any], schema: int) -> dict[str, Any]:
    """*record*, written under the older version *schema*, as this version would have written it."""
    for version in range(schema, SCHEMA):
        try:
            record = STEPS[version](record)
        except (KeyError, TypeError, ValueError, AttributeError):
            return record
    return {**record, "schema": SCHEMA} if record["type"] == "conversation" else record
