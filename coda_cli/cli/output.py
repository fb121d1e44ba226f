"""stdout, stderr and exit codes: what every command shares.

stdout is data, stderr is everything else; colour only on a terminal and never with NO_COLOR. Untrusted text is
cleaned by `engine.rendering.sanitize` before it gets here or by `say`/`fail`, which clean whatever they print.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
import sys
from contextlib import suppress
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


# What writing to stdout may fail with that is no fault of the program.
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
_UNPROVEN: Final = re.compile(r"[^\x20-\x7e\n]")


def can_draw(stream: TextIO) -> bool:
    """Whether *stream* is a terminal that understands cursor movement (TERM=dumb does not)."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def colour(stream: TextIO) -> bool:
    """Whether *stream* is a terminal that wants colour (NO_COLOR, TERM=dumb and CLICOLOR_FORCE are obeyed)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return can_draw(stream)


def style(text: str, code: str, stream: TextIO) -> str:
    """*text* in the SGR style *code* ("1" bold, "2" dim, "31" red, ...) if *stream* takes colour."""
    return f"\x1b[{code}m{text}\x1b[0m" if colour(stream) else text


def say(text: str = "") -> None:
    """One line for a person, on stderr."""
    _tell(sanitize(text))


def _tell(text: str) -> None:
    with suppress(OSError):  # nobody can be told that stderr is full or closed
        print(text, file=sys.stderr)


def warn(text: str) -> None:
    """A warning on stderr."""
    _tell(f"{style('warning:', '33', sys.stderr)} {sanitize(text)}")


def hint(text: str) -> None:
    """The next step, on stderr."""
    _tell(f"{style('hint:', '36', sys.stderr)} {sanitize(text)}")


def report(error: CodaError) -> int:
    """Print *error* with its hint on stderr; returns its exit code."""
    _tell(f"{style('error:', '1;31', sys.stderr)} {sanitize(error.message)}")
    if error.hint:
        _tell("")
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
    print(to_json(value, indent=2 if sys.stdout.isatty() else None))


def to_json(value: Any, *, indent: int | None = None) -> str:
    """*value* as JSON for stdout.

    On a terminal whatever could act on it stands as `\\uXXXX`, which means the same; a stdout that is not UTF-8 gets
    ASCII only.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "")
    text = json.dumps(value, ensure_ascii=encoding != "utf8", indent=indent, default=str)
    return _UNPROVEN.sub(_escaped, text) if sys.stdout.isatty() else text


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return character if sanitize(character) == character else f"\\u{ord(character):04x}"


def lenient_streams() -> None:
    """Let stdout and stderr replace what their encoding cannot hold, instead of failing in the middle."""
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def write_failed(error: OSError) -> int:
    """Tell why stdout takes no more (nothing for a closed pipe) and put it out of use; returns the exit code."""
    # Python would complain again when it flushes stdout at exit.
    _to_nowhere(1)
    if isinstance(error, BrokenPipeError):
        return EXIT_PIPE
    problem = CodaError(
        f"can't write the output: {error.strerror or error}", hint="make room, or send the output elsewhere"
    )
    return report(problem)


def is_write_failure(error: OSError) -> bool:
    """Whether *error* comes from writing to a stream that is open already, rather than from opening a file."""
    return error.filename is None and (isinstance(error, BrokenPipeError) or error.errno in _FULL)


def flush_all(code: int) -> int:
    """Write out what stdout and stderr still hold, at the very end; returns the exit code, at first *code*."""
    try:
        sys.stdout.flush()
    except OSError as error:
        code = write_failed(error) or code
    try:
        sys.stderr.flush()
    except OSError:
        _to_nowhere(2)
    return code


def _to_nowhere(fd: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)


def stdin_is_readable(fd: int = 0) -> bool:
    """Whether stdin is something to read: a pipe, a file or a socket."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
