"""The Messages API: request -> JSON, event JSON -> ProviderEvents. Pure.

The format is Anthropic's "Messages" API reference and its page on streaming. Signatures of the model's thinking are
opaque and must come back unchanged with the next request; they are stored marked with the vendor, so that no other
vendor is ever sent one and a foreign one is dropped here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, assert_never

from coda_cli.engine.core.errors import LLMInvalidRequestError
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
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.core.profiles import SAMPLING, ModelProfile
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.parts import arguments, base64_text, count
from coda_cli.engine.providers.status import from_event
from coda_cli.engine.providers.wire import JSON

VENDOR: Final = "anthropic:"

# The vendor demands a limit and counts the thinking towards it, so a small one would cut long answers; a much larger
# one only lets a model that went astray run on. Servers of one's own (no known maximum) have small windows.
MAX_TOKENS: Final = 32_000
MAX_TOKENS_UNKNOWN: Final = 8_192

_BUDGETS: Final = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 32_768}
_THINKING: Final = ("thinking", "redacted_thinking")
_REASONS: Final = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.REFUSAL,
    "pause_turn": FinishReason.PAUSE,
    "model_context_window_exceeded": FinishReason.CONTEXT,
}
# What a JSON Schema may not hold here (platform documentation, "Structured outputs", limitations).
_UNTAKEN: Final = frozenset(
    [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    ]
)


def messages_body(request: ProviderRequest, profile: ModelProfile) -> JSON:
    """The body of POST /v1/messages, streamed.

    Beside the neutral options it takes `cache` (false switches prompt caching off, "1h" keeps the cache longer) and
    `thinking` (the vendor's object, one of its types, or true or false). Raises LLMInvalidRequestError for an unknown
    effort.
    """
    options = dict(request.options)
    body: JSON = {
        "model": request.model,
        "messages": _turns(request.messages),
        "stream": True,
    }
    system = [message.content for message in request.messages if message.role is MessageRole.SYSTEM]
    if texts := [text for text in system if text.strip()]:
        body["system"] = [{"type": "text", "text": text} for text in texts]
    if cache := _cache(options.pop("cache", True)):
        body["cache_control"] = cache
    thinking, effort = _thinking(options.pop("thinking", None), options.pop("effort", None), profile)
    if thinking is not None:
        body["thinking"] = thinking
    body["max_tokens"] = _limit(options.pop("max_tokens", None), thinking, profile)
    output: JSON = {"effort": effort} if effort else {}
    if request.schema is not None:
        output["format"] = {"type": "json_schema", "schema": output_schema(request.schema)}
    if output := {**output, **(options.pop("output_config", None) or {})}:
        body["output_config"] = output
    if tools := request.tools or _called(request.messages):
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
            for tool in tools
        ]
        if not request.tools or request.tool_choice == "none":
            body["tool_choice"] = {"type": "none"}
    if (stop := options.pop("stop", None)) is not None:
        body["stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    # There is no seed here, and a model that thinks takes no sampling parameters.
    thinks = thinking is not None and thinking.get("type") != "disabled"
    untaken = {"seed"} | (SAMPLING | {"top_k"} if thinks else SAMPLING - profile.sampling)
    return {**body, **{name: value for name, value in options.items() if name not in untaken}}


def _called(messages: Sequence[LLMMessage]) -> list[ToolSpec]:
    """The tools that were called earlier: a conversation with calls in it is refused unless they are declared."""
    names = dict.fromkeys(call.name for message in messages for call in message.tool_calls)
    return [ToolSpec(name, "no longer there", {"type": "object"}) for name in names]


def _cache(wish: Any) -> JSON | None:
    if wish is None or wish is False or str(wish).lower() in ("false", "off", "no", "0"):
        return None
    return {"type": "ephemeral", "ttl": wish} if wish in ("5m", "1h") else {"type": "ephemeral"}


def _thinking(wish: Any, effort: Any, profile: ModelProfile) -> tuple[JSON | None, str | None]:
    """(`thinking`, `output_config.effort`) for the vendor's option and the neutral one."""
    if isinstance(wish, bool):
        effort = ("high" if effort in (None, "none") else effort) if wish else "none"
    if effort not in (None, "none", *_BUDGETS):
        raise LLMInvalidRequestError(
            f"{effort!r} is no effort", hint=f"choose one of none, {', '.join(_BUDGETS)}", final=True
        )
    adaptive = profile.thinking == "adaptive"
    level = None if effort in (None, "none") or not adaptive else "low" if effort == "minimal" else str(effort)
    if isinstance(wish, Mapping | str):
        return {"type": wish} if isinstance(wish, str) else dict(wish), level
    if level is not None:
        # Some models leave their thinking out of the answer unless asked for it.
        return {"type": "adaptive", "display": "summarized"}, level
    if effort is None or profile.thinking == "none":
        return None, None
    if effort == "none":
        return {"type": "disabled"} if adaptive else None, None
    most = (profile.max_output or MAX_TOKENS_UNKNOWN) * 3 // 4
    return {"type": "enabled", "budget_tokens": min(_BUDGETS[effort], most)}, None


def _limit(wish: int | None, thinking: JSON | None, profile: ModelProfile) -> int:
    """`max_tokens`: what is wished for the answer, with the budget for thinking on top."""
    most = profile.max_output or MAX_TOKENS_UNKNOWN
    limit = min(most, MAX_TOKENS) if wish is None else wish
    budget = (thinking or {}).get("budget_tokens") or 0
    return limit if budget == 0 else max(budget + 1, min(limit + budget, most))


def output_schema(schema: Mapping[str, Any]) -> JSON:
    """*schema* as the vendor takes it: objects closed, constraints that it refuses put into the description."""
    out: JSON = {}
    told = []
    for key, value in schema.items():
        if key in _UNTAKEN or (key == "minItems" and value not in (0, 1)):
            told.append(f"{key} {json.dumps(value)}")
        elif key in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
            out[key] = {name: _subschema(child) for name, child in value.items()}
        elif key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            out["anyOf" if key == "oneOf" else key] = [_subschema(child) for child in value]
        else:
            out[key] = _subschema(value) if key == "items" else value
    if "properties" in schema or "object" in (schema.get("type"), *_listed(schema.get("type"))):
        out["additionalProperties"] = False
    if told:
        out["description"] = f"{schema.get('description', '')} ({', '.join(told)})".strip()
    return out


def _subschema(value: Any) -> Any:
    return output_schema(value) if isinstance(value, Mapping) else value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _turns(messages: Sequence[LLMMessage]) -> list[JSON]:
    """The messages in alternating turns of user and assistant, without what the vendor refuses."""
    turns: list[JSON] = []
    for message in messages:
        if message.role is MessageRole.SYSTEM:
            continue
        role = "assistant" if message.role is MessageRole.ASSISTANT else "user"
        blocks = [block for part in message.parts if (block := _block(part)) is not None]
        while blocks and blocks[-1]["type"] in _THINKING:
            blocks.pop()  # an answer that was stopped while it thought; no message may end in a thought
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    for turn in turns:
        if turn["role"] == "user":
            # the results of tools have to come before anything else that is said
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    if turns and turns[-1]["role"] == "assistant" and turns[-1]["content"][-1]["type"] == "text":
        turns[-1]["content"][-1]["text"] = turns[-1]["content"][-1]["text"].rstrip()  # a beginning to be continued
    return turns


def _block(part: Part) -> JSON | None:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text} if part.text.strip() else None
        case ImagePart():
            return {"type": "image", "source": _source(part)}
        case FilePart():
            return {"type": "document", "source": _source(part), **({"title": part.name} if part.name else {})}
        case AudioPart():
            # only in a chat that began with a model that hears; what is new was refused before
            return {"type": "text", "text": "[a recording that this model can't hear]"}
        case ReasoningPart(data=data) if data and data.startswith(VENDOR):
            return {"type": "redacted_thinking", "data": data.removeprefix(VENDOR)}
        case ReasoningPart(signature=signature) if signature and signature.startswith(VENDOR):
            return {"type": "thinking", "thinking": part.text, "signature": signature.removeprefix(VENDOR)}
        case ReasoningPart():
            return None
        case ToolCallPart():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments(part.arguments)}
        case ToolResultPart():
            result: JSON = {"type": "tool_result", "tool_use_id": part.id}
            if part.text.strip():
                result["content"] = part.text
            return {**result, "is_error": True} if part.is_error else result
        case _:
            assert_never(part)


