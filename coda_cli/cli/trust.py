"""`coda trust`: what a working folder brings along, and whether it counts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from coda_cli.chat import trust_view
from coda_cli.chat.trust_view import STATES, Look
from coda_cli.chat.words import counted
from coda_cli.cli.output import EXIT_FAILURE, put, put_json, say, warn
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.rendering.sanitize import sanitize
from coda_cli.engine.tools.own_folder import own_folder
from coda_cli.engine.tools.trust import Trust
from coda_cli.engine.tools.visible import visible_line

app = typer.Typer(
    help="What this folder brings along (settings, tools, notes), and whether it counts.",
    epilog="Example: coda trust show",
    add_completion=False,
    rich_markup_mode=None,
)
Folder = Annotated[Path | None, typer.Argument(metavar="[PATH]", help="The folder, if not this one.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def _bare(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        show()


def _trust() -> Trust:
    trust = Trust()
    for problem in trust.problems:
        warn(problem)
    return trust


@app.command(epilog="Example: coda trust show ~/work/project")
def show(path: Folder = None, json: Json = False) -> None:
    """Show every file that the folder brings, and what it would change. Nothing of it is run."""
    looked = trust_view.look(trust_view.folder_at(path), _trust())
    if json:
        put_json(trust_view.to_json(looked))
        return
    _put(looked)
    if looked.state in ("unknown", "changed") and not looked.empty and sys.stdout.isatty():
        say("\n`coda trust add` lets exactly this count, until a byte of it changes")


@app.command(epilog="Example: coda trust add")
def add(
    path: Folder = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: it has been read.")] = False,
    json: Json = False,
) -> None:
    """Show what the folder brings, ask, and let exactly that count, until a byte of it changes."""
    trust = _trust()
    looked = trust_view.look(trust_view.folder_at(path), trust)
    if looked.empty:
        raise UsageError(f"{looked.name} brings nothing that can count", hint="`coda trust show` says why")
    if looked.state != "trusted" and not yes:
        if not sys.stdin.isatty():
            raise UsageError("there is nobody to ask", hint="read `coda trust show`, then give --yes")
        _put(looked)
        sys.stderr.write(f"\nLet these {counted(len(looked.files.content), 'file')} count, exactly as shown? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            say("nothing is trusted")
            raise typer.Exit(EXIT_FAILURE)
    trust.trust(looked.files)  # the very bytes that were shown
    if json:
        put_json({"folder": looked.files.folder, "digest": looked.files.digest, "state": "trusted"})
    else:
        say(f"trusted: {looked.name}, as long as it stays as it is")


@app.command(epilog="Example: coda trust remove")
def remove(path: Folder = None, json: Json = False) -> None:
    """Trust the folder no more."""
    trust = _trust()
    named = path if path is not None else Path.cwd()
    done = trust.distrust(named)
    above = own_folder(named)
    if not done and above is not None:
        done = trust.distrust(above)
    if json:
        put_json({"removed": done})
    else:
        shown = visible_line(str(above if above is not None else named))
        say(f"trusted no more: {shown}" if done else f"{shown} was not trusted")


@app.command("list", epilog="Example: coda trust list --json")
def list_(json: Json = False) -> None:
    """List the folders that you trust, and whether they have changed since."""
    trust = _trust()
    rows = [{"folder": name, "state": trust.state(Path(name))} for name in trust.folders()]
    if json:
        put_json(rows)
        return
    for row in rows:
        put(f"{visible_line(row['folder'])}: {STATES[row['state']]}")
    if not rows:
        say("no folder is trusted")


def _put(looked: Look) -> None:
    for line in trust_view.lines(looked):
        print(sanitize(line))
