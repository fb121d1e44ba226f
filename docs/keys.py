"""Writes the tables of keys and commands in docs/chat.md from what is bound: `python docs/keys.py`, in a checkout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from textual.binding import Binding, BindingType

from coda_cli.tui.app import CodaApp
from coda_cli.tui.prompt import Prompt
from coda_cli.tui.screens.chats import Chats
from coda_cli.tui.screens.help import command_entries, key_name
from coda_cli.tui.transcript.view import Transcript

PAGE: Final = Path(__file__).parent / "chat.md"
GROUPS: Final[tuple[tuple[str, Iterable[BindingType]], ...]] = (
    ("Anywhere", CodaApp.BINDINGS),
    ("In the prompt", Prompt.BINDINGS),
    ("On the messages", Transcript.BINDINGS),
    ("In the list of chats", Chats.BINDINGS),
)


def main() -> None:
    """Write them."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")


def written(page: str) -> str:
    """*page* with the tables as they are now."""
    for name, lines in (("keys", keys()), ("commands", commands())):
        table = "\n".join(lines)
        page = re.sub(
            rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)",
            lambda found, table=table: f"{found[1]}{table}\n{found[2]}",  # type: ignore[misc]  # bound at once
            page,
            flags=re.DOTALL,
        )
    return page


def keys() -> Iterator[str]:
    """The keys, a table for each place."""
    for place, bindings in GROUPS:
        yield from ("", f"| {place} | | Action |", "|---|---|---|")
        for binding in bindings:
            if isinstance(binding, Binding) and binding.description:
                shown = ", ".join(_code(key_name(key.strip())) for key in binding.key.split(","))
                action = _code(binding.id.removeprefix("prompt.")) if binding.id else ""
                yield f"| {shown} | {binding.description} | {action} |"
    yield ""


def commands() -> Iterator[str]:
    """The commands, a table for each group."""
    group = ""
    for entry in command_entries():
        if entry.group != group:
            group = entry.group
            yield from ("", f"| {group} | |", "|---|---|")
        yield f"| {_code(entry.label)} | {entry.detail} |"
    yield ""


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


if __name__ == "__main__":
    main()
