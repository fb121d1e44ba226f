"""The tools that a model sees of MCP servers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext, ToolError
from coda_cli.engine.tools.mcp import contents
from coda_cli.engine.tools.mcp.definitions import Definition
from coda_cli.engine.tools.mcp.server import Server

CATEGORY: Final = "mcp"


class McpTool(BaseTool):
    """One tool of a server. A yes is for this tool as it is defined now, and is asked for again when that changes."""

    category = CATEGORY
    foreign = True

    def __init__(self, server: Server, definition: Definition) -> None:
        self._server = server
        self.definition = definition
        self.name = definition.name
        self.description = definition.description
        self.parameters = definition.parameters
        self.touches = _touches(server)
        self.timeout = server.config.timeout

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The server, its tool, and the arguments as they are sent."""
        definition, config = self.definition, self._server.config
        effect = Effect(
            summary=f"{definition.tool} of the MCP server {config.name}",
            detail=f"{definition.tool} {_shown(arguments)}{_of(self._server)}",
            rule=f"{self.name} sha256:{definition.sha256[:32]}",
            reason=f"the MCP server {config.name}",
        )

        async def run() -> ToolOutput:
            return await self._server.call(definition, arguments, context.progress)

        return Planned(effect, run)

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """Call it. Raises ToolError."""
        return await self._server.call(self.definition, arguments, context.progress)


class _Resources(BaseTool):
    category = CATEGORY

    def __init__(self, servers: Sequence[Server], more: Mapping[str, Any]) -> None:
        self._servers = {server.config.name: server for server in servers}
        self.touches = max(map(_touches, servers), key=lambda one: one is Touches.RUNS)
        self.parameters = {
            "type": "object",
            "properties": {
                "server": {"type": "string", "enum": list(self._servers), "description": "The server."},
                **more,
            },
            "required": ["server", *more],
            "additionalProperties": False,
        }

    def _server(self, arguments: Arguments) -> Server:
        server = self._servers.get(str(arguments["server"]))
        if server is None:
            raise ToolError(f"there is no such server; there are {', '.join(self._servers)}")
        return server


class ListResources(_Resources):
    """What can be read on a server."""

    name = "mcp_list_resources"
    description = "List the resources (documents, records) that an MCP server offers to read."

    def __init__(self, servers: Sequence[Server]) -> None:
        super().__init__(servers, {})

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The server that is asked."""
        server = self._server(arguments)
        effect = Effect(
            summary=f"list the resources of the MCP server {server.config.name}",
            detail=f"resources/list{_of(server)}",
            rule=self.name,
        )
        return Planned(effect, lambda: self.run(arguments, context))

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """A line for each. Raises ToolError."""
        server = self._server(arguments)
        lines = [
            f"{one.get('uri') or one.get('uriTemplate')}  {one.get('description') or one.get('name') or ''}"
            for one in await server.resources()
        ]
        text = "\n".join(lines) or "there are none"
        return ToolOutput(contents.label(server.config.name) + text, text)


class ReadResource(_Resources):
    """A resource of a server, as text."""

    name = "mcp_read_resource"
    description = "Read a resource of an MCP server. `mcp_list_resources` tells their URIs."

    def __init__(self, servers: Sequence[Server]) -> None:
        super().__init__(servers, {"uri": {"type": "string", "description": "Its URI, as listed."}})

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """The server and the resource; a yes is for this resource."""
        server = self._server(arguments)
        effect = Effect(
            summary=f"read {arguments['uri']} of the MCP server {server.config.name}",
            detail=f"resources/read {_shown(arguments)}{_of(server)}",
        )
        return Planned(effect, lambda: self.run(arguments, context))

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """Its text. Raises ToolError."""
        server = self._server(arguments)
        text = await server.read(str(arguments["uri"]))
        return ToolOutput(contents.label(server.config.name) + text, text)


def _touches(server: Server) -> Touches:
    return Touches.NETWORK if server.config.url else Touches.RUNS


def _of(server: Server) -> str:
    return f"\n\nof the MCP server {server.config.name}: {server.config.where}"


def _shown(arguments: Arguments) -> str:
    return json.dumps(dict(arguments), ensure_ascii=False, indent=2)
