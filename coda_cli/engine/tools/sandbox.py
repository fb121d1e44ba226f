"""What holds a command in on this machine, found out once and said as it is.

Three ways, the first that works: namespaces of the kernel (with Landlock and seccomp on top), bubblewrap where a
distribution keeps namespaces for it, Landlock with seccomp alone. Elsewhere there is none, and the words say so.
What holds in every way that holds files: writing only below the working folder and in a temporary folder of the
command's own; secrets of this user (keys, Coda's own folders) are not readable; no other process's environment or
memory; no way to the network or to a local daemon's socket. Where there are mounts (namespaces, bubblewrap) what runs
by itself in the working folder cannot be written either (see `guarded`); Landlock alone cannot deny below what it
allows, so there it is only told. What does not hold: reading the rest of the system, and how much memory and disk all
of a command's processes take together.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from coda_cli import paths

Kind = Literal["namespaces", "bubblewrap", "landlock", "none"]
Killing = Literal["namespace", "sweep", "group"]

_SECRET: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH", "COOKIE", "PRIVATE")
_KEPT: Final = """
    PATH HOME LANG LANGUAGE TZ USER LOGNAME SHELL COLUMNS LINES VIRTUAL_ENV CONDA_PREFIX PYENV_ROOT JAVA_HOME GOPATH
    GOROOT CARGO_HOME RUSTUP_HOME NVM_DIR NODE_PATH LD_LIBRARY_PATH PKG_CONFIG_PATH MANPATH XDG_DATA_DIRS
    NIX_PATH NIX_PROFILES SSL_CERT_FILE SSL_CERT_DIR DEVELOPER_DIR SDKROOT
    LC_ALL LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME
""".split()  # noqa: SIM905 -- a list of words, not of quotation marks
_SECRET_PLACES: Final = """
    .ssh .gnupg .aws .azure .kube .docker .netrc .git-credentials .pypirc .npmrc .yarnrc.yml .password-store .pgpass
    .my.cnf .vault-token .terraform.d .config/gcloud .config/gh .config/hub .config/git/credentials .config/op
    .config/rclone .config/google-chrome .config/chromium .mozilla .thunderbird .local/share/keyrings
    .cargo/credentials .cargo/credentials.toml .gem/credentials .huggingface/token .cache/huggingface/token
    .cache/huggingface/stored_tokens .claude.json .codex .bash_history .zsh_history .python_history .env
    Library/Keychains
""".split()  # noqa: SIM905 -- a list of words, not of quotation marks


class Confinement(Struct, frozen=True):
    """What is in force for a command. `words` say it to a person.

    `files`: it writes only below its folder. `network`: it reaches no network. `environments`: it cannot read those
    of other processes, Coda's own with its keys included. `killing`: how all that it started is found at its end.
    """

    kind: Kind
    files: bool
    network: bool
    environments: bool
    killing: Killing
    words: str


_NONE: Final = "not a sandbox: it can read, change and send whatever you can"


def _confinement(kind: Kind, killing: Killing, by: str) -> Confinement:
    if kind == "none":
        return Confinement("none", False, False, False, killing, _NONE)
    return Confinement(kind, True, True, True, killing, f"confined to the folder and off the network ({by})")


@functools.cache
def confinement() -> Confinement:
    """What is in force for commands here. The first call tries it in a child (some 50 ms): call it in a thread."""
    if sys.platform != "linux":
        return _confinement("none", "group", "")
    from coda_cli.engine.tools import kernel

    landlock = kernel.landlock_abi() >= kernel.LANDLOCK_FILES
    filtered = kernel.can_filter()
    if filtered and _works("namespaces"):
        return _confinement("namespaces", "namespace", "namespaces and Landlock" if landlock else "namespaces")
    if filtered and bubblewrap() and _works("bubblewrap"):
        return _confinement("bubblewrap", "sweep", "bubblewrap")
    if landlock and filtered and _works("landlock"):
        return _confinement("landlock", "sweep", "Landlock")
    return _confinement("none", "sweep", "")


def folder_confinement(folder: Path | None, network: bool = False) -> Confinement:
    """`confinement()` for a command of *folder* that asks for the *network*: what a person is told before it runs.

    Without a folder it writes nowhere but into a temporary one of its own.
    """
    found = confinement()
    if found.kind == "none":
        return found
    if folder is not None and Path(os.path.realpath(folder)) == Path("/"):
        words = "not confined: the working folder is all of the system"
        return Confinement(found.kind, False, found.network and not network, found.environments, found.killing, words)
    by = found.words.rpartition("(")[2].rstrip(")")
    where = "confined to the folder" if folder is not None else "confined to a temporary folder"
    words = f"{where}, not off the network ({by})" if network else f"{where} and off the network ({by})"
    return Confinement(found.kind, True, not network, found.environments, found.killing, words)


def _works(kind: Kind) -> bool:
    """Whether a command can really be held in this way: it is tried."""
    from coda_cli.engine.tools.child import trial

    return trial(kind)


def bubblewrap() -> str:
    """The path of bubblewrap; "" where it is not installed."""
    return shutil.which("bwrap", path=os.environ.get("PATH", os.defpath)) or ""


def hidden() -> list[str]:
    """Places with secrets of this user, as real paths: what is there a confined command cannot read."""
    home = Path.home()
    places = [home / name for name in _SECRET_PLACES]
    places += [paths.config_dir(), paths.data_dir(), paths.cache_dir(), paths.config_file()]
    places.append(Path(f"/run/user/{os.getuid()}"))
    return sorted({os.path.realpath(place) for place in places if place.exists()})


def programs_in_tmp(folder: str) -> list[str]:
    """This Python's own folders where they are below /tmp, which a confined command has another of; real paths."""
    found = {os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)}
    real = os.path.realpath("/tmp")  # noqa: S108
    inside = [Path(path) for path in found if Path(path).is_relative_to(real)]
    # the working folder is there anyway, and one that holds it would be bound over it
    return sorted(str(path) for path in inside if not folder or not Path(folder).is_relative_to(path))


