"""ToolManager: what a model is told of, in an order that caches, and names that are mended instead of passed over."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.providers.scripted import ScriptedProvider
from coda_cli.engine.tools.builtin import BUILTIN
from coda_cli.engine.tools.function import FunctionTool, tool
from coda_cli.engine.tools.manager import ToolManager
from tests.unit.tool_rounds import add, call, managing, one

OWN = ("ask_user", "generate_uuid", "get_date", "get_time", "random_number", "timestamp")


def names(manager: ToolManager, only: list[str] | None = None, **calling: Any) -> list[str]:
    return [spec.name for spec in manager.specs(FunctionCallingConfig(**calling), only)]


def test_a_manager_comes_with_the_built_in_tools_sorted_and_described() -> None:
    specs = ToolManager().specs(FunctionCallingConfig())
    assert [spec.name for spec in specs] == sorted(name for name in BUILTIN if not name.endswith("_memory"))
    assert set(OWN) <= set(BUILTIN)
    for spec in specs:
        assert 10 < len(spec.description) < 400
        assert spec.parameters["additionalProperties"] is False
        if spec.name in OWN:
            assert all(about["description"] for about in spec.parameters["properties"].values())


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_a_built_in_tool_is_called_what_the_table_says(name: str) -> None:
    assert ToolManager().get(name).name == name


def test_the_order_is_the_same_whatever_was_registered_first() -> None:
    other = tool(name="zero")(add)
    assert names(managing(add, other)) == names(managing(other, add)) == ["add", "zero"]


def test_categories_and_choices_narrow_what_is_offered() -> None:
    manager = ToolManager([tool(name="web_get", category="own")(add), tool(name="web_post", category="own")(add), add])
    assert names(manager, allowed_categories=["own"]) == ["web_get", "web_post"]
    assert names(manager, ["own"]) == ["web_get", "web_post"]
    assert names(manager, ["web_g*", "add"]) == ["add", "web_get"]
    assert names(manager, ["time", "random_number"]) == ["get_date", "get_time", "random_number", "timestamp"]
    assert names(manager, ["own", "add"], allowed_categories=["user"]) == ["add"]
    assert names(manager, []) == []
    assert names(manager, allowed_categories=[]) == []


@pytest.mark.parametrize(("wanted", "near"), [("get_tim", "get_time"), ("tim", "time"), ("zzz*", "coda tools list")])
def test_a_choice_that_names_no_tool_says_what_is_near(wanted: str, near: str) -> None:
    with pytest.raises(UsageError, match="there is no tool") as raised:
        ToolManager().specs(FunctionCallingConfig(), [wanted])
    assert near in str(raised.value.hint)


def test_tools_are_registered_once_found_and_taken_away() -> None:
    manager = ToolManager()
    made = manager.register(add)
    assert isinstance(made, FunctionTool)
    assert manager.get("add") is made
    with pytest.raises(UsageError, match="already"):
        manager.register(add)
    with pytest.raises(UsageError, match="already"):
        manager.register(tool(name="get_time")(add))
    manager.unregister("add")
    manager.unregister("get_time")
    assert not {"add", "get_time"} & set(manager.names())
    manager.register(tool(name="get_time")(add))
    with pytest.raises(UsageError, match="no tool `add`"):
        manager.unregister("add")


@pytest.mark.parametrize("name", ["", "a b", "größe", "x" * 65, "a.b", "a/b", "a\nb"])
def test_a_name_that_some_vendor_refuses_is_refused_at_once(name: str) -> None:
    class Named(FunctionTool):
        pass

    named = Named(add)
    named.name = name
    with pytest.raises(UsageError, match="name of a tool"):
        managing(named)


async def test_a_tool_that_is_taken_away_cannot_be_called() -> None:
    manager = managing(add)
    assert (await one(manager, call("add", '{"a": 1}'))).text == "1"
    manager.unregister("add")
    assert "there are no tools" in (await one(manager, call("add", '{"a": 2}'))).text


def test_telling_a_model_of_the_tools_loads_nothing_that_runs_them() -> None:
    program = """
import sys
import coda_cli.engine.manager
from coda_cli.engine.core.config import FunctionCallingConfig
from coda_cli.engine.tools.manager import ToolManager
ToolManager().specs(FunctionCallingConfig())
heavy = {"jsonschema", "docstring_parser", "httpx2", "tomlkit",
         "coda_cli.engine.tools.executor", "coda_cli.engine.tools.child", "coda_cli.engine.tools.permissions"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_model_with_tools_is_asked_as_it_is() -> None:
    provider = ScriptedProvider()
    manager = managing(add)
    assert manager.fitted(provider, "scripted", manager.specs(FunctionCallingConfig())) is provider
