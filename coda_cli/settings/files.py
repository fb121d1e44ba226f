"""Small TOML files that belong to a person: read with good errors, written whole or not at all, under a lock."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError

MAX_BYTES: Final = 1024 * 1024
_PLACE: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")
_MARKS: Final = ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


def read_text(path: Path) -> str | None:
    """The text of *path*, or None if there is no such file. Raises ConfigError, also for a file over 1 MiB."""
    name = str(path)
    try:
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            raise ConfigError(f"{name} is a folder, not a file", hint="name a TOML file", file=name)
        if not stat.S_ISREG(info.st_mode):
            # A pipe or a device may never end; /dev/null is the one that people do name.
            if name == os.devnull:
                return ""
            raise ConfigError(f"{name} is not a regular file", hint="name a TOML file", file=name)
        if info.st_size > MAX_BYTES:
            raise ConfigError(f"{name} is larger than 1 MiB", hint="is this the right file?", file=name)
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except OSError as exc:
        hint = f"check its owner and mode: `ls -l '{name}'`"
        raise ConfigError(f"cannot read {name}: {exc.strerror or exc}", hint=hint, file=name) from exc
    except ValueError as exc:
        raise ConfigError(f"{name!r} is not a file name", hint="is CODA_CONFIG right?", file=name) from exc
    return decode(raw, name)


def decode(raw: bytes, name: str) -> str:
    """*raw*, the bytes of the file *name*, as text. Raises ConfigError."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            message = f"{name}:1: the file begins with a byte order mark ({encoding})"
            raise ConfigError(message, hint="save it as UTF-8 without a byte order mark", file=name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        column = exc.start - (raw.rfind(b"\n", 0, exc.start) + 1) + 1
        message = f"{name}:{line}:{column}: not valid UTF-8 (byte 0x{raw[exc.start]:02x})"
        raise ConfigError(message, hint="save the file as UTF-8", file=name) from None


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """*text* as TOML. Raises ConfigError with `path:line:column`."""
    name = str(path)
    hint = "a value is text in quotes, a number, true or false; `coda config edit` opens the file's example"
    try:
        return tomllib.loads(text)
    except ValueError as exc:
        # The parser's own sentence is short and shows at most one character of the file. A number of thousands of
        # digits is a plain ValueError without a place.
        message = str(exc)
        place = ""
        if found := _PLACE.search(message):
            place, message = f":{found[1]}:{found[2]}", message[: found.start()]
        elif message.endswith("(at end of document)"):
            place, message = f":{text.count(chr(10)) + 1}", message.removesuffix(" (at end of document)")
        raise ConfigError(f"{name}{place}: bad TOML: {_lower(message)}", hint=hint, file=name) from None
    except RecursionError:
        raise ConfigError(f"{name}: bad TOML: nested too deeply", hint=hint, file=name) from None


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def read_toml(path: Path) -> dict[str, Any] | None:
    """The table in *path*, or None if there is no such file. Raises ConfigError."""
    text = read_text(path)
    return None if text is None else parse_toml(text, path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of *path* against other processes and threads. Creates its folder. Raises ConfigError."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        _make_parent(path)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise _cannot_write(path, exc) from exc
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def write_text(path: Path, text: str) -> None:
    """Replace *path* by *text*, whole or not at all, through a symlink if it is one. Raises ConfigError.

    A new file is 0600 in a 0700 folder; an existing file keeps its mode, an existing folder is left as it is: it may
    be a shared one that CODA_CONFIG names.
    """
    temporary: str | None = None
    try:
        target = path.resolve()
        _make_parent(target)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o600
        fd, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(fd)
        Path(temporary).replace(target)
    except OSError as exc:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise _cannot_write(path, exc) from exc


def _make_parent(path: Path) -> None:
    if not path.parent.is_dir():
        paths.private_dir(path.parent)


def _cannot_write(path: Path, exc: OSError) -> ConfigError:
    hint = f"check the folder and the free space: `ls -ld '{path.parent}'`"
    return ConfigError(f"cannot write {path}: {exc.strerror or exc}", hint=hint, file=str(path))
