"""`coda events`: what programs that read Coda's events can rely on."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from coda_cli.cli.output import put, put_json, style

app = typer.Typer(
    help="The events of `--output-format stream-json` and of the WebSocket, for programs.",
    epilog="Examples:\n\n  coda events types\n\n  coda events schema > events.schema.json",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command(epilog="Example: coda events schema > events.schema.json")
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of an event."""
    from coda_cli.engine.core.event_schema import event_schema

    put_json(event_schema())


@app.command(epilog="Example: coda events types --json")
def types(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the types of events."""
    from coda_cli.engine.core.event_schema import event_schema

    made = event_schema()
    kinds = [made["$defs"][one["$ref"].rpartition("/")[2]] for one in made["oneOf"]]
    rows = [(kind["properties"]["type"]["const"], kind["description"], list(kind["properties"])) for kind in kinds]
    if json:
        put_json([{"type": name, "description": said, "fields": fields} for name, said, fields in rows])
        return
    shared = ("type", "seq", "time", "conversation_id")
    for name, said, fields in rows:
        own = ", ".join(field for field in fields if field not in shared)
        put(f"{style(name, '1', sys.stdout)}\n  {said}" + (f"\n  {style(own, '2', sys.stdout)}" if own else ""))
    put(f"\nall have {', '.join(shared)}; schema {made['version']}, `coda events schema`")
