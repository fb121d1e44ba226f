"""Calls as the permissions see them: tools that never run, what they would do, and a person's answers."""

from __future__ import annotations

from typing import get_args

from coda_cli.engine.core.tools import (
    Approval,
    ApprovalMode,
    ApprovalRequest,
    Decision,
    Effect,
    ToolOutput,
    Touches,
    digest,
)
from coda_cli.engine.tools.base import BaseTool
from coda_cli.engine.tools.permissions import Permissions
from coda_cli.engine.tools.shell_words import simple_argv

RUN, ASK, NO = "run", "ask", "refuse"
MODES: tuple[ApprovalMode, ...] = get_args(ApprovalMode)


class Tool(BaseTool):
    """A tool by name and by what it touches; judging never runs it."""

    def __init__(self, name: str, touches: Touches) -> None:
        self.name = name
        self.touches = touches

    async def run(self, arguments: object, context: object) -> ToolOutput:
        raise AssertionError("judging runs nothing")


TIME = Tool("get_time", Touches.NOTHING)
READ = Tool("read_file", Touches.READS)
WRITE = Tool("write_file", Touches.WRITES)
EDIT = Tool("edit_file", Touches.WRITES)
FETCH = Tool("fetch_url", Touches.NETWORK)
COMMAND = Tool("run_command", Touches.RUNS)
MCP = Tool("mcp__files__delete", Touches.RUNS)


def named(tool: Tool, what: str, *, outside: bool = False) -> Effect:
    return Effect(f"{tool.name} {what}", rule=f"{tool.name} {what}", outside=outside)


def command(line: str) -> Effect:
    argv = simple_argv(line)
    return Effect(line, detail=line, rule=f"run_command {line}" if argv else None, argv=argv)


def request(tool: Tool, effect: Effect, call: str = "c1") -> ApprovalRequest:
    return ApprovalRequest("r1", call, tool.name, tool.touches, "{}", digest(call, tool.name, "{}"), effect)


def say(decision: Decision, asked: ApprovalRequest) -> Approval:
    return Approval(decision, asked.digest)


def action(permissions: Permissions, tool: Tool, effect: Effect, mode: ApprovalMode = "ask", chat: str = "chat") -> str:
    return permissions.judge(tool, effect, mode, chat).action


def always(permissions: Permissions, line: str) -> None:
    asked = request(COMMAND, command(line))
    assert permissions.remember(asked, say(Decision.ALWAYS, asked), "chat") is not None
