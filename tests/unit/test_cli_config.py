"""`coda config`, `coda templates` and `coda doctor` at their seam: stdout, stderr and exit codes."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import tomllib
from pathlib import Path

import pexpect
import pytest
import typer
from typer.testing import CliRunner, Result

from coda_cli.cli import config, doctor, templates
from coda_cli.settings.secrets import keys_file

CANARY = "sk-canary-0123456789abcdef"
VARIABLES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_API_KEY", "VISUAL", "EDITOR", "NO_COLOR", "CLICOLOR_FORCE")


def make_app() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None)
    app.add_typer(config.app, name="config")
    app.add_typer(templates.app, name="templates")
    app.command("doctor")(doctor.doctor)
    return app


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("CODA_") or name in VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "keyring", None)
    return tmp_path


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    result = CliRunner().invoke(make_app(), list(arguments), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert CANARY not in result.output
    return result


def file() -> Path:
    return Path(run("config", "path").stdout.strip())


def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An EDITOR that runs *script* with the file's path in $1."""
    program = tmp_path / "my editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("EDITOR", f"'{program}' --wait")


# --- show, path, check ------------------------------------------------------------------------------------------------


def test_show_prints_toml_that_reads_back(home: Path) -> None:
    result = run("config", "show")
    assert result.exit_code == 0
    shown = tomllib.loads(result.stdout)
    assert shown["providers"]["openai"]["model"] == "gpt-6.1-sol"
    assert shown["conversation"]["auto_summarize"] is True
    assert "(not there: built-in settings)" in result.stdout
    assert list(home.iterdir()) == []


def test_show_tells_each_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    run("config", "set", "providers.openai.timeout", "30")
    monkeypatch.setenv("CODA_OFFLINE", "1")
    text = run("config", "show", "--origin").stdout
    assert "offline = true  # CODA_OFFLINE\n" in text
    assert f"timeout = 30.0  # {file()}:2\n" in text
    assert "max_retries = 3  # default\n" in text
    shown = json.loads(run("config", "show", "--origin", "--json").stdout)
    assert shown["origins"]["offline"] == "CODA_OFFLINE"
    assert shown["settings"]["providers"]["openai"]["timeout"] == 30.0


def test_show_never_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.setenv(
        "CODA_PROVIDERS__OLLAMA__EXTRA_PARAMS", f'{{ headers = {{ Authorization = "{CANARY}" }}, n = 1 }}'
    )
    monkeypatch.setenv("CODA_PROVIDERS__ANTHROPIC__API_BASE", f"http://me:{CANARY}@host:1/v1")
    text = run("config", "show", "--origin").stdout
    assert "# key: set (environment OPENAI_API_KEY)" in text
    assert "# key: not set" in text
    assert "# key: not needed" in text
    assert 'extra_params = { headers = { Authorization = "********" }, n = 1 }' in text
    assert 'api_base = "http://********@host:1/v1"' in text
    keys = json.loads(run("config", "show", "--json").stdout)["keys"]
    assert keys["openai"] == "set (environment OPENAI_API_KEY)"
    assert keys["local"] == "not needed"


def test_a_wrong_file_ends_every_command_with_2_and_a_hint() -> None:
    run("config", "set", "offline", "true")
    file().write_text("\nofline = true\n")
    for arguments in (("show",), ("check",), ("set-key", "openai"), ("show", "--json")):
        result = run("config", *arguments, stdin="x\n")
        assert result.exit_code == 2
        assert result.stdout == ""
        assert f"error: {file()}:2: ofline: there is no such setting" in result.stderr
        assert "hint: did you mean `offline`?" in result.stderr


def test_check_a_named_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text("offline = true")
    bad.write_text("offline = 1\nmodel = 2\n")
    assert run("config", "check", str(good)).stdout == f"{good}: ok\n"
    result = run("config", "check", str(bad), "--json")
    assert result.exit_code == 2
    problems = json.loads(result.stdout)["problems"]
    assert [(problem["where"], problem["key"]) for problem in problems] == [
        (f"{bad}:1", "offline"),
        (f"{bad}:2", "model"),
    ]
    assert run("config", "check", str(tmp_path)).exit_code == 2
    assert "there is no file" in run("config", "check", str(tmp_path / "none")).stderr