def clean_environment(scratch: str, source: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command gets of the environment: an allow-list, and of that nothing that is named like a secret."""
    given = os.environ if source is None else source
    kept = {
        name: value
        for name, value in given.items()
        if name in _KEPT and not any(word in name.upper() for word in _SECRET)
    }
    # A place that is not absolute is in the working folder, where somebody else may have put a `git`.
    path = [place for place in kept.get("PATH", "").split(os.pathsep) if place.startswith("/")]
    kept["PATH"] = os.pathsep.join(path) or os.defpath
    own = {"TERM": "dumb", "NO_COLOR": "1", "PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0"}
    return {**kept, **own, "TMPDIR": scratch, "GOCACHE": f"{scratch}/go-build"}


def bubblewrap_argv(
    folder: str,
    scratch: str,
    cwd: str,
    network: bool,
    secrets: list[str],
    filter_fd: int,
    kept: tuple[list[str], list[str]] = ([], []),
) -> list[str]:
    """The words before a command that let bubblewrap hold it in. *kept*: see `guarded.kept_from_commands`."""
    argv = [bubblewrap(), "--die-with-parent", "--unshare-user-try", "--unshare-pid", "--unshare-ipc"]
    argv += [] if network else ["--unshare-net"]
    argv += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/dev/shm"]  # noqa: S108
    for path in secrets:
        argv += ["--tmpfs", path] if Path(path).is_dir() else ["--ro-bind", "/dev/null", path]
    if folder != "/tmp":  # noqa: S108
        argv += ["--bind", scratch, "/tmp"]  # noqa: S108
        for path in programs_in_tmp(folder):
            argv += ["--ro-bind-try", path, path]
    if folder:
        argv += ["--bind", folder, folder]
        for path in kept[0]:
            argv += ["--bind-try", path, path]
        for path in kept[1]:
            argv += ["--ro-bind-try", path, path]
    return [*argv, "--chdir", cwd, "--cap-drop", "ALL", "--seccomp", str(filter_fd), "--"]


def describe(found: Confinement | None = None) -> dict[str, str | bool]:
    """`confinement()` as plain data, for `coda doctor` and `--json`."""
    found = found or confinement()
    return {
        "kind": found.kind,
        "files": found.files,
        "network": found.network,
        "environments": found.environments,
        "killing": found.killing,
        "words": found.words,
    }


__all__ = ["Confinement", "bubblewrap", "clean_environment", "confinement", "describe", "folder_confinement", "hidden"]
