"""`coda tools` through Typer: the list, one tool, a call under the permissions, and the rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coda_cli.cli import tools as command
from coda_cli.engine.core.errors import UsageError

Run = Callable[..., Result]
SHOUT = '''
def shout(text: str, times: int = 1) -> str:
    """Say it loudly.

    Args:
        text: what to say
    """
    return (text.upper() + "! ") * times
'''


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODA_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(command.app, list(arguments))

    return invoke


def test_the_list_says_of_each_tool_what_it_touches(run: Run) -> None:
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    touches = {name: row["touches"] for name, row in rows.items()}
    assert touches["calculator"] == touches["get_time"] == "nothing"
    assert (touches["read_file"], touches["write_file"], touches["run_command"]) == ("reads", "writes", "runs")
    shown = run("list").stdout.splitlines()
    assert [line.split()[0] for line in shown] == sorted(rows)
    assert all(row["description"] for row in rows.values())


def test_one_tool_is_shown_as_a_model_is_told_of_it(run: Run) -> None:
    value = json.loads(run("show", "calculator", "--json").stdout)
    assert value["parameters"]["properties"]["expression"]["type"] == "string"
    assert value["category"] == "math"


def test_a_tool_that_is_not_there_is_told_with_those_that_are_near(run: Run) -> None:
    error = run("show", "calculater").exception
    assert isinstance(error, UsageError)
    assert "calculator" in (error.hint or "")


def test_a_call_gives_what_a_model_would_get(run: Run) -> None:
    ran = run("test", "calculator", "expression=15% of 80")
    assert (ran.exit_code, ran.stdout) == (0, "12\n")
    said = json.loads(run("test", "calculator", "expression=1/0", "--json").stdout)
    assert said["is_error"] is True
    assert run("test", "calculator", "expression=1/0").exit_code == 1
    assert run("test", "calculator").exit_code == 1


def test_a_call_is_held_to_the_permissions(run: Run, home: Path) -> None:
    refused = run("test", "write_file", "path=a.txt", "content=hello")
    assert refused.exit_code == 1
    assert "no terminal" in refused.stderr
    assert not Path("a.txt").exists()
    assert run("permissions", "allow", "write_file a.txt").exit_code == 0
    assert run("test", "write_file", "path=a.txt", "content=hello").exit_code == 0
    assert Path("a.txt").read_text() == "hello"
    assert run("test", "write_file", "path=b.txt", "content=hello").exit_code == 1
    assert run("test", "write_file", "path=b.txt", "content=hello", "--approval-mode", "all").exit_code == 0


def test_rules_are_listed_with_numbers_and_revoked_by_them(run: Run, home: Path) -> None:
    assert "No rules" in run("permissions", "list").stdout
    run("permissions", "allow", "run_command git status")
    run("permissions", "deny", "fetch_url https://example.com/*", "--everywhere")
    listed = run("permissions", "list").stdout.splitlines()
    assert listed[0].split()[:2] == ["1", "allow"]
    assert str(Path.cwd()) in listed[0]
    assert "everywhere" in listed[1]
    assert [min(row) for row in json.loads(run("permissions", "list", "--json").stdout)] == ["allow", "created"]
    assert run("permissions", "revoke", "1").stdout == "revoked: run_command git status\n"
    assert run("permissions", "revoke", "fetch_url https://example.com/*").exit_code == 0
    assert "No rules" in run("permissions", "list").stdout


@pytest.mark.parametrize("pattern", ["run_command a; b", "run_command *", "", "write_file ../../etc/passwd"])
def test_a_pattern_that_says_nothing_or_too_much_is_told(run: Run, pattern: str) -> None:
    ran = run("permissions", "allow", pattern)
    assert isinstance(ran.exception, UsageError), ran.stdout
    assert "No rules" in run("permissions", "list").stdout


def test_the_functions_of_a_file_are_tools_and_a_broken_file_of_ones_own_is_told(run: Run, home: Path) -> None:
    Path("f.py").write_text(SHOUT)
    folder = home / "config" / "tools"
    folder.mkdir(parents=True)
    (folder / "broken.py").write_text("def oops(:\n")
    (folder / "mine.py").write_text(SHOUT.replace("shout", "cry"))
    ran = run("list", "--json", "--functions", "f.py")
    assert {"shout", "cry", "calculator"} <= {row["name"] for row in json.loads(ran.stdout)}
    assert "broken.py" in ran.stderr
    said = run("test", "shout", "text=hi", "times=2", "--functions", "f.py", "--approval-mode", "all")
    assert said.stdout.strip() == "HI! HI!"
