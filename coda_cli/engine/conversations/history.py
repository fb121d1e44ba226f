"""Stored messages -> messages that any vendor takes, so that no saved state can wedge a conversation.

A tool call without a result gets one that says it was interrupted, a result without a call is left out, an empty
message is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from coda_cli.engine.core.messages import LLMMessage, MessageRole, Part, TextPart, ToolCallPart, ToolResultPart
from coda_cli.engine.core.tools import INTERRUPTED


def sendable(messages: Sequence[LLMMessage]) -> list[LLMMessage]:
    """*messages* with every tool call paired with a result and nothing empty. The input is not changed."""
    out: list[LLMMessage] = []
    open_calls: dict[str, ToolCallPart] = {}
    for message in messages:
        parts: list[Part] = []
        called: dict[str, ToolCallPart] = {}
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                if open_calls.pop(part.id, None) is None:
                    continue  # nobody asked, or it has been answered
            elif isinstance(part, ToolCallPart):
                if part.id in called:
                    continue  # its result could not be told from the other's
                called[part.id] = part
            elif isinstance(part, TextPart) and not part.text:
                continue
            parts.append(part)
        answers = any(isinstance(part, ToolResultPart) for part in parts)
        if open_calls and (parts or message.parts) and not answers:
            out.append(_interrupted(open_calls))
            open_calls = {}
        if parts:
            out.append(message if len(parts) == len(message.parts) else message.model_copy(update={"parts": parts}))
            open_calls |= called
    if open_calls:
        out.append(_interrupted(open_calls))
    return out


def _interrupted(calls: dict[str, ToolCallPart]) -> LLMMessage:
    parts: list[Part] = [
        ToolResultPart(id=call.id, name=call.name, text=INTERRUPTED, is_error=True) for call in calls.values()
    ]
    return LLMMessage(role=MessageRole.TOOL, parts=parts)
