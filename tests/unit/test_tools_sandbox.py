"""What holds a command in really holds it, says so honestly, and lets ordinary work through (FAULTS 47)."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coda_cli import paths
from coda_cli.engine.tools import sandbox
from coda_cli.engine.tools.child import ChildResult, Command, run_child, shell_line
from coda_cli.engine.tools.guarded import kept_from_commands, snapshot
from tests.unit.held import HOLDING, KINDS, common_user, hold

PYTHON = shlex.quote(sys.executable)
CANARIES = {
    "OPENAI_API_KEY": "canary-openai",
    "ANTHROPIC_API_KEY": "canary-anthropic",
    "HF_TOKEN": "canary-hf",
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
    "DB_PASSWORD": "canary-db",
    "MY_CREDENTIALS": "canary-credentials",
    "LC_SECRET": "canary-locale",
    "lc_token": "canary-small",
    "DATABASE_URL": "postgres://me:canary-url@host/db",
    "SSH_AUTH_SOCK": "/tmp/canary-agent",
    "PIP_INDEX_URL": "https://canary-index@host/simple",
    "XDG_RUNTIME_DIR": "/run/user/canary",
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> sandbox.Kind:
    found: sandbox.Kind = request.param
    hold(monkeypatch, found)
    return found


@pytest.fixture(params=HOLDING or ["none"])
def holding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> sandbox.Kind:
    """A way that holds. Where the machine has none, the claims of "none" are what is tested."""
    found: sandbox.Kind = request.param
    hold(monkeypatch, found)
    return found


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the system, not below /tmp: that is a private one where there are namespaces."""
    with tempfile.TemporaryDirectory(prefix="coda-test-", dir="/var/tmp") as name:
        monkeypatch.setenv("CODA_HOME", f"{name}/coda")
        yield Path(name)


