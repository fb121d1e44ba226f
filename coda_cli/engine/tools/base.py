"""What a tool is: a name, a schema, what it touches, and what it does with checked arguments."""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from msgspec import Struct, field

from coda_cli.engine.core.ports import ToolSpec
from coda_cli.engine.core.prompts import MemoryNote, Noticed
from coda_cli.engine.core.tools import Arguments, Effect, ToolOutput, Touches
from coda_cli.engine.tools.results import output_of


class ToolError(Exception):
    """A call cannot be done; the text tells the model what to mend."""


@runtime_checkable
class MemoryTools(Protocol):
    """What the tools of memory may do with it (see `memory.MemoryManager`). Raises only CodaError."""

    async def search(self, query: str, limit: int = 20, *, folder: Path | None = None) -> Sequence[MemoryNote]:
        """The memories that speak of *query*, the best first."""
        ...

    async def known(self, text: str) -> MemoryNote | None:
        """The memory that says the same as *text*."""
        ...

    async def find(self, memory_id: str) -> MemoryNote:
        """The memory with this id. Raises UsageError."""
        ...

    async def add(
        self,
        text: str,
        kind: Literal["fact", "preference", "note"] = "fact",
        *,
        folder: Path | None = None,
        conversation: str = "",
    ) -> Noticed:
        """Keep *text*; what was done, "refused" for a secret."""
        ...

    async def edit(self, memory_id: str, text: str) -> Noticed:
        """Give a memory another text."""
        ...

    async def forget(self, memory_id: str) -> Noticed:
        """Take a memory out for good."""
        ...


class ToolContext(Struct):
    """What a tool may ask of the program while it runs.

    `folder` is the working folder. `cancelled` is set when the call is stopped or its time is over: a tool that works
    in a thread must look at it. `progress(text)` shows a piece of output to the person (from any thread). `ask` puts a
    question to the person and gives None where nobody answers. `timeout` is the seconds that the call has. `memory` is
    None where memory is off, and in a conversation that is not kept.
    """

    call_id: str = ""
    conversation_id: str = ""
    folder: Path = field(default_factory=Path.cwd)
    timeout: float = 120.0
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: Callable[[str], None] = lambda text: None
    ask: Callable[[str, Sequence[str]], Awaitable[str | None]] | None = None
    memory: MemoryTools | None = None


class Planned(Struct, frozen=True):
    """A call that is ready to run: what a person is shown, and what does exactly that."""

    effect: Effect
    run: Callable[[], Awaitable[ToolOutput]]


class BaseTool(ABC):
    """A tool as a class: set the attributes, write `run`. A typed function under `@tool` is the shorter way.

    `parameters` is a JSON Schema of type object. `category` is what `allowed_categories` names. `timeout` (seconds)
    replaces that of the settings. `repeatable`: the same call may give something new each time, so that calling it
    again and again is no loop. `origin` is the file that it comes from, "" for none. `foreign`: a stranger wrote the
    schema, whose patterns are then not tried. Override `plan` where what is shown before must be bound to what is done.
    """

    name: str = ""
    description: str = ""
    parameters: Mapping[str, Any] = {"type": "object", "properties": {}}
    touches: Touches = Touches.NOTHING
    category: str = "user"
    timeout: float | None = None
    repeatable: bool = False
    origin: str = ""
    foreign: bool = False

    @abstractmethod
    async def run(self, arguments: Arguments, context: ToolContext) -> ToolOutput | str:
        """Do it. Raise ToolError for what the model can mend."""

    async def plan(self, arguments: Arguments, context: ToolContext) -> Planned:
        """What this call will do, bound to the doing. Raises ToolError; touches nothing but to read."""

        async def run() -> ToolOutput:
            return output_of(await self.run(arguments, context))

        shown = json.dumps(dict(arguments), ensure_ascii=False, indent=2, default=str)
        return Planned(Effect(summary=self.name, detail=f"{self.name} {shown}", rule=self.name), run)

    def check(self, arguments: Arguments) -> None:
        """Raises ToolError for arguments that do not fit `parameters`."""
        from coda_cli.engine.tools.arguments import check

        check(self.parameters, arguments, foreign=self.foreign)

    def spec(self) -> ToolSpec:
        """What the model is told."""
        return ToolSpec(self.name, self.description, self.parameters)
