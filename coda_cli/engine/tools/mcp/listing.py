"""What a server offers, kept in the cache until its settings change: a chat begins without starting a server."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, to_builtins

from coda_cli import paths
from coda_cli.engine.tools.mcp.config import ServerConfig

_LARGEST: Final = 4 * 1024 * 1024
_OLDEST: Final = 7 * 24 * 3600.0
"""Seconds after which a server is asked again."""


class Listing(Struct, frozen=True):
    """The tools of a server that can be used, as it told them, and what is wrong with the others.

    Whether it has resources and prompts, and what it calls itself.
    """

    tools: Sequence[Mapping[str, Any]]
    problems: Sequence[str] = ()
    resources: bool = False
    prompts: bool = False
    title: str = ""


def known(config: ServerConfig) -> Listing | None:
    """What was kept of the server. Blocking."""
    path = paths.cache_dir() / "mcp" / f"{config.key}.json"
    try:
        if not -60 < time.time() - path.stat().st_mtime < _OLDEST or path.stat().st_size > _LARGEST:
            return None
        told = json.loads(path.read_bytes())
        tools = [dict(one) for one in told["tools"]]
        problems = [str(one) for one in told["problems"]]
        return Listing(tools, problems, bool(told["resources"]), bool(told["prompts"]), str(told["title"]))
    except (OSError, ValueError, KeyError, TypeError):  # missing or damaged: it is asked again
        return None


def keep(config: ServerConfig, listing: Listing) -> None:
    """Keep it for the next time. Blocking."""
    content = json.dumps(to_builtins(listing)).encode("utf-8", "surrogatepass")
    if len(content) > _LARGEST:
        return
    try:
        paths.replace_private(paths.cache_dir() / "mcp" / f"{config.key}.json", content)
    except OSError:  # a full or read-only disk: it is asked again next time
        pass
