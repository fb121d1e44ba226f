"""read_file, list_files and search_files on real files."""

import asyncio
import os
import re
import resource
import threading
from pathlib import Path

import pytest

from coda_cli.engine.tools.base import ToolContext, ToolError
from coda_cli.engine.tools.builtin.list_files import ListFiles
from coda_cli.engine.tools.builtin.read_file import ReadFile
from coda_cli.engine.tools.builtin.search_files import SearchFiles
from coda_cli.engine.tools.builtin.write_file import WriteFile
from tests.unit.file_calls import effect, names, plan, refused, run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


class TestReading:
    async def test_a_file_is_given_as_it_is(self, home: Path) -> None:
        (home / "a.txt").write_text("one\ntwo")
        assert await run(ReadFile(), home, path="a.txt") == "one\ntwo\n"
        assert await run(ReadFile(), home, path="a.txt", line_numbers=True) == "     1\tone\n     2\ttwo\n"

    async def test_a_part_of_a_long_file_says_how_to_go_on(self, home: Path) -> None:
        (home / "long").write_text("".join(f"line {number}\n" for number in range(1, 5001)))
        text = await run(ReadFile(), home, path="long")
        assert text.startswith("line 1\n")
        assert text.endswith("line 2000\n[lines 1-2000 of long; it goes on: start_line=2001]")
        rest = await run(ReadFile(), home, path="long", start_line=4999)
        assert rest == "line 4999\nline 5000\n[lines 4999-5000 of long, its end]"
        assert await run(ReadFile(), home, path="long", start_line=6000) == "[long has only 5000 lines]"

    async def test_what_would_crowd_out_the_chat_is_cut_between_lines(self, home: Path) -> None:
        (home / "wide").write_text(("x" * 100 + "\n") * 2000)
        text = await run(ReadFile(), home, path="wide")
        assert len(text) < 50_000
        (start,) = re.findall(r"start_line=(\d+)", text)
        assert int(start) == text.count("x" * 100) + 1

    async def test_one_endless_line_is_cut_and_told(self, home: Path) -> None:
        (home / "min.js").write_text("a" * 1_000_000 + "\nsecond\n")
        text = await run(ReadFile(), home, path="min.js")
        assert text == "a" * 4000 + "... (996001 more characters in this line)\nsecond\n"

    async def test_a_huge_file_is_read_without_being_held(self, home: Path) -> None:
        with (home / "huge").open("wb") as file:  # sparse: 4 GB of which a few bytes are on the disk
            file.write(b"first\n" * 20_000)
            file.truncate(4 << 30)
        text = await run(ReadFile(), home, path="huge", start_line=10_000, lines=2)
        assert text == "first\nfirst\n[lines 10000-10001 of huge; it goes on: start_line=10002]"

    @pytest.mark.parametrize(
        ("data", "text", "note"),
        [
            ("ä€\n".encode(), "ä€\n", ""),
            ("ä€\n".encode("utf-8-sig"), "ä€\n", ""),
            ("ä€\n".encode("utf-16"), "ä€\n", "UTF-16"),
            (b"\xfe\xff" + "ä€\n".encode("utf-16-be"), "ä€\n", "UTF-16"),
            ("ä\n".encode("latin-1"), "ä\n", "not UTF-8: read as Latin-1"),
            (b"x" * 70_000 + b"\n\xe4\n", "x", "not UTF-8: read as Latin-1"),
            (b"one\r\ntwo\r\n", "one\ntwo\n", "lines end with CRLF"),
            (b"", "", "the file is empty"),
        ],
    )
    async def test_encodings(self, home: Path, data: bytes, text: str, note: str) -> None:
        (home / "f").write_bytes(data)
        found = await run(ReadFile(), home, path="f")
        assert found.startswith(text)
        assert (f"[{note}]" in found) if note else (found == text)

    @pytest.mark.parametrize(
        ("data", "kind"),
        [
            (b"\x89PNG\r\n\x1a\n\0\0\0", "a PNG image"),
            (b"%PDF-1.7\n\0", "a PDF document"),
            (b"\x7fELF\x02\0", "a program"),
            (b"SQLite format 3\0rest", "an SQLite database"),
            (bytes(range(256)) * 3, "binary data"),
            (b"\x01\x02\x03\x04\x05\x06", "binary data"),
        ],
    )
    async def test_what_is_no_text_is_refused_with_its_kind_and_size(self, home: Path, data: bytes, kind: str) -> None:
        (home / "f").write_bytes(data)
        told = await refused(ReadFile(), home, path="f")
        assert kind in told
        assert f"{len(data)} bytes" in told

    async def test_reading_here_asks_nothing_and_elsewhere_asks(self, home: Path, tmp_path: Path) -> None:
        (home / "a.txt").write_text("x")
        (home / ".env").write_text("KEY=1")
        (tmp_path / "b.txt").write_text("y")
        (home / "link").symlink_to("../b.txt")
        inside = await effect(ReadFile(), home, path="a.txt")
        assert (inside.outside, inside.rule) == (False, "read_file a.txt")
        for path in ("../b.txt", "link", str(tmp_path / "b.txt")):
            told = await effect(ReadFile(), home, path=path)
            assert told.outside
            assert told.rule == f"read_file {tmp_path}/b.txt"
            assert "outside the working folder" in told.summary
        secret = await effect(ReadFile(), home, path=".env")
        assert secret.outside
        assert "it may hold secrets" in secret.summary

    async def test_what_was_approved_is_what_is_read(self, home: Path, tmp_path: Path) -> None:
        (tmp_path / "shown").write_text("approved")
        (tmp_path / "other").write_text("swapped in")
        planned = await plan(ReadFile(), home, path="../shown")
        (tmp_path / "other").replace(tmp_path / "shown")
        assert (await planned.run()).text == "approved\n"

    async def test_hard_links_are_told(self, home: Path) -> None:
        (home / "a").write_text("x\n")
        os.link(home / "a", home / "b")
        assert await run(ReadFile(), home, path="b") == "x\n[the file has 2 names (hard links)]"

    async def test_a_stopped_call_ends(self, home: Path) -> None:
        (home / "f").write_text("x\n" * 20_000)
        context = ToolContext(folder=home)
        planned = await ReadFile().plan({"path": "f", "start_line": 15_000}, context)
        context.cancelled.set()
        with pytest.raises(ToolError, match="stopped"):
            await planned.run()

    async def test_no_descriptor_stays_open(self, home: Path) -> None:
        (home / "sub").mkdir()
        (home / "sub" / "f").write_text("x")
        before = len(names(Path("/dev/fd")))
        for _ in range(30):
            await plan(ReadFile(), home, path="sub/f")  # refused: never run
            await run(ReadFile(), home, path="sub/f")
            await run(WriteFile(), home, path="sub/f", content="y")
            await run(ListFiles(), home)
            await run(SearchFiles(), home, text="y", regex=True)
        assert len(names(Path("/dev/fd"))) <= before + 1


