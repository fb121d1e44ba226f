"""How programs of the same person find a running server: its address and token in a file that only they can read."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError
from coda_cli.server.options import TOKEN_BYTES

_MOST: Final = 4096
_SHORTEST: Final = 32  # characters


def file() -> Path:
    """`server.json` in the data folder."""
    return paths.data_dir() / "server.json"


def hand_out(url: str, token: str) -> None:
    """Write it. Raises OSError."""
    told = {"url": url, "token": token, "pid": os.getpid()}
    paths.replace_private(file(), json.dumps(told).encode())


def take_back(token: str) -> None:
    """Remove it, unless another server has written its own since."""
    with suppress(OSError, ValueError):
        found = paths.read_private(file(), _MOST)
        told = json.loads(found) if found is not None else {}
        if told.get("token") == token and told.get("pid") == os.getpid():
            file().unlink()


def new_token() -> str:
    """256 random bits as 43 characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def kept_token(path: Path) -> str:
    """The token in the file *path*, which is made, 0600, where there is none. Raises ConfigError."""
    try:
        found = paths.read_private(path, _MOST, trusted=True)
        if found is None:
            made = new_token()
            paths.replace_private(path, f"{made}\n".encode())
            return made
        token = found.decode("ascii").strip()
    except OSError as error:
        raise ConfigError(
            f"cannot use the token in {path}: {error.strerror}", hint="name a file of your own", file=str(path)
        ) from error
    except UnicodeDecodeError:
        token = ""
    if len(token) < _SHORTEST or not token.isprintable() or " " in token:
        raise ConfigError(
            f"there is no token of {_SHORTEST} characters or more in {path}",
            hint="remove the file, and a new token is made",
            file=str(path),
        )
    return token
