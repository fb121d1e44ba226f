"""A folder that somebody else has filled is only a place: nothing in it is run, read or obeyed before it is trusted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

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


def test_a_chat_says_in_one_line_that_there_is_something_and_opens_nothing_of_it(tmp_path: Path) -> None:
    with stage(tmp_path) as here:
        here.fill(EVERYTHING)
        trace = tmp_path / "trace"
        prefix = ("strace", "-f", "-y", "-s", "4096", "-o", str(trace), "-e", "execve,execveat,open,openat,openat2")
        chat = here.run("chat", "--plain", "-T", "all", stdin=b"hello\n/quit\n", prefix=prefix)
        assert chat.code == 0, chat.error
        assert chat.error.count("coda trust") == 1
        assert _opened(trace, here.folder) == []
        assert here.run("trust", "list", "--json").json == []


# What has been trusted too quickly: it may choose among what the person has, and nothing else.
TRUSTED = ("settings of its own", "a home of its own", "an environment", "rules and trust", "keys", "servers for tools")


@pytest.mark.parametrize("names", [(name,) for name in (*TRUSTED, *ALONE)] if LONG else [TRUSTED, ("very deep",)])
def test_trusted_too_quickly_it_adds_no_address_key_rule_or_mode(tmp_path: Path, names: tuple[str, ...]) -> None:
    with stage(tmp_path) as here:
        for name in names:
            here.fill(name)
        here.run("trust", "add", "--yes")
        ran = here.run("ask", "-T", "all", "hello")
        assert ran.code == 0, ran.error
        assert here.run("tools", "permissions", "list", "--json").json == []
        shown = here.run("config", "show", "--json").json
        assert "evil" not in shown["settings"]["providers"]
        assert shown["settings"]["function_calling"]["approval_mode"] == "ask"
        assert here.evil not in ran.text + str(shown)


def test_tools_of_a_trusted_folder_run_and_those_of_a_changed_one_do_not(tmp_path: Path) -> None:
    with stage(tmp_path) as here:
        tools = here.folder / ".coda" / "tools"
        tools.mkdir(parents=True)
        own = tools / "own.py"
        own.write_text('def own(text: str) -> str:\n    """Say it."""\n    return text.upper()\n')

        def listed() -> set[str]:
            return {row["name"] for row in here.run("tools", "list", "--json").json}

        assert "own" not in listed()
        assert here.run("trust", "add", "--yes").code == 0
        assert "own" in listed()
        assert here.run("tools", "test", "own", "text=hi").code != 0  # nobody to ask
        assert here.run("tools", "test", "own", "text=hi", "--approval-mode", "all").text == "HI\n"
        own.write_text(f"open({str(here.canary)!r}, 'w')\n" + own.read_text())
        assert "own" not in listed()
        assert here.run("tools", "test", "own", "text=hi", "--approval-mode", "all").code == 2
        here.run("ask", "-T", "all", "hello")


@pytest.mark.parametrize(("only", "told"), [("err", 1), ("out", 0)])
def test_ask_tells_of_it_at_a_terminal_only(tmp_path: Path, only: Literal["err", "out"], told: int) -> None:
    coda = Program(tmp_path)
    coda.scripted("An answer.")
    (tmp_path / ".coda" / "tools").mkdir(parents=True)
    with coda.terminal("ask", "hello", only=only, env={"HOME": "/nowhere"}) as terminal:
        assert terminal.end() == 0
    assert (terminal.raw + terminal.piped).count(b"coda trust") == told


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
