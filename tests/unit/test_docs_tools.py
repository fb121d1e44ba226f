"""docs/tools.md: its Python runs, its table of modes is what the permissions say, its examples are commands."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from coda_cli import ConversationManager, LLMConfig, LLMManager, LLMProvider, ProviderConfig, Reply, ScriptedProvider
from coda_cli.engine.core.tools import ApprovalMode, Effect, Touches
from coda_cli.engine.tools.base import BaseTool
from coda_cli.engine.tools.manager import ToolManager
from coda_cli.engine.tools.permissions import Permissions

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text("utf-8")


class SomeTool(BaseTool):
    name = "some_tool"

    async def run(self, arguments: Any, context: Any) -> str:
        return ""


async def test_the_python_runs_as_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    config = LLMConfig(providers={"s": ProviderConfig(provider=LLMProvider.SCRIPTED)}, default_provider="s")
    manager = LLMManager(config, store=ConversationManager.in_memory())
    call = Reply(tool_calls=[("forecast", '{"city": "Bern"}')])
    manager._providers["s"] = provider = ScriptedProvider(replies=[call, "No rain."])
    space: dict[str, Any] = {}
    exec(block, space)
    space["LLMManager"] = lambda: manager
    await space["main"]()
    assert capsys.readouterr().out == "No rain.\n"
    assert "Bern: sunny for 1 days" in str(provider.requests[-1].messages[-1])
    told = {tool.name: tool for tool in provider.requests[0].tools}["forecast"]
    assert "from 1 to 7" in told.parameters["properties"]["days"]["description"]


def test_the_table_of_modes_is_what_the_permissions_say(tmp_path: Path) -> None:
    rows = re.findall(r"^\| ([^|]+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 6
    kinds = {
        "nothing": (Touches.NOTHING, False),
        "files here, to read": (Touches.READS, False),
        "files here, to write": (Touches.WRITES, False),
        "the network": (Touches.NETWORK, False),
        "programs, to run": (Touches.RUNS, False),
        "anything outside": (Touches.READS, True),
    }
    permissions = Permissions(tmp_path, file=tmp_path / "permissions.toml")
    words = {"run": "runs", "ask": "asks", "refuse": "refused"}
    for what, *said in rows:
        touches, outside = next(kind for name, kind in kinds.items() if what.startswith(name))
        tool = SomeTool()
        tool.touches = touches
        effect = Effect("it does something", outside=outside, rule="some_tool x")
        judged = [words[permissions.judge(tool, effect, mode, "c").action] for mode in get_args(ApprovalMode)]
        assert judged == said, what


def test_the_categories_it_names_are_those_there_are() -> None:
    manager = ToolManager()
    there = {manager.get(name).category for name in manager.names()}
    (named,) = re.findall(r"a category \(([^)]*)\)", PAGE)
    assert there <= set(re.findall(r"`(\w+)`", named))
    assert inspect.iscoroutinefunction(manager.discover)
