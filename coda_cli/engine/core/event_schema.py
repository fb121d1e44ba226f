"""The JSON Schema (draft 2020-12) of the events, made from their classes; what `coda events schema` prints.

Within one SCHEMA_VERSION events only grow: a field or a type may be added, and readers skip what they do not know.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, Final, Literal, Protocol, Union, cast, get_args, get_origin, get_type_hints

from msgspec import Struct
from pydantic import BaseModel

from coda_cli.engine.core.config import BudgetConfig, BudgetLimit
from coda_cli.engine.core.events import SCHEMA_VERSION, Event
from coda_cli.engine.core.prompts import Adapted, Noticed
from coda_cli.engine.core.tools import Decision, Touches
from coda_cli.engine.core.usage import FinishReason, Status, TokenUsage

Schema = dict[str, Any]
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: Final[dict[object, str]] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_TEXT: Final[Schema] = {"type": "string"}
_SAID: Final[Schema] = {"type": ["string", "null"]}
_ASKED: Final = (
    "request_id",
    "call_id",
    "name",
    "touches",
    "arguments",
    "digest",
    "summary",
    "detail",
    "diff",
    "rule",
    "why",
)


class EventKind(Protocol):
    """One of the classes of `Event`."""

    __name__: str
    __doc__: str | None
    type: ClassVar[str]


def event_kinds() -> tuple[EventKind, ...]:
    """The classes of events, in the order of the union."""
    return cast("tuple[EventKind, ...]", get_args(Event))


# ---- what the fields mean -------------------------------------------------------------------------------------------

_MEANS: Final = {
    "age": "Seconds since the cached answer was given.",
    "attempt": "The attempt that failed, from 1.",
    "available": "Whether the provider answers now.",
    "cached": "Whether the answer comes from the cache: nothing was sent and nothing is paid.",
    "call_id": "The id of the call, as in `function_calls`.",
    "calls": "The calls, in the model's order.",
    "changes": "What has changed, one entry each.",
    "content": "The whole text of the answer.",
    "conversation_id": 'The conversation; "" where the event belongs to none.',
    "cost": "USD for the whole answer; 0 for a model on this machine, null where no price is known.",
    "count": "How many events are missing.",
    "covers": "The ids of the messages that the summary stands for.",
    "decision": 'What was said: "once", "chat", "always" or "no".',
    "delta": "The text of this piece.",
    "display": 'Markdown for a person; "" where `text` is for both.',
    "error": "What went wrong.",
    "failure": "Why it could not be done, null where it could.",
    "finish_reason": "Why the model stopped.",
    "hint": "The next step for a person.",
    "is_error": "Whether the call failed.",
    "latency": "Seconds from the request to the end of the answer.",
    "limit": "How much may be used, in `unit`.",
    "max_retries": "How many retries there are at most.",
    "message_id": 'The message that asks; "" where it is not kept.',
    "messages": "How many messages are summarised.",
    "model": 'The model\'s name at the provider; "" where none was found.',
    "name": "The tool's name.",
    "needed": "What this request would have taken beside it (an estimate).",
    "partial": "The text that came before the failure.",
    "provider": 'The provider\'s name in the configuration; "" where none was found.',
    "reason": "Why.",
    "request": "What will be done, exactly, for a person to judge.",
    "request_count": "Requests that this process has sent to the provider.",
    "request_id": "What an answer to the question names.",
    "response_id": "The answer; the same in all its events.",
    "retries": "How many attempts failed before.",
    "scope": "Which of the limits it is.",
    "seconds": "How long the call ran; null where it did not run.",
    "seq": "From 0, without gaps, within one answer; -1 where the event belongs to none.",
    "spent": "What is used of the limit by now, with what is under way elsewhere.",
    "status": "How the answer ended.",
    "summary_id": "The summary, to be undone by.",
    "text": "The text.",
    "time": "Unix time in seconds.",
    "to_model": "The model that is asked instead.",
    "to_provider": "The provider that is asked instead.",
    "tokens": "What the rest of the conversation takes (an estimate).",
    "tokens_after": "What the conversation takes in a request now (an estimate).",
    "tokens_before": "What the conversation took in a request before (an estimate).",
    "total_cost": "USD that this process has spent at the provider, as far as prices are known.",
    "total_tokens": "Tokens of this process at the provider, sent and received.",
    "trimmed": "The ids of the messages that are left out.",
    "type": "Which event this is.",
    "unit": "What the limit counts.",
    "usage": "The vendor's token counts for the whole answer.",
    "wait": "Seconds until the next attempt.",
}


_PARTS_MEAN: Final = {
    "ToolCall": {
        "id": "The call; its result names it as `call_id`.",
        "name": "The tool's name.",
        "arguments": "The arguments, as JSON text.",
    },
    "Error": {
        "type": "The name of its class in coda_cli.",
        "message": "What failed, and why.",
        "hint": "The next step for a person.",
        "provider": "The provider's name in the configuration.",
        "model": "The model's name at the provider.",
        "status": "The HTTP status, where there was one.",
        "request_id": "The vendor's own id of the request.",
        "retry_after": "Seconds that the vendor asks to wait.",
    },
    "ApprovalRequest": {
        "request_id": "What the answer names.",
        "call_id": "The call.",
        "name": "The tool.",
        "touches": "What the call can reach, from harmless to grave.",
        "arguments": "The arguments, as JSON text.",
        "digest": "Binds the answer to exactly this call.",
        "summary": "What it will do, in a line.",
        "detail": "All that will run or be sent.",
        "diff": 'What a file will become (unified diff); "" where none changes.',
        "rule": "What may be allowed for good; null where nothing may.",
        "why": "Why a person is asked.",
    },
    "MemoryChange": {
        "action": "What was done; `unknown`: there is none of that to forget.",
        "memory_id": "The memory.",
        "text": "What it says; for `refused` why.",
        "kind": "fact, preference, gist or note.",
    },
    "PersonaChange": {
        "id": "The change, to be undone by.",
        "trait": "Which trait.",
        "before": "From 0 to 1.",
        "after": "From 0 to 1.",
        "cause": "What the person said.",
    },
    "TokenUsage": {
        "input_tokens": "Everything that was sent.",
        "output_tokens": "Everything that came.",
        "cached_tokens": "Of what was sent, read from the vendor's cache.",
        "cache_write_tokens": "Of what was sent, written to the vendor's cache.",
        "cache_write_1h_tokens": "Of what was written there, kept for an hour.",
        "reasoning_tokens": "Of what came, the model's thinking.",
        "input_audio_tokens": "Of what was sent, sound.",
        "output_audio_tokens": "Of what came, sound.",
        "web_searches": "Searches that the vendor made.",
    },
}


def meaning(field: str) -> str:
    """What the field called *field* says, in a sentence; "" for one that nobody has described."""
    return _MEANS.get(field, "")


# ---- what a type hint cannot say ------------------------------------------------------------------------------------


def _object(properties: Schema, description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": True,
    }


def _parts() -> dict[str, Schema]:
    """The objects inside events."""
    call = {"id": _TEXT, "name": _TEXT, "arguments": _TEXT}
    error: Schema = {"type": _TEXT, "message": _TEXT, **dict.fromkeys(("hint", "provider", "model"), _SAID)}
    error |= {"status": {"type": ["integer", "null"]}, "request_id": _SAID, "retry_after": {"type": ["number", "null"]}}
    asked: Schema = dict.fromkeys(_ASKED, _TEXT) | {"touches": _enum(Touches), "rule": _SAID}
    usage = {name: {"type": "integer", "minimum": 0} for name in TokenUsage.model_fields}
    made = {
        "ToolCall": _object(call, "A call that the model asks for."),
        "Error": _object(error, "An error, told so that a person can act on it."),
        "ApprovalRequest": _object(asked, "A call that waits for a yes."),
        "MemoryChange": _of_record(Noticed, "What has become of a memory because of what the person said."),
        "PersonaChange": _of_record(Adapted, "How a trait of the persona has changed because of it."),
        "TokenUsage": _object(usage, "Tokens, as the vendor counts them."),
    }
    for name, means in _PARTS_MEAN.items():
        properties = made[name]["properties"]
        properties |= {field: {**properties[field], "description": said} for field, said in means.items()}
    return made


def _enum(kind: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": [one.value for one in kind]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _list_of(name: str) -> Schema:
    return {"type": "array", "items": _ref(name)}


def _shapes() -> dict[tuple[str, str], Schema]:
    """What (event, field) holds, where its hint is wider than the truth; the event "" stands for all."""
    budgets = [name for name, field in BudgetConfig.model_fields.items() if field.annotation is BudgetLimit]
    ended = [Status.INCOMPLETE.value, Status.ERROR.value]
    return {
        ("", "calls"): _list_of("ToolCall"),
        ("", "error"): _ref("Error"),
        ("", "decision"): _enum(Decision),
        ("", "finish_reason"): _enum(FinishReason),
        ("", "scope"): {"type": "string", "enum": budgets},
        ("", "unit"): {"type": "string", "enum": ["usd", "tokens"]},
        ("approval_requested", "request"): _ref("ApprovalRequest"),
        ("memory_update", "changes"): _list_of("MemoryChange"),
        ("persona_update", "changes"): _list_of("PersonaChange"),
        ("response_complete", "status"): {
            "type": "string",
            "enum": [Status.COMPLETE.value, Status.INTERRUPTED.value],
        },
        ("response_error", "status"): {"type": "string", "enum": ended},
    }


# ---- from hints to schemas ------------------------------------------------------------------------------------------


def event_schema() -> Schema:
    """The schema of one event, whichever it is. It takes fields that it does not know, but no unknown type."""
    kinds = event_kinds()
    shapes = _shapes()
    return {
        "$schema": _DIALECT,
        "$id": f"urn:coda:events:{SCHEMA_VERSION}",
        "title": "Coda event",
        "description": "One event of Coda: a line of `--output-format stream-json`, a message of the WebSocket.",
        "version": SCHEMA_VERSION,
        "oneOf": [_ref(kind.__name__) for kind in kinds],
        "$defs": {kind.__name__: _of_event(kind, shapes) for kind in kinds} | _parts(),
    }


def _of_event(kind: EventKind, shapes: dict[tuple[str, str], Schema]) -> Schema:
    properties: Schema = {"type": {"const": kind.type, "description": meaning("type")}}
    for name, hint in _hints(kind):
        shape = shapes.get((kind.type, name)) or shapes.get(("", name)) or _of_hint(hint)
        said = meaning(name)
        properties[name] = {**shape, **({"description": said} if said else {})}
    return _object(properties, " ".join((kind.__doc__ or "").split()))


def _of_record(kind: type[Any], description: str) -> Schema:
    return _object({name: _of_hint(hint) for name, hint in _hints(kind)}, description)


def _hints(kind: Any) -> Iterator[tuple[str, Any]]:
    if not issubclass(kind, Struct):
        raise TypeError(f"{kind!r} is no record")
    hints = get_type_hints(kind)
    return ((name, hints[name]) for name in kind.__struct_fields__)


def _of_hint(hint: Any) -> Schema:
    """The schema of a type hint. Raises TypeError for one that no event may have."""
    if hint is Any:
        return {}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum(hint)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return _ref(hint.__name__)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        found = [_of_hint(one) for one in inner]
        if all(one.keys() == {"type"} for one in found):
            return {"type": [one["type"] for one in found]}
        return {"anyOf": found}
    if origin is Literal:
        return {"type": "string", "enum": list(inner)}
    if origin in (list, tuple):
        return {"type": "array", "items": _of_hint(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of_hint(inner[1]) or True}
    raise TypeError(f"an event can't hold {hint!r}: it has no JSON form")
