"""A call as a model writes it in text: JSON with the tool's name and arguments -> (name, arguments as written).

Arguments are cut out of the text, never written anew, so that whoever checks them sees what the model wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

_NAMES: Final = ("name", "tool", "function", "tool_name")
_ARGUMENTS: Final = ("arguments", "parameters", "args", "input")
_NAME: Final = re.compile(r'"(?:name|tool|function|tool_name)"\s*:\s*"([^"\\\n]{1,200})"')
_STRUCTURE: Final = re.compile(r'["\\{}\[\]]')
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


class WrittenCall(Struct, frozen=True):
    """A call, its arguments as JSON text. `sound`: it is JSON of the right shape, and nothing else."""

    name: str
    arguments: str
    sound: bool


def read_calls(text: str) -> list[WrittenCall]:
    """The calls in the block *text*: an object, a list of objects, or several objects in a row.

    What can't be read is one call with the whole text as its arguments: whoever runs it tells the model what is wrong.
    """
    text = text.strip()
    try:
        return [_call(item) for item in _items(text)]
    except (ValueError, RecursionError):
        found = _NAME.search(text)
        return [WrittenCall(found[1] if found else "", text, sound=False)]


def _items(text: str) -> Iterator[str]:
    """The objects of *text*, as written. Raises ValueError."""
    inside = text[1:-1].strip() if text.startswith("[") and text.endswith("]") else text
    at = 0
    while True:
        if not inside.startswith("{", at):
            raise ValueError("an object was expected")
        _, end = _DECODER.raw_decode(inside, at)
        yield inside[at:end]
        at = _skip(inside, end)
        if at == len(inside):
            return
        if inside[at] == ",":
            at = _skip(inside, at + 1)


def _call(text: str) -> WrittenCall:
    fields = _fields(text)
    name = next((fields[key] for key in _NAMES if key in fields), '""')
    if name.startswith("{"):  # {"type": "function", "function": {"name": ..., "arguments": ...}}
        return _call(name)
    told = json.loads(name)
    given = [key for key in _ARGUMENTS if key in fields]
    if not isinstance(told, str) or not told or len(given) > 1:
        raise ValueError("no call")
    if not given:
        alone = all(key in _NAMES or key in ("id", "type") for key in fields)
        return WrittenCall(told, "{}" if alone else text, sound=alone)
    arguments = fields[given[0]]
    if arguments.startswith('"'):  # JSON in a JSON string, as some vendors' own formats have it
        arguments = json.loads(arguments) or "{}"
    return WrittenCall(told, "{}" if arguments == "null" else arguments, sound=True)


def _fields(text: str) -> dict[str, str]:
    """The fields of the JSON object *text*, each value as written. Raises ValueError, for a field given twice too."""
    out: dict[str, str] = {}
    at = _skip(text, 1)
    while text[at] != "}":
        key, at = _decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        _, end = _decode(text, at)
        if not isinstance(key, str) or key in out:
            raise ValueError("a field twice")
        out[key] = text[at:end]
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return out


def _decode(text: str, at: int) -> tuple[Any, int]:
    return _DECODER.raw_decode(text, at)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found is not None else at


class JsonDepth:
    """Whether a JSON text that arrives in pieces is at rest: outside of every string and bracket."""

    def __init__(self) -> None:
        self._depth = 0
        self._string = False
        self._escaped = -1  # the position that a backslash takes its meaning from
        self._at = 0

    def feed(self, text: str) -> bool:
        """Go on to the end of *text* (the whole of it so far); whether it is at rest there."""
        for found in _STRUCTURE.finditer(text, self._at):
            mark, at = found[0], found.start()
            if at == self._escaped:
                continue
            if self._string:
                if mark == "\\":
                    self._escaped = at + 1
                elif mark == '"':
                    self._string = False
            elif mark == '"':
                self._string = True
            elif mark in "{[":
                self._depth += 1
            elif mark in "}]":
                self._depth -= 1
        self._at = len(text)
        return self._depth <= 0 and not self._string
