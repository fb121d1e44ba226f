"""The slash command for MCP servers: what they are, their prompts into the prompt, their resources read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from coda_cli.chat.command_parts import beginning_with, cell
from coda_cli.chat.commands import Command
from coda_cli.chat.front import Front
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.manager import ToolManager

if TYPE_CHECKING:
    from coda_cli.engine.tools.mcp.server import Server
    from coda_cli.engine.tools.mcp.servers import McpServers

_USE: Final = "/mcp, /mcp prompt SERVER NAME KEY=VALUE …, /mcp read SERVER URI, /mcp restart SERVER"


async def mcp(front: Front, text: str) -> None:
    """List the servers, or use one: its prompt, its resource, start it anew."""
    servers = _servers(front)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"these words cannot be told apart: {error}", hint=_USE) from error
    try:
        match words:
            case []:
                await _list(front, servers)
            case ["prompt", name, prompt, *pairs]:
                await _prompt(front, _server(servers, name), prompt, pairs)
            case ["read", name, uri]:
                server = _server(servers, name)
                front.put_prompt(f"From {uri} of {name}:\n\n{await server.read(uri)}\n\n")
            case ["restart", name]:
                await _server(servers, name).restart()
                front.note(f"{name} runs; its tools are there with the next question")
            case _:
                raise UsageError("that is no use of /mcp", hint=_USE)
    except ToolError as error:
        raise UsageError(str(error), hint="`/mcp` shows the servers, `coda tools mcp check` tries them") from error


async def _prompt(front: Front, server: Server, prompt: str, pairs: Sequence[str]) -> None:
    if wrong := [one for one in pairs if "=" not in one]:
        raise UsageError(f"{wrong[0]!r} is no KEY=VALUE", hint=_USE)
    front.put_prompt(await server.prompt(prompt, dict(one.split("=", 1) for one in pairs)))


async def _list(front: Front, servers: McpServers) -> None:
    lines: list[str] = []
    for name, server in servers.all.items():
        lines += [f"## {cell(name)}", "", f"{server.state}: `{cell(server.config.where)}`", ""]
        if server.why:
            lines += [f"It failed: {cell(server.why)}", ""]
        lines += [f"- left out: {cell(problem)}" for problem in server.problems]
        lines += [f"- tool `{one.name}`: {cell(one.description)}" for one in server.definitions.values()]
        if server.state == "running":
            lines += await _offers(server)
        lines.append("")
    front.document("MCP servers", "\n".join(lines))


async def _offers(server: Server) -> list[str]:
    """A line for each of its resources and prompts."""
    found: list[str] = []
    listing = server.listing
    try:
        for one in await server.resources() if listing is not None and listing.resources else ():
            uri = one.get("uri") or one.get("uriTemplate")
            found.append(f"- resource `{cell(str(uri))}`: {cell(str(one.get('description') or one.get('name') or ''))}")
        for one in await server.prompts() if listing is not None and listing.prompts else ():
            arguments = " ".join(f"{each.get('name')}=…" for each in one.get("arguments") or ())
            about = cell(str(one.get("description") or ""))
            found.append(f"- prompt `{cell(str(one.get('name')))} {cell(arguments)}`: {about}")
    except ToolError as error:
        found.append(f"- it does not say what else it has: {cell(str(error))}")
    return found


def _servers(front: Front) -> McpServers:
    tools = front.session.manager.tools
    if not isinstance(tools, ToolManager) or tools.servers is None:
        raise UsageError("there are no MCP servers", hint="`coda tools mcp add NAME -- COMMAND` adds one")
    return tools.servers


def _server(servers: McpServers, name: str) -> Server:
    server = servers.all.get(name)
    if server is None:
        raise UsageError(f"there is no server {name!r}", hint=f"there are {', '.join(servers.all)}")
    return server


def _complete(front: Front, typed: str) -> Sequence[tuple[str, str]]:
    tools = front.session.manager.tools
    names = list(tools.servers.all) if isinstance(tools, ToolManager) and tools.servers is not None else []
    if " " not in typed:
        uses = (("prompt", "put a prompt of a server here"), ("read", "put a resource here"), ("restart", "anew"))
        return beginning_with(typed, uses)
    return beginning_with(typed, [(name, "") for name in names]) if typed.count(" ") == 1 else ()


COMMANDS: Final = (
    Command(
        "mcp",
        "[prompt|read|restart SERVER …]",
        "MCP servers: their state, tools, prompts and resources",
        mcp,
        "What the model gets",
        complete=_complete,
    ),
)
