"""Which programs do more than their name says: run other programs, or write where an option tells them.

A rule for such a call would allow more than a person reads in it, so it is never matched by one. This list cannot be
complete, and need not be: a rule names every word of a command, so nothing runs that nobody has listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words of the shell itself. What they do depends on the shell, or they run what their arguments say.
_SHELL: Final = _names(
    "if then else elif fi do done case esac while until for in function select time coproc . : alias bg bind "
    "break builtin caller cd command compgen complete compopt continue declare dirs disown enable eval exec exit "
    "export fc fg getopts hash help history jobs kill let local logout mapfile popd pushd read readarray readonly "
    "return set shift shopt source suspend test times trap type typeset ulimit umask unalias unset wait noglob "
    "nocorrect"
)
# They run a program, open a shell from inside, log in elsewhere, or write what comes in.
_RUNNERS: Final = _names(
    "sh bash dash zsh ksh mksh fish csh tcsh ash rbash busybox toybox env xargs sudo doas su pkexec runuser "
    "setpriv chroot unshare nsenter nice ionice chrt taskset nohup timeout stdbuf setsid script scriptreplay "
    "expect unbuffer watch parallel ssh scp sftp rsh rlogin slogin mosh telnet nc ncat netcat socat rsync tee dd "
    "less more most pg man info vi vim view nvim ex ed emacs nano pico joe micro hx kak gdb lldb strace ltrace "
    "perf valgrind flock at batch crontab systemd-run systemctl service tmux screen docker podman nerdctl kubectl "
    "nix nix-shell direnv entr awk gawk mawk nawk original-awk m4 curl wget aria2c ftp lftp mail sendmail "
    "osascript open xdg-open start-stop-daemon bwrap firejail proot fakeroot faketime catchsegv run-parts ld.so "
    "npx bunx pnpx uvx pipx capsh sg newgrp setarch linux32 linux64 x86_64 i386 sshpass autossh ssh-agent "
    "dbus-run-session time command xvfb-run ccache distcc install-info gpg gpg2 openssl sqlite3 psql mysql "
    "mongosh redis-cli bc dc "
    "tclsh wish guile irb ghci erl iex jshell scala r rscript octave julia groovy ipython bpython jupyter "
    "ptpython ansible ansible-playbook terraform vagrant"
)
_LOADERS: Final = re.compile(r"ld(-linux.*|-musl.*)?\.so.*|ld-.*\.so.*")
_PYTHON: Final = re.compile(r"(python|pypy)[0-9.]*[a-z]*")
_VERSIONED: Final = re.compile(r"(?<=[a-z])-?[0-9][0-9.]*$")


def hands_over(argv: Sequence[str]) -> bool:
    """Whether the call may run another program or write by an option, as far as its words tell."""
    name = argv[0].rpartition("/")[2].casefold()
    plain = _VERSIONED.sub("", name)
    if not name or argv[0] in _SHELL or {name, plain} & _RUNNERS or _LOADERS.fullmatch(name):
        return True
    if _PYTHON.fullmatch(name):
        return _python(argv[1:])
    check = _CHECKS.get(name) or _CHECKS.get(plain)
    return check is not None and check(argv[1:])


def _option(words: Sequence[str], long: str = "", short: str = "", single: str = "") -> bool:
    """Whether a dangerous option may be among *words*.

    `long` names are met by every abbreviation too, `short` letters anywhere in a cluster, `single` are long names
    behind one dash (find, go).
    """
    for word in words:
        if word.startswith("--"):
            given = word[2:].partition("=")[0]
            if given and any(name.startswith(given) for name in long.split()):
                return True
        elif word.startswith("-") and any(letter in word[1:] for letter in short):
            return True
        if word.lstrip("-").partition("=")[0] in single.split() and word.startswith("-"):
            return True
    return False


def _python(words: Sequence[str]) -> bool:
    """Everything but `python FILE ...`, `python -m MODULE ...`, `-V` and harmless flags before those."""
    for i, word in enumerate(words):
        if word in ("-V", "-VV", "--version", "-h", "--help"):
            return False
        if word == "-m":
            return i + 1 == len(words) or _module_runs_others(words[i + 1 :])
        if not word.startswith("-"):
            return False
        if not re.fullmatch(r"-[BEIOPRSbdqsuv]+", word):
            return True
    return True  # without a file it runs what it reads from its input


def _module_runs_others(words: Sequence[str]) -> bool:
    return words[0] in {"code", "pdb", "timeit", "cProfile", "profile", "trace", "runpy", "idlelib", "pty", "asyncio"}


def _find(words: Sequence[str]) -> bool:
    dangerous = ("-exec", "-ok", "-delete", "-fprint", "-fls", "-files0-from")
    return any(word.startswith(dangerous) for word in words)


_GIT_COMMANDS: Final = _names(
    "add am annotate apply blame branch bundle cat-file check-attr check-ignore checkout cherry cherry-pick clean "
    "commit count-objects describe diff diff-files diff-index diff-tree fetch for-each-ref format-patch fsck gc "
    "grep init log ls-files ls-tree merge merge-base mv name-rev notes prune pull push range-diff rebase reflog "
    "remote reset restore rev-list rev-parse revert rm shortlog show show-branch show-ref sparse-checkout stash "
    "status switch symbolic-ref tag update-index var verify-commit verify-tag version whatchanged worktree "
    "write-tree"
)


def _git(words: Sequence[str]) -> bool:
    """Options before the command change what git runs; a command that git does not know is an alias or a program."""
    if not words or words[0] in ("--version", "--no-pager"):
        words = words[1:]
        if not words:
            return False
    if words[0] not in _GIT_COMMANDS:
        return True
    rest = words[1:]
    dangerous = "exec upload-pack receive-pack ext-diff textconv output open-files-in-pager config-env edit-description"
    if _option(rest, long=dangerous + " tool extcmd sequence-editor paginate template command-exec gpg-sign"):
        return True
    short = {"rebase": "x", "grep": "O", "fetch": "", "commit": "S", "tag": "su", "am": "S"}.get(words[0], "")
    return _option(rest, short=short) or any(word.startswith("ext::") for word in rest)


def _tar(words: Sequence[str]) -> bool:
    """The letters may stand without a dash in the first word."""
    long = "checkpoint-action to-command use-compress-program info-script new-volume-script rsh-command rmt-command"
    first = ["-" + words[0]] if words and not words[0].startswith("-") else []
    return _option([*first, *words], long=long, short="IF")


def _sed(words: Sequence[str]) -> bool:
    """A script can run (e) and write (w). Only the printing of lines by number is known to do neither."""
    return not (len(words) >= 2 and words[0] == "-n" and re.fullmatch(r"\d+(,(\d+|\$))?p", words[1])) or any(
        word.startswith("-") for word in words[2:]
    )


def _make(words: Sequence[str]) -> bool:
    return any("=" in word for word in words) or _option(
        words, long="eval file makefile directory include-dir", short="EfCI"
    )


def _runs(*commands: str) -> Callable[[Sequence[str]], bool]:
    """A program that runs what follows one of its own *commands*, which may stand behind options."""

    def check(words: Sequence[str]) -> bool:
        return any(word in commands for word in words)

    return check


def _takes(long: str = "", short: str = "", single: str = "") -> Callable[[Sequence[str]], bool]:
    def check(words: Sequence[str]) -> bool:
        return _option(words, long, short, single)

    return check


def _code(long: str, short: str) -> Callable[[Sequence[str]], bool]:
    """An interpreter: code in an option, or from its input where no file is named."""

    def check(words: Sequence[str]) -> bool:
        if list(words) in (["--version"], ["-v"], ["-V"]):
            return False
        return (
            not words or words[0] == "-" or words[-1] == "-" or _option(words[:1], long, short) or words[0][0:1] == "-"
        )

    return check


_CHECKS: Final[dict[str, Callable[[Sequence[str]], bool]]] = {
    "find": _find,
    "fd": _takes("exec exec-batch", "xX"),
    "fdfind": _takes("exec exec-batch", "xX"),
    "git": _git,
    "hg": _takes("config cwd repository config-file", "R"),
    "tar": _tar,
    "bsdtar": _tar,
    "gtar": _tar,
    "cpio": _takes("rsh-command to-stdout file", "FIO"),
    "zip": _takes("unzip-command test TT", "T"),
    "sed": _sed,
    "gsed": _sed,
    "sort": _takes("output compress-program files0-from temporary-directory", "oT"),
    "split": _takes("filter"),
    "uniq": lambda words: sum(not word.startswith("-") for word in words) > 1,
    "date": _takes("set file", "sf"),
    "printf": _takes(short="v"),
    "make": _make,
    "gmake": _make,
    "ninja": _takes(short="Cf"),
    "cmake": _runs("-E", "-P", "-C"),
    "go": lambda words: (
        _option(words, single="exec toolexec vettool overlay modfile ldflags gcflags asmflags C")
        or _runs("run", "generate", "tool")(words)
    ),
    "cargo": lambda words: any(word.startswith("+") for word in words) or _option(words, long="config", short="CZ"),
    "npm": _runs("exec", "x", "explore", "edit", "init", "create", "--script-shell"),
    "pnpm": _runs("exec", "dlx", "x", "create"),
    "yarn": _runs("exec", "dlx", "create", "node"),
    "bun": _runs("x", "exec", "-e", "--eval", "-p", "create"),
    "uv": _runs("run", "tool", "x"),
    "poetry": _runs("run", "shell"),
    "pdm": _runs("run"),
    "hatch": _runs("run", "shell"),
    "pipenv": _runs("run", "shell"),
    "conda": _runs("run"),
    "mamba": _runs("run"),
    "bundle": _runs("exec"),
    "rake": _takes("execute execute-print execute-continue rakefile require", "eEpfr"),
    "gradle": _takes("init-script project-dir build-file", "Ibp"),
    "mvn": _takes("file settings", "fs"),
    "node": _code("eval print require import loader experimental-loader interactive", "epri"),
    "nodejs": _code("eval print require import loader experimental-loader interactive", "epri"),
    "deno": _runs("eval", "repl", "run", "task"),
    "perl": _code("", "eEnpiMmxdsS"),
    "ruby": _code("", "eErnpiSx"),
    "php": _code("run process-code process-begin process-end", "rRBEadzS"),
    "lua": _code("", "eli"),
    "luajit": _code("", "eli"),
    "rg": _takes("pre hostname-bin search-zip", "z"),
    "ag": _takes("pager"),
    "ack": _takes("pager output"),
    "bat": _takes("pager"),
    "batcat": _takes("pager"),
    "grep": _takes("devices"),
    "zgrep": lambda words: True,
    "ctags": _takes("options", ""),
    "gcc": lambda words: any(word.startswith(("-wrapper", "-B", "-specs", "-fplugin", "@")) for word in words),
    "cc": lambda words: any(word.startswith(("-wrapper", "-B", "-specs", "-fplugin", "@")) for word in words),
    "pip": _takes("python target prefix log config-settings", ""),
    "pytest": _takes("pdb pdbcls rootdir confcutdir basetemp override-ini debug log-file junit-xml", "pco"),
}

WIDE_GIT: Final = _names("status log diff show blame ls-files ls-tree rev-parse describe shortlog grep")
_NEVER_WIDE: Final = frozenset(
    _names(
        "find fd fdfind tar bsdtar gtar cpio zip sed gsed make gmake ninja cmake go cargo npm pnpm yarn bun uv "
        "poetry pdm hatch pipenv conda mamba bundle rake gradle mvn node nodejs deno perl ruby php lua luajit hg "
        "rm mv cp ln chmod chown install gcc cc pip"
    )
)


def may_be_wide(argv: Sequence[str]) -> bool:
    """Whether a rule for *argv* may be followed by arguments that it does not name (`pytest -q *`)."""
    name = argv[0].rpartition("/")[2].casefold()
    if hands_over(argv) or _PYTHON.fullmatch(name) or {name, _VERSIONED.sub("", name)} & _NEVER_WIDE:
        return False
    return name != "git" or (len(argv) > 1 and argv[1] in WIDE_GIT)


def plain_argument(word: str) -> bool:
    """Whether *word* can only name something in the working folder: no option, no setting, no path out, no address."""
    if not word or word[0] in "-+@~/%" or "=" in word or "://" in word or "\\" in word:
        return False
    return ".." not in word.split("/") and all(char.isprintable() for char in word)
