"""The user's example, "What time is it and what's 2+2?", over every wire format and transport, with the real tools."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from coda_cli.engine.core.config import LLMConfig
from coda_cli.engine.core.events import FunctionCalls, FunctionResult, ResponseChunk
from coda_cli.engine.core.messages import MessageRole, ToolResultPart
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.tools.manager import ToolManager
from tests.servers.script import Call, Say, Script, Stop, Think, Used, say
from tests.servers.vendors import FakeVendor
from tests.unit.wire_cases import TARGETS, Target, bench, each_target

CALLS: Script = [
    *say("Let me see."),
    Call("call_1", "get_time", ['{"timezone"', ': "UTC"}']),
    Call("call_2", "calculator", ['{"expr', 'ession": "2', '+2"}']),
    Used(input=40, output=9),
]
ANSWER: Script = [*say("It is noon, and 2+2 is 4."), Used(input=70, output=8)]


async def with_tools(manager: LLMManager) -> LLMManager:
    await manager.set_tool_manager(ToolManager())
    return manager


def sent_tools(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> JSON Schema, as each vendor is told."""
    out = {}
    for tool in body["tools"]:
        tool = tool.get("function", tool)
        out[tool["name"]] = tool.get("parameters") or tool["input_schema"]
    return out


def results_in(target: Target, body: dict[str, Any]) -> list[tuple[str, str]]:
    """(id or name, text) of every result in a request."""
    match target.wire:
        case "openai":
            return [(m["tool_call_id"], m["content"]) for m in body["messages"] if m["role"] == "tool"]
        case "responses":
            return [(i["call_id"], i["output"]) for i in body["input"] if i.get("type") == "function_call_output"]
        case "anthropic":
            blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
            return [
                (b["tool_use_id"], b["content"] if isinstance(b["content"], str) else b["content"][0]["text"])
                for b in blocks
                if b["type"] == "tool_result"
            ]
        case "ollama":
            return [(m["tool_name"], m["content"]) for m in body["messages"] if m["role"] == "tool"]


@each_target
async def test_the_model_calls_two_tools_and_works_their_results_into_its_answer(target: Target) -> None:
    async with bench(target) as at:
        await with_tools(at.manager)
        at.fake.queue(CALLS, ANSWER)
        generation = at.manager.generate_response("What time is it and what's 2+2?")
        events = [event async for event in generation.events()]
        response = await generation
        first, second = (json.loads(request.body) for request in at.fake.asked)
        kept = await at.manager.store.messages(response.conversation_id)

    assert response.content == "Let me see.\n\nIt is noon, and 2+2 is 4."
    assert "".join(event.delta for event in events if isinstance(event, ResponseChunk)) == response.content
    assert [call.name for call in response.tool_calls] == ["get_time", "calculator"]
    assert (response.usage.input_tokens, response.usage.output_tokens) == (110, 17)

    tools = sent_tools(first)
    assert {"get_time", "calculator", "read_file"} <= tools.keys()
    assert list(tools) == sorted(tools)  # the same order every time, so that a vendor's prompt cache hits
    assert tools["calculator"]["properties"]["expression"]["type"] == "string"

    results = results_in(target, second)
    names = ["get_time", "calculator"] if target.wire == "ollama" else ["call_1", "call_2"]
    assert [name for name, _ in results] == names
    assert re.match(r"\d\d:\d\d:\d\d", results[0][1])
    assert results[1][1].endswith("4")

    (asked,) = [event for event in events if isinstance(event, FunctionCalls)]
    told = {event.call_id: event for event in events if isinstance(event, FunctionResult)}
    assert [call["id"] for call in asked.calls] == [call.id for call in response.tool_calls]
    assert not any(event.is_error for event in told.values())
    assert [message.role for message in kept] == [
        MessageRole.USER, MessageRole.ASSISTANT, MessageRole.TOOL, MessageRole.ASSISTANT,
    ]  # fmt: skip


