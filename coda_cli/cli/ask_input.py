"""What was asked: flags, words, stdin, files and template -> one prompt with its attachments and options."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct, field

from coda_cli.chat.attachments import printable, read_media, read_stdin, read_text, read_texts
from coda_cli.cli.output import say, stdin_is_readable
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import MediaPart
from coda_cli.engine.core.tools import ApprovalMode

Format = Literal["text", "json", "stream-json"]

# What a request consists of has flags of its own: as an option of the model it would break the request.
_ASK: Final = "the question is what stands on the command line, in -f or on stdin"
_CONVERSATION: Final = "go on with a conversation by -c or --cid ID"
_TOOLS: Final = "name tools with -T, and see `coda tools list`"
_NO_OPTIONS: Final[Mapping[str, str]] = {
    "model": "choose the model with -m",
    "provider": "choose the provider with -m",
    "prompt": _ASK,
    "messages": _ASK,
    "input": _ASK,
    "contents": _ASK,
    "system": "give the system prompt with -s",
    "system_prompt": "give the system prompt with -s",
    "instructions": "give the system prompt with -s",
    "schema": "give the schema with --schema",
    "media": "attach files with -a",
    "images": "attach files with -a",
    "stream": "use --no-stream",
    "stream_options": "use --no-stream",
    "timeout": "use --timeout SECONDS",
    "conversation": _CONVERSATION,
    "conversation_id": _CONVERSATION,
    "previous_response_id": _CONVERSATION,
    "tools": _TOOLS,
    "tool_choice": _TOOLS,
    "functions": _TOOLS,
    "function_call": _TOOLS,
    "options": "give each option on its own, as in -o temperature=0.2",
}


class Asked(Struct, frozen=True):
    """The command line of `coda ask`, typed. `offline` None leaves it to the settings."""

    words: Sequence[str] = ()
    models: Sequence[str] = ()
    latest: bool = False
    cid: str | None = None
    fork: bool = False
    system: str | None = None
    persona: str | None = None
    files: Sequence[str] = ()
    attachments: Sequence[str] = ()
    options: Sequence[str] = ()
    template: str | None = None
    params: Sequence[str] = ()
    tools: Sequence[str] = ()
    functions: Sequence[str] = ()
    approval: ApprovalMode | None = None
    schema: str | None = None
    extract: Literal["first", "last"] | None = None
    stream: bool = True
    raw: bool = False
    reasoning: bool = False
    usage: bool = False
    output: Path | None = None
    format: Format = "text"
    timeout: float | None = None
    max_budget: float | None = None
    use_cache: bool | None = None
    log: bool = True
    stdin: bool = True
    offline: bool | None = None


class Question(Struct, frozen=True):
    """What goes to the model(s). An empty `models` means the default one.

    `said` are the words of the command line in `prompt`: only they are the person's own.
    """

    prompt: str
    media: Sequence[MediaPart] = ()
    system: str | None = None
    models: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    said: str = ""


def gather(asked: Asked, deadline: float | None) -> Question:
    """Read everything that *asked* names. Raises UsageError, ConfigError, and LLMTimeoutError past *deadline*."""
    options = dict(pair(printable(text), "-o", json_values=True) for text in asked.options)
    params = {name: str(value) for name, value in (pair(printable(text), "-p") for text in asked.params)}
    schema = read_schema(asked.schema, deadline)
    takes_stdin = "-" in asked.files or "-" in asked.attachments
    piped = read_stdin(deadline, say) if asked.stdin and not takes_stdin and stdin_is_readable() else ""
    words = printable(" ".join(asked.words))
    text = "\n\n".join(
        part for part in (read_texts(asked.files, deadline, say).rstrip("\n"), piped.strip("\n"), words) if part.strip()
    )
    media = [read_media(name, deadline, say) for name in asked.attachments]
    system = None if asked.system is None else printable(asked.system)
    models = [printable(model) for model in asked.models]
    if asked.template is not None:
        from coda_cli.settings.templates import load_template, render

        rendered = render(load_template(asked.template), params, text)
        text = rendered.prompt
        system = system if system is not None else rendered.system
        models = models or ([rendered.model] if rendered.model else [])
        options = {**rendered.options, **options}
        if schema is None and rendered.schema is not None:
            schema = read_schema(rendered.schema, deadline) if isinstance(rendered.schema, str) else rendered.schema
    elif params:
        raise UsageError("-p fills in a template's variables", hint="name the template with -t")
    check_options(options)
    if not text.strip() and not media:
        raise UsageError(
            "there is nothing to ask",
            hint='give a prompt: coda ask "why is the sky blue?", or pipe something in',
        )
    return Question(text, media, system, models, options, schema, words)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse what is no option of a model. Raises UsageError, with the flag to use instead."""
    for name in options:
        if name.lower() in _NO_OPTIONS:
            raise UsageError(f"`{name}` is not an option of a model", hint=_NO_OPTIONS[name.lower()])


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


def read_schema(text: str | None, deadline: float | None = None) -> Mapping[str, Any] | None:
    """A JSON Schema given as JSON text or as the name of a file. Raises UsageError, and LLMTimeoutError."""
    if text is None:
        return None
    source = printable(text)
    if text == "-":
        raise UsageError("the schema can't come from stdin", hint="name it otherwise, as in --schema <(command)")
    if not text.lstrip().startswith("{"):
        try:
            path = os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser raises for an unknown user
            source = read_text(path, "a schema", deadline, say)
        except UsageError as exc:
            raise UsageError(f"the schema: {exc.message}", hint="give JSON text or the path of a file") from exc
    try:
        value = json.loads(source)
    except (ValueError, RecursionError) as exc:
        raise UsageError(
            f"the schema is not JSON: {exc}", hint="quote it for the shell, or put it into a file"
        ) from exc
    if not isinstance(value, dict):
        raise UsageError("the schema is not a JSON object", hint='begin with {"type": "object", ...}')
    return value
