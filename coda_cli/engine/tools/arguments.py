"""The arguments of a call: from the JSON text that the model wrote to values that fit the tool's schema, or words.

Nothing that is cut, doubled, oversized or not of this shape reaches a tool. What is wrong is said in words that the
model can mend; the words of `jsonschema` and pydantic are for programmers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NoReturn

from coda_cli.engine.core.tools import Arguments
from coda_cli.engine.tools.base import ToolError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

MAX_CHARS: Final = 1_000_000
MAX_DEPTH: Final = 64
_AGAIN: Final = "; write the whole call again with one complete JSON object as its arguments"
_SHOWN: Final = 60
"""So many characters of a value are repeated in a message."""
_MOST_PROBLEMS: Final = 5
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")
_TYPES: Final = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def parse(text: str) -> dict[str, Any]:
    """The JSON object in *text*. Raises ToolError for anything else, doubled keys, NaN and lone surrogates included."""
    if len(text) > MAX_CHARS:
        raise ToolError(
            f"the arguments have {len(text):,} characters and may have {MAX_CHARS:,}; send less in one call"
        )
    if not text.strip():
        raise ToolError(f"the arguments are empty{_AGAIN} ({{}} where there are none)")
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise ToolError(f"the arguments are not JSON ({error.msg} at character {error.pos + 1}){_AGAIN}") from error
    except RecursionError as error:
        raise ToolError(f"the arguments are nested too deeply{_AGAIN}") from error
    except ValueError as error:  # a number with more digits than Python reads
        raise ToolError(f"a number in the arguments has too many digits{_AGAIN}") from error
    if not isinstance(value, dict):
        raise ToolError(f"the arguments are {described(value)} and must be a JSON object{_AGAIN}")
    if _deeper(value, MAX_DEPTH):
        raise ToolError(f"the arguments are nested more than {MAX_DEPTH} levels deep{_AGAIN}")
    if "\\u" in text or not text.isascii():
        _whole_characters(value)
    return value


def canonical(arguments: Arguments) -> str:
    """One text for all ways to write the same arguments."""
    return json.dumps(arguments, sort_keys=True, separators=(",", ":"), default=repr)


def mended(schema: Mapping[str, Any], value: Any) -> Any:
    """*value* with what can only be meant one way: "3" and 3.0 where *schema* wants a whole number, "true", ...

    Small models quote their numbers, and seldom mend it when they are told.
    """
    match schema.get("type"), value:
        case "object", dict():
            known = schema.get("properties", {})
            return {name: mended(known[name], one) if name in known else one for name, one in value.items()}
        case "array", list():
            items = schema.get("items")
            return [mended(items, one) for one in value] if isinstance(items, dict) else value
        case "integer", str() if _WHOLE.fullmatch(value):
            return int(value)
        case "integer", float() if value.is_integer():
            return int(value)
        case "number", str() if _NUMBER.fullmatch(value):
            return float(value) if set(value) & set(".eE") else int(value)
        case "boolean", "true" | "false" | "True" | "False":
            return value in ("true", "True")
        case _:
            return value


def check(schema: Mapping[str, Any], arguments: Arguments, *, foreign: bool = False) -> None:
    """Raises ToolError, naming each argument that does not fit *schema*. Imports `jsonschema` at first.

    *foreign*: the schema is a stranger's, so its patterns, which may take years to match, are not tried.
    """
    from jsonschema.exceptions import UnknownType
    from referencing.exceptions import Unresolvable

    validator = _validator(json.dumps(schema, sort_keys=True, default=repr), foreign)
    try:
        errors = sorted(validator.iter_errors(arguments), key=lambda error: [str(step) for step in error.absolute_path])
    except (RecursionError, Unresolvable, UnknownType) as error:
        raise ToolError(f"this tool's schema cannot be checked ({error}); the tool is broken, do without it") from error
    if errors:
        raise refused([_words(error) for error in errors], schema)


def refused(problems: list[str], schema: Mapping[str, Any]) -> ToolError:
    """All that is wrong with a call, and what the tool takes."""
    shown = list(dict.fromkeys(problems))
    rest = len(shown) - _MOST_PROBLEMS
    lines = shown[:_MOST_PROBLEMS] + ([f"and {rest} more"] if rest > 0 else [])
    takes = ", ".join(f"`{name}`" for name in schema.get("properties", {})) or "no arguments"
    return ToolError("; ".join(lines) + f". The tool takes {takes}; nothing was run, call it again")


def missing(name: str, schema: Mapping[str, Any]) -> str:
    """That the argument *name* is missing, and what it is. *schema* is its own."""
    about = schema.get("description")
    return f"argument `{name}` is missing; it is {expected(schema)}" + (f": {about}" if about else "")


def expected(schema: Mapping[str, Any]) -> str:
    """What *schema* wants, in words: "a string", "one of "red", "blue"", "a whole number from 0 to 10"."""
    if "const" in schema:
        return described(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(described(value) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(expected(one) for one in schema[union]))
    named = schema.get("type")
    kinds = named if isinstance(named, list) else [named]
    words = " or ".join(_TYPES.get(str(kind), "a value") for kind in kinds)
    if formatted := schema.get("format"):
        words += f" (format {formatted})"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    if low is not None:
        return f"{words} of at least {low}"
    return words if high is None else f"{words} of at most {high}"


def described(value: object) -> str:
    """*value* as JSON, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def named(path: list[str | int]) -> str:
    """The place of a value: `people[2].name`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return f"argument `{text}`" if text else "the arguments"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ToolError(f"the key {described(twice)} stands twice in the arguments{_AGAIN}")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ToolError(f"{name} is not JSON and no number that a tool takes{_AGAIN}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ToolError(f"the number {described(text)} in the arguments is too large{_AGAIN}")
    return number


def _deeper(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _whole_characters(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ToolError(f"the arguments hold half of a surrogate pair, which is no character{_AGAIN}") from error


@lru_cache(maxsize=256)
def _validator(schema: str, foreign: bool) -> Validator:
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    loaded = _without_patterns(json.loads(schema)) if foreign else json.loads(schema)
    # An empty registry: the default one would fetch what a `$ref` of an untrusted schema points to.
    return validator_for(loaded, default=Draft202012Validator)(loaded, registry=Registry())


def _without_patterns(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_patterns(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = {"pattern", "patternProperties"}
    if "patternProperties" in schema:  # which names are additional is not known without them
        left_out |= {"additionalProperties", "unevaluatedProperties"}
    return {
        name: {key: _without_patterns(one) for key, one in value.items()}
        if name in ("properties", "$defs", "definitions", "dependentSchemas") and isinstance(value, dict)
        else value
        if name in ("const", "enum", "default", "examples")
        else _without_patterns(value)
        for name, value in schema.items()
        if name not in left_out
    }


def _words(error: ValidationError) -> str:
    path = list(error.absolute_path)
    place = named(path)
    part: Mapping[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    value: Any = error.instance  # plain JSON: the library knows no type for it
    match error.validator:
        case "required":
            absent = [name for name in part["required"] if name not in value]
            name = next((name for name in absent if error.message.startswith(repr(name))), absent[0])
            inner = part.get("properties", {}).get(name, {})
            return missing(named([*path, name]).removeprefix("argument ").strip("`"), inner)
        case "additionalProperties" | "unevaluatedProperties":
            known = part.get("properties", {})
            extra = [name for name in value if name not in known]
            return f"{place}: there is no " + ", ".join(f"`{name}`" for name in extra[:_MOST_PROBLEMS])
        case "type" | "enum" | "const" | "minimum" | "maximum" | "anyOf" | "oneOf":
            return f"{place} is {described(value)} and must be {expected(part)}"
        case _:
            wanted = f"{error.validator} {described(error.validator_value)}"
            return f"{place} is {described(value)} and does not fit {wanted}"