def _source(part: ImagePart | FilePart) -> JSON:
    return {"type": "base64", "media_type": part.media_type, "data": base64_text(part)}


class MessagesMapping:
    """One answer of the Messages API. The end marker is `message_stop`."""

    def __init__(self) -> None:
        self._finish: FinishReason | None = None
        self._ended = False
        self._usage: JSON = {}
        self._signatures: dict[int, str] = {}
        self._calls: dict[int, str] = {}  # by block: the arguments to fall back on while no fragment came
        self._model: str | None = None
        self._id: str | None = None

    def feed(self, name: str, data: JSON) -> Iterable[ProviderEvent]:
        """What one event says."""
        match data.get("type") or name:
            case "content_block_delta":
                yield from self._delta(data["index"], data["delta"])
            case "message_start":
                message = data["message"]
                self._model, self._id = message.get("model"), message.get("id")
                yield from self._counted(message.get("usage"))
            case "content_block_start":
                yield from self._block(data["index"], data["content_block"])
            case "content_block_stop":
                yield from self._closed(data["index"])
            case "message_delta":
                self._stopped(data["delta"].get("stop_reason"))
                yield from self._counted(data.get("usage"))
            case "message_stop":
                self._ended = True
            case "error":
                raise _error(data)
            case _:
                # pings, and what the vendor may add: the documentation asks clients to skip events they do not know
                if data.get("error"):
                    raise _error(data)

    def whole(self, data: JSON) -> Iterable[ProviderEvent]:
        """What a whole answer says."""
        if data.get("type") == "error" or data.get("error"):
            raise _error(data)
        self._model, self._id = data.get("model"), data.get("id")
        for index, block in enumerate(data["content"]):
            yield from self._block(index, block)
            yield from self._closed(index)
        yield from self._counted(data.get("usage"))
        self._stopped(data.get("stop_reason"))
        self._ended = self._finish is not None

    @property
    def over(self) -> bool:
        """Whether nothing of this answer can follow."""
        return self._ended

    def end(self) -> Iterable[ProviderEvent]:
        """`Finished`, if the vendor said so."""
        if self._ended:
            yield Finished(self._finish or FinishReason.UNKNOWN, self._model, self._id)

    def _block(self, index: int, block: JSON) -> Iterable[ProviderEvent]:
        """The beginning of a content block; in a whole answer all of it. Unknown kinds are the vendor's own tools."""
        match block["type"]:
            case "text" if block.get("text"):
                yield TextDelta(_text(block["text"]))
            case "thinking":
                if block.get("thinking"):
                    yield ReasoningDelta(_text(block["thinking"]))
                if block.get("signature"):
                    self._signatures[index] = _text(block["signature"])
            case "redacted_thinking":
                yield ReasoningDelta(data=VENDOR + _text(block["data"]))
            case "tool_use":
                self._calls[index] = json.dumps(block.get("input") or {}, ensure_ascii=False)
                yield ToolCallDelta(index, _text(block["id"]), _text(block["name"]))
            case _:
                pass

    def _delta(self, index: int, delta: JSON) -> Iterable[ProviderEvent]:
        match delta["type"]:
            case "text_delta":
                yield TextDelta(_text(delta["text"]))
            case "thinking_delta":
                yield ReasoningDelta(_text(delta["thinking"]))
            case "signature_delta":
                self._signatures[index] = _text(delta["signature"])
            case "input_json_delta" if delta["partial_json"] and index in self._calls:
                self._calls[index] = ""
                yield ToolCallDelta(index, arguments=_text(delta["partial_json"]))
            case _:
                pass  # citations, and the input of the vendor's own tools

    def _closed(self, index: int) -> Iterable[ProviderEvent]:
        if signature := self._signatures.pop(index, None):
            yield ReasoningDelta(signature=VENDOR + signature)
        if rest := self._calls.pop(index, None):
            yield ToolCallDelta(index, arguments=rest)

    def _stopped(self, reason: str | None) -> None:
        if reason is not None:
            self._finish = _REASONS.get(reason, FinishReason.UNKNOWN)

    def _counted(self, usage: JSON | None) -> Iterable[ProviderEvent]:
        """Usage comes twice, the second time without what has not changed."""
        if usage:
            self._usage.update({name: value for name, value in usage.items() if value is not None})
            yield Usage(_usage(self._usage))


def _error(data: JSON) -> Exception:
    error = from_event(data)
    request_id = data.get("request_id")
    error.request_id = request_id if isinstance(request_id, str) else None
    return error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _usage(usage: JSON) -> TokenUsage:
    """The vendor's `input_tokens` leaves out what was read from and written to its cache."""
    read, written = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
    return TokenUsage(
        input_tokens=count(usage, "input_tokens") + read + written,
        output_tokens=count(usage, "output_tokens"),
        cached_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=count(usage, "cache_creation", "ephemeral_1h_input_tokens"),
        reasoning_tokens=count(usage, "output_tokens_details", "thinking_tokens"),
        web_searches=count(usage, "server_tool_use", "web_search_requests"),
    )
