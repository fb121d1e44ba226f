"""The small pieces that several vendors' mappings share: schemas, data URLs, arguments, counts."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from coda_cli.engine.core.messages import ImagePart
from coda_cli.engine.providers.parts import arguments, base64_text, count, data_url, strict_schema

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
OPEN: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (OPEN, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "required": ["city", "more"]}, False),
        ({**CLOSED, "additionalProperties": {"type": "string"}}, False),
        ({**CLOSED, "properties": {"city": OPEN}}, False),
        ({**CLOSED, "properties": {"city": {"type": "array", "items": OPEN}}}, False),
        ({**CLOSED, "properties": {"city": {"anyOf": [{"type": "null"}, OPEN]}}}, False),
        ({**CLOSED, "properties": {"city": {"$ref": "#/$defs/c"}}, "$defs": {"c": OPEN}}, False),
        ({**CLOSED, "properties": {"city": {"$ref": "#/$defs/c"}}, "$defs": {"c": CLOSED}}, True),
        ({"type": "object", "additionalProperties": False}, True),
    ],
)
def test_strict_mode_wants_every_object_closed(schema: dict[str, Any], strict: bool) -> None:
    assert strict_schema(schema) is strict


@pytest.mark.parametrize(
    "extra",
    [
        {"oneOf": [{"type": "string"}, {"type": "null"}]},
        {"allOf": [OPEN]},
        {"not": {"type": "string"}},
        {"type": ["object", "null"]},
    ],
    ids=str,
)
def test_strict_mode_is_not_asked_for_with_keywords_that_it_refuses(extra: dict[str, Any]) -> None:
    """OpenAI answers 400 to these with `strict: true`, and takes them without."""
    assert not strict_schema({**CLOSED, "properties": {"city": extra}})


@pytest.mark.parametrize("broken", [{"properties": None}, {"anyOf": None}, {"type": "object", "required": None}])
def test_a_schema_of_an_odd_shape_is_the_vendors_to_refuse(broken: dict[str, Any]) -> None:
    assert isinstance(strict_schema(broken), bool)


def test_data_urls_and_base64_have_no_line_breaks() -> None:
    part = ImagePart(data=bytes(1000), media_type="image/png")
    assert data_url(part) == f"data:image/png;base64,{base64_text(part)}"
    assert "\n" not in data_url(part)
    assert base64.b64decode(base64_text(part)) == bytes(1000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("[1]", {}),
        ('{"a"', {}),
        ("null", {}),
        ("[" * 100_000, {}),
    ],
    ids=range(6),
)
def test_arguments_are_an_object_or_none(text: str, value: dict[str, Any]) -> None:
    assert arguments(text) == value


@pytest.mark.parametrize("usage", [{}, {"a": None}, {"a": {}}, {"a": {"b": None}}, {"a": 5}, {"a": {"b": "7"}}])
def test_a_count_that_is_not_there_is_nought(usage: dict[str, Any]) -> None:
    assert count(usage, "a", "b") == 0


def test_a_count_is_found_where_it_is() -> None:
    assert count({"a": {"b": 3}}, "a", "b") == 3
