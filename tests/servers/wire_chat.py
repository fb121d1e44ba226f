"""OpenAI Chat Completions on the wire: SSE chunks and whole answers.

Public API: `openai_chat`, `openai_chat_whole` (both documented in `wire`), and `sse`, `dumps` for the other formats.
Source of the format: https://platform.openai.com/docs/api-reference/chat-streaming; `reasoning_content` is what
DeepSeek, vLLM and llama.cpp add to it.
"""

import json

from tests.servers.script import (
    CREATED,
    Call,
    ErrorEvent,
    Ping,
    RawEvent,
    Redacted,
    Refuse,
    Say,
    Script,
    Stop,
    Think,
    Used,
    stop_reason,
    usage,
)

__all__ = ["JsonObject", "chat_usage", "dumps", "openai_chat", "openai_chat_whole", "sse"]

JsonObject = dict[str, object]

_ID = "chatcmpl-fake0000000000000000000001"
# Chat Completions has no word for a pause; a refusal stands in the message, and a full window reads as "length".
_REASONS = {"refusal": "stop", "pause": "stop", "context_window": "length"}


def dumps(value: object) -> str:
    """Compact JSON with non-ASCII characters raw, as the vendors send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sse(value: object, event: str | None = None) -> bytes:
    """One server-sent event with the value as its data."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {dumps(value)}\n\n".encode()


def chat_usage(used: Used) -> JsonObject:
    """The `usage` object of Chat Completions."""
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": used.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunk(model: str, choices: list[object], include_usage: bool, used: Used | None = None) -> bytes:
    chunk: JsonObject = {
        "id": _ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
        "choices": choices,
    }
    if include_usage:
        # With include_usage every chunk has the field, null in all but the last.
        chunk["usage"] = chat_usage(used) if used else None
    return sse(chunk)


def _call_deltas(call: Call, index: int) -> list[JsonObject]:
    head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
    rest = [{"index": index, "function": {"arguments": fragment}} for fragment in call.arguments]
    return [{"tool_calls": [part]} for part in [head, *rest]]


def openai_chat(
    script: Script,
    model: str = "fake-model",
    *,
    end: bool = True,
    done: bool = True,
    include_usage: bool = True,
    reasoning_field: str = "reasoning_content",
) -> list[bytes]:
    """The SSE events of a streamed Chat Completions answer; see `wire` for the arguments.

    `reasoning_field` names the delta's field for reasoning: OpenRouter and newer vLLM call it "reasoning".
    """
    include_usage = include_usage and usage(script) is not None

    def chunk(delta: JsonObject, reason: str | None = None) -> bytes:
        return _chunk(model, [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}], include_usage)

    events = [chunk({"role": "assistant", "content": "", "refusal": None})]
    calls = 0
    for item in script:
        match item:
            case Say():
                events.append(chunk({"content": item.text}))
            case Think():
                events.append(chunk({reasoning_field: item.text}))
            case Refuse():
                events.append(chunk({"refusal": item.text}))
            case Call():
                events += [chunk(delta) for delta in _call_deltas(item, calls)]
                calls += 1
            case RawEvent():
                events.append(item.data)
            case ErrorEvent():
                events.append(sse(_error(item)))
                end = done = False
            case Ping():
                events.append(b": keep-alive\n\n")
            case Redacted() | Stop() | Used():
                pass
    if not end:
        return events
    reason = stop_reason(script)
    events.append(chunk({}, _REASONS.get(reason, reason)))
    if include_usage:
        events.append(_chunk(model, [], True, usage(script)))
    if done:
        events.append(b"data: [DONE]\n\n")
    return events


def _error(item: ErrorEvent) -> JsonObject:
    return {"error": {"message": item.message, "type": item.type, "param": None, "code": item.type}}


def openai_chat_whole(script: Script, model: str = "fake-model", *, end: bool = True) -> JsonObject:
    """The JSON of an unstreamed Chat Completions answer; see `wire`."""
    for item in script:
        if isinstance(item, ErrorEvent):
            return _error(item)
    text = "".join(item.text for item in script if isinstance(item, Say))
    thinking = "".join(item.text for item in script if isinstance(item, Think))
    refusal = "".join(item.text for item in script if isinstance(item, Refuse))
    calls = [item for item in script if isinstance(item, Call)]
    message: JsonObject = {"role": "assistant", "content": text or None, "refusal": refusal or None, "annotations": []}
    if thinking:
        message["reasoning_content"] = thinking
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": "".join(call.arguments)}}
            for call in calls
        ]
    elif not refusal:
        message["content"] = text
    reason = stop_reason(script)
    answer: JsonObject = {
        "id": _ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": _REASONS.get(reason, reason) if end else None,
            }
        ],
    }
    used = usage(script)
    if used:
        answer["usage"] = chat_usage(used)
    return answer
