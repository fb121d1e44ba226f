"""stdout, stderr and exit codes: what every command shares.

stdout is data, stderr is everything else; colour only on a terminal and never with NO_COLOR. Untrusted text is
cleaned by `engine.rendering.sanitize` before it gets here or by `say`/`fail`, which clean whatever they print.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import Any, Final, NoReturn, TextIO

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.rendering.sanitize import sanitize

EXIT_OK: Final = 0
EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_LIMIT: Final = 3
EXIT_AUTH: Final = 4
EXIT_INTERRUPTED: Final = 130
EXIT_PIPE: Final = 141


def colour(stream: TextIO) -> bool:
    """Whether *stream* is a terminal that wants colour (NO_COLOR, TERM=dumb and CLICOLOR_FORCE are obeyed)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def style(text: str, code: str, stream: TextIO) -> str:
    """*text* in the SGR style *code* ("1" bold, "2" dim, "31" red, ...) if *stream* takes colour."""
    return f"\x1b[{code}m{text}\x1b[0m" if colour(stream) else text


def say(text: str = "") -> None:
    """One line for a person, on stderr."""
    print(sanitize(text), file=sys.stderr)


def warn(text: str) -> None:
    """A warning on stderr."""
    print(f"{style('warning:', '33', sys.stderr)} {sanitize(text)}", file=sys.stderr)


def hint(text: str) -> None:
    """The next step, on stderr."""
    print(f"{style('hint:', '36', sys.stderr)} {sanitize(text)}", file=sys.stderr)


def report(error: CodaError) -> int:
    """Print *error* with its hint on stderr; returns its exit code."""
    print(f"{style('error:', '1;31', sys.stderr)} {sanitize(error.message)}", file=sys.stderr)
    if error.hint:
        print(file=sys.stderr)
        hint(error.hint)
    return error.exit_code


def fail(error: CodaError) -> NoReturn:
    """Print *error* and leave with its exit code."""
    raise SystemExit(report(error))


def put(text: str) -> None:
    """One line of data, on stdout; cleaned when stdout is a terminal."""
    print(sanitize(text) if sys.stdout.isatty() else text)


def put_json(value: Any) -> None:
    """*value* as JSON on stdout: one object, indented on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    print(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def stdin_is_readable(fd: int = 0) -> bool:
    """Whether stdin is something to read: a pipe, a file or a socket."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
