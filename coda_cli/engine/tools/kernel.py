"""What Linux offers to hold a process in, by its system calls: namespaces, Landlock, seccomp. Linux only.

The numbers are those of the kernel's headers: `linux/sched.h`, `linux/mount.h`, `linux/landlock.h`, `linux/prctl.h`,
`linux/seccomp.h`. Every function raises OSError where the kernel says no; nothing is confined by halves in silence.
"""

from __future__ import annotations

import ctypes
import os
import platform
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from coda_cli.engine.tools.supervisor import Confine

_libc: Final = ctypes.CDLL(None, use_errno=True)

# prctl
_PDEATHSIG, _DUMPABLE, _SECCOMP, _CAPBSET_DROP, _SUBREAPER, _NO_NEW_PRIVS = 1, 4, 22, 24, 36, 38
_SIGKILL: Final = 9
# unshare
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
# mount
_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_RECURSIVE: Final = 0x8000
_RDONLY: Final = 1
# system calls whose numbers are the same everywhere
_MOUNT_SETATTR, _LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 442, 444, 445, 446
# Landlock's rights
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1, 2, 4, 8, 1 << 14
_ALL_FILES: Final = (1 << 15) - 1  # up to ABI 3; ioctl on devices (ABI 5) is not handled: so few devices are reachable
_READING: Final = _EXECUTE | _READ_FILE | _READ_DIR
_TCP: Final = 3
_SCOPES: Final = 3
LANDLOCK_FILES: Final = 3
"""The first ABI of Landlock that holds files in: before it a file outside could be truncated."""

DEVICES: Final = ("null", "zero", "full", "random", "urandom")
"""The devices that a confined command may use."""


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, value: int, what: str, pointer: ctypes.Array[ctypes.c_char] | None = None) -> None:
    given = ctypes.c_ulong(value)
    rest = (ctypes.byref(pointer) if pointer is not None else ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    _checked(_libc.prctl(option, given, *rest), what)


def _syscall(number: int, *arguments: int | bytes | None, what: str) -> int:
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *given), what)


# -- the supervisor's own process


def be_subreaper() -> None:
    """Orphans among the descendants become children of this process, not of init."""
    _prctl(_SUBREAPER, 1, "subreaper")


def be_unreadable() -> None:
    """No other process of this user may read this one's memory or environment, or trace it."""
    _prctl(_DUMPABLE, 0, "dumpable")


def die_with_parent() -> None:
    """This process is killed when its parent ends."""
    _prctl(_PDEATHSIG, _SIGKILL, "parent death signal")


# -- namespaces


def new_namespaces(network: bool) -> None:
    """Namespaces of users, processes, IPC, and of the network unless *network*; the next child is their first process.

    The user stays who it is. A network namespace has a loopback of its own, and nothing else.
    """
    uid, gid = os.geteuid(), os.getegid()
    _checked(_libc.unshare(_NEWUSER | _NEWPID | _NEWIPC | (0 if network else _NEWNET)), "namespaces")
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path("/proc/self", name).write_text(line, "ascii")
    if not network:
        _raise_loopback()


def _raise_loopback() -> None:
    """`ip link set lo up`: what a test serves on 127.0.0.1 works inside."""
    import fcntl
    import socket

    up, set_flags = 0x1, 0x8914  # IFF_UP, SIOCSIFFLAGS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
        fcntl.ioctl(plug, set_flags, struct.pack("16sH22x", b"lo", up))


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    given = [os.fsencode(each) for each in (source, target, kind)]
    _checked(
        _libc.mount(*given, ctypes.c_ulong(flags), os.fsencode(options) if options else None), f"mount on {target}"
    )


def _mount_attributes(path: str, *, put: int = 0, clear: int = 0, recursive: bool = False) -> None:
    flags = _RECURSIVE if recursive else 0
    attributes = struct.pack("=QQQQ", put, clear, 0, 0)
    _syscall(_MOUNT_SETATTR, -100, os.fsencode(path), flags, attributes, len(attributes), what=f"mount of {path}")


