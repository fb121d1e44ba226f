"""What was asked: flags, words, stdin, files and template -> one prompt with its attachments and options."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from coda_cli.cli.attachments import read_media, read_texts
from coda_cli.cli.output import stdin_is_readable
from coda_cli.cli.stdin import read_stdin
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import MediaPart

Format = Literal["text", "json", "stream-json"]


@dataclass(frozen=True)
class Asked:
    """The command line of `coda ask`, typed. `offline` None leaves it to the settings."""

    words: Sequence[str] = ()
    models: Sequence[str] = ()
    system: str | None = None
    files: Sequence[str] = ()
    attachments: Sequence[str] = ()
    options: Sequence[str] = ()
    template: str | None = None
    params: Sequence[str] = ()
    schema: str | None = None
    extract: Literal["first", "last"] | None = None
    stream: bool = True
    raw: bool = False
    reasoning: bool = False
    usage: bool = False
    output: Path | None = None
    format: Format = "text"
    timeout: float | None = None
    log: bool = True
    stdin: bool = True
    offline: bool | None = None


@dataclass(frozen=True)
class Question:
    """What goes to the model(s). An empty `models` means the default one."""

    prompt: str
    media: Sequence[MediaPart] = ()
    system: str | None = None
    models: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None


def gather(asked: Asked, deadline: float | None) -> Question:
    """Read everything that *asked* names. Raises UsageError, ConfigError, and LLMTimeoutError past *deadline*."""
    options = dict(pair(text, "-o", json_values=True) for text in asked.options)
    params = {name: str(value) for name, value in (pair(text, "-p") for text in asked.params)}
    schema = read_schema(asked.schema)
    takes_stdin = "-" in asked.files or "-" in asked.attachments
    piped = read_stdin(deadline) if asked.stdin and not takes_stdin and stdin_is_readable() else ""
    words = " ".join(asked.words)
    text = "\n\n".join(
        part for part in (read_texts(asked.files).rstrip("\n"), piped.strip("\n"), words) if part.strip()
    )
    media = [read_media(name) for name in asked.attachments]
    system, models = asked.system, list(asked.models)
    if asked.template is not None:
        from coda_cli.settings.templates import load_template, render

        rendered = render(load_template(asked.template), params, text)
        text = rendered.prompt
        system = system if system is not None else rendered.system
        models = models or ([rendered.model] if rendered.model else [])
        options = {**rendered.options, **options}
        if schema is None and rendered.schema is not None:
            schema = read_schema(rendered.schema) if isinstance(rendered.schema, str) else rendered.schema
    elif params:
        raise UsageError("-p fills in a template's variables", hint="name the template with -t")
    if not text.strip() and not media:
        raise UsageError(
            "there is nothing to ask",
            hint='give a prompt: coda ask "why is the sky blue?", or pipe something in',
        )
    return Question(text, media, system, models, options, schema)


def pair(text: str, flag: str, *, json_values: bool = False) -> tuple[str, Any]:
    """`KEY=VALUE` as (key, value); with *json_values* a value that is JSON becomes what it says."""
    key, found, value = text.partition("=")
    if not found or not key.strip():
        raise UsageError(f"{flag} needs KEY=VALUE, not {text!r}", hint=f"for example {flag} temperature=0.2")
    if json_values:
        try:
            return key.strip(), json.loads(value)
        except (ValueError, RecursionError):
            pass
    return key.strip(), value


def read_schema(text: str | None) -> Mapping[str, Any] | None:
    """A JSON Schema given as JSON text or as the name of a file. Raises UsageError."""
    if text is None:
        return None
    inline = text.lstrip().startswith("{")
    source = text
    if not inline:
        try:
            source = Path(os.path.expanduser(text)).read_text("utf-8")  # noqa: PTH111 - Path.expanduser raises for an unknown user
        except (OSError, UnicodeDecodeError) as exc:
            raise UsageError(
                f"can't read the schema {text}: {exc}", hint="give JSON text or the path of a file"
            ) from exc
    try:
        value = json.loads(source)
    except (ValueError, RecursionError) as exc:
        raise UsageError(
            f"the schema is not JSON: {exc}", hint="quote it for the shell, or put it into a file"
        ) from exc
    if not isinstance(value, dict):
        raise UsageError("the schema is not a JSON object", hint='begin with {"type": "object", ...}')
    return value
