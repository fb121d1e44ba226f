"""The JSON Schema of the events: exported, kept in step, and every event that is ever made is valid by it."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

import pytest
from hypothesis import given, settings, strategies as st
from jsonschema.validators import Draft202012Validator
from msgspec.structs import asdict, fields
from typer.testing import CliRunner

from coda_cli import (
    Approval,
    LLMConfig,
    LLMManager,
    LLMOverloadedError,
    MemoryManager,
    PersonalityManager,
    Reply,
    ScriptedProvider,
    ToolManager,
)
from coda_cli.cli import events as command
from coda_cli.engine.core.errors import CodaError, LLMError, LLMRateLimitError
from coda_cli.engine.core.event_schema import event_schema
from coda_cli.engine.core.events import SCHEMA_VERSION, Event
from coda_cli.engine.core.prompts import Adapted, Noticed
from coda_cli.engine.core.tools import ApprovalRequest, Decision
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.usage.budget import Scope
from tests.unit.tool_rounds import Person

DOCS = Path(__file__).parents[2] / "docs"
KINDS: tuple[type[Any], ...] = get_args(Event)
VALID = Draft202012Validator(event_schema())
NAMES = [kind.__name__ for kind in KINDS]

# ---- the schema itself ----------------------------------------------------------------------------------------


def test_it_is_a_schema_of_its_dialect_that_knows_every_event_by_its_type() -> None:
    schema = event_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["version"] == SCHEMA_VERSION
    assert [one["$ref"].rpartition("/")[2] for one in schema["oneOf"]] == NAMES
    for kind in KINDS:
        made = schema["$defs"][kind.__name__]
        assert made["properties"]["type"]["const"] == kind.type
        assert made["required"] == ["type", *(field.name for field in fields(kind))]
        assert made["additionalProperties"] is True


def test_every_field_says_what_it_means() -> None:
    objects = event_schema()["$defs"]
    silent = [
        (name, field)
        for name, one in objects.items()
        for field, shape in one["properties"].items()
        if not shape.get("description")
    ]
    assert silent == [], "add them to _MEANS in engine/core/event_schema.py"
    assert [name for name, one in objects.items() if not one["description"]] == []


def test_the_exported_file_and_the_page_are_those_of_the_program() -> None:
    script = runpy.run_path(str(DOCS / "events.py"))
    exported = cast("Callable[[Any], str]", script["exported"])
    written = cast("Callable[[str, Any], str]", script["written"])
    page = (DOCS / "events.md").read_text("utf-8")
    assert (DOCS / "events.schema.json").read_text("utf-8") == exported(event_schema()), "run python docs/events.py"
    assert written(page, event_schema()) == page, "run python docs/events.py"
    assert [f"### `{kind.type}` (`{kind.__name__}`)" in page for kind in KINDS] == [True] * len(KINDS)


def test_the_command_prints_what_is_exported() -> None:
    printed = CliRunner().invoke(command.app, ["schema"]).stdout
    assert json.loads(printed) == json.loads((DOCS / "events.schema.json").read_text("utf-8"))


def test_the_command_lists_every_type_with_its_fields() -> None:
    rows = json.loads(CliRunner().invoke(command.app, ["types", "--json"]).stdout)
    assert [row["type"] for row in rows] == [kind.type for kind in KINDS]
    assert rows[NAMES.index("ResponseChunk")]["fields"] == ["type", "seq", "time", "conversation_id", "delta"]
    text = CliRunner().invoke(command.app, ["types"]).stdout
    assert all(f"{kind.type}\n" in text for kind in KINDS)
    assert f"schema {SCHEMA_VERSION}," in text


# ---- what is valid by it --------------------------------------------------------------------------------------

# JSON has no NaN and no lone surrogates
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(min_value=0, max_value=2**53)
for of, strategy in ((str, TEXTS), (float, NUMBERS), (int, COUNTS)):
    st.register_type_strategy(of, strategy)
USAGES = st.builds(TokenUsage, **dict.fromkeys(TokenUsage.model_fields, COUNTS))


def subclasses(kind: type[LLMError]) -> list[type[LLMError]]:
    return [kind, *(below for one in kind.__subclasses__() for below in subclasses(one))]


ERRORS = st.builds(
    lambda kind, message, hint, provider, model, status, request_id, retry_after: kind(
        message,
        hint=hint,
        provider=provider,
        model=model,
        status=status,
        request_id=request_id,
        retry_after=retry_after,
    ).describe(),
    st.sampled_from(subclasses(LLMError)),
    TEXTS,
    *[st.none() | TEXTS] * 3,
    st.none() | st.integers(100, 599),
    st.none() | TEXTS,
    st.none() | NUMBERS,
)
CALLS = st.lists(st.fixed_dictionaries({"id": TEXTS, "name": TEXTS, "arguments": TEXTS}), max_size=3)
# What the engine puts into fields whose hints are wider than that.
GIVEN: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("", "usage"): USAGES,
    ("", "error"): ERRORS,
    ("", "calls"): CALLS,
    ("", "decision"): st.sampled_from([one.value for one in Decision]),
    ("", "finish_reason"): st.sampled_from([one.value for one in FinishReason]),
    ("", "scope"): st.sampled_from(get_args(Scope)),
    ("", "unit"): st.sampled_from(["usd", "tokens"]),
    ("approval_requested", "request"): st.from_type(ApprovalRequest).map(lambda one: one.to_json()),
    ("memory_update", "changes"): st.lists(st.from_type(Noticed).map(asdict), max_size=3),
    ("persona_update", "changes"): st.lists(st.from_type(Adapted).map(asdict), max_size=3),
    ("response_complete", "status"): st.sampled_from(["complete", "interrupted"]),
    ("response_error", "status"): st.sampled_from(["incomplete", "error"]),
}


def events_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any event of this kind that the engine could make."""
    hints = get_type_hints(kind)
    return st.builds(
        kind,
        **{
            field.name: GIVEN.get((kind.type, field.name), GIVEN.get(("", field.name), st.from_type(hints[field.name])))
            for field in fields(kind)
        },
    )


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_whatever_is_in_an_event_it_is_valid(kind: type[Any]) -> None:
    @settings(max_examples=40, deadline=None)
    @given(events_of(kind))
    def check(event: Any) -> None:
        data = json.loads(json.dumps(event.to_json(), allow_nan=False))
        VALID.validate(data)

    check()


