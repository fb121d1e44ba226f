"""`-o KEY VALUE`, for those who come from other programs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_FLAG: Final = re.compile(r"-(?!\.?\d|$)")


def fold_options(arguments: Sequence[str]) -> list[str]:
    """`-o KEY VALUE` as `-o KEY=VALUE` (and `--option`, `-p`, `--param` alike), since Typer has no repeatable pairs.

    A flag is no value, a negative number is one.
    """
    out: list[str] = []
    rest = list(reversed(arguments))
    while rest:
        argument = rest.pop()
        out.append(argument)
        if argument == "--":
            break
        if argument not in ("-o", "--option", "-p", "--param") or not rest:
            continue
        key = rest.pop()
        if "=" not in key and rest and not _FLAG.match(key) and not _FLAG.match(rest[-1]):
            key = f"{key}={rest.pop()}"
        out.append(key)
    return [*out, *reversed(rest)]