@each_target
async def test_fragments_that_make_no_json_run_nothing_and_the_model_is_told(target: Target) -> None:
    if target.wire == "ollama":
        script: Script = [Call("c", "calculator", ['{"expression": 4}'])]  # Ollama sends objects: a wrong type instead
    else:
        script = [Call("c", "calculator", ['{"expression": "2+', ""])]
    async with bench(target) as at:
        await with_tools(at.manager)
        at.fake.queue(script, ANSWER)
        response = await at.manager.generate_response("2+2?")
        second = json.loads(at.fake.asked[1].body)
        kept = await at.manager.store.messages(response.conversation_id)
    (result,) = results_in(target, second)
    part = kept[2].parts[0]
    assert isinstance(part, ToolResultPart)
    assert (part.is_error, part.seconds) == (True, None)
    assert result[1] == part.text
    assert "expression" in part.text or "JSON" in part.text


@each_target
async def test_at_the_limit_the_vendor_is_asked_for_an_answer_without_tools(target: Target) -> None:
    async with bench(target) as at:
        await with_tools(at.manager)
        at.manager.config.function_calling.max_function_calls_per_turn = 2
        at.fake.queue(CALLS, ANSWER)
        response = await at.manager.generate_response("What time is it and what's 2+2?")
        second = json.loads(at.fake.asked[1].body)
    assert response.content.endswith("4.")
    if target.wire == "ollama":  # has no way to say it but to leave the tools out
        assert "tools" not in second
    else:
        assert second["tools"]
        assert second["tool_choice"] == ({"type": "none"} if target.wire == "anthropic" else "none")


@each_target
async def test_a_conversation_with_calls_goes_on_where_there_are_no_tools(target: Target) -> None:
    async with bench(target) as at:
        await with_tools(at.manager)
        at.fake.queue(CALLS, ANSWER, say("Of course."))
        first = await at.manager.generate_response("What time is it and what's 2+2?")
        await at.manager.set_tool_manager(None)
        again = await at.manager.continue_conversation(first.conversation_id, "Sure?")
        body = json.loads(at.fake.asked[2].body)
    assert again.content == "Of course."
    if target.wire == "anthropic":  # refuses calls in a conversation unless their tools are declared
        assert {tool["name"] for tool in body["tools"]} == {"get_time", "calculator"}
        assert body["tool_choice"] == {"type": "none"}
    else:
        assert "tools" not in body


@pytest.mark.parametrize("first", ["anthropic", "responses", "openai"])
async def test_a_conversation_with_calls_goes_on_with_another_vendor(first: str) -> None:
    """Ids, thinking and signatures of one vendor are no hindrance at the next."""
    think = Think("hm", signature="sig") if first != "openai" else Think("hm")
    order = [first, *({"anthropic", "responses", "openai", "ollama"} - {first})]
    fakes = {name: FakeVendor(Target(name, "lean").vendor) for name in order}  # type: ignore[arg-type]  # of WireName
    for name, fake in fakes.items():
        await fake.__aenter__()
        fake.queue(*([[think, *CALLS], ANSWER] if name == first else [[Say("Fine.")]]))
    try:
        providers = {name: Target(name, "lean").config(fakes[name].url) for name in order}  # type: ignore[arg-type]
        async with LLMManager(LLMConfig(providers=providers, default_provider=first)) as manager:
            await with_tools(manager)
            response = await manager.generate_response("What time is it and what's 2+2?")
            for name in order[1:]:
                again = await manager.continue_conversation(response.conversation_id, "And?", provider=name)
                assert again.content == "Fine."
                assert len(results_in(Target(name, "lean"), json.loads(fakes[name].asked[-1].body))) == 2  # type: ignore[arg-type]
    finally:
        for fake in fakes.values():
            await fake.__aexit__(None, None, None)


@pytest.mark.parametrize("target", [target for target in TARGETS if target.wire != "ollama"], ids=lambda one: one.id)
async def test_an_answer_that_stops_at_its_length_within_a_call_runs_nothing(target: Target) -> None:
    async with bench(target) as at:
        await with_tools(at.manager)
        at.fake.queue([Call("c", "calculator", ['{"expression": "2+2"}']), Stop("length")], ANSWER)
        response = await at.manager.generate_response("2+2?")
        kept = await at.manager.store.messages(response.conversation_id)
    part = kept[2].parts[0]
    assert isinstance(part, ToolResultPart)
    assert part.seconds is None
    assert "cut" in part.text