def a_chunk(**changes: Any) -> dict[str, Any]:
    return {"type": "response_chunk", "seq": 1, "time": 1.5, "conversation_id": "c", "delta": "x", **changes}


def test_a_field_of_a_later_version_does_no_harm() -> None:
    VALID.validate(a_chunk(new_field={"of": "a later version"}))


@pytest.mark.parametrize(
    "data",
    [
        a_chunk(delta=None),
        a_chunk(seq="1"),
        a_chunk(type="response_chunks"),
        {key: value for key, value in a_chunk().items() if key != "delta"},
        {**a_chunk(), "type": "response_error"},
        [],
        "response_chunk",
    ],
)
def test_what_is_no_event_is_told_apart(data: Any) -> None:
    assert not VALID.is_valid(data)


def test_an_error_that_lacks_a_part_is_told_apart() -> None:
    data = {"type": "retry_scheduled", "seq": 0, "time": 0.0, "conversation_id": "", "attempt": 1, "max_retries": 3}
    error = LLMRateLimitError("slow down", retry_after=2.0).describe()
    assert VALID.is_valid({**data, "wait": 0.5, "error": error})
    assert not VALID.is_valid({**data, "wait": 0.5, "error": {**error, "message": None}})


def test_a_hint_without_a_json_form_is_refused() -> None:
    from coda_cli.engine.core.event_schema import _of_hint

    with pytest.raises(TypeError, match="no JSON form"):
        _of_hint(CodaError)


