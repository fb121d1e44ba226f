"""From a validator's complaint to a sentence for a person: where it stands, what is wrong, what to do."""

from __future__ import annotations

import json
import re
import tomllib
import types
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, Union, get_args, get_origin

from msgspec import Struct
from msgspec.structs import asdict
from pydantic import BaseModel, JsonValue
from pydantic_core import ErrorDetails

from coda_cli.engine.core.errors import ConfigError
from coda_cli.settings.schema import PROVIDER_TYPES, Settings, is_provider_name

KeyPath = tuple[str, ...]

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "expected text in quotes",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "list_type": "expected a list",
    "string_too_short": "must not be empty",
    "finite_number": "expected a finite number",
    "invalid-json-value": "expected text, a number, true, false, a list or a table",
}
_ADVICE: Final[Mapping[str, str]] = {
    "string_type": 'put text in quotes, as in model = "..."',
    "string_too_short": "give some text, or leave it out for the default",
    "bool_type": "write true or false, without quotes",
    "int_type": "write a whole number, without quotes",
    "int_from_float": "write a whole number, without a point",
    "float_type": "write a number, without quotes",
    "list_type": 'write a list, as in ["one", "two"]',
    "finite_number": "inf and nan are no settings; choose a number, or leave it out for the default",
    "not_finite": "choose a number, or take it out",
    "not_a_variable": 'write NAME or NAME=value, as in env = ["HTTPS_PROXY", "LOG_LEVEL=debug"]',
    "not_a_url": 'write all of it, as in "http://localhost:8000/v1"',
    "not_a_key": 'write it as in find = "ctrl+f", several with commas; `coda chat` lists them with F1',
    "not_a_pattern": 'write a tool and what it is for, as in "run_command git status" or "write_file notes/*"',
    "a_secret": 'give the name of the variable alone, as in env = ["GITHUB_TOKEN"]: Coda hands its own on',
    "not_a_name": "take it out",
    "not_a_header": 'write the names of variables, as in headers_env = { Authorization = "MY_TOKEN" }',
    "not_a_server": "use up to 32 letters, digits, `-` and single `_`, as in [mcp.servers.files]",
    "one_of_both": 'write command = "..." for a program, or url = "https://..." for an address',
    "openai_only": 'write api = "chat", or leave it out',
}
_KEY_FIELDS: Final = frozenset({"api_key", "apikey", "key", "token", "secret", "api_token"})
_SHAPES: Final[Mapping[type, str]] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a number", dict: "a table", list: "a list",
}  # fmt: skip


class Origin(Struct, frozen=True):
    """Where a value comes from. `where` is a place to look: `path:line`, a variable's or a flag's name."""

    kind: Literal["default", "file", "env", "flag"]
    where: str


class Problem(Struct, frozen=True):
    """One thing that is wrong with the settings."""

    where: str
    key: str
    message: str
    hint: str | None = None

    def line(self) -> str:
        """`place: key: message`, without the parts that are not known."""
        return ": ".join(part for part in (self.where, self.key, self.message) if part)


class SettingsError(ConfigError):
    """One or more problems, all told at once. `problems` holds them one by one."""

    def __init__(self, problems: Iterable[Problem], *, file: str | None = None) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        if len(self.problems) == 1:
            super().__init__(first.line(), hint=first.hint, file=file, key=first.key or None)
            return
        lines = [f"{len(self.problems)} problems in the settings"]
        for problem in self.problems:
            lines.append(f"  {problem.line()}")
            if problem.hint:
                lines.append(f"    ({problem.hint})")
        hint = "mend them with `coda config edit`, then run `coda config check`"
        super().__init__("\n".join(lines), hint=hint, file=file, key=first.key or None)

    def describe(self) -> list[dict[str, str | None]]:
        """The problems as plain data."""
        return [asdict(problem) for problem in self.problems]


def dotted(path: Iterable[object]) -> str:
    """A key path as TOML writes it: parts with unusual characters in quotes."""
    parts = (str(part) for part in path)
    return ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False) for part in parts
    )


def split_dotted(text: str) -> KeyPath:
    """The parts of a dotted key (`providers.openai.model`, `aliases."my fast"`). Raises ConfigError."""
    try:
        value: object = tomllib.loads(f"{text} = 0") if "\n" not in text and "=" not in text else None
    except ValueError:
        value = None
    path: list[str] = []
    while isinstance(value, dict) and len(value) == 1:
        name, value = next(iter(value.items()))
        path.append(name)
    if value != 0 or not path:
        hint = "keys are written with dots, as in `providers.openai.timeout`"
        raise ConfigError(f"`{text}` is not a setting's name", hint=hint, key=text)
    return tuple(path)


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """`did you mean ...?`, if one of *choices* is close to *word*."""
    import difflib

    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def annotation_at(path: KeyPath) -> Any:
    """The type of the setting at *path*, or None where there is no such setting."""
    annotation: Any = Settings
    for part in path:
        if model := _model_in(annotation):
            field = model.model_fields.get(part)
            if field is None:
                return None
            annotation = field.annotation
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        elif annotation is JsonValue:
            return annotation
        else:
            return None
    return annotation


