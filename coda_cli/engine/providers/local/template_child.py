"""The child process that renders a model's chat template: a template is a program from a stranger.

It stands alone and is started by path. One JSON object on stdin (`template`, `messages`, `variables`), one on stdout
(`{"text": ...}` or `{"error": ...}`). Jinja2's immutable sandbox keeps attributes away, limits keep loops and memory
small, and whatever gets through has no key, no open file and nothing to lose. The environment (trimmed blocks, loop
controls, `raise_exception`, `strftime_now`, `tojson`, `{% generation %}`) is the one that templates are written for.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import resource
import sys
from typing import Any

SECONDS = 5
_MEMORY = 1 << 30


def _limit() -> None:
    for name, value in (
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(name, (value, value))
        except (ValueError, OSError):  # not every system has every limit; the parent's deadline holds anyway
            continue


def render(template: str, messages: list[dict[str, Any]], variables: dict[str, Any]) -> str:
    """The prompt that *template* makes of *messages*. Raises jinja2.TemplateError and what the template provokes."""
    jinja2: Any = importlib.import_module("jinja2")
    sandbox: Any = importlib.import_module("jinja2.sandbox")
    ext: Any = importlib.import_module("jinja2.ext")

    def parse(self: Any, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body).set_lineno(line)

    generation = type("Generation", (ext.Extension,), {"tags": {"generation"}, "parse": parse})

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)

    def strftime_now(form: str) -> str:
        return dt.datetime.now().astimezone().strftime(form)

    environment = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[generation, ext.loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals.update(raise_exception=raise_exception, strftime_now=strftime_now)
    compiled = environment.from_string(template)
    return str(compiled.render(messages=messages, add_generation_prompt=True, **variables))


def main() -> None:
    """Answer one request."""
    given = json.loads(sys.stdin.buffer.read())
    _limit()
    try:
        answer = {"text": render(given["template"], given["messages"], given["variables"])}
    except Exception as exc:  # whatever the template does wrong is an answer, not a crash
        answer = {"error": f"{type(exc).__name__}: {exc}"[:500]}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