def test_check_reads_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("config", "check").exit_code == 0
    monkeypatch.setenv("CODA_OFFLINE", "maybe")
    result = run("config", "check")
    assert result.exit_code == 2
    assert "CODA_OFFLINE: offline: expected true or false" in result.stderr


# --- set, unset, edit -------------------------------------------------------------------------------------------------


def test_set_and_unset() -> None:
    assert run("config", "set", "aliases.fast", "openai/gpt-6-luna").exit_code == 0
    assert tomllib.loads(file().read_text()) == {"aliases": {"fast": "openai/gpt-6-luna"}}
    assert run("config", "unset", "aliases.fast").exit_code == 0
    assert "is not set in" in run("config", "unset", "aliases.fast").stderr
    before = file().read_bytes()
    result = run("config", "set", "providers.openai.timeout", "soon")
    assert (result.exit_code, file().read_bytes()) == (2, before)


def test_edit_starts_from_the_example(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(home, monkeypatch, 'echo "offline = true" > "$2.new"; cat "$2" >> "$2.new"; mv "$2.new" "$2"')
    result = run("config", "edit")
    assert (result.exit_code, result.stderr) == (0, f"{file()}: ok\n")
    example = (Path(__file__).parents[2] / "coda.toml.example").read_text()
    assert file().read_text() == "offline = true\n" + example


def test_edit_says_what_is_wrong_afterwards(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(home, monkeypatch, 'echo "offlin = true" > "$2"')
    result = run("config", "edit")
    assert result.exit_code == 2
    assert ":1: offlin: there is no such setting" in result.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [("/nowhere/ed", "cannot start the editor /nowhere/ed"), ("false", "ended with status 1"), ('"', "not a command")],
)
def test_an_editor_that_fails(monkeypatch: pytest.MonkeyPatch, command: str, message: str) -> None:
    monkeypatch.setenv("VISUAL", command)
    for arguments in (("config", "edit"), ("templates", "edit", "t")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert message in result.stderr


def test_no_editor_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    result = run("config", "edit")
    assert result.exit_code == 2
    assert "hint: set EDITOR" in result.stderr


# --- keys -------------------------------------------------------------------------------------------------------------


def test_set_key_from_stdin_and_remove_it() -> None:
    result = run("config", "set-key", "openai", stdin=f"{CANARY}\nsecond line\n")
    assert result.exit_code == 0
    assert str(keys_file()) in result.stderr
    assert tomllib.loads(keys_file().read_text()) == {"openai": CANARY}
    assert stat.S_IMODE(keys_file().stat().st_mode) == 0o600
    assert "# key: set (keys.toml)" in run("config", "show").stdout
    assert "removed the key of openai from keys.toml" in run("config", "remove-key", "openai").stderr
    assert run("config", "remove-key", "openai").exit_code == 0


def test_set_key_says_that_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    assert "environment OPENAI_API_KEY is set too, and wins" in run("config", "set-key", "openai", stdin="x\n").stderr
    run("config", "remove-key", "openai")
    assert "the environment variable OPENAI_API_KEY" in run("config", "remove-key", "openai").stderr


@pytest.mark.parametrize(
    ("name", "stdin", "message"),
    [
        ("openai", "", "the key is empty"),
        ("openai", "\n", "the key is empty"),
        ("openai", f"{CANARY} and more\n", "this is not an API key"),
        ("openai", b"\xff\xfe\n", "key"),
        ("opnai", f"{CANARY}\n", 'there is no provider "opnai"'),
        ("local", f"{CANARY}\n", "needs no key"),
    ],
)
def test_set_key_refuses(name: str, stdin: str | bytes, message: str) -> None:
    result = run("config", "set-key", name, stdin=stdin)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not keys_file().exists()


def test_set_key_takes_no_key_as_an_argument() -> None:
    assert CliRunner().invoke(make_app(), ["config", "set-key", "openai", CANARY]).exit_code == 2
    assert not keys_file().exists()


def test_set_key_on_a_terminal_asks_without_an_echo() -> None:
    code = "import sys; sys.modules['keyring'] = None\nfrom coda_cli.cli.config import app\napp()"
    child = pexpect.spawn(sys.executable, ["-c", code, "set-key", "openai"], encoding="utf-8", timeout=60)
    child.expect("API key of openai")
    child.waitnoecho()
    child.sendline(CANARY)
    child.expect("stored the key of openai")
    rest = child.before + child.read()
    child.close()
    assert child.exitstatus == 0
    assert CANARY not in rest
    assert tomllib.loads(keys_file().read_text()) == {"openai": CANARY}


# --- templates --------------------------------------------------------------------------------------------------------


def test_templates_from_edit_to_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    assert "make one with `coda templates edit NAME`" in run("templates", "list").stderr
    assert run("templates", "edit", "translate").exit_code == 0
    folder = Path(run("templates", "path").stdout.strip())
    assert run("templates", "path", "translate").stdout == f"{folder / 'translate.toml'}\n"
    assert run("templates", "show", "translate").stdout == (folder / "translate.toml").read_text()
    assert json.loads(run("templates", "show", "translate", "--json").stdout)["variables"] == ["language"]
    (folder / "broken.toml").write_text("prompt = 3")
    result = run("templates", "list")
    assert result.exit_code == 0
    assert "translate  What this template is for  (-p language)" in result.stdout
    assert "broken.toml:1: prompt: expected text" in result.stderr
    rows = json.loads(run("templates", "list", "--json").stdout)
    assert [(row["name"], row["error"] is None) for row in rows] == [("broken", False), ("translate", True)]


def test_templates_edit_checks_afterwards(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor(home, monkeypatch, 'echo "promt = 1" > "$2"')
    result = run("templates", "edit", "t")
    assert result.exit_code == 2
    assert "promt: there is no such key" in result.stderr
    assert run("templates", "show", "../t").exit_code == 2
    assert run("templates", "edit", "../t").exit_code == 2
    assert run("templates", "path", "../t").exit_code == 2


# --- doctor -----------------------------------------------------------------------------------------------------------


def checks() -> dict[str, dict[str, str]]:
    result = run("doctor", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == (0 if report["ok"] else 1)
    return {check["name"]: check for check in report["checks"]}


def test_doctor_on_a_fresh_machine_reads_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a network call")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = checks()
    assert found["coda.toml"]["status"] == "ok"
    assert found["embedded model"]["detail"] == "not fetched yet"
    assert "pip install" in found["extra keyring"]["hint"]
    assert list(home.iterdir()) == []


def test_doctor_finds_what_is_wrong(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config").mkdir(mode=0o755)
    (home / "config").chmod(0o755)
    (home / "config" / "coda.toml").write_text("ofline = true")
    keys_file().write_text(f'openai = "{CANARY}"')
    keys_file().chmod(0o644)
    (home / "cache").write_text("in the way")
    (home / "data" / "models").mkdir(parents=True)
    (home / "data" / "models" / doctor.WEIGHTS).write_bytes(b"GGUF")
    monkeypatch.setenv("CODA_OFLINE", "1")
    monkeypatch.setenv("EDITOR", "/nowhere/ed")
    found = checks()
    expected = {
        "coda.toml": ("fail", "did you mean `offline`?"),
        "keys.toml": ("fail", "chmod 600"),
        "config folder": ("warn", "chmod 700"),
        "cache folder": ("fail", "move it away"),
        "embedded model": ("warn", "remove the file"),
        "environment": ("warn", "did you mean `CODA_OFFLINE`?"),
        "editor": ("warn", "set EDITOR"),
    }
    for name, (status, hint) in expected.items():
        assert found[name]["status"] == status, name
        assert hint in found[name]["hint"], name
    assert stat.S_IMODE(keys_file().stat().st_mode) == 0o644
    assert run("doctor").exit_code == 1


def test_doctor_names_missing_libraries_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("anthropic", "xllamacpp", "torch", "transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    found = checks()
    assert found["libraries"]["status"] == "fail"
    assert found["libraries"]["hint"].endswith("-m pip install anthropic")
    assert found["local engine"]["status"] == "warn"
    assert "torch" in found["extra local"]["hint"]


def test_doctor_knows_a_poor_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert next(check for check in doctor.run_checks() if check.name == "terminal").status == "warn"
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "30")
    narrow = next(check for check in doctor.run_checks() if check.name == "terminal")
    assert (narrow.status, "256" in narrow.detail) == ("warn", True)


@pytest.mark.parametrize("group", [("config",), ("templates",)])
def test_every_help_has_an_example(group: tuple[str, ...]) -> None:
    app = config.app if group == ("config",) else templates.app
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(names) == (8 if group == ("config",) else 5)
    for name in names:
        text = run(*group, name, "--help").stdout
        assert "Example: " in text, name
        assert "coda " in text.split("Example: ")[1], name
