"""`coda models` through Typer: what goes to stdout, what to stderr, and with which exit code."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coda_cli.cli import models as command
from coda_cli.engine.core.errors import LLMProviderUnavailableError
from coda_cli.engine.providers.local import weights
from tests.servers.threaded import ThreadedServer, dead_port
from tests.servers.vendors import FakeVendor

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODA_HOME", str(tmp_path))
    monkeypatch.delenv("CODA_OFFLINE", raising=False)
    monkeypatch.delenv("CODA_CONFIG", raising=False)
    return tmp_path


@pytest.fixture
def run(home: Path) -> Run:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(command.app, list(arguments))

    return invoke


def _put(home: Path, name: str, content: bytes = b"GGUF1234") -> Path:
    path = home / "data" / "models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_list_marks_the_built_in_model_and_says_that_it_is_not_here(run: Run, home: Path) -> None:
    _put(home, "mine.gguf")
    result = run("list")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("* smollm2")
    assert "98 MB" in first
    assert "not downloaded" in first
    assert second.split() == ["mine.gguf", "8", "bytes", "gguf"]


def test_the_list_as_json_is_for_programs(run: Run, home: Path) -> None:
    path = _put(home, "mine.gguf")
    listed = json.loads(run("list", "--json").stdout)
    assert listed[0] == {
        "name": "smollm2",
        "path": str(weights.default_path()),
        "size": 98_362_432,
        "kind": "gguf",
        "default": True,
        "installed": False,
    }
    assert listed[1]["path"] == str(path)


def test_a_bare_listing_writes_nothing(run: Run, home: Path) -> None:
    run("list")
    assert list(home.iterdir()) == []


def test_remove_deletes_the_named_one_only(run: Run, home: Path) -> None:
    keep, gone = _put(home, "keep.gguf"), _put(home, "gone.gguf")
    result = run("remove", "gone.gguf")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "removed gone.gguf" in result.stderr
    assert keep.exists()
    assert not gone.exists()


@pytest.mark.parametrize("subcommand", ["remove", "path"])
def test_an_unknown_name_is_refused_with_the_nearest(run: Run, home: Path, subcommand: str) -> None:
    _put(home, "mine.gguf")
    result = run(subcommand, "mime.gguf")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "did you mean `mine.gguf`?" in result.stderr


def test_path_prints_where_a_model_lies(run: Run, home: Path) -> None:
    path = _put(home, "mine.gguf")
    assert run("path", "mine.gguf").stdout == f"{path}\n"
    assert run("path").stdout == f"{path.parent}\n"
    missing = run("path", "smollm2")
    assert missing.exit_code == 1
    assert "coda models pull smollm2" in missing.stderr


def test_pull_prints_the_path_on_stdout_and_its_progress_on_stderr(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(name: str, progress: Callable[[int, int], None], offline: bool) -> Path:
        for done in range(0, 101, 10):
            progress(done * 10**6, 10**8)
        return home / name

    monkeypatch.setattr(weights, "pull", pull)
    result = run("pull", "some")
    assert result.exit_code == 0
    assert result.stdout == f"{home / 'some'}\n"
    assert result.stderr == "fetching some (100 MB)\n"


@pytest.mark.parametrize("how", ["flag", "environment", "file"])
def test_offline_nothing_is_pulled(run: Run, home: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "environment":
        monkeypatch.setenv("CODA_OFFLINE", "1")
    if how == "file":
        (home / "config").mkdir()
        (home / "config" / "coda.toml").write_text("offline = true\n")
    result = run("pull", "smollm2", *(["--offline"] if how == "flag" else []))
    assert result.exit_code == 1
    assert "offline" in result.stderr


def test_a_failure_ends_with_its_hint_and_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(*_: object) -> Path:
        raise LLMProviderUnavailableError("no source has it \x1b[2J", hint="try later")

    monkeypatch.setattr(weights, "pull", pull)
    result = run("pull", "smollm2")
    assert result.exit_code == 1
    assert "\x1b" not in result.stderr
    assert result.stderr.endswith("hint: try later\n")


def test_ctrl_c_says_how_to_go_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def pull(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "pull", pull)
    result = run("pull", "smollm2")
    assert result.exit_code == 130
    assert "`coda models pull smollm2` goes on from here" in result.stderr


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_redrawn_and_removed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("CLICOLOR_FORCE", raising=False)
    clock = iter([0.0, 1.0, 1.05, 2.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    screen = _Terminal()
    bar = command.ProgressBar("fetching it", screen)
    for done in (0, 50, 55, 100):
        bar(done * 10**6, 10**8)
    bar.close()
    lines = screen.getvalue().split("\r")[1:]
    assert len(lines) == 4  # the third call came too soon after the second
    assert lines[1] == f"fetching it  {'━' * 12}{'─' * 12}  50 %  50 MB of 100 MB  50 MB/s  1 s left\x1b[K"
    assert "100 %" in lines[2]
    assert lines[3] == "\x1b[K"
    assert "\n" not in screen.getvalue()


def test_without_a_known_size_the_bytes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    command.ProgressBar("fetching it", screen)(3_000_000, 0)
    assert "3 MB" in screen.getvalue()


def test_a_bar_that_never_began_leaves_nothing() -> None:
    screen = _Terminal()
    command.ProgressBar("fetching it", screen).close()
    assert screen.getvalue() == ""


def test_a_model_of_an_ollama_is_pulled_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadedServer(FakeVendor("ollama")) as fake:
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        pulled = run("pull", "ollama/llama3.2")
        asked = [request.path for request in fake.server.requests]
    assert pulled.exit_code == 0
    assert pulled.stdout == ""
    assert asked == ["/api/pull"]
    assert "coda ask -m ollama/llama3.2" in pulled.stderr


def test_a_server_that_is_not_there_is_told_with_a_hint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{dead_port()}")
    pulled = run("pull", "ollama/llama3.2")
    assert pulled.exit_code == 1
    assert "hint:" in pulled.stderr
