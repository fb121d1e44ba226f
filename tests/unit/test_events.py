"""Events are one schema for programs, streams and sockets: plain JSON, frozen, each with a name of its own."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from msgspec.structs import fields

from coda_cli.engine.core.errors import LLMRateLimitError
from coda_cli.engine.core.events import FINAL_EVENTS, Event, ProviderEvent
from coda_cli.engine.core.usage import TokenUsage

KINDS: tuple[type[Any], ...] = get_args(Event)
VALUES: dict[str, Any] = {
    "calls": [{"id": "c", "name": "f", "arguments": "{}"}],
    "usage": TokenUsage(input_tokens=1, output_tokens=2),
    "error": LLMRateLimitError("slow", retry_after=2.0, provider="p").describe(),
    "available": False,
}
NUMBERS = {"attempt": 1, "max_retries": 3, "request_count": 4, "total_tokens": 5, "wait": 0.5, "total_cost": 0.25}


def made(kind: type[Any]) -> Any:
    """An event with everything that it must be given."""
    needed = [field.name for field in fields(kind) if field.required]
    return kind(**{name: VALUES.get(name, NUMBERS.get(name, f"<{name}>")) for name in needed})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_is_plain_json_with_its_type_first(kind: type[Any]) -> None:
    event = made(kind)
    data = event.to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert next(iter(data)) == "type"
    assert data["type"] == kind.type
    assert {"seq", "time", "conversation_id"} <= data.keys()
    assert data.keys() == {"type", *(field.name for field in fields(kind))}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_is_frozen_and_has_no_room_for_more(kind: type[Any]) -> None:
    event = made(kind)
    with pytest.raises(AttributeError, match="immutable"):
        event.seq = 5
    assert not hasattr(event, "__dict__")
    assert event == made(kind)


@pytest.mark.parametrize("kind", get_args(ProviderEvent), ids=lambda kind: kind.__name__)
def test_what_a_provider_yields_is_frozen(kind: type[Any]) -> None:
    values = {"usage": TokenUsage(), "index": 0, "reason": "stop", "text": "a"}
    event = kind(**{field.name: values[field.name] for field in fields(kind) if field.required})
    with pytest.raises(AttributeError, match="immutable"):
        setattr(event, fields(kind)[0].name, "x")


def test_the_data_of_an_event_is_the_readers_own() -> None:
    """An event is shared by all readers: none may change it for the others through what it was given."""
    event = made(next(kind for kind in KINDS if kind.type == "function_calls"))
    event.to_json()["calls"][0]["name"] = "changed"
    event.to_json()["calls"].append({})
    assert event.to_json()["calls"] == [{"id": "c", "name": "f", "arguments": "{}"}]


def test_the_names_are_unique_and_those_that_programs_know() -> None:
    names = [kind.type for kind in KINDS]
    assert len(set(names)) == len(names)
    assert {
        "response_start",
        "response_chunk",
        "response_complete",
        "function_calls",
        "conversation_created",
        "provider_status_change",
        "analytics_update",
    } <= set(names)
    for kind in KINDS:
        assert "".join(word.title() for word in kind.type.split("_")) == kind.__name__
    assert [kind.type for kind in FINAL_EVENTS] == ["response_complete", "response_error"]
