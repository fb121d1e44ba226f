"""The working folder: what its paths reach, and what they never do."""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.tools.base import ToolError
from coda_cli.engine.tools.folder import Folder, Place, readable

ROUNDS = 10_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A working folder with a neighbour that holds a secret."""
    folder = tmp_path / "work"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("inside")
    (folder / "sub" / "b.txt").write_text("below")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret.txt").write_text("outside")
    return folder


def content(place: Place) -> bytes:
    held = place.open_file()  # closed with the last name for it
    return os.read(held.fd, 1000)


def find(home: Path, path: str) -> Place:
    return Folder(home).find(path)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a.txt", "a.txt"),
        ("./a.txt", "a.txt"),
        ("sub//b.txt", "sub/b.txt"),
        ("sub/../a.txt", "a.txt"),
        ("sub/deep/../b.txt", "sub/b.txt"),
        ("sub/deep/..", "sub"),
        ("sub/", "sub"),
        ("sub/.", "sub"),
        (".", "."),
        ("sub/..", "."),
        ("../work/a.txt", "a.txt"),
        ("../other/../work/sub/b.txt", "sub/b.txt"),
    ],
)
def test_a_path_inside_is_told_in_its_shortest_form(home: Path, path: str, shown: str) -> None:
    place = find(home, path)
    assert (place.shown, place.outside) == (shown, False)
    assert place.status is not None


def test_an_absolute_path_into_the_folder_is_inside(home: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(home)
    assert find(home, str(home / "a.txt")).shown == "a.txt"
    assert find(tmp_path / "alias", str(tmp_path / "alias" / "sub" / "b.txt")).shown == "sub/b.txt"
    assert find(tmp_path / "alias", str(home / "sub" / "b.txt")).shown == "sub/b.txt"


@pytest.mark.parametrize(
    "path",
    ["../other/secret.txt", "sub/../../other/secret.txt", "{tmp}/other/secret.txt", "{tmp}/work/../other/secret.txt"],
)
def test_what_leaves_the_folder_is_told_with_its_whole_path(home: Path, tmp_path: Path, path: str) -> None:
    place = find(home, path.format(tmp=tmp_path))
    assert place.outside
    assert place.shown == str(tmp_path.resolve() / "other" / "secret.txt")
    assert content(place) == b"outside"


def test_a_neighbour_with_the_same_beginning_is_outside(home: Path, tmp_path: Path) -> None:
    (tmp_path / "workshop").mkdir()
    assert find(home, str(tmp_path / "workshop")).outside
    assert find(home, "../workshop").outside


def test_a_tilde_is_the_home_of_the_person(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    place = find(home, "~/secret.txt")
    assert place.outside
    assert place.shown.endswith("/other/secret.txt")
    (home / "~").mkdir()
    (home / "~" / "x").write_text("odd")
    assert content(find(home, "./~/x")) == b"odd"
    assert not find(home, "~nobody-of-that-name/x").outside  # as a shell: the word stays as it is


def test_links_inside_are_followed_and_told_where_they_lead(home: Path) -> None:
    (home / "link").symlink_to("sub/b.txt")
    (home / "folder").symlink_to(home / "sub")
    (home / "sub" / "up").symlink_to("../a.txt")
    assert find(home, "link").shown == "sub/b.txt"
    assert find(home, "folder/b.txt").shown == "sub/b.txt"
    assert find(home, "folder/up").shown == "a.txt"
    assert find(home, "folder/../a.txt").shown == "a.txt"


def test_links_that_leave_are_outside_and_opened_where_they_lead(home: Path, tmp_path: Path) -> None:
    (home / "file").symlink_to("../other/secret.txt")
    (home / "folder").symlink_to(tmp_path / "other")
    (home / "sub" / "chain").symlink_to("../folder")
    for path in ("file", "folder/secret.txt", "sub/chain/secret.txt"):
        place = find(home, path)
        assert place.outside, path
        assert place.shown == str(tmp_path.resolve() / "other" / "secret.txt")
    dangling = home / "dangling"
    dangling.symlink_to("../other/new.txt")
    assert find(home, "dangling").outside
    assert find(home, "dangling").status is None


@pytest.mark.parametrize("path", ["loop", "one", "one/x", "self/self/self/a"])
def test_a_circle_of_links_is_refused(home: Path, path: str) -> None:
    (home / "loop").symlink_to("loop")
    (home / "one").symlink_to("two")
    (home / "two").symlink_to("one")
    (home / "self").symlink_to("self")
    with pytest.raises(ToolError, match="circle of links"):
        find(home, path)


def test_a_circle_of_links_outside_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ToolError, match="can't be reached"):
        find(home, "../loop")


def test_a_folder_linked_to_itself_ends(home: Path) -> None:
    (home / "sub" / "here").symlink_to(".")
    assert find(home, "sub/" + "here/" * 20 + "b.txt").shown == "sub/b.txt"
    with pytest.raises(ToolError, match="circle of links"):
        find(home, "sub/" + "here/" * 60 + "b.txt")


@contextmanager
def common_user() -> Iterator[None]:
    """Not root for a while, who may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_what_the_person_may_not_read_is_said_in_words(home: Path) -> None:
    (home / "locked.txt").write_text("x")
    (home / "closed").mkdir()
    (home / "closed" / "f").write_text("x")
    for name in ("locked.txt", "closed"):
        (home / name).chmod(0)
    folder = Folder(home)
    try:
        with common_user():
            for path in ("locked.txt", "closed/f"):
                with pytest.raises(ToolError, match="permission denied"):
                    folder.find(path).open_file()
            with pytest.raises(ToolError, match="permission denied"):
                folder.find("closed").open_folder()
    finally:
        (home / "closed").chmod(0o700)


