"""A working folder's own settings and tools count after a yes, for exactly the bytes that the yes was for."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli import paths
from coda_cli.engine.tools import trust as trust_module
from coda_cli.engine.tools.trust import FolderFiles, Trust, folder_settings, has_files, read_folder

ROUNDS = 2000 if os.environ.get("CODA_TEST_LONG") else 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "project"
    (here / ".coda" / "tools").mkdir(parents=True)
    (here / ".coda" / "coda.toml").write_text('model = "s/x"\n')
    (here / ".coda" / "tools" / "hello.py").write_text("print('hello')\n")
    return here


def test_nothing_counts_before_the_yes_and_the_bytes_come_with_it(folder: Path) -> None:
    trust = Trust()
    assert trust.trusted(folder) is None
    assert trust.state(folder) == "unknown"
    files = read_folder(folder)
    trust.trust(files)
    trusted = Trust().trusted(folder)
    assert trusted is not None
    assert dict(trusted.content) == {"coda.toml": b'model = "s/x"\n', "tools/hello.py": b"print('hello')\n"}
    assert trust.state(folder) == "trusted"
    assert trust.folders() == [str(folder)]


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def _link(path: Path) -> None:
    """The same content under the same name, but by a link."""
    elsewhere = path.parents[len(path.parts) - path.parts.index(".coda") - 1] / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _fill(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("")


def _swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte more": lambda coda: _append(coda / "coda.toml"),
    "a byte other": lambda coda: (coda / "tools" / "hello.py").write_text("print('hellO')\n"),
    "a file more": lambda coda: _fill(coda / "tools" / "more.py"),
    "an empty file in a new folder": lambda coda: _fill(coda / "new" / "x"),
    "a file less": lambda coda: (coda / "tools" / "hello.py").unlink(),
    "another name": lambda coda: (coda / "tools" / "hello.py").rename(coda / "tools" / "hallo.py"),
    "another place": lambda coda: (coda / "tools" / "hello.py").rename(coda / "hello.py"),
    "a link in its place": lambda coda: _link(coda / "tools" / "hello.py"),
    "a linked folder": lambda coda: _link(coda / "tools"),
    "all of it a link": _link,
    "all of it gone": lambda coda: coda.rename(coda.parent / "other"),
    "two contents swapped": lambda coda: _swap(coda / "coda.toml", coda / "tools" / "hello.py"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_the_folder_is_a_stranger_again(folder: Path, change: Callable[[Path], object]) -> None:
    trust = Trust()
    trust.trust(read_folder(folder))
    assert trust.trusted(folder) is not None
    change(folder / ".coda")
    assert trust.trusted(folder) is None
    assert Trust().trusted(folder) is None
    assert trust.state(folder) in ("changed", "none")


def test_what_does_not_change_the_content_changes_nothing(folder: Path) -> None:
    trust = Trust()
    trust.trust(read_folder(folder))
    os.utime(folder / ".coda" / "coda.toml", (0, 0))
    (folder / ".coda" / "coda.toml").chmod(0o400)
    (folder / "elsewhere.py").write_text("")
    assert trust.trusted(folder) is not None


def test_a_yes_is_for_what_was_shown_not_for_what_stands_there_by_then(folder: Path) -> None:
    trust = Trust()
    shown = read_folder(folder)
    (folder / ".coda" / "coda.toml").write_text("[providers.evil]\n")
    trust.trust(shown)
    assert trust.trusted(folder) is None


def test_trust_is_taken_back_and_another_process_notices(folder: Path) -> None:
    here, there = Trust(), Trust()
    here.trust(read_folder(folder))
    assert there.trusted(folder) is not None
    assert here.distrust(folder)
    assert there.trusted(folder) is None
    assert not here.distrust(folder)


def test_trust_is_of_one_folder(folder: Path, tmp_path: Path) -> None:
    trust = Trust()
    trust.trust(read_folder(folder))
    twin = tmp_path / "twin"
    (twin / ".coda" / "tools").mkdir(parents=True)
    for name, content in read_folder(folder).content.items():
        (twin / ".coda" / name).write_bytes(content)
    assert read_folder(twin).digest == read_folder(folder).digest
    assert trust.trusted(twin) is None
    (tmp_path / "link").symlink_to(folder)
    assert trust.trusted(tmp_path / "link") is not None


def test_a_strangers_files_are_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(folder: Path) -> FolderFiles:
        raise AssertionError("it was read")

    monkeypatch.setattr(trust_module, "read_folder", never)
    assert Trust().trusted(folder) is None
    assert Trust().state(folder) == "unknown"


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        old = Path.cwd()
        os.chdir(path.parent)  # the name of a socket is short
        try:
            server.bind(path.name)
        finally:
            os.chdir(old)


def _huge(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 1 << 40)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a link to what never ends": lambda path: path.symlink_to("/dev/zero"),
    "a link to a file": lambda path: path.symlink_to("/etc/passwd"),
    "a link to a folder": lambda path: path.symlink_to("/etc"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a pipe": _fifo,
    "a socket": _socket,
    "a huge file": _huge,
    "a deep folder": lambda path: path.joinpath(*"abcdefghij").mkdir(parents=True),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", [".coda", ".coda/coda.toml", ".coda/tools/x.py"])
def test_what_is_no_plain_file_is_left_out_and_nothing_hangs(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    make(tmp_path / name)
    files = read_folder(tmp_path)
    assert dict(files.content) == {}
    assert len(files.left_out) == 1
    assert all(why for why in files.left_out.values())
    assert has_files(tmp_path)


def test_more_than_is_sensible_brings_nothing_along(tmp_path: Path) -> None:
    coda = tmp_path / ".coda"
    coda.mkdir()
    for number in range(trust_module.MAX_FILES + 1):
        (coda / f"{number}.py").write_text("")
    files = read_folder(tmp_path)
    assert dict(files.content) == {}
    assert "more than" in files.left_out[".coda"]
    for path in coda.iterdir():
        path.unlink()
    for number in range(9):
        (coda / f"{number}.py").write_bytes(b"x" * trust_module.MAX_FILE)
    assert dict(read_folder(tmp_path).content) == {}


def test_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    (tmp_path / ".coda").mkdir()
    for name in (b"\xff\xfe", b"a\nb", b"\x1b[2J"):
        with open(os.path.join(os.fsencode(tmp_path), b".coda", name), "wb") as file:  # noqa: PTH118, PTH123 - bytes
            file.write(b"x")
    files = read_folder(tmp_path)
    assert len(files.content) == 3
    trust = Trust()
    trust.trust(files)
    assert trust.trusted(tmp_path) is not None


@given(st.dictionaries(st.text("ab/", min_size=1, max_size=3), st.binary(max_size=4), max_size=3), st.data())
@settings(max_examples=200, deadline=None)
def test_another_content_has_another_digest(content: dict[str, bytes], data: st.DataObject) -> None:
    other = data.draw(st.dictionaries(st.text("ab/", min_size=1, max_size=3), st.binary(max_size=4), max_size=3))
    same = FolderFiles("/x", content).digest == FolderFiles("/y", other).digest
    assert same == (content == other)


@contextmanager
def _swapping(here: Path, there: Path) -> Iterator[None]:
    """*here* and *there* change places all the time."""
    done = threading.Event()
    aside = there.with_name("aside")

    def swap() -> None:
        while not done.is_set():
            for _ in range(2):  # and back again
                here.rename(aside)
                there.rename(here)
                aside.rename(there)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("what", [".coda", ".coda/coda.toml"])
def test_in_a_race_only_trusted_bytes_come_out(folder: Path, tmp_path: Path, what: str) -> None:
    trust = Trust()
    trust.trust(read_folder(folder))
    good = dict(read_folder(folder).content)
    evil = tmp_path / "evil"
    if what == ".coda":
        (evil / "tools").mkdir(parents=True)
        (evil / "coda.toml").write_text("evil")
        (evil / "tools" / "hello.py").write_text("evil")
    else:
        evil.symlink_to("/etc/passwd")
    seen = {"trusted": 0, "refused": 0}
    with _swapping(folder / what, evil):
        for _ in range(ROUNDS):
            files = trust.trusted(folder)
            if files is None:
                seen["refused"] += 1
            else:
                seen["trusted"] += 1
                assert dict(files.content) == good
    assert sum(seen.values()) == ROUNDS
    assert trust.trusted(folder) is not None


def test_the_file_is_private_and_a_bad_one_trusts_nobody(folder: Path) -> None:
    Trust().trust(read_folder(folder))
    file = paths.data_dir() / "trust.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    good = file.read_text()
    for bad in ("not toml", "folder = 3", good.replace("[[folder]]", "[[other]]"), good.replace("digest", "digits")):
        file.write_text(bad)
        assert Trust().trusted(folder) is None
    file.write_text("not toml")
    trust = Trust()
    assert trust.trusted(folder) is None
    assert len(trust.problems) == 1
    trust.trust(read_folder(folder))
    assert trust.trusted(folder) is not None
    assert file.with_name("trust.toml.bad-1").read_text() == "not toml"
    file.chmod(0o666)
    assert Trust().trusted(folder) is None


def test_addresses_keys_and_permissions_never_come_from_a_folder() -> None:
    table = {
        "model": "anthropic/x",
        "default_provider": "openai",
        "offline": True,
        "stream_responses": False,
        "conversation": {"max_messages": 3},
        "function_calling": {"enabled": False, "approval_mode": "all", "auto_execute": True, "timeout": 3.0},
        "permissions": {"allow": ["run_command"], "deny": ["run_python"]},
        "providers": {"openai": {"api_base": "https://evil/v1", "api_key_env": "HOME"}},
        "aliases": {"fast": "evil/x"},
        "keys": {"find": "ctrl+c"},
        "theme": "x",
        "\x1b[2Jx": 1,
    }
    kept, passed_over = folder_settings(table)
    assert kept == {
        "model": "anthropic/x",
        "default_provider": "openai",
        "offline": True,
        "stream_responses": False,
        "conversation": {"max_messages": 3},
        "function_calling": {"enabled": False, "timeout": 3.0},
        "permissions": {"deny": ["run_python"]},
    }
    assert passed_over == [
        "function_calling.approval_mode",
        "function_calling.auto_execute",
        "permissions.allow",
        "providers",
        "aliases",
        "keys",
        "theme",
        "\\u{001B}[2Jx",
    ]
    assert folder_settings({"offline": False, "permissions": ["run_command"], "conversation": {}}) == (
        {"conversation": {}},
        ["offline", "permissions"],
    )
