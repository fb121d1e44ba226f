"""What the tests of MCP share: servers of this folder, a manager with them, calls of their tools."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.core.events import Event
from coda_cli.engine.core.messages import ToolCallPart, ToolResultPart
from coda_cli.engine.core.ports import Approver, ToolRound
from coda_cli.engine.core.tools import Approval, ApprovalMode, ApprovalRequest, Decision
from coda_cli.engine.tools.manager import ToolManager
from coda_cli.engine.tools.mcp.config import ServerConfig
from coda_cli.engine.tools.mcp.servers import McpServers

SERVERS = Path(__file__).parents[1] / "servers"
START = 30.0
"""Seconds for a start that has to succeed: the machine may be slow."""


def demo(name: str = "demo", **more: Any) -> ServerConfig:
    return ServerConfig(name, sys.executable, ["-P", str(SERVERS / "mcp_demo.py")], **{"start_timeout": START, **more})


def faulty(fault: str, file: Path | None = None, **more: Any) -> ServerConfig:
    args = ["-P", str(SERVERS / "mcp_faulty.py"), fault, *([str(file)] if file is not None else ())]
    return ServerConfig("faulty", sys.executable, args, **{"start_timeout": START, **more})


async def until(holds: Callable[[], object]) -> None:
    """Wait until *holds* does. Raises TimeoutError when it never does."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 -- of another process
            await asyncio.sleep(0.01)


@asynccontextmanager
async def manager(*configs: ServerConfig, offline: bool = False, ready: bool = True) -> AsyncIterator[ToolManager]:
    made = ToolManager(builtin=False)
    made.servers = McpServers(configs, offline=offline)
    try:
        if ready:
            await made.ready(("mcp",))
        yield made
    finally:
        await made.aclose()


class Says(Approver):
    """A person who always says the same. `asked` is what they were shown."""

    def __init__(self, decision: Decision = Decision.ONCE) -> None:
        self.decision = decision
        self.asked: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> Approval:
        self.asked.append(request)
        return Approval(self.decision, request.digest)

    async def ask(self, question: str, choices: Any) -> str | None:
        return None


async def call(
    tools: ToolManager,
    name: str,
    arguments: str = "{}",
    *,
    mode: ApprovalMode = "all",
    approver: Approver | None = None,
    told: list[tuple[type[Event], dict[str, Any]]] | None = None,
) -> ToolResultPart:
    def tell(event: type[Event], **fields: object) -> None:
        if told is not None:
            told.append((event, fields))

    turn = ToolRound("chat", FunctionCallingConfig(approval_mode=mode), tell, approver, left=5)
    results = [one async for one in tools.run([ToolCallPart(id="1", name=name, arguments=arguments)], turn)]
    assert len(results) == 1
    return results[0]
