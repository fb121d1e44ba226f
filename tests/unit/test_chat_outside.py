"""What a chat asks of the system: the clipboard, the editor, the person's shell."""

import asyncio
import base64
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coda_cli import paths
from coda_cli.chat import clipboard
from coda_cli.chat.editor import edit
from coda_cli.chat.shell import HEAD, TAIL, Running, run_shell
from coda_cli.engine.core.errors import UsageError


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


# ---- the clipboard --------------------------------------------------------------------------------------------------


def test_the_own_tool_comes_first_here_and_the_terminal_over_ssh(tools: Path, tmp_path: Path) -> None:
    tool(tools, "wl-copy", f"cat > {tmp_path}/copied")
    environ = {"PATH": f"{tools}:/usr/bin:/bin", "WAYLAND_DISPLAY": "w", "TERM": "xterm"}
    written: list[str] = []
    assert clipboard.copy("héllo", written.append, environ=environ) == "clipboard (wl-copy)"
    assert (tmp_path / "copied").read_text() == "héllo"
    how = clipboard.copy("héllo", written.append, environ={**environ, "SSH_TTY": "/dev/pts/1"})
    assert how == "terminal (OSC 52)"
    assert written == [f"\x1b]52;c;{base64.b64encode('héllo'.encode()).decode()}\x07"]


def test_a_tool_that_fails_is_passed_over(tools: Path) -> None:
    tool(tools, "xclip", "exit 1")
    environ = {"PATH": f"{tools}:/usr/bin:/bin", "DISPLAY": ":9", "TERM": "xterm"}
    assert clipboard.copy("x", lambda _: None, environ=environ) == "terminal (OSC 52)"


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_without_a_terminal_or_too_long_for_it_a_file_takes_it(term: str) -> None:
    text = "x" * (clipboard.LONGEST_OSC52 + 1) if term == "xterm" else "x"
    how = clipboard.copy(text, lambda _: None, environ={"PATH": "", "TERM": term})
    file = paths.cache_dir() / "clipboard.txt"
    assert how == f"file {file}"
    assert file.read_text() == text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


# ---- the editor -----------------------------------------------------------------------------------------------------


async def test_the_editor_gets_the_prompt_and_gives_it_back(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tools, "ed it", 'stat -c %a "$2" > "$1"; printf "%s\\nmore\\n" "$(cat "$2")" > "$2.new"; mv "$2.new" "$2"')
    monkeypatch.setenv("EDITOR", f"'{tools}/ed it' {tools}/mode")
    assert await edit("first ünïcode") == "first ünïcode\nmore"
    assert (tools / "mode").read_text().strip() == "600"
    assert [file.name for file in paths.cache_dir().iterdir() if file.name.startswith("prompt-")] == []


