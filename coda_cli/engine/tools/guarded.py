"""Names of files that run by themselves, or change what runs, when a person next uses the folder.

No list of them is complete. What a person runs by its name (`package.json`, `Makefile`, `conftest.py`, `setup.py`) is
not among them: that is what edits are accepted for, and `permissions` asks before a command that would run it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final


def _table(why: Mapping[str, str]) -> dict[str, str]:
    return {name: reason for reason, names in why.items() for name in names.split()}


_GIT: Final = "git runs what stands in its hooks and settings"
_SHELL: Final = "the shell runs it"
_LOGIN: Final = "it runs with the next login"
_EDITOR: Final = "an editor runs what stands there"
_AGENT: Final = "a program with tools takes commands and permissions from it"
_PUSH: Final = "it runs with the next push"
_KEYS: Final = "it holds keys"
_PYTHON: Final = "every Python runs it"
_PACKAGES: Final = "a package manager takes its settings from it"
_STARTED: Final = "it runs with the next start of its program"
_PROGRAMS: Final = "programs are started from there"

# All in small letters: compared without regard to case.
_NAMES: Final = _table(
    {
        _GIT: ".git .githooks .husky .gitconfig",
        "git fetches and runs by it": ".gitmodules",
        "git chooses programs by it": ".gitattributes",
        "it runs with the next commit": ".pre-commit-config.yaml .overcommit.yml lefthook.yml lefthook.yaml "
        "lefthook.toml lefthook.json .lefthook.yml .lefthook.yaml lefthook-local.yml .lefthook-local.yml",
        "Mercurial runs what stands in its hooks and settings": ".hg .hgrc",
        "Jujutsu chooses programs by it": ".jj",
        "Coda reads its settings and tools from there": ".coda",
        _EDITOR: ".vscode .idea .devcontainer .devcontainer.json .zed .run .vs .fleet .vim .vimrc .gvimrc .exrc .nexrc "
        ".nvimrc .nvim.lua .emacs .emacs.d .dir-locals.el .dir-locals-2.el",
        "it starts programs": ".mcp.json",
        _AGENT: ".claude .claude.json .cursor .gemini .codex .continue .windsurf .roo .aider.conf.yml",
        _SHELL: ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile "
        ".zlogin .zlogout .kshrc .mkshrc .cshrc .tcshrc .login .logout .inputrc .envrc .direnvrc",
        _LOGIN: ".xprofile .xinitrc .xsession .xsessionrc .pam_environment",
        "it decides who may log in": ".ssh",
        _KEYS: ".gnupg .netrc .pypirc",
        _PUSH: ".gitlab-ci.yml .circleci .travis.yml jenkinsfile azure-pipelines.yml .drone.yml .woodpecker "
        ".woodpecker.yml .buildkite",
        _PACKAGES: ".npmrc .yarnrc .yarnrc.yml .yarn .pnpmfile.cjs .bazelrc",
        "the shell takes programs and variables from it": "mise.toml .mise.toml mise.local.toml .mise.local.toml .mise",
        _STARTED: ".gdbinit .lldbinit .pdbrc .rprofile .renviron .irbrc .pryrc .ipython .jupyter .tmux.conf .screenrc",
        _PYTHON: "sitecustomize.py usercustomize.py",
    }
)
_IN: Final = _table(
    {
        _PUSH: ".github/workflows .github/actions",
        _GIT: ".config/git",
        _SHELL: ".config/fish .config/direnv .config/zsh .config/nushell",
        _LOGIN: ".config/autostart .config/systemd .config/environment.d library/launchagents library/launchdaemons",
        _EDITOR: ".config/nvim .config/vim .config/emacs .config/zed .config/code .config/vscodium .config/cursor",
        "the shell takes programs and variables from it": ".config/mise .config/mise.toml",
        _PACKAGES: ".cargo/config .cargo/config.toml",
        _PROGRAMS: ".local/bin .venv/bin venv/bin .venv/scripts venv/scripts node_modules/.bin",
    }
)
_ENDINGS: Final = {".pth": "every Python may run it", ".code-workspace": _EDITOR}


def runs_by_itself(parts: Sequence[str]) -> str | None:
    """Which of the *parts* of a path makes what stands there run by itself, and why; or None."""
    plain = [part.casefold().rstrip(". ") for part in parts]
    for i, part in enumerate(plain):
        if why := _NAMES.get(part) or _IN.get("/".join(plain[i : i + 2])):
            return f"{parts[i]}: {why}"
    for ending, why in _ENDINGS.items():
        if plain and plain[-1].endswith(ending):
            return f"{parts[-1]}: {why}"
    return None
