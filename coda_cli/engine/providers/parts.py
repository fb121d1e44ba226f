"""Small pieces that several vendors' mappings share."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from coda_cli.engine.core.messages import AudioPart, FilePart, ImagePart

NEUTRAL: Final = frozenset({"temperature", "top_p", "max_tokens", "effort", "seed", "stop"})
AUDIO_FORMAT: Final = {"audio/wav": "wav", "audio/mpeg": "mp3"}


def base64_text(part: ImagePart | AudioPart | FilePart) -> str:
    """The data of *part* as base64."""
    return base64.b64encode(part.data).decode("ascii")


def data_url(part: ImagePart | AudioPart | FilePart) -> str:
    """The data of *part* as a `data:` URL."""
    return f"data:{part.media_type};base64,{base64_text(part)}"


def strict_schema(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI's strict mode takes *schema*: every object closed, every property required.

    Source: platform documentation, "Structured model outputs", supported schemas.
    """
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    children: list[Any] = [schema.get("items"), *schema.get("anyOf", ())]
    for group in ("properties", "$defs", "definitions"):
        children += list(schema.get(group, {}).values())
    return all(strict_schema(child) for child in children if isinstance(child, Mapping))


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
