"""The slash commands, once for every front end: the table, finding one, running a line, completing one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Final

from msgspec import Struct

from coda_cli.chat.front import Completion, Front, FrontKind
from coda_cli.engine.core.errors import CodaError, UsageError

Run = Callable[[Front, str], Awaitable[None]]
Complete = Callable[[Front, str], Sequence[tuple[str, str]]]
"""(front, what stands of the arguments) -> what may stand there, each with a detail."""

GROUPS: Final = ("Chats", "Messages", "Models", "What the model gets", "Files", "Coda")


class Command(Struct, frozen=True):
    """A slash command. `arguments` is what is shown behind its name, `help` one line, `group` one of GROUPS.

    `idle`: it changes the conversation, so it waits until no answer is under way. `only`: the one front end that has
    it. `run` may raise CodaError.
    """

    name: str
    arguments: str
    help: str
    run: Run
    group: str
    aliases: tuple[str, ...] = ()
    idle: bool = False
    only: FrontKind | None = None
    complete: Complete | None = None


_LINE: Final = re.compile(r"/([A-Za-z][A-Za-z0-9-]*)(?=\s|$)")
_SHOWN: Final = 50


@cache
def _table() -> tuple[Command, ...]:
    from coda_cli.chat import (
        commands_budget,
        commands_chats,
        commands_context,
        commands_files,
        commands_mcp,
        commands_memory,
        commands_messages,
        commands_models,
        commands_persona,
        commands_program as program,
        commands_tools,
        commands_trust,
    )

    made = [
        *commands_chats.COMMANDS,
        *commands_messages.COMMANDS,
        *commands_models.COMMANDS,
        *commands_context.COMMANDS,
        *commands_persona.COMMANDS,
        *commands_budget.COMMANDS,
        *commands_memory.COMMANDS,
        *commands_tools.COMMANDS,
        *commands_mcp.COMMANDS,
        *commands_trust.COMMANDS,
        *commands_files.COMMANDS,
        *program.COMMANDS,
    ]
    return tuple(sorted(made, key=lambda command: GROUPS.index(command.group)))


def commands(kind: FrontKind | None = None) -> tuple[Command, ...]:
    """Those that the front end *kind* has (default: all), by group."""
    return tuple(command for command in _table() if kind is None or command.only in (None, kind))


def find(name: str, kind: FrontKind | None = None) -> Command | None:
    """The command called *name* (without the slash), or that has it as an alias."""
    name = name.lower()
    return next((command for command in commands(kind) if name == command.name or name in command.aliases), None)


def split(line: str) -> tuple[str, str] | None:
    """(name, arguments) of a line that is meant as a command; None for a question, `/etc/hosts` among them."""
    found = _LINE.match(line)
    return (found[1], line[found.end() :].strip()) if found is not None else None


async def run(front: Front, line: str) -> bool:
    """Run *line* if it is meant as a command; whether it was. What goes wrong is shown by the front end."""
    parts = split(line)
    if parts is None:
        return False
    try:
        await _checked(front, parts[0])(front, parts[1])
    except CodaError as error:
        front.fail(error)
    return True


def _checked(front: Front, name: str) -> Run:
    command = find(name, front.kind)
    if command is None:
        names = [word for one in commands(front.kind) for word in (one.name, *one.aliases)]
        close = get_close_matches(name.lower(), names, n=1)
        guess = f"did you mean /{close[0]}? " if close else ""
        raise UsageError(
            f"there is no command /{name}", hint=f"{guess}/help lists all of them; a blank before the / asks it"
        )
    if command.idle and front.session.busy:
        stop = "Esc" if front.kind == "tui" else "Ctrl+C"
        raise UsageError(f"an answer is under way, and /{command.name} would change the chat", hint=f"{stop} stops it")
    return command.run


def is_complete(text: str, kind: FrontKind) -> bool:
    """Whether *text* is a command that Enter may run as it stands, even while completions are shown."""
    parts = split(text)
    return parts is not None and find(parts[0], kind) is not None


def complete(text: str, front: Front) -> list[Completion]:
    """What may stand at the end of *text*, a prompt that begins with `/` (the cursor stands at its end)."""
    if not text.startswith("/") or "\n" in text:
        return []
    name, blank, rest = text[1:].partition(" ")
    if not blank:
        return _names(name, front.kind)
    command = find(name, front.kind)
    if command is None or command.complete is None:
        return []
    found = command.complete(front, rest.lstrip())
    last = rest.rsplit(" ", 1)[-1]
    return [Completion(value, len(last), value, detail) for value, detail in found[:_SHOWN]]


def _names(typed: str, kind: FrontKind) -> list[Completion]:
    """Commands that begin with what was typed, then those that have it inside or as an alias."""
    typed = typed.lower()
    first, later = [], []
    for command in commands(kind):
        label = f"/{command.name} {command.arguments}".rstrip()
        made = Completion(f"/{command.name}", len(typed) + 1, label, command.help)
        if command.name.startswith(typed):
            first.append(made)
        elif any(alias.startswith(typed) for alias in command.aliases) or (len(typed) > 1 and typed in command.name):
            later.append(made)
    return first + later
