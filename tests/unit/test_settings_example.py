"""coda.toml.example is complete and true: it loads, names every field, and what it calls default is the default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from coda_cli.settings.load import check_text, compose
from coda_cli.settings.schema import (
    BudgetSettings,
    ConversationSettings,
    FunctionCallingSettings,
    McpServerSettings,
    McpSettings,
    PermissionSettings,
    PriceSettings,
    ProviderSettings,
    Settings,
)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "coda.toml.example"
DOCS = ROOT / "docs" / "settings.md"
TEXT = EXAMPLE.read_text(encoding="utf-8")
# A setting shown but not in force: `#name = value` or `#[table]`, without a space after the `#`.
OPENED = re.sub(r"^#(?=[a-z\[])", "", TEXT, flags=re.MULTILINE)


def test_it_loads_as_it_is_and_changes_nothing() -> None:
    assert check_text(TEXT, EXAMPLE) == compose(None, EXAMPLE, environ={}).settings


def test_it_loads_with_every_setting_in_force() -> None:
    settings = check_text(OPENED, EXAMPLE)
    assert settings.model == "openai/gpt-6.1-sol"
    assert settings.providers["my-server"].api_key_env == "MY_SERVER_KEY"


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        ("", [name for name in Settings.model_fields if name != "providers"]),
        ("conversation", list(ConversationSettings.model_fields)),
        ("function_calling", list(FunctionCallingSettings.model_fields)),
        ("budget", list(BudgetSettings.model_fields)),
        ("prices.my-server/qwen3", list(PriceSettings.model_fields)),
        ("permissions", list(PermissionSettings.model_fields)),
        ("mcp", list(McpSettings.model_fields)),
        ("mcp.servers.files", [name for name in McpServerSettings.model_fields if name not in ("url", "headers_env")]),
        ("mcp.servers.issues", ["url", "headers_env"]),
        ("providers.openai", list(ProviderSettings.model_fields)),
    ],
)
def test_every_field_is_in_it(table: str, fields: list[str]) -> None:
    shown: dict[str, Any] = tomllib.loads(OPENED)
    for part in table.split(".") if table else ():
        shown = shown[part]
    assert [name for name in fields if name not in shown] == []


def test_what_it_calls_default_is_the_default() -> None:
    defaults = compose(None, EXAMPLE, environ={}).settings.model_dump()
    table, checked = "", 0
    for line in TEXT.splitlines():
        if found := re.fullmatch(r"#?\[([\w.-]+)\]", line):
            table = found[1]
        elif found := re.fullmatch(r"#(\w+) = (.+?)  # default", line):
            server = table.startswith("mcp.servers.")  # there is none by default
            place: Any = McpServerSettings(command="x").model_dump() if server else defaults
            for part in table.split(".") if table and not server else ():
                place = place[part]
            assert place[found[1]] == tomllib.loads(f"v = {found[2]}")["v"], line
            checked += 1
    assert checked == TEXT.count("  # default")


def test_what_is_not_called_default_has_none() -> None:
    """Every field with a default value is shown with it: the word is missing only where nothing holds by default."""
    unmarked = {
        found[1]
        for line in TEXT.splitlines()
        if (found := re.match(r"#(\w+) = ", line)) and not line.endswith("# default")
    }
    models = (
        Settings,
        ProviderSettings,
        ConversationSettings,
        FunctionCallingSettings,
        BudgetSettings,
        PermissionSettings,
        McpServerSettings,
    )
    for name in unmarked - {"type"}:
        fields = [model.model_fields[name] for model in models if name in model.model_fields]  # `timeout` is in two
        defaults = [field.get_default(call_default_factory=True) for field in fields]
        assert not defaults or any(default in (None, {}, []) for default in defaults), name


def test_the_table_in_the_docs_has_every_field_and_default() -> None:
    text = DOCS.read_text(encoding="utf-8")
    tables: dict[str, type[Any]] = {
        "": Settings,
        "providers.NAME.": ProviderSettings,
        "conversation.": ConversationSettings,
        "function_calling.": FunctionCallingSettings,
        "budget.": BudgetSettings,
        "prices.MODEL.": PriceSettings,
        "permissions.": PermissionSettings,
        "mcp.": McpSettings,
        "mcp.servers.NAME.": McpServerSettings,
    }
    for prefix, model in tables.items():
        for name, field in model.model_fields.items():
            row = re.search(rf"^\| `{re.escape(prefix + name)}` \| ([^|]*) \| [^|]* \| [^|]* \|$", text, re.MULTILINE)
            assert row is not None, prefix + name
            if isinstance(field.default, bool | int | float):
                assert f"`{str(field.default).lower()}`" == row[1].strip(), prefix + name


def test_the_tests_that_the_docs_name_exist() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", DOCS.read_text(encoding="utf-8"))
    assert named
    for file, function in named:
        assert f"def {function}(" in (ROOT / "tests" / "unit" / file).read_text(encoding="utf-8"), function
