"""The body of `POST /v1/chat/completions` -> what Coda asks. Pure mapping.

Source of the format: OpenAI's API reference, "Create chat completion". What Coda does not know is left out and told in
the header `coda-ignored`; what would change the answer and cannot be done is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Struct, field
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    LLMMessage,
    MessageRole,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.core.ports import ToolSpec
from coda_cli.server.refused import Refused

_IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
_AUDIO: Final = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_SAME: Final = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")


class BadRequest(Refused):
    """A request that is wrong: `param` names the field."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(status, message, code or "invalid_value")
        self.param = param


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _Text(_Body):
    type: Literal["text"]
    text: str


class _Refusal(_Body):
    type: Literal["refusal"]
    refusal: str


class _Url(_Body):
    url: str


class _Image(_Body):
    type: Literal["image_url"]
    image_url: _Url


class _Sound(_Body):
    data: str
    format: Literal["wav", "mp3"]


class _Audio(_Body):
    type: Literal["input_audio"]
    input_audio: _Sound


class _Document(_Body):
    file_data: str
    filename: str | None = None


class _File(_Body):
    type: Literal["file"]
    file: _Document


_Content = Annotated[_Text | _Refusal | _Image | _Audio | _File, Field(discriminator="type")]


class _Called(_Body):
    name: str
    arguments: str = ""


class _Call(_Body):
    id: str
    type: Literal["function"] = "function"
    function: _Called


class _Message(_Body):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[_Content] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Function(_Body):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None


class _Tool(_Body):
    type: Literal["function"]
    function: _Function


class _Shape(_Body):
    name: str = "answer"
    json_schema: dict[str, JsonValue] | None = Field(default=None, alias="schema")


class _Format(_Body):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Shape | None = None


class _StreamOptions(_Body):
    include_usage: bool = False


class _Chat(BaseModel):
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    model: str = Field(min_length=1, max_length=300)
    messages: list[_Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, gt=0)
    max_completion_tokens: int | None = Field(default=None, gt=0)
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    response_format: _Format | None = None
    tools: list[_Tool] | None = None
    tool_choice: JsonValue = None
    n: int | None = None
    logprobs: bool | None = None


class ChatRequest(Struct, frozen=True):
    """What a program asks: the last of *messages* is the question, or the results of tools."""

    model: str
    messages: Sequence[LLMMessage]
    system_prompt: str | None
    options: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None
    tools: Sequence[ToolSpec] = ()
    stream: bool = False
    include_usage: bool = False
    ignored: Sequence[str] = field(default=())


def read_request(raw: bytes) -> ChatRequest:
    """The request in *raw*. Raises BadRequest."""
    try:
        chat = _Chat.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = ".".join(str(one) for one in first["loc"])[:200] or None
        raise BadRequest(f"{param or 'the body'}: {first['msg']}", param) from None
    if chat.n not in (None, 1):
        raise BadRequest("one answer a request: ask again for another", "n", "unsupported_value")
    if chat.logprobs:
        raise BadRequest("there are no log probabilities here", "logprobs", "unsupported_value")
    if chat.tool_choice not in (None, "auto", "none"):
        raise BadRequest("a model can't be made to call a tool here", "tool_choice", "unsupported_value")
    messages, system_prompt = _messages(chat.messages)
    return ChatRequest(
        model=chat.model,
        messages=messages,
        system_prompt=system_prompt,
        options=_options(chat),
        schema=_schema(chat.response_format),
        tools=() if chat.tool_choice == "none" else _tools(chat.tools or ()),
        stream=bool(chat.stream),
        include_usage=chat.stream_options is not None and chat.stream_options.include_usage,
        ignored=sorted(name[:60] for name in chat.model_extra or () if name.isascii() and name.isidentifier())[:20],
    )


def _options(chat: _Chat) -> dict[str, Any]:
    options = {name: value for name in _SAME if (value := getattr(chat, name)) is not None}
    if (most := chat.max_completion_tokens or chat.max_tokens) is not None:
        options["max_tokens"] = most
    if chat.stop:
        options["stop"] = chat.stop
    if chat.reasoning_effort is not None:
        options["effort"] = chat.reasoning_effort
    return options


