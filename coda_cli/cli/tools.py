"""`coda tools`: what models may call, what a call gives, and what they may do without a question."""

from __future__ import annotations

import json as jsonlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coda_cli.cli.loop import run_async
from coda_cli.cli.options import Approval
from coda_cli.cli.output import EXIT_FAILURE, put, put_json, style, warn
from coda_cli.cli.tools_mcp import app as mcp_app
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import ApprovalMode
from coda_cli.engine.rendering.sanitize import sanitize

if TYPE_CHECKING:
    from coda_cli.cli.ask_tools import Asker
    from coda_cli.engine.core.messages import ToolResultPart
    from coda_cli.engine.tools.manager import ToolManager
    from coda_cli.engine.tools.permissions import Permissions

app = typer.Typer(
    help="What models may call, and what they may do without a question.",
    epilog="Example: coda tools list",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
permissions_app = typer.Typer(
    help="The rules for what runs without a question.",
    epilog='Example: coda tools permissions allow "run_command git status"',
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(permissions_app, name="permissions", help="The rules for what runs without a question.")
app.add_typer(mcp_app, name="mcp", help="Servers of the Model Context Protocol, and their tools.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Functions = Annotated[list[str] | None, typer.Option("--functions", metavar="FILE", help="A Python file with more.")]


def _manager(functions: list[str] | None = None) -> ToolManager:
    """The tools of this installation, all of them found. Raises CodaError."""
    from pathlib import Path

    from coda_cli.bootstrap import tool_manager
    from coda_cli.settings.load import load_settings

    tools = tool_manager(load_settings(), [Path(name) for name in functions or ()])
    run_async(tools.ready())
    for problem in tools.problems:
        warn(problem)
    return tools


def _permissions() -> Permissions:
    from coda_cli.bootstrap import permissions
    from coda_cli.settings.load import load_settings

    rules = permissions(load_settings())
    for problem in rules.problems:
        warn(problem)
    return rules


def _complete_tool(incomplete: str) -> list[str]:
    from coda_cli.engine.tools.builtin import BUILTIN

    return [name for name in sorted(BUILTIN) if name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(metavar="NAME", help="The tool.", autocompletion=_complete_tool)]


@app.command("list", epilog="Example: coda tools list --json")
def list_(json: Json = False, functions: Functions = None) -> None:
    """List the tools: what each does, and what it touches."""
    from coda_cli.engine.tools.sandbox import confinement

    manager = _manager(functions)
    rows = [
        {
            "name": tool.name,
            "category": tool.category,
            "touches": tool.touches.value,
            "description": tool.description,
            "origin": tool.origin or None,
        }
        for tool in map(manager.get, manager.names())
    ]
    if json:
        put_json(rows)
        return
    width = max((len(str(row["name"])) for row in rows), default=0)
    for row in rows:
        first = str(row["description"]).split("\n", 1)[0]
        name = style(sanitize(f"{row['name']:<{width}}"), "1", sys.stdout)
        print(f"{name}  {row['touches']:<8}  {sanitize(first)}")
    if sys.stdout.isatty():
        print(style(f"\nPrograms run {confinement().words}.", "2", sys.stdout))


@app.command(epilog="Example: coda tools show read_file")
def show(name: Name, json: Json = False, functions: Functions = None) -> None:
    """Show what a model is told of one tool."""
    tool = _manager(functions).get(name)
    value = {
        "name": tool.name,
        "category": tool.category,
        "touches": tool.touches.value,
        "description": tool.description,
        "parameters": dict(tool.parameters),
        "timeout": tool.timeout,
        "origin": tool.origin or None,
    }
    if json:
        put_json(value)
        return
    put(f"{tool.name} ({tool.category}, touches {tool.touches.value})\n\n{tool.description}\n")
    if tool.origin:
        put(f"From {tool.origin}\n")
    put(jsonlib.dumps(tool.parameters, indent=2, ensure_ascii=False))


@app.command("test", epilog="Example: coda tools test calculator expression='15% of 80'")
def call(
    name: Name,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Arguments; a value may be JSON.")
    ] = None,
    approval_mode: Approval = None,
    json: Json = False,
    functions: Functions = None,
) -> None:
    """Call a tool as a model would, under the same permissions, and print what it gives."""
    from coda_cli.cli.ask_tools import ToolTeller
    from coda_cli.cli.status_line import StatusLine

    manager = _manager(functions)
    tool = manager.get(name)
    teller = ToolTeller(StatusLine())
    written = _given(arguments or [], dict(tool.parameters))
    result = run_async(_call(manager, name, written, teller.approver, approval_mode))
    if json:
        put_json({"text": result.text, "is_error": result.is_error, "seconds": result.seconds})
    else:
        put(result.text.rstrip("\n"))
    if result.is_error:
        if result.display:
            warn(result.display)
        raise typer.Exit(EXIT_FAILURE)


def _given(pairs: list[str], schema: dict[str, Any]) -> str:
    """KEY=VALUE as the JSON of a call: text where the schema wants text, else whatever JSON it is."""
    given: dict[str, Any] = {}
    known = schema.get("properties", {})
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is no argument", hint="write KEY=VALUE")
        kind = known.get(key, {}).get("type") if isinstance(known.get(key), dict) else None
        try:
            given[key] = value if kind == "string" else jsonlib.loads(value)
        except ValueError:
            given[key] = value
    return jsonlib.dumps(given)


async def _call(
    manager: ToolManager, name: str, arguments: str, asker: Asker | None, mode: ApprovalMode | None
) -> ToolResultPart:
    from coda_cli.engine.core.config import FunctionCallingConfig
    from coda_cli.engine.core.events import ApprovalRequested, Event
    from coda_cli.engine.core.messages import ToolCallPart
    from coda_cli.engine.core.ports import ToolRound

    def tell(event: type[Event], **fields: Any) -> None:
        if event is ApprovalRequested and asker is not None:
            asker.seen(fields["request_id"])

    turn = ToolRound("", FunctionCallingConfig(approval_mode=mode or "ask"), tell, asker, left=1)
    results = [result async for result in manager.run([ToolCallPart(id="1", name=name, arguments=arguments)], turn)]
    return results[0]


# ---- permissions ----------------------------------------------------------------------------------------------------


@permissions_app.command("list", epilog="Example: coda tools permissions list")
def permissions_list(json: Json = False) -> None:
    """List what is allowed and denied, with a number for `revoke`."""
    rules = _permissions().rules()
    if json:
        put_json([rule.to_json() for rule in rules])
        return
    if not rules:
        put("No rules: what reads here and what only computes runs, the rest asks.")
    for number, rule in enumerate(rules, 1):
        where = "coda.toml" if rule.source == "settings" else f"in {rule.folder}" if rule.folder else "everywhere"
        put(f"{number:>3}  {'allow' if rule.allow else 'deny ':<5}  {rule.text}  ({where})")


@permissions_app.command("allow", epilog='Example: coda tools permissions allow "run_command git status"')
def permissions_allow(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="As `list` shows it.")],
    everywhere: Annotated[bool, typer.Option("--everywhere", help="Not only in this folder.")] = False,
) -> None:
    """Let what PATTERN names run without a question, in this folder."""
    rule = _permissions().add(pattern, allow=True, everywhere=everywhere)
    put(f"allowed: {rule.text}")


@permissions_app.command("deny", epilog='Example: coda tools permissions deny "run_command rm"')
def permissions_deny(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="As `list` shows it.")],
    everywhere: Annotated[bool, typer.Option("--everywhere", help="Not only in this folder.")] = False,
) -> None:
    """Refuse what PATTERN names, in this folder, whatever else allows it."""
    rule = _permissions().add(pattern, allow=False, everywhere=everywhere)
    put(f"denied: {rule.text}")


@permissions_app.command("revoke", epilog="Example: coda tools permissions revoke 1")
def permissions_revoke(
    which: Annotated[str, typer.Argument(metavar="NUMBER|PATTERN", help="From `list`.")],
) -> None:
    """Take a rule back."""
    rules = _permissions()
    known = rules.rules()
    if which.isascii() and which.isdigit() and 1 <= int(which) <= len(known):
        found = [known[int(which) - 1]]
    else:
        found = [rule for rule in known if rule.text == which]
    if not found:
        raise UsageError(f"there is no rule {which!r}", hint="`coda tools permissions list` numbers them")
    for rule in found:
        rules.revoke(rule)
        put(f"revoked: {rule.text}")
