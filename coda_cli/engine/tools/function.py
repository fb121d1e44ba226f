"""`@tool`: a typed function with a docstring is a tool.

    @tool(touches=Touches.NETWORK, category="web")
    async def weather(city: str, days: Annotated[int, Field(ge=1, le=7)] = 1) -> str:
        '''The weather forecast of a city.

        Args:
            city: Its name, in English.
            days: So many days from today.
        '''

A parameter of the type `ToolContext` is given by Coda and not shown to the model. A plain function runs in a thread.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, overload

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.tools import Arguments, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool, ToolContext
from coda_cli.engine.tools.results import output_of
from coda_cli.engine.tools.schema import Inputs, inputs
from coda_cli.engine.tools.threads import in_thread


class FunctionTool(BaseTool):
    """A tool made of `function`, which can still be called as before. `declared` is whether it says what it touches."""

    def __init__(
        self,
        function: Callable[..., object],
        *,
        name: str | None = None,
        description: str | None = None,
        touches: Touches | None = None,
        category: str = "user",
        timeout: float | None = None,
        namespace: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises UsageError for a function whose arguments cannot be told to a model."""
        self.function: Callable[..., Any] = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"tool `{self.name}` yields, and a model gets one result",
                hint="return a text; show what comes on the way with `context.progress(text)`",
            )
        self._inputs: Inputs = inputs(function, self.name, namespace)
        self.description = description or self._inputs.description or self.name
        self.parameters = self._inputs.schema
        self.declared = touches is not None
        self.touches = touches or Touches.NOTHING
        self.category = category
        self.timeout = timeout

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself."""
        return self.function(*args, **kwargs)

    def check(self, arguments: Arguments) -> None:
        """Raises ToolError for arguments that the function does not take."""
        self._inputs.convert(arguments)

    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput | str:
        """Call the function with *arguments* as its own types."""
        given = self._inputs.convert(arguments)
        if self._inputs.context is not None:
            given[self._inputs.context] = context
        if _is_async(self.function):
            return output_of(await self.function(**given))
        value = await in_thread(lambda: self._called(given), context.cancelled)
        return output_of(await value) if inspect.isawaitable(value) else output_of(value)

    def _called(self, given: Mapping[str, Any]) -> object:
        value = self.function(**given)
        return value if inspect.isawaitable(value) else output_of(value)


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


@overload
def tool(function: Callable[..., object], /) -> FunctionTool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    touches: Touches | None = None,
    category: str = "user",
    timeout: float | None = None,
) -> Callable[[Callable[..., object]], FunctionTool]: ...
def tool(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    touches: Touches | None = None,
    category: str = "user",
    timeout: float | None = None,
) -> FunctionTool | Callable[[Callable[..., object]], FunctionTool]:
    """Make a tool of a typed function: `@tool`, or `@tool(name=..., touches=..., ...)`. Raises UsageError.

    `touches` left out: NOTHING in a program of your own, RUNS in a file of tools, whose calls then ask.
    `timeout` is in seconds.
    """
    namespace = dict(sys._getframe(1).f_locals)  # noqa: SLF001  # hints may name what is local to the caller

    def made(function: Callable[..., object]) -> FunctionTool:
        return FunctionTool(
            function,
            name=name,
            description=description,
            touches=touches,
            category=category,
            timeout=timeout,
            namespace=namespace,
        )

    return made if function is None else made(function)