def _schema(wanted: _Format | None) -> Mapping[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "object"}
    if wanted.json_schema is None or wanted.json_schema.json_schema is None:
        raise BadRequest("the schema is missing", "response_format.json_schema.schema")
    return wanted.json_schema.json_schema


def _tools(tools: Sequence[_Tool]) -> list[ToolSpec]:
    nothing = {"type": "object", "properties": {}}
    return [
        ToolSpec(one.function.name, one.function.description or "", one.function.parameters or nothing) for one in tools
    ]


def _messages(given: Sequence[_Message]) -> tuple[list[LLMMessage], str | None]:
    """The messages, and what the system and the developer say in one text."""
    out: list[LLMMessage] = []
    said: list[str] = []
    names: dict[str, str] = {}
    for number, one in enumerate(given):
        where = f"messages.{number}"
        match one.role:
            case "system" | "developer":
                said.append(_plain(one, where))
            case "user":
                out.append(LLMMessage(role=MessageRole.USER, parts=_parts(one, where)))
            case "assistant":
                calls = [
                    ToolCallPart(id=c.id, name=c.function.name, arguments=c.function.arguments) for c in _calls(one)
                ]
                names |= {call.id: call.name for call in calls}
                text = _plain(one, where)
                parts: list[Part] = [TextPart(text=text)] if text else []
                out.append(LLMMessage(role=MessageRole.ASSISTANT, parts=[*parts, *calls]))
            case "tool":
                if one.tool_call_id not in names:
                    raise BadRequest("it answers no call of a message before it", f"{where}.tool_call_id")
                result = ToolResultPart(id=one.tool_call_id, name=names[one.tool_call_id], text=_plain(one, where))
                if out and out[-1].role is MessageRole.TOOL:
                    out[-1].parts = [*out[-1].parts, result]
                else:
                    out.append(LLMMessage(role=MessageRole.TOOL, parts=[result]))
    if not out or out[-1].role is MessageRole.ASSISTANT:
        raise BadRequest("the last message has to be a question, or the result of a tool", "messages")
    return out, "\n\n".join(text for text in said if text) or None


def _calls(message: _Message) -> Sequence[_Call]:
    return message.tool_calls or ()


def _plain(message: _Message, where: str) -> str:
    """The text of a message that can hold nothing else."""
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    texts: list[str] = []
    for part in message.content:
        if isinstance(part, _Text | _Refusal):
            texts.append(part.text if isinstance(part, _Text) else part.refusal)
        else:
            raise BadRequest(f"a message of the {message.role} holds text only", f"{where}.content")
    return "".join(texts)


def _parts(message: _Message, where: str) -> list[Part]:
    if not isinstance(message.content, list):
        return [TextPart(text=message.content)] if message.content else []
    return [_part(part, f"{where}.content.{number}") for number, part in enumerate(message.content)]


def _part(part: _Content, where: str) -> Part:
    if isinstance(part, _Text):
        return TextPart(text=part.text)
    if isinstance(part, _Refusal):
        return TextPart(text=part.refusal)
    if isinstance(part, _Audio):
        return AudioPart(data=_decoded(part.input_audio.data, where), media_type=_AUDIO[part.input_audio.format])
    if isinstance(part, _File):
        kind, data = _data_url(part.file.file_data, where)
        if kind != "application/pdf":
            raise BadRequest("only PDF files are taken; put text into the message", where)
        return FilePart(data=data, media_type=kind, name=part.file.filename)
    kind, data = _data_url(part.image_url.url, where)
    if kind not in _IMAGES:
        raise BadRequest(f"an image has to be one of: {', '.join(_IMAGES)}", where)
    return ImagePart(data=data, media_type=kind)


def _data_url(url: str, where: str) -> tuple[str, bytes]:
    head, found, data = url.partition(",")
    scheme, _, kind = head.partition(":")
    if not found or scheme.lower() != "data" or not kind.endswith(";base64"):
        raise BadRequest("nothing is fetched here: send it as a data: URL with base64", where, "invalid_url")
    return kind.removesuffix(";base64").lower(), _decoded(data, where)


def _decoded(data: str, where: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("this is no base64", where, "invalid_base64") from None
