"""Small pieces that several vendors' mappings share."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from coda_cli.engine.core.errors import LLMBadResponseError
from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart
from coda_cli.engine.core.ports import ModelInfo

NEUTRAL: Final = frozenset({"temperature", "top_p", "max_tokens", "effort", "seed", "stop"})
AUDIO_FORMAT: Final = {"audio/wav": "wav", "audio/mpeg": "mp3"}


def base64_text(part: ImagePart | AudioPart | FilePart) -> str:
    """The data of *part* as base64."""
    return base64.b64encode(part.data).decode("ascii")


def data_url(part: ImagePart | AudioPart | FilePart) -> str:
    """The data of *part* as a `data:` URL."""
    return f"data:{part.media_type};base64,{base64_text(part)}"


def strict_schema(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI's strict mode takes *schema*: every object closed, every property required, no free combination.

    Source: platform documentation, "Structured model outputs", supported schemas.
    """
    if any(name in schema for name in ("oneOf", "allOf", "not", "if", "patternProperties", "dependentSchemas")):
        return False
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(properties, Mapping) or not isinstance(required, list):
            return False
        if schema.get("additionalProperties") is not False or set(map(str, required)) != set(properties):
            return False
    children: list[Any] = [schema["items"]] if "items" in schema else []
    if "anyOf" in schema:
        children += schema["anyOf"] if isinstance(schema["anyOf"], list) else [None]
    for group in ("properties", "$defs", "definitions"):
        inner = schema.get(group, {})
        children += list(inner.values()) if isinstance(inner, Mapping) else [None]
    return all(isinstance(child, Mapping) and strict_schema(child) for child in children)


def arguments(text: str) -> dict[str, Any]:
    """A call's JSON text as an object; what cannot be read is no arguments, so that a saved call can be sent again."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def count(usage: Mapping[str, Any], *path: str) -> int:
    """The integer at *path* in a usage object; 0 where it is missing or null."""
    value: Any = usage
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) else 0


def sendable_arguments(text: str) -> str:
    """A call's JSON text for a vendor that wants text: as it is if it can be read, else `{}` (see `arguments`)."""
    return text if arguments(text) or text.strip() == "{}" else "{}"


def model_list(page: Mapping[str, Any]) -> list[ModelInfo]:
    """The models of an OpenAI-style list. Raises LLMBadResponseError for anything else."""
    entries = page.get("data")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "id" in entry for entry in entries):
        raise LLMBadResponseError("the server's list of models is not in a known format", final=True)
    return [ModelInfo(str(entry["id"])) for entry in entries]
