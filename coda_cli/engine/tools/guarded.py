"""Names of files that run by themselves, or change what runs, when a person next uses the folder.

No list of them is complete. What a person runs by its name (`package.json`, `Makefile`, `conftest.py`, `setup.py`) is
not among them: that is what edits are accepted for, and `permissions` asks before a command that would run it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
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


# -- those that stand in a working folder, for commands: at its top, where git, editors and shells look for them

# Of these folders commands write most: only what is named of them decides what runs. Patterns of `Path.glob`.
_IN_GIT: Final = ("hooks", "config", "config.worktree", "commondir", "info/attributes")
_WITHIN: Final = {
    ".git": (
        *_IN_GIT,
        "worktrees/*/config.worktree",
        *(f"modules/{module}/{name}" for module in ("*", "*/*") for name in _IN_GIT[:3]),
    ),
    ".hg": ("hgrc",),
    ".jj": ("repo/config.toml",),
}
_OF_COMMANDS: Final = frozenset(
    (_PUSH, _PACKAGES, _PROGRAMS, "git fetches and runs by it", "git chooses programs by it")
)
"""What commands write as a matter of course (`npm install`, `git merge`), and nothing runs on the quiet: only told."""
_FIRST: Final = frozenset(place.partition("/")[0] for place in _IN)
_MOST: Final = 1_000
_Stat = tuple[int, int, int, int, int]
_FOLDER: Final = (stat.S_IFDIR, 0, 0, 0, 0)


def kept_from_commands(folder: str) -> tuple[list[str], list[str]]:
    """What a command in *folder* must not write: first the folders around it, that it must not move away, then itself.

    A symlink cannot be kept, nor what is not there: those `snapshot` sees.
    """
    fixed = [path for place, why in _places(folder) if why not in _OF_COMMANDS for path in _deciding(place)]
    fixed = [path for path in fixed if not path.is_symlink()]
    pinned = {str(above) for path in fixed for above in path.parents if above.is_relative_to(folder)} - {folder}
    return sorted(pinned), list(map(str, fixed))


def snapshot(folder: str) -> dict[str, _Stat]:
    """The state of all that runs by itself at the top of *folder*, by its path there; of `_MOST` files of a place."""
    found: dict[str, _Stat] = {}
    for place, _ in _places(folder):
        if place.is_dir() and not place.is_symlink():
            found[os.path.relpath(place, folder)] = _FOLDER
        todo, left = _deciding(place), _MOST
        while todo and left:
            path = todo.pop()
            state = _lstat(path)
            if state is not None and stat.S_ISDIR(state[0]):
                with suppress(OSError):
                    todo += path.iterdir()
            elif state is not None:
                found[os.path.relpath(path, folder)] = state
                left -= 1
    return found


def changes(before: Mapping[str, _Stat], after: Mapping[str, _Stat]) -> list[str]:
    """What is new, changed or gone, by its path: where a whole place is new or gone, that place."""
    paths = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    return sorted(path for path in paths if not any(path.startswith(f"{other}/") for other in paths))


def _places(folder: str) -> Iterator[tuple[Path, str]]:
    """What stands at the top of *folder* and runs by itself, and why."""
    for name in _names(folder):
        place = Path(folder, name)
        if why := runs_by_itself([name]):
            yield place, why.partition(": ")[2]
        elif name.casefold() in _FIRST and not place.is_symlink():
            for below in _names(str(place)):
                if why := _IN.get(f"{name}/{below}".casefold()):
                    yield place / below, why


def _deciding(place: Path) -> list[Path]:
    """What of *place* decides what runs, as far as it is there."""
    within = _WITHIN.get(place.name.casefold())
    if within is None or place.is_symlink() or not place.is_dir():
        return [place]
    return [path for pattern in within for path in sorted(place.glob(pattern))]


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 -- of thousands only the names are wanted
    except OSError:
        return []


def _lstat(path: Path) -> _Stat | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return (found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
