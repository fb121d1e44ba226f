"""What a tool returned, as text for the model: any value becomes readable text, and no text is too long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Final

from msgspec.structs import replace

from coda_cli.engine.core.tools import ToolOutput

MAX_BYTES: Final = 64 * 1024
_HEAD: Final = MAX_BYTES * 3 // 4
_TAIL: Final = MAX_BYTES - _HEAD
_MOST_ITEMS: Final = 1_000


def output_of(value: object) -> ToolOutput:
    """*value* as a result. May take long for a huge value: call it where the tool runs."""
    if isinstance(value, ToolOutput):
        return value
    if isinstance(value, str):
        return ToolOutput(value)
    if value is None:
        return ToolOutput("done; there is nothing to return")
    if isinstance(value, bytes | bytearray | memoryview):
        return ToolOutput(bytes(value).decode("utf-8", "replace"))
    if isinstance(value, Iterator):  # it may have no end
        value = list(islice(value, _MOST_ITEMS))
    return ToolOutput(_dumped(value))


def _dumped(value: object) -> str:
    from pydantic_core import to_jsonable_python

    try:
        plain = to_jsonable_python(value, fallback=repr, bytes_mode="utf8")
        return json.dumps(plain, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):  # a circle, or keys and depths that JSON has no form for
        return repr(value)


def capped(output: ToolOutput) -> ToolOutput:
    """*output* with valid text of at most `MAX_BYTES` for the model and as much for the person."""
    return replace(output, text=_capped(str(output.text)), display=_capped(str(output.display)))


def _capped(text: str) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= MAX_BYTES:
        return data.decode()
    left_out = len(data) - _HEAD - _TAIL
    head = data[:_HEAD].decode("utf-8", "ignore")
    tail = data[-_TAIL:].decode("utf-8", "ignore")
    return f"{head}\n[... {left_out:,} bytes are left out here; ask for less at once to see them ...]\n{tail}"
