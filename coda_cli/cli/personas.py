"""`coda personas`: who answers, and how each has changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from coda_cli.cli.options import complete_persona
from coda_cli.cli.output import put, put_json, say, style, warn
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.rendering.sanitize import sanitize

if TYPE_CHECKING:
    from coda_cli.engine.personality.persona import Persona

app = typer.Typer(
    help="Who answers: eight come along, your own are TOML files in the config folder's `personas/`.",
    epilog="Example: coda personas show patient-teacher",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


Name = Annotated[str, typer.Argument(metavar="NAME", help="The persona.", autocompletion=complete_persona)]


@app.command("list", epilog="Example: coda personas list --json")
def list_(json: Json = False) -> None:
    """List the personas. A broken one is left out, and told."""
    from coda_cli.engine.personality.manager import PersonalityManager

    manager = PersonalityManager()
    for problem in manager.problems:
        warn(problem)
    personas = [manager.get(name) for name in manager.names()]
    for one in personas:
        _warn(one)
    if json:
        put_json([{"name": one.name, "description": one.description, "own": one.own} for one in personas])
        return
    width = max(len(one.name) for one in personas)
    for one in personas:
        name = style(f"{one.name:<{width}}", "1", sys.stdout)
        print(f"{name}  {sanitize(one.description)}{' (yours)' if one.own else ''}")


@app.command(epilog="Example: coda personas show code-reviewer")
def show(name: Name, json: Json = False) -> None:
    """Show a persona: its file, what it says to a model now, and what has changed it."""
    from coda_cli.engine.core.prompts import Situation
    from coda_cli.engine.personality.manager import PersonalityManager
    from coda_cli.engine.personality.persona import persona_text
    from coda_cli.engine.prompting import sections

    manager = PersonalityManager(name)
    state = manager.state()
    prompt, brief = (
        sections.persona(manager.prompt(Situation(small=small)), sections.BUDGETS["persona"]).text
        for small in (False, True)
    )
    _warn(manager.persona)
    if json:
        put_json({**manager.persona.to_json(), "says": prompt, "says_small": brief, "state": state.to_json()})
        return
    put(persona_text(name).rstrip("\n"))
    put(f"\nIt says to a model now:\n\n{prompt or 'nothing'}")
    put(f"\nTo a small model: {brief or 'nothing'}")
    put(f"\nIts mood: {state.mood}")
    for change in state.changes:
        put(f"{change.id}  {change.trait} {change.delta:+g}  {change.cause}")


@app.command(epilog="Example: coda personas new captain")
def new(
    name: Name,
    like: Annotated[
        str | None, typer.Option("--like", metavar="NAME", help="Begin with a copy.", autocompletion=complete_persona)
    ] = None,
    edit_now: Annotated[bool, typer.Option("--edit/--no-edit", help="Open it in the editor.")] = True,
) -> None:
    """Make a persona of your own and open it in the editor."""
    from coda_cli.engine.personality.persona import STARTER, persona_file, persona_text
    from coda_cli.engine.personality.traits import TRAITS
    from coda_cli.settings.files import read_text, write_text

    file = persona_file(name)
    if read_text(file) is not None:
        raise UsageError(f"there is a persona {name} already", hint=f"change it with `coda personas edit {name}`")
    write_text(file, persona_text(like) if like else STARTER.format(name=name, traits=", ".join(TRAITS)))
    _opened(name, edit_now)


@app.command(epilog="Example: coda personas edit terse-engineer")
def edit(name: Name) -> None:
    """Open a persona in $VISUAL or $EDITOR and check it afterwards; one that comes along is copied first."""
    from coda_cli.engine.personality.persona import persona_file, persona_text
    from coda_cli.settings.files import read_text, write_text

    file = persona_file(name)
    if read_text(file) is None:
        write_text(file, persona_text(name))
        say(f"{file} is your own copy; the one that comes along is back when you remove it")
    _opened(name, True)


def _opened(name: str, edit_now: bool) -> None:
    from coda_cli.chat.editor import run_editor
    from coda_cli.engine.personality.persona import load_persona, persona_file

    file = persona_file(name)
    if edit_now:
        run_editor(file)
    _warn(load_persona(name))
    say(f"{file}: ok")


def _warn(persona: Persona) -> None:
    """Tell what of *persona* a model will not be told, and which of its tools nobody knows."""
    from coda_cli.engine.personality.doubts import too_long, unknown_tools

    doubts = too_long(persona)
    if persona.tools:
        from coda_cli.engine.tools.manager import ToolManager

        tools = ToolManager()  # those that come along: to find the others takes seconds
        doubts += unknown_tools(persona, {name: tools.get(name).category for name in tools.names()})
    for doubt in doubts:
        warn(f"{persona.name}: {doubt}")
