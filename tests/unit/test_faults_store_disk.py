"""A disk that is small, read-only, foreign or odd: what is said is kept or it is told, and no file hides another."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coda_cli.engine.conversations.index import Index
from coda_cli.engine.conversations.info import Filter
from coda_cli.engine.conversations.journal import DiskError, StoreError
from coda_cli.engine.conversations.lifeboat import Lifeboat
from coda_cli.engine.conversations.pages import page
from coda_cli.engine.conversations.store import Folder
from tests.unit.store_writer import named
from tests.unit.wire_cases import LONG

NOBODY = 65534
SIZE = 64 * 1024


# ---- a small disk (FAULTS 7) --------------------------------------------------------------------------------------


def on_a_small_disk(root: Path, step: int) -> list[dict[str, object]]:
    """What `store_writer small` tells, on a disk of 160 KB of its own, or where none can be mounted, below a limit."""
    writer = [sys.executable, "-m", "tests.unit.store_writer", "small", str(root), str(step)]
    mounted = 'mount -t tmpfs -o size=160k none "$0" && exec "$@"'
    limited = f'ulimit -f {SIZE // 512}; exec "$@"'  # of 512 bytes, as POSIX says
    home = Path(__file__).parents[2]
    can_mount = (
        shutil.which("unshare") is not None
        and not subprocess.run(
            ["unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=64k none "$0"', str(root)],
            capture_output=True,
            check=False,
        ).returncode
    )
    shell = ["unshare", "-Urm", "sh", "-c", mounted] if can_mount else ["sh", "-c", limited]
    done = subprocess.run([*shell, str(root), *writer], capture_output=True, text=True, check=False, cwd=home)
    assert done.returncode == 0, done.stderr
    rounds: list[dict[str, object]] = json.loads(done.stdout)["rounds"]
    return rounds


def test_a_small_disk_that_fills_at_every_write_delays_and_loses_nothing(tmp_path: Path) -> None:
    """Round by round a page more is left: the disk fills at the first write, the second, ..., in the end at none."""
    rounds = on_a_small_disk(tmp_path, 4096)
    everything = [*(f"m{number}" for number in range(6)), "large"]
    for one in rounds:
        assert one["in memory"] == one["written"] == everything
        assert (one["unsaved"], one["empty"], one["problems"], one["in order"]) == ("", [], [], True)
        assert one["large"] == 70_000
        assert one["waited"] == everything[len(everything) - len(one["waited"]) :]  # type: ignore[arg-type]  # from JSON
    assert len({str(one["waited"]) for one in rounds}) > 2 or len(rounds) == 1
    assert rounds[-1]["waited"] == []


# ---- folders that refuse (FAULTS 9) -------------------------------------------------------------------------------


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that anybody may reach: the one of pytest is closed to others."""
    made = Path(tempfile.mkdtemp(prefix="coda-faults-"))
    if os.geteuid() == 0:
        os.chown(made, NOBODY, NOBODY)
    yield made
    for path in [made, *made.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(made)


def as_a_person(work: Callable[[], None]) -> None:
    """Do *work* as somebody who is not root: for root no folder is closed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
            code = 0
        except BaseException as error:  # whatever it was, it is told to the test
            os.write(writer, repr(error).encode())
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        problem = told.read().decode()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, problem


def foreign(path: Path) -> None:
    """Make *path* somebody else's, or, where only one person is at hand, closed to everybody."""
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
        path.chmod(0o700 if path.is_dir() else 0o600)
    else:
        path.chmod(0)


def test_a_read_only_folder_takes_no_new_chat_and_the_old_ones_are_read(home: Path) -> None:
    def before() -> None:
        folder = Folder(home / "data")
        folder.create("old")
        folder.add_message("old", named("m"))
        folder.own_file("old").chmod(0o400)
        for path in (folder.conversations, home / "data"):
            path.chmod(0o500)

    def work() -> None:
        boat = Lifeboat(Folder(home / "data"))
        with pytest.raises(DiskError) as caught:
            Folder(home / "data").create("new")
        assert caught.value.hint
        assert boat.create("new")  # the chat goes on in memory
        boat.add_message("new", named("hello"))
        boat.add_message("old", named("n"))
        for name, ids in (("new", ["hello"]), ("old", ["m", "n"])):
            assert isinstance(boat.problem(name), DiskError)
            assert [message.message_id for message in boat.messages(name)] == ids
        with pytest.raises(StoreError):
            boat.delete("old")
        assert [row.id for row in Folder(home / "data").rows(Filter(), limit=9)] == ["old"]
        assert page(Folder(home / "data"), "old").head == "m"
        for path in (home / "data", home / "data" / "conversations"):
            path.chmod(0o700)
        Folder(home / "data").own_file("old").chmod(0o600)
        boat.land()
        assert (boat.problem("new"), boat.problem("old")) == (None, None)
        assert [message.message_id for message in Folder(home / "data").messages("old")] == ["m", "n"]

    as_a_person(before)
    as_a_person(work)


def test_a_folder_of_somebody_else_is_an_error_with_a_next_step(home: Path) -> None:
    def before() -> None:
        Folder(home / "data").create("c")

    def work() -> None:
        folder = Folder(home / "data")
        calls: list[Callable[[], object]] = [
            lambda: folder.create("x"),
            lambda: folder.load("c"),
            lambda: folder.rows(Filter(), limit=9),
            lambda: folder.add_message("c", named("m")),
            lambda: folder.restore("c"),
            lambda: page(folder, "c"),
        ]
        for call in calls:
            with pytest.raises(StoreError) as caught:
                call()
            assert caught.value.hint

    as_a_person(before)
    foreign(home / "data")
    as_a_person(work)


@pytest.mark.parametrize("with_index", [True, False])
def test_a_file_of_somebody_else_hides_no_other(home: Path, with_index: bool) -> None:
    def before() -> None:
        folder = Folder(home / "data")
        for name in ("mine", "theirs"):
            folder.create(name)
            folder.add_message(name, named(f"in {name}"))

    def work() -> None:
        os.environ["CODA_HOME"] = str(home)
        folder = Folder(home / "data")
        if with_index:
            folder.index = Index(folder.conversations, folder.blobs)
        assert "mine" in [row.id for row in folder.rows(Filter(), limit=9)]
        assert folder.load("mine").head == "in mine"
        with pytest.raises(StoreError) as caught:
            folder.load("theirs")
        assert caught.value.hint
        with pytest.raises(StoreError):
            folder.add_message("theirs", named("m"))

    Index(home / "nothing", home / "nothing").rows(Filter(), limit=1)  # imports what a person may not be able to read
    as_a_person(before)
    foreign(Folder(home / "data").own_file("theirs"))
    as_a_person(work)


def test_a_missing_folder_is_made_when_something_is_said_and_not_before(home: Path) -> None:
    def work() -> None:
        folder = Folder(home / "not" / "yet")
        assert folder.rows(Filter(), limit=9) == []
        assert not folder.exists("c")
        with pytest.raises(KeyError):
            folder.load("c")
        assert list(home.iterdir()) == []
        folder.create("c")
        folder.add_message("c", named("m"))
        shutil.rmtree(home / "not")  # while the program runs
        with pytest.raises(KeyError):
            folder.add_message("c", named("n"))
        folder.create("c")
        folder.add_message("c", named("n"))
        assert [message.message_id for message in folder.messages("c")] == ["n"]
        assert stat.S_IMODE((home / "not").stat().st_mode) == 0o700

    as_a_person(work)


# ---- odd files (FAULTS 5) -----------------------------------------------------------------------------------------


def test_odd_files_hide_no_chat_from_lists_and_searches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path / "data")
    folder.create("good")
    folder.add_message("good", named("needle"))
    line = 1_000_000_000 if LONG else 3_000_000
    if not LONG:
        monkeypatch.setattr("coda_cli.engine.conversations.journal.MAX_LINE", 1_000_000)
    odd = {
        "empty": b"",
        "nul": b"\0" * 10_000,
        "binary": bytes(range(256)) * 40,
        "array": b"[1,2]\n",
        "deep": b"[" * 100_000 + b"\n",
        "cut": folder.own_file("good").read_bytes()[:30],
        "no newline": b'{"type":"conversation"',
        "wrong kinds": b'{"type":"conversation","id":5,"seq":"x","head":[],"time":"y","title":{}}\n',
        "other json": b'{"name":"package"}\n',
        "bom": b"\xef\xbb\xbf" + folder.own_file("good").read_bytes(),
        "utf-16": folder.own_file("good").read_text().encode("utf-16"),
        "blank": b"\n" * 5000,
    }
    for name, content in odd.items():
        (folder.conversations / f"{name}.jsonl").write_bytes(content)
    with (folder.conversations / "one line.jsonl").open("wb") as file:
        file.truncate(line)  # a hole: takes no room
        file.write(b'{"type":"conversation","id":"huge","title":"')
    os.mkfifo(folder.conversations / "pipe.jsonl")
    (folder.conversations / "loop.jsonl").symlink_to(folder.conversations / "loop.jsonl")
    (folder.conversations / "device.jsonl").symlink_to("/dev/zero")
    for index in (None, Index(folder.conversations, folder.blobs)):
        folder.index = index
        assert "good" in [row.id for row in folder.rows(Filter(), limit=50)]
        assert "good" in {hit.conversation.id for hit in folder.search("needle", Filter(), limit=50)}
        assert folder.with_prefix("goo") == ["good"]
    assert {path.name for path in folder.conversations.iterdir()} >= {f"{name}.jsonl" for name in odd}  # none deleted