@pytest.fixture
def folder(base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder beside a home that has secrets."""
    home = base / "home"
    for name in (".ssh", ".aws", "work", ".config"):
        home.joinpath(name).mkdir(parents=True)
    home.joinpath(".ssh/id_ed25519").write_text("canary-ssh", "ascii")
    home.joinpath(".netrc").write_text("canary-netrc", "ascii")
    home.joinpath("notes.txt").write_text("plain", "ascii")
    keys = paths.config_dir()
    keys.mkdir(parents=True)
    keys.joinpath("keys").write_text("canary-keys", "ascii")
    monkeypatch.setenv("HOME", str(home))
    return home / "work"


async def sh(line: str, folder: Path, network: bool = False) -> ChildResult:
    return await run_child(Command(shell_line(line), folder, timeout=30.0, network=network))


# -- files


async def test_it_writes_in_its_folder_and_a_temporary_one_and_nowhere_else(
    holding: sandbox.Kind, folder: Path, base: Path
) -> None:
    outside = base / "outside"
    outside.mkdir()
    outside.joinpath("old").write_text("old", "ascii")
    folder.joinpath("link").symlink_to(outside)
    result = await sh(
        f"""
        try() {{ "$@" 2>/dev/null && echo "$*"; }}
        try touch {outside}/new; try cp /etc/hosts {outside}/copied; try rm {outside}/old; try mkdir link/sub
        try ln {outside}/old hard; try mv {outside}/old moved; try truncate -s 0 {outside}/old
        try sh -c "echo x >{outside}/old"; try sh -c "echo x >>link/old"; try touch "$HOME/.bashrc"
        try sh -c 'echo x >/dev/shm/coda-test && test -e /dev/shm/none'; try ln -s /etc {outside}/etc
        echo inside >a && mkdir d && mv a d/b && cat d/b && rm -r d
        echo tmp >"$TMPDIR/t" && cat "$TMPDIR/t" && mktemp >/dev/null && echo mktemp
        """,
        folder,
    )
    assert result.output.split() == ["inside", "tmp", "mktemp"], result.output
    assert outside.joinpath("old").read_text("ascii") == "old"
    assert [path.name for path in outside.iterdir()] == ["old"]


async def test_attributes_outside_stay_where_mounts_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in {"namespaces", "bubblewrap"} & set(HOLDING):
        hold(monkeypatch, kind)  # type: ignore[arg-type]  # the names are those of the set
        notes = folder.parent / "notes.txt"
        before = notes.stat()
        result = await sh(f"chmod 777 {notes}; touch -d 2001-01-01 {notes}; chmod 700 . && echo own", folder)
        assert result.output.endswith("own\n")
        after = notes.stat()
        assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


ATTACK = """
try() { sh -c "$1" 2>/dev/null && echo "$1"; }
try 'echo x >.git/hooks/pre-commit'; try 'mv .git/hooks h'; try 'rm -rf .git/hooks/*.sample'; try 'mv .git g'
try 'echo x >>.git/config'; try 'mv .git/config c'; try 'cp a .git/config'; try 'ln -f a .git/config'
try 'git config core.hooksPath .'; try 'echo x >.envrc'; try 'rm .envrc'; try 'mv a .envrc'; try 'chmod +x .envrc'
try 'echo x >.vscode/tasks.json'; try 'touch .vscode/new'; try 'mv .vscode v'; try 'echo x >.coda/coda.toml'
try 'umount .vscode'; try 'mount -o remount,rw .vscode'; try 'unshare -Urm umount .vscode'
try 'echo x >.claude/settings.json'; try 'echo x >.config/fish/config.fish'
try 'echo x >>.git/modules/libs/foo/config'; try 'mv .git/modules m'; try 'mv .git/modules/libs m'
try 'mv .config old && mkdir -p .config/fish'
"""
USE = """
set -e; echo one >a; git add a; git commit -qm one; echo two >a; git commit -qam two; git status; git stash list
git checkout -qb other; git rm -q a; git commit -qm gone; git checkout -q -; git merge -q other; git tag t; git gc -q
git worktree add -q w; mkdir sub; echo x >.gitignore; echo x >package.json; git log --oneline | wc -l
"""


def _project(folder: Path) -> None:
    git = ["git", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q", str(folder)], check=True)
    for key, value in (("user.name", "a"), ("user.email", "a@b"), ("commit.gpgsign", "false")):
        subprocess.run(["git", "-C", str(folder), "config", key, value], check=True)
    for name in (
        ".envrc",
        ".vscode/tasks.json",
        ".coda/coda.toml",
        ".claude/settings.json",
        ".config/fish/config.fish",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("own", "ascii")
    folder.joinpath("a").write_text("a", "ascii")
    folder.joinpath(".idea").symlink_to("nowhere")


async def test_what_runs_by_itself_is_read_only_to_a_command_where_mounts_hold(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all that git does with a repository still works."""
    _project(folder)
    before = snapshot(str(folder))
    for kind in {"namespaces", "bubblewrap"} & set(HOLDING):
        hold(monkeypatch, kind)  # type: ignore[arg-type]  # the names are those of the set
        result = await sh(ATTACK, folder)
        assert result.output == ""
        assert snapshot(str(folder)) == before
        used = folder.with_name(f"used-{kind}")
        _project(used)
        result = await sh(USE, used)
        assert (result.code, result.output.split()[-1]) == (0, "3"), result.output


async def test_a_project_below_tmp_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in {"namespaces", "bubblewrap"} & set(HOLDING):
        hold(monkeypatch, kind)  # type: ignore[arg-type]  # the names are those of the set
        with tempfile.TemporaryDirectory(dir="/tmp") as name:
            _project(Path(name))
            result = await sh("echo x >.git/hooks/pre-commit; rm -f .envrc; git add a && git commit -qm x", Path(name))
            assert result.code == 0, result.output
            assert not _exists(Path(name, ".git/hooks/pre-commit"))
            assert _exists(Path(name, ".envrc"))


def test_bubblewrap_gets_what_is_read_only_last(folder: Path) -> None:
    _project(folder)
    kept = kept_from_commands(str(folder))
    argv = sandbox.bubblewrap_argv(str(folder), "/scratch", str(folder), False, [], 3, kept)
    words = " ".join(argv)
    pinned, hooks = f"--bind-try {folder}/.git {folder}/.git", f"--ro-bind-try {folder}/.git/hooks {folder}/.git/hooks"
    assert words.index(f"--bind {folder} {folder}") < words.index(pinned) < words.index(hooks)


async def test_secrets_of_the_user_cannot_be_read_and_the_rest_can(holding: sandbox.Kind, folder: Path) -> None:
    home = folder.parent
    result = await sh(
        f"cat {home}/.ssh/* {home}/.netrc {paths.config_dir()}/* {paths.config_dir()}/keys; cat {home}/notes.txt",
        folder,
    )
    assert "canary" not in result.output
    assert result.output.endswith("plain")
    assert result.code == 0


async def test_devices_and_terminals_are_out_of_reach(holding: sandbox.Kind, folder: Path) -> None:
    parent, terminal = os.openpty()
    try:
        name = os.ttyname(terminal)
        result = await sh(f"echo x >{name} && echo typed; head -c 1 </dev/urandom | wc -c; echo x >/dev/null", folder)
        assert "typed" not in result.output
        assert "1\n" in result.output
        assert result.code == 0
    finally:
        os.close(parent)
        os.close(terminal)


# -- the environment


def _program(kind: sandbox.Kind, folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A program of its own that has the canaries in its environment from its first moment, and runs *line*."""
    code = f"""
import asyncio, json, sys
from pathlib import Path
from coda_cli.engine.tools import sandbox
from coda_cli.engine.tools.child import Command, run_child, shell_line
found = sandbox._confinement({kind!r}, "sweep", "")
sandbox.confinement = lambda: found
result = asyncio.run(run_child(Command(shell_line(sys.argv[1]), Path({str(folder)!r}))))
print(json.dumps([result.output, found.environments]))
"""
    return subprocess.run(
        [sys.executable, "-c", code, line], env=os.environ | CANARIES, capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize("every", KINDS)
def test_no_secret_is_in_the_environment(every: sandbox.Kind, folder: Path) -> None:
    line = f"env; export -p; cat /proc/self/environ; {PYTHON} -c 'import os; print(os.environ)'"
    output, _ = json.loads(_program(every, folder, line).stdout)
    assert "PATH=" in output
    assert "canary" not in output


@pytest.mark.parametrize("every", KINDS)
def test_other_environments_are_closed_where_that_is_said(every: sandbox.Kind, folder: Path) -> None:
    line = (
        "cat /proc/[0-9]*/environ /proc/$PPID/environ /proc/$PPID/cmdline 2>/dev/null; cat /proc/*/task/*/environ; true"
    )
    output, closed = json.loads(_program(every, folder, line).stdout)
    assert closed == (every != "none")
    assert not (closed and "canary" in output)


def test_the_clean_environment_is_an_allow_list() -> None:
    given = {
        **CANARIES,
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "LANG": "C",
        "EDITOR": "vi",
        "LD_PRELOAD": "/x",
        "BASH_ENV": "x",
    }
    clean = sandbox.clean_environment("/scratch", given)
    assert clean["PATH"] == "/bin"
    assert (clean["LC_ALL"], clean["LANG"], clean["TERM"], clean["TMPDIR"]) == ("C.UTF-8", "C", "dumb", "/scratch")
    assert not {"EDITOR", "LD_PRELOAD", "BASH_ENV", *CANARIES} & set(clean)
    assert "canary" not in str(clean)


# -- the network and other processes


_CONNECT = """
import socket, sys
for family, where in ((socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), (socket.AF_UNIX, sys.argv[2]),
                      (socket.AF_UNIX, "\\0" + sys.argv[3]), (socket.AF_INET, ("192.0.2.1", 80))):
    try:
        with socket.socket(family) as plug:
            plug.settimeout(1)
            plug.connect(where)
        print("connected", where)
    except OSError:
        print("closed")
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(sys.argv[4])))
except OSError:
    pass
