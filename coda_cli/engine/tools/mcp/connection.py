"""One conversation with an MCP server through the official SDK, held in a task of its own. Imports the SDK.

Everything that comes back is plain data, as it was sent. What goes wrong is a ToolError in words, whatever it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, TypeVar

import mcp_types as types
from mcp import Client, MCPError
from pydantic import TypeAdapter, ValidationError

from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.mcp.config import ServerConfig
from coda_cli.engine.tools.mcp.process import ServerProcess
from coda_cli.engine.tools.mcp.transport import Tally, pipes, web
from coda_cli.engine.tools.supervised import Outcome, failure, outcome_of

T = TypeVar("T")
_PAGES: Final = 20
"""Pages of one list that are read."""
_ALIVE: Final = 2.0
"""Seconds in which a server has to show that it heard of a cancellation."""
_CLOSED: Final = types.CONNECTION_CLOSED
_RESULT: Final[TypeAdapter[types.CallToolResult | types.InputRequiredResult]] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)
logging.getLogger("mcp").addHandler(logging.NullHandler())  # or what a server sends would be told on the terminal


class Connection:
    """A server that has been greeted. `changed` is set when it says that its tools are others now."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._tally = Tally()
        self._process: ServerProcess | None = None
        self._client: Client | None = None
        self._over = asyncio.Event()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._watching: set[asyncio.Task[None]] = set()
        self.changed = False

    @classmethod
    async def open(cls, config: ServerConfig) -> Connection:
        """Start it and greet it. Raises ToolError."""
        made = cls(config)
        made._task = asyncio.create_task(made._live(), name=f"mcp {config.name}")
        try:
            await asyncio.shield(made._opened)
        except asyncio.CancelledError:
            await made.close()
            raise
        return made

    @property
    def alive(self) -> bool:
        """Whether it can be asked, as far as is known."""
        return self._task is not None and not self._task.done() and not self._over.is_set()

    async def close(self) -> None:
        """End it. Never raises for what the server does."""
        self._over.set()
        if self._task is not None:
            if self._client is None:
                self._task.cancel()
            await asyncio.wait([self._task])

    # ---- what can be asked ------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> types.ServerCapabilities:
        """What it says that it offers."""
        return self._session.server_capabilities

    @property
    def title(self) -> str:
        """What it calls itself."""
        info = self._session.server_info
        return f"{info.name} {info.version}".strip() if info is not None else ""

    async def tools(self) -> list[dict[str, Any]]:
        """Its tools, as it tells them."""
        self.changed = False
        return await self._all(lambda cursor: self._session.list_tools(cursor=cursor), "tools")

    async def resources(self) -> list[dict[str, Any]]:
        """Its resources, then its templates for them."""
        found = await self._all(lambda cursor: self._session.list_resources(cursor=cursor), "resources")
        more = await self._all(
            lambda cursor: self._session.list_resource_templates(cursor=cursor), "resource_templates"
        )
        return [*found, *more]

    async def prompts(self) -> list[dict[str, Any]]:
        """Its prompts."""
        return await self._all(lambda cursor: self._session.list_prompts(cursor=cursor), "prompts")

    async def read(self, uri: str) -> dict[str, Any]:
        """The contents of a resource."""
        return _plain(await self._asked(lambda: self._session.read_resource(uri)))

    async def prompt(self, name: str, arguments: dict[str, str]) -> dict[str, Any]:
        """The messages of a prompt."""
        return _plain(await self._asked(lambda: self._session.get_prompt(name, arguments)))

    async def call(self, name: str, arguments: Mapping[str, Any], show: Callable[[str], None]) -> dict[str, Any]:
        """What a tool gives. When this is cancelled the server is told, and ended if it does not show that it heard."""

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            show(_progress_line(progress, total, message))

        request = types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments=dict(arguments)))
        # Not `call_tool`: that tries the patterns of a stranger's output schema, which may take years to match.
        session = self._session.session
        try:
            result = await self._asked(lambda: session.send_request(request, _RESULT, progress_callback=on_progress))
        except asyncio.CancelledError:
            task = asyncio.create_task(self._end_unless_alive())
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)
            raise
        if isinstance(result, types.InputRequiredResult):
            raise ToolError("it wants to ask the person something first, which Coda does not let it; do without it")
        return _plain(result)

    # ---- inside -----------------------------------------------------------------------------------------------

    @property
    def _session(self) -> Client:
        if self._client is None:
            raise ToolError(self._words("it is not running"))
        return self._client

    async def _live(self) -> None:
        """The life of the connection: opened, held until it is over, closed, all in this task."""
        ended = await outcome_of(self._held)
        if not self._opened.done():
            why = self._why(ended)
            self._opened.set_exception(ToolError(why))
            self._opened.exception()  # nobody may be waiting any more
        self._over.set()

    async def _held(self) -> None:
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._config.start_timeout):
                    client = await self._greeted(stack)
            except TimeoutError:
                if self._process is not None and not self._process.broken:
                    self._process.stopped = True
                raise ToolError(f"it did not start within {self._config.start_timeout:g} seconds") from None
            self._client = client
            self._opened.set_result(None)
            await self._over.wait()

    async def _greeted(self, stack: AsyncExitStack) -> Client:
        if self._config.url:
            there = web(self._config.url, self._config.headers(), self._config.timeout, direct=self._config.here)
            return await stack.enter_async_context(self._made(await stack.enter_async_context(there)))
        self._process = await ServerProcess.start(self._config)
        return await stack.enter_async_context(self._made(pipes(self._process, self._tally, self._over.set)))

    def _made(self, transport: Any) -> Client:
        return Client(
            transport,
            # The older greeting, which every server answers: a newer one may be ignored, and cost the whole start.
            mode="legacy",
            cache=None,
            client_info=types.Implementation(name="coda", version=_version()),
            message_handler=self._heard,
        )

    async def _heard(self, message: object) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.changed = True
        if self._process is None and not self._tally.message():
            self._over.set()

    async def _all(self, page: Callable[[str | None], Awaitable[Any]], what: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            at = cursor
            result = await self._asked(lambda at=at: page(at))  # type: ignore[misc]  # bound at once
            found += [_plain(one) for one in getattr(result, what)]
            cursor = result.next_cursor
            if cursor is None:
                break
        return found

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What *ask* gives. Raises ToolError; only a cancellation of the caller goes through."""
        self._tally.asked()
        if self._over.is_set():
            raise ToolError(self._words("it has ended"))
        given = await outcome_of(ask)
        if given.error is None:
            return given.get()
        if self._gone(given.error):
            self._over.set()
            if self._task is not None:
                await asyncio.wait([self._task])  # so that its last words are known
        raise ToolError(self._why(given)) from given.error

    def _gone(self, error: BaseException) -> bool:
        if isinstance(error, MCPError):  # the SDK has no code of its own for a closed connection: servers use it too
            return self._over.is_set() or (error.code == _CLOSED and error.message == "Connection closed")
        return not isinstance(error, ValidationError | ToolError)

    def _why(self, ended: Outcome[Any]) -> str:
        """In words what went wrong."""
        error = ended.error
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, ToolError):
            return self._words(str(error))
        if isinstance(error, MCPError) and not self._gone(error):
            return f"it says: {error.message[:1000]}"
        if isinstance(error, ValidationError):
            return "it answered with what is no result of MCP"
        return self._words("the connection ended" if error is None or isinstance(error, MCPError) else failure(error))

    def _words(self, otherwise: str) -> str:
        """What is known of its end, else *otherwise*."""
        last = self._process.last_words if self._process is not None else ""
        if self._tally.broken:
            return self._tally.broken
        if self._process is not None and self._process.stopped:
            return "; ".join(filter(None, (otherwise, last)))
        return last or otherwise

    async def _end_unless_alive(self) -> None:
        """After a cancellation: a server that does not even answer a ping does not heed it either."""
        client = self._client
        if client is None:
            return
        ping = types.PingRequest(params=types.RequestParams())
        answered = await outcome_of(
            lambda: asyncio.wait_for(client.session.send_request(ping, types.EmptyResult), _ALIVE)
        )
        if answered.error is not None and not isinstance(answered.error, MCPError):
            self._over.set()


def _plain(value: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = value.model_dump(by_alias=True, mode="json", exclude_none=True)
    return dumped


def _version() -> str:
    try:
        return version("coda-cli")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0"


def _progress_line(done: float, total: float | None, message: str | None) -> str:
    amount = f"{done:g} of {total:g}" if total else f"{done:g}"
    return f"{amount}: {message[:200]}\n" if message else f"{amount}\n"
