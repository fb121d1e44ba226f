"""One line of input -> one prompt with all that shapes its request.

A line that begins with `{` is a JSON object: `prompt` or `messages`, and where wanted `id`, `system`, `options`,
`schema`, `params` (a template's variables) and `metadata` (kept beside the answer). Any other line is a prompt itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from msgspec import Struct, field
from pydantic import ValidationError

from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart, LLMMessage, MediaPart, MessageRole, TextPart

MAX_LINE: Final = 32 * 1024 * 1024
MAX_ID: Final = 256
_FIELDS: Final = ("id", "prompt", "messages", "system", "options", "schema", "params", "metadata")
_ROLES: Final = {role.value: role for role in (MessageRole.SYSTEM, MessageRole.USER, MessageRole.ASSISTANT)}
_FOR_PEOPLE: Final = {"message_id", "created", "status", "metadata"}


class BadLineError(CodaError):
    """A line of the input is no prompt. `line` is its number, from 1."""

    exit_code = 2

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


class Filled(Struct, frozen=True):
    """A template's texts with the variables of one line in them."""

    prompt: str
    system: str | None = None


class Defaults(Struct, frozen=True):
    """What holds where a line says nothing itself. `fill` is a template, `check` refuses what is no option.

    Both raise CodaError.
    """

    system: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    fill: Callable[[Mapping[str, str], str], Filled] | None = None
    check: Callable[[Mapping[str, Any]], None] = lambda options: None


class Prompt(Struct, frozen=True):
    """One prompt: `text` and `media` are the question, `before` what was said earlier.

    `index` counts prompts from 0, `line` lines from 1. `content` is a hash of all that was asked, whoever answers;
    `id` is the person's own or "".
    """

    index: int
    line: int
    id: str
    text: str
    media: tuple[MediaPart, ...] = ()
    before: tuple[LLMMessage, ...] = ()
    system: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    metadata: Any = None
    content: str = ""