def furnish(confine: Confine) -> None:
    """A mount namespace in which only the folder and a /tmp of its own can be written, with a /proc of its own.

    The secrets of `hidden` are empty there, and what is `fixed` in the folder cannot be written. For the first process
    of the namespace.
    """
    folder, scratch = confine["folder"], confine["scratch"]
    _checked(_libc.unshare(_NEWNS), "mount namespace")
    _mount("none", "/", "", _REC | _PRIVATE)
    writable = ["/dev/shm", "/proc"]  # noqa: S108 -- mounts of its own
    held = os.open(folder, os.O_PATH | os.O_DIRECTORY) if folder else -1
    seen = [(path, fd) for path in confine["seen"] if (fd := _open_folder(path)) is not None]
    for path in confine["hidden"]:
        _mask(path)
    if Path("/dev/shm").is_dir():  # noqa: S108
        _mount("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777,size=256m")  # noqa: S108
    else:
        writable.remove("/dev/shm")  # noqa: S108
    if folder != "/tmp":  # noqa: S108
        _mount(scratch, "/tmp", "", _BIND)  # noqa: S108
        writable.append("/tmp")  # noqa: S108
    for path, fd in seen:
        Path(path).mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{fd}", path, "", _BIND | _REC)
        os.close(fd)
    if folder and folder != "/":
        Path(folder).mkdir(parents=True, exist_ok=True)  # one below /tmp has just been covered
        _mount(f"/proc/self/fd/{held}", folder, "", _BIND | _REC)
        writable += [folder, *_bound(confine["pinned"])]
        _bound(confine["fixed"])
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    if folder != "/":
        _mount_attributes("/", put=_RDONLY, recursive=True)
        for path in writable:
            _mount_attributes(path, clear=_RDONLY)
    with suppress(OSError):  # since Linux 6.14 a namespace may have its own: a fork bomb of root has a bound, too
        Path("/proc/sys/kernel/pid_max").write_text("4096", "ascii")


def _open_folder(path: str) -> int | None:
    """A descriptor of the folder, None where this user cannot reach it: then there is nothing to be seen of it."""
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY)
    except OSError:
        return None


def _bound(paths: Iterable[str]) -> list[str]:
    """Mount each of *paths* on itself, so that it can be set apart and not moved away. Gives those that are there."""
    found = [path for path in paths if os.path.lexists(path)]
    for path in found:
        _mount(path, path, "", _BIND | _REC)
    return found


def _mask(path: str) -> None:
    """Cover *path*: an empty folder or an empty file in its place."""
    try:
        is_folder = stat.S_ISDIR(Path(path).stat().st_mode)
    except OSError:  # not there, or not to be seen anyway
        return
    if is_folder:
        _mount("tmpfs", path, "tmpfs", _NOSUID | _NODEV, "mode=0755,size=4k")
    else:
        _mount("/dev/null", path, "", _BIND)


# -- what the command itself can no longer do


def hold_in(confine: Confine) -> None:
    """Give up, for good, what the command must not have: capabilities, files outside, sockets."""
    _drop_capabilities()
    _prctl(_NO_NEW_PRIVS, 1, "no new privileges")
    if confine["landlock"]:
        _landlock(confine)
    if confine["filter"]:
        install_filter(inet=confine["network"] or confine["namespaces"])


def _drop_capabilities() -> None:
    """Root without its powers: some, such as CAP_PERFMON for /proc/PID/environ, reach around Landlock."""
    for capability in range(64):
        try:
            _prctl(_CAPBSET_DROP, capability, "capabilities")
        except OSError:
            break  # past the last one that the kernel knows, or no root, who gets none by exec
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _checked(_libc.capset(header, bytes(24)), "capabilities")


def landlock_abi() -> int:
    """The version of Landlock in this kernel; 0 where there is none."""
    return max(0, int(_libc.syscall(ctypes.c_long(_LANDLOCK_CREATE), None, ctypes.c_long(0), ctypes.c_long(1))))


