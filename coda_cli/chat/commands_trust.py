"""`/trust`: what the working folder brings along, and letting it count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from coda_cli.chat import trust_view
from coda_cli.chat.command_parts import beginning_with
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front
from coda_cli.chat.words import counted
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.tools.manager import ToolManager
from coda_cli.engine.tools.trust import Trust

_ACTIONS: Final = {
    "show": "every file, and what it would change",
    "add": "let exactly what was shown count",
    "remove": "let it count no more",
}


async def trust(front: Front, text: str) -> None:
    """Show what the folder brings; after that let exactly this count, or take the trust back."""
    folder = trust_view.folder_at(None)
    if text in ("", "show"):
        await _show(front, folder)
    elif text == "add":
        await _add(front, folder)
    elif text == "remove":
        await _remove(front, folder)
    else:
        raise UsageError(f"there is no /trust {text}", hint=f"write one of: {', '.join(_ACTIONS)}")


async def _show(front: Front, folder: Path) -> None:
    looked = await asyncio.to_thread(trust_view.look, folder)
    front.session.looked_at = looked.files.digest
    front.document("What this folder brings", trust_view.markdown(looked))
    if looked.state in ("unknown", "changed") and not looked.empty:
        front.note("/trust add lets exactly this count, until a byte of it changes")


async def _add(front: Front, folder: Path) -> None:
    looked = await asyncio.to_thread(trust_view.look, folder)
    if looked.empty:
        raise UsageError("this folder brings nothing that can count", hint="/trust says why")
    if front.session.looked_at != looked.files.digest:
        await _show(front, folder)
        front.note("read it first: the yes is for what was shown")
        return
    what = counted(len(looked.files.content), "file")
    if not await front.confirm(f"Let the {what} of {looked.name} count, exactly as shown?"):
        return
    await asyncio.to_thread(Trust().trust, looked.files)
    tools = front.session.manager.tools
    problems = await tools.take_brought(looked.files) if isinstance(tools, ToolManager) else []
    front.note("trusted: its tools and notes are here now, its settings count from the next start")
    for problem in problems:
        front.note(problem)


async def _remove(front: Front, folder: Path) -> None:
    if not await asyncio.to_thread(Trust().distrust, folder):
        front.note("this folder was not trusted")
        return
    tools = front.session.manager.tools
    if isinstance(tools, ToolManager):
        tools.drop_brought()
    front.note("trusted no more: its tools and notes are gone, its settings count until this chat is closed")


def _complete(_: Front, typed: str) -> Sequence[tuple[str, str]]:
    return beginning_with(typed, list(_ACTIONS.items()))


COMMANDS: Final = (
    Command(
        "trust",
        "[show|add|remove]",
        "Settings and tools that this folder brings",
        trust,
        "What the model gets",
        complete=_complete,
    ),
)
