"""A typed function is a tool: its schema says what it takes, and it receives what its hints promise."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import ToolOutput, Touches
from coda_cli.engine.tools.base import ToolContext, ToolError
from coda_cli.engine.tools.function import FunctionTool, tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Person(BaseModel):
    name: str
    born: dt.date | None = None
    friends: list[Person] = []


class Options(TypedDict):
    verbose: bool
    level: NotRequired[int]


def everything(
    text: str,
    colour: Colour,
    point: Point,
    person: Person,
    options: Options,
    pair: tuple[int, str],
    when: dt.datetime,
    path: Path,
    key: UUID,
    ratio: Annotated[float, Field(ge=0, le=1)],
    names: dict[str, list[int]],
    mode: Literal["a", "b"] = "a",
    limit: int | None = None,
    either: int | str = 3,
    many: list[Point] = [],  # noqa: B006  # never changed
) -> str:
    """Take everything."""
    return "yes"


WHOLE: dict[str, Any] = {
    "text": "t",
    "colour": "red",
    "point": {"x": 1},
    "person": {"name": "Ada", "born": "1815-12-10", "friends": [{"name": "B"}]},
    "options": {"verbose": True},
    "pair": [1, "a"],
    "when": "2026-11-24T10:00:00Z",
    "path": "a/b",
    "key": "12345678-1234-5678-1234-567812345678",
    "ratio": 0.5,
    "names": {"a": [1, 2]},
}


async def run(made: FunctionTool, arguments: dict[str, Any], context: ToolContext | None = None) -> ToolOutput | str:
    return await made.run(arguments, context or ToolContext())


async def test_the_function_receives_what_its_hints_promise() -> None:
    seen: dict[str, Any] = {}

    def taking(
        colour: Colour, point: Point, person: Person, options: Options, pair: tuple[int, str], when: dt.datetime,
        path: Path, key: UUID, limit: int | None = None, either: int | str = 3,
    ) -> str:  # fmt: skip
        seen.update(locals())
        return "yes"

    made = FunctionTool(taking)
    await run(
        made, {name: WHOLE[name] for name in ("colour", "point", "person", "options", "pair", "when", "path", "key")}
    )
    assert seen["colour"] is Colour.RED
    assert seen["point"] == Point(1, 0)
    assert seen["person"].friends[0] == Person(name="B")
    assert seen["options"] == {"verbose": True}
    assert seen["pair"] == (1, "a")
    assert seen["when"] == dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)
    assert seen["path"] == Path("a/b")
    assert seen["key"] == UUID(WHOLE["key"])
    assert seen["limit"] is None
    assert seen["either"] == 3


def test_the_schema_is_one_and_says_what_is_needed() -> None:
    made = FunctionTool(everything)
    schema = dict(made.parameters)
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["required"] == list(WHOLE)
    properties = schema["properties"]
    assert properties["colour"] == {"enum": ["red", "blue"], "type": "string"}
    assert properties["ratio"] == {"maximum": 1, "minimum": 0, "type": "number"}
    assert properties["limit"] == {"type": "integer"}
    assert properties["mode"] == {"enum": ["a", "b"], "default": "a", "type": "string"}
    assert properties["point"]["additionalProperties"] is False
    assert properties["options"]["required"] == ["verbose"]
    assert "title" not in json.dumps(schema)
    assert Draft202012Validator(schema).is_valid(WHOLE)


@pytest.mark.parametrize("lost", list(WHOLE))
def test_every_argument_that_is_missing_is_named(lost: str) -> None:
    made = FunctionTool(everything)
    with pytest.raises(ToolError, match=f"argument `{lost}` is missing"):
        made.check({name: value for name, value in WHOLE.items() if name != lost})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"colour": "green"}, 'argument `colour` is "green"'),
        ({"ratio": 2}, "argument `ratio` is 2"),
        ({"point": {"x": "one"}}, 'argument `point.x` is "one"'),
        ({"point": {"x": 1, "z": 1}}, "there is no argument `point.z`"),
        ({"pair": [1]}, "argument `pair"),
        ({"names": {"a": ["x"]}}, "argument `names.a[0]`"),
        ({"other": 1}, "there is no argument `other`"),
        ({"mode": "c"}, 'argument `mode` is "c"'),
        ({"ratio": "nan"}, "argument `ratio`"),
    ],
)
def test_what_does_not_fit_is_named_where_it_stands(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolError) as raised:
        FunctionTool(everything).check(WHOLE | wrong)
    assert words in str(raised.value)


GOOGLE = """Forecast.

    More about it.

    Args:
        city (str): The name
            of the city.
        days: How many.

    Returns:
        The weather.
    """
NUMPY = """Forecast.

    More about it.

    Parameters
    ----------
    city : str
        The name
        of the city.
    days : int
        How many.
    """
SPHINX = """Forecast.

    More about it.

    :param city: The name
        of the city.
    :param days: How many.
    :returns: The weather.
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_the_docstring_says_what_each_argument_is(text: str) -> None:
    def forecast(city: str, days: int = 1) -> str:
        return city

    forecast.__doc__ = text
    made = FunctionTool(forecast)
    assert made.description == "Forecast. More about it."
    assert made.parameters["properties"] == {
        "city": {"description": "The name of the city.", "type": "string"},
        "days": {"description": "How many.", "default": 1, "type": "integer"},
    }