"""


async def test_nothing_outside_can_be_reached(holding: sandbox.Kind, folder: Path) -> None:
    folder.joinpath("connect.py").write_text(_CONNECT, "ascii")
    tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    named, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    with tcp, udp, named, abstract:
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        named.bind(str(folder / "s"))
        abstract.bind(f"\0coda-test-{os.getpid()}")
        for plug in (named, abstract):
            plug.listen()
        ports = tcp.getsockname()[1], f"{folder}/s", f"coda-test-{os.getpid()}", udp.getsockname()[1]
        result = await sh(f"{PYTHON} connect.py {' '.join(map(str, ports))}", folder)
        assert result.output.split() == ["closed"] * 4, result.output
        with pytest.raises(BlockingIOError):
            udp.recv(10)


async def test_with_the_network_it_reaches_what_it_asked_for_and_the_files_stay_held(
    holding: sandbox.Kind, folder: Path
) -> None:
    folder.joinpath("connect.py").write_text(_CONNECT, "ascii")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as named:
        named.bind(str(folder / "s"))
        named.listen()
        port = tcp.getsockname()[1]
        result = await sh(f"{PYTHON} connect.py {port} {folder}/s none {port}; touch {folder.parent}/x", folder, True)
    words = [line.split()[0] for line in result.output.splitlines()]
    assert words[:3] == ["connected", "closed", "closed"]  # no local daemon acts for it
    assert not folder.parent.joinpath("x").exists()
    assert result.code != 0


async def test_other_processes_cannot_be_signalled_or_traced(holding: sandbox.Kind, folder: Path) -> None:
    me = os.getpid()
    result = await sh(
        f"kill -0 {me} && echo reached; cat /proc/{me}/maps | head -1; readlink /proc/{me}/fd/0 && echo seen", folder
    )
    assert "reached" not in result.output or _lacks_scopes(holding)
    assert "seen" not in result.output


def _lacks_scopes(kind: sandbox.Kind) -> bool:
    from coda_cli.engine.tools import kernel

    return kind == "landlock" and kernel.landlock_abi() < 6


async def test_a_command_cannot_take_off_what_holds_it(holding: sandbox.Kind, folder: Path) -> None:
    line = "unshare -Urm sh -c 'umount /proc; mount -o remount,rw /; mount -t tmpfs x /mnt && echo mounted'"
    result = await sh(
        f"{line}; umount -l /proc; mount -o remount,rw /; touch {folder.parent}/x && echo out; "
        f"cat {folder.parent}/.netrc",
        folder,
    )
    assert "out\n" not in result.output
    assert "canary" not in result.output
    assert not folder.parent.joinpath("x").exists()


# -- work


TEST_FILE = "import unittest\nclass T(unittest.TestCase):\n    def test(self): open('made', 'w').close()\n"
MAKEFILE = "m: m.c\n\tcc -o m m.c\n"
WORK = {
    "git": "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git status",
    "ls": "ls -la / /usr >/dev/null && ls -a",
    "unittest": "PY -m unittest -v test_it 2>&1 && ls made",
    "make": "echo 'int main(void) { return 0; }' >m.c; make && ./m && echo ok",
    "pipes": "seq 1 1000 | sort -rn | head -1 | tee out && cat out",
    "processes": "PY -c 'import multiprocessing as m; print(m.Pool(2).map(abs, [-1, 2]))'",
}


@pytest.mark.parametrize("every", KINDS)
async def test_ordinary_work_gets_through(every: sandbox.Kind, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mount namespace there is no /dev/shm of its own, which the locks between processes need."""
    hold(monkeypatch, every)
    folder.joinpath("test_it.py").write_text(TEST_FILE, "ascii")
    folder.joinpath("Makefile").write_text(MAKEFILE, "ascii")
    works = WORK if every != "landlock" else {name: line for name, line in WORK.items() if name != "processes"}
    for name, line in works.items():
        result = await sh(line.replace("PY", PYTHON), folder)
        assert result.code == 0, f"{name}: {result.output}"
        assert result.output.strip(), name