class TestListing:
    async def test_a_tree_with_sizes_links_and_without_what_git_ignores(self, home: Path) -> None:
        for name in ("a.txt", "src/main.py", "src/deep/er/x.py", "build/out.o", ".git/config", "node_modules/m.js"):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text("12345")
        (home / ".gitignore").write_text("build/\n*.log\n")
        (home / "x.log").write_text("")
        (home / "link").symlink_to("../elsewhere")
        lines = (await run(ListFiles(), home)).splitlines()
        assert lines == [
            ".gitignore (13 bytes)",
            "a.txt (5 bytes)",
            "link -> ../elsewhere",
            "src/",
            "src/deep/",
            "src/main.py (5 bytes)",
        ]
        assert "src/deep/er/x.py (5 bytes)" in await run(ListFiles(), home, depth=9)
        assert (await run(ListFiles(), home, pattern="*.py")).splitlines() == [
            "src/deep/er/x.py (5 bytes)",
            "src/main.py (5 bytes)",
        ]
        assert "build/out.o" in await run(ListFiles(), home, ignored=True)
        assert await run(ListFiles(), home, path="build") == "out.o (5 bytes)"
        assert await run(ListFiles(), home, pattern="*.rs") == "nothing in . is like *.rs"

    async def test_rules_of_the_folders_above_count(self, home: Path) -> None:
        (home / "sub").mkdir()
        (home / ".gitignore").write_text("*.log\nsub/only\n")
        for name in ("a.log", "only", "kept"):
            (home / "sub" / name).write_text("")
        assert await run(ListFiles(), home, path="sub") == "kept (0 bytes)"

    async def test_many_files_are_bounded_the_nearest_first(self, home: Path) -> None:
        (home / "deep" / "er").mkdir(parents=True)
        for number in range(600):
            (home / "deep" / "er" / f"{number}").write_text("")
        (home / "zz.txt").write_text("")
        text = await run(ListFiles(), home, depth=5)
        assert "zz.txt" in text
        assert "103 more are not shown" in text
        assert text.count("\n") == 500

    async def test_thousands_of_folders_are_not_held_open(self, home: Path) -> None:
        for number in range(1500):
            (home / f"{number:04}").mkdir()
            (home / f"{number:04}" / "f").write_text("")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(names(Path("/dev/fd"))) + 100, hard))
        try:
            text = await run(ListFiles(), home, depth=2, pattern="f")
            await run(SearchFiles(), home, text="x")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "1000 more are not shown" in text
        assert "can't be read" not in text

    async def test_no_link_is_followed_and_no_name_breaks_a_line(self, home: Path) -> None:
        (home / "loop").symlink_to(".")
        (home / "a\nb").write_text("")
        (home / os.fsdecode(b"\xff")).write_text("")
        (home / "\u202etxt.exe").write_text("")
        lines = (await run(ListFiles(), home, depth=30)).splitlines()
        assert sorted(lines) == sorted(
            ["loop -> .", "a\\x0ab (0 bytes)", "\\xff (0 bytes)", "\\u202etxt.exe (0 bytes)"]
        )

    async def test_listing_elsewhere_asks(self, home: Path, tmp_path: Path) -> None:
        told = await effect(ListFiles(), home, path="..")
        assert (told.outside, told.rule) == (True, f"list_files {tmp_path}")
        assert await refused(ListFiles(), home, path="/proc") == "/proc belongs to /proc, which is closed to tools"
        (home / "file").write_text("")
        assert await refused(ListFiles(), home, path="file") == "file is not a folder"
        assert await refused(ListFiles(), home, path="none") == "there is no folder none"

    async def test_a_very_deep_folder_ends(self, home: Path) -> None:
        (home / Path(*["d"] * 100)).mkdir(parents=True)
        assert len((await run(ListFiles(), home, depth=30)).splitlines()) == 30


