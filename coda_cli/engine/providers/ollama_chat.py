"""Ollama's native chat: request -> JSON, line of NDJSON -> ProviderEvents. Pure.

The format is "Generate a chat completion" in Ollama's API documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

from coda_cli.engine.core.errors import LLMInvalidRequestError
from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    MessageRole,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.core.ports import ProviderRequest
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.usage import FinishReason, TokenUsage
from coda_cli.engine.providers.parts import arguments, base64_text, count
from coda_cli.engine.providers.status import from_event
from coda_cli.engine.providers.wire import JSON

MIN_CONTEXT: Final = 8_192

# Generous guesses, since a window that is too small loses text and one that is too large only memory.
_BYTES_PER_TOKEN: Final = 3
_TOKENS_PER_IMAGE: Final = 2_048
_TOKENS_PER_MESSAGE: Final = 8
_ANSWER_TOKENS: Final = 4_096

_TOP_LEVEL: Final = frozenset({"keep_alive", "think", "format", "truncate", "shift", "logprobs", "top_logprobs"})
_LEVELS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_REASONS: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


def chat_body(request: ProviderRequest, profile: ModelProfile) -> JSON:
    """The body of POST /api/chat, streamed.

    Options go into `options` under Ollama's names, but for those that belong beside it (`keep_alive`, `think`,
    `format`, ...). Raises LLMInvalidRequestError for an unknown effort.
    """
    options = dict(request.options)
    body: JSON = {"model": request.model, "messages": _messages(request.messages), "stream": True}
    if request.schema is not None:
        body["format"] = dict(request.schema)
    if request.tools and request.tool_choice == "auto":  # Ollama has no word for "none"
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
    effort = options.pop("effort", None)
    if effort is not None and profile.thinking != "none":
        body["think"] = _think(effort, request.model)
    if (limit := options.pop("max_tokens", None)) is not None:
        options.setdefault("num_predict", limit)
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    for name in _TOP_LEVEL & options.keys():
        body[name] = options.pop(name)
    options.setdefault("num_ctx", context_size(body, options.get("num_predict"), profile.context_window))
    body["options"] = options
    return body


def _think(effort: Any, model: str) -> bool | str:
    """Ollama's `think`: levels for the models that have them, on or off for all others."""
    if effort != "none" and effort not in _LEVELS:
        raise LLMInvalidRequestError(
            f"{effort!r} is no effort", hint=f"choose one of none, {', '.join(_LEVELS)}", final=True
        )
    if "gpt-oss" in model.lower():
        return _LEVELS.get(effort, "low")  # it can't stop thinking altogether
    return bool(effort != "none")


def context_size(body: JSON, limit: Any, window: int | None) -> int:
    """`num_ctx` for *body*: the estimated need, at most the model's *window*.

    It is always sent, because Ollama's default is a small window (4,096 tokens on most machines) beyond which it cuts
    the beginning off without a word. Powers of two, because Ollama loads a model again for every new size.
    """
    need = limit if isinstance(limit, int) and limit > 0 else _ANSWER_TOKENS
    for message in body["messages"]:
        images = message.get("images") or ()
        rest = {name: value for name, value in message.items() if name != "images"}
        need += _tokens(rest) + len(images) * _TOKENS_PER_IMAGE + _TOKENS_PER_MESSAGE
    need += _tokens(body.get("tools") or "")
    size = MIN_CONTEXT
    while size < need:
        size *= 2
    return size if window is None else min(size, window)


def _tokens(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) // _BYTES_PER_TOKEN


def _messages(messages: Sequence[LLMMessage]) -> list[JSON]:
    asked = max((at for at, message in enumerate(messages) if message.role is MessageRole.USER), default=-1)
    out: list[JSON] = []
    for at, message in enumerate(messages):
        if message.role is MessageRole.TOOL:
            out += [
                {"role": "tool", "content": part.text, "tool_name": part.name}
                for part in message.parts
                if isinstance(part, ToolResultPart)
            ]
        # What was thought before the last question is over; within a round of tool calls it is still needed.
        elif sent := _message(message, keep_thinking=at > asked):
            out.append(sent)
    return out


def _message(message: LLMMessage, *, keep_thinking: bool) -> JSON | None:
    texts: list[str] = []
    thoughts: list[str] = []
    images: list[str] = []
    calls: list[JSON] = []
    for part in message.parts:
        match part:
            case TextPart():
                texts.append(part.text)
            case ImagePart():
                images.append(base64_text(part))
            case ReasoningPart():
                thoughts.append(part.text)
            case ToolCallPart():
                calls.append({"function": {"name": part.name, "arguments": arguments(part.arguments)}})
            case FilePart() | AudioPart():
                # only in a chat that began with another model; what is new was refused before
                texts.append(f"\n[an attachment that this model can't read: {part.media_type}]\n")
            case ToolResultPart():
                pass  # belongs to a message of the role tool
            case _:
                assert_never(part)
    out: JSON = {"role": message.role.value, "content": "".join(texts)}
    if keep_thinking and any(thoughts):
        out["thinking"] = "\n\n".join(thoughts)
    if images:
        out["images"] = images
    if calls:
        out["tool_calls"] = calls
    return out if len(out) > 2 or out["content"] else None


class ChatMapping:
    """One answer of Ollama's chat. The end marker is `done: true`."""

    def __init__(self) -> None:
        self._finish: FinishReason | None = None
        self._calls = 0
        self._model: str | None = None

    def feed(self, name: str, data: JSON) -> Iterable[ProviderEvent]:
        """What one line says."""
        if data.get("error"):
            raise from_event(data)
        message = data.get("message") or {}
        if thought := message.get("thinking"):
            yield ReasoningDelta(_text(thought))
        if content := message.get("content"):
            yield TextDelta(_text(content))
        for call in message.get("tool_calls") or ():
            function = call["function"]
            given = function.get("arguments")
            written = given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)
            yield ToolCallDelta(self._calls, call.get("id") or None, _text(function["name"]), written)
            self._calls += 1
        if data.get("done") is True:
            self._model = data.get("model")
            self._finish = self._reason(data.get("done_reason"))
            used = TokenUsage(input_tokens=count(data, "prompt_eval_count"), output_tokens=count(data, "eval_count"))
            if used.reported:
                yield Usage(used)

    def _reason(self, reason: Any) -> FinishReason:
        if reason == "stop" and self._calls:
            return FinishReason.TOOL_CALLS  # Ollama has no word for it
        # none: before 0.3; load, unload: the answer to a request without messages
        if reason in (None, "", "load", "unload"):
            return FinishReason.STOP
        return _REASONS.get(reason, FinishReason.UNKNOWN)

    def whole(self, data: JSON) -> Iterable[ProviderEvent]:
        """What a whole answer says."""
        return self.feed("", data)

    @property
    def over(self) -> bool:
        """Whether nothing of this answer can follow."""
        return self._finish is not None

    def end(self) -> Iterable[ProviderEvent]:
        """`Finished`, if Ollama said so."""
        if self._finish is not None:
            yield Finished(self._finish, self._model)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value