@pytest.mark.parametrize(
    "path", ["/proc/self/environ", "/proc/self/status", "/proc/self/root/proc/self/maps", "/proc/1"]
)
def test_the_process_table_is_closed(home: Path, path: str) -> None:
    if sys.platform != "linux":  # no such folder: nothing to reach
        path = "/proc"
    with pytest.raises(ToolError):
        find(home, path).open_file()


def test_the_process_table_is_closed_when_it_is_the_working_folder() -> None:
    where = Path("/proc/self") if sys.platform == "linux" else Path("/dev")
    with pytest.raises(ToolError):
        Folder(where).find("environ").open_file()


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/tty", "/dev/stdin", "/dev/fd/0"])
def test_devices_are_refused(home: Path, path: str) -> None:
    with pytest.raises(ToolError):
        find(home, path).open_file()


def test_pipes_and_sockets_are_refused_and_nothing_waits(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(home / "pipe")
    monkeypatch.chdir(home)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("sock")
        with pytest.raises(ToolError, match="a socket, not a file"):
            find(home, "sock").open_file()
    with pytest.raises(ToolError, match="a pipe, not a file"):
        find(home, "pipe").open_file()


def test_a_pipe_that_is_swapped_in_is_not_waited_for(home: Path) -> None:
    place = find(home, "a.txt")
    (home / "a.txt").unlink()
    os.mkfifo(home / "a.txt")
    with pytest.raises(ToolError, match="has changed"):
        place.open_file()


@pytest.mark.parametrize(
    "path", ["", " ", "a\0b", "x" * 256, "x/" * 3000, "a.txt/x", "a.txt/", "nowhere/../../x", "\ud800"]
)
def test_paths_that_name_nothing_are_refused_in_words(home: Path, path: str) -> None:
    with pytest.raises(ToolError) as caught:
        find(home, path)
    assert "Errno" not in str(caught.value)


def test_what_is_not_there_is_a_place_where_it_can_be_made(home: Path) -> None:
    place = find(home, "sub/new/newer/file.txt")
    assert place.status is None
    assert (place.shown, place.missing, place.name) == ("sub/new/newer/file.txt", ("new", "newer"), "file.txt")
    with pytest.raises(ToolError, match="there is no"):
        place.open_file()


def test_a_name_that_is_no_utf8_is_listed_and_found_again(home: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (home / name).write_text("old letters")
    assert readable(name) == "caf\\xe9.txt"
    assert content(find(home, "caf\\xe9.txt")) == b"old letters"
    (home / "line\nbreak").write_text("odd")
    assert readable("line\nbreak") == "line\\x0abreak"
    assert content(find(home, "line\\x0abreak")) == b"odd"
    for odd in ("a\\x00b", "\\ud83d", "\\x2e\\x2e"):
        assert find(home, odd).shown in (odd, str(home.parent))
    (home / "caf\\xe9.txt").write_text("the name itself goes first")
    assert content(find(home, "caf\\xe9.txt")) == b"the name itself goes first"


def test_twins_that_differ_in_case_are_two_files_where_the_disk_says_so(home: Path) -> None:
    (home / "README").write_text("big")
    (home / "readme").write_text("small")
    big, small = find(home, "README"), find(home, "readme")
    same = (home / "README").samefile(home / "readme")
    assert (big.identity == small.identity) == same
    assert content(big) == (b"small" if same else b"big")


@pytest.mark.parametrize(
    "name",
    [".env", ".env.local", ".ENV", "prod.env", "id_rsa", "ID_ED25519", "server.pem", "a.KEY", ".netrc", ".ssh/config"],
)
def test_what_may_hold_secrets_is_told(home: Path, name: str) -> None:
    path = home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    assert find(home, name).secret() == "it may hold secrets"


@pytest.mark.parametrize(
    "name",
    [".aws/credentials", "credentials.json", "sub/.npmrc", ".git-credentials", "terraform.tfstate", ".bash_history"],
)
def test_what_may_hold_other_secrets_is_told(home: Path, name: str) -> None:
    path = home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    assert find(home, name).secret() == "it may hold secrets"


@pytest.mark.parametrize(
    "name", [".env.example", "environment.py", "keyboard.py", "id_rsa.pub", "a.pem.md", "key", "monkey"]
)
def test_what_only_looks_a_little_like_it_is_not(home: Path, name: str) -> None:
    assert not find(home, name).secret()


def test_a_link_to_a_secret_is_a_secret(home: Path) -> None:
    (home / ".env").write_text("KEY=1")
    (home / "harmless.txt").symlink_to(".env")
    assert find(home, "harmless.txt").secret()


def test_codas_own_folders_are_told_however_they_are_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "own" / "config"
    (config / "tools").mkdir(parents=True)
    (config / "keys.toml").write_text("x")
    (config / "tools" / "mine.py").write_text("x")
    monkeypatch.setenv("CODA_HOME", str(tmp_path / "own"))
    (tmp_path / "link").symlink_to(config)
    os.link(config / "keys.toml", tmp_path / "twin.txt")
    for folder, path in (
        (tmp_path, "own/config/tools/mine.py"),
        (tmp_path, "link/keys.toml"),
        (tmp_path, "twin.txt"),
        (config, "keys.toml"),
        (config / "tools", "mine.py"),
        (config / "tools", "../keys.toml"),
    ):
        assert find(folder, path).secret(), path


def test_a_rule_names_the_resolved_path(home: Path) -> None:
    assert find(home, "sub/../a.txt").rule("write_file") == "write_file a.txt"
    assert find(home, "with blank.txt").rule("write_file") == "write_file with blank.txt"


def test_what_is_opened_is_what_was_looked_at(home: Path, tmp_path: Path) -> None:
    place = find(home, "a.txt")
    (home / "a.txt").unlink()
    (home / "a.txt").write_text("another")
    os.utime(home / "a.txt")
    swapped = find(home, "a.txt")
    if swapped.identity != place.identity:  # the disk may give the inode again: then it is the same to us
        with pytest.raises(ToolError, match="has changed"):
            place.open_file()
    (home / "a.txt").unlink()
    (home / "a.txt").symlink_to(tmp_path / "other" / "secret.txt")
    with pytest.raises(ToolError, match="has changed"):
        swapped.open_file()


def test_an_approved_file_outside_is_not_another_after_a_swap(home: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "shown.txt").write_text("shown")
    place = find(home, "../other/shown.txt")
    (tmp_path / "other").rename(tmp_path / "gone")
    (tmp_path / "other").symlink_to(home)
    (home / "shown.txt").write_text("swapped")
    assert content(place) == b"shown"


@contextmanager
def swapping(path: Path, *targets: Path) -> Iterator[None]:
    """All the while *path* is by turns a link to each of *targets* and a copy of the first one's kind."""
    stop = threading.Event()

    def work() -> None:
        turn = 0
        beside = path.with_name(f".{path.name}.next")
        while not stop.is_set():
            turn += 1
            beside.symlink_to(targets[turn % len(targets)])
            beside.replace(path)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_no_link_that_is_swapped_leads_out(home: Path, tmp_path: Path) -> None:
    """A link and the folder behind it change all the time between an inside and an outside; nothing outside is ever
    taken for inside."""
    (home / "good").mkdir()
    (home / "good" / "f").write_text("inside")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "f").write_text("outside")
    folder = Folder(home)
    read = told = failed = 0
    with swapping(home / "door", home / "good", tmp_path / "evil"):
        for _ in range(ROUNDS):
            try:
                place = folder.find("door/f")
                text = content(place)
            except ToolError:
                failed += 1
                continue
            assert text == (b"outside" if place.outside else b"inside")
            told += place.outside
            read += not place.outside
    assert read + told + failed == ROUNDS
    assert read
    assert told


def test_no_folder_that_is_swapped_for_a_link_leads_out(home: Path, tmp_path: Path) -> None:
    (home / "real").mkdir()
    (home / "real" / "f").write_text("inside")
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "f").write_text("outside")
    (home / "link").symlink_to(tmp_path / "evil")
    folder = Folder(home)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (home / "real").rename(home / "kept")
            (home / "link").rename(home / "real")
            (home / "real").rename(home / "link")
            (home / "kept").rename(home / "real")

    thread = threading.Thread(target=swap)
    thread.start()
    seen = {b"inside": 0, b"outside": 0}
    try:
        for _ in range(ROUNDS):
            try:
                place = folder.find("real/f")
                text = content(place)
            except ToolError:
                continue
            assert text == (b"outside" if place.outside else b"inside")
            seen[text] += 1
    finally:
        stop.set()
        thread.join()
    assert seen[b"inside"]


@settings(max_examples=3_000 if os.environ.get("CODA_TEST_LONG") else 100, deadline=None)
@given(st.lists(st.sampled_from(["..", ".", "", "sub", "deep", "a.txt", "b.txt", "out", "in", "up", "~"]), max_size=12))
def test_a_path_is_inside_exactly_if_the_system_says_so(parts: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        top = Path(made).resolve()
        home = top / "work"
        (home / "sub" / "deep").mkdir(parents=True)
        (home / "a.txt").write_text("")
        (home / "sub" / "b.txt").write_text("")
        (home / "out").symlink_to("..")
        (home / "in").symlink_to("sub/deep")
        (home / "sub" / "up").symlink_to("../..")
        path = "./" + "/".join(parts)
        try:
            place = Folder(home).find(path)
        except ToolError:
            assert not os.path.exists(f"{home}/{path}")  # noqa: PTH110 - a Path drops the dot at the end
            return
        if place.status is None:
            assert not os.path.exists(f"{home}/{path}")  # noqa: PTH110 - a Path drops the dot at the end
            return
        real = Path(os.path.realpath(home / path))
        assert place.outside == (not real.is_relative_to(home))
        assert place.identity == (real.stat().st_dev, real.stat().st_ino)
        assert home / place.shown == real