def test_a_word_beside_the_hint_describes_the_argument() -> None:
    def forecast(
        city: Annotated[str, "its name"], days: Annotated[int, Field(description="how many", ge=1)] = 1
    ) -> None:
        """Forecast."""

    properties = FunctionTool(forecast).parameters["properties"]
    assert properties["city"]["description"] == "its name"
    assert properties["days"] == {"description": "how many", "minimum": 1, "default": 1, "type": "integer"}


async def test_the_context_is_given_and_not_shown() -> None:
    def where(name: str, context: ToolContext) -> str:
        return f"{name} {context.call_id}"

    made = FunctionTool(where)
    assert list(made.parameters["properties"]) == ["name"]
    assert await run(made, {"name": "a"}, ToolContext(call_id="c1")) == ToolOutput("a c1")
    with pytest.raises(ToolError, match="no argument `context`"):
        made.check({"name": "a", "context": {}})


async def test_names_that_models_of_data_reserve_are_names_of_arguments() -> None:
    def odd(copy: str, model_config: int, _x: int, json: str, self_: int = 1) -> str:
        return f"{copy} {model_config} {_x} {json} {self_}"

    assert await run(FunctionTool(odd), {"copy": "a", "model_config": 1, "_x": 2, "json": "j"}) == ToolOutput(
        "a 1 2 j 1"
    )


async def test_a_default_that_json_has_no_form_for_is_the_functions_own() -> None:
    nothing = object()

    def kept(value: Annotated[Any, "anything"] = nothing) -> str:
        return str(value is nothing)

    assert await run(FunctionTool(kept), {}) == ToolOutput("True")


async def test_a_method_and_a_callable_object_are_tools() -> None:
    class Counter:
        def add(self, number: int) -> int:
            """Add."""
            return number + 1

        def __call__(self, number: int) -> int:
            return number + 2

    assert await run(FunctionTool(Counter().add), {"number": 1}) == ToolOutput("2")
    assert await run(FunctionTool(Counter(), name="counter"), {"number": 1}) == ToolOutput("3")


