"""What no tool writes unasked, and what no tool touches at all."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from coda_cli import paths
from coda_cli.engine.tools.permissions import Permissions
from coda_cli.engine.tools.protected import coda_owns, forbidden, protected
from coda_cli.engine.tools.rules import Rule
from tests.unit.permission_calls import (
    ASK,
    EDIT,
    MODES,
    NO,
    READ,
    RUN,
    WRITE,
    action,
    named,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "project"
    here.mkdir()
    return here


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit",
        ".git/config",
        ".GIT/config",
        ".git ./config",
        "sub/.git/hooks/x",
        ".git",
        ".githooks/pre-commit",
        ".husky/pre-commit",
        ".gitmodules",
        ".coda/coda.toml",
        ".coda/tools/x.py",
        ".vscode/tasks.json",
        ".github/workflows/ci.yml",
        ".envrc",
        ".bashrc",
        ".ssh/authorized_keys",
        ".mcp.json",
        "sitecustomize.py",
        "lib/evil.pth",
        "src/../.git/config",
    ],
)
def test_what_runs_by_itself_asks_though_edits_are_accepted(folder: Path, path: str) -> None:
    assert protected(path, folder)
    permissions = Permissions(folder, allow=["write_file", "write_file **"])
    for mode, expected in (("ask", ASK), ("read-only", NO), ("accept-edits", ASK), ("all", RUN)):
        assert action(permissions, WRITE, named(WRITE, path), mode) == expected, mode  # type: ignore[arg-type]
    assert action(permissions, READ, named(READ, path)) == RUN


RUN_BY_THEMSELVES = {
    "shell": ".bash_aliases .zlogout .inputrc .direnvrc .config/direnv/direnvrc .config/fish/config.fish",
    "login": ".xprofile .xinitrc .xsessionrc .pam_environment .config/environment.d/x.conf "
    "Library/LaunchAgents/x.plist",
    "programs": ".local/bin/git .venv/bin/python sub/.venv/bin/pip node_modules/.bin/eslint web/node_modules/.bin/tsc",
    "agents": ".claude/settings.json .cursor/mcp.json .gemini/settings.json .codex/config.toml",
    "editors": "my.code-workspace .zed/tasks.json .devcontainer.json .nvimrc .nvim.lua .vim/vimrc "
    ".config/nvim/init.lua .emacs .dir-locals.el .config/Code/User/tasks.json "
    ".run/x.xml .vs/launch.vs.json src/.dir-locals.el",
    "push": ".gitlab-ci.yml .circleci/config.yml .travis.yml Jenkinsfile azure-pipelines.yml "
    ".github/actions/x/action.yml",
    "started": "lefthook.yml .overcommit.yml mise.toml .cargo/config.toml .yarnrc.yml .yarn/releases/y.cjs .gdbinit "
    ".lldbinit .pdbrc .Rprofile .irbrc .ipython/profile_default/startup/x.py .hgrc .bazelrc",
}


ORDINARY = (
    "package.json Makefile conftest.py setup.py pyproject.toml Cargo.toml .cargo/x.rs yarn.lock config/code.py bin/run "
    "local/bin/x node_modules/x.js .venv.md vim.md library/x.py .github/CODEOWNERS .config/other/x src/Jenkinsfile.md"
)


@pytest.mark.parametrize("path", [path for line in RUN_BY_THEMSELVES.values() for path in line.split()])
def test_accepted_edits_do_not_reach_what_runs_by_itself(folder: Path, path: str) -> None:
    for spelled in (path, path.upper(), f"sub/../{path}"):
        effect = named(WRITE, spelled)
        assert action(Permissions(folder, allow=["write_file **"]), WRITE, effect, "accept-edits") == ASK, spelled
    exact = Permissions(folder, allow=[f"write_file {path}"])
    assert action(exact, WRITE, named(WRITE, path), "accept-edits") == RUN


@pytest.mark.parametrize(
    "path",
    ORDINARY.split(),
)
def test_accepted_edits_reach_the_files_of_a_project(folder: Path, path: str) -> None:
    assert action(Permissions(folder), WRITE, named(WRITE, path), "accept-edits") == RUN


@pytest.mark.parametrize("path", ["a.py", "src/git.py", ".gitignore", ".github/README.md", "docs/.hidden", "coda.toml"])
def test_ordinary_files_are_not_protected(folder: Path, path: str) -> None:
    assert protected(path, folder) is None


def test_a_link_into_a_protected_place_is_that_place(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / "innocent").symlink_to(folder / ".git")
    assert protected("innocent/config", folder)


def test_codas_own_folders_always_ask(folder: Path) -> None:
    paths.private_dir(paths.config_dir())
    paths.private_dir(paths.data_dir())
    for path in (paths.config_file(), paths.config_dir() / "tools" / "x.py", paths.data_dir() / "conversations" / "x"):
        assert coda_owns(path, folder)
        permissions = Permissions(
            paths.config_dir().parent, allow=["write_file", f"write_file {path}", "write_file **"]
        )
        for mode, expected in (("ask", ASK), ("read-only", NO), ("accept-edits", ASK), ("all", ASK)):
            verdict = permissions.judge(WRITE, named(WRITE, str(path)), mode, "chat")  # type: ignore[arg-type]
            assert verdict.action == expected
    (folder / "link").symlink_to(paths.config_dir())
    assert coda_owns("link/coda.toml", folder)
    assert coda_owns("project/a", folder) is None


def test_no_tool_touches_keys_and_permissions(folder: Path) -> None:
    keys = paths.private_dir(paths.config_dir()) / "keys.toml"
    keys.write_text("")
    rules = paths.private_dir(paths.data_dir()) / "permissions.toml"
    rules.write_text("")
    rules.chmod(0o600)
    (folder / "soft").symlink_to(keys)
    (folder / "hard").hardlink_to(keys)
    (folder / "loop").symlink_to("loop")
    home = paths.config_dir().parent
    names = (
        str(keys),
        str(rules),
        str(rules.with_name("trust.toml")),
        str(keys).upper(),
        str(keys.with_name(".keys.toml.lock")),
        str(keys.with_name(".keys.toml.99.tmp")),
        str(rules.with_name("permissions.toml.bad-1")),
        str(folder / "soft"),
        str(folder / "hard"),
        f"{folder}/../{home.relative_to(folder.parent)}/config/keys.toml",
    )
    for name in names:
        assert forbidden(name, folder), name
        for tool, mode in itertools.product((READ, WRITE, EDIT), MODES):
            permissions = Permissions(folder, allow=[tool.name, f"{tool.name} {name}"])
            assert action(permissions, tool, named(tool, name), mode) == NO, (name, tool.name, mode)
    inside = Permissions(home)
    assert action(inside, READ, named(READ, "config/keys.toml"), "all") == NO
    for name in ("loop", "a", "keys.toml", "config.toml"):
        assert forbidden(name, folder) is None


def test_a_reason_shows_what_hides(folder: Path) -> None:
    permissions = Permissions(folder, deny=["write_file a b"])
    why = permissions.judge(WRITE, named(WRITE, "x\u202e/.git/config\n"), "ask", "chat").why
    assert "\n" not in why
    assert "\u202e" not in why


def test_a_rule_is_plain_data(folder: Path) -> None:
    assert Rule("get_time").to_json() == {"allow": "get_time", "folder": None, "created": None, "source": "file"}
    assert Rule("get_time", allow=False, source="settings").to_json()["deny"] == "get_time"
