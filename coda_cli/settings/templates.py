"""Prompt templates: one TOML file each in the config folder's `templates/`.

A `$name` in `prompt` or `system` is a variable: it takes its value from `-p NAME=VALUE`, else from the `defaults`
table. `$input` is what was typed or piped in; a prompt that does not name it has it appended. `$$` is a dollar sign.

`include = ["base"]` puts other templates in front: their system prompts and prompts come before its own, each template
once, in the order of the list. Defaults, options, model and schema are the template's own, then those of the latest
include that has them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from msgspec import Struct, field
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.settings.files import parse_toml, read_text
from coda_cli.settings.problems import Problem, SettingsError, did_you_mean, dotted, explain_plainly, lines_of

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
INPUT: Final = "input"
_DEEPEST: Final = 16
STARTER: Final = '''\
# A prompt template, used as `coda ask -t {name} -p language=French < letter.txt`
# `$name` is a variable (-p name=VALUE), `$input` what is typed or piped in, `$$` a dollar sign.

description = "What this template is for"

system = "You are a careful translator."

prompt = """
Translate this into $language:

$input
"""

# include = ["base"]                          # templates whose texts come before these
# model = "openai/gpt-6.1-sol"                # a model spec or an alias
# schema = {{ type = "object" }}                # a JSON Schema for the answer, or the path of its file

# [options]                                   # like -o NAME=VALUE
# temperature = 0.2

[defaults]                                    # values for variables that -p does not give
language = "English"
'''


class Template(BaseModel):
    """One template file. `prompt`, `system` or both are there."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, frozen=True)

    description: str = ""
    include: list[str] = Field(default_factory=list)
    prompt: str | None = None
    system: str | None = None
    model: str | None = Field(default=None, min_length=1)
    options: dict[str, JsonValue] = Field(default_factory=dict)
    defaults: dict[str, str | int | float | bool] = Field(default_factory=dict)
    schema_: dict[str, JsonValue] | str | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.prompt or self.system or self.include):
            raise PydanticCustomError("empty_template", "a template needs a prompt, a system prompt or both")
        for key in ("prompt", "system"):
            if not string.Template(getattr(self, key) or "").is_valid():
                raise PydanticCustomError("bad_dollar", "a lone $ in {key}; write $$ for a dollar sign", {"key": key})
        if INPUT in self.defaults:
            raise PydanticCustomError("input_default", "$input is what is typed or piped in and has no default")
        return self

    def variables(self) -> list[str]:
        """The names of its variables in the order of their first use, without `input`."""
        names = [name for text in (self.system, self.prompt) for name in string.Template(text or "").get_identifiers()]
        return [name for name in dict.fromkeys(names) if name != INPUT]


class Rendered(Struct, frozen=True):
    """A template with its variables filled in. `schema` is a JSON Schema or the path of its file."""

    prompt: str
    system: str | None = None
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | str | None = None


def templates_dir() -> Path:
    """The folder of the template files."""
    return paths.config_dir() / "templates"


def template_file(name: str) -> Path:
    """The file of the template *name*, whether it exists or not. Raises UsageError for what is not a name."""
    if not _NAME.fullmatch(name):
        hint = "a name has letters, digits, `.`, `_` and `-`, and begins with a letter or digit"
        raise UsageError(f'"{name[:100]}" is not a name for a template', hint=hint)
    return templates_dir() / f"{name}.toml"


def template_names() -> list[str]:
    """The names of all templates, sorted."""
    try:
        entries = [entry for entry in templates_dir().iterdir() if entry.suffix == ".toml"]
    except OSError:
        return []
    return sorted(entry.stem for entry in entries if _NAME.fullmatch(entry.stem))


def load_template(name: str) -> Template:
    """Read one template with all that it includes.

    Raises UsageError if there is none of this name, ConfigError if its file or one of its includes is wrong.
    """
    text = read_text(template_file(name))
    if text is None:
        hint = did_you_mean(name, template_names()) or f"create it with `coda templates edit {name}`"
        raise UsageError(f'there is no template "{name}"', hint=hint)
    parts = _parts(name, text, (), {})
    return _composed(parts[name], list(parts.values()))


def _parts(name: str, text: str, above: tuple[str, ...], found: dict[str, Template]) -> dict[str, Template]:
    """The template *name* in *text* and those that it includes, in the order in which their texts stand.

    *above* are those that include it, *found* what is there already: a template that several include stands once.
    """
    path = template_file(name)
    template = parse_template(text, path)
    for other in template.include:
        line = [*above, name, other]
        if other in line[:-1]:
            round_ = " includes ".join(line[line.index(other) :])
            raise _bad_include(path, f"{round_}: this has no end", "take one of them out")
        if len(line) > _DEEPEST:
            raise _bad_include(path, f"includes go deeper than {_DEEPEST} templates", "put some of them together")
        if other not in found:
            _parts(other, _included(other, path), (*above, name), found)
    found[name] = template
    return found