@pytest.mark.parametrize("command", ["false", "/no/such/editor", "'unclosed", "sh -c 'kill -9 $$'"])
async def test_an_editor_that_fails_is_told(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", command)
    with pytest.raises(UsageError) as caught:
        await edit("x")
    assert caught.value.hint
    assert [file.name for file in paths.cache_dir().glob("prompt-*")] == []


async def test_the_loop_goes_on_while_the_editor_is_open(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tools, "ed", f"until [ -e {tools}/go ]; do sleep 0.01; done; echo done > $1")
    monkeypatch.setenv("EDITOR", f"{tools}/ed")
    editing = asyncio.ensure_future(edit("x"))
    for _ in range(100):
        await asyncio.sleep(0.001)  # would never come back if the loop were held
    assert not editing.done()
    (tools / "go").touch()
    assert await editing == "done"


async def test_a_cancellation_ends_the_editor(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(tools, "ed", f"trap '' TERM; echo $$ > {tools}/pid; while :; do sleep 0.05; done")
    monkeypatch.setenv("EDITOR", f"{tools}/ed")
    before = signal.getsignal(signal.SIGINT)
    editing = asyncio.ensure_future(edit("x"))
    await asyncio.to_thread(wait_for, lambda: bool((tools / "pid").exists() and (tools / "pid").read_text()))
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    editing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await editing
    with pytest.raises(ProcessLookupError):
        os.kill(int((tools / "pid").read_text()), 0)
    assert signal.getsignal(signal.SIGINT) is before


# ---- the shell ------------------------------------------------------------------------------------------------------


async def test_a_command_says_its_output_as_it_comes_and_how_it_ended() -> None:
    shown: list[str] = []
    result = await run_shell("echo out; echo err >&2; exit 3", shown.append)
    assert result.output == "".join(shown) == "out\nerr\n"
    assert (result.code, result.outcome, result.stopped) == (3, "exit code 3", False)
    assert result.message.startswith("Output of `echo out; echo err >&2; exit 3` in my shell (exit code 3):")


async def test_the_head_and_the_tail_of_a_long_output_are_kept() -> None:
    shown: list[str] = []
    result = await run_shell("seq 1 100000", shown.append)
    assert result.left_out > 0
    assert result.output.startswith("1\n2\n")
    assert result.output.endswith("\n100000\n")
    assert len(result.output) <= HEAD + TAIL + 100
    assert "".join(shown) == result.output


async def test_what_is_stopped_ends_with_everything_it_started(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    inner = f"trap '' TERM; sh -c 'echo $$ >> {file}; sleep 600'"
    task = asyncio.ensure_future(run_shell(f"trap '' TERM; ({inner}) & echo $$ >> {file}; sleep 600; sleep 600"))
    await asyncio.to_thread(wait_for, lambda: file.exists() and len(file.read_text().split()) == 2)
    task.cancel()
    result = await task
    assert result.stopped
    pids = await asyncio.to_thread(file.read_text)
    await asyncio.to_thread(wait_for, lambda: not any(map(lives, pids.split())))


def wait_for(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not done():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.01)


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_what_a_command_leaves_in_the_background_keeps_nobody_waiting() -> None:
    result = await asyncio.wait_for(run_shell("sleep 600 & echo $!"), 30)
    os.kill(int(result.output), signal.SIGKILL)
    assert result.code == 0


@pytest.mark.parametrize("command", ["", "  ", "a\0b"])
async def test_nothing_is_no_command(command: str) -> None:
    with pytest.raises(UsageError):
        await run_shell(command)


async def test_what_has_left_the_group_of_a_stopped_command_ends_too(tools: Path, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    tool(tools, "away", f"trap '' TERM HUP; echo $$ >> {file}; exec sleep 600")
    task = asyncio.ensure_future(run_shell(f"(setsid {tools}/away &) & setsid {tools}/away & sleep 600"))
    await asyncio.to_thread(wait_for, lambda: file.exists() and len(set(file.read_text().split())) == 2)
    task.cancel()
    assert (await task).stopped
    for pid in file.read_text().split():
        assert not lives(pid)


async def test_all_of_a_long_output_can_be_watched_as_it_comes() -> None:
    watched: list[str] = []
    await run_shell("seq 1 100000", watch=watched.append)
    assert "".join(watched) == "".join(f"{number}\n" for number in range(1, 100001))


def test_of_a_running_command_the_latest_lines_are_seen() -> None:
    running = Running("make  all")
    assert running.message == "`make all` runs; Esc stops it"
    running.add("one\r\ntw")
    running.add("o\x1b[31m")
    assert running.changed
    assert running.message.endswith("\n\n```\none\ntwo\x1b[31m\n```")
    assert [running.changed] == [False]
    running.add("\n" + "".join(f"line {number}\n" for number in range(50)))
    assert "(42 lines above)" in running.message
    assert running.message.endswith("```\n" + "\n".join(f"line {number}" for number in range(40, 50)) + "\n```")
    running.add("x" * 10_000_000 + "\r" * 3)
    assert len(running.message) < 2_000
