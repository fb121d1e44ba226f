"""Chat Completions: request -> JSON, event JSON -> ProviderEvents. Pure.

The format is OpenAI's "Chat Completions" API reference; `reasoning_content` and `reasoning` are what vLLM, llama.cpp,
DeepSeek and OpenRouter add to it for the model's thinking.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.parts import (
    AUDIO_FORMAT,
    base64_text,
    count,
    data_url,
    sendable_arguments,
    strict_schema,
)
from coda_cli.engine.providers.status import from_event
from coda_cli.engine.providers.wire import JSON

_REASONS: Final = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


def chat_body(request: ProviderRequest, profile: ModelProfile) -> JSON:
    """The body of POST /chat/completions, streamed."""
    options = dict(request.options)
    body: JSON = {
        "model": request.model,
        "messages": [sent for message in request.messages for sent in _message(message)],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if (limit := options.pop("max_tokens", None)) is not None:
        body[profile.output_field] = limit
    if (effort := options.pop("effort", None)) is not None:
        body["reasoning_effort"] = effort
    if request.schema is not None:
        shape = {"name": "answer", "schema": dict(request.schema), "strict": strict_schema(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in request.tools
        ]
        if request.tool_choice == "none":
            body["tool_choice"] = "none"
    return {**body, **options}


def _message(message: LLMMessage) -> list[JSON]:
    if message.role is MessageRole.TOOL:
        return [
            {"role": "tool", "tool_call_id": part.id, "content": part.text}
            for part in message.parts
            if isinstance(part, ToolResultPart)
        ]
    out: JSON = {"role": message.role.value, "content": _content(message.parts)}
    if calls := message.tool_calls:
        out["content"] = out["content"] or None
        out["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": sendable_arguments(call.arguments)},
            }
            for call in calls
        ]
    elif not out["content"] and message.role is MessageRole.ASSISTANT:
        return []
    return [out]


def _content(parts: Sequence[Part]) -> str | list[JSON]:
    sent = [item for part in parts if (item := _part(part)) is not None]
    if all(item["type"] == "text" for item in sent):
        return "".join(item["text"] for item in sent)
    return sent


def _part(part: Part) -> JSON | None:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image_url", "image_url": {"url": data_url(part)}}
        case AudioPart():
            sound = {"data": base64_text(part), "format": AUDIO_FORMAT.get(part.media_type, "wav")}
            return {"type": "input_audio", "input_audio": sound}
        case FilePart():
            return {"type": "file", "file": {"filename": part.name or "file.pdf", "file_data": data_url(part)}}
        case ReasoningPart() | ToolCallPart() | ToolResultPart():
            return None
        case _:
            assert_never(part)


class ChatMapping:
    """One Chat Completions answer. The end marker is a finish_reason, or `[DONE]` from servers that give none."""

    def __init__(self) -> None:
        self._finish: FinishReason | None = None
        self._refused = False
        self._done = False
        self._last: int | None = None
        self._model: str | None = None
        self._id: str | None = None

    def feed(self, name: str, data: JSON) -> Iterable[ProviderEvent]:
        """What one chunk says."""
        if name == "[DONE]":
            self._finish = self._finish or FinishReason.UNKNOWN
            self._done = True
            return
        if data.get("error"):
            raise from_event(data)
        self._model = data.get("model") or self._model
        self._id = data.get("id") or self._id
        for choice in data.get("choices") or ():
            if choice.get("index", 0) == 0:
                yield from self._choice(choice, choice.get("delta") or {})
        if usage := data.get("usage"):
            yield Usage(_usage(usage))

    def whole(self, data: JSON) -> Iterable[ProviderEvent]:
        """What a whole answer says."""
        if data.get("error"):
            raise from_event(data)
        if not data.get("choices"):
            raise KeyError("choices")
        self._model, self._id = data.get("model"), data.get("id")
        choice = data["choices"][0]
        yield from self._choice(choice, choice["message"])
        if usage := data.get("usage"):
            yield Usage(_usage(usage))

    def _choice(self, choice: JSON, delta: JSON) -> Iterable[ProviderEvent]:
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str):
            yield ReasoningDelta(thought)
        if content := delta.get("content"):
            yield TextDelta(_text(content))
        if refusal := delta.get("refusal"):
            self._refused = True
            yield TextDelta(_text(refusal))
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            yield ToolCallDelta(
                index=self._index(call),
                id=call.get("id"),
                name=function.get("name"),
                arguments=_arguments(function.get("arguments")),
            )
        if reason := choice.get("finish_reason"):
            self._finish = _REASONS.get(reason, FinishReason.UNKNOWN)

    def _index(self, call: JSON) -> Any:
        """The call's index; where a compatible server gives none, a new id is a new call."""
        index = call.get("index")
        if index is None:
            if call.get("id") or self._last is None:
                self._last = 0 if self._last is None else self._last + 1
            return self._last
        if isinstance(index, int):
            self._last = index
        return index

    @property
    def over(self) -> bool:
        """Whether nothing of this answer can follow: usage comes after the finish_reason, nothing after `[DONE]`."""
        return self._done

    def end(self) -> Iterable[ProviderEvent]:
        """`Finished`, if the vendor said so."""
        if self._finish is not None:
            yield Finished(FinishReason.REFUSAL if self._refused else self._finish, self._model, self._id)


def _arguments(value: Any) -> str:
    """A fragment of JSON text; an object, as some compatible servers send it, written out."""
    return json.dumps(value) if isinstance(value, dict) else value or ""


def _text(value: Any) -> str:
    """Text, or the text parts of a list of parts, as some compatible servers send it."""
    if isinstance(value, list):
        return "".join(item["text"] for item in value if item.get("type") == "text")
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _usage(usage: JSON) -> TokenUsage:
    return TokenUsage(
        input_tokens=count(usage, "prompt_tokens"),
        output_tokens=count(usage, "completion_tokens"),
        cached_tokens=count(usage, "prompt_tokens_details", "cached_tokens"),
        cache_write_tokens=count(usage, "prompt_tokens_details", "cache_write_tokens"),
        reasoning_tokens=count(usage, "completion_tokens_details", "reasoning_tokens"),
        input_audio_tokens=count(usage, "prompt_tokens_details", "audio_tokens"),
        output_audio_tokens=count(usage, "completion_tokens_details", "audio_tokens"),
    )