def _included(name: str, path: Path) -> str:
    """The text of a template that the one at *path* includes."""
    try:
        text = read_text(template_file(name))
    except UsageError as error:
        raise _bad_include(path, error.message, error.hint) from None
    if text is None:
        hint = did_you_mean(name, template_names()) or f"create it with `coda templates edit {name}`"
        raise _bad_include(path, f'there is no template "{name}"', hint)
    return text


def _bad_include(path: Path, message: str, hint: str | None) -> ConfigError:
    return ConfigError(f"{path}: include: {message}", hint=hint, file=str(path), key="include")


def _composed(own: Template, parts: list[Template]) -> Template:
    """*own*, the last of *parts*, with the texts of all and the values of the latest."""
    latest: dict[str, Any] = {}
    for part in parts:
        latest |= {name: value for name in ("model", "schema_") if (value := getattr(part, name)) is not None}
    return own.model_copy(
        update={
            **latest,
            "prompt": _joined(part.prompt for part in parts),
            "system": _joined(part.system for part in parts),
            "options": {name: value for part in parts for name, value in part.options.items()},
            "defaults": {name: value for part in parts for name, value in part.defaults.items()},
        }
    )


def _joined(texts: Iterable[str | None]) -> str | None:
    some = [text for text in texts if text is not None]
    return some[0] if len(some) == 1 else "\n\n".join(text.strip("\n") for text in some) or None


_HINTS: Final[Mapping[str, str]] = {
    "bad_dollar": "`$name` is a variable, `$$` a dollar sign",
    "empty_template": 'write prompt = "..."',
    "input_default": "take `input` out of the defaults",
}


def _hint(kind: str, at: tuple[str, ...], hint: str | None, opens: str) -> str | None:
    """What to do about a wrong value; what is said of the settings does not fit everywhere."""
    if kind in _HINTS:
        return f"{_HINTS[kind]}; {opens}"
    if at[:1] == ("schema",):
        return "write a JSON Schema as a table, or the path of its file in quotes"
    return hint and hint.replace("`coda config edit` opens the file", opens)


def parse_template(text: str, path: Path) -> Template:
    """The template in *text*, the content of *path*. Raises ConfigError with all that is wrong."""
    opens = f"`coda templates edit {path.stem}` opens the file"
    try:
        table = parse_toml(text, path)
    except ConfigError as unread:  # its hint is for the settings
        unread.hint = f"a value is text in quotes, a number, true or false; {opens}"
        raise
    try:
        return Template.model_validate(table)
    except ValidationError as exc:
        lines = lines_of(text)
        problems: dict[str, Problem] = {}
        choices = [field.alias or name for name, field in Template.model_fields.items()]
        for error in exc.errors(include_url=False):
            at, message, hint = explain_plainly(error, choices)
            hint = _hint(error["type"], at, hint, opens)
            at = at[:2] if at[:1] in (("options",), ("defaults",)) else at[:1]
            line = next((lines[at[:end]] for end in range(len(at), 0, -1) if at[:end] in lines), None)
            where = str(path) if line is None else f"{path}:{line}"
            problems.setdefault(dotted(at), Problem(where, dotted(at), message, hint))
        told = SettingsError(problems.values(), file=str(path))
        if len(problems) > 1:
            told.hint = f"{opens}, `coda templates test {path.stem}` tries it out"
        raise told from None


def render(template: Template, params: Mapping[str, str], input: str = "") -> Rendered:  # noqa: A002 - the variable's name
    """Fill in the variables. Raises UsageError for a variable without a value and for a parameter that is none."""
    variables = template.variables()
    for name in params:
        if name == INPUT:
            raise UsageError("$input is what is typed or piped in, not a parameter", hint="give it as the prompt")
        if name not in variables:
            named = f"its variables: {', '.join(variables)}" if variables else "it has no variables"
            raise UsageError(f'the template has no variable "{name}"', hint=did_you_mean(name, variables) or named)
    values = {name: _text(value) for name, value in template.defaults.items()} | dict(params)
    missing = [name for name in variables if name not in values]
    if missing:
        flags = " ".join(f"-p {name}=VALUE" for name in missing)
        raise UsageError(f"the template needs a value for {', '.join(missing)}", hint=f"add {flags}")
    values[INPUT] = input
    return Rendered(
        prompt=_prompt(template.prompt, values),
        system=None if template.system is None else _filled(template.system, values),
        model=template.model,
        options=template.options,
        schema=template.schema_,
    )


def _prompt(text: str | None, values: Mapping[str, str]) -> str:
    given = values[INPUT]
    if text is None:
        return given
    filled = _filled(text, values)
    if INPUT in string.Template(text).get_identifiers() or not given:
        return filled
    return f"{filled}\n\n{given}"


def _filled(text: str, values: Mapping[str, str]) -> str:
    return string.Template(text).substitute(values).strip("\n")


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
