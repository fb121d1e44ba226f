"""`coda tools mcp`: the MCP servers of coda.toml, and whether they work."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct, field

from coda_cli.cli.loop import run_async
from coda_cli.cli.output import EXIT_FAILURE, put, put_json, style
from coda_cli.engine.core.errors import UsageError

if TYPE_CHECKING:
    from coda_cli.engine.tools.mcp.server import Server
    from coda_cli.settings.schema import Settings

app = typer.Typer(
    help="Servers of the Model Context Protocol, and their tools.",
    epilog="Example: coda tools mcp add files -- mcp-server-files ~/notes",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _complete_server(incomplete: str) -> list[str]:
    from coda_cli.engine.core.errors import CodaError

    try:
        return [name for name in _settings().mcp.servers if name.startswith(incomplete)]
    except CodaError:
        return []


Name = Annotated[str, typer.Argument(metavar="NAME", help="The server.", autocompletion=_complete_server)]


def _settings() -> Settings:
    from coda_cli.settings.load import load_settings

    return load_settings()


@app.command("list", epilog="Example: coda tools mcp list --json")
def list_(json: Json = False) -> None:
    """List the servers, without starting one."""
    from coda_cli.bootstrap import mcp_servers
    from coda_cli.engine.tools.mcp.listing import known

    settings = _settings()
    enabled = mcp_servers(settings).all
    rows: list[dict[str, Any]] = []
    for name, server in settings.mcp.servers.items():
        config = enabled[name].config if name in enabled else None
        listing = known(config) if config is not None else None
        rows.append(
            {
                "name": name,
                "enabled": server.enabled,
                "where": config.where if config is not None else server.url or server.command,
                "tools": [str(tool.get("name")) for tool in listing.tools] if listing is not None else None,
            }
        )
    if json:
        put_json(rows)
        return
    if not rows:
        put("No servers: `coda tools mcp add NAME -- COMMAND` adds one.")
    for row in rows:
        tools = "not asked yet" if row["tools"] is None else f"{len(row['tools'])} tools"
        put(f"{style(row['name'], '1', sys.stdout)}  {row['where']}  ({tools if row['enabled'] else 'off'})")


@app.command(epilog="Example: coda tools mcp add files -- mcp-server-files ~/notes")
def add(
    name: Name,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="The program and its arguments, behind `--`.")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="An address in place of a program.")] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME[=VALUE]", help="A variable to hand on, or to set.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="HEADER=VARIABLE", help="A header from a variable.")
    ] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", metavar="FOLDER", help="The folder that it starts in.")] = None,
) -> None:
    """Write a server into coda.toml. Nothing is started."""
    from coda_cli import paths
    from coda_cli.settings.edit import add_table

    if name in _settings().mcp.servers:
        raise UsageError(f"there is a server {name!r} already", hint=f"`coda tools mcp remove {name}` takes it out")
    if bool(command) == bool(url):
        raise UsageError(
            "a server is a command or a --url", hint="as in `coda tools mcp add files -- mcp-server-files ~/notes`"
        )
    values: dict[str, object] = {"url": url} if url else {"command": command[0] if command else ""}
    if command and command[1:]:
        values["args"] = command[1:]
    if env:
        values["env"] = env
    if cwd:
        values["cwd"] = cwd
    if header:
        if wrong := [one for one in header if "=" not in one]:
            raise UsageError(f"{wrong[0]!r} is no HEADER=VARIABLE", hint="as in --header Authorization=MY_TOKEN")
        values["headers_env"] = dict(one.split("=", 1) for one in header)
    add_table(paths.config_file(), ("mcp", "servers", name), values)
    put(f"added {name}; `coda tools mcp check {name}` tries it")


@app.command(epilog="Example: coda tools mcp remove files")
def remove(name: Name) -> None:
    """Take a server out of coda.toml."""
    from coda_cli import paths
    from coda_cli.settings.edit import unset_value
    from coda_cli.settings.problems import dotted

    if not unset_value(paths.config_file(), dotted(("mcp", "servers", name))):
        raise UsageError(f"there is no server {name!r} in coda.toml", hint="`coda tools mcp list` lists them")
    put(f"removed {name}")


class _Check(Struct):
    """What became of one server."""

    name: str
    seconds: float
    error: str = ""
    title: str = ""
    tools: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@app.command(epilog="Example: coda tools mcp check files")
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Default: all.", autocompletion=_complete_server)
    ] = None,
    json: Json = False,
) -> None:
    """Start each server, list its tools, and tell what does not work."""
    settings = _settings()
    unknown = [name for name in names or () if name not in settings.mcp.servers]
    if unknown:
        raise UsageError(f"there is no server {unknown[0]!r}", hint="`coda tools mcp list` lists them")
    checks = run_async(_checked(settings, names or None))
    if json:
        put_json(
            [
                {
                    "name": one.name,
                    "ok": not one.error,
                    "error": one.error or None,
                    "seconds": round(one.seconds, 3),
                    "server": one.title or None,
                    "tools": one.tools,
                    "problems": one.problems,
                }
                for one in checks
            ]
        )
    else:
        for one in checks:
            said = one.error or f"{one.title or 'works'}, {len(one.tools)} tools"
            put(f"{style(one.name, '1', sys.stdout)}  {'failed' if one.error else 'ok'}  {one.seconds:.2f} s  {said}")
            for line in (*one.tools, *one.problems):
                put(f"    {line}")
        if not checks:
            put("No servers.")
    if any(one.error for one in checks):
        raise typer.Exit(EXIT_FAILURE)


async def _checked(settings: Settings, names: list[str] | None) -> list[_Check]:
    from coda_cli.bootstrap import mcp_servers

    servers = mcp_servers(settings)
    wanted = [server for name, server in servers.all.items() if names is None or name in names]
    try:
        return list(await asyncio.gather(*map(_check, wanted)))
    finally:
        await servers.aclose()


async def _check(server: Server) -> _Check:
    from coda_cli.engine.tools.base import ToolError

    begun = time.monotonic()
    try:
        await server.learn(fresh=True)
    except ToolError:
        return _Check(server.config.name, time.monotonic() - begun, server.why)
    listing = server.listing
    return _Check(
        server.config.name,
        time.monotonic() - begun,
        title=listing.title if listing is not None else "",
        tools=list(server.definitions),
        problems=server.problems,
    )
