"""`coda`, `coda chat` and `coda ask`, without Typer: to load it takes a third of the time to the first screen and
a seventh of that to the first word.

What is not plainly one of them (help, a mistake, options put together) is left to Typer. A test holds the two to the
same reading of a command line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from coda_cli.cli.chat_start import Started
from coda_cli.cli.folding import fold_options
from coda_cli.cli.guard import guarded
from coda_cli.cli.output import flush_all, lenient_streams

if TYPE_CHECKING:
    from coda_cli.cli.ask_input import Asked

_BOTH: Final = {
    "-c": "latest", "--continue": "latest", "--fork": "fork", "-n": "no_log", "--no-log": "no_log",
    "--offline": "offline",
}  # fmt: skip
_VALUES: Final = {
    "-m": "model", "--model": "model", "--cid": "cid", "-s": "system", "--system": "system", "-f": "files",
    "--file": "files", "-a": "attachments", "--attach": "attachments", "-T": "tools", "--tool": "tools",
    "--functions": "functions", "--persona": "persona",
}  # fmt: skip
_CHAT: Final = {"-r": "pick", "--resume": "pick", "--plain": "plain", "--inline": "inline"} | _BOTH
_CHAT_VALUES: Final = {"--theme": "theme"} | _VALUES
_CHAT_LISTS: Final = ("files", "attachments", "tools", "functions")
_ASK: Final = {
    "-x": "first", "--extract": "first", "--xl": "last", "--extract-last": "last", "--no-stream": "whole",
    "--raw": "raw", "--reasoning": "reasoning", "-u": "usage", "--usage": "usage", "--json": "json",
    "--no-cache": "no_cache", "--no-stdin": "no_stdin",
} | _BOTH  # fmt: skip
_ASK_VALUES: Final = {
    "-o": "options", "--option": "options", "-p": "params", "--param": "params", "-t": "template",
    "--template": "template", "--schema": "schema",
} | _VALUES  # fmt: skip
_ASK_LISTS: Final = ("model", "options", "params", *_CHAT_LISTS)


def at_once(arguments: Sequence[str]) -> int | None:
    """Run *arguments* if they are a chat or a question, and return the exit code; None for Typer's to run."""
    if arguments[:1] == ["ask"]:
        asked = parse_ask(arguments)
        return None if asked is None else _run(lambda: _ask(asked))
    started = parse_chat(arguments) if arguments else _bare()
    return None if started is None else _run(lambda: _chat(started))


def _run(command: Callable[[], int]) -> int:
    lenient_streams()
    return flush_all(guarded(command))


def _chat(started: Started) -> int:
    from coda_cli.cli.chat_run import run

    return run(started)


def _ask(asked: Asked) -> int:
    from coda_cli.cli.ask_run import run

    return run(asked)


def _bare() -> Started | None:
    """`coda` alone is a chat where somebody sits at a terminal."""
    return Started() if sys.stdin.isatty() and sys.stdout.isatty() else None


def parse_chat(arguments: Sequence[str]) -> Started | None:
    """*arguments* as the beginning of a chat; None for anything that is not plainly one."""
    if arguments[0] != "chat":
        return None
    given = _given(arguments[1:], _CHAT, _CHAT_VALUES, _CHAT_LISTS)
    if given is None:
        return None
    log = not given.pop("no_log", False)
    return Started(log=log, **given)


def parse_ask(arguments: Sequence[str]) -> Asked | None:
    """*arguments* as a question; None for anything that is not plainly one."""
    given = _given(fold_options(arguments[1:]), _ASK, _ASK_VALUES, _ASK_LISTS)
    if given is None or {"first", "last"} <= given.keys():
        return None
    from coda_cli.cli.ask_input import Asked

    first, last = given.pop("first", False), given.pop("last", False)
    return Asked(
        models=given.pop("model", ()),
        extract="first" if first else "last" if last else None,
        stream=not given.pop("whole", False),
        format="json" if given.pop("json", False) else "text",
        use_cache=False if given.pop("no_cache", False) else None,
        log=not given.pop("no_log", False),
        stdin=not given.pop("no_stdin", False),
        **given,
    )


def _given(
    arguments: Sequence[str], switches: Mapping[str, str], values: Mapping[str, str], lists: Sequence[str]
) -> dict[str, Any] | None:
    """What *arguments* say by name, `words` among them; None where something is not a flag of these tables."""
    given: dict[str, Any] = {}
    words: list[str] = []
    rest = list(reversed(arguments))
    while rest:
        argument = rest.pop()
        if not argument.startswith("-"):
            words.append(argument)
        elif argument in switches:
            given[switches[argument]] = True
        elif (name := values.get(argument)) is not None and rest and not rest[-1].startswith("-"):
            value = rest.pop()
            given[name] = [*given.get(name, ()), value] if name in lists else value
        else:
            return None
    return {"words": words, **given}
