"""`coda finetune`: training files from conversations, and the vendor's fine-tuning jobs."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import typer

from coda_cli.chat.words import counted, money
from coda_cli.cli.loop import run_async
from coda_cli.cli.output import EXIT_FAILURE, put, put_json, say, warn
from coda_cli.engine.core.errors import CodaError, LLMError, UsageError

if TYPE_CHECKING:
    from coda_cli.engine.conversations.tree import Conversation
    from coda_cli.engine.finetune import Example, FineTuning, LeftOut
    from coda_cli.settings.schema import Settings

EPILOG: Final = """\
Examples:

  coda finetune export --tag good -o train.jsonl

  coda finetune export --rated good --since 3mo --model gpt-4o-mini --price 3

  coda finetune create train.jsonl --model gpt-4o-mini-2024-07-18 --suffix house-style

  coda finetune status ftjob-abc123

  coda ask -m openai/ft:gpt-4o-mini-2024-07-18:me:house-style:abc123 "hello"
"""
app: Final = typer.Typer(
    help="Training files from conversations, and the vendor's fine-tuning jobs.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Provider = Annotated[str, typer.Option("--provider", metavar="NAME", help="The provider, of type openai.")]
_T = TypeVar("_T")
_MODEL: Final = "gpt-4o-mini-2024-07-18"
_ALL: Final = 1 << 31


@app.command(epilog="Example: coda finetune export --tag good -o train.jsonl")
def export(
    cid: Annotated[list[str] | None, typer.Option("--cid", metavar="ID", help="This conversation; repeatable.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Those with this tag.")] = None,
    pinned: Annotated[bool, typer.Option("--pinned", help="Those that are pinned.")] = False,
    rated: Annotated[
        Literal["good"] | None, typer.Option("--rated", help="Those with an answer rated good and none rated bad.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="WHEN", help="2026-01-31, 12h, 3d, 2w, ...")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="WHEN", help="The same.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: stdout.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="The model to train.")] = _MODEL,
    system: Annotated[str | None, typer.Option("--system", "-s", help="The system prompt of each example.")] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Of one example.")] = 65_536,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="For the estimate of the price.")] = 3,
    price: Annotated[float | None, typer.Option("--price", min=0, help="USD per million trained tokens.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where a conversation holds a secret.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print a report as JSON; needs --output.")] = False,
) -> None:
    """Write chosen conversations as a training file: the active branch of each, checked, without secrets."""
    filtered = bool(tag or pinned or rated or since or until)
    if not (cid or filtered):
        raise UsageError("say which conversations", hint="choose by --cid, --tag, --pinned, --rated or --since")
    if json and output is None:
        raise UsageError("--json is a report, the examples need a file", hint="name it with --output FILE")
    from coda_cli.cli.history_common import one_line, wanted
    from coda_cli.engine import finetune

    where = wanted(tag, None, None, since, until, pinned=pinned)
    good: list[Example] = []
    bad: list[LeftOut] = []
    chosen = _chosen(cid or [], where, filtered=filtered)
    if rated is not None:
        chosen = (one for one in chosen if finetune.is_good(one))
    tools, keys = _tools_and_keys()
    for made in finetune.examples(chosen, model, system_prompt=system, tools=tools, keys=keys, most_tokens=max_tokens):
        if isinstance(made, finetune.Example):
            good.append(made)
        else:
            bad.append(made)
            warn(f"{one_line(made.conversation_id)} is left out: {made.reason}")
    if strict and any(one.secret for one in bad):
        raise CodaError("a conversation holds a secret", hint="take it out of the choice, or leave out --strict")
    content = b"".join(one.line for one in good)
    if len(content) > finetune.MOST_BYTES:
        raise UsageError(f"{len(content) >> 20} MiB are more than a vendor takes", hint="choose fewer conversations")
    _write(output, content)
    _told(good, bad, len(content), epochs, price, output if json else None)
    if not good:
        raise typer.Exit(EXIT_FAILURE)


def _told(
    good: list[Example], bad: list[LeftOut], size: int, epochs: int, price: float | None, reported: Path | None
) -> None:
    """What was written, and what training on it costs; as JSON for the file *reported*."""
    from coda_cli.engine.finetune import LEAST_EXAMPLES

    tokens = sum(one.tokens for one in good)
    cost = None if price is None else tokens * epochs * price / 1e6
    if reported is not None:
        left = [{"conversation": one.conversation_id, "reason": one.reason, "secret": one.secret} for one in bad]
        report = {"examples": len(good), "tokens": tokens, "epochs": epochs, "cost_usd": cost, "bytes": size}
        put_json({**report, "file": str(reported), "left_out": left})
    told = money(cost) if cost is not None else "unpriced: --price says what a million trained tokens cost"
    say(f"{counted(len(good), 'example')}, about {tokens:,} tokens, {epochs} times: {told}")
    if 0 < len(good) < LEAST_EXAMPLES:
        warn(f"vendors want at least {LEAST_EXAMPLES} examples")


def _chosen(ids: list[str], where: Any, *, filtered: bool) -> Iterator[Conversation]:
    """The conversations that are named, then those that fit."""
    from coda_cli.cli.history_common import find, open_folder

    folder = open_folder()
    named = [find(folder, one) for one in ids]
    found = [row.id for row in folder.rows(where, limit=_ALL)] if filtered else []
    for conversation_id in dict.fromkeys([*named, *found]):
        try:
            yield folder.load(conversation_id)
        except KeyError:
            continue  # deleted meanwhile


def _tools_and_keys() -> tuple[list[Any], list[str]]:
    """All tools that there are, and the keys of all providers."""
    from coda_cli import bootstrap
    from coda_cli.engine.core.config import FunctionCallingConfig
    from coda_cli.settings.load import load_settings

    settings = load_settings()
    wired = bootstrap.wire(settings, log=False, tools=False)
    keys = [one.api_key.get_secret_value() for one in wired.manager.config.providers.values() if one.api_key]
    tools = bootstrap.tool_manager(settings)
    return list(tools.specs(FunctionCallingConfig())), keys


def _write(output: Path | None, content: bytes) -> None:
    if output is None or str(output) == "-":
        if sys.stdout.isatty():
            from coda_cli.engine.rendering.sanitize import sanitize

            sys.stdout.write(sanitize(content.decode()))
        else:
            sys.stdout.buffer.write(content)
        return
    from coda_cli import paths

    if not output.resolve().parent.is_dir():
        raise UsageError(f"there is no folder {output.resolve().parent}", hint="make it first, or choose another")
    try:
        paths.replace_private(output.resolve(), content)
    except OSError as exc:
        raise UsageError(f"can't write {output}: {exc.strerror or exc}", hint="choose another file") from exc


# ---- jobs -----------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: coda finetune create train.jsonl --model gpt-4o-mini-2024-07-18 --suffix house-style")
def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A training file, as `export` writes it.")],
    model: Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help="The model to train.")] = _MODEL,
    suffix: Annotated[str | None, typer.Option("--suffix", help="A part of the new model's name.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Default: the vendor decides.")] = None,
    provider: Provider = "openai",
    json: Json = False,
) -> None:
    """Upload a training file and start a job. It costs money; `coda finetune export` estimates how much."""
    from coda_cli.engine import finetune

    try:
        content = file.read_bytes()
        count = finetune.check_file(content)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise UsageError(f"can't use {file}: {why}", hint="`coda finetune export` writes such a file") from exc
    if count < finetune.LEAST_EXAMPLES:
        raise UsageError(f"{file} has {counted(count, 'example')}", hint="vendors want at least 10")
    job = _asked(provider, lambda api: api.create(file.name, content, model, suffix=suffix, epochs=epochs))
    _put(job, json=json)


@app.command(epilog="Example: coda finetune status ftjob-abc123 --json | jq -r .fine_tuned_model")
def status(
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")],
    provider: Provider = "openai",
    json: Json = False,
) -> None:
    """Show how a job stands; exit 1 if it has failed."""
    found = _asked(provider, lambda api: api.status(job))
    _put(found, json=json)
    if found["status"] in ("failed", "cancelled"):
        raise typer.Exit(EXIT_FAILURE)


@app.command("list", epilog="Example: coda finetune list --json")
def list_(
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, max=100, metavar="N", help="How many.")] = 20,
    provider: Provider = "openai",
    json: Json = False,
) -> None:
    """List the latest jobs."""
    jobs = _asked(provider, lambda api: api.list(limit))
    if json:
        put_json(jobs)
        return
    for job in jobs:
        put(f"{job['id']}  {job['status'] or '?':<16}  {job['fine_tuned_model'] or job['model'] or ''}")
    if not jobs:
        say("there are no jobs")


def _put(job: dict[str, Any], *, json: bool) -> None:
    from coda_cli.cli.history_common import clock

    if json:
        put_json(job)
        return
    put(f"{job['id']}  {job['status'] or '?'}")
    for name in ("model", "fine_tuned_model", "training_file", "trained_tokens", "error"):
        if job[name] is not None:
            put(f"  {name.replace('_', ' ')}: {job[name]}")
    for name in ("created_at", "finished_at", "estimated_finish"):
        if job[name] is not None:
            put(f"  {name.replace('_', ' ')}: {clock(job[name])}")


def _asked(name: str, work: Callable[[FineTuning], Awaitable[_T]]) -> _T:
    """*work* with the fine-tuning API of the provider *name*; no error of its tells a key."""
    from coda_cli.settings.load import load_settings

    settings = load_settings()
    if name not in settings.providers or settings.providers[name].type != "openai":
        known = ", ".join(one for one, table in settings.providers.items() if table.type == "openai")
        raise UsageError(f"{name!r} is no provider of type openai", hint=f"choose one of: {known}")
    return run_async(_with_api(settings, name, work))


async def _with_api(settings: Settings, name: str, work: Callable[[FineTuning], Awaitable[_T]]) -> _T:
    from coda_cli import bootstrap
    from coda_cli.engine.finetune import FineTuning
    from coda_cli.engine.providers.openai import OpenAIProvider
    from coda_cli.engine.redact import conceal

    wired = bootstrap.wire(settings, only=[name], log=False, tools=False)
    async with wired.manager as manager:
        provider = manager.provider(name)
        if not isinstance(provider, OpenAIProvider):
            raise UsageError(f"{name!r} has no fine-tuning API", hint="OpenAI and servers like it have one")
        try:
            api = FineTuning(provider)
            try:
                return await work(api)
            finally:
                await api.aclose()
        except LLMError as exc:
            exc.provider = exc.provider or name
            conceal(exc, provider.secrets())
            raise
