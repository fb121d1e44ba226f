"""`coda templates`: the prompt templates behind `coda ask -t`."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from coda_cli.chat.editor import run_editor
from coda_cli.cli.output import fail, put, put_json, say, warn
from coda_cli.engine.core.errors import CodaError, ConfigError, UsageError
from coda_cli.settings import templates
from coda_cli.settings.files import read_text, write_text

app: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    help="List, show and edit prompt templates: TOML files in the config folder, used with `coda ask -t NAME`.",
    epilog="Example: coda templates edit translate",
)


def complete_template(incomplete: str) -> list[str]:
    """Names for the shell."""
    return [name for name in templates.template_names() if name.startswith(incomplete)]


TemplateName = Annotated[
    str, typer.Argument(metavar="NAME", help="The template's name.", autocompletion=complete_template)
]
Param = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="KEY=VALUE", help="A variable of the template.")
]


@app.command("list", epilog="Example: coda templates list --json")
def list_(json: bool = typer.Option(False, "--json", help="Print a JSON list.")) -> None:
    """List the templates with their variables. A broken one is listed too, and told."""
    rows: list[dict[str, Any]] = []
    for name in templates.template_names():
        try:
            template = templates.load_template(name)
        except CodaError as error:
            rows.append({"name": name, "description": "", "variables": [], "model": None, "error": error.message})
            continue
        rows.append({
            "name": name,
            "description": template.description,
            "variables": template.variables(),
            "model": template.model,
            "error": None,
        })  # fmt: skip
    if json:
        put_json(rows)
        return
    if not rows:
        say(f"no templates in {templates.templates_dir()}; make one with `coda templates edit NAME`")
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        tail = f"  (-p {', '.join(row['variables'])})" if row["variables"] else ""
        put(f"{row['name']:<{width}}  {row['description']}{tail}".rstrip())
        if row["error"]:
            warn(row["error"])


@app.command(epilog="Example: coda templates show translate")
def show(
    name: str = typer.Argument(..., metavar="NAME", help="The template's name."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Print one template: the file as it stands, or its fields as JSON."""
    try:
        template = templates.load_template(name)
        text = read_text(templates.template_file(name)) or ""
    except CodaError as error:
        fail(error)
    if json:
        fields = template.model_dump(mode="json", by_alias=True)
        put_json({"name": name, **fields, "variables": template.variables()})
    else:
        put(text.rstrip("\n"))


@app.command(epilog="Example: coda templates edit translate")
def edit(
    name: str = typer.Argument(..., metavar="NAME", help="The template's name; a new one starts filled in."),
) -> None:
    """Open a template in $VISUAL or $EDITOR and check it afterwards."""
    try:
        file = templates.template_file(name)
        if read_text(file) is None:
            write_text(file, templates.STARTER.format(name=name))
        run_editor(file)
        text = read_text(file)
        if text is None:
            raise ConfigError(f"{file} is gone", hint="the editor did not save it", file=str(file))
        templates.load_template(name)
    except CodaError as error:
        fail(error)
    say(f"{file}: ok")


@app.command(epilog="Example: ls $(coda templates path)")
def path(name: str = typer.Argument("", metavar="[NAME]", help="One template's file.")) -> None:
    """Print the folder of the templates, or one template's file."""
    try:
        put(str(templates.template_file(name) if name else templates.templates_dir()))
    except CodaError as error:
        fail(error)


@app.command("test", epilog="Example: coda templates test translate -p language=French 'Guten Tag'")
def try_out(
    name: TemplateName,
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="What stands for $input.")] = "",
    param: Param = None,
    json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Print what a template sends, with its variables filled in and its includes put together. Nobody is asked."""
    show_rendered(name, param or [], text, json=json)


def show_rendered(name: str, params: list[str], text: str, *, json: bool) -> None:
    """Render the template *name* with *params* (each NAME=VALUE) and print it. Raises CodaError."""
    given: dict[str, str] = {}
    for one in params:
        key, found, value = one.partition("=")
        if not found or not key.strip():
            raise UsageError(f"-p needs KEY=VALUE, not {one!r}", hint="for example -p language=French")
        given[key.strip()] = value
    template = templates.load_template(name)
    rendered = templates.render(template, given, text)
    if json:
        shown = {"prompt": rendered.prompt, "system": rendered.system, "model": rendered.model}
        put_json({"name": name, **shown, "options": dict(rendered.options), "includes": template.include})
        return
    if rendered.model:
        say(f"model: {rendered.model}")
    for option, value in rendered.options.items():
        say(f"{option}: {value}")
    if rendered.system:
        say("system:")
        put(f"{rendered.system}\n")
    say("prompt:")
    put(rendered.prompt)
