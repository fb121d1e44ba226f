"""A folder that somebody else has filled is only a place: nothing in it is run, read or obeyed before it is trusted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.hostile_folders import FOLDERS, NOTE
from tests.e2e.program import Program, Ran
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor

KEY = "sk-canary-4711"
# What the installed `coda` does: the folder of the program is searched for modules, not the working folder.
INSTALLED = ("-P", "-m", "coda_cli")
LONG = bool(os.environ.get("CODA_TEST_LONG"))
# These take names that others of the folders have: all the others fit into one.
ALONE = [name for name in FOLDERS if name.startswith(("a pipe", "pipes", "a link", "links", "huge", "very"))]
EVERYTHING = "all others"
STAGES = list(FOLDERS) if LONG else [EVERYTHING, *ALONE]


class Stage:
    """A program whose model answers at one address, a hostile folder, and a server that nobody should ever reach."""

    def __init__(self, tmp_path: Path, own: str, evil: str) -> None:
        self.coda = Program(tmp_path)
        self.coda.served_by(own)
        self.folder = tmp_path / "hostile"
        self.folder.mkdir()
        self.canary = tmp_path / "canary"
        self.evil = evil

    def fill(self, name: str) -> None:
        for each in [each for each in FOLDERS if each not in ALONE] if name == EVERYTHING else [name]:
            FOLDERS[each](self.folder, self.canary, self.evil)

    def run(self, *arguments: str, stdin: bytes | None = None, prefix: tuple[str, ...] = ()) -> Ran:
        env = {"OPENAI_API_KEY": KEY, "PYTHONDONTWRITEBYTECODE": "1"}
        return self.coda.run(*arguments, stdin=stdin, env=env, prefix=prefix, python=INSTALLED, cwd=self.folder)


@contextmanager
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Checks at its end that the model was asked as ever, and that nothing of the folder came to effect."""
    with ThreadedServer(FakeVendor("openai")) as own, ThreadedServer(FakeVendor("openai")) as evil:
        made = Stage(tmp_path, own.url, evil.url)
        yield made
        assert evil.server.connections == 0
        assert own.server.asked
        for request in own.server.requests:
            assert KEY not in str(request.headers)
            assert NOTE.encode() not in request.body
    assert not made.canary.exists(), made.canary.read_text()
    assert not list(made.folder.rglob("__pycache__"))


def test_there_are_more_than_thirty() -> None:
    assert len(FOLDERS) >= 30
    assert len(ALONE) < len(FOLDERS) / 2


@pytest.mark.parametrize("name", STAGES)
def test_a_question_is_answered_as_anywhere_else(tmp_path: Path, name: str) -> None:
    with stage(tmp_path) as here:
        here.fill(name)
        ran = here.run("ask", "-T", "all", "hello")
    assert ran.code == 0, ran.error
    assert ran.text.strip()
    assert ran.error == ""


def _opened(trace: Path, folder: Path) -> list[str]:
    """The lines of a trace in which a file below *folder* was opened or run, or something endless was."""
    inside = re.compile(re.escape(str(folder)) + r"/|/dev/zero")
    return [line for line in trace.read_text("utf-8", "replace").splitlines() if inside.search(line)]


@pytest.mark.parametrize("name", STAGES if LONG else [EVERYTHING, "links to what never ends"])
def test_the_kernel_saw_nothing_of_it_opened_or_run(tmp_path: Path, name: str) -> None:
    with stage(tmp_path) as here:
        here.fill(name)
        trace = tmp_path / "trace"
        calls = "execve,execveat,open,openat,openat2"
        ran = here.run(
            "ask", "-T", "all", "hello", prefix=("strace", "-f", "-y", "-s", "4096", "-o", str(trace), "-e", calls)
        )
        assert ran.code == 0
        assert "execve(" in trace.read_text("utf-8", "replace")
        assert _opened(trace, here.folder) == []


def test_the_trace_would_show_it(tmp_path: Path) -> None:
    with stage(tmp_path) as here:
        here.fill("settings beside")
        trace = tmp_path / "trace"
        prefix = ("strace", "-f", "-y", "-s", "4096", "-o", str(trace), "-e", "execve,openat")
        here.run("ask", "-f", "coda.toml.example", "what is this", prefix=prefix)
        assert _opened(trace, here.folder)


def test_all_of_it_at_once_through_every_command(tmp_path: Path) -> None:
    with stage(tmp_path) as here:
        shown = here.run("config", "show").text
        here.fill(EVERYTHING)
        assert here.run("config", "show").text == shown
        chat = here.run("chat", "--plain", "-T", "all", stdin=b"hello\n/tools\n/context\n/quit\n")
        assert chat.code == 0, chat.error
        for arguments in (
            "tools list",
            "tools permissions list",
            "doctor",
            "providers list",
            "history list",
            "templates list",
        ):
            ran = here.run(*arguments.split(), "--json")
            assert ran.code == 0, (arguments, ran.error)
            assert "evil" not in ran.text
            assert NOTE not in ran.text


def test_started_as_a_module_the_folder_is_not_searched_either(tmp_path: Path) -> None:
    """But for the few modules that Python itself needs to get as far as this program."""
    with stage(tmp_path) as here:
        for name in ("modules of others", "plugins", "tools", "Python's own start"):
            here.fill(name)
        for name in (
            "json",
            "asyncio",
            "sqlite3",
            "tomllib",
            "logging",
            "subprocess",
            "ssl",
            "http",
            "email",
            "random",
        ):
            (here.folder / f"{name}.py").write_text(f"open({str(here.canary)!r}, 'a').write({name!r})\n")
        ran = here.coda.run("ask", "-T", "all", "hello", cwd=here.folder, env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert ran.code == 0, ran.error
    assert ran.text.strip()
