"""The arguments of a call: what is not whole, not JSON or not of the tool's shape never runs, and is told in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.tools.arguments import MAX_CHARS, MAX_DEPTH, canonical, check, mended, parse
from coda_cli.engine.tools.base import ToolError

CITY = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "the name of the city"},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
        "unit": {"enum": ["C", "F"]},
        "near": {"type": "array", "items": {"type": "object", "required": ["lat"], "properties": {"lat": {}}}},
    },
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ('{"a": 1', "not JSON"),
        ('{"a": "x', "not JSON"),
        ('{"a": 1}{"a": 2}', "not JSON"),
        ("{'a': 1}", "not JSON"),
        ("null", "must be a JSON object"),
        ("[1]", "must be a JSON object"),
        ('"text"', "must be a JSON object"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": 1e999}', "too large"),
        ('{"a": ' + "9" * 5000 + "}", "too many digits"),
        ('{"a": 1, "a": 2}', '"a" stands twice'),
        ('{"a": {"b": 1, "c": 2, "b": 1}}', '"b" stands twice'),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"\\udfff": 1}', "surrogate"),
        ('{"a":' * (MAX_DEPTH + 2) + "1" + "}" * (MAX_DEPTH + 2), "deep"),
        ('{"a":' + "[" * 1000 + "]" * 1000 + "}", "deep"),
        ('{"a":' + "[" * 200_000, "deep"),
        ('{"a": "' + "x" * (10 * 1024 * 1024) + '"}', "characters"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_is_cut_doubled_oversized_or_no_object_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ToolError, match=words) as raised:
        parse(text)
    assert len(str(raised.value)) < 400


def test_what_is_whole_is_read_as_it_stands() -> None:
    assert parse(' {"a": "\\u00e9\\ud83d\\ude00", "b": [1, 2.5, null, true]}\n') == {
        "a": "é😀",
        "b": [1, 2.5, None, True],
    }
    assert len(parse('{"a": "' + "x" * (MAX_CHARS - 9) + '"}')["a"]) == MAX_CHARS - 9


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5), st.integers(0, 200))
def test_every_object_is_read_back_and_no_beginning_of_it_is(arguments: dict[str, Any], at: int) -> None:
    text = json.dumps(arguments)
    assert parse(text) == arguments
    assert canonical(parse(text)) == canonical(parse(json.dumps(arguments, indent=3)))
    with pytest.raises(ToolError):
        parse(text[: min(at, len(text) - 1)])


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_any_text_is_an_object_or_an_error_for_the_model(text: str) -> None:
    try:
        found = parse(text)
    except ToolError:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "argument `city` is missing; it is a string: the name of the city"),
        ({"city": 5}, "argument `city` is 5 and must be a string"),
        ({"city": "x", "days": 9}, "argument `days` is 9 and must be a whole number from 1 to 7"),
        ({"city": "x", "days": "two"}, 'argument `days` is "two" and must be a whole number from 1 to 7'),
        ({"city": "x", "unit": "K"}, 'argument `unit` is "K" and must be one of "C", "F"'),
        ({"city": "x", "town": 1}, "there is no `town`"),
        ({"city": "x", "near": [{"lat": 1}, {}]}, "argument `near[1].lat` is missing"),
    ],
)
def test_what_does_not_fit_is_named_with_what_would(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolError) as raised:
        check(CITY, arguments)
    assert words in str(raised.value)
    assert "The tool takes `city`, `days`, `unit`, `near`" in str(raised.value)


def test_a_hundred_mistakes_are_a_short_message() -> None:
    with pytest.raises(ToolError) as raised:
        check({"type": "object", "additionalProperties": {"type": "string"}}, {f"k{n}": n for n in range(100)})
    assert "and 95 more" in str(raised.value)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/x", "#/$defs/none", "file:///etc/passwd"])
def test_a_schema_that_points_elsewhere_fetches_nothing_and_refuses(target: str) -> None:
    with pytest.raises(ToolError, match="schema cannot be checked"):
        check({"type": "object", "properties": {"a": {"$ref": target}}}, {"a": 1})


@pytest.mark.parametrize("broken", [{"type": "nonsense"}, {"type": "object", "properties": {"a": {"type": "what"}}}])
def test_a_broken_schema_refuses_the_call(broken: dict[str, Any]) -> None:
    with pytest.raises(ToolError):
        check(broken, {"a": 1})


TYPED = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "x": {"type": "number"},
        "yes": {"type": "boolean"},
        "text": {"type": "string"},
        "many": {"type": "array", "items": {"type": "integer"}},
        "either": {"type": ["integer", "string"]},
    },
}


@pytest.mark.parametrize(
    ("given_now", "meant"),
    [
        ({"n": "3"}, {"n": 3}),
        ({"n": 3.0}, {"n": 3}),
        ({"n": "-12"}, {"n": -12}),
        ({"x": "2.5"}, {"x": 2.5}),
        ({"x": "1e3"}, {"x": 1000.0}),
        ({"yes": "true"}, {"yes": True}),
        ({"many": ["1", 2]}, {"many": [1, 2]}),
        ({"n": "three"}, {"n": "three"}),
        ({"n": "3.5"}, {"n": "3.5"}),
        ({"n": " 3"}, {"n": " 3"}),
        ({"n": "\u0663"}, {"n": "\u0663"}),
        ({"n": "1" * 30}, {"n": "1" * 30}),
        ({"x": "nan"}, {"x": "nan"}),
        ({"yes": "yes"}, {"yes": "yes"}),
        ({"text": "3"}, {"text": "3"}),
        ({"either": "3"}, {"either": "3"}),
        ({"other": "3"}, {"other": "3"}),
    ],
)
def test_a_quoted_number_is_a_number_only_where_nothing_else_can_be_meant(
    given_now: dict[str, Any], meant: dict[str, Any]
) -> None:
    found = mended(TYPED, given_now)
    assert found == meant
    assert [type(value) for value in found.values()] == [type(value) for value in meant.values()]


@given(JSON)
def test_what_fits_is_left_as_it_is(value: Any) -> None:
    for kind in ("string", "array", "object", "null"):
        assert mended({"type": kind}, value) == value
    assert mended({}, value) == value


def test_a_strangers_pattern_is_not_tried() -> None:
    evil = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "pattern": "^(a+)+$"}, "n": {"type": "integer"}},
        "patternProperties": {"^(b+)+$": {}},
        "additionalProperties": False,
    }
    check(evil, {"pattern": "a" * 60 + "!", "b" * 60 + "!": 1}, foreign=True)
    with pytest.raises(ToolError, match="`n`"):
        check(evil, {"n": "x"}, foreign=True)
    with pytest.raises(ToolError, match="pattern"):
        check({"type": "object", "properties": {"a": {"pattern": "^b$"}}}, {"a": "a"})