class TestSearching:
    @pytest.fixture
    def code(self, home: Path) -> Path:
        for name, text in {
            "a.py": "import os\nprint('Needle')\n",
            "sub/b.py": "x = 1\r\n# needle here\r\n",
            "sub/c.txt": "needle needle\n",
            "ignored/d.py": "needle\n",
            ".env": "NEEDLE=needle\n",
        }.items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_bytes(text.encode())
        (home / "bin").write_bytes(b"\0needle\n")
        (home / ".gitignore").write_text("ignored\n")
        return home

    async def test_a_text_is_found_with_file_and_line(self, code: Path) -> None:
        text = await run(SearchFiles(), code, text="needle")
        assert text.splitlines() == [
            "sub/b.py:2: # needle here",
            "sub/c.txt:1: needle needle",
            "[left out: 1 that may hold secrets]",
        ]
        assert "a.py:2: print('Needle')" in await run(SearchFiles(), code, text="NEEDLE", ignore_case=True)
        assert "c.txt" not in await run(SearchFiles(), code, text="needle", glob="*.py")
        assert await run(SearchFiles(), code, text="needle", path="sub/c.txt") == "sub/c.txt:1: needle needle"
        assert (await run(SearchFiles(), code, text="needle", path="sub")).startswith("sub/b.py:2:")
        assert (await run(SearchFiles(), code, text="nothing")).startswith("no line contains it (4 files searched)")

    async def test_lines_are_searched_one_at_a_time(self, code: Path) -> None:
        assert "one line at a time" in await refused(SearchFiles(), code, text="import os\nprint")

    async def test_a_regular_expression(self, code: Path) -> None:
        text = await run(SearchFiles(), code, text=r"^\W*needle\b", regex=True)
        assert text.splitlines()[:2] == ["sub/b.py:2: # needle here", "sub/c.txt:1: needle needle"]
        assert "a.py:2" in await run(SearchFiles(), code, text="needle", regex=True, ignore_case=True)
        assert "not a regular expression" in await refused(SearchFiles(), code, text="(", regex=True)

    async def test_results_are_bounded(self, home: Path) -> None:
        (home / "f").write_text("x\n" * 5000)
        text = await run(SearchFiles(), home, text="x", max_results=7)
        assert text.count("f:") == 7
        assert "the first 7: there may be more" in text
        (home / "f").write_text("a" * 10_000 + "here" + "b" * 10_000)
        (line,) = (await run(SearchFiles(), home, text="here")).splitlines()
        assert "here" in line
        assert len(line) < 320

    @pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"^(\w+\s?)*$", r"(.*a){25}$"])
    async def test_an_expression_that_takes_for_ever_is_ended(self, home: Path, pattern: str) -> None:
        (home / "f").write_text("a" * 60 + "!\n")
        context = ToolContext(folder=home, timeout=1.0)
        planned = await SearchFiles().plan({"text": pattern, "regex": True}, context)
        with pytest.raises(ToolError, match="takes too long"):
            await planned.run()

    @pytest.mark.parametrize("pattern", ["(" * 5000, "a{99999999999}", "[" * 100, "\\", "(?P<n>x)(?P<n>y)", "a" * 3000])
    async def test_an_expression_that_is_none_or_too_large_is_refused_in_words(self, home: Path, pattern: str) -> None:
        (home / "f").write_text("a" * 100)
        context = ToolContext(folder=home, timeout=2.0)
        planned = await SearchFiles().plan({"text": pattern, "regex": True}, context)
        with pytest.raises(ToolError, match="regular expression"):
            await planned.run()

    async def test_a_search_can_be_stopped(self, home: Path) -> None:
        (home / "f").write_text("a" * 60 + "!\n")
        context = ToolContext(folder=home, timeout=60)
        planned = await SearchFiles().plan({"text": "(a+)+$", "regex": True}, context)
        threading.Timer(0.3, context.cancelled.set).start()
        with pytest.raises(ToolError, match="stopped"):
            await planned.run()

    async def test_the_event_loop_goes_on_while_an_expression_hangs(self, home: Path) -> None:
        (home / "f").write_text("a" * 60 + "!\n")
        planned = await SearchFiles().plan({"text": "(a+)+$", "regex": True}, ToolContext(folder=home, timeout=1.5))
        task = asyncio.ensure_future(planned.run())
        ticks = 0
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 10
        assert isinstance(task.exception(), ToolError)

    async def test_codas_keys_are_not_searched(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "own" / "config").mkdir(parents=True)
        (tmp_path / "own" / "config" / "keys.toml").write_text("openai = 'sk-canary'\n")
        monkeypatch.setenv("CODA_HOME", str(tmp_path / "own"))
        os.link(tmp_path / "own" / "config" / "keys.toml", tmp_path / "notes.txt")
        assert "canary" not in await run(SearchFiles(), tmp_path, text="sk-")

    async def test_large_files_are_left_out_and_told(self, home: Path) -> None:
        with (home / "large").open("wb") as file:
            file.truncate(6 << 20)
        assert "left out: 1 over 5.0 MB" in await run(SearchFiles(), home, text="x")
