"""ToolManager: the tools that a model may call.

tool_manager = ToolManager()
tool_manager.register(weather)  # any typed function with a docstring, a `@tool`, or a BaseTool
await llm_manager.set_tool_manager(tool_manager)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import ToolCallPart, ToolResultPart
from coda_cli.engine.core.ports import Provider, ToolRound, ToolSpec
from coda_cli.engine.tools.base import BaseTool, MemoryTools
from coda_cli.engine.tools.builtin import BUILTIN

if TYPE_CHECKING:
    from coda_cli.engine.tools.executor import Executor
    from coda_cli.engine.tools.isolated import IsolatedTool
    from coda_cli.engine.tools.mcp.servers import McpServers
    from coda_cli.engine.tools.one_call import Judge
    from coda_cli.engine.tools.trust import FolderFiles

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What every vendor takes as a name."""


class ToolManager:
    """All tools by name. `builtin=False`: without those that Coda brings.

    `folder` is the working folder of the calls (default: the current one), `permissions` says what runs, asks or is
    refused (default: the person's own rules for that folder).
    """

    def __init__(
        self,
        tools: Iterable[BaseTool | Callable[..., object]] = (),
        *,
        builtin: bool = True,
        folder: Path | None = None,
        permissions: Judge | None = None,
    ) -> None:
        self._tools: dict[str, BaseTool] = {}
        self._lazy: dict[str, str] = dict(BUILTIN) if builtin else {}
        self.folder = folder
        self._permissions = permissions
        self._executor: Executor | None = None
        self._memory: MemoryTools | None = None
        self._later: Sequence[Path] | None = None
        self._brought: Callable[[], FolderFiles | None] | None = None
        self._discovery: asyncio.Lock | None = None
        self.servers: McpServers | None = None
        """The MCP servers whose tools are among these; to be set before the first `ready`."""
        self._of_servers: list[str] = []
        self.problems: list[str] = []
        """What `ready` found wrong with the person's own tools, one line each."""
        for tool in tools:
            self.register(tool)

    @property
    def permissions(self) -> Judge:
        """What says whether a call runs, asks or is refused."""
        if self._permissions is None:
            from coda_cli.engine.tools.permissions import Permissions

            self._permissions = Permissions(self.folder or Path.cwd())
        return self._permissions

    def register(self, tool: BaseTool | Callable[..., object]) -> BaseTool:
        """Add *tool*; a plain function is made one. Raises UsageError for a bad one, and for a name that is taken."""
        if not isinstance(tool, BaseTool):
            from coda_cli.engine.tools.function import FunctionTool

            tool = FunctionTool(tool)
        if not _NAME.fullmatch(tool.name):
            raise UsageError(
                f"`{tool.name}` cannot be the name of a tool",
                hint="use up to 64 letters, digits, `_` and `-`: @tool(name=...)",
            )
        if tool.name in self._tools or tool.name in self._lazy:
            raise UsageError(
                f"there is a tool `{tool.name}` already", hint="give this one another name, or `unregister` the other"
            )
        self._tools[tool.name] = tool
        return tool

    def unregister(self, name: str) -> None:
        """Take the tool away. Raises UsageError if there is none."""
        if self._tools.pop(name, None) is None and self._lazy.pop(name, None) is None:
            raise self._unknown(name)

    def get(self, name: str) -> BaseTool:
        """The tool of this name. Raises UsageError if there is none."""
        tool = self._tools.get(name)
        if tool is None:
            if name not in self._lazy:
                raise self._unknown(name)
            module, _, attribute = self._lazy[name].partition(":")
            found = getattr(import_module(module), attribute)
            tool = self._tools[name] = found if isinstance(found, BaseTool) else found()
            del self._lazy[name]
        return tool

    def names(self) -> tuple[str, ...]:
        """The names of all tools, sorted."""
        return tuple(sorted({*self._tools, *self._lazy}))

    async def discover(
        self,
        files: Sequence[Path] = (),
        *,
        folder: Path | None = None,
        installed: bool = True,
        brought: FolderFiles | None = None,
    ) -> list[str]:
        """Add the person's own tools; returns what is wrong with those left out, one line each, for the person.

        They are those of *files*, of the Python files in *folder* (default: `tools/` in the config folder) and, if
        *installed*, of packages with entry points `coda.tools`; and those of *brought*, which a person trusts. Raises
        UsageError if one of *files* cannot be read.
        """
        from coda_cli.engine.tools.discover import discovered

        tools, problems = await discovered(files, folder, installed, brought)
        return [*problems, *self._register_all(tools)]

    async def take_brought(self, brought: FolderFiles) -> list[str]:
        """Add the tools of a folder that a person has just trusted; returns what is wrong, as `discover` does."""
        from coda_cli.engine.tools.discover import tools_of

        await self.ready()  # a person's own tools have the names first
        self.drop_brought()
        tools, problems = await tools_of(brought)
        return [*problems, *self._register_all(tools)]

    def drop_brought(self) -> None:
        """Take the tools of the working folder away: it is not trusted any more."""
        from coda_cli.engine.tools.isolated import IsolatedTool

        self._brought = None
        for name, tool in list(self._tools.items()):
            if isinstance(tool, IsolatedTool) and tool.source.copy is not None:
                del self._tools[name]

    def _register_all(self, tools: Iterable[IsolatedTool]) -> list[str]:
        problems = []
        for tool in tools:
            try:
                self.register(tool)
            except UsageError as error:
                problems.append(f"{tool.source.shown}: {error.message}")
        return problems

    def use_memory(self, memory: object | None) -> None:
        """Let the tools of memory work on *memory* (a `MemoryManager`); None takes them away."""
        self._memory = memory if isinstance(memory, MemoryTools) else None

    def discover_later(
        self, files: Sequence[Path] = (), brought: Callable[[], FolderFiles | None] | None = None
    ) -> None:
        """Have `ready` do what `discover` does with *files*: nothing is read before tools are wanted.

        *brought* gives what the working folder brings along, if a person trusts it.
        """
        self._later, self._brought = tuple(files), brought

    async def ready(self, only: Collection[str] | None = None) -> None:
        """Do what was put off, once; MCP servers are looked at if *only* names one. Raises UsageError as `discover`."""
        servers = self.servers if self.servers is not None and self.servers.wanted(only) else None
        if self._later is None and servers is None:
            return
        self._discovery = self._discovery or asyncio.Lock()
        async with self._discovery:
            if self._later is not None:
                brought = await asyncio.to_thread(self._brought) if self._brought is not None else None
                self.problems += await self.discover(self._later, brought=brought)
                self._later = None
            if servers is not None:
                self.problems += await servers.listed(only)
                if servers.changed:
                    self._take(servers)

    def _take(self, servers: McpServers) -> None:
        """The tools of *servers* as they are now, in place of those that they had."""
        for name in self._of_servers:
            self._tools.pop(name, None)
        self._of_servers = []
        for tool in servers.tools():
            try:
                self._of_servers.append(self.register(tool).name)
            except UsageError as error:
                self.problems.append(error.message)

    async def aclose(self) -> None:
        """End what runs for tools: MCP servers."""
        if self.servers is not None:
            await self.servers.aclose()

    def specs(self, calling: FunctionCallingConfig, only: Collection[str] | None = None) -> Sequence[ToolSpec]:
        """What a model is told: the tools of the allowed categories, or those of them that *only* names.

        *only* holds names, categories, patterns with `*` and whole paths of files with tools. Sorted by name. Raises
        UsageError for one that fits none.
        """
        return [tool.spec() for tool in self._offered(calling, only).values()]

    def fitted(self, provider: Provider, model: str, specs: Sequence[ToolSpec]) -> Provider | str:
        """*provider* as it can be asked with *specs*, or why *model* must do without."""
        from coda_cli.engine.tools.fitting import fitted

        return fitted(provider, model, specs)

    async def run(self, calls: Sequence[ToolCallPart], turn: ToolRound) -> AsyncGenerator[ToolResultPart, None]:
        """Run *calls* under the permissions; one result a call, as each ends. Raises only CancelledError."""
        offered = self._offered(turn.calling, turn.only, strict=False)
        if self._executor is None:  # what runs calls is loaded with the first one, and the screen does not wait for it
            await asyncio.to_thread(_load)
            from coda_cli.engine.tools.executor import Executor

            self._executor = Executor(self.permissions)
        self._executor.memory = self._memory
        running = self._executor.run(calls, turn, offered, self.names(), self.folder or Path.cwd())
        async with aclosing(running):
            async for result in running:
                yield result

    def _offered(
        self, calling: FunctionCallingConfig, only: Collection[str] | None, *, strict: bool = True
    ) -> dict[str, BaseTool]:
        tools = {name: self.get(name) for name in self.names()}
        allowed = calling.allowed_categories
        offered = {
            name: tool
            for name, tool in tools.items()
            if (allowed is None or tool.category in allowed) and (tool.category != "memory" or self._memory is not None)
        }
        if only is None:
            return offered
        chosen: set[str] = set()
        for wanted in only:
            fitting = {name for name, tool in tools.items() if _fits(wanted, name, tool)}
            if not fitting and strict:
                raise self._unknown(wanted)
            chosen |= fitting
        return {name: tool for name, tool in offered.items() if name in chosen}

    def _unknown(self, name: str) -> UsageError:
        import difflib

        near = difflib.get_close_matches(name, [*self.names(), *{tool.category for tool in self._tools.values()}], n=3)
        hint = "did you mean " + " or ".join(f"`{one}`" for one in near) + "?" if near else "see `coda tools list`"
        return UsageError(f"there is no tool `{name}`", hint=hint)


def _load() -> None:
    import_module("coda_cli.engine.tools.permissions")
    import_module("coda_cli.engine.tools.executor")


def _fits(wanted: str, name: str, tool: BaseTool) -> bool:
    if tool.origin and wanted == tool.origin:
        return True
    if "*" in wanted or "?" in wanted:
        from fnmatch import fnmatchcase

        return fnmatchcase(name, wanted)
    return wanted in (name, tool.category)
