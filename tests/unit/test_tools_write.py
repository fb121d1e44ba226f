"""write_file and edit_file on real files; the diffs that are shown before."""

import os
import re
import shutil
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError
from coda_cli.engine.tools.builtin.edit_file import EditFile
from coda_cli.engine.tools.builtin.list_files import ListFiles
from coda_cli.engine.tools.builtin.read_file import ReadFile
from coda_cli.engine.tools.builtin.search_files import SearchFiles
from coda_cli.engine.tools.builtin.write_file import WriteFile
from coda_cli.engine.tools.diff import unified
from tests.unit.file_calls import effect, names, plan, refused, run

ALL: tuple[BaseTool, ...] = (ReadFile(), ListFiles(), SearchFiles(), WriteFile(), EditFile())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


class TestWriting:
    async def test_a_new_file_and_its_folders(self, home: Path) -> None:
        planned = await plan(WriteFile(), home, path="new/er/a.txt", content="one\ntwo\n")
        assert not (home / "new").exists()
        assert planned.effect.diff == "--- /dev/null\n+++ new/er/a.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n"
        assert "makes the folder new" in planned.effect.detail
        assert (planned.effect.outside, planned.effect.rule) == (False, "write_file new/er/a.txt")
        assert (await planned.run()).text == "created new/er/a.txt (2 lines)"
        assert (home / "new/er/a.txt").read_text() == "one\ntwo\n"

    async def test_a_file_is_replaced_whole_and_keeps_its_mode(self, home: Path) -> None:
        script = home / "run.sh"
        script.write_text("old\n")
        script.chmod(0o750)
        planned = await plan(WriteFile(), home, path="run.sh", content="new\n")
        assert planned.effect.summary == "replace run.sh (+1 -1)"
        await planned.run()
        assert script.read_text() == "new\n"
        assert stat.S_IMODE(script.stat().st_mode) == 0o750
        assert names(home) == ["run.sh"]

    async def test_a_new_file_has_the_mode_of_the_umask(self, home: Path) -> None:
        before = os.umask(0o027)
        try:
            await run(WriteFile(), home, path="f", content="")
        finally:
            os.umask(before)
        assert stat.S_IMODE((home / "f").stat().st_mode) == 0o640

    @pytest.mark.parametrize("change", ["other text", "gone", "link", "folder"])
    async def test_what_changed_since_it_was_shown_is_not_written(
        self, home: Path, tmp_path: Path, change: str
    ) -> None:
        (home / "f").write_text("old")
        (tmp_path / "out").write_text("old")
        planned = await plan(WriteFile(), home, path="f", content="new")
        (home / "f").unlink()
        if change == "other text":
            (home / "f").write_text("theirs")
        elif change == "link":
            (home / "f").symlink_to(tmp_path / "out")
        elif change == "folder":
            (home / "f").mkdir()
        with pytest.raises(ToolError):
            await planned.run()
        assert (tmp_path / "out").read_text() == "old"
        assert (home / "f").is_symlink() == (change == "link")
        assert len(names(home)) == (change != "gone")

    async def test_a_file_that_has_come_meanwhile_is_kept(self, home: Path) -> None:
        planned = await plan(WriteFile(), home, path="f", content="new")
        (home / "f").write_text("theirs")
        with pytest.raises(ToolError, match="nothing was written"):
            await planned.run()
        assert (home / "f").read_text() == "theirs"

    async def test_a_folder_swapped_for_a_link_gets_nothing(self, home: Path, tmp_path: Path) -> None:
        (home / "sub").mkdir()
        (tmp_path / "evil").mkdir()
        planned = await plan(WriteFile(), home, path="sub/f", content="new")
        (home / "sub").rmdir()
        (home / "sub").symlink_to(tmp_path / "evil")
        with pytest.raises(ToolError, match="has changed since"):
            await planned.run()
        assert not names(tmp_path / "evil")

    async def test_the_same_holds_for_folders_that_were_to_be_made(self, home: Path, tmp_path: Path) -> None:
        (tmp_path / "evil").mkdir()
        planned = await plan(WriteFile(), home, path="sub/f", content="new")
        (home / "sub").symlink_to(tmp_path / "evil")
        with pytest.raises(ToolError):
            await planned.run()
        assert not names(tmp_path / "evil")

    async def test_no_race_writes_outside(self, home: Path, tmp_path: Path) -> None:
        (home / "real").mkdir()
        evil = tmp_path / "evil"
        evil.mkdir()
        (home / "link").symlink_to(evil)
        stop = threading.Event()

        def swap() -> None:
            while not stop.is_set():
                try:
                    (home / "real").rename(home / "kept")
                    (home / "link").rename(home / "real")
                    (home / "real").rename(home / "link")
                    (home / "kept").rename(home / "real")
                except OSError:  # a folder was made where one was missing
                    shutil.rmtree(home / "kept", ignore_errors=True)

        thread = threading.Thread(target=swap)
        thread.start()
        written = 0
        try:
            for number in range(300):
                try:
                    planned = await plan(WriteFile(), home, path=f"real/{number}", content="x")
                    if not planned.effect.outside:
                        await planned.run()
                        written += 1
                except ToolError:
                    continue
        finally:
            stop.set()
            thread.join()
        assert written
        assert not names(evil)

    async def test_a_link_inside_is_written_where_it_leads(self, home: Path) -> None:
        (home / "real.txt").write_text("old")
        (home / "link").symlink_to("real.txt")
        planned = await plan(WriteFile(), home, path="link", content="new")
        assert planned.effect.rule == "write_file real.txt"
        await planned.run()
        assert (home / "link").is_symlink()
        assert (home / "real.txt").read_text() == "new"

    async def test_a_link_out_asks_as_what_it_leads_to(self, home: Path, tmp_path: Path) -> None:
        (tmp_path / "theirs").write_text("old")
        (home / "link").symlink_to("../theirs")
        told = await effect(WriteFile(), home, path="link", content="new")
        assert (told.outside, told.rule) == (True, f"write_file {tmp_path}/theirs")
        assert "outside the working folder" in told.summary

    async def test_a_hard_link_is_broken_not_followed(self, home: Path, tmp_path: Path) -> None:
        (tmp_path / "theirs").write_text("old")
        os.link(tmp_path / "theirs", home / "f")
        text = await run(WriteFile(), home, path="f", content="new")
        assert "2 names (hard links)" in text
        assert (tmp_path / "theirs").read_text() == "old"
        assert (home / "f").read_text() == "new"

    async def test_what_was_approved_outside_is_written_there_and_nowhere_else(
        self, home: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "theirs").mkdir()
        await run(WriteFile(), home, path="../theirs/f", content="new")
        assert (tmp_path / "theirs" / "f").read_text() == "new"
        planned = await plan(WriteFile(), home, path="../theirs/f", content="newer")
        (tmp_path / "theirs").rename(tmp_path / "moved")
        (tmp_path / "theirs").symlink_to(home)
        (home / "f").write_text("new")
        with pytest.raises(ToolError, match="has changed since"):
            await planned.run()
        assert (home / "f").read_text() == "new"

    async def test_outside_no_folders_are_made(self, home: Path) -> None:
        assert "no folders are made" in await refused(WriteFile(), home, path="../a/b", content="")

    @pytest.mark.parametrize(
        "path", ["sub", "sub/", ".", "..", "pipe", "ro.txt", "/proc/self/comm", "/dev/null", "new/"]
    )
    async def test_what_is_no_file_to_write_is_refused(self, home: Path, path: str) -> None:
        (home / "sub").mkdir()
        (home / "ro.txt").write_text("x")
        (home / "ro.txt").chmod(0o444)
        os.mkfifo(home / "pipe")
        await refused(WriteFile(), home, path=path, content="x")

    async def test_secrets_and_codas_own_files_ask_even_here(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CODA_HOME", str(tmp_path / "own"))
        (tmp_path / "own" / "config" / "tools").mkdir(parents=True)
        for path in (".env", "own/config/tools/new.py", "own/config/coda.toml"):
            assert (await effect(WriteFile(), tmp_path, path=path, content="x")).outside, path

    async def test_line_ends_and_encoding_of_the_file_are_kept(self, home: Path) -> None:
        (home / "crlf").write_bytes(b"one\r\ntwo\r\n")
        (home / "wide").write_bytes("alt\n".encode("utf-16"))
        (home / "bom").write_bytes("alt\n".encode("utf-8-sig"))
        (home / "old").write_bytes("ä".encode("latin-1"))
        assert "CRLF as before" in await run(WriteFile(), home, path="crlf", content="one\nnew\n")
        assert (home / "crlf").read_bytes() == b"one\r\nnew\r\n"
        for name in ("wide", "bom"):
            await run(WriteFile(), home, path=name, content="neu ä\n")
        assert (home / "wide").read_bytes() == "neu ä\n".encode("utf-16")
        assert (home / "bom").read_bytes() == "neu ä\n".encode("utf-8-sig")
        assert "was not UTF-8" in await run(WriteFile(), home, path="old", content="ä€")
        assert (home / "old").read_bytes() == "ä€".encode()

    async def test_half_a_character_is_refused(self, home: Path) -> None:
        assert "half a character" in await refused(WriteFile(), home, path="f", content="\ud83d")

    async def test_a_full_disk_leaves_the_old_file(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (home / "f").write_text("old")
        planned = await plan(WriteFile(), home, path="f", content="new")

        def full(fd: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ToolError, match="no space left"):
            await planned.run()
        assert (home / "f").read_text() == "old"
        assert names(home) == ["f"]


class TestEditing:
    async def test_one_text_for_another_with_a_diff(self, home: Path) -> None:
        (home / "f.py").write_text("a = 1\nb = 2\nc = 3\n")
        planned = await plan(EditFile(), home, path="f.py", old="b = 2", new="b = 20")
        assert planned.effect.diff == "--- f.py\n+++ f.py\n@@ -1,3 +1,3 @@\n a = 1\n-b = 2\n+b = 20\n c = 3\n"
        assert planned.effect.rule == "edit_file f.py"
        assert (await planned.run()).text == "changed f.py (+1 -1)"
        assert (home / "f.py").read_text() == "a = 1\nb = 20\nc = 3\n"

    async def test_a_text_that_is_there_more_than_once_needs_more_or_all(self, home: Path) -> None:
        (home / "f").write_text("x\ny\nx\n")
        assert "2 times, at lines 1, 3" in await refused(EditFile(), home, path="f", old="x", new="z")
        assert await run(EditFile(), home, path="f", old="x", new="z", all=True) == "changed f in 2 places (+2 -2)"
        assert (home / "f").read_text() == "z\ny\nz\n"
        (home / "f").write_text("aaa")
        assert "2 times" in await refused(EditFile(), home, path="f", old="aa", new="b")

    async def test_a_text_that_is_not_there_is_answered_with_what_is(self, home: Path) -> None:
        (home / "f.py").write_text("def one():\n\treturn 1\n\n\ndef compute_total(items):\n    pass\n")
        told = await refused(EditFile(), home, path="f.py", old="def one():\n    return 1", new="")
        assert "line 1 is the same but for blanks" in told
        assert told.endswith("def one():\n\treturn 1")
        told = await refused(EditFile(), home, path="f.py", old="def compute_totals(item):", new="")
        assert "5: def compute_total(items):" in told
        assert "nor anything like it" in await refused(EditFile(), home, path="f.py", old="@@@@", new="")

    async def test_what_cannot_be_edited_is_said(self, home: Path) -> None:
        (home / "bin").write_bytes(b"\0\1")
        (home / "f").write_text("x")
        (home / "l1").write_bytes("ä\n".encode("latin-1"))
        assert "write_file makes a new file" in await refused(EditFile(), home, path="none", old="a", new="b")
        assert "not text" in await refused(EditFile(), home, path="bin", old="a", new="b")
        assert "the same" in await refused(EditFile(), home, path="f", old="x", new="x")
        assert "empty" in await refused(EditFile(), home, path="f", old="", new="x")
        assert "latin-1, which cannot hold" in await refused(EditFile(), home, path="l1", old="ä", new="€")

    async def test_crlf_and_encodings_stay(self, home: Path) -> None:
        (home / "f").write_bytes(b"one\r\ntwo\r\nthree\r\n")
        await run(EditFile(), home, path="f", old="one\ntwo", new="1\n2\n2b")
        assert (home / "f").read_bytes() == b"1\r\n2\r\n2b\r\nthree\r\n"
        await run(EditFile(), home, path="f", old="three", new="3\n4")
        assert (home / "f").read_bytes() == b"1\r\n2\r\n2b\r\n3\r\n4\r\n"
        for encoding in ("utf-16", "utf-8-sig", "latin-1"):
            (home / "g").write_bytes("öl\n".encode(encoding))
            await run(EditFile(), home, path="g", old="öl", new="Öl")
            assert (home / "g").read_bytes() == "Öl\n".encode(encoding)
        big = b"\xfe\xff" + "öl\n".encode("utf-16-be")
        (home / "g").write_bytes(big)
        await run(EditFile(), home, path="g", old="l", new="L")
        assert (home / "g").read_bytes() == b"\xfe\xff" + "öL\n".encode("utf-16-be")

    async def test_of_two_edits_of_one_plan_the_second_is_refused(self, home: Path) -> None:
        (home / "f").write_text("a b")
        first = await plan(EditFile(), home, path="f", old="a", new="1")
        second = await plan(EditFile(), home, path="f", old="b", new="2")
        await first.run()
        with pytest.raises(ToolError, match="has changed since this was planned"):
            await second.run()
        assert (home / "f").read_text() == "1 b"

    async def test_a_saved_twin_with_the_same_content_is_no_change(self, home: Path) -> None:
        (home / "f").write_text("a")
        planned = await plan(EditFile(), home, path="f", old="a", new="b")
        (home / "twin").write_text("a")
        (home / "twin").replace(home / "f")
        await planned.run()
        assert (home / "f").read_text() == "b"


class TestDiffs:
    def test_a_long_diff_is_shown_to_its_end(self) -> None:
        diff = unified("", "x\n" * 5000 + "bad\n", "f", created=True)
        assert (diff.added, diff.removed) == (5001, 0)
        lines = diff.text.splitlines()
        assert (len(lines), lines[-1]) == (5004, "+bad")

    def test_line_ends_are_shown_only_where_they_change(self) -> None:
        assert "␍" not in unified("a\r\nb\r\n", "a\r\nc\r\n", "f").text
        assert "-a␍\n" in unified("a\r\n", "a\n", "f").text
        assert unified("x", "x\n", "f").text.endswith("-x\n\\ No newline at end of file\n+x\n")

    def test_two_large_files_with_nothing_in_common_are_told_at_once(self) -> None:
        old = "".join(f"{number}\n" for number in range(50_000))
        new = "".join(f"{number + 1}x\n" for number in range(50_000))
        assert str(unified(old, new, "f")) == "+50000 -50000"

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.sampled_from("abc"), max_size=40), st.lists(st.sampled_from("abcd"), max_size=40), st.booleans())
    def test_the_diff_applied_to_the_old_text_gives_the_new(
        self, tmp_path: Path, old: list[str], new: list[str], ends: bool
    ) -> None:
        before, after = "".join(one + "\n" for one in old), "\n".join(new) + "\n" * (ends and bool(new))
        diff = unified(before, after, "f").text
        assert bool(diff) == (before != after)
        assert _applied(before, diff) == after