def args(*values: int) -> None: ...
def keywords(**values: int) -> None: ...
def untyped(value) -> None: ...  # type: ignore[no-untyped-def]  # the fault that is tested
def unknown(value: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # the fault that is tested
def callback(value: Callable[[int], int]) -> None: ...
def yielding(value: int) -> typing.Iterator[int]:
    yield value


async def ayielding(value: int) -> typing.AsyncIterator[int]:
    yield value


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (args, r"`\*values`"),
        (keywords, r"`\*\*values`"),
        (untyped, "`value` has no type"),
        (unknown, "`Nowhere` is not known"),
        (callback, "no JSON Schema"),
        (yielding, "yields"),
        (ayielding, "yields"),
    ],
)
def test_what_a_model_cannot_be_told_is_refused_when_it_is_made(function: Callable[..., object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FunctionTool(function)


def test_the_decorator_takes_what_the_tool_is() -> None:
    @tool
    def bare(a: int) -> int:
        """Bare."""
        return a

    @tool(name="other", description="Said.", touches=Touches.NETWORK, category="web", timeout=5)
    def dressed(a: int) -> int:
        return a

    assert (bare.name, bare.description, bare.touches, bare.category) == ("bare", "Bare.", Touches.NOTHING, "user")
    assert (dressed.name, dressed.description) == ("other", "Said.")
    assert (dressed.touches, dressed.category, dressed.timeout) == (Touches.NETWORK, "web", 5)
    assert bare(3) == 3


def test_a_type_that_is_local_to_the_caller_is_found() -> None:
    class Local(BaseModel):
        a: int

    @tool
    def taking(value: Local) -> str:
        return str(value.a)

    assert taking.parameters["properties"]["value"]["required"] == ["a"]


@dataclasses.dataclass
class Circle:
    inner: object


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        (None, "done; there is nothing to return"),
        (4, "4"),
        (Point(1, 2), '{"x": 1, "y": 2}'),
        (Person(name="Ä"), '{"name": "Ä", "born": null, "friends": []}'),
        ({"when": dt.date(2026, 1, 2), "colour": Colour.RED}, '{"when": "2026-01-02", "colour": "red"}'),
        (b"raw \xff", "raw \ufffd"),
        ([float("nan")], "[NaN]"),
        (iter(range(3)), "[0, 1, 2]"),
        (ToolOutput("t", "d"), "t"),
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
async def test_any_value_becomes_readable_text(value: object, text: str) -> None:
    def giving() -> Any:
        return value

    assert typing.cast("ToolOutput", await run(FunctionTool(giving), {})).text == text


async def test_a_circle_is_still_a_text() -> None:
    def giving() -> Any:
        circle = Circle(None)
        circle.inner = circle
        return circle

    assert "Circle" in typing.cast("ToolOutput", await run(FunctionTool(giving), {})).text


# -- what the schema allows, the function takes


VALUES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers(-(2**53), 2**53)),
    (str, st.text()),
    (bool, st.booleans()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (Colour, st.sampled_from(["red", "blue"])),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Point, st.fixed_dictionaries({"x": st.integers(-9, 9)}, optional={"y": st.integers(-9, 9)})),
    (list[int], st.lists(st.integers(-9, 9), max_size=3)),
    (dict[str, list[bool]], st.dictionaries(st.text(), st.lists(st.booleans(), max_size=2), max_size=3)),
    (tuple[int, str], st.tuples(st.integers(-9, 9), st.text()).map(list)),
    (int | str, st.integers(-9, 9) | st.text()),
    (Annotated[int, Field(ge=0, le=10)], st.integers(0, 10)),
    (Options, st.fixed_dictionaries({"verbose": st.booleans()}, optional={"level": st.integers(-9, 9)})),
]


@st.composite
def functions_and_calls(draw: st.DrawFn) -> tuple[FunctionTool, dict[str, Any]]:
    chosen = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=4))
    namespace: dict[str, Any] = {f"T{place}": hint for place, (hint, _) in enumerate(chosen)}
    signature = ", ".join(f"a{place}: T{place}" for place in range(len(chosen)))
    exec(f"def made({signature}): return 'ran'", namespace)
    return FunctionTool(namespace["made"]), {f"a{place}": draw(values) for place, (_, values) in enumerate(chosen)}


@given(functions_and_calls())
def test_what_the_schema_allows_the_function_takes(drawn: tuple[FunctionTool, dict[str, Any]]) -> None:
    made, arguments = drawn
    assert Draft202012Validator(dict(made.parameters)).is_valid(arguments)
    made.check(arguments)


WORDS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.lists(st.integers())
    | st.dictionaries(st.text(), st.none())
)


@given(functions_and_calls(), st.dictionaries(st.sampled_from(["a0", "a1", "a2", "b"]), WORDS, max_size=3), st.data())
async def test_what_a_function_does_not_take_never_reaches_it(
    drawn: tuple[FunctionTool, dict[str, Any]], spoilt: dict[str, Any], data: st.DataObject
) -> None:
    made, arguments = drawn
    lost = data.draw(st.sampled_from(sorted(arguments)))
    given_now = {name: value for name, value in (arguments | spoilt).items() if name != lost}
    ran: list[object] = []
    made.function = lambda **given: ran.append(given)
    with pytest.raises(ToolError):
        await made.run(given_now, ToolContext())
    assert ran == []
