"""Files that may hold secrets: a person is asked before a tool reads them, in the working folder too."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from typing import Final

from coda_cli import paths

Identity = tuple[int, int]
"""Device and inode: what a file or folder is, however it is spelled."""
_NAMES: Final = (
    r"\.env(?!\.(?:example|sample|template|dist)$)(?:\..+)?"
    r"|.+\.env"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?"
    r"|.+\.(?:pem|key|p12|pfx|p8|ppk|jks|keystore|kdbx?|asc|gpg|ovpn)"
    r"|[._]netrc|\.pgpass|\.my\.cnf|\.npmrc|\.pypirc|\.git-credentials|\.htpasswd|\.vault-token|\.dockercfg"
    r"|credentials(?:\.(?:json|toml|ya?ml|ini|db))?|secrets?\.(?:json|toml|ya?ml|ini|env)"
    r"|client_secret.*\.json|service[-_]account.*\.json|keys\.toml|terraform\.tfstate(?:\..+)?|g?shadow"
    r"|\.(?:bash|zsh|python|psql|mysql|node_repl)_history"
)
_FOLDERS: Final = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".password-store"})


def secret(path: str, found: AbstractSet[Identity] = frozenset()) -> str:
    """Why *path* is asked for before it is read, "" if nothing speaks of it. *found*: itself and what it is in."""
    *above, name = [part.casefold() for part in path.split("/")]
    if not found.isdisjoint(own()):
        return "it is one of Coda's own files"
    if _FOLDERS.intersection((*above, name)) or _names().fullmatch(name):
        return "it may hold secrets"
    return ""


@cache
def _names() -> re.Pattern[str]:
    return re.compile(_NAMES)  # not at import: it takes 5 ms


def own() -> frozenset[Identity]:
    """Coda's config and data folder, and by themselves (they may have other names) the files of keys and rules."""
    config, data = paths.config_dir(), paths.data_dir()
    all_of_them = (config, data, config / "keys.toml", data / "permissions.toml", data / "trust.toml")
    return frozenset(one for path in all_of_them if (one := identity(path)) is not None)


def identity(path: Path) -> Identity | None:
    """What *path* is, links followed; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
