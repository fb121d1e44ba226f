"""`coda ask`: one question, one answer, and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from coda_cli.cli.options import (
    Approval,
    Attach,
    Cid,
    Continue,
    File,
    Fork,
    Functions,
    NoLog,
    Offline,
    Persona,
    System,
    Tool,
)
from coda_cli.engine.core.errors import UsageError
from coda_cli.settings.model_cache import complete_model

EPILOG: Final = """\
Examples:

  coda ask "write a haiku about pipes"

  git diff | coda ask "review this"

  coda ask -f src/ "where is the bug?" -m openai/gpt-6.1-sol -o effort=high

  coda ask -a receipt.jpg --schema '{"type":"object","properties":{"total":{"type":"number"}}}' "read it"

  coda ask -T time -T calculator "what time is it, and what is 2+2?"

  coda ask -c "and in one sentence?"

  coda ask -m openai -m anthropic "compare yourselves" --usage
"""


def _complete_template(incomplete: str) -> list[str]:
    from coda_cli.settings.templates import template_names

    return [name for name in template_names() if name.startswith(incomplete)]


def ask(
    prompt: Annotated[list[str] | None, typer.Argument(help="The question; stdin comes before it.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="provider/model, a provider, a model or an alias; several run side by side.",
            autocompletion=complete_model,
        ),
    ] = None,
    continue_: Continue = False,
    cid: Cid = None,
    fork: Fork = False,
    system: System = None,
    persona: Persona = None,
    file: File = None,
    attach: Attach = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE", help="temperature, max_tokens, effort, top_p, ..."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option("--template", "-t", metavar="NAME", help="Use a saved prompt.", autocompletion=_complete_template),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="A variable of the template.")
    ] = None,
    tool: Tool = None,
    functions: Functions = None,
    approval_mode: Approval = None,
    schema: Annotated[
        str | None,
        typer.Option("--schema", metavar="JSON|FILE", help="A JSON Schema that the answer must fit."),
    ] = None,
    extract: Annotated[bool, typer.Option("--extract", "-x", help="Print only the first code block.")] = False,
    extract_last: Annotated[bool, typer.Option("--extract-last", "--xl", help="Print only the last one.")] = False,
    stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Show the answer as it comes.")] = True,
    raw: Annotated[bool, typer.Option("--raw", help="No Markdown; on a pipe, byte for byte.")] = False,
    reasoning: Annotated[bool, typer.Option("--reasoning", help="Show the model's thinking, on stderr.")] = False,
    usage: Annotated[bool, typer.Option("--usage", "-u", help="Show time, tokens and price, on stderr.")] = False,
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write the answer there.")] = None,
    output_format: Annotated[
        Literal["text", "json", "stream-json"], typer.Option("--output-format", help="What stdout gets.")
    ] = "text",
    json: Annotated[bool, typer.Option("--json", help="The same as --output-format json.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=0.001, help="Deadline for the whole command.")
    ] = None,
    max_budget: Annotated[
        float | None,
        typer.Option("--max-budget-usd", metavar="USD", min=0, help="Stop before this run costs more (exit code 3)."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Ask, even if the very same was asked before.")] = False,
    no_log: NoLog = False,
    no_stdin: Annotated[bool, typer.Option("--no-stdin", help="Do not read stdin.")] = False,
    offline: Offline = False,
) -> None:
    """Ask once: a prompt, a pipe, files, images."""
    if extract and extract_last:
        raise UsageError("-x prints the first code block, --xl the last", hint="give one of them")
    from coda_cli.cli.ask_input import Asked
    from coda_cli.cli.ask_run import run

    asked = Asked(
        words=prompt or [],
        models=model or [],
        latest=continue_,
        cid=cid,
        fork=fork,
        system=system,
        persona=persona,
        files=file or [],
        attachments=attach or [],
        options=option or [],
        template=template,
        params=param or [],
        tools=tool or [],
        functions=functions or [],
        approval=approval_mode,
        schema=schema,
        extract="first" if extract else "last" if extract_last else None,
        stream=stream,
        raw=raw,
        reasoning=reasoning,
        usage=usage,
        output=output,
        format="json" if json else output_format,
        timeout=timeout,
        max_budget=max_budget,
        use_cache=False if no_cache else None,
        log=not no_log,
        stdin=not no_stdin,
        offline=offline or None,
    )
    raise typer.Exit(run(asked))
