"""One simple command with literal words, or a question: the table, and what real shells make of every yes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from coda_cli.engine.core.tools import Effect, ToolOutput, Touches
from coda_cli.engine.tools.base import BaseTool
from coda_cli.engine.tools.permissions import Permissions
from coda_cli.engine.tools.shell_programs import hands_over, plain_argument
from coda_cli.engine.tools.shell_words import literal_words, simple_argv

TABLE = Path(__file__).parents[1] / "data" / "shell_lines.jsonl"
ROWS: list[tuple[str, list[str] | None]] = [tuple(json.loads(line)) for line in TABLE.read_text("utf-8").splitlines()]
LISTED = (
    "git status",
    "git diff --stat HEAD",
    "git log --oneline -n 5",
    "git commit -m 'a message'",
    "git push -u origin main",
    "ls",
    "ls -la src",
    "ls 'a b'",
    "ls '$HOME'",
    "cat README.md",
    "grep -rn 'foo bar' src",
    "find . -name '*.py'",
    "sort a",
    "tar -xzf a.tgz",
    "python script.py",
    "pytest -q tests",
    "make test",
    "npm run build",
    "echo hello",
    "./build.sh",
)
LONG = 10 if os.environ.get("CODA_TEST_LONG") else 1


class Command(BaseTool):
    """Stands for `run_command`: the verdict needs its name and what it touches."""

    name = "run_command"
    touches = Touches.RUNS

    async def run(self, arguments: object, context: object) -> ToolOutput:
        raise AssertionError("judging runs nothing")


def verdict(permissions: Permissions, command: str) -> str:
    argv = simple_argv(command)
    effect = Effect(command, detail=command, rule=f"run_command {command}" if argv else None, argv=argv)
    return permissions.judge(Command(), effect, "ask", "chat").action


def test_the_table_is_large_and_has_both_kinds() -> None:
    assert len(ROWS) >= 500
    assert len({command for command, _ in ROWS}) == len(ROWS)
    assert sum(argv is None for _, argv in ROWS) >= 400
    assert sum(argv is not None for _, argv in ROWS) >= 100


def test_every_row_of_the_table() -> None:
    wrong = [(command, simple_argv(command)) for command, argv in ROWS if simple_argv(command) != _tuple(argv)]
    assert wrong == []


def test_only_the_listed_commands_run_without_a_question(tmp_path: Path) -> None:
    permissions = Permissions(tmp_path, allow=[f"run_command {command}" for command in LISTED])
    assert permissions.problems == []
    listed = {tuple(shlex.split(command)) for command in LISTED}
    assert len(listed) == 20
    seen: dict[str, int] = {"run": 0, "ask": 0, "refuse": 0}
    for command, argv in ROWS:
        action = verdict(permissions, command)
        assert (action == "run") == (argv is not None and tuple(argv) in listed), command
        seen[action] += 1
    assert seen["run"] >= len(LISTED)
    assert seen["refuse"] == 0


def test_whatever_is_put_around_a_listed_command_asks(tmp_path: Path) -> None:
    permissions = Permissions(tmp_path, allow=[f"run_command {command}" for command in LISTED])
    refused = [command for command, argv in ROWS if argv is None and command.strip()]
    for listed in LISTED:
        assert verdict(permissions, listed) == "run"
        for other in (
            ";id",
            "&&id",
            "|sh",
            "\nid",
            "\rid",
            " $(id)",
            " `id`",
            ">x",
            "<x",
            " *",
            " -x",
            " x",
            "&",
            "#",
            "\\",
        ):
            assert verdict(permissions, listed + other) == "ask", (listed, other)
        for before in ("X=1 ", "env ", "sudo ", "! ", "time ", "exec ", "command ", ". ", "{ ", "(", "$X", "\\\n"):
            assert verdict(permissions, before + listed) == "ask", (before, listed)
    for wide in ("run_command pytest -q *", "run_command ls *", "run_command cat *", "run_command git log *"):
        some = Permissions(tmp_path, allow=[wide])
        assert some.problems == []
        assert [command for command in refused if verdict(some, command) == "run"] == []


@pytest.mark.parametrize(
    "word",
    [
        "",
        "-x",
        "--output=a",
        "+x",
        "@x",
        "/etc/passwd",
        "../a",
        "a/../../b",
        "a=b",
        "https://a",
        "~",
        "%1",
        "a\\b",
        "a\nb",
    ],
)
def test_what_is_no_plain_argument(word: str) -> None:
    assert not plain_argument(word)


@pytest.mark.parametrize("word", ["a", "a/b.py", "tests/a.py::test_b", "HEAD:a", "a b", "日本", "1,5", "."])
def test_what_is_a_plain_argument(word: str) -> None:
    assert plain_argument(word)


@pytest.mark.parametrize(
    "pattern",
    [
        "run_command python *",
        "run_command python script.py *",
        "run_command sh *",
        "run_command env *",
        "run_command xargs *",
        "run_command find *",
        "run_command find . *",
        "run_command sudo *",
        "run_command ssh *",
        "run_command git *",
        "run_command git push *",
        "run_command git -c a=b status *",
        "run_command make *",
        "run_command npm *",
        "run_command tar *",
        "run_command rm *",
        "run_command a; *",
        "run_command *",
        "run_command ls | *",
        "run_command ls $X",
    ],
)
def test_a_rule_that_would_allow_too_much_is_passed_over_and_told(tmp_path: Path, pattern: str) -> None:
    permissions = Permissions(tmp_path, allow=[pattern])
    assert len(permissions.problems) == 1
    for command, _ in ROWS:
        assert verdict(permissions, command) == "ask"


def _tuple(argv: list[str] | None) -> tuple[str, ...] | None:
    return None if argv is None else tuple(argv)


SHELLS = [path for name in ("dash", "bash", "sh", "zsh", "ksh") if (path := shutil.which(name))]
BAD = st.sampled_from(
    [
        "'",
        '"',
        "\\",
        *"$`;&|<>(){}[]*?!#~=^\t\n\r\x00\x7f\x1b\xa0\u200b\u2028；",
        "{a,b}",
        "$HOME",
        "\\\n",
        "$(touch x)",
        "`touch x`",
        "&& touch x",
    ]
)
GOOD = st.sampled_from(
    [
        *"abA1é日%@+,.:/-_= ",
        "'a b'",
        '"a b"',
        "\\ ",
        " -x ",
        " if ",
        "'it'\\''s'",
        " '' ",
        '""',
        "\\$",
        "\\;",
        "\\'",
        "'\\'",
        '"\\$x"',
        '"\\\\"',
        "'$(touch x)'",
        '"a;b|c&d>e"',
        "'`touch x`'",
        "'~'",
        '"*"',
        "'{a,b}'",
        "'\u200a'",
        "'!'",
    ]
)
PIECES = st.one_of(GOOD, GOOD, GOOD, GOOD, GOOD, GOOD, BAD)


@given(st.lists(st.lists(PIECES, max_size=12).map("".join), min_size=8, max_size=8))
@settings(max_examples=25 * LONG, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(["a", "'a'\"b\"c\\ d", '"\\$\\`\\"\\\\"', "a=b", "''", "'\\'", "-- -x", "日本 'é à'"])
def test_real_shells_read_the_same_words_and_do_nothing_else(tails: list[str]) -> None:
    """`p` is the only program there: it prints its arguments. Whatever else a line did would show in the folder."""
    assert SHELLS
    with tempfile.TemporaryDirectory() as name:
        bin_folder, here = Path(name) / "bin", Path(name) / "here"
        bin_folder.mkdir()
        here.mkdir()
        printer = bin_folder / "p"
        printer.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
        printer.chmod(0o700)
        for tail in tails:
            command = f"p {tail}"
            argv = simple_argv(command)
            if argv is None:
                continue
            for shell in SHELLS:
                ran = subprocess.run(
                    [shell, "-c", command],
                    cwd=here,
                    env={"PATH": str(bin_folder), "LANG": "C.UTF-8"},
                    capture_output=True,
                    stdin=subprocess.DEVNULL,
                    check=False,
                )
                told = ran.stdout.decode("utf-8").split("\0")[:-1]
                # `printf` without an argument prints one empty one.
                assert (told or [""]) == (list(argv[1:]) or [""]), (shell, command)
                assert (ran.returncode, ran.stderr) == (0, b""), (shell, command)
                assert list(here.iterdir()) == [], (shell, command)


@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=8), max_size=5))
@settings(max_examples=100 * LONG, deadline=None)
def test_words_that_are_quoted_for_a_shell_come_back(words: list[str]) -> None:
    argv = ("p", *words)
    quoted = ("'" + word.replace("'", "'\\''") + "'" for word in words)
    assert simple_argv(" ".join(("p", *quoted))) == argv


@given(st.text(max_size=60))
@settings(max_examples=300 * LONG, deadline=None)
def test_no_text_breaks_the_parser_and_every_yes_is_what_the_standard_library_reads(command: str) -> None:
    words = literal_words(command)
    if words is not None:
        assert list(words) == shlex.split(command)
    argv = simple_argv(command)
    assert argv is None or (argv == words and not hands_over(argv))