def read_line(raw: bytes, line: int, index: int, defaults: Defaults) -> Prompt | None:
    """The prompt in *raw*, None for a blank line. Raises BadLineError."""
    if line == 1:
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise BadLineError(line, "it is not UTF-8 text") from None
    if not text:
        return None
    try:
        value: dict[str, Any] = _object(text) if text.startswith("{") else {"prompt": text}
        return _prompt(value, line, index, defaults)
    except BadLineError:
        raise
    except ValueError as exc:
        raise BadLineError(line, str(exc)) from None
    except CodaError as exc:
        raise BadLineError(line, f"{exc.message}{f' ({exc.hint})' if exc.hint else ''}") from None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        said = exc.msg if isinstance(exc, json.JSONDecodeError) else str(exc) or type(exc).__name__
        raise ValueError(f"it begins like a JSON object and is none: {said}") from None
    for name in value:
        if name not in _FIELDS:
            close = get_close_matches(name, _FIELDS, n=1)
            hint = (
                f"did you mean {close[0]!r}?" if close else "what is to be kept beside the answer goes into 'metadata'"
            )
            raise ValueError(f"there is no field {name[:40]!r}; {hint}")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character (a lone surrogate)") from None
    return dict(value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _prompt(value: dict[str, Any], line: int, index: int, defaults: Defaults) -> Prompt:
    before, text, media, system = _asked(value)
    params = _mapping(value, "params") or {}
    given = value.get("system")
    if given is not None and not isinstance(given, str):
        raise ValueError("'system' is not a text")
    if given is not None and system is not None:
        raise ValueError("the system prompt stands in 'system' and in 'messages': one of them is enough")
    system = given if given is not None else system
    if defaults.fill is not None:
        filled = defaults.fill({name: _shown(one) for name, one in params.items()}, text)
        text, template_system = filled.prompt, filled.system
    elif params:
        raise ValueError("'params' fills in a template's variables, and no template is named")
    else:
        template_system = None
    if not text.strip() and not media:
        raise ValueError("there is nothing to ask")
    options = _mapping(value, "options") or {}
    defaults.check(options)
    schema = _mapping(value, "schema")
    system = next((one for one in (system, defaults.system, template_system) if one is not None), None)
    made = Prompt(
        index=index,
        line=line,
        id=_id(value.get("id")),
        text=text,
        media=media,
        before=before,
        system=system,
        options={**defaults.options, **options},
        schema=schema if schema is not None else defaults.schema,
        metadata=value.get("metadata"),
    )
    return hashed(made)


def _id(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError("'id' is neither a text nor a whole number")
    if len(str(value)) > MAX_ID:
        raise ValueError(f"'id' has more than {MAX_ID} characters")
    return str(value)


def _mapping(value: dict[str, Any], name: str) -> dict[str, Any] | None:
    found = value.get(name)
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"{name!r} is not an object")
    return found


def _shown(value: object) -> str:
    """A template's variable as text, as `-p NAME=VALUE` would give it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _asked(value: dict[str, Any]) -> tuple[tuple[LLMMessage, ...], str, tuple[MediaPart, ...], str | None]:
    """(earlier messages, question, its media, system prompt)."""
    if "messages" not in value:
        text = value.get("prompt", "")
        if not isinstance(text, str):
            raise ValueError("'prompt' is not a text")
        return (), text, (), None
    if "prompt" in value:
        raise ValueError("it has 'prompt' and 'messages': one of them is enough")
    listed = value["messages"]
    if not isinstance(listed, list) or not listed:
        raise ValueError("'messages' is not a list of messages")
    messages = [_message(one) for one in listed]
    first = 1 if messages[0].role is MessageRole.SYSTEM else 0
    if any(message.role is MessageRole.SYSTEM for message in messages[first:]):
        raise ValueError("a system message stands first or not at all")
    if not messages[first:] or messages[-1].role is not MessageRole.USER:
        raise ValueError("the last of 'messages' is not the user's")
    last = messages[-1]
    media = tuple(part for part in last.parts if isinstance(part, ImagePart | AudioPart | FilePart))
    return tuple(messages[first:-1]), last.content, media, messages[0].content if first else None


def _message(value: object) -> LLMMessage:
    if not isinstance(value, dict) or set(value) != {"role", "content"} or value["role"] not in _ROLES:
        raise ValueError("a message has 'role' (system, user or assistant) and 'content', and nothing else")
    content = value["content"]
    if not isinstance(content, str | list):
        raise ValueError("a message's 'content' is a text or a list of parts")
    try:
        message = LLMMessage.model_validate({"role": value["role"], "content": content})
    except ValidationError:
        raise ValueError(
            'a part of a message is neither {"type": "text", "text": ...} nor '
            '{"type": "image", "media_type": ..., "data": base64}'
        ) from None
    if not all(isinstance(part, TextPart | ImagePart | AudioPart | FilePart) for part in message.parts):
        raise ValueError("a message's parts are texts, images, recordings or files")
    return message


def hashed(prompt: Prompt) -> Prompt:
    """*prompt* with its hash."""
    asked: dict[str, Any] = {"text": prompt.text}
    for name in ("system", "options", "schema"):
        if found := getattr(prompt, name):
            asked[name] = found
    if prompt.media:
        asked["media"] = [part.model_dump(mode="json") for part in prompt.media]
    if prompt.before:
        asked["before"] = [message.model_dump(mode="json", exclude=_FOR_PEOPLE) for message in prompt.before]
    values = {name: getattr(prompt, name) for name in prompt.__struct_fields__}
    return Prompt(**{**values, "content": digest(asked)})


def digest(value: object) -> str:
    """A hash of plain data, the same for the same data in any order of its keys: 64 hexadecimal digits."""
    said = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def key_of(prompt_id: str, request_hash: str) -> int:
    """What one request of one prompt is known by: 128 bits, small enough to hold one for every line."""
    return int.from_bytes(hashlib.sha256(f"{request_hash} {prompt_id}".encode()).digest()[:16], "big")


class Names:
    """Gives every prompt its id: the person's own, else one made of its content, the same in every run."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._again: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, prompt_id: str) -> bool:
        return key_of(prompt_id, "") in self._seen

    def name(self, prompt: Prompt) -> str:
        """The id of *prompt*. Raises BadLineError for one that was there before."""
        if prompt.id:
            if self._add(prompt.id):
                return prompt.id
            raise BadLineError(prompt.line, f"the id {prompt.id[:80]!r} stands in an earlier line too")
        made = prompt.content[:16]
        while not self._add(name := made if made not in self._again else f"{made}-{self._again[made]}"):
            self._again[made] = self._again.get(made, 1) + 1
        return name

    def _add(self, prompt_id: str) -> bool:
        key = key_of(prompt_id, "")
        if key in self._seen:
            return False
        self._seen.add(key)
        return True
