"""`permissions.toml`: private, whole, shared by processes, and nothing is lost when it is bad."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from coda_cli import paths
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.engine.core.tools import Decision
from coda_cli.engine.tools.permissions import Permissions
from tests.unit.permission_calls import (
    ASK,
    COMMAND,
    NO,
    READ,
    RUN,
    WRITE,
    action,
    always,
    command,
    named,
    request,
    say,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "project"
    here.mkdir()
    return here


def test_the_file_is_private_and_holds_what_was_said(folder: Path) -> None:
    old = os.umask(0)
    try:
        always(Permissions(folder), "git status")
    finally:
        os.umask(old)
    file = paths.data_dir() / "permissions.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    text = file.read_text("utf-8")
    assert 'allow = "run_command git status"' in text
    assert f'folder = "{folder}"' in text
    assert "created = 2" in text
    assert [path.name for path in file.parent.iterdir() if path.suffix == ".tmp"] == []


def test_rules_are_listed_and_revoked_and_another_process_notices(folder: Path) -> None:
    here, there = Permissions(folder, allow=["get_time"]), Permissions(folder)
    always(here, "git status")
    asked = request(WRITE, named(WRITE, "a"))
    here.remember(asked, say(Decision.CHAT, asked), "chat")
    listed = here.rules()
    assert [rule.source for rule in listed] == ["settings", "file", "chat"]
    assert [rule.text for rule in listed] == ["get_time", "run_command git status", "write_file a"]
    assert listed[1].to_json()["created"] is not None
    assert action(there, COMMAND, command("git status")) == RUN
    assert here.revoke(listed[1])
    assert action(there, COMMAND, command("git status")) == ASK
    assert not here.revoke(listed[1])
    assert here.revoke(listed[2])
    assert action(here, WRITE, named(WRITE, "a")) == ASK
    with pytest.raises(UsageError, match=r"coda\.toml"):
        here.revoke(listed[0])


def test_the_same_answer_twice_is_one_rule(folder: Path) -> None:
    permissions = Permissions(folder)
    always(permissions, "git status")
    always(permissions, "git status")
    assert len(permissions.rules()) == 1


def test_rules_written_by_hand_count(folder: Path) -> None:
    file = paths.private_dir(paths.data_dir()) / "permissions.toml"
    file.write_text('[[rule]]\nallow = "run_command pytest -q *"\n[[rule]]\ndeny = "read_file notes.txt"\n')
    permissions = Permissions(folder)
    assert action(permissions, COMMAND, command("pytest -q a")) == RUN
    assert action(permissions, READ, named(READ, "notes.txt")) == NO
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    always(permissions, "git status")
    assert "pytest -q *" in file.read_text()


@pytest.mark.parametrize(
    "content",
    [
        b"not toml",
        b"\xff\xfe",
        b"rule = 3\n",
        b'[[rule]]\nallow = "get_time"\n[other]\n',
        b'allow = ["run_command"]\n',
        b"#" * (1024 * 1024 + 1),
        b"x = " + b"[" * 5000,
    ],
    ids=["text", "bytes", "number", "more", "list", "large", "deep"],
)
def test_a_bad_file_allows_nothing_is_told_and_kept_aside(folder: Path, content: bytes) -> None:
    file = paths.private_dir(paths.data_dir()) / "permissions.toml"
    file.write_bytes(content)
    permissions = Permissions(folder)
    assert action(permissions, COMMAND, command("git status")) == ASK
    assert len(permissions.problems) == 1
    assert "cannot be used" in permissions.problems[0]
    # What it may have denied is not known: the generous modes ask.
    assert action(permissions, COMMAND, command("git status"), "all") == ASK
    assert action(permissions, WRITE, named(WRITE, "a"), "accept-edits") == ASK
    assert file.read_bytes() == content
    always(permissions, "git status")
    assert action(permissions, COMMAND, command("git status")) == RUN
    assert (file.parent / "permissions.toml.bad-1").read_bytes() == content
    assert ["kept as permissions.toml.bad-1" in told for told in permissions.problems] == [True]
    file.write_bytes(content)
    always(Permissions(folder), "git diff")
    assert (file.parent / "permissions.toml.bad-2").read_bytes() == content


@pytest.mark.parametrize(
    "entry",
    [
        'allow = "a; b"',
        'allow = "run_command a; b"',
        'allow = "run_command git status"\ndeny = "get_time"',
        'allow = ["run_command git status"]',
        'folder = "/x"',
        'allow = "run_command git status"\nfolder = "relative"',
        'allow = "run_command git status"\nfolder = 3',
        'allow = "run_command git status"\nonly_on = "monday"',
    ],
)
def test_a_bad_rule_is_told_and_the_others_hold(folder: Path, entry: str) -> None:
    file = paths.private_dir(paths.data_dir()) / "permissions.toml"
    file.write_text(f'[[rule]]\n{entry}\n[[rule]]\nallow = "run_command ls"\n')
    permissions = Permissions(folder)
    assert len(permissions.problems) == 1
    assert "rule 1" in permissions.problems[0]
    assert action(permissions, COMMAND, command("git status")) == ASK
    assert action(permissions, COMMAND, command("ls")) == RUN
    always(permissions, "git diff")
    assert len(permissions.problems) == 1  # what is not understood is not lost


def test_a_file_that_others_may_write_counts_for_nothing(folder: Path) -> None:
    always(Permissions(folder), "git status")
    file = paths.data_dir() / "permissions.toml"
    file.chmod(0o666)
    permissions = Permissions(folder)
    assert action(permissions, COMMAND, command("git status")) == ASK
    assert "others may write it" in permissions.problems[0]


def test_what_is_no_file_counts_for_nothing_and_nothing_hangs(folder: Path) -> None:
    file = paths.private_dir(paths.data_dir()) / "permissions.toml"
    os.mkfifo(file)
    permissions = Permissions(folder)
    assert action(permissions, COMMAND, command("ls"), "all") == ASK
    assert "not a regular file" in permissions.problems[0]
    file.unlink()
    file.mkdir()
    assert action(permissions, COMMAND, command("ls"), "all") == ASK
    file.rmdir()
    assert action(permissions, COMMAND, command("ls"), "all") == RUN


def test_a_disk_that_refuses_is_told(folder: Path) -> None:
    blocked = folder / "file"
    blocked.write_text("")
    permissions = Permissions(folder, file=blocked / "permissions.toml")
    with pytest.raises(ConfigError, match="cannot write"):
        always(permissions, "git status")


def test_a_link_to_a_file_of_ones_own_stays_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles.toml").write_text("")
    (tmp_path / "dotfiles.toml").chmod(0o600)
    file = paths.private_dir(paths.data_dir()) / "permissions.toml"
    file.symlink_to(tmp_path / "dotfiles.toml")
    always(Permissions(folder), "git status")
    assert file.is_symlink()
    assert "git status" in (tmp_path / "dotfiles.toml").read_text()


def _answer(folder: str, number: int) -> None:
    permissions = Permissions(Path(folder))
    for i in range(5):
        always(permissions, f"tool {number} {i}")


def test_answers_of_many_processes_at_once_are_all_kept(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_answer, args=(str(folder), number)) for number in range(6)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 6
    kept = {rule.text for rule in Permissions(folder).rules()}
    assert kept == {f"run_command tool {a} {b}" for a, b in itertools.product(range(6), range(5))}
