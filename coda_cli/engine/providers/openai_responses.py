"""The Responses API: request -> JSON, event JSON -> ProviderEvents. Pure.

The format is OpenAI's "Responses" API reference. Nothing is stored at the vendor (`store: false`); a reasoning item
comes back encrypted and is sent again with the next request, marked with the vendor so that no other one gets it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

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
    arguments,
    base64_text,
    count,
    data_url,
    sendable_arguments,
    strict_schema,
)
from coda_cli.engine.providers.status import from_event
from coda_cli.engine.providers.wire import JSON

VENDOR: Final = "openai:"
_INCOMPLETE: Final = {
    "max_output_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}


def responses_body(request: ProviderRequest, profile: ModelProfile) -> JSON:
    """The body of POST /responses, streamed."""
    options = dict(request.options)
    system = [message.content for message in request.messages if message.role is MessageRole.SYSTEM]
    body: JSON = {
        "model": request.model,
        "input": [item for message in request.messages for item in _items(message, reasons=profile.reasons)],
        "stream": True,
        "store": False,
    }
    if system:
        body["instructions"] = "\n\n".join(system)
    if (limit := options.pop("max_tokens", None)) is not None:
        body["max_output_tokens"] = limit
    effort = options.pop("effort", None)
    if profile.reasons:
        body["reasoning"] = {"summary": "auto"}
        body["include"] = ["reasoning.encrypted_content"]
    if effort is not None:
        body["reasoning"] = {**body.get("reasoning", {}), "effort": effort}
    for unknown in ("seed", "stop"):  # Chat Completions has them, this API does not
        options.pop(unknown, None)
    if request.schema is not None:
        body["text"] = {
            "format": {
                "type": "json_schema",
                "name": "answer",
                "schema": dict(request.schema),
                "strict": strict_schema(request.schema),
            }
        }
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
                "strict": False,
            }
            for tool in request.tools
        ]
        if request.tool_choice == "none":
            body["tool_choice"] = "none"
    return {**body, **options}


def _items(message: LLMMessage, *, reasons: bool) -> list[JSON]:
    if message.role is MessageRole.SYSTEM:
        return []
    out: list[JSON] = []
    content: list[JSON] = []
    said = "output_text" if message.role is MessageRole.ASSISTANT else "input_text"
    for part in message.parts:
        if isinstance(part, ReasoningPart) and not reasons:
            continue  # a model that does not reason refuses it
        item = _own_item(part)
        if item is not None:
            out.append(item)
        elif (piece := _content(part, said)) is not None:
            content.append(piece)
            if out and out[-1].get("content") is content:
                continue
            out.append({"role": message.role.value, "content": content})
        if item is not None:
            content = []
    return out


def _own_item(part: Part) -> JSON | None:
    """The parts that are items beside the messages."""
    match part:
        case ToolCallPart():
            return {
                "type": "function_call",
                "call_id": part.id,
                "name": part.name,
                "arguments": sendable_arguments(part.arguments),
            }
        case ToolResultPart():
            return {"type": "function_call_output", "call_id": part.id, "output": part.text}
        case ReasoningPart(data=data) if data and data.startswith(VENDOR):
            return arguments(data.removeprefix(VENDOR)) or None
        case _:
            return None


def _content(part: Part, said: str) -> JSON | None:
    match part:
        case TextPart():
            return {"type": said, "text": part.text}
        case ImagePart():
            return {"type": "input_image", "image_url": data_url(part)}
        case AudioPart():
            sound = {"data": base64_text(part), "format": AUDIO_FORMAT.get(part.media_type, "wav")}
            return {"type": "input_audio", "input_audio": sound}
        case FilePart():
            return {"type": "input_file", "filename": part.name or "file.pdf", "file_data": data_url(part)}
        case _:
            return None


class ResponsesMapping:
    """One answer of the Responses API. The end marker is `response.completed` or `response.incomplete`."""

    def __init__(self) -> None:
        self._finish: FinishReason | None = None
        self._refused = False
        self._called = False
        self._thoughts = 0
        self._model: str | None = None
        self._id: str | None = None

    def feed(self, name: str, data: JSON) -> Iterable[ProviderEvent]:
        """What one event says."""
        match data.get("type") or name:
            case "response.output_text.delta":
                yield TextDelta(data["delta"])
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield ReasoningDelta(data["delta"])
            case "response.reasoning_summary_part.added":
                self._thoughts += 1
                if self._thoughts > 1:
                    yield ReasoningDelta("\n\n")
            case "response.refusal.delta":
                self._refused = True
                yield TextDelta(data["delta"])
            case "response.output_item.added" if data["item"].get("type") == "function_call":
                self._called = True
                item = data["item"]
                yield ToolCallDelta(data["output_index"], item["call_id"], item["name"])
            case "response.function_call_arguments.delta":
                yield ToolCallDelta(data["output_index"], arguments=data["delta"])
            case "response.output_item.done" if data["item"].get("type") == "reasoning":
                yield from _closed_reasoning(data["item"])
            case "response.completed" | "response.incomplete":
                yield from self._ended(data["response"])
            case "response.failed":
                raise from_event(data["response"], fallback="the provider could not finish the answer")
            case "error":
                raise from_event({"error": data.get("error") or data})
            case "[DONE]":
                pass
            case _:
                if data.get("error"):
                    raise from_event(data)

    def whole(self, data: JSON) -> Iterable[ProviderEvent]:
        """What a whole answer says."""
        if data.get("error"):
            raise from_event(data)
        for index, item in enumerate(data["output"]):
            match item["type"]:
                case "reasoning":
                    texts = [piece["text"] for piece in item.get("summary") or ()]
                    yield ReasoningDelta("\n\n".join(texts))
                    yield from _closed_reasoning(item)
                case "message":
                    for piece in item["content"]:
                        self._refused = self._refused or piece["type"] == "refusal"
                        yield TextDelta(piece.get("text") or piece.get("refusal") or "")
                case "function_call":
                    self._called = True
                    yield ToolCallDelta(index, item["call_id"], item["name"], item["arguments"])
                case _:
                    pass
        yield from self._ended(data)

    def _ended(self, response: JSON) -> Iterable[ProviderEvent]:
        self._model, self._id = response.get("model"), response.get("id")
        match response.get("status"):
            case "completed" | None:
                self._finish = FinishReason.TOOL_CALLS if self._called else FinishReason.STOP
            case "incomplete":
                why = (response.get("incomplete_details") or {}).get("reason")
                self._finish = _INCOMPLETE.get(str(why), FinishReason.UNKNOWN)
            case "failed":
                raise from_event(response, fallback="the provider could not finish the answer")
            case _:
                pass  # in_progress, cancelled, queued: not an end that can be shown as one
        if usage := response.get("usage"):
            yield Usage(_usage(usage))

    @property
    def over(self) -> bool:
        """Whether nothing of this answer can follow."""
        return self._finish is not None

    def end(self) -> Iterable[ProviderEvent]:
        """`Finished`, if the vendor said so."""
        if self._finish is not None:
            yield Finished(FinishReason.REFUSAL if self._refused else self._finish, self._model, self._id)


def _closed_reasoning(item: JSON) -> Iterable[ProviderEvent]:
    """The reasoning item as it must be sent again, if the vendor gave its encrypted content."""
    if item.get("encrypted_content"):
        kept = {name: item[name] for name in ("type", "id", "summary", "encrypted_content") if name in item}
        kept.setdefault("summary", [])
        yield ReasoningDelta(data=VENDOR + json.dumps(kept))


def _usage(usage: dict[str, Any]) -> TokenUsage:
    return TokenUsage(
        input_tokens=count(usage, "input_tokens"),
        output_tokens=count(usage, "output_tokens"),
        cached_tokens=count(usage, "input_tokens_details", "cached_tokens"),
        cache_write_tokens=count(usage, "input_tokens_details", "cache_write_tokens"),
        reasoning_tokens=count(usage, "output_tokens_details", "reasoning_tokens"),
    )
