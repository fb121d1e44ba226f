"""`fetch_url`: the text of a page on the web."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, Planned, ToolContext
from coda_cli.engine.tools.threads import in_thread

if TYPE_CHECKING:
    from coda_cli.engine.tools.fetching import Fetcher, Resolve

_SECONDS: Final = 30.0
_CHARACTERS: Final = 20_000
_MOST_CHARACTERS: Final = 60_000


class FetchUrl(BaseTool):
    """Asks for each address; a redirect to another site is told, not followed.

    Only the public internet, unless `allow_private` or the host is in `hosts` ("name" or "name:port").
    """

    name = "fetch_url"
    description = "Fetch a web page and give its text."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "url": {"type": "string", "description": "address of the page, with https://"},
            "max_chars": {
                "type": "integer",
                "minimum": 100,
                "maximum": _MOST_CHARACTERS,
                "default": _CHARACTERS,
                "description": "how much text to give",
            },
        },
        "required": ["url"],
        "additionalProperties": False,
    }
    touches = Touches.NETWORK
    category = "web"

    def __init__(
        self, *, allow_private: bool = False, hosts: Collection[str] = (), resolve: Resolve | None = None
    ) -> None:
        self._allow_private = allow_private
        self._hosts = frozenset(hosts)
        self._resolve = resolve
        self._made: Fetcher | None = None

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput:
        """As planned."""
        return await (await self.plan(arguments, context)).run()

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """Nothing is sent before the answer, not even a question for the host's address: a name can carry a secret."""
        from coda_cli.engine.tools.addresses import read

        address = read(arguments["url"])
        fetcher = self._fetcher()
        fetcher.check(address)
        most = arguments.get("max_chars", _CHARACTERS)

        async def run() -> ToolOutput:
            from coda_cli.engine.tools.pages import told

            page = await fetcher.fetch(address, min(_SECONDS, context.timeout), context.cancelled)
            return await in_thread(lambda: told(page, most), context.cancelled)

        detail = f"{address}\nhost: {address.host}\nport: {address.port}"
        return Planned(Effect(f"fetch {address}", detail, rule=f"{self.name} {address}"), run)

    def _fetcher(self) -> Fetcher:
        from coda_cli.engine.tools.fetching import Fetcher, system_resolve

        if self._made is None:  # kept: it holds the system's certificates
            self._made = Fetcher(self._allow_private, self._hosts, self._resolve or system_resolve)
        return self._made