async def test_a_loopback_of_its_own_works_where_the_network_is_a_namespace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import socket as s; o = s.create_server(('127.0.0.1', 0)); s.create_connection(o.getsockname()); print('met')"
    )
    for kind in {"namespaces", "bubblewrap"} & set(HOLDING):
        hold(monkeypatch, kind)  # type: ignore[arg-type]  # the names are those of the set
        result = await sh(f"{PYTHON} -c {shlex.quote(code)}", folder)
        assert result.output == "met\n"


async def test_a_folder_below_tmp_and_one_elsewhere_both_work(
    kind: sandbox.Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for base in ("/tmp", "/var/tmp"):
        with tempfile.TemporaryDirectory(dir=base) as name:
            result = await sh("pwd; echo x >x; ls; cat x", Path(name))
            assert result.output.split() == [name, "x", "x"]
            assert _exists(Path(name, "x"))


def _exists(path: Path) -> bool:
    return path.exists()


async def test_a_common_user_is_held_in_too(holding: sandbox.Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    with common_user(monkeypatch) as folder:
        result = await sh("id -u; echo x >x && cat x; touch /var/tmp/coda-common && echo out; true", folder)
    assert result.output.split()[0] != "0"
    assert "out" not in result.output.split()
    assert result.output.split()[1] == "x"


# -- what is said


async def test_the_words_are_those_of_what_is_in_force(kind: sandbox.Kind, folder: Path) -> None:
    found = await asyncio.to_thread(sandbox.folder_confinement, folder)
    if kind == "none":
        assert "not a sandbox" in found.words
        assert not (found.files)
        assert not (found.network)
        assert not (found.environments)
    else:
        assert found.words == f"confined to the folder and off the network ({kind})"
        assert found.files
        assert found.network
        assert sandbox.folder_confinement(folder, network=True).words.startswith("confined to the folder, not off")
        assert not sandbox.folder_confinement(folder, network=True).network
        assert not sandbox.folder_confinement(Path("/")).files
    assert sandbox.describe(found)["words"] == found.words


def test_what_is_found_here_has_been_tried() -> None:
    found = sandbox.confinement()
    assert found.kind == next(iter(KINDS))
    assert found is sandbox.confinement()


_DARWIN = """
import asyncio, pathlib, platformdirs, subprocess, sys, sysconfig, tempfile
sysconfig.get_config_vars()  # Python's own knowledge of this platform
import coda_cli.engine.tools.base
sys.platform = "darwin"
from coda_cli.engine.tools import child, sandbox
from coda_cli.engine.tools.builtin import run_command, run_python
print(sandbox.confinement().words, sandbox.confinement().killing, "coda_cli.engine.tools.kernel" in sys.modules)
launch = child.supervisor_argv()
launch[4] = launch[4].replace("main()", "import sys; sys.platform = 'darwin'; processes.tasks = list; main()").replace(
    "from coda_cli", "from coda_cli.engine.tools import processes; from coda_cli")
child.supervisor_argv = lambda: launch
command = child.Command(["sh", "-c", "sleep 30 & echo hi; sleep 30"], pathlib.Path("/"), 0.5)
print(asyncio.run(child.run_child(command)))
"""


def test_elsewhere_than_on_linux_the_process_group_ends_and_no_more_is_claimed() -> None:
    done = subprocess.run([sys.executable, "-c", _DARWIN], capture_output=True, text=True)
    words, result = done.stdout.splitlines() or [done.stderr, ""]
    assert words.startswith("not a sandbox")
    assert words.endswith("group False")
    assert "code=-15, reason='timeout', output='hi\\n'" in result


def test_a_program_of_the_working_folder_does_not_stand_in_for_one_of_the_system() -> None:
    given = {"PATH": ".:/usr/bin::bin:/bin:", "LC_TIME": "de_DE.UTF-8", "LC_MINE": "what a person sends along"}
    made = sandbox.clean_environment("/scratch", given)
    assert (made["PATH"], made["LC_TIME"], made.get("LC_MINE")) == ("/usr/bin:/bin", "de_DE.UTF-8", None)
    assert sandbox.clean_environment("/scratch", {"PATH": ".:"})["PATH"] == os.defpath
