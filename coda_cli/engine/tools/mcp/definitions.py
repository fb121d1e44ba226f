"""A server's tools as they are told to a model: named, screened and bound to what they were when a person said yes.

What a server says of its tools is a stranger's text. It is cut and cleaned; a schema that no vendor takes, or that is
meant to do harm, costs its tool and one line of words. Pure: the same listing gives the same definitions.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from coda_cli.engine.rendering.sanitize import sanitize

PREFIX: Final = "mcp__"
MOST_TOOLS: Final = 200
_LONGEST_NAME: Final = 64
_LONGEST_DESCRIPTION: Final = 1_500
_LARGEST_SCHEMA: Final = 24_000
_DEEPEST: Final = 24
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_NOT_AT_THE_TOP: Final = ("anyOf", "oneOf", "allOf", "not", "if", "then", "else", "enum", "$schema", "$id")
"""What vendors refuse at the top of a schema. The server checks it anyway."""


class Definition(Struct, frozen=True):
    """A tool of a server. `name` is what the model calls, `tool` what the server calls it.

    `told` is all that the server said of it, `sha256` the hash of that.
    """

    name: str
    tool: str
    description: str
    parameters: Mapping[str, Any]
    told: Mapping[str, Any]
    sha256: str


def definitions(
    server: str, listed: Sequence[Mapping[str, Any]], *, checked: bool = False
) -> tuple[dict[str, Definition], list[str]]:
    """The tools of *server* by the names that the model calls them by, and what is wrong with those left out.

    *checked*: they were taken before, so that the library for schemas (0.1 s to load) need not look at them again.
    """
    found: dict[str, Definition] = {}
    problems: list[str] = []
    for one in listed[:MOST_TOOLS]:
        tool = str(one.get("name", ""))
        name = tool_name(server, tool)
        why = "it has no name" if not tool else f"there are two tools {tool}" if name in found else ""
        parameters: Mapping[str, Any] = {}
        if not why:
            try:
                parameters = _screened(one.get("inputSchema"), checked)
            except ValueError as error:
                why = str(error)
        if why:
            problems.append(sanitize(f"the tool {tool[:_LONGEST_NAME]} is left out: {why}").replace("\n", " "))
            continue
        found[name] = Definition(name, tool, _described(server, one), parameters, one, _sha256(one))
    if len(listed) > MOST_TOOLS:
        problems.append(f"only the first {MOST_TOOLS} of its {len(listed)} tools are taken")
    return found, problems


def tool_name(server: str, tool: str) -> str:
    """What a model calls *tool* of *server*: at most 64 letters, digits, `_` and `-`, and never another tool's name."""
    plain = PREFIX + server + "__" + tool
    name = _ODD.sub("_", plain)
    if name == plain and len(name) <= _LONGEST_NAME:
        return name
    mark = hashlib.sha256(tool.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}_{mark}"


def _described(server: str, one: Mapping[str, Any]) -> str:
    said = sanitize(str(one.get("description") or one.get("title") or "")).strip()
    if len(said) > _LONGEST_DESCRIPTION:
        said = said[:_LONGEST_DESCRIPTION].rstrip() + " ..."
    return f"{said}\n(of the MCP server {server})" if said else f"{one.get('name')} of the MCP server {server}."


def _sha256(one: Mapping[str, Any]) -> str:
    """Of all that the server says of the tool: another title or annotation is another tool as well."""
    told = {key: value for key, value in one.items() if key not in ("_meta", "icons")}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _screened(schema: object, checked: bool) -> dict[str, Any]:
    """*schema* as it can be sent to any vendor. Raises ValueError, whose text says what is wrong with it."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ValueError("its schema is not that of an object")
    try:
        size = len(json.dumps(schema))
    except (RecursionError, ValueError) as error:
        raise ValueError("its schema is no JSON") from error
    if size > _LARGEST_SCHEMA:
        raise ValueError(f"its schema has {size:,} characters and may have {_LARGEST_SCHEMA:,}")
    if _depth(schema) > _DEEPEST:
        raise ValueError(f"its schema is nested more than {_DEEPEST} levels deep")
    if not checked:
        _check(schema)
    _follow(schema, schema, ())
    plain = {key: value for key, value in schema.items() if key not in _NOT_AT_THE_TOP}
    plain["properties"] = _without_booleans(plain.get("properties", {}))
    return plain


def _depth(value: object) -> int:
    level, depth = [value], 0
    while level:
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
        if depth > _DEEPEST:
            break
    return depth


def _check(schema: dict[str, Any]) -> None:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator

    try:
        Draft202012Validator.check_schema({key: value for key, value in schema.items() if key != "$schema"})
    except SchemaError as error:
        raise ValueError(f"its schema is none: {error.message[:200]}") from error
    except RecursionError as error:
        raise ValueError("its schema is nested too deeply") from error


def _follow(value: object, root: Mapping[str, Any], above: tuple[str, ...]) -> None:
    """Follow every `$ref`. Raises ValueError for one that leads out of the schema, nowhere, or back to itself."""
    if isinstance(value, list):
        for one in value:
            _follow(one, root, above)
    elif isinstance(value, dict):
        if "$dynamicRef" in value or "$recursiveRef" in value:
            raise ValueError("its schema refers to itself")
        ref = value.get("$ref")
        if isinstance(ref, str):
            if ref in above:
                raise ValueError("its schema refers to itself")
            _follow(_at(ref, root), root, (*above, ref))
        for key, one in value.items():
            # A definition counts where it is used; `const` and the like hold data, no schemas.
            if key not in ("$defs", "definitions", "const", "enum", "default", "examples"):
                _follow(one, root, above)


def _at(ref: str, root: Mapping[str, Any]) -> object:
    place: object = root
    if not ref.startswith("#"):
        raise ValueError("its schema refers to what is outside of it")
    for step in ref[1:].strip("/").split("/") if ref.strip("#/") else ():
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict) or key not in place:
            raise ValueError(f"its schema refers to {ref[:60]}, which is not there")
        place = place[key]
    return place


def _without_booleans(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties whose schema is `true` with an empty one in its place, which says the same."""
    plain: dict[str, Any] = {}
    for name, one in properties.items():
        if isinstance(one, bool):
            plain[name] = {} if one else {"not": {}}
        elif isinstance(one, dict) and isinstance(one.get("properties"), dict):
            plain[name] = {**one, "properties": _without_booleans(one["properties"])}
        else:
            plain[name] = one
    return plain
