"""`WebSocketLLMManager`: a manager whose events a WebSocket server tells."""

from __future__ import annotations

from coda_cli.engine.generation import Generation
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.plan import Plan
from coda_cli.server.integration import CodaWebSocketIntegration


class WebSocketLLMManager(LLMManager):
    """An `LLMManager` that tells its events over a WebSocket from `set_websocket_integration` on."""

    _integration: CodaWebSocketIntegration | None = None

    async def set_websocket_integration(self, integration: CodaWebSocketIntegration | None) -> None:
        """Start the integration's server, or with None stop it. Raises CodaError, UsageError for a taken port."""
        before, self._integration = self._integration, None
        if before is not None and before is not integration:
            await before.stop()
        if integration is not None and integration is not before:
            await integration.start(self)
        self._integration = integration

    def _generation(self, plan: Plan, stream: bool | None) -> Generation:
        answer = super()._generation(plan, stream)
        if self._integration is not None and self._integration.desk is not None:
            self._integration.desk.track(answer)
        return answer

    async def aclose(self) -> None:
        """Stop the server, then as `LLMManager.aclose`."""
        try:
            await self.set_websocket_integration(None)
        finally:
            await super().aclose()
