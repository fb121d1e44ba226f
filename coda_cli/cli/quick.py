"""`coda` and `coda chat`, without Typer: that takes 110 ms to load, a third of the time to the first screen.

What is not plainly a chat (help, a mistake, options put together) is left to Typer. A test holds the two to the same
reading of a command line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

from coda_cli.cli.chat_start import Started
from coda_cli.cli.guard import guarded
from coda_cli.cli.output import flush_all, lenient_streams

_SWITCHES: Final = {
    "-c": "latest", "--continue": "latest", "-r": "pick", "--resume": "pick", "--fork": "fork", "-n": "no_log",
    "--no-log": "no_log", "--plain": "plain", "--inline": "inline", "--offline": "offline",
}  # fmt: skip
_VALUES: Final = {
    "-m": "model", "--model": "model", "--cid": "cid", "-s": "system", "--system": "system", "--theme": "theme",
    "-f": "files", "--file": "files", "-a": "attachments", "--attach": "attachments", "-T": "tools", "--tool": "tools",
    "--functions": "functions", "--persona": "persona",
}  # fmt: skip
_LISTS: Final = ("files", "attachments", "tools", "functions")


def chat_at_once(arguments: Sequence[str]) -> int | None:
    """Run *arguments* if they are a chat, and return its exit code; None for Typer's to run."""
    started = parse(arguments) if arguments else _bare()
    if started is None:
        return None
    from coda_cli.cli.chat_run import run

    lenient_streams()
    return flush_all(guarded(lambda: run(started)))


def _bare() -> Started | None:
    """`coda` alone is a chat where somebody sits at a terminal."""
    return Started() if sys.stdin.isatty() and sys.stdout.isatty() else None


def parse(arguments: Sequence[str]) -> Started | None:
    """*arguments* as the beginning of a chat; None for anything that is not plainly one."""
    if arguments[0] != "chat":
        return None
    given: dict[str, Any] = {}
    words: list[str] = []
    rest = list(reversed(arguments[1:]))
    while rest:
        argument = rest.pop()
        if not argument.startswith("-"):
            words.append(argument)
        elif argument in _SWITCHES:
            given[_SWITCHES[argument]] = True
        elif (name := _VALUES.get(argument)) is not None and rest and not rest[-1].startswith("-"):
            value = rest.pop()
            given[name] = [*given.get(name, ()), value] if name in _LISTS else value
        else:
            return None
    log = not given.pop("no_log", False)
    return Started(words=words, log=log, **given)
