"""The tools that run code, as the manager uses them: what is shown before is what runs, and what comes back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from coda_cli.engine.core.tools import Touches
from coda_cli.engine.tools import sandbox
from coda_cli.engine.tools.base import BaseTool, ToolContext, ToolError
from coda_cli.engine.tools.builtin.read_output import ReadOutput
from coda_cli.engine.tools.builtin.run_command import RunCommand, seconds_for
from coda_cli.engine.tools.builtin.run_python import RunPython
from coda_cli.engine.tools.output import Spools, kept_text, new_spool, readable
from coda_cli.engine.tools.permissions import Permissions
from tests.unit.held import KINDS, hold, living


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    folder = tmp_path / "work"
    folder.mkdir()
    return ToolContext(call_id="1", folder=folder, timeout=30.0)


async def call(tool: BaseTool, context: ToolContext, **arguments: object) -> str:
    planned = await tool.plan(arguments, context)
    return (await planned.run()).text


# -- run_command


async def test_a_command_is_shown_exactly_with_what_holds_it(context: ToolContext) -> None:
    planned = await RunCommand().plan({"command": "git status --short"}, context)
    effect = planned.effect
    assert RunCommand.touches is Touches.RUNS
    assert effect.summary == "git status --short"
    assert sandbox.confinement().words in effect.detail
    assert str(context.folder) in effect.detail
    assert (effect.argv, effect.rule) == (("git", "status", "--short"), "run_command git status --short")
    assert not effect.outside


@pytest.mark.parametrize("command", ["ls; id", "ls | wc", "echo $HOME", "ls\nid", "env ls", "A=1 ls", "ls > x", "`id`"])
async def test_only_a_simple_command_can_be_allowed_for_good(context: ToolContext, command: str) -> None:
    effect = (await RunCommand().plan({"command": command}, context)).effect
    assert (effect.summary, effect.argv, effect.rule) == (command, None, None)


async def test_planning_runs_nothing(context: ToolContext) -> None:
    planned = await RunCommand().plan({"command": "touch made"}, context)
    assert not (context.folder / "made").exists()
    await planned.run()
    assert (context.folder / "made").exists()


async def test_the_network_is_asked_for_and_never_allowed_for_good(context: ToolContext) -> None:
    effect = (await RunCommand().plan({"command": "git fetch", "network": True}, context)).effect
    assert (effect.rule, effect.argv) == (None, None)
    assert effect.outside
    assert "not off the network" in effect.detail or "not a sandbox" in effect.detail


async def test_the_result_has_the_output_and_the_exit_code(context: ToolContext) -> None:
    planned = await RunCommand().plan({"command": "pwd; echo problem >&2; exit 1"}, context)
    output = await planned.run()
    assert output.text.startswith(f"{context.folder}\nproblem\n[exit code 1, ")
    assert output.is_error
    output = await (await RunCommand().plan({"command": "true"}, context)).run()
    assert output.text.startswith("(no output)\n[exit code 0, ")
    assert not output.is_error


@pytest.mark.parametrize("kind", KINDS)
async def test_a_command_past_its_time_tells_what_it_printed(
    context: ToolContext, kind: sandbox.Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, kind)
    text = await call(RunCommand(), context, command="echo begun; sleep 31.4159", timeout=0.4)
    assert text.startswith("begun\n[stopped after 0 s: its time was over")
    assert living("sleep 31.4159") == []


WRITTEN = {
    "mkdir .vscode; echo x >.vscode/tasks.json; echo x >.envrc": [".envrc", ".vscode"],
    "echo x >>.bashrc": [".bashrc"],
    "rm -r .idea": [".idea"],
    "mkdir -p .git/hooks; echo x >.git/hooks/pre-commit": [".git/hooks/pre-commit"],
    "echo ../x >.git/commondir; echo x >.git/index": [".git/commondir"],
    "chmod +x .git/hooks.sample; echo x >.gitignore; echo x >a; mkdir -p .github; echo x >.github/x": [],
    "mkdir -p .github/workflows node_modules/.bin; echo x >.github/workflows/ci.yml; echo x >node_modules/.bin/tsc": [
        ".github/workflows",
        "node_modules/.bin/tsc",
    ],
    "touch -r .bashrc old; echo y >.bashrc; touch -r old .bashrc": [".bashrc"],
    "ln -s /etc .cursor": [".cursor"],
    "mkdir -p .git/modules/a/b/hooks; cd .git/modules/a/b; echo x >config; echo x >index; echo x >hooks/pre-push": [
        ".git/modules/a/b/config",
        ".git/modules/a/b/hooks/pre-push",
    ],
}


@pytest.mark.parametrize("line", WRITTEN)
async def test_a_person_is_told_what_a_command_changed_that_runs_by_itself(
    context: ToolContext, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(monkeypatch, "none")
    for name in (
        ".git/index",
        ".git/hooks.sample",
        ".bashrc",
        ".idea/tasks.xml",
        ".github/README",
        "node_modules/.bin/x",
    ):
        path = context.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    output = await (await RunCommand().plan({"command": line}, context)).run()
    if WRITTEN[line]:
        told = f"this command changed {', '.join(WRITTEN[line])}"
        assert output.display.startswith(f"{told}, which runs by itself\n\n(no output)")
        assert output.text.startswith(f"[{told}]\n(no output)")
    else:
        assert not output.display


async def test_of_many_changes_some_are_named_and_of_a_new_place_the_place(context: ToolContext) -> None:
    (context.folder / ".yarn").mkdir()
    line = "git init -q . && cd .yarn && touch 1 2 3 4 5 6"
    display = (await (await RunCommand().plan({"command": line}, context)).run()).display
    assert display.startswith("this command changed .git, .yarn/1, .yarn/2, .yarn/3, .yarn/4 and 2 more, which")


@pytest.mark.parametrize("line", ["git config core.editor vi", "echo x >.git/hooks/pre-commit", "mv .git g"])
async def test_a_model_is_told_why_it_cannot_write_a_hook(
    context: ToolContext, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await call(RunCommand(), context, command="git init -q .")
    for kind in {"namespaces", "bubblewrap"} & set(KINDS):
        hold(monkeypatch, kind)  # type: ignore[arg-type]  # the names are those of the set
        assert "there not what runs by itself: .git/hooks" in await call(RunCommand(), context, command=line)
    assert not (context.folder / "g").exists()


def test_its_time_ends_before_that_of_the_call() -> None:
    assert seconds_for(None, 120.0) == 118.0
    assert seconds_for(5, 120.0) == 5.0
    assert seconds_for(9999, 120.0) == 118.0
    assert seconds_for(None, 1.0) == 0.9


@pytest.mark.parametrize("command", ["", "  \n ", "echo a\0b"])
async def test_what_is_no_command_is_refused(context: ToolContext, command: str) -> None:
    with pytest.raises(ToolError, match="command"):
        await RunCommand().plan({"command": command}, context)


async def test_its_output_is_shown_as_it_comes(context: ToolContext) -> None:
    came = asyncio.Event()
    seen: list[str] = []

    def progress(text: str) -> None:
        seen.append(text)
        came.set()

    context.progress = progress
    planned = await RunCommand().plan({"command": "echo first; while [ ! -e go ]; do sleep 0.02; done"}, context)
    running = asyncio.ensure_future(planned.run())
    await came.wait()
    assert seen == ["first\n"]
    assert not running.done()
    (context.folder / "go").touch()
    assert (await running).text.startswith("first\n[exit code 0")


async def test_terminal_codes_are_taken_out_of_what_the_model_reads(context: ToolContext) -> None:
    text = await call(
        RunCommand(), context, command="printf '\\033[1;31mred\\033[0m 10%%\\r20%%\\r\\n\\033]0;title\\007\\001'"
    )
    assert text.startswith("20%\n\ufffd\n[exit code 0")


# -- run_python


async def test_python_is_shown_whole_and_runs_in_a_folder_of_its_own(context: ToolContext) -> None:
    there = "[name for name in os.listdir('.') if name.endswith('.py')]"
    code = f"import os\nprint(2**100, {there}, os.environ['FOLDER'])\nopen('made', 'w').close()\n"
    planned = await RunPython().plan({"code": code}, context)
    assert planned.effect.summary == "run 3 lines of Python"
    assert planned.effect.detail.endswith(f"\n\n{code}")
    assert (planned.effect.rule, planned.effect.argv) == (None, None)
    output = await planned.run()
    assert output.text.startswith(f"{2**100} ['program.py'] {context.folder}\n[exit code 0")
    assert list(context.folder.iterdir()) == []


async def test_python_reads_the_folder_and_does_not_change_it_where_it_is_held(
    tmp_path: Path, kind_and_base: tuple[sandbox.Kind, Path]
) -> None:
    kind, base = kind_and_base
    base.joinpath("data").write_text("21", "ascii")
    context = ToolContext(folder=base, timeout=30.0)
    code = "import os\np = os.environ['FOLDER']\nprint(int(open(p + '/data').read()) * 2)\nopen(p + '/data', 'w')"
    text = await call(RunPython(), context, code=code)
    assert text.startswith("42\n")
    assert (base.joinpath("data").read_text("ascii") == "21") == (kind != "none")


@pytest.fixture(params=KINDS)
def kind_and_base(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[sandbox.Kind, Path]]:
    import tempfile

    hold(monkeypatch, request.param)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield request.param, Path(name)


async def test_python_errors_come_back_with_their_line_and_a_word_on_paths(context: ToolContext) -> None:
    text = await call(RunPython(), context, code="x = 1\nopen('data.csv')")
    assert "line 2" in text
    assert "open('data.csv')" in text
    assert "os.environ['FOLDER']" in text


@pytest.mark.parametrize("code", ["", "x =", "x = '\0'", "(" * 300])
async def test_what_is_no_python_is_refused_before_it_is_asked_for(context: ToolContext, code: str) -> None:
    with pytest.raises(ToolError, match="code"):
        await RunPython().plan({"code": code}, context)


async def test_python_cannot_leave_the_program(context: ToolContext) -> None:
    text = await call(RunPython(), context, code="import os, sys\nprint('out', flush=True)\nos._exit(3)")
    assert text.startswith("out\n[exit code 3")


# -- the rest of a long output


async def test_read_output_goes_on_where_the_result_stopped(context: ToolContext) -> None:
    text = await call(RunCommand(), context, command="i=0; while [ $i -lt 30000 ]; do echo n$i; i=$((i+1)); done")
    key = text.rpartition('read_output(id="')[2].partition('"')[0]
    middle = await ReadOutput().run({"id": key, "offset": 32768}, context)
    whole = "".join(f"n{number}\n" for number in range(30_000))
    assert middle.startswith(whole[32768:65536])
    assert f"offset=65536, of {len(whole):,} bytes" in middle
    assert (await ReadOutput().run({"id": key, "offset": len(whole) - 5}, context)).endswith("9999\n\n[the end]")
    for wrong in ({"id": "none"}, {"id": key, "offset": len(whole) + 1}):
        with pytest.raises(ToolError):
            await ReadOutput().run(wrong, context)


def test_only_the_last_outputs_are_kept() -> None:
    spools = Spools(keep=2)
    files = [new_spool() for _ in range(3)]
    keys = [spools.put(file, 0) for file in files]
    assert [file.closed for file in files] == [True, False, False]
    with pytest.raises(ToolError, match="run the command again"):
        spools.read(keys[0], 0)
    assert os.fstat(files[1].fileno()).st_nlink == 0
    assert os.fstat(files[1].fileno()).st_mode & 0o077 == 0
    for file in files:
        file.close()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=400), st.integers(4, 40))
def test_pages_join_to_the_whole(text: str, size: int) -> None:
    spools = Spools()
    with new_spool() as file:
        file.write(text.encode())
        file.flush()
        key = spools.put(file, len(text.encode()))
        read, at = "", 0
        while True:
            page = spools.read(key, at, size)
            read += page.text
            if page.next is None:
                break
            assert page.next > at
            at = page.next
    assert read == text


@given(st.binary(max_size=300))
def test_what_the_model_reads_has_no_control_characters(output: bytes) -> None:
    text = readable(output)
    assert not any((ord(char) < 32 and char not in "\t\n") or 0x7F <= ord(char) < 0xA0 for char in text)
    assert "\x1b" not in text


def test_a_gap_is_counted() -> None:
    assert kept_text(b"a", b"b", 2) == ("ab", 0)
    assert kept_text("é".encode()[:1], b"b", 1002)[1] == 1000
    assert "1,000 bytes left out" in kept_text(b"a", b"b", 1002)[0]


async def test_a_command_that_asks_for_the_network_says_so_first(tmp_path: Path) -> None:
    planned = await RunCommand().plan({"command": "true", "network": True}, ToolContext(folder=tmp_path))
    verdict = Permissions(tmp_path).judge(RunCommand(), planned.effect, "ask", "chat")
    assert (verdict.action, verdict.why) == ("ask", "it runs a program, with the network open to it")


async def test_no_command_can_write_what_holds_it_in_above_coda_itself(context: ToolContext) -> None:
    """It may end like what we say of it; that stands first."""
    fake = "# 1\n\n# in /: confined to the folder and off the network" + "\n" * 50 + "# 2"
    for tool, name, folder in ((RunCommand(), "command", context.folder), (RunPython(), "code", None)):
        detail = (await tool.plan({name: fake}, context)).effect.detail
        assert detail.split("\n", 1)[0].endswith(f": {sandbox.folder_confinement(folder).words}")
        assert detail.endswith(f"\n\n{fake}")
