"""`coda compare`: the same prompts for several models, side by side: time, tokens, price, agreement, a judge."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from coda_cli.cli.batch import (
    Budget,
    Concurrency,
    Input,
    Keep,
    Limit,
    Options,
    Output,
    Params,
    Rate,
    Schema,
    Template,
    Timeout,
)
from coda_cli.cli.options import NoLog, Offline, System
from coda_cli.engine.core.errors import UsageError
from coda_cli.settings.model_cache import complete_model

EPILOG: Final = """\
Examples:

  coda compare -m openai -m anthropic prompts.jsonl

  coda compare -m ollama/qwen3 -m local prompts.txt --output run.jsonl --judge openai/gpt-6.1-sol

  coda compare -m fast -m strong prompts.jsonl --limit 20 --max-budget-usd 1 --json

One question for several models is `coda ask -m A -m B`, and `/compare` in a chat.
"""


Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", metavar="MODEL", help="A model; give two or more.", autocompletion=complete_model),
]
Judge = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="MODEL",
        help="Let this model say which of two answers is better, each pair in both orders.",
        autocompletion=complete_model,
    ),
]


def compare(
    file: Input = None,
    model: Models = None,
    judge: Judge = None,
    seed: Annotated[int, typer.Option("--seed", help="Which answer the judge sees first the first time.")] = 0,
    system: System = None,
    option: Options = None,
    schema: Schema = None,
    template: Template = None,
    param: Params = None,
    output: Output = None,
    concurrency: Concurrency = 4,
    rate: Rate = None,
    max_budget_usd: Budget = None,
    timeout: Timeout = None,
    limit: Limit = None,
    keep: Keep = None,
    no_log: NoLog = False,
    offline: Offline = False,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Ask several models the same prompts: time, tokens, price, agreement, a judge."""
    models = model or []
    if len(models) < 2:
        raise UsageError(
            "a comparison needs two models", hint="name each with -m: coda compare -m A -m B prompts.jsonl"
        )
    from coda_cli.cli.batch_many import Asked
    from coda_cli.cli.batch_setup import Wanted
    from coda_cli.cli.compare_run import run
    from coda_cli.engine.batch.pace import parse_rate

    wanted = Wanted(
        file=file,
        models=models,
        system=system,
        options=option or [],
        schema=schema,
        template=template,
        params=param or [],
        log=not no_log,
        keep=keep,
        offline=offline or None,
    )
    asked = Asked(
        wanted,
        output=output,
        concurrency=concurrency,
        rate=None if rate is None else parse_rate(rate),
        budget=max_budget_usd,
        timeout=timeout,
        limit=limit,
        json=json,
    )
    raise typer.Exit(run(asked, judge=judge, seed=seed))
