"""`coda batch`: many prompts on one model, a few at a time; what is answered is never asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from coda_cli.cli.options import NoLog, Offline, System
from coda_cli.cli.output import stdin_is_readable
from coda_cli.settings.model_cache import complete_model

EPILOG: Final = """\
Examples:

  coda batch prompts.txt --output answers.jsonl

  coda batch prompts.jsonl -m openai/gpt-6.1-mini --concurrency 16 --rate 500/min --output answers.jsonl

  jq -c '{id: .sku, prompt: .text}' items.jsonl | coda batch -t summary -p language=French > answers.jsonl

  coda batch prompts.jsonl -m anthropic --vendor-batch --output answers.jsonl

`coda batch run --help` lists the options. Run again with the same --output, it goes on where it stopped.
"""


class BatchGroup(TyperGroup):
    """A group whose `run` may be left out: `coda batch FILE` is `coda batch run FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` in front of what is no command."""
        first = args[0] if args else ""
        if (first and first not in self.commands and first not in ("-h", "--help")) or (
            not args and stdin_is_readable()
        ):
            args = ["run", *args]
        return list(super().parse_args(ctx, args))


app: Final = typer.Typer(
    cls=BatchGroup,
    help="Many prompts on one model, a few at a time: from a file or a pipe, to JSON Lines.",
    epilog=EPILOG,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print a summary as JSON, in place of a line on stderr.")]
Input = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="One prompt a line, as text or as a JSON object; - or nothing is stdin."),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="MODEL", help="provider/model, ...", autocompletion=complete_model),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", metavar="KEY=VALUE", help="temperature, max_tokens, effort, top_p, ..."),
]
Schema = Annotated[
    str | None, typer.Option("--schema", metavar="JSON|FILE", help="A JSON Schema that every answer must fit.")
]
Template = Annotated[
    str | None,
    typer.Option("--template", "-t", metavar="NAME", help="Put every prompt into a saved one; a line gives `params`."),
]
Params = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="A variable of the template.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Append the answers there; what is in it is not asked again."),
]
Concurrency = Annotated[int, typer.Option("--concurrency", metavar="N", min=1, max=512, help="So many at once.")]
Rate = Annotated[
    str | None, typer.Option("--rate", metavar="N/min", help="At most so many requests a minute (or /s, /h).")
]
Budget = Annotated[
    float | None,
    typer.Option("--max-budget-usd", metavar="USD", min=0, help="Stop before all answers cost more: exit code 3."),
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", min=0.001, help="Deadline for the whole command.")
]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Ask only N that are not done yet.")]
Keep = Annotated[
    str | None, typer.Option("--keep", metavar="TAG", help="Keep each one as a conversation with this tag.")
]


@app.command(epilog="Example: coda batch prompts.jsonl --concurrency 8 --output answers.jsonl")
def run(
    file: Input = None,
    model: Model = None,
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
    vendor_batch: Annotated[
        bool,
        typer.Option("--vendor-batch", help="Hand all to the vendor's batch API (half price, within a day) and wait."),
    ] = False,
    keep: Keep = None,
    no_log: NoLog = False,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Ask every prompt. The word `run` may be left out."""
    from coda_cli.cli.batch_setup import Wanted

    wanted = Wanted(
        file=file,
        models=[model] if model else [],
        system=system,
        options=option or [],
        schema=schema,
        template=template,
        params=param or [],
        log=not no_log,
        keep=keep,
        offline=offline or None,
    )
    if vendor_batch:
        from coda_cli.cli.batch_vendor import submit_and_wait

        refused = {"--keep": keep, "--rate": rate, "--max-budget-usd": max_budget_usd, "--timeout": timeout}
        raise typer.Exit(submit_and_wait(wanted, output, limit=limit, json=json, refused=refused))
    from coda_cli.cli.batch_many import Asked
    from coda_cli.cli.batch_run import run as run_batch
    from coda_cli.engine.batch.pace import parse_rate

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
    raise typer.Exit(run_batch(asked))


BatchId = Annotated[
    str | None, typer.Argument(metavar="ID", help="The batch's id or its beginning; default: the newest under way.")
]


@app.command(epilog="Example: coda batch submit prompts.jsonl -m openai --output answers.jsonl")
def submit(
    file: Input = None,
    model: Model = None,
    system: System = None,
    option: Options = None,
    schema: Schema = None,
    template: Template = None,
    param: Params = None,
    output: Output = None,
    limit: Limit = None,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Hand all prompts to the vendor's batch API, and leave."""
    from coda_cli.cli.batch_setup import Wanted
    from coda_cli.cli.batch_vendor import submit as hand_over
    from coda_cli.cli.output import put_json

    wanted = Wanted(
        file=file,
        models=[model] if model else [],
        system=system,
        options=option or [],
        schema=schema,
        template=template,
        params=param or [],
        offline=offline or None,
    )
    batch = hand_over(wanted, output, limit=limit)
    if json:
        put_json({"batch": None} if batch is None else batch.model_dump())


@app.command(epilog="Example: coda batch status")
def status(batch: BatchId = None, offline: Offline = False, json: Json = False) -> None:
    """Say how a batch stands at the vendor."""
    from coda_cli.cli.batch_vendor import status as show

    raise typer.Exit(show(batch, json=json, offline=offline or None))


@app.command(epilog="Example: coda batch collect --wait")
def collect(
    batch: BatchId = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False,
    no_log: NoLog = False,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Fetch what became of a batch into its --output."""
    from coda_cli.cli.batch_vendor import collect as fetch

    raise typer.Exit(fetch(batch, waiting=wait, json=json, offline=offline or None, log=not no_log))


@app.command(epilog="Example: coda batch cancel batch-1f2e")
def cancel(batch: BatchId = None, offline: Offline = False, json: Json = False) -> None:
    """Stop a batch at the vendor; what was answered by then can be collected."""
    from coda_cli.cli.batch_vendor import cancel as stop

    raise typer.Exit(stop(batch, json=json, offline=offline or None))


@app.command("list", epilog="Example: coda batch list --json")
def list_(json: Json = False) -> None:
    """List the batches that were handed to a vendor from here."""
    from coda_cli.cli.batch_vendor import list_ as show

    raise typer.Exit(show(json=json))
