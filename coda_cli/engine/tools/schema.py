"""A typed function as a tool takes it: hints and docstring -> a JSON Schema, and JSON -> the function's own types."""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Struct

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import Arguments
from coda_cli.engine.tools.arguments import described, missing, named, refused
from coda_cli.engine.tools.base import ToolContext

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

_SECTION: Final = re.compile(r"^\s*(Args|Arguments|Parameters|Params)\s*:?\s*$|^\s*:param|^\s*@param", re.MULTILINE)
_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Inputs(Struct, frozen=True):
    """What a function takes. `names` are its arguments in the model's order, `context` the one that is injected."""

    description: str
    schema: Mapping[str, Any]
    context: str | None
    _model: type[BaseModel]
    _names: tuple[str, ...]

    def convert(self, arguments: Arguments) -> dict[str, Any]:
        """*arguments* as the function's own types. What is not given is not there. Raises ToolError."""
        from pydantic import ValidationError

        try:
            given = self._model.model_validate(dict(arguments))
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            raise refused([_words(detail, self.schema) for detail in details], self.schema) from None
        return {
            name: getattr(given, f"p{place}")
            for place, name in enumerate(self._names)
            if f"p{place}" in given.model_fields_set
        }


def inputs(function: Callable[..., object], name: str, namespace: Mapping[str, Any] | None = None) -> Inputs:
    """Read *function*. *namespace*: what its hints may name beside its module. Raises UsageError."""
    parameters = _parameters(function, name)
    hints = _hints(function, name, namespace)
    description, told = _documented(inspect.getdoc(function) or "")
    context: str | None = None
    taken: dict[str, tuple[Any, Any]] = {}
    for parameter in parameters:
        if parameter.name not in hints:
            raise UsageError(
                f"tool `{name}`: parameter `{parameter.name}` has no type",
                hint=f"write one, for example `{parameter.name}: str`",
            )
        hint = hints[parameter.name]
        if _is_context(hint):
            context = parameter.name
            continue
        taken[parameter.name] = (_modern(hint), parameter.default)
    model = _model(name, taken, told)
    return Inputs(description, _schema_of(model, name), context, model, tuple(taken))


def _parameters(function: Callable[..., object], name: str) -> list[inspect.Parameter]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"`{name}` cannot be a tool: it has no signature that can be read", hint="wrap it in a typed function"
        ) from error
    for parameter in parameters:
        if parameter.kind in _VARIADIC:
            stars = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
            raise UsageError(
                f"tool `{name}`: a model cannot be told what `{stars}{parameter.name}` takes",
                hint="name each parameter, or take one list or one dict",
            )
    return parameters


def _hints(function: Callable[..., object], name: str, namespace: Mapping[str, Any] | None) -> dict[str, Any]:
    target = function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__
    try:
        return typing.get_type_hints(target, localns=dict(namespace or {}), include_extras=True)
    except NameError as error:
        raise UsageError(
            f"tool `{name}`: its type `{error.name}` is not known where the function stands",
            hint="import it or define it before the function",
        ) from error
    except (TypeError, AttributeError, SyntaxError) as error:
        raise UsageError(f"tool `{name}`: its types cannot be read: {error}") from error


def _is_context(hint: object) -> bool:
    return hint is ToolContext or (
        typing.get_origin(hint) in (typing.Union, types.UnionType) and ToolContext in typing.get_args(hint)
    )


def _modern(hint: Any) -> Any:
    """*hint* with every `typing.TypedDict` made one of `typing_extensions`: pydantic takes no other before 3.12."""
    if sys.version_info >= (3, 12):
        return hint
    if typing.is_typeddict(hint):
        from typing_extensions import TypedDict

        if isinstance(hint, type(TypedDict("_", {}))):  # type: ignore[operator]  # a class at run time
            return hint
        fields = {key: _modern(value) for key, value in typing.get_type_hints(hint, include_extras=True).items()}
        return TypedDict(hint.__name__, fields, total=hint.__total__)  # type: ignore[operator]  # as above
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Required, typing.NotRequired):
        return origin[_modern(arguments[0])]
    if origin is Annotated:
        return Annotated[(_modern(arguments[0]), *arguments[1:])]
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(_modern(argument) for argument in arguments)]  # noqa: UP007  # made at run time
    if origin in (list, dict, tuple, set, frozenset):
        return origin[tuple(_modern(argument) for argument in arguments)]
    return hint


