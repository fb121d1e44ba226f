"""`CodaWebSocketIntegration`: carries what a manager tells to a server."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.server.app import CodaWebSocketServer

if TYPE_CHECKING:
    from coda_cli.engine.bus import Subscription
    from coda_cli.engine.manager import LLMManager
    from coda_cli.server.desk import Desk, NameModel


class CodaWebSocketIntegration:
    """Joins *server* to the manager that is given to `start`, until `stop`."""

    def __init__(self, server: CodaWebSocketServer, *, name_model: NameModel | None = None) -> None:
        """*name_model*: what a model's name of a client means (default: `provider/model`, or a provider)."""
        self.server = server
        self._name_model = name_model
        self._subscription: Subscription | None = None
        self._carrying: asyncio.Task[None] | None = None

    @property
    def desk(self) -> Desk | None:
        """What answers clients, while the server runs."""
        return self.server.desk

    async def start(self, manager: LLMManager) -> None:
        """Start the server; from now on it tells every event of *manager*. Raises CodaError."""
        if self._subscription is not None:
            raise UsageError("this integration has a manager already", hint="make one for each manager")
        if not manager.config.websocket_events_enabled:
            raise ConfigError(
                "events are switched off", hint="set `websocket_events_enabled = true`", key="websocket_events_enabled"
            )
        from coda_cli.server.desk import Desk

        server = self.server
        await server.start()
        server.desk = Desk(manager, server.allowed, server.limits, lambda: server.clients, self._name_model)
        self._subscription = manager.subscribe()
        self._carrying = asyncio.get_running_loop().create_task(_carry(self._subscription, weakref.ref(server)))

    async def stop(self) -> None:
        """Stop the server, once what was told last is on its way."""
        subscription, carrying = self._subscription, self._carrying
        self._subscription = self._carrying = None
        server = self.server
        if server.desk is not None:
            await server.desk.close()
        if subscription is not None and carrying is not None:
            subscription.close()
            await carrying
        await server.stop()
        server.desk = None


async def _carry(subscription: Subscription, to: weakref.ref[CodaWebSocketServer]) -> None:
    async for event in subscription:
        server = to()
        if server is None:
            return
        if server.running:
            server.publish(event)
