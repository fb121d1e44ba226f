"""The tools of a program that asks over HTTP: the model is told of them, their calls go back to the program."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence

from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.core.messages import ToolCallPart, ToolResultPart
from coda_cli.engine.core.ports import Provider, ToolRound, ToolSpec


class ClientTools:
    """A `ToolPort` that knows *specs* and runs nothing."""

    def __init__(self, specs: Sequence[ToolSpec]) -> None:
        self._specs = tuple(specs)
        self.problems: list[str] = []

    def use_memory(self, memory: object | None) -> None:
        """Nothing here remembers."""

    async def ready(self, only: Collection[str] | None = None) -> None:
        """They are all known."""

    async def aclose(self) -> None:
        """Nothing runs."""

    def specs(self, calling: FunctionCallingConfig, only: Collection[str] | None = None) -> Sequence[ToolSpec]:
        """All of them: whoever gave them meant them."""
        return self._specs

    def fitted(self, provider: Provider, model: str, specs: Sequence[ToolSpec]) -> Provider | str:
        """*provider*, or one around it that teaches a model without native tools to call."""
        from coda_cli.engine.tools.fitting import fitted

        return fitted(provider, model, specs)

    async def run(self, calls: Sequence[ToolCallPart], turn: ToolRound) -> AsyncGenerator[ToolResultPart, None]:
        """Nothing: the program runs them."""
        for call in calls:
            yield ToolResultPart(id=call.id, name=call.name, text="the program runs its tools itself", is_error=True)
