"""Whether git would run programs that a repository itself names.

`git status` looks harmless, and runs whatever `.git/config` calls a file system monitor; a hook or a filter runs with
other commands. That file comes with a folder that somebody else has packed (not with a clone).
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

_LARGEST: Final = 256 * 1024
# The keys of git-config(1) whose values are commands, wherever they stand in a line, and sections that bring in more.
_RUNS: Final = re.compile(
    r"\b(fsmonitor|pager|external|textconv|sshcommand|editor|askpass|hookspath|gitproxy|program|clean|smudge|process"
    r"|helper|driver|cmd|command|worktree|uploadpack|receivepack|vcs)\s*=|\[\s*(include|includeif|alias|pager|url)\b",
    re.IGNORECASE,
)


def runs_programs(folder: Path) -> str | None:
    """What in the repository around *folder* makes git run more than itself, or None. Follows no link."""
    for above in (folder, *folder.parents):
        git = above / ".git"
        if os.path.lexists(git):
            return _in(git) if git.is_dir() and not git.is_symlink() else "its .git is elsewhere"
        if os.path.lexists(above / "HEAD") and os.path.lexists(above / "objects"):
            return _in(above)  # git takes it for a bare repository
    return None


def _in(git: Path) -> str | None:
    for name in ("config", "config.worktree"):
        try:
            fd = os.open(git / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError:
            return f"its {name} cannot be read"
        try:
            text = os.read(fd, _LARGEST + 1) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        except OSError:
            text = None
        finally:
            os.close(fd)
        if text is None or len(text) > _LARGEST:
            return f"its {name} cannot be read"
        if found := _RUNS.search(text.decode("utf-8", "replace")):
            return f"its settings name a program ({found[1] or found[2]})"
    try:
        hooks = [hook.name for hook in (git / "hooks").iterdir() if not hook.name.endswith(".sample")]
    except (FileNotFoundError, NotADirectoryError):
        hooks = []
    except OSError:
        return "its hooks cannot be read"
    return f"it has hooks ({min(hooks)})" if hooks else None
