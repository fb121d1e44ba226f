"""Slash commands for the program itself: help, the look, settings, leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from coda_cli import paths
from coda_cli.chat.command_parts import beginning_with, cell, excerpt
from coda_cli.chat.commands import GROUPS, Command, commands, find
from coda_cli.chat.front import Front, Option
from coda_cli.engine.core.errors import UsageError


async def help_(front: Front, text: str) -> None:
    """All commands, or one of them."""
    if text:
        command = find(text.lstrip("/"), front.kind)
        if command is None:
            raise UsageError(f"there is no command /{text.lstrip('/')}", hint="/help lists all of them")
        others = f" (also {', '.join('/' + alias for alias in command.aliases)})" if command.aliases else ""
        front.note(f"/{command.name} {command.arguments}".rstrip() + f": {command.help}{others}")
        return
    if not await front.own("help", text):
        front.document("Commands", help_text(front))


def help_text(front: Front) -> str:
    """Every command that this front end has, by group, as Markdown."""
    lines: list[str] = []
    known = commands(front.kind)
    for group in GROUPS:
        lines += [f"## {group}", ""]
        for command in (one for one in known if one.group == group):
            usage = f"/{command.name} {command.arguments}".rstrip()
            lines.append(f"- `{usage}` {cell(command.help)}")
        lines.append("")
    lines.append("`@file` in a question sends that file along, `!command` runs in your shell and joins the chat.")
    return "\n".join(lines)


async def quit_(front: Front, _: str) -> None:
    """Leave; everything is kept."""
    front.quit()


async def queue(front: Front, text: str) -> None:
    """What waits for the answer under way: look, take out, empty."""
    if await front.own("queue", text):
        return
    waiting = front.session.queue
    if text == "clear":
        waiting.clear()
        front.note("nothing waits any more")
        return
    if not waiting:
        raise UsageError("nothing waits", hint="what is sent while an answer comes waits for its end")
    chosen = await front.choose("Take out of the queue", [Option(excerpt(one.text)) for one in waiting])
    if chosen is not None and chosen < len(waiting):
        front.put_prompt(waiting.pop(chosen).text)


async def settings(front: Front, text: str) -> None:
    """Look at the settings, or change one: `/settings KEY VALUE`."""
    key, _, value = text.partition(" ")
    if not text and await front.own("settings", text):
        return
    file = paths.config_file()
    if key and value:
        from coda_cli.settings.edit import set_value

        await asyncio.to_thread(set_value, file, key, value.strip())
        front.note(f"{key} is set in {file}; it holds from the next start on")
        return
    front.document("Settings", await asyncio.to_thread(_settings_text, key))


def _settings_text(key: str) -> str:
    from coda_cli.engine.conversations.outline import fenced
    from coda_cli.settings.files import read_text

    file = paths.config_file()
    text = read_text(file)
    head = f"`{file}`" if text is not None else f"`{file}` is not there: the built-in settings hold."
    shown = "\n".join(line for line in (text or "").split("\n") if key in line)
    body = f"\n\n{fenced(shown, 'toml')}" if shown.strip() else ""
    return f"{head}{body}\n\n`/settings KEY VALUE` changes one, `coda config edit` opens the file."


async def theme(front: Front, text: str) -> None:
    """Choose the colours."""
    if not await front.own("theme", text):
        front.note("the plain mode has no themes: it leaves all colours to the terminal")


async def raw(front: Front, text: str) -> None:
    """Show answers as they were written, or as Markdown again."""
    if not await front.own("raw", text):
        front.note("answers are shown as they were written already")


async def mouse(front: Front, text: str) -> None:
    """Leave the mouse to the terminal, or take it again."""
    if not await front.own("mouse", text):
        front.note("the mouse is the terminal's own here")


def _complete_help(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    return beginning_with(typed, [(command.name, command.help) for command in commands(front.kind)])


COMMANDS: Final = (
    Command("help", "[COMMAND]", "All commands, or one of them", help_, "Coda", ("h",), complete=_complete_help),
    Command("theme", "[NAME]", "Choose the colours", theme, "Coda"),
    Command("raw", "", "Answers as they were written, or as Markdown", raw, "Coda"),
    Command("mouse", "", "Leave the mouse to the terminal, or take it", mouse, "Coda", only="tui"),
    Command("queue", "[clear]", "What waits for the answer under way", queue, "Coda", only="tui"),
    Command("settings", "[KEY [VALUE]]", "Look at the settings, change one", settings, "Coda", ("config",)),
    Command("quit", "", "Leave; everything is kept", quit_, "Coda", ("exit", "q")),
)
