"""What a chat begins with. Imports nothing: it is needed before everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct


class Started(Struct, frozen=True):
    """The command line of `coda chat`, typed. `offline` None leaves it to the settings."""

    words: Sequence[str] = ()
    model: str | None = None
    latest: bool = False
    pick: bool = False
    cid: str | None = None
    fork: bool = False
    system: str | None = None
    persona: str | None = None
    files: Sequence[str] = ()
    attachments: Sequence[str] = ()
    tools: Sequence[str] = ()
    functions: Sequence[str] = ()
    approval: Literal["ask", "read-only", "accept-edits", "all"] | None = None
    log: bool = True
    plain: bool = False
    inline: bool = False
    theme: str | None = None
    offline: bool | None = None
    serve: bool = False