def _landlock(confine: Confine) -> None:
    abi = landlock_abi()
    tcp = _TCP if abi >= 4 and not confine["network"] and not confine["namespaces"] else 0
    scopes = _SCOPES if abi >= 6 else 0
    attributes = struct.pack("=QQQ", _ALL_FILES, tcp, scopes)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    rules = _syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0, what="Landlock")
    try:
        _allow(rules, "/", _READ_DIR)
        for path in readable(confine["hidden"]):
            _allow(rules, path, _READING)
        for name in DEVICES:
            _allow(rules, f"/dev/{name}", _READ_FILE | _WRITE_FILE | _TRUNCATE)
        own = ["/tmp", "/dev/shm"] if confine["namespaces"] else [confine["scratch"]]  # noqa: S108
        for path in [*own, confine["folder"]]:
            if path:
                _allow(rules, path, _ALL_FILES)
        _syscall(_LANDLOCK_RESTRICT, rules, 0, what="Landlock")
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    """Add a rule for *path* and all below it; a path that is not there needs none."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
        _syscall(_LANDLOCK_ADD, rules, 1, struct.pack("=Qi", rights, fd), 0, what=f"Landlock for {path}")
    finally:
        os.close(fd)


def readable(hidden: Iterable[str]) -> Iterator[str]:
    """Paths that together hold everything but *hidden* and /dev: Landlock can only allow, never except."""
    closed = {"/dev", *hidden}
    open_ways = {str(parent) for path in closed for parent in Path(path).parents}
    todo = ["/"]
    while todo:
        path = todo.pop()
        if path in closed:
            continue
        if path not in open_ways:
            yield path
            continue
        try:
            todo += [entry.path for entry in os.scandir(path) if not entry.is_symlink()]
        except OSError:  # not ours to list, so not to read either
            continue


# -- seccomp

_MACHINES: Final = {
    # audit architecture, socket, ioctl, add_key, request_key, keyctl
    "x86_64": (0xC000003E, 41, 16, 248, 249, 250),
    "aarch64": (0xC00000B7, 198, 29, 217, 218, 219),
}
_IO_URING_SETUP: Final = 425
_TIOCSTI: Final = 0x5412
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 1  # EPERM
_INET, _INET6, _NETLINK = 2, 10, 16


def can_filter() -> bool:
    """`install_filter()` knows this machine's system calls."""
    return platform.machine() in _MACHINES


def filter_program(inet: bool) -> bytes:
    """A seccomp program: sockets of the internet only with *inet*, and netlink, which tells and does not send.

    Sockets of the file system are no matter of Landlock, and what listens there (Docker, D-Bus, tmux, an SSH agent)
    would act for a command outside of everything that holds it in. io_uring opens sockets unseen, the kernel's keyring
    holds secrets, TIOCSTI types into a terminal: they are denied, too.
    """
    audit, socket, ioctl, *keys = _MACHINES[platform.machine()]
    families = [_NETLINK, *([_INET, _INET6] if inet else [])]
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _DENY),
        (_LOAD, 0, 0, 0),
    ]
    if platform.machine() == "x86_64":
        steps += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _DENY)]  # the x32 twins of all calls
    for number in (_IO_URING_SETUP, *keys):
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _DENY)]
    steps += [(_EQUAL, 0, len(families) * 2 + 2, socket), (_LOAD, 0, 0, 16)]
    for family in families:
        steps += [(_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    steps += [(_RETURN, 0, 0, _DENY)]
    steps += [(_EQUAL, 0, 3, ioctl), (_LOAD, 0, 0, 24), (_EQUAL, 0, 1, _TIOCSTI), (_RETURN, 0, 0, _DENY)]
    steps += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def install_filter(inet: bool) -> None:
    """Put `filter_program()` in force for this process and all that it starts."""
    program = filter_program(inet)
    steps = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(steps)), 16)
    _prctl(_SECCOMP, 2, "seccomp", head)
