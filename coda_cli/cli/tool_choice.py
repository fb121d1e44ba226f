"""`-T`, `--functions` and `--approval-mode`, for `coda ask` and `coda chat` alike."""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.bootstrap import Wired
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import ApprovalMode


def chosen(names: Sequence[str]) -> tuple[str, ...] | None:
    """What -T names: () for none, None for all. Raises UsageError where it is both."""
    if not {"all", "none"} & set(names):
        return tuple(names)
    if len(set(names)) > 1:
        raise UsageError("-T all and -T none stand alone", hint="give the names of tools, or one of these")
    return () if names[0] == "none" else None


def apply(wired: Wired, tools: tuple[str, ...] | None, mode: ApprovalMode | None) -> None:
    """Hold *wired* to *mode* and check that *tools* are there. Raises UsageError for one that nobody knows."""
    calling = wired.manager.config.function_calling
    if mode is not None:
        calling.approval_mode = mode
    if tools and wired.manager.tools is not None:
        wired.manager.tools.specs(calling, tools)
