"""Prompt templates: one TOML file each in the config folder's `templates/`.

A `$name` in `prompt` or `system` is a variable: it takes its value from `-p NAME=VALUE`, else from the `defaults`
table. `$input` is what was typed or piped in; a prompt that does not name it has it appended. `$$` is a dollar sign.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from coda_cli import paths
from coda_cli.engine.core.errors import UsageError
from coda_cli.settings.files import parse_toml, read_text
from coda_cli.settings.problems import Problem, SettingsError, did_you_mean, dotted, explain_plainly, lines_of

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
INPUT: Final = "input"
STARTER: Final = '''\
# A prompt template, used as `coda ask -t {name} -p language=French < letter.txt`
# `$name` is a variable (-p name=VALUE), `$input` what is typed or piped in, `$$` a dollar sign.

description = "What this template is for"

system = "You are a careful translator."

prompt = """
Translate this into $language:

$input
"""

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
    prompt: str | None = None
    system: str | None = None
    model: str | None = Field(default=None, min_length=1)
    options: dict[str, JsonValue] = Field(default_factory=dict)
    defaults: dict[str, str | int | float | bool] = Field(default_factory=dict)
    schema_: dict[str, JsonValue] | str | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.prompt or self.system):
            raise PydanticCustomError("empty_template", "a template needs a prompt, a system prompt or both")
        for name in ("prompt", "system"):
            if not string.Template(getattr(self, name) or "").is_valid():
                raise PydanticCustomError("bad_dollar", "a lone $ in the text; write $$ for a dollar sign")
        if INPUT in self.defaults:
            raise PydanticCustomError("input_default", "$input is what is typed or piped in and has no default")
        return self

    def variables(self) -> list[str]:
        """The names of its variables in the order of their first use, without `input`."""
        names = [name for text in (self.system, self.prompt) for name in string.Template(text or "").get_identifiers()]
        return [name for name in dict.fromkeys(names) if name != INPUT]


@dataclass(frozen=True)
class Rendered:
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
    """Read one template. Raises UsageError if there is none of this name, ConfigError if its file is wrong."""
    path = template_file(name)
    text = read_text(path)
    if text is None:
        hint = did_you_mean(name, template_names()) or f"create it with `coda templates edit {name}`"
        raise UsageError(f'there is no template "{name}"', hint=hint)
    return parse_template(text, path)


def parse_template(text: str, path: Path) -> Template:
    """The template in *text*, the content of *path*. Raises ConfigError with all that is wrong."""
    table = parse_toml(text, path)
    try:
        return Template.model_validate(table)
    except ValidationError as exc:
        lines = lines_of(text)
        problems: dict[str, Problem] = {}
        choices = [field.alias or name for name, field in Template.model_fields.items()]
        for error in exc.errors(include_url=False):
            at, message, hint = explain_plainly(error, choices)
            at = at[:2] if at[:1] in (("options",), ("defaults",)) else at[:1]
            line = next((lines[at[:end]] for end in range(len(at), 0, -1) if at[:end] in lines), None)
            where = str(path) if line is None else f"{path}:{line}"
            problems.setdefault(dotted(at), Problem(where, dotted(at), message, hint))
        raise SettingsError(problems.values(), file=str(path)) from None


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
