"""docs/batch.md: its settings load, its commands and flags are those of the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from coda_cli.cli.app import app
from coda_cli.settings.load import load

SUBCOMMANDS = ("run", "submit", "status", "collect", "cancel", "list")
PAGE = (Path(__file__).parents[2] / "docs" / "batch.md").read_text("utf-8")


def test_the_settings_of_the_page_load(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "coda.toml"
    file.write_text(block)
    table = load(file=file, environ={}).settings.providers["cluster"]
    assert (table.api_base, table.max_retries, table.idle_timeout) == ("http://gpu-head:8000/v1", 6, 900.0)


def test_every_command_of_the_page_has_the_flags_that_it_is_given() -> None:
    runner, commands = CliRunner(), re.findall(r"coda (batch|compare)\b([^\n|>`]*)", PAGE)
    helps: dict[tuple[str, ...], str] = {}
    assert len(commands) > 10
    for name, rest in commands:
        words = shlex.split(rest, comments=True)
        path: tuple[str, ...] = (name,)
        if name == "batch":
            path = (name, words[0] if words and words[0] in SUBCOMMANDS else "run")
        if path not in helps:
            ran = runner.invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
            assert ran.exit_code == 0, path
            helps[path] = ran.output
        for flag in (word for word in words if word.startswith("-") and word != "-"):
            assert re.search(rf"(?<!\S){re.escape(flag)}(?=[\s,])", helps[path]), (path, flag)


def test_every_flag_that_the_page_speaks_of_is_one() -> None:
    ours = PAGE.partition("## One machine")[0]
    ran = [CliRunner().invoke(app, [*path, "--help"]).output for path in (["batch", "run"], ["compare"])]
    waits = CliRunner().invoke(app, ["batch", "collect", "--help"]).output
    for flag in set(re.findall(r"--[a-z][a-z-]+", ours)):
        assert flag in "".join([*ran, waits]), flag
