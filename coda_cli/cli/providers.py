"""`coda providers`: what answers, what does not, and why."""

from __future__ import annotations

import asyncio
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coda_cli.cli.loop import run_async
from coda_cli.cli.output import EXIT_AUTH, EXIT_FAILURE, EXIT_OK, put, put_json, style
from coda_cli.engine.core.errors import LLMError, UsageError
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.engine.usage.analytics import by_provider
from coda_cli.settings.model_cache import cached_models, complete_provider, remember_models

if TYPE_CHECKING:
    from coda_cli.engine.manager import LLMManager

app = typer.Typer(
    help="What answers, what does not, and why.",
    epilog="Example: coda providers status --json",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Offline = Annotated[bool, typer.Option("--offline", help="Make no connection beyond this machine.")]


@app.command(epilog="Example: coda providers status --json | jq '.[] | select(.available)'")
def status(json: Json = False, offline: Offline = False) -> None:
    """Ask every provider whether it answers and has its model; exit 0 if the default one does."""
    rows = run_async(_status(offline or None))
    if json:
        put_json(rows)
    else:
        _put_rows(rows)
    raise typer.Exit(_exit_code(rows))


@app.command("list", epilog="Example: coda providers list")
def list_(json: Json = False) -> None:
    """List the configured providers and their models, asking nobody."""
    from coda_cli.settings.load import load_settings

    settings = load_settings()
    rows = [
        {"provider": name, "type": table.type, "model": table.model, "api_base": table.api_base}
        for name, table in settings.providers.items()
    ]
    if json:
        put_json(rows)
        return
    width = max(len(name) for name in settings.providers)
    for row in rows:
        where = f"  {row['api_base']}" if row["api_base"] else ""
        model = row["model"] or ("(the built-in one)" if row["type"] == "local" else "(its first chat model)")
        put(f"{row['provider']:<{width}}  {model}{where}")


@app.command(epilog="Example: coda providers models ollama")
def models(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The provider.", autocompletion=complete_provider)],
    json: Json = False,
    offline: Offline = False,
) -> None:
    """List the models that one provider offers; shells complete from this list afterwards."""
    from coda_cli import bootstrap
    from coda_cli.settings.load import load_settings
    from coda_cli.settings.problems import did_you_mean

    settings = load_settings(overrides={"offline": offline or None})
    if name not in settings.providers:
        known = ", ".join(settings.providers)
        raise UsageError(
            f"there is no provider called {name!r}",
            hint=did_you_mean(name, settings.providers) or f"choose one of: {known}",
        )
    wired = bootstrap.wire(settings, only=[name])

    async def ask() -> list[dict[str, Any]]:
        async with wired.manager as manager:
            found = await manager.list_models(name)
            return [
                {
                    "id": model.id,
                    "context_window": model.context_window,
                    "max_output": model.max_output,
                    "size": model.size,
                    "capabilities": list(model.capabilities),
                }
                for model in found
            ]

    rows = run_async(ask())
    remember_models(name, [row["id"] for row in rows])
    if json:
        put_json(rows)
        return
    width = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        window = f"{row['context_window']:,} tokens" if row["context_window"] else ""
        put(f"{row['id']:<{width}}  {window:>17}  {', '.join(row['capabilities'])}".rstrip())


async def _status(offline: bool | None) -> list[dict[str, Any]]:
    """One row a provider, all asked at once."""
    from coda_cli import bootstrap
    from coda_cli.settings.load import load_settings
    from coda_cli.settings.model_spec import parse_spec

    settings = load_settings(overrides={"offline": offline})
    wired = bootstrap.wire(settings)
    totals = await asyncio.to_thread(by_provider, wired.log)
    async with wired.manager as manager:
        names = await manager.list_providers()
        named, model = parse_spec(None, settings, cached_models())
        choosing = asyncio.ensure_future(_default(manager, named))

        async def ask(name: str) -> dict[str, Any]:
            # the default may be asked for another model than its own (`model`, CODA_MODEL)
            its_own = model is None or name != await choosing
            return await manager.get_provider_status(name, model=None if its_own else model)

        default, *answers = await asyncio.gather(choosing, *map(ask, names))
    rows = []
    for name, answer in zip(names, answers, strict=True):
        so_far = totals.get(name)
        rows.append(
            {
                "provider": name,
                "default": name == default,
                "kind": answer["kind"],
                "model": answer["model"],
                "available": answer["available"],
                "reason": answer["reason"],
                "hint": answer["hint"],
                "error": answer["error"],
                "latency": round(answer["latency"], 3),
                "key": wired.key_sources.get(name),
                "requests": so_far.requests if so_far else 0,
                "tokens": so_far.tokens if so_far else 0,
                "cost_usd": round(so_far.cost, 6) if so_far else 0.0,
            }
        )
    return rows


async def _default(manager: LLMManager, named: str | None) -> str | None:
    if named is not None:
        return named
    try:
        choice = await manager.default_choice()
    except LLMError:
        return None
    return choice.name


def _put_rows(rows: list[dict[str, Any]]) -> None:
    width = max(len(row["provider"]) for row in rows)
    for row in rows:
        good, keyless = row["available"], row["error"] == "LLMAuthenticationError" and not row["key"]
        mark, code = ("ok", "32") if good else ("no key", "33") if keyless else ("down", "31")
        facts = [row["model"] or "no model"]
        if good:
            facts.append(f"{row['latency'] * 1000:.0f} ms")
        if row["key"]:
            facts.append(f"key from {row['key']}")
        if row["requests"]:
            requests = "1 request" if row["requests"] == 1 else f"{row['requests']:,} requests"
            cost = f", ${row['cost_usd']:.4f}" if row["cost_usd"] else ""
            facts.append(f"{requests}, {row['tokens']:,} tokens{cost}")
        star = "*" if row["default"] else " "
        name = style(sanitize(f"{row['provider']:<{width}}"), "1", sys.stdout)
        print(f"{style(f'{mark:<6}', code, sys.stdout)} {star} {name}  {sanitize(' · '.join(facts))}")
        if good and row["reason"]:
            _put_below(f"warning: {row['reason']}", width)
        elif not good and not keyless:
            _put_below(row["reason"], width)
        if not good and row["hint"]:
            _put_below(f"hint: {row['hint']}", width)


def _put_below(text: str, width: int) -> None:
    """*text* under the facts, wrapped to the terminal."""
    indent = " " * (width + 11)
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    lines = textwrap.wrap(sanitize(text), max(30, columns - len(indent)), break_on_hyphens=False)
    print("\n".join(indent + line for line in lines))


def _exit_code(rows: list[dict[str, Any]]) -> int:
    default = next((row for row in rows if row["default"]), None)
    if default is None:
        return EXIT_FAILURE
    if default["available"]:
        return EXIT_OK
    return EXIT_AUTH if default["error"] == "LLMAuthenticationError" else EXIT_FAILURE