def options_of(annotation: Any) -> tuple[type, ...]:
    """The plain types that a setting takes (without None); empty where anything goes."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return tuple(option for arg in get_args(annotation) if arg is not types.NoneType for option in options_of(arg))
    if origin is Literal:
        return (str,)
    if hasattr(annotation, "__metadata__"):
        return options_of(annotation.__origin__)
    plain = origin or annotation
    if _model_in(plain):
        return (dict,)
    return (plain,) if plain in _SHAPES else ()


def _shape(value: object) -> str:
    for kind in type(value).__mro__:
        if kind in _SHAPES:
            return _SHAPES[kind]
    return "a date or time" if type(value).__module__ == "datetime" else "something else"


def unknown_key(path: KeyPath) -> tuple[str, str | None]:
    """What to say about a key that does not exist: message and hint."""
    parent = annotation_at(path[:-1])
    model = _model_in(parent)
    choices = sorted(model.model_fields) if model else []
    if path[0] == "providers" and path[-1].lower() in _KEY_FIELDS:
        name = path[1] if len(path) > 2 else "NAME"
        hint = f"store it with `coda config set-key {name}`, or name its variable with `api_key_env`"
        return "API keys are not kept in coda.toml", hint
    if len(path) == 1 and is_provider_name(path[0]) and path[0] in PROVIDER_TYPES:
        return "there is no such setting", f"did you mean `[providers.{path[0]}]`?"
    if guess := did_you_mean(path[-1], choices):
        return "there is no such setting", guess
    return "there is no such setting", f"here one can set {', '.join(choices)}" if choices else None


def explain(error: ErrorDetails) -> tuple[KeyPath, str, str | None]:
    """One pydantic error about `Settings` as key path, message and hint; a value is shown only where it is a choice."""
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    kind, given = error["type"], error.get("input")
    if path[:1] == ("providers",) and "extra_params" in path:
        # The union behind a JSON value adds the name of each member it tried to the path.
        path = path[:3]
    if kind == "extra_forbidden":
        return path, *unknown_key(path)
    if kind == "missing":
        hint = f'add type = "openai" for any OpenAI-compatible server, or one of {", ".join(PROVIDER_TYPES)}'
        return path, "is missing", hint if path[-1] == "type" else None
    if kind == "literal_error":
        allowed = [str(choice) for choice in get_args(annotation_at(path))]
        shown = (
            f'"{given}" is not one of the choices' if isinstance(given, str) else f"expected text, got {_shape(given)}"
        )
        return path, shown, did_you_mean(str(given), allowed) or f"allowed: {', '.join(allowed)}"
    if kind == "not_a_variable" and path[0] != "mcp":
        return path, error["msg"], 'give the variable\'s name, never the key itself, as in "MY_SERVER_KEY"'
    return path, _sentence(error), _advice(error, path)


def _advice(error: ErrorDetails, path: KeyPath) -> str:
    """The next step for a value of the wrong type or out of its range; it fits a file, a variable and a flag."""
    kind = error["type"]
    if path[:1] == ("aliases",) and len(path) == 2:
        return 'write provider/model, as in fast = "openai/gpt-6-luna"'
    if kind in _ADVICE:
        return _ADVICE[kind]
    if any(bound in error.get("ctx", {}) for bound in ("gt", "ge", "le", "lt")):
        return "choose another number, or leave it out for the default"
    if kind in ("dict_type", "model_type"):
        return f"write it as a table, under a line [{dotted(path)}]"
    return "leave it out for the default; `coda config edit` opens the file"


def explain_plainly(error: ErrorDetails, choices: Iterable[str]) -> tuple[KeyPath, str, str | None]:
    """The same for another model, whose keys at the top are *choices*."""
    path = tuple(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        allowed = sorted(choices)
        return path, "there is no such key", did_you_mean(path[-1], allowed) or f"allowed: {', '.join(allowed)}"
    return path, _sentence(error), _advice(error, path)


def _sentence(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _EXPECTED:
        return _EXPECTED[kind] + (f", got {_shape(error.get('input'))}" if kind.endswith("_type") else "")
    for bound, words in (("gt", "greater than"), ("ge", "at least"), ("le", "at most"), ("lt", "less than")):
        if bound in context:
            return f"must be {words} {context[bound]:g}"
    return error["msg"]


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line (from 1) on which each key of a valid TOML text stands; for a table, its header or first key.

    Every TOML statement is a document of its own, so the statements are found by parsing line after line.
    """
    found: dict[KeyPath, int] = {}
    header: KeyPath = ()
    pending, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        if not pending:
            start = number
        pending += line + "\n"
        try:
            table = tomllib.loads(pending)
        except ValueError:
            continue
        if pending.lstrip().startswith("["):
            header = _deepest(table)
            _note(found, header, start)
        else:
            for path in _paths(table):
                _note(found, header + path, start)
        pending = ""
    return found


def _note(found: dict[KeyPath, int], path: KeyPath, line: int) -> None:
    for end in range(1, len(path) + 1):
        found.setdefault(path[:end], line)


def _deepest(table: object) -> KeyPath:
    path: list[str] = []
    while True:
        if isinstance(table, list):
            table = table[-1]
        if not isinstance(table, dict) or not table:
            return tuple(path)
        name, table = next(iter(table.items()))
        path.append(name)


def _paths(table: dict[str, Any]) -> Iterable[KeyPath]:
    for name, value in table.items():
        yield (name,)
        if isinstance(value, dict):
            for inner in _paths(value):
                yield (name, *inner)
