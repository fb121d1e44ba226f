"""A rule for every folder does not let git run what a stranger's repository names."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from coda_cli.engine.core.tools import Decision
from coda_cli.engine.tools.permissions import Permissions
from coda_cli.engine.tools.repository import runs_programs
from tests.unit.permission_calls import ASK, COMMAND, RUN, action, command, request, say

PLAIN = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
[remote "origin"]
\turl = https://host/pager.git
\tfetch = +refs/heads/*:refs/remotes/origin/*
[branch "main"]
\tremote = origin
[user]
\tname = A B
"""
HOSTILE = (
    "[core]\n\tfsmonitor = touch x\n",
    "[core] fsmonitor=touch x\n",
    "[CORE]\n\tFSMonitor = touch x\n",
    "[core]\n\tpager = touch x\n",
    "[core]\n\tsshCommand = touch x\n",
    "[core]\n\thooksPath = x\n",
    "[diff]\n\texternal = touch x\n",
    '[diff "x"]\n\ttextconv = touch x\n',
    '[filter "x"]\n\tclean = touch x\n',
    '[merge "x"]\n\tdriver = touch x\n',
    "[alias]\n\tx = !touch x\n",
    "[include]\n\tpath = x\n",
    '[includeIf "gitdir:/"]\n\tpath = x\n',
    "[credential]\n\thelper = !touch x\n",
    "[gpg]\n\tprogram = touch x\n",
    "[pager]\n\tlog = touch x\n",
    "#" * 300_000,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project" / ".git" / "hooks").mkdir(parents=True)
    (tmp_path / "project" / ".git" / "config").write_text(PLAIN)
    (tmp_path / "project" / ".git" / "hooks" / "pre-commit.sample").write_text("")
    return tmp_path / "project"


def test_a_plain_repository_runs_nothing(folder: Path) -> None:
    assert runs_programs(folder) is None
    permissions = Permissions(folder, allow=["run_command git status", "run_command git log *"])
    assert action(permissions, COMMAND, command("git status")) == RUN
    assert action(permissions, COMMAND, command("git log HEAD")) == RUN


@pytest.mark.parametrize("config", HOSTILE, ids=range(len(HOSTILE)))
def test_settings_that_name_a_program_ask(folder: Path, config: str) -> None:
    (folder / ".git" / "config").write_text(PLAIN + config)
    permissions = Permissions(folder, allow=["run_command git status"])
    verdict = permissions.judge(COMMAND, command("git status"), "ask", "chat")
    assert verdict.action == ASK
    assert "programs of this repository" in verdict.why
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    assert action(Permissions(below, allow=["run_command git status"]), COMMAND, command("git status")) == ASK
    asked = request(COMMAND, command("git status"))
    permissions.remember(asked, say(Decision.ALWAYS, asked), "chat")
    assert action(Permissions(folder), COMMAND, command("git status")) == RUN  # said here, of this folder


def test_hooks_links_and_pipes_ask(folder: Path, tmp_path: Path) -> None:
    hook = folder / ".git" / "hooks" / "pre-commit"
    hook.write_text("")
    assert runs_programs(folder)
    hook.unlink()
    assert runs_programs(folder) is None
    config = folder / ".git" / "config"
    config.unlink()
    config.symlink_to("/dev/zero")
    assert runs_programs(folder)
    config.unlink()
    os.mkfifo(config)
    assert runs_programs(folder)
    config.unlink()
    config.mkdir()
    assert runs_programs(folder)
    config.rmdir()
    assert runs_programs(folder) is None
    (folder / ".git").rename(tmp_path / "elsewhere")
    (folder / ".git").symlink_to(tmp_path / "elsewhere")
    assert runs_programs(folder)
    (folder / ".git").unlink()
    (folder / ".git").write_text("gitdir: ../elsewhere\n")
    assert runs_programs(folder)
    (folder / ".git").unlink()
    assert runs_programs(folder) is None


def test_a_folder_that_poses_as_a_repository_is_one(tmp_path: Path) -> None:
    (tmp_path / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "objects").mkdir()
    (tmp_path / "config").write_text("[core]\n\tfsmonitor = touch x\n")
    assert runs_programs(tmp_path)


def test_git_itself_would_run_it(folder: Path, tmp_path: Path) -> None:
    """Why the question is asked: the most harmless of commands runs what the repository names."""
    git = shutil.which("git")
    assert git is not None
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    shutil.rmtree(folder / ".git")
    subprocess.run([git, "init", "-q", str(folder)], env=env, check=True)
    assert runs_programs(folder) is None
    canary = tmp_path / "canary"
    with (folder / ".git" / "config").open("a") as file:
        file.write(f"[core]\n\tfsmonitor = touch {canary}\n")
    subprocess.run([git, "status"], cwd=folder, env=env, check=False, capture_output=True)
    assert canary.exists()
    assert runs_programs(folder)
