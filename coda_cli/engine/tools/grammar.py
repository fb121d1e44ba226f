"""A choice of tools and their arguments as a grammar that the llama.cpp engine holds a model to (its GBNF format).

What the model writes is then one line: `answer`, or a tool's name and a JSON object that fits its schema.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

ANSWER: Final = "answer"
"""What stands for "no tool"."""

Kind = Literal["text", "integer", "number"]

_KINDS: Final = {
    "text": r'"\"" ([^"\\\x00-\x1f] | "\\" ["\\/nt]){1,160} "\""',
    "integer": '"-"? ("0" | [1-9] [0-9]{0,14})',
    "number": '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,10})?',
}


class Field(Struct, frozen=True):
    """One argument: any value of `kind`, or one of `values` (JSON texts) where there are any."""

    name: str
    required: bool
    kind: Kind = "text"
    values: tuple[str, ...] = ()


class Choice(Struct, frozen=True):
    """A tool that may be chosen; its arguments come in this order."""

    name: str
    fields: tuple[Field, ...] = ()


def union(choices: Sequence[Choice]) -> str:
    """The grammar of one choice out of *choices*, or `answer`."""
    names = [f"tool-{number}" for number in range(len(choices))]
    rules = [f"root ::= {' | '.join([_literal(ANSWER), *names])}"]
    kinds: set[Kind] = set()
    for name, choice in zip(names, choices, strict=True):
        rules.append(f"{name} ::= {_literal(choice.name + ' {')} {_fields(choice.fields, first=True)} {_literal('}')}")
        kinds |= {field.kind for field in choice.fields if not field.values}
    return "\n".join([*rules, *(f"{kind} ::= {_KINDS[kind]}" for kind in sorted(kinds))])


def _fields(fields: Sequence[Field], *, first: bool) -> str:
    """The arguments *fields*, each after a comma but for the *first* one; one that is not required may be missing."""
    if not fields:
        return '""'
    field, rest = fields[0], fields[1:]
    key = _literal(("" if first else ", ") + json.dumps(field.name) + ": ")
    value = f"({' | '.join(map(_literal, field.values))})" if field.values else field.kind
    present = f"{key} {value} {_fields(rest, first=False)}"
    if field.required:
        return present
    return f"({present} | {_fields(rest, first=first)})"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
