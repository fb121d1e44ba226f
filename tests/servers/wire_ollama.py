"""Ollama's native chat on the wire: NDJSON lines and whole answers.

Public API: `ollama_chat`, `ollama_chat_whole` (documented in `wire`), and `ndjson`.
Source of the format: https://github.com/ollama/ollama/blob/main/docs/api.md.
"""

import json

from tests.servers.script import (
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
from tests.servers.wire_chat import JsonObject, dumps

__all__ = ["ndjson", "ollama_chat", "ollama_chat_whole"]

_WHEN = "2026-09-21T14:13:20.123456789Z"
# Ollama knows "stop", "length" and "load"; a tool call ends with "stop".
_REASONS = {"tool_calls": "stop", "refusal": "stop", "content_filter": "stop", "pause": "stop"}
_REASONS["context_window"] = "length"


def ndjson(value: object) -> bytes:
    """One line of newline-delimited JSON."""
    return f"{dumps(value)}\n".encode()


def _arguments(call: Call) -> object:
    """The arguments as the object that Ollama sends; text that is no JSON object goes out as it is."""
    text = "".join(call.arguments)
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _call(call: Call) -> JsonObject:
    return {"function": {"name": call.name, "arguments": _arguments(call)}}


def _last(script: Script, include_usage: bool) -> JsonObject:
    reason = stop_reason(script)
    last: JsonObject = {"done": True, "done_reason": _REASONS.get(reason, reason)}
    used = usage(script) if include_usage else None
    if used:
        last |= {
            "total_duration": 4_883_583_458,
            "load_duration": 1_334_875,
            "prompt_eval_count": used.input,
            "prompt_eval_duration": 342_546_000,
            "eval_count": used.output,
            "eval_duration": 4_535_599_000,
        }
    return last


def ollama_chat(
    script: Script, model: str = "fake-model", *, end: bool = True, done: bool = True, include_usage: bool = True
) -> list[bytes]:
    """The NDJSON lines of a streamed chat; see `wire` for the arguments."""

    def line(message: JsonObject, **more: object) -> bytes:
        whole = {"role": "assistant", "content": "", **message}
        return ndjson({"model": model, "created_at": _WHEN, "message": whole, "done": False, **more})

    lines: list[bytes] = []
    for item in script:
        match item:
            case Say() | Refuse():
                lines.append(line({"content": item.text}))
            case Think():
                lines.append(line({"thinking": item.text}))
            case Call():
                lines.append(line({"tool_calls": [_call(item)]}))
            case RawEvent():
                lines.append(item.data)
            case ErrorEvent():
                lines.append(ndjson({"error": item.message}))
                return lines
            case Ping():
                lines.append(b"\n")
            case Redacted() | Stop() | Used():
                pass
    if end and done:
        lines.append(line({}, **_last(script, include_usage)))
    return lines


def ollama_chat_whole(script: Script, model: str = "fake-model", *, end: bool = True) -> JsonObject:
    """The JSON of an unstreamed chat; see `wire`."""
    for item in script:
        if isinstance(item, ErrorEvent):
            return {"error": item.message}
    thinking = "".join(item.text for item in script if isinstance(item, Think))
    calls = [_call(item) for item in script if isinstance(item, Call)]
    message: JsonObject = {
        "role": "assistant",
        "content": "".join(item.text for item in script if isinstance(item, Say | Refuse)),
    }
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = calls
    last = _last(script, include_usage=True) if end else {"done": False}
    return {"model": model, "created_at": _WHEN, "message": message, **last}
