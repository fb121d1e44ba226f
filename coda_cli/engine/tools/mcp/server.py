"""One MCP server: not started until it is needed, started again when it died, given up when it keeps dying."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from coda_cli.engine.core.tools import ToolOutput
from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.mcp import contents, listing as listings
from coda_cli.engine.tools.mcp.config import ServerConfig
from coda_cli.engine.tools.mcp.definitions import Definition, definitions
from coda_cli.engine.tools.mcp.listing import Listing

if TYPE_CHECKING:
    from coda_cli.engine.tools.mcp.connection import Connection

T = TypeVar("T")
State = Literal["not started", "starting", "running", "failed", "stopped"]
_STARTS: Final = 3


class Server:
    """A server of the settings. `definitions` are its tools as last told, `problems` what is wrong with it.

    `changed` is set when its tools are others than those that were last taken.
    """

    def __init__(self, config: ServerConfig, *, offline: bool = False) -> None:
        self.config = config
        self._offline = offline
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()
        self._starts = 0
        self._starting = False
        self._closed = False
        self._why = ""
        self.listing: Listing | None = None
        self.definitions: dict[str, Definition] = {}
        self.problems: list[str] = []
        self.changed = False

    @property
    def state(self) -> State:
        """What it does now."""
        if self._starting:
            return "starting"
        if self._connection is not None and self._connection.alive:
            return "running"
        if self._why:
            return "failed"
        return "stopped" if self._starts else "not started"

    @property
    def why(self) -> str:
        """Why it failed, in one line; "" if it did not."""
        return self._why

    async def learn(self, *, fresh: bool = False) -> None:
        """Learn what it offers: from the cache, unless *fresh*, else from itself. Raises ToolError."""
        if self.listing is None and not fresh:
            kept = await asyncio.to_thread(listings.known, self.config)
            if kept is not None:
                await self._take(kept)
        if self.listing is None or fresh:
            await self._connected()

    async def call(
        self, definition: Definition, arguments: Mapping[str, Any], progress: Callable[[str], None]
    ) -> ToolOutput:
        """Do what *definition* says. Raises ToolError; if it is no longer what was approved, nothing is run."""

        async def ask(connection: Connection) -> dict[str, Any]:
            now = self.definitions.get(definition.name)
            if now is None or now.sha256 != definition.sha256:
                what = "is gone" if now is None else "is another one now than when it was approved"
                raise ToolError(f"nothing was run: the tool {what}; look at your tools and call it again")
            return await connection.call(definition.tool, arguments, progress)

        return contents.result(self.config.name, await self._asked(ask))

    async def resources(self) -> list[dict[str, Any]]:
        """Its resources. Raises ToolError."""
        return await self._asked(lambda connection: connection.resources())

    async def prompts(self) -> list[dict[str, Any]]:
        """Its prompts. Raises ToolError."""
        return await self._asked(lambda connection: connection.prompts())

    async def read(self, uri: str) -> str:
        """The text of a resource. Raises ToolError."""
        return contents.resource(await self._asked(lambda connection: connection.read(uri)))

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        """The text of a prompt. Raises ToolError."""
        return contents.prompt(await self._asked(lambda connection: connection.prompt(name, arguments)))

    async def restart(self) -> None:
        """Begin anew, whatever was before. Raises ToolError."""
        await self._end()
        self._starts, self._why = 0, ""
        await self._connected()

    async def aclose(self) -> None:
        """End it, for good."""
        self._closed = True
        await self._end()

    # ---- inside -----------------------------------------------------------------------------------------------

    async def _asked(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        connection = await self._connected()
        if connection.changed:
            await self._ask_all(connection)
        try:
            return await ask(connection)
        except ToolError as error:
            if not connection.alive:
                raise ToolError(f"the MCP server {self.config.name} is gone: {error}") from error
            raise

    async def _connected(self) -> Connection:
        async with self._lock:
            if self._connection is not None and self._connection.alive:
                return self._connection
            if self._closed:
                raise ToolError(f"the MCP server {self.config.name} is stopped")
            if self._starts >= _STARTS:
                raise ToolError(
                    f"the MCP server {self.config.name} has failed {_STARTS} times and is not started again; "
                    "do without it"
                )
            self._starts += 1
            self._starting = True
            try:
                self._connection = await self._opened()
            except ToolError as error:
                self._why = str(error)
                raise ToolError(f"the MCP server {self.config.name} does not work: {error}") from error
            finally:
                self._starting = False
            self._why = ""
            return self._connection

    async def _opened(self) -> Connection:
        """A connection whose tools are known."""
        await asyncio.to_thread(_load)
        from coda_cli.engine.tools.mcp.connection import Connection

        if self._offline and not self.config.here:
            raise ToolError("its address is not on this machine, and Coda is offline")
        await self._end()
        connection = await Connection.open(self.config)
        try:
            async with asyncio.timeout(self.config.start_timeout):
                await self._ask_all(connection)
        except (ToolError, asyncio.CancelledError):
            await connection.close()
            raise
        except TimeoutError:
            await connection.close()
            raise ToolError(f"it did not tell its tools within {self.config.start_timeout:g} seconds") from None
        return connection

    async def _ask_all(self, connection: Connection) -> None:
        offers = connection.capabilities
        tools = await connection.tools() if offers.tools is not None else []
        # Many servers say that they offer resources and have none.
        resources = offers.resources is not None and await _any(connection.resources)
        found, problems = await asyncio.to_thread(definitions, self.config.name, tools)
        taken = [one.told for one in found.values()]
        listing = Listing(taken, problems, resources, offers.prompts is not None, connection.title)
        await self._take(listing)
        await asyncio.to_thread(listings.keep, self.config, listing)

    async def _take(self, listing: Listing) -> None:
        if self.listing is not None and listing == self.listing:
            return
        found, _ = definitions(self.config.name, listing.tools, checked=True)
        self.listing, self.definitions, self.changed = listing, found, True
        self.problems = list(listing.problems)

    async def _end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _any(ask: Callable[[], Awaitable[Sequence[object]]]) -> bool:
    try:
        return bool(await ask())
    except ToolError:
        return False


def _load() -> None:
    """Import what speaks to servers, in a thread: it takes half a second. Raises ToolError."""
    if find_spec("mcp") is None:
        raise ToolError("the extra `mcp` is not installed: pip install 'coda-cli[mcp]'")
    import_module("coda_cli.engine.tools.mcp.connection")
