"""`coda personas`: list, show, new and edit, through Typer."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coda_cli import PersonalityManager
from coda_cli.cli import personas as command
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.personality.doubts import PROMPT_TOKENS
from coda_cli.engine.personality.persona import persona_file, personas_dir
from coda_cli.engine.prompting.sections import BUDGETS

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(command.app, list(arguments))


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An editor that appends what stands in the file that is given back."""
    text = tmp_path / "typed"
    text.write_text("")
    script = tmp_path / "editor"
    script.write_text(f'#!/bin/sh\ncat {text} >> "$1"\n')
    script.chmod(0o700)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(script))
    return text


def save(name: str, text: str) -> None:
    personas_dir().mkdir(parents=True, exist_ok=True)
    persona_file(name).write_text(text, encoding="utf-8")


def test_the_list_has_all_with_a_word_and_tells_of_a_bad_file(run: Run) -> None:
    save("mine", 'description = "My \\u001b[2J own"')
    save("bad", "oops")
    listed = run("list")
    assert [line.split()[0] for line in listed.stdout.splitlines()][:2] == ["default", "code-reviewer"]
    assert "(yours)" in next(line for line in listed.stdout.splitlines() if line.startswith("mine"))
    assert "\x1b" not in listed.stdout
    assert "bad.toml: bad TOML" in listed.stderr
    rows = json.loads(run("list", "--json").stdout)
    assert len(rows) == 9
    assert {row["name"]: row["own"] for row in rows}["mine"] is True


def test_one_is_shown_with_what_it_says_and_what_has_changed_it(run: Run) -> None:
    asyncio.run(PersonalityManager("translator").heard(Situation(question="be more formal")))
    value = json.loads(run("show", "translator", "--json").stdout)
    assert value["tools"] == []
    assert value["says"].startswith("You are a translator.")
    assert value["says"].endswith("Answer only what was asked: no suggestions, no follow-up questions. Write formally.")
    assert value["says_small"].startswith("Translate what the person writes")
    assert [change["cause"] for change in value["state"]["changes"]] == ["you said: be more formal"]
    shown = run("show", "translator").stdout
    assert "temperature = 0.2" in shown
    assert "c1  formality +0.2  you said: be more formal" in shown
    assert isinstance(run("show", "translatr").exception, UsageError)


def test_a_prompt_that_does_not_fit_is_told_and_the_traits_are_said_all_the_same(run: Run) -> None:
    save("saga", 'prompt = """\n' + "Tell of the sea and its ships.\n" * 200 + '"""\n[traits]\nhumour = 0.9\n')
    assert "saga: it says about" in run("list").stderr
    shown = run("show", "saga", "--json")
    says = json.loads(shown.stdout)["says"]
    assert "the end of its prompt is left out" in shown.stderr
    assert says.startswith("Be witty")
    assert says.count("\n") < 150
    assert BUDGETS["persona"] == PROMPT_TOKENS


def test_tools_that_nobody_knows_are_told(run: Run) -> None:
    save("smith", 'tools = ["no_such_tool", "read_file", "files", "get_*", "mcp__git__log", "~/mine.py"]')
    for done in (run("list"), run("show", "smith")):
        assert [line for line in done.stderr.splitlines() if "no tool" in line] == [
            'warning: smith: no tool is known that is called "no_such_tool"; is it one of your own?'
        ]
    assert run("list").stderr.count("warning") == 1


def test_a_new_one_begins_filled_in_and_is_private(run: Run, editor: Path) -> None:
    editor.write_text("humour = 0.9\n")
    done = run("new", "captain")
    assert done.exit_code == 0
    assert "ok" in done.stderr
    assert PersonalityManager("captain").persona.traits["humour"] == 0.9
    assert stat.S_IMODE(persona_file("captain").stat().st_mode) == 0o600
    assert isinstance(run("new", "captain").exception, UsageError)
    assert isinstance(run("new", "../x").exception, UsageError)


def test_a_new_one_may_begin_as_a_copy(run: Run) -> None:
    assert run("new", "mine", "--like", "editor", "--no-edit").exit_code == 0
    assert PersonalityManager("mine").persona.prompt == PersonalityManager("editor").persona.prompt


def test_one_that_comes_along_is_copied_before_it_is_edited(run: Run, editor: Path) -> None:
    editor.write_text("humour = 0.8\n")
    done = run("edit", "editor")
    assert "your own copy" in done.stderr
    edited = PersonalityManager("editor").persona
    assert (edited.own, edited.traits["humour"]) == (True, 0.8)


def test_what_an_edit_has_broken_is_told(run: Run, editor: Path) -> None:
    editor.write_text("humour = 7\n")
    error = run("edit", "editor").exception
    assert isinstance(error, ConfigError)
    assert "traits.humour" in error.message
    assert persona_file("editor").exists(), "what was typed is kept"
