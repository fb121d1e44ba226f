"""Is what was sent fit to be sent: would the vendor take this history.

The rules are those that the vendors answer with 400: every tool call has its result, no result lacks its call, nothing
is empty, arguments are JSON objects, and the person speaks last.
"""

from __future__ import annotations

import json

from tests.servers.request import Recorded
from tests.unit.wire_cases import Target


def check_request(target: Target, request: Recorded) -> None:
    """Fail unless the vendor would take the messages of *request*: calls paired, nothing empty, the user last."""
    if target.wire == "responses":
        _check_responses(request)
        return
    messages = request.data["messages"]
    assert isinstance(messages, list)
    assert messages[-1]["role"] == "user"
    if target.wire == "anthropic":
        _check_anthropic(messages)
        return
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            key = message.get("tool_call_id") or message.get("tool_name")
            assert key in waiting, f"a result for no call: {message}"
            waiting.remove(key)
            continue
        assert not waiting, f"no result for {waiting}"
        calls = message.get("tool_calls") or []
        assert message["content"] or calls, f"an empty message: {message}"
        for call in calls:
            _check_arguments(call["function"]["arguments"], target.wire == "openai")
            waiting.append(call["id"] if target.wire == "openai" else call["function"]["name"])
    assert not waiting, f"no result for {waiting}"


def _check_arguments(arguments: object, text: bool) -> None:
    # servers that render a chat template parse them, and answer 400 or 500 to what is no object
    value = json.loads(arguments) if text and isinstance(arguments, str) else arguments
    assert isinstance(value, dict), f"arguments that are no object: {arguments!r}"


def _check_responses(request: Recorded) -> None:
    items = request.data["input"]
    assert isinstance(items, list)
    assert items[-1].get("role") == "user"
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    results = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    assert sorted(calls) == sorted(results)
    assert len(set(calls)) == len(calls)
    for item in items:
        if item.get("type") == "function_call":
            _check_arguments(item["arguments"], True)
        if "role" in item:
            assert item["content"], f"an empty message: {item}"


def _check_anthropic(messages: list[dict[str, list[dict[str, object]]]]) -> None:
    waiting: list[object] = []
    before: object = "assistant"
    for message in messages:
        assert message["role"] != before, "two turns of one role"
        before = message["role"]
        blocks = message["content"]
        assert blocks
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert results == waiting, "the results must answer the calls of the turn before"
        assert all(block["type"] == "tool_result" for block in blocks[: len(results)])
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
        for block in blocks:
            assert block["type"] != "text" or str(block["text"]).strip(), "an empty text block"
            assert block["type"] != "tool_use" or isinstance(block["input"], dict)
    assert not waiting