# ---- what the engine tells in truth ---------------------------------------------------------------------------


class Agreeing(Person):
    """Says yes for this chat to what it is asked."""

    def __init__(self) -> None:
        super().__init__(lambda request: Approval(Decision.CHAT, request.digest))


async def told(manager: LLMManager, prompt: str, **options: Any) -> list[dict[str, Any]]:
    """What an answer tells, as JSON, each of it valid."""
    events = [event.to_json() async for event in manager.generate_response(prompt, **options).events()]
    for event in events:
        VALID.validate(json.loads(json.dumps(event, allow_nan=False)))
    return events


async def test_what_an_answer_with_everything_tells_is_valid(tmp_path: Path) -> None:
    call = Reply("I write.", reasoning="hm", tool_calls=[("write_file", '{"path": "a.txt", "content": "x"}')])
    unwell = Reply(error=LLMRateLimitError("slow down", retry_after=0.01))
    provider = ScriptedProvider(replies=[call, "Done.", unwell, "Again.", Reply("part", error=LLMError("no"))])
    manager = LLMManager(LLMConfig(providers={"s": provider.config}, default_provider="s"))
    manager._providers["s"] = provider
    await manager.set_tool_manager(ToolManager(folder=tmp_path))
    await manager.set_memory_manager(MemoryManager())
    await manager.set_personality_manager(PersonalityManager())
    manager.set_approver(Agreeing())
    seen = await told(manager, "Remember that I live in Bern, and write it down", conversation_id="c")
    seen += await told(manager, "Shorter please", conversation_id="c")
    seen += await told(manager, "And now?", conversation_id="c")
    await manager.aclose()
    assert {event["type"] for event in seen} >= {
        "conversation_created",
        "response_start",
        "reasoning_chunk",
        "response_chunk",
        "function_calls",
        "approval_requested",
        "approval_answered",
        "function_result",
        "memory_update",
        "persona_update",
        "retry_scheduled",
        "response_complete",
        "response_error",
        "analytics_update",
    }


async def test_what_a_reached_budget_a_fallback_and_the_cache_tell_is_valid() -> None:
    down = ScriptedProvider(replies=[Reply(error=LLMOverloadedError("down"))])
    down.config.max_retries, down.config.fallback = 0, ["well"]
    well = ScriptedProvider(replies=["Hello"])
    config = LLMConfig(providers={"down": down.config, "well": well.config}, default_provider="down")
    config.enable_caching = True
    manager = LLMManager(config)
    manager._providers.update(down=down, well=well)
    seen = await told(manager, "hi")
    seen += await told(manager, "hi", provider="well") + await told(manager, "hi", provider="well")
    config.budget.request.tokens = 1
    seen += await told(manager, "another", provider="well")
    await manager.aclose()
    types = [event["type"] for event in seen]
    assert {"provider_fallback", "cache_hit", "budget_reached"} <= set(types)
    assert [event["cached"] for event in seen if event["type"] == "response_complete"].count(True) >= 1


async def test_what_a_full_context_tells_is_valid() -> None:
    provider = ScriptedProvider(replies=["A sentence. " * 8])
    config = LLMConfig(providers={"s": provider.config}, default_provider="s")
    config.conversation.summarize_threshold = 4
    manager = LLMManager(config)
    manager._providers["s"] = provider
    seen: list[dict[str, Any]] = []
    for number in range(4):
        seen += await told(manager, f"Tell me about the number {number}. " * 40, conversation_id="c")
    config.conversation.auto_summarize = False
    config.conversation.max_messages = 2
    seen += await told(manager, "And the last one", conversation_id="c")
    await manager.aclose()
    assert {"context_compacting", "context_compacted", "context_trimmed"} <= {event["type"] for event in seen}
