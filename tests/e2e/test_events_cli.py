"""Events for programs: every line of stream-json is valid by the schema that `coda events schema` prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema.validators import Draft202012Validator

from coda_cli.engine.core.event_schema import event_kinds
from tests.e2e.program import Program
from tests.servers.errors import error_reply
from tests.servers.script import Call, Item, Stop, Used, say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

LIMITS = "[conversation]\nsummarize_threshold = 4\n"
Lines = list[dict[str, Any]]


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def stream(coda: Program) -> Callable[..., Lines]:
    """Run `coda ask --output-format stream-json ...`; its lines, each valid by the program's own schema."""
    valid = Draft202012Validator(coda.run("events", "schema").json)

    def run(*arguments: str, code: int = 0) -> Lines:
        ran = coda.run("ask", "--output-format", "stream-json", *arguments)
        assert ran.code == code, ran.error
        for line in ran.lines:
            valid.validate(line)
        check_order(ran.lines)
        return ran.lines

    return run


def check_order(lines: Lines) -> None:
    """The promises of docs/events.md on the order within one answer."""
    types = [line["type"] for line in lines]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    assert len({line["conversation_id"] for line in lines}) == 1
    begin = 1 if types[0] == "conversation_created" else 0
    assert types[begin] == "response_start"
    finals = [place for place, one in enumerate(types) if one in ("response_complete", "response_error")]
    assert len(finals) == 1
    assert types[finals[0] + 1 :] in ([], ["analytics_update"])
    for place, line in enumerate(lines):
        if line["type"] == "function_calls" and "function_result" in types:
            after = [one["call_id"] for one in lines[place:] if one["type"] == "function_result"]
            assert {call["id"] for call in line["calls"]} <= set(after)
    text = "".join(line["delta"] for line in lines if line["type"] == "response_chunk")
    assert text == lines[finals[0]].get("content", lines[finals[0]].get("partial"))


def kinds(lines: Lines) -> set[str]:
    return {line["type"] for line in lines}


def test_tools_memory_a_retry_an_error_and_a_full_context_are_all_told_as_promised(
    coda: Program, stream: Callable[..., Lines]
) -> None:
    seen: set[str] = set()
    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url, tables=LIMITS)
        calls: list[Item] = [
            Call("c1", "calculator", ['{"expression": "2+2"}']),
            Call("c2", "get_time"),
        ]
        fake.server.queue([*say("Let me see."), *calls, Stop("tool_calls")], [*say("It is 4."), Used(20, 4)])
        seen |= kinds(stream("-T", "get_time", "-T", "calculator", "2+2, and when?"))
        seen |= kinds(stream("Remember that I live in Bern"))
        fake.server.fail_first(1, error_reply("openai", "rate_limited", retry_after="0"))
        seen |= kinds(stream("hi"))
        fake.server.queue(error_reply("openai", "unauthorized"))
        seen |= kinds(stream("hi", code=4))
        for number in range(4):
            seen |= kinds(stream("-c", f"Tell me about the number {number}. " * 40))
    assert seen >= {
        "conversation_created",
        "response_start",
        "response_chunk",
        "function_calls",
        "function_result",
        "memory_update",
        "retry_scheduled",
        "context_compacting",
        "context_compacted",
        "response_complete",
        "response_error",
        "analytics_update",
    }


def test_a_broken_answer_is_told_with_what_came(coda: Program, stream: Callable[..., Lines]) -> None:
    from tests.servers.wire import stream_reply

    with ThreadedServer(FakeVendor("openai")) as fake:
        coda.served_by(fake.url)
        whole = stream_reply("openai", say("one two three four"))
        fake.server.queue(whole.but(body=whole.body[:3], end="eof"))
        last = [line for line in stream("hi", code=1) if line["type"] == "response_error"]
    assert [line["status"] for line in last] == ["incomplete"]
    assert last[0]["partial"].startswith("one")


def test_the_types_are_listed_for_people_and_for_programs(coda: Program) -> None:
    listed = coda.run("events", "types")
    assert listed.code == 0
    assert listed.err == b""
    names = [kind.type for kind in event_kinds()]
    assert [line for line in listed.text.splitlines() if line in names] == names
    assert [row["type"] for row in coda.run("events", "types", "--json").json] == names
    assert coda.files() == []


def test_help_shows_examples_and_an_unknown_word_is_an_error_of_usage(coda: Program) -> None:
    assert "coda events schema > events.schema.json" in coda.run("events", "--help").text
    assert coda.run("events", "nope").code == 2


def test_the_schema_on_a_pipe_is_one_line_of_json(coda: Program) -> None:
    ran = coda.run("events", "schema")
    assert ran.out.count(b"\n") == 1
    assert json.loads(ran.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
