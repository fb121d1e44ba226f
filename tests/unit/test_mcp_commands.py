"""`/mcp`, `coda tools mcp` and `coda ask -T mcp`: MCP servers as a person meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from coda_cli import bootstrap, paths
from coda_cli.chat import commands
from coda_cli.chat.session import ChatSession
from coda_cli.settings.load import load_settings
from coda_cli.settings.model_spec import ModelSpec
from tests.unit.chat_front import Recorder
from tests.unit.mcp_calls import SERVERS, START

DEMO = [sys.executable, "-P", str(SERVERS / "mcp_demo.py")]
FAULTY = [sys.executable, "-P", str(SERVERS / "mcp_faulty.py")]


def coda(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coda_cli", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **more},
        timeout=120,
        check=False,
    )


def settings(*tables: str) -> None:
    file = paths.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("# mine\n" + "\n".join(tables))


def table(name: str, argv: list[str], more: str = "") -> str:
    given = f"command = {json.dumps(argv[0])}\nargs = {json.dumps(argv[1:])}\nstart_timeout = {START}\n"
    return f"[mcp.servers.{name}]\n{given}{more}\n"


def test_add_list_remove_keep_what_stands_in_the_file() -> None:
    settings('[aliases]\nfast = "openai/x"  # quick\n')
    added = coda("tools", "mcp", "add", "files", "--env", "A=b", "--cwd", "/", "--", "server", "-v", "it's")
    assert (added.returncode, added.stderr) == (0, "")
    assert coda("tools", "mcp", "add", "web", "--url", "https://h/mcp", "--header", "Authorization=T").returncode == 0
    text = paths.config_file().read_text()
    assert "# mine" in text
    assert "# quick" in text
    servers = load_settings(environ={}).mcp.servers
    files, web = servers["files"], servers["web"]
    assert (files.command, files.args, files.env, files.cwd) == ("server", ["-v", "it's"], ["A=b"], "/")
    assert (web.url, web.headers_env) == ("https://h/mcp", {"Authorization": "T"})
    rows = json.loads(coda("tools", "mcp", "list", "--json").stdout)
    assert [(row["name"], row["where"], row["tools"]) for row in rows] == [
        ("files", "server -v 'it'\"'\"'s'", None),
        ("web", "https://h/mcp", None),
    ]
    assert coda("tools", "mcp", "remove", "files").returncode == 0
    assert list(load_settings(environ={}).mcp.servers) == ["web"]


@pytest.mark.parametrize(
    "arguments",
    [("add", "x"), ("add", "x", "--url", "h"), ("add", "a__b", "--", "x"), ("remove", "x"), ("check", "x")],
)
def test_a_slip_is_told_and_changes_nothing(arguments: tuple[str, ...]) -> None:
    settings()
    ran = coda("tools", "mcp", *arguments)
    assert ran.returncode == 2
    assert "hint:" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert paths.config_file().read_text() == "# mine\n"


def test_check_tells_what_works_and_what_does_not() -> None:
    settings(table("good", DEMO), table("bad", [*FAULTY, "dies_at_start"]))
    ran = coda("tools", "mcp", "check", "--json")
    assert ran.returncode == 1
    good, bad = json.loads(ran.stdout)
    assert good["ok"]
    assert good["server"] == "demo"
    assert "mcp__good__add" in good["tools"]
    assert not bad["ok"]
    assert "no configuration" in bad["error"]
    assert coda("tools", "mcp", "check", "good").returncode == 0


def test_ask_calls_a_tool_of_a_server() -> None:
    calls = '[["mcp__demo__add", "{\\"a\\": 40, \\"b\\": 2}"]]'
    replies = f'[{{ tool_calls = {calls} }}, "It is 42."]'
    provider = f'[providers.s]\ntype = "scripted"\nmodel = "m"\nextra_params = {{ replies = {replies} }}\n'
    settings('default_provider = "s"', provider, table("demo", DEMO))
    ran = coda("ask", "-T", "mcp", "--approval-mode", "all", "--output-format", "stream-json", "40 + 2?")
    assert ran.returncode == 0, ran.stderr
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    (result,) = [event for event in events if event["type"] == "function_result"]
    assert '"total": 42' in result["text"]
    refused = coda("ask", "-T", "mcp", "40 + 2?")  # nobody is there to ask
    assert refused.returncode == 0
    assert "Not run" in refused.stderr


async def front() -> Recorder:
    wired = bootstrap.wire(load_settings(environ={}), only=(), log=False)
    return Recorder(ChatSession(wired, spec=ModelSpec("local", None), incognito=True))


async def test_the_command_lists_reads_and_puts_prompts() -> None:
    settings(table("demo", DEMO), table("bad", ["/no/such/program"]))
    one = await front()
    try:
        await commands.run(one, "/mcp")
        assert "not started" in one.documents["MCP servers"]
        await commands.run(one, "/tools")
        await commands.run(one, "/mcp")
        shown = one.documents["MCP servers"]
        assert "- tool `mcp__demo__add`: Adds two numbers." in shown
        assert "- resource `demo://notes`: Some notes." in shown
        assert "- prompt `greet name=…`: Greets somebody." in shown
        assert "/no/such/program" in shown
        await commands.run(one, "/mcp prompt demo greet 'name=Ada Lovelace'")
        assert one.prompt == "Greet Ada Lovelace warmly."
        await commands.run(one, "/mcp read demo demo://notes")
        assert "milk, bread" in one.prompt
        assert one.errors == []
        for slip in ("/mcp read nobody x", "/mcp read demo demo://none", "/mcp what", "/mcp prompt bad x", "/mcp 'x"):
            await commands.run(one, slip)
        assert len(one.errors) == 5
    finally:
        await one.session.manager.aclose()


async def test_without_servers_the_command_says_how_to_add_one() -> None:
    settings()
    one = await front()
    await commands.run(one, "/mcp")
    assert "coda tools mcp add" in str(one.errors[0].hint)