def _applied(text: str, diff: str) -> str:
    """*text* after *diff*: what `patch` does."""
    lines, made, at = text.splitlines(keepends=True), list[str](), 0
    for line in diff.splitlines(keepends=True)[2:]:
        if header := re.match(r"@@ -(\d+),(\d+) ", line):
            start = int(header[1]) - (header[2] != "0")
            made += lines[at:start]
            at = start
        elif line.startswith("\\"):
            made[-1] = made[-1].removesuffix("\n")
        elif line.startswith("+"):
            made.append(line[1:])
        else:
            assert lines[at].rstrip("\n") == line[1:].rstrip("\n")
            made += [line[1:]] if line.startswith(" ") else []
            at += 1
    return "".join(made + lines[at:])


def test_every_tool_says_what_a_small_model_needs() -> None:
    for tool in ALL:
        assert tool.category == "files"
        assert len(tool.description) < 120
        assert tool.parameters["additionalProperties"] is False


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
async def test_a_folder_that_is_gone_is_said(tmp_path: Path, tool: BaseTool) -> None:
    given = {"path": "f", "text": "x", "content": "x", "old": "x", "new": "y"}
    arguments = {name: value for name, value in given.items() if name in tool.parameters["properties"]}
    with pytest.raises(ToolError, match=r"the working folder .* can't be opened"):
        await tool.plan(arguments, ToolContext(folder=tmp_path / "gone"))
