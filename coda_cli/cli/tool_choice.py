"""`-T`, `--functions` and `--approval-mode`, for `coda ask` and `coda chat` alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from coda_cli.bootstrap import Wired
from coda_cli.chat.attachments import printable
from coda_cli.cli.output import warn
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import ApprovalMode


class ToolChoice(Struct, frozen=True):
    """What the command line says of tools. `only` None: all of them."""

    only: tuple[str, ...] | None
    functions: tuple[Path, ...]
    mode: ApprovalMode | None

    @property
    def wanted(self) -> bool:
        """Whether there may be a tool at all."""
        return self.only != ()

    def apply(self, wired: Wired) -> None:
        """Hold *wired* to the mode."""
        if self.mode is not None:
            wired.manager.config.function_calling.approval_mode = self.mode


async def ready(wired: Wired, only: Sequence[str] | None) -> None:
    """Find the tools, tell what is wrong with a person's own. Raises UsageError for one in *only* that is not there."""
    from coda_cli.engine.tools.manager import ToolManager

    tools = wired.manager.tools
    if not isinstance(tools, ToolManager):
        return
    await tools.ready(only)
    for problem in tools.problems:
        warn(problem)
    tools.specs(wired.manager.config.function_calling, only)


def choice(
    names: Sequence[str], functions: Sequence[str], mode: ApprovalMode | None, *, default: tuple[str, ...] | None
) -> ToolChoice:
    """What -T (*default* where it is not given), --functions and --approval-mode say. Raises UsageError."""
    files = tuple(Path(printable(name)) for name in functions)
    for file in files:
        if not file.exists():
            raise UsageError(f"can't read {file}: there is no such file", hint="--functions takes a Python file")
    only = default
    if {"all", "none"} & set(names):
        if len(set(names)) > 1:
            raise UsageError("-T all and -T none stand alone", hint="give the names of tools, or one of these")
        only = () if names[0] == "none" else None
    elif names:
        only = tuple(names)
    if files and only is not None and "none" not in names:
        only = (*only, *(str(file.resolve()) for file in files))
    return ToolChoice(only, files, mode)
