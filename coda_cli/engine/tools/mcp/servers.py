"""All MCP servers of the settings, as the manager of the tools sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from coda_cli.engine.tools.base import BaseTool, ToolError
from coda_cli.engine.tools.mcp.config import ServerConfig
from coda_cli.engine.tools.mcp.definitions import PREFIX
from coda_cli.engine.tools.mcp.server import Server
from coda_cli.engine.tools.mcp.tool import CATEGORY, ListResources, McpTool, ReadResource
from coda_cli.engine.tools.visible import visible_line

_OWN: Final = (CATEGORY, ListResources.name, ReadResource.name)

_PATIENCE: Final = 3.0


class McpServers:
    """The servers by name, `all` of them. None is started before somebody asks."""

    def __init__(self, configs: Sequence[ServerConfig], *, offline: bool = False) -> None:
        self.all = {config.name: Server(config, offline=offline) for config in configs}
        self._listing: dict[str, asyncio.Task[None]] = {}
        self._told: set[str] = set()

    def wanted(self, only: Collection[str] | None) -> bool:
        """Whether one of their tools may be among *only*."""
        if only is None:
            return True
        return any(one in _OWN or one.startswith(PREFIX) or "*" in one or "?" in one for one in only)

    async def listed(self, only: Collection[str] | None = None) -> list[str]:
        """See that their tools are known; returns what is wrong that was not told before, one line each.

        Where they are not wanted by name (*only*), a server that nobody knows the tools of yet is not waited for long,
        and once: what comes later is there the next time.
        """
        new = [name for name in self.all if name not in self._listing]
        for name in new:
            self._listing[name] = asyncio.create_task(_list(self.all[name]), name=f"list {name}")
        waiting = [self._listing[name] for name in (new if only is None else self.all)]
        if waiting:
            await asyncio.wait(waiting, timeout=_PATIENCE if only is None else None)
        return list(self._problems())

    @property
    def changed(self) -> bool:
        """Whether their tools are others than `tools` gave before."""
        return any(server.changed for server in self.all.values())

    def tools(self) -> list[BaseTool]:
        """Their tools as they are known now."""
        made: list[BaseTool] = []
        with_resources: list[Server] = []
        for server in self.all.values():
            server.changed = False
            made += [McpTool(server, one) for one in server.definitions.values()]
            if server.listing is not None and server.listing.resources:
                with_resources.append(server)
        if with_resources:
            made += [ListResources(with_resources), ReadResource(with_resources)]
        return made

    async def aclose(self) -> None:
        """End all servers at once. Takes at most a few seconds, whatever they do."""
        for task in self._listing.values():
            task.cancel()
        await asyncio.gather(*self._listing.values(), return_exceptions=True)
        await asyncio.gather(*(server.aclose() for server in self.all.values()))

    def _problems(self) -> Sequence[str]:
        found = []
        for name, server in self.all.items():
            lines = list(server.problems)
            if server.why:
                lines.append(f"it is left out: {server.why}")
            elif not self._listing[name].done():
                lines.append("it is still starting; its tools are there when it is")
            found += [visible_line(f"MCP server {name}: {line}") for line in lines]
        fresh = [line for line in found if line not in self._told]
        self._told.update(fresh)
        return fresh


async def _list(server: Server) -> None:
    try:
        await server.learn()
    except ToolError:  # `server.why` says it
        pass
