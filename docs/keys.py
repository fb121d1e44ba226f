"""Writes the tables of keys and commands in docs/chat.md from what is bound: `python docs/keys.py`, in a checkout."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from textual.binding import Binding

from coda_cli.tui.key_words import key_name
from coda_cli.tui.screens.help import action_name, command_entries, does, places

PAGE: Final = Path(__file__).parent / "chat.md"
EXAMPLE: Final = PAGE.parent.parent / "coda.toml.example"


def main() -> None:
    """Write them."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    EXAMPLE.write_text(named(EXAMPLE.read_text("utf-8")), "utf-8")


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


def named(example: str) -> str:
    """*example*, a coda.toml, with the names of the actions as they are now."""
    lines: list[str] = []
    for place, bindings in places():
        names = " ".join(action_name(one) for one in bindings if isinstance(one, Binding))
        lines += textwrap.wrap(f"{place}: {names}", 119, initial_indent="#   ", subsequent_indent="#     ")
    table = "\n".join(lines)
    return re.sub(r"(# The actions, .*\n)(?:#   .*\n)+", lambda found: f"{found[1]}{table}\n", example)


def keys() -> Iterator[str]:
    """The keys, a table for each place."""
    for place, bindings in places():
        yield from ("", f"| {place} | | Action |", "|---|---|---|")
        for binding in bindings:
            if isinstance(binding, Binding) and binding.description:
                shown = ", ".join(_code(key_name(key.strip())) for key in binding.key.split(","))
                yield f"| {shown} | {does(binding)} | {_code(action_name(binding))} |"
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
