"""Changing one key of coda.toml: what stays, what is refused, and several at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from coda_cli.engine.core.errors import ConfigError
from coda_cli.settings.edit import set_value, unset_value
from coda_cli.settings.files import write_text

TEXT = """\
# my settings
offline = true   # on the train

[providers.openai]  # work
# quick ones only
timeout = 3

[aliases]
fast = "openai/gpt-6-luna"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "coda.toml"
    path.write_text(TEXT)
    return path


def test_a_value_changes_and_every_comment_stays(file: Path) -> None:
    set_value(file, "providers.openai.timeout", "30")
    set_value(file, "offline", "no")
    assert file.read_text() == TEXT.replace("timeout = 3", "timeout = 30").replace("= true ", "= false ")


def test_a_missing_file_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "coda.toml"
    set_value(path, "providers.house.type", "openai")
    set_value(path, "providers.house.api_base", "http://127.0.0.1:8000/v1")
    set_value(path, "providers.house.extra_params.top_k", "5")
    set_value(path, "aliases.home", "house/qwen3")
    set_value(path, "model", "home")
    assert tomllib.loads(path.read_text()) == {
        "model": "home",
        "providers": {
            "house": {"type": "openai", "api_base": "http://127.0.0.1:8000/v1", "extra_params": {"top_k": 5}}
        },
        "aliases": {"home": "house/qwen3"},
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("offlin", "1", "there is no such setting"),
        ("providers.openai.tmeout", "1", "there is no such setting"),
        ("providers.openai.api_key", "sk-1", "API keys are not kept in coda.toml"),
        ("providers.openai.timeout", "soon", "providers.openai.timeout: expected a number, got text"),
        ("providers.new.model", "x", "providers.new.type: is missing"),
        ("default_provider", "nobody", 'there is no provider "nobody"'),
        ("offline.x", "1", "there is no such setting"),
        ("a..b", "1", "is not a setting's name"),
    ],
)
def test_a_bad_edit_never_lands(file: Path, key: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        set_value(file, key, value)
    assert message in caught.value.message
    assert "coda.toml:" not in caught.value.message
    assert file.read_text() == TEXT


def test_an_edit_can_mend_a_wrong_file_but_not_one_that_is_no_toml(file: Path) -> None:
    file.write_text("offline = 3 # hm\n")
    set_value(file, "offline", "true")
    assert file.read_text() == "offline = true # hm\n"
    file.write_text("offline = \n")
    with pytest.raises(ConfigError, match="bad TOML"):
        set_value(file, "offline", "true")
    assert file.read_text() == "offline = \n"


def test_unset_takes_a_key_or_a_table(file: Path) -> None:
    assert unset_value(file, "providers.openai.timeout")
    assert "# quick ones only" in file.read_text()
    assert unset_value(file, "aliases")
    assert not unset_value(file, "aliases")
    assert tomllib.loads(file.read_text()) == {"offline": True, "providers": {"openai": {}}}
    assert not unset_value(file.with_name("none.toml"), "model")
    assert not file.with_name("none.toml").exists()


def test_unset_that_would_break_the_file_is_refused(file: Path) -> None:
    text = "[providers.house]\ntype = 'openai'\nmodel = 'x'\n"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"providers\.house\.type: is missing"):
        unset_value(file, "providers.house.type")
    assert file.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "providers = { openai = { timeout = 3 } }\n",
        "providers.openai.timeout = 3\n",
        "[providers]\nopenai.timeout = 3\n",
        "[providers.openai]\ntimeout = 3\n[aliases]\na = 'openai/b'\n[providers.ollama]\nmodel = 'x'\n",
    ],
)
def test_every_layout_is_edited_rightly_or_left_alone(file: Path, text: str) -> None:
    file.write_text(text)
    expected = tomllib.loads(text)
    for name, model in (("openai", "gpt"), ("local", "m"), ("ollama", "q")):
        before = file.read_bytes()
        try:
            set_value(file, f"providers.{name}.model", model)
        except ConfigError as error:
            refused = error.hint
        else:
            refused = None
            expected["providers"].setdefault(name, {})["model"] = model
        if refused is not None:
            assert "coda config edit" in refused
            assert file.read_bytes() == before
    assert tomllib.loads(file.read_text()) == expected


def test_a_symlink_stays_one_and_modes_stay(tmp_path: Path) -> None:
    shared, link = tmp_path / "dotfiles", tmp_path / "coda.toml"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    real = shared / "coda.toml"
    real.write_text("offline = true\n")
    real.chmod(0o644)
    link.symlink_to(real)
    set_value(link, "offline", "false")
    assert link.is_symlink()
    assert real.read_text() == "offline = false\n"
    assert (real.stat().st_mode & 0o777, shared.stat().st_mode & 0o777) == (0o644, 0o755)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        write_text(file, "offline = false\n")
    assert file.read_text() == TEXT
    assert [path.name for path in file.parent.iterdir()] == ["coda.toml"]


def test_processes_that_edit_at_once_lose_nothing(file: Path) -> None:
    code = (
        "import sys, pathlib\nfrom coda_cli.settings.edit import set_value\nsys.stdin.readline()\n"
        "set_value(pathlib.Path(sys.argv[1]), f'aliases.a{sys.argv[2]}', f'openai/m{sys.argv[2]}')"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(file), str(number)], stdin=subprocess.PIPE, text=True)
        for number in range(6)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.close()
    assert [child.wait() for child in children] == [0] * 6
    expected = {"fast": "openai/gpt-6-luna", **{f"a{number}": f"openai/m{number}" for number in range(6)}}
    assert tomllib.loads(file.read_text())["aliases"] == expected


_KEYS = st.sampled_from([
    "offline", "model", "providers.openai.timeout", "providers.openai.model", "providers.ollama.model",
    "providers.local.extra_params.device", "aliases.fast", "conversation.max_messages", "default_provider",
])  # fmt: skip
_VALUES = st.sampled_from(["true", "7", "openai", "openai/x", 'a "quoted" one', "é\\", "0", "#", "''"])


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_KEYS, _VALUES | st.none()), max_size=8))
def test_any_row_of_edits_does_what_it_says(file: Path, edits: list[tuple[str, str | None]]) -> None:
    file.write_text(TEXT)
    for key, text in edits:
        before = file.read_text()
        try:
            value = unset_value(file, key) if text is None else set_value(file, key, text)
        except ConfigError:
            assert file.read_text() == before
            continue
        found: object = tomllib.loads(file.read_text())
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        assert found == (None if text is None else value)
    assert file.read_text().startswith("# my settings\n")