def _documented(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring says of the function and of each parameter; Google, NumPy and Sphinx styles."""
    if not _SECTION.search(text):
        return " ".join(text.split()), {}
    from docstring_parser import ParseError, parse

    try:
        parsed = parse(text)
    except ParseError:
        return " ".join(text.split("\n\n")[0].split()), {}
    said = f"{parsed.short_description or ''} {parsed.long_description or ''}"
    told = {one.arg_name: " ".join((one.description or "").split()) for one in parsed.params}
    return " ".join(said.split()), told


def _model(name: str, taken: Mapping[str, tuple[Any, Any]], told: Mapping[str, str]) -> type[BaseModel]:
    """The arguments as a model. Its fields are p0, p1, ...: `copy`, `_x` or `model_x` may be names of arguments."""
    from pydantic import ConfigDict, Field, create_model
    from pydantic.errors import PydanticUserError
    from pydantic.fields import FieldInfo
    from pydantic_core import SchemaError

    fields: dict[str, Any] = {}
    for place, (parameter, (hint, default)) in enumerate(taken.items()):
        metadata = getattr(hint, "__metadata__", ())
        said = [one for one in metadata if isinstance(one, str)]
        described_already = any(isinstance(one, FieldInfo) and one.description for one in metadata)
        about = None if described_already else (said[0] if said else told.get(parameter) or None)
        value = ... if default is inspect.Parameter.empty else default
        told_more: dict[str, Any] = {} if about is None else {"description": about}
        fields[f"p{place}"] = (hint, Field(value, alias=parameter, **told_more))
    try:
        return create_model(
            "".join(part.capitalize() for part in re.findall(r"\w+", name)) or "Arguments",
            __config__=ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=False, validate_by_alias=True),
            **fields,
        )
    except (PydanticUserError, SchemaError, TypeError, NameError) as error:
        reason = str(error).split("\n", 1)[0].rstrip(".")
        raise UsageError(
            f"tool `{name}`: no JSON Schema can be made of its parameters: {reason}",
            hint="use types that JSON can hold: str, int, float, bool, lists, dicts, enums, dataclasses, models",
        ) from error


def _schema_of(model: type[BaseModel], name: str) -> Mapping[str, Any]:
    from pydantic.errors import PydanticInvalidForJsonSchema
    from pydantic.json_schema import GenerateJsonSchema

    class Quiet(GenerateJsonSchema):
        """A default that JSON has no form for is simply not told."""

        def emit_warning(self, kind: object, detail: str) -> None:
            pass

    try:
        schema = model.model_json_schema(schema_generator=Quiet)
    except PydanticInvalidForJsonSchema as error:
        reason = str(error).split("\n", 1)[0].rstrip(".")
        raise UsageError(f"tool `{name}`: no JSON Schema can be made of its parameters: {reason}") from error
    definitions = schema.pop("$defs", {})
    plain: dict[str, Any] = _inlined(schema, definitions, ())
    plain.setdefault("properties", {})
    left = {key: _inlined(value, definitions, (key,)) for key, value in definitions.items() if _circular(key, plain)}
    return {**plain, "$defs": left} if left else plain


def _circular(key: str, schema: object) -> bool:
    return f"#/$defs/{key}'" in repr(schema)


def _inlined(schema: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """*schema* with its definitions put where they are used, without titles and nulls: small models read it better."""
    if isinstance(schema, list):
        return [_inlined(one, definitions, inside) for one in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        key = reference.removeprefix("#/$defs/")
        if key in inside:
            return schema
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        return {**_inlined(definitions[key], definitions, (*inside, key)), **rest}
    out: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "properties":
            out[name] = {key: _inlined(one, definitions, inside) for key, one in value.items()}
        elif name in ("default", "enum", "const", "examples", "required"):
            out[name] = value
        elif name != "title" or not isinstance(value, str):
            out[name] = _inlined(value, definitions, inside)
    return _without_null(out)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """An optional argument is one that may be left out: the model is not told that it may also be null."""
    if "default" not in schema or schema["default"] is not None:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("default", "anyOf")}
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **rest}
    return {**rest, "anyOf": choices} if choices else rest


def _words(detail: ErrorDetails, schema: Mapping[str, Any]) -> str:
    path = [step for step in detail["loc"] if not (isinstance(step, str) and _inner_step(step))]
    place = named(path)
    inner = _at(schema, path)
    match detail["type"]:
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return missing(place.removeprefix("argument ").strip("`"), inner)
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"there is no {place}"
        case _:
            said = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
            return f"{place} is {described(detail['input'])} and {said[:1].lower()}{said[1:]}"


def _inner_step(step: str) -> bool:
    """Whether pydantic put this step there itself: `function-after[...]`, `list[int]`, `int`."""
    return "[" in step or step in ("int", "str", "float", "bool", "none", "literal")


def _at(schema: Mapping[str, Any], path: list[str | int]) -> Mapping[str, Any]:
    for step in path:
        found = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        if not isinstance(found, dict):
            return {}
        schema = found
    return schema
