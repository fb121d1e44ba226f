"""Where Coda keeps its files: config, data and cache folders of this user.

`CODA_HOME` puts all three under one folder (`config/`, `data/`, `cache/`). Asking for a path never creates it;
`private_dir()` creates a folder 0700 and `open_private()` a file 0600, whatever the umask. A small file that several
processes change is read with `read_private()` and replaced with `replace_private()`, under its `locked()`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_APP = "coda"


def _home() -> Path | None:
    home = os.environ.get("CODA_HOME")
    return Path(home).expanduser() if home else None


def config_dir() -> Path:
    """The folder of `coda.toml`, templates and keys."""
    if home := _home():
        return home / "config"
    from platformdirs import user_config_path

    return user_config_path(_APP, appauthor=False)


def data_dir() -> Path:
    """The folder of what must never be lost: conversations, the usage log, downloaded models."""
    if home := _home():
        return home / "data"
    from platformdirs import user_data_path

    return user_data_path(_APP, appauthor=False)


def cache_dir() -> Path:
    """The folder of what can be made again: model lists, the last choice of provider."""
    if home := _home():
        return home / "cache"
    from platformdirs import user_cache_path

    return user_cache_path(_APP, appauthor=False)


def config_file() -> Path:
    """`coda.toml`; `CODA_CONFIG` names another file."""
    named = os.environ.get("CODA_CONFIG")
    return Path(named).expanduser() if named else config_dir() / "coda.toml"


def models_dir() -> Path:
    """The folder of downloaded model weights."""
    return data_dir() / "models"


def themes_dir() -> Path:
    """The themes that come along: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parent / "themes"


def private_dir(path: Path) -> Path:
    """Create *path* and its missing parents 0700, whatever the umask, and return it. Raises OSError.

    A folder of Coda's own that was opened to others is closed again; any other folder that is there already
    (`CODA_CONFIG` may point into one) keeps its mode.
    """
    if not path.is_dir():
        private_dir(path.parent)
        with suppress(FileExistsError):  # another process was faster
            path.mkdir(mode=0o700)
    elif path.stat().st_mode & 0o077 and any(
        path.is_relative_to(own) for own in (config_dir(), data_dir(), cache_dir())
    ):
        path.chmod(0o700)
    return path


def open_private(path: Path, flags: int) -> int:
    """`os.open` a file that only this user may read (0600 whatever the umask). Returns the descriptor."""
    private_dir(path.parent)
    fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
    if os.fstat(fd).st_mode & 0o077:
        os.fchmod(fd, 0o600)
    return fd


def replace_private(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all: temp file beside it, fsync, `os.replace`. 0600. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    fd = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_private(path: Path, most: int, *, trusted: bool = False) -> bytes | None:
    """The bytes of a small file, None if there is none; one of this user's is closed to others' eyes.

    *most* is how many bytes it may have; with *trusted* nobody else may be able to write it. Raises OSError for what is
    not so, and for what is no regular file.
    """
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file")
    with os.fdopen(fd, "rb") as file:
        if trusted and info.st_uid not in (os.geteuid(), 0):
            raise OSError(errno.EPERM, "it belongs to another user")
        if trusted and info.st_mode & 0o022:
            raise OSError(errno.EPERM, f"others may write it (mode {info.st_mode & 0o777:o})")
        if info.st_mode & 0o077 and info.st_uid == os.geteuid():
            os.fchmod(fd, 0o600)
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most >> 20} MiB")
    return content


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the private file *path* against other processes and threads. Raises OSError."""
    fd = open_private(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def keep_aside(path: Path) -> Path:
    """Move a broken *path* to a name beside it that is not taken; returns it. Raises OSError."""
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.bad-{number}")):
        number += 1
    return path.rename(aside)
