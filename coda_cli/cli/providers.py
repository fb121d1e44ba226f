"""`coda providers`: what answers, what does not, and why."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from coda_cli.cli.model_cache import complete_provider, remember_models
from coda_cli.cli.output import EXIT_AUTH, EXIT_FAILURE, EXIT_OK, put, put_json, style
from coda_cli.engine.core.errors import LLMError, UsageError

app = typer.Typer(
    help="What answers, what does not, and why.",
    epilog="Example: coda providers status --json",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Offline = Annotated[bool, typer.Option("--offline", help="Make no connection beyond this machine.")]


@app.command(epilog="Example: coda providers status --json | jq '.[] | select(.available)'")
def status(json: Json = False, offline: Offline = False) -> None:
    """Ask every provider whether it answers; exit 0 if the default one does."""
    rows = asyncio.run(_status(offline or None))
    if json:
        put_json(rows)
    else:
        for row in rows:
            _put_row(row)
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
        put(f"{row['provider']:<{width}}  {row['model'] or '(its first model)'}{where}")


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
    wired = bootstrap.wire(settings, only=name)

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

    rows = asyncio.run(ask())
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
    totals = wired.log.totals()
    async with wired.manager as manager:
        names = await manager.list_providers()
        named = parse_spec(None, settings).provider
        default, *answers = await asyncio.gather(
            _default(manager), *(manager.get_provider_status(name) for name in names)
        )
    rows = []
    for name, answer in zip(names, answers, strict=True):
        so_far = totals.get(name)
        rows.append(
            {
                "provider": name,
                "default": name == (named or default),
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
            }
        )
    return rows


async def _default(manager: Any) -> str | None:
    try:
        choice = await manager.default_choice()
    except LLMError:
        return None
    return str(choice.name)


def _put_row(row: dict[str, Any]) -> None:
    import sys

    good = row["available"]
    mark = style("ok  ", "32", sys.stdout) if good else style("down", "31", sys.stdout)
    star = "*" if row["default"] else " "
    facts = [row["model"] or "no model"]
    if good:
        facts.append(f"{row['latency'] * 1000:.0f} ms")
    if row["key"]:
        facts.append(f"key from {row['key']}")
    if row["requests"]:
        facts.append(f"{row['requests']:,} requests, {row['tokens']:,} tokens")
    _put(f"{mark} {star} ", style(row["provider"], "1", sys.stdout), "  " + " · ".join(facts))
    if not good:
        put(f"       {row['reason']}")
        put(f"       hint: {row['hint']}" if row["hint"] else "")


def _put(mark: str, name: str, rest: str) -> None:
    from coda_cli.engine.rendering.sanitize import sanitize

    print(mark + name + sanitize(rest))


def _exit_code(rows: list[dict[str, Any]]) -> int:
    default = next((row for row in rows if row["default"]), None)
    if default is None:
        return EXIT_FAILURE
    if default["available"]:
        return EXIT_OK
    return EXIT_AUTH if default["error"] == "LLMAuthenticationError" else EXIT_FAILURE
