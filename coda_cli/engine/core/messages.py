"""What is said: messages and their parts. Pure values; nothing here knows a vendor.

A message is a role and a list of parts; `content` is the text of its text parts. Binary data is `bytes` in memory
and base64 in JSON.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MessageRole(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class TextPart(_Part):
    """Plain text or Markdown."""

    type: Literal["text"] = "text"
    text: str


class ReasoningPart(_Part):
    """The model's thinking. `signature` and `data` are opaque and only mean something to the vendor `provider`."""

    type: Literal["reasoning"] = "reasoning"
    text: str = ""
    signature: str | None = None
    data: str | None = None
    provider: str | None = None


class _BinaryPart(_Part):
    data: bytes = Field(repr=False)
    media_type: str
    name: str | None = None


class ImagePart(_BinaryPart):
    """An image (`image/png`, `image/jpeg`, `image/gif`, `image/webp`)."""

    type: Literal["image"] = "image"


class AudioPart(_BinaryPart):
    """A recording (`audio/wav`, `audio/mpeg`)."""

    type: Literal["audio"] = "audio"


class FilePart(_BinaryPart):
    """A document that the vendor reads itself (`application/pdf`)."""

    type: Literal["file"] = "file"


class ToolCallPart(_Part):
    """The model asks for a tool. `arguments` is the JSON text exactly as the model wrote it."""

    type: Literal["tool_call"] = "tool_call"
    id: str
    name: str
    arguments: str


class ToolResultPart(_Part):
    """What a tool gave back for the call `id`: `text` for the model, `display` (Markdown, "": the text) for a person.

    `seconds` is how long it took, None where it did not run.
    """

    type: Literal["tool_result"] = "tool_result"
    id: str
    name: str
    text: str
    is_error: bool = False
    display: str = ""
    seconds: float | None = None


Part = Annotated[
    TextPart | ReasoningPart | ImagePart | AudioPart | FilePart | ToolCallPart | ToolResultPart,
    Field(discriminator="type"),
]
MediaPart = ImagePart | AudioPart | FilePart


def new_id(prefix: str) -> str:
    """A fresh id such as `msg-3f2a...` (80 random bits)."""
    return f"{prefix}-{uuid.uuid4().hex[:20]}"


class LLMMessage(BaseModel):
    """One message: `LLMMessage(role=MessageRole.USER, content="Hello")` is enough.

    `content` reads and replaces the text; `parts` holds everything. `status` is "complete", "interrupted",
    "incomplete" or "error" (assistant messages only). `created` is Unix time in seconds.
    """

    model_config = ConfigDict(validate_assignment=True)

    role: MessageRole
    parts: list[Part] = Field(default_factory=list)
    message_id: str = Field(default_factory=lambda: new_id("msg"))
    created: float = Field(default_factory=time.time)
    status: str = "complete"
    metadata: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _text_becomes_a_part(cls, data: Any) -> Any:
        if isinstance(data, dict) and "content" in data:
            data = dict(data)
            content = data.pop("content")
            parts = list(data.get("parts") or ())
            if isinstance(content, str):
                parts = [{"type": "text", "text": content}, *parts] if content else parts
            elif isinstance(content, Sequence):
                parts = [*content, *parts]
            data["parts"] = parts
        return data

    @property
    def content(self) -> str:
        """The text of all text parts."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @content.setter
    def content(self, text: str) -> None:
        others: list[Part] = [part for part in self.parts if not isinstance(part, TextPart)]
        self.parts = [*others, TextPart(text=text)] if text else others

    @property
    def tool_calls(self) -> list[ToolCallPart]:
        """The calls that this message asks for, in order."""
        return [part for part in self.parts if isinstance(part, ToolCallPart)]


def system(text: str) -> LLMMessage:
    """A system message of *text*."""
    return LLMMessage(role=MessageRole.SYSTEM, parts=[TextPart(text=text)])


def user(text: str, media: Sequence[MediaPart] = ()) -> LLMMessage:
    """A user message of *text* and attachments."""
    return LLMMessage(role=MessageRole.USER, parts=[TextPart(text=text), *media] if text else [*media])


def assistant(text: str) -> LLMMessage:
    """An assistant message of *text*."""
    return LLMMessage(role=MessageRole.ASSISTANT, parts=[TextPart(text=text)])
