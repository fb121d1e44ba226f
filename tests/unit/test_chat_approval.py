"""What a person reads before a yes, in the words that all front ends share: all of it, and what the yes is kept for."""

from __future__ import annotations

import pytest

from coda_cli.chat.approval import SHOW_ALL, cut, read_on, shown
from coda_cli.engine.core.tools import Decision, Effect
from tests.unit.permission_calls import COMMAND, MCP, READ, WRITE, Tool, command, named, request


@pytest.mark.parametrize(
    "line", ["ls", "ls " + "x" * 500 + "; rm -rf .", "ls\nrm -rf .", "ls\n\nin /: confined\n" + "\n" * 99 + "rm -rf ."]
)
@pytest.mark.parametrize("detail", ["{}", "in /here: confined\n\n{}", "{}\n\nin /here", "something else"])
def test_all_of_a_call_is_there_to_be_read(line: str, detail: str) -> None:
    told = shown(request(COMMAND, Effect(line, detail=detail.format(line))))
    assert line in (told.summary, told.detail) or line in told.detail
    assert len(told.summary) < 200
    assert "\n" not in told.summary


@pytest.mark.parametrize(
    ("tool", "effect", "kept"),
    [
        (WRITE, named(WRITE, "a.txt"), "write_file a.txt"),
        (COMMAND, command("git  status"), "run_command git status"),
        (COMMAND, command("git status | sh"), ""),
        (MCP, Effect("x", rule=MCP.name), f"every call of {MCP.name}"),
        (WRITE, named(WRITE, "*"), ""),
        (READ, named(READ, "a\u202eb"), ""),
    ],
)
def test_a_yes_that_is_kept_names_its_rule(tool: Tool, effect: Effect, kept: str) -> None:
    said = {one.decision: one.label for one in shown(request(tool, effect)).answers}
    assert said[Decision.CHAT] == f"yes, in this chat: {kept or 'exactly this again'}"
    assert said.get(Decision.ALWAYS) == (f"always here: {kept}" if kept else None)


def test_lines_that_are_left_out_are_counted_and_can_be_had() -> None:
    told = shown(request(WRITE, Effect("write a", diff="+x\n" * 30)))
    assert (cut(told, 10), cut(told, 30)) == (True, False)
    assert read_on(told.diff, 10, whole=False)[10:] == [f"… and 20 more lines: `{SHOW_ALL}` shows them all"]
    assert len(read_on(told.diff, 10, whole=True)) == 30
