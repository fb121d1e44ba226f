"""Anthropic's Messages API on the wire: SSE events and whole answers.

Public API: `anthropic_messages`, `anthropic_messages_whole` (documented in `wire`).
Source of the format: https://docs.anthropic.com/en/docs/build-with-claude/streaming.
"""

import json

from tests.servers.script import (
    Block,
    Call,
    ErrorEvent,
    Ping,
    RawEvent,
    Redacted,
    Refuse,
    Say,
    Script,
    Think,
    Used,
    blocks,
    stop_reason,
    usage,
)
from tests.servers.wire_chat import JsonObject, sse

__all__ = ["anthropic_messages", "anthropic_messages_whole"]

_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
    "context_window": "model_context_window_exceeded",
}
_SIGNATURE = "ZmFrZS1zaWduYXR1cmU="


def _reason(script: Script) -> str:
    reason = stop_reason(script)
    return _REASONS.get(reason, reason)


def _usage(used: Used, output: int) -> JsonObject:
    """The prompt's tokens, cached ones apart: Anthropic's input_tokens leaves them out."""
    return {
        "input_tokens": used.input - used.cached - used.cache_write,
        "cache_creation_input_tokens": used.cache_write,
        "cache_read_input_tokens": used.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": used.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def _details(used: Used) -> JsonObject:
    return {"output_tokens_details": {"thinking_tokens": used.reasoning}} if used.reasoning else {}


def _message(model: str, content: list[JsonObject], reason: str | None, used: JsonObject) -> JsonObject:
    return {
        "id": "msg_fake0001",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": used,
    }


def _content(block: Block, *, begun: bool = False) -> JsonObject | None:
    """The content block, as it is at its end or (`begun`) in content_block_start; None for what is no content."""
    first = block.items[0]
    if isinstance(first, Call):
        # The input is whatever the fragments say: scripts may hold broken JSON, which only a stream can carry.
        try:
            arguments: object = {} if begun else json.loads("".join(first.arguments) or "{}")
        except ValueError:
            arguments = {}
        return {"type": "tool_use", "id": first.id, "name": first.name, "input": arguments}
    if isinstance(first, Redacted):
        return {"type": "redacted_thinking", "data": first.data}
    if block.kind is Think:
        if begun:
            return {"type": "thinking", "thinking": "", "signature": ""}
        return {"type": "thinking", "thinking": block.text, "signature": _signature(block)}
    if block.kind in (Say, Refuse):
        return {"type": "text", "text": "" if begun else block.text}
    return None


def _signature(block: Block) -> str:
    signatures = [item.signature for item in block.items if isinstance(item, Think) and item.signature is not None]
    return signatures[-1] if signatures else _SIGNATURE


def _aside(item: object) -> list[bytes]:
    """The events of what is not content."""
    if isinstance(item, RawEvent):
        return [item.data]
    if isinstance(item, Ping):
        return [sse({"type": "ping"}, "ping")]
    if isinstance(item, ErrorEvent):
        return [sse(_error(item), "error")]
    return []


def _error(item: ErrorEvent) -> JsonObject:
    error = {"type": item.type, "message": item.message}
    return {"type": "error", "error": error, "request_id": "req_fake0001"}


def _deltas(block: Block) -> list[JsonObject | bytes]:
    """The deltas of one block in order, with the raw events that stand between them."""
    result: list[JsonObject | bytes] = []
    for item in block.items:
        match item:
            case Say() | Refuse():
                result.append({"type": "text_delta", "text": item.text})
            case Think():
                result.append({"type": "thinking_delta", "thinking": item.text})
            case Call():
                # The first delta of a tool's input is always an empty one.
                fragments = ["", *item.arguments]
                result += [{"type": "input_json_delta", "partial_json": fragment} for fragment in fragments]
            case _:
                result += _aside(item)
    if block.kind is Think:
        result.append({"type": "signature_delta", "signature": _signature(block)})
    return result


def anthropic_messages(
    script: Script, model: str = "fake-model", *, end: bool = True, done: bool = True, include_usage: bool = True
) -> list[bytes]:
    """The SSE events of a streamed Messages answer; see `wire` for the arguments."""
    used = (usage(script) if include_usage else None) or Used(0, 0)
    start = {"type": "message_start", "message": _message(model, [], None, _usage(used, min(used.output, 1)))}
    events = [sse(start, "message_start")]
    index = 0
    for block in blocks(script):
        failed = any(isinstance(item, ErrorEvent) for item in block.items)
        begun = _content(block, begun=True)
        if begun is None:
            events += [event for item in block.items for event in _aside(item)]
        else:
            opened = {"type": "content_block_start", "index": index, "content_block": begun}
            events.append(sse(opened, "content_block_start"))
            if index == 0:
                events.append(sse({"type": "ping"}, "ping"))
            for delta in _deltas(block):
                if isinstance(delta, bytes):
                    events.append(delta)
                    if failed and delta.startswith(b"event: error"):
                        break
                else:
                    body = {"type": "content_block_delta", "index": index, "delta": delta}
                    events.append(sse(body, "content_block_delta"))
        if failed:
            return events
        if begun is not None:
            events.append(sse({"type": "content_block_stop", "index": index}, "content_block_stop"))
            index += 1
    if end:
        last = {
            "type": "message_delta",
            "delta": {"stop_reason": _reason(script), "stop_sequence": None},
            "usage": {**_usage(used, used.output), **_details(used)},
        }
        events.append(sse(last, "message_delta"))
        if done:
            events.append(sse({"type": "message_stop"}, "message_stop"))
    return events


def anthropic_messages_whole(script: Script, model: str = "fake-model", *, end: bool = True) -> JsonObject:
    """The JSON of an unstreamed Messages answer; see `wire`."""
    for item in script:
        if isinstance(item, ErrorEvent):
            return _error(item)
    content = [part for block in blocks(script) if (part := _content(block)) is not None]
    used = usage(script) or Used(0, 0)
    figures = {**_usage(used, used.output), **_details(used)}
    return _message(model, content, _reason(script) if end else None, figures)
