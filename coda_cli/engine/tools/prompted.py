"""Tools for models without native ones: told in the system prompt, called in text, results in plain messages.

Works around any provider, whether it streams or answers in one piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, assert_never

from msgspec.structs import replace

from coda_cli.engine.core.events import Finished, ProviderEvent, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    new_id,
    system,
)
from coda_cli.engine.core.ports import ProviderRequest, ToolSpec
from coda_cli.engine.core.profiles import ModelProfile
from coda_cli.engine.core.usage import FinishReason
from coda_cli.engine.tools.around import AroundProvider
from coda_cli.engine.tools.call_reader import CallReader

_HOW: Final = """\
You can call tools. To call one, end your message with a block of exactly this form and write nothing after it:
```tool_call
{"name": "NAME", "arguments": {"ARGUMENT": VALUE}}
```
Several calls are several blocks. The results come in the next message; never make one up. Call a tool only where it \
is needed, and answer everything else yourself. `?` marks an argument that may be left out. The tools:"""
_NO_MORE: Final = "Call no more tools: answer now, with what you have."
_FENCES: Final = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


class PromptedProvider(AroundProvider):
    """A provider whose model learns of tools by its prompt."""

    def profile(self, model: str) -> ModelProfile:
        """As the model is now: with tools."""
        return replace(super().profile(model), tools=True)

    def sent(self, request: ProviderRequest) -> ProviderRequest:
        """*request* as the model gets it: tools, calls and results in words.

        With a JSON Schema for the answer the model can't write a call, so it is told of none.
        """
        messages = _in_words(request.messages)
        if request.tools and request.schema is None:
            messages = _told(messages, tools_section(request.tools, request.tool_choice))
        return replace(request, messages=messages, tools=(), tool_choice="auto")

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        """One attempt at an answer; calls in its text come as calls, and the answer ends with them."""
        answer = self.inner.stream(self.sent(request))
        if not request.tools or request.schema is not None:
            async with aclosing(answer):
                async for event in answer:
                    yield event
            return
        reader = CallReader([tool.name for tool in request.tools])
        forbidden = request.tool_choice == "none"
        spoken = False
        finished: Finished | None = None
        async with aclosing(answer):
            async for event in answer:
                match event:
                    case TextDelta(text):
                        if shown := reader.feed(text):
                            spoken = spoken or bool(shown.strip())
                            yield TextDelta(shown)
                        if reader.done:
                            break
                    case Finished():
                        finished = event
                    case ReasoningDelta() | ToolCallDelta() | Usage():
                        yield event
                    case _:
                        assert_never(event)
        if finished is None and not reader.done:
            if rest := reader.abandon():
                yield TextDelta(rest)
            return
        if rest := reader.finish():
            spoken = spoken or bool(rest.strip())
            yield TextDelta(rest)
        if reader.calls and forbidden and spoken:
            yield Finished(FinishReason.STOP) if finished is None else finished
            return
        for index, call in enumerate(reader.calls):
            yield ToolCallDelta(index, new_id("call"), call.name, call.arguments)
        yield _end(finished, reader)

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """As the provider counts what is sent."""
        return await self.inner.count_tokens(self.sent(request))


def _end(finished: Finished | None, reader: CallReader) -> Finished:
    finished = finished or Finished(FinishReason.TOOL_CALLS)
    given_up = finished.reason in (FinishReason.REFUSAL, FinishReason.CONTENT_FILTER)
    if not reader.calls or given_up or (reader.cut and finished.reason is FinishReason.LENGTH):
        return finished
    return replace(finished, reason=FinishReason.TOOL_CALLS)


# ---- tools in words -----------------------------------------------------------------------------------------------


def tools_section(tools: Sequence[ToolSpec], choice: str) -> str:
    """What the system prompt says of *tools*."""
    lines = [_HOW, *(line for tool in tools for line in _tool(tool))]
    return "\n".join([*lines, _NO_MORE] if choice == "none" else lines)


def _tool(tool: ToolSpec) -> Iterator[str]:
    properties = tool.parameters.get("properties")
    fields = properties if isinstance(properties, Mapping) else {}
    required = tool.parameters.get("required") or ()
    signature = ", ".join(
        f"{name}{'' if name in required else '?'}: {_type(schema)}" for name, schema in fields.items()
    )
    yield f"- {tool.name}({signature}): {' '.join(tool.description.split())}"
    for name, schema in fields.items():
        if isinstance(schema, Mapping) and (text := schema.get("description")):
            yield f"  - {name}: {' '.join(str(text).split())}"


def _type(schema: Any) -> str:
    """A JSON Schema as a person would write the type; one that has no short form stays as it is."""
    if not isinstance(schema, Mapping):
        return "any"
    if "enum" in schema:
        return "|".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return "|".join(_type(one) for one in schema[several])
    kind = schema.get("type")
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}" if "items" in schema else "array"
    if kind == "object" and schema.get("properties"):
        return json.dumps({k: v for k, v in schema.items() if k != "description"}, ensure_ascii=False)
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return "|".join(str(one) for one in kind)
    return json.dumps(dict(schema), ensure_ascii=False) if schema else "any"


def _told(messages: Sequence[LLMMessage], section: str) -> list[LLMMessage]:
    """*messages* with *section* at the end of the first system message."""
    if messages and messages[0].role is MessageRole.SYSTEM:
        return [system(f"{messages[0].content}\n\n{section}"), *messages[1:]]
    return [system(section), *messages]


# ---- calls and results in words -----------------------------------------------------------------------------------


def _in_words(messages: Sequence[LLMMessage]) -> list[LLMMessage]:
    """*messages* with calls and results as text; results and a question that follows them are one message."""
    out: list[LLMMessage] = []
    after_results = False
    for message in messages:
        if message.role is MessageRole.TOOL:
            texts = [_result(part) for part in message.parts if isinstance(part, ToolResultPart)]
            made = LLMMessage(role=MessageRole.USER, parts=[TextPart(text="\n\n".join(texts))])
        else:
            made = _message(message)
        if after_results and made.role is MessageRole.USER:
            out[-1] = LLMMessage(role=MessageRole.USER, parts=[*out[-1].parts, TextPart(text="\n\n"), *made.parts])
        else:
            out.append(made)
        after_results = message.role is MessageRole.TOOL or (after_results and made.role is MessageRole.USER)
    return out


def _message(message: LLMMessage) -> LLMMessage:
    if not message.tool_calls:
        return message
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolCallPart):
            before = parts[-1].text if parts and isinstance(parts[-1], TextPart) else ""
            gap = "" if not before or before.endswith("\n") else "\n"
            parts.append(TextPart(text=f"{gap}{_written(part)}"))
        else:
            parts.append(part)
    return message.model_copy(update={"parts": parts})


def _written(call: ToolCallPart) -> str:
    try:
        json.loads(call.arguments)
        arguments = call.arguments
    except (ValueError, RecursionError):  # broken: the model sees it, as text, and what came of it
        arguments = json.dumps(call.arguments, ensure_ascii=False)
    return f'```tool_call\n{{"name": {json.dumps(call.name, ensure_ascii=False)}, "arguments": {arguments}}}\n```\n'


def _result(part: ToolResultPart) -> str:
    fence = "`" * max([3, *(len(found) + 1 for found in _FENCES.findall(part.text))])
    word = "Error" if part.is_error else "Result"
    return f"{word} of {part.name}:\n{fence}\n{part.text}\n{fence}"
