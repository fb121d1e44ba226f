"""`[mcp.servers.NAME]` in coda.toml: what it takes, what it refuses, what reaches the tools."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from coda_cli import bootstrap
from coda_cli.engine.tools.own_folder import OWN_FOLDER, SETTINGS
from coda_cli.engine.tools.trust import Trust, read_folder
from coda_cli.settings.load import check_text, load_settings
from coda_cli.settings.problems import SettingsError
from coda_cli.settings.schema import Settings

FILE = Path("coda.toml")


def read(text: str) -> Settings:
    return check_text(text, FILE)


def test_servers_of_the_settings() -> None:
    settings = read(
        '[mcp.servers.files]\ncommand = "server"\nargs = ["-v"]\nenv = ["TOKEN", "A=b=c"]\ncwd = "~"\ntimeout = 5.0\n'
        "start_timeout = 2.5\n"
    )
    server = settings.mcp.servers["files"]
    assert (server.command, server.args, server.env, server.cwd) == ("server", ["-v"], ["TOKEN", "A=b=c"], "~")
    assert (server.timeout, server.start_timeout, server.enabled) == (5.0, 2.5, True)
    assert read("").mcp.servers == {}


def test_a_server_is_a_program_or_an_address() -> None:
    server = read('[mcp.servers.a]\nurl = "https://h/mcp"\nheaders_env = { Authorization = "T" }\n').mcp.servers["a"]
    assert (server.url, server.headers_env) == ("https://h/mcp", {"Authorization": "T"})
    for bad in (
        "",
        'command = "x"\nurl = "https://h"',
        'url = "h/mcp"',
        'url = "file:///etc/passwd"',
        'url = "https://h/mcp"\nargs = ["x"]',
        'command = "x"\nheaders_env = { A = "T" }',
        'url = "https://h"\nheaders_env = { "A b" = "T" }',
        'url = "https://h"\nheaders_env = { A = "Bearer abc" }',
        'command = "x"\nargs = ["a\\u0000b"]',
        'command = "x"\nsecret = "y"',
        'command = "x"\ntimeout = 0.0',
    ):
        with pytest.raises(SettingsError):
            read(f"[mcp.servers.a]\n{bad}\n")


@pytest.mark.parametrize("name", ["a__b", '"a b"', '"é"', '"a/b"', "a" * 33, "_a", "a_"])
def test_a_name_of_a_server_leaves_no_doubt_whose_tool_it_is(name: str) -> None:
    with pytest.raises(SettingsError, match="not a name for a server"):
        read(f'[mcp.servers.{name}]\ncommand = "x"\n')


def test_a_secret_is_given_by_name_only() -> None:
    with pytest.raises(SettingsError) as caught:
        read('[mcp.servers.a]\ncommand = "x"\nenv = ["GITHUB_TOKEN=ghp_canary"]\n')
    assert "GITHUB_TOKEN" in str(caught.value)
    assert "ghp_canary" not in str(caught.value)
    assert read('[mcp.servers.a]\ncommand = "x"\nenv = ["GITHUB_TOKEN"]\n').mcp.servers["a"].env == ["GITHUB_TOKEN"]


def test_only_enabled_servers_reach_the_tools() -> None:
    settings = read('[mcp.servers.on]\ncommand = "x"\n[mcp.servers.off]\ncommand = "y"\nenabled = false\n')
    servers = bootstrap.tool_manager(settings).servers
    assert servers is not None
    assert list(servers.all) == ["on"]
    assert servers.all["on"].config.command == "x"
    assert servers.all["on"].state == "not started"


def test_without_servers_or_their_category_there_are_none() -> None:
    server = '[mcp.servers.on]\ncommand = "x"\n'
    assert bootstrap.tool_manager(read("")).servers is None
    assert bootstrap.tool_manager(read(f'{server}[function_calling]\nallowed_categories = ["time"]\n')).servers is None


def test_a_working_folder_never_adds_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / OWN_FOLDER
    own.mkdir()
    for place in (own / SETTINGS, tmp_path / "coda.toml"):
        place.write_text(f'stream_responses = false\n[mcp.servers.evil]\ncommand = "{sys.executable}"\n')
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={}).mcp.servers == {}
    Trust().trust(read_folder(tmp_path))
    settings = load_settings(environ={})
    assert settings.stream_responses is False  # it counts, but for its servers
    assert settings.mcp.servers == {}
