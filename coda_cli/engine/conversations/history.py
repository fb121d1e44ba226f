"""Stored messages -> messages that any vendor takes, so that no saved state can wedge a conversation.

A tool call without a result gets one that says it was interrupted, a result without a call is left out, an empty
message is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.engine.core.messages import LLMMessage, MessageRole, Part, ToolCallPart, ToolResultPart

INTERRUPTED = "this call was interrupted and has no result"


def sendable(messages: Sequence[LLMMessage]) -> list[LLMMessage]:
    """*messages* with every tool call paired with a result and nothing empty. The input is not changed."""
    out: list[LLMMessage] = []
    open_calls: dict[str, ToolCallPart] = {}
    for message in messages:
        parts: list[Part] = [
            part for part in message.parts if not isinstance(part, ToolResultPart) or part.id in open_calls
        ]
        results = {part.id for part in parts if isinstance(part, ToolResultPart)}
        if open_calls and not results:
            out.append(_interrupted(open_calls))
            open_calls = {}
        for call_id in results:
            del open_calls[call_id]
        if not parts:
            continue
        out.append(message if len(parts) == len(message.parts) else message.model_copy(update={"parts": parts}))
        open_calls |= {call.id: call for call in message.tool_calls}
    if open_calls:
        out.append(_interrupted(open_calls))
    return out


def _interrupted(calls: dict[str, ToolCallPart]) -> LLMMessage:
    parts: list[Part] = [
        ToolResultPart(id=call.id, name=call.name, text=INTERRUPTED, is_error=True) for call in calls.values()
    ]
    return LLMMessage(role=MessageRole.TOOL, parts=parts)
