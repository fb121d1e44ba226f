"""What runs, asks and is refused: modes, rules, and what the answers of a person mean for later calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli import paths
from coda_cli.engine.core.tools import Decision, Effect, Touches
from coda_cli.engine.tools.permissions import Permissions
from coda_cli.engine.tools.rules import BadPattern, exact_pattern, parse
from tests.unit.permission_calls import (
    ASK,
    COMMAND,
    EDIT,
    FETCH,
    MCP,
    MODES,
    NO,
    READ,
    RUN,
    TIME,
    WRITE,
    Tool,
    action,
    always,
    command,
    named,
    request,
    say,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "project"
    here.mkdir()
    return here


# --- Modes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "outside", "expected"),  # in the order ask, read-only, accept-edits, all
    [
        (TIME, False, (RUN, RUN, RUN, RUN)),
        (READ, False, (RUN, RUN, RUN, RUN)),
        (READ, True, (ASK, NO, ASK, RUN)),
        (WRITE, False, (ASK, NO, RUN, RUN)),
        (WRITE, True, (ASK, NO, ASK, RUN)),
        (FETCH, False, (ASK, NO, ASK, RUN)),
        (FETCH, True, (ASK, NO, ASK, RUN)),
        (COMMAND, False, (ASK, NO, ASK, RUN)),
        (COMMAND, True, (ASK, NO, ASK, RUN)),
        (MCP, False, (ASK, NO, ASK, RUN)),
    ],
)
def test_what_each_mode_does_without_rules(folder: Path, tool: Tool, outside: bool, expected: Sequence[str]) -> None:
    permissions = Permissions(folder)
    effect = Effect("what it does", rule=tool.name, outside=outside)
    assert tuple(action(permissions, tool, effect, mode) for mode in MODES) == tuple(expected)
    for mode in MODES:
        why = permissions.judge(tool, effect, mode, "chat").why
        assert why
        assert "\n" not in why


def test_a_file_whose_name_no_rule_can_hold_is_asked_for(folder: Path) -> None:
    assert action(Permissions(folder), WRITE, Effect("write a\u202eb"), "accept-edits") == ASK
    assert action(Permissions(folder), WRITE, named(WRITE, "ab"), "accept-edits") == RUN


def test_a_command_under_a_rule_asks_again_once_something_was_written_unasked(folder: Path) -> None:
    """`make` does what the Makefile says, and nobody has seen that one."""
    permissions, make = Permissions(folder, allow=["run_command make"]), command("make")
    always(permissions, "pytest -q")
    permissions.add("run_command git log *")
    commands = (make, command("pytest -q"), command("git log main"))
    for effect in commands:
        assert action(permissions, COMMAND, effect, "accept-edits") == RUN
    assert action(permissions, WRITE, named(WRITE, "Makefile"), "accept-edits") == RUN
    for effect in commands:
        for mode, expected in (("ask", ASK), ("accept-edits", ASK), ("read-only", NO), ("all", RUN)):
            assert action(permissions, COMMAND, effect, mode, chat="another") == expected  # type: ignore[arg-type]
    assert "written without a question" in permissions.judge(COMMAND, make, "accept-edits", "chat").why
    always(permissions, "make")  # the person has said yes to the files as they are now
    assert action(permissions, COMMAND, make, "accept-edits") == RUN
    assert action(permissions, COMMAND, command("pytest -q"), "accept-edits") == ASK
    assert action(permissions, EDIT, named(EDIT, "Makefile"), "accept-edits") == RUN
    assert action(permissions, COMMAND, make, "accept-edits") == ASK


def test_what_was_not_written_or_was_asked_for_leaves_the_rules_of_commands_as_they_are(folder: Path) -> None:
    permissions = Permissions(folder, allow=["run_command make"], deny=["write_file secret"])
    for what, mode in (("a", "ask"), (".envrc", "accept-edits"), ("a", "read-only"), ("secret", "all")):
        assert action(permissions, WRITE, named(WRITE, what), mode) != RUN  # type: ignore[arg-type]
    assert action(permissions, READ, named(READ, "a"), "accept-edits") == RUN
    assert action(permissions, COMMAND, command("make"), "accept-edits") == RUN


def test_a_denial_wins_over_everything(folder: Path) -> None:
    rules = ["get_time", "read_file secret.txt", "write_file a", "fetch_url https://h/x", "run_command git status"]
    permissions = Permissions(folder, allow=[*rules, "mcp__files__*"], deny=[*rules, "mcp__files__*"])
    for mode in MODES:
        assert action(permissions, TIME, Effect("time"), mode) == NO
        assert action(permissions, READ, named(READ, "secret.txt"), mode) == NO
        assert action(permissions, WRITE, named(WRITE, "a"), mode) == NO
        assert action(permissions, FETCH, named(FETCH, "https://h/x"), mode) == NO
        assert action(permissions, COMMAND, command("git  'status'"), mode) == NO
        assert action(permissions, COMMAND, command("/usr/bin/git status"), mode) == NO
        assert action(permissions, MCP, Effect("delete"), mode) == NO


def test_read_only_wins_over_what_is_allowed(folder: Path) -> None:
    permissions = Permissions(
        folder, allow=["write_file", "run_command git status", "fetch_url", "read_file /etc/hosts"]
    )
    for tool, effect in (
        (WRITE, named(WRITE, "a")),
        (COMMAND, command("git status")),
        (FETCH, named(FETCH, "https://h/")),
        (READ, named(READ, "/etc/hosts", outside=True)),
    ):
        assert action(permissions, tool, effect, "ask") == RUN
        assert action(permissions, tool, effect, "read-only") == NO


def test_where_a_denied_command_may_hide_even_mode_all_asks(folder: Path) -> None:
    permissions = Permissions(folder, deny=["run_command git push *"])
    assert action(permissions, COMMAND, command("ls"), "all") == RUN
    assert action(permissions, COMMAND, command("git status; git push"), "all") == ASK
    assert action(permissions, COMMAND, command("sh -c 'git push'"), "all") == ASK
    for line in ("git push", "git push origin main", "git push --force", "/usr/bin/git push", "git push -o ext::x"):
        assert action(permissions, COMMAND, command(line), "all") == NO, line
    for denied in ("run_command curl *", "run_command sudo *", "run_command ./deploy.sh"):
        assert Permissions(folder, deny=[denied]).problems == []
    assert action(Permissions(folder, deny=["run_command curl *"]), COMMAND, command("curl https://h"), "all") == NO
    assert action(Permissions(folder, deny=["run_command ./x"]), COMMAND, command("./x"), "all") == NO
    stricter = Permissions(folder, deny=["run_command git push"])
    assert action(stricter, COMMAND, command("git push"), "all") == NO
    assert action(stricter, COMMAND, command("git status; git push"), "all") == ASK


# --- Patterns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("write_file a.txt", ["a.txt"], ["b.txt", "a.txt2", "d/a.txt", "/a.txt", "./a.txt", "A.txt", "a.txt "]),
        ("write_file ./a.txt", ["a.txt"], ["b.txt"]),
        ("write_file d/*", ["d/a", "d/b.txt", "d/.x"], ["d", "d/e/f", "e/a", "/d/a", "d/../e", "d//a", "xd/a", "d/"]),
        ("write_file d/**", ["d/a", "d/e/f"], ["d", "e/a", "/d/a", "d/../e", "d/e/../../x"]),
        ("write_file *", ["a", "b.txt"], ["d/a", "/a", "..", "../a"]),
        ("write_file **", ["a", "d/e/f"], ["/a", "../a", "d/../../a"]),
        ("write_file /x/*", ["/x/a"], ["x/a", "/x/a/b", "/x", "/y/a", "/x/../y"]),
        ("write_file a b.txt", ["a b.txt"], ["a", "b.txt"]),
        ("write_file", ["a", "d/e"], []),
    ],
)
def test_patterns_of_files(folder: Path, pattern: str, covered: Sequence[str], not_covered: Sequence[str]) -> None:
    permissions = Permissions(folder, allow=[pattern])
    assert permissions.problems == []
    for what in covered:
        assert action(permissions, WRITE, named(WRITE, what)) == RUN, what
        assert action(permissions, EDIT, named(EDIT, what)) == ASK, what
    for what in not_covered:
        assert action(permissions, WRITE, named(WRITE, what)) == ASK, what


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("fetch_url https://h/a", ["https://h/a"], ["https://h/", "https://h/ab", "http://h/a", "https://h/a?x"]),
        (
            "fetch_url https://h/*",
            ["https://h/", "https://h/a", "https://h/a/b?c=d", "https://H/a"],
            [
                "http://h/a",
                "https://h.evil/a",
                "https://evilh/a",
                "https://x@h/a",
                "https://h@evil/a",
                "https://h:444/a",
                "https://h\\@evil/a",
                "https://evil/https://h/a",
                "https://h/a\u202e",
            ],
        ),
        (
            "fetch_url https://h/docs/*",
            ["https://h/docs/a"],
            [
                "https://h/",
                "https://h/docsx",
                "https://h/docs/../a",
                "https://h/docs/%2e%2e/a",
                "https://h/docs/%2E./a",
            ],
        ),
    ],
)
def test_patterns_of_addresses(folder: Path, pattern: str, covered: Sequence[str], not_covered: Sequence[str]) -> None:
    permissions = Permissions(folder, allow=[pattern])
    assert permissions.problems == []
    for what in covered:
        assert action(permissions, FETCH, named(FETCH, what)) == RUN, what
    for what in not_covered:
        assert action(permissions, FETCH, named(FETCH, what)) == ASK, what


def test_patterns_of_tools_and_servers(folder: Path) -> None:
    permissions = Permissions(folder, allow=["mcp__files__*", "mcp__web__get"])
    assert action(permissions, MCP, Effect("x")) == RUN
    assert action(permissions, Tool("mcp__web__get", Touches.RUNS), Effect("x")) == RUN
    assert action(permissions, Tool("mcp__web__getall", Touches.RUNS), Effect("x")) == ASK
    assert action(permissions, Tool("mcp__files2__x", Touches.RUNS), Effect("x")) == ASK


def test_a_tool_alone_does_not_reach_out_of_the_folder(folder: Path) -> None:
    permissions = Permissions(folder, allow=["write_file", "run_command"])
    assert action(permissions, WRITE, named(WRITE, "/etc/x", outside=True)) == ASK
    assert action(permissions, COMMAND, command("a | b")) == RUN
    assert action(permissions, COMMAND, Effect("a", outside=True)) == ASK


def test_what_is_asked_for_a_reason_is_allowed_by_its_own_name_only(folder: Path) -> None:
    secret = Effect("read .env", rule="read_file .env", outside=True, reason="it may hold secrets")
    for wide in ("read_file", "read_file *", "read_file **"):
        assert action(Permissions(folder, allow=[wide]), READ, secret) == ASK, wide
    assert action(Permissions(folder, allow=["read_file .env"]), READ, secret) == RUN
    assert "it may hold secrets" in Permissions(folder).judge(READ, secret, "ask", "chat").why
    elsewhere = named(READ, "/data/a", outside=True)
    assert action(Permissions(folder, allow=["read_file /data/*"]), READ, elsewhere) == RUN
    assert action(Permissions(folder, allow=["read_file"]), READ, elsewhere) == ASK


def test_more_arguments_only_by_hand_and_only_plain_ones(folder: Path) -> None:
    permissions = Permissions(folder, allow=["run_command pytest -q *", "run_command git log *"])
    for line in ("pytest -q", "pytest -q tests", "pytest -q tests/a.py::test_b", "git log HEAD"):
        assert action(permissions, COMMAND, command(line)) == RUN, line
    for line in ("pytest", "pytest tests -q", "pytest -q -p evil", "pytest -q --pdb", "pytest -q ../other"):
        assert action(permissions, COMMAND, command(line)) == ASK, line
    for line in ("git log --output=x", "git log /etc", "git log ext::id", "git status", "pytest -q a=b", "pytest -q *"):
        assert action(permissions, COMMAND, command(line)) == ASK, line


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "*",
        "mcp__*",
        "write_*",
        "write_file ../a",
        "write_file d/../../a",
        "write_file ~/a",
        "write_file a*b",
        "write_file */a",
        "write_file a\u202eb",
        "write_file a\nb",
        "fetch_url https://*/a",
        "fetch_url https://*",
        "fetch_url ftp://h/a",
        "fetch_url https://a@h/x",
        "fetch_url https://h/*/x*",
        "run_command a; b",
        "run_command a $X",
        "a/b c",
        "$x",
    ],
)
def test_what_is_no_pattern_is_passed_over_and_told(folder: Path, text: str) -> None:
    with pytest.raises(BadPattern):
        parse(text)
    assert len(Permissions(folder, allow=[text], deny=[text]).problems) == 2


# --- Answers ---------------------------------------------------------------------------------------------------------


def test_once_and_no_leave_nothing_behind(folder: Path) -> None:
    permissions = Permissions(folder)
    effect = command("git status")
    for decision in (Decision.ONCE, Decision.NO):
        asked = request(COMMAND, effect)
        assert permissions.remember(asked, say(decision, asked), "chat") is None
        assert action(permissions, COMMAND, effect) == ASK
    assert permissions.rules() == []
    assert not (paths.data_dir() / "permissions.toml").exists()


def test_an_answer_to_another_call_counts_for_nothing(folder: Path) -> None:
    permissions = Permissions(folder)
    asked, other = request(COMMAND, command("git status")), request(COMMAND, command("rm -rf x"), "c2")
    assert permissions.remember(other, say(Decision.ALWAYS, asked), "chat") is None
    assert permissions.rules() == []


def test_this_chat_holds_for_this_call_in_this_chat(folder: Path) -> None:
    permissions = Permissions(folder)
    effect = command("git status")
    asked = request(COMMAND, effect)
    assert permissions.remember(asked, say(Decision.CHAT, asked), "chat") is not None
    assert action(permissions, COMMAND, effect) == RUN
    assert action(permissions, COMMAND, effect, chat="another") == ASK
    assert action(permissions, COMMAND, command("git status -s")) == ASK
    assert action(permissions, COMMAND, effect, "read-only") == NO
    assert action(Permissions(folder), COMMAND, effect) == ASK
    assert not (paths.data_dir() / "permissions.toml").exists()


def test_this_chat_for_what_no_pattern_covers_holds_for_the_same_bytes(folder: Path) -> None:
    permissions = Permissions(folder)
    asked = request(COMMAND, command("cat a | wc -l"))
    rule = permissions.remember(asked, say(Decision.ALWAYS, asked), "chat")
    assert rule is not None
    assert rule.source == "chat"
    assert action(permissions, COMMAND, command("cat a | wc -l")) == RUN
    assert action(permissions, COMMAND, command("cat a | wc -l ")) == ASK
    assert action(permissions, COMMAND, command("cat b | wc -l")) == ASK
    assert action(permissions, EDIT, command("cat a | wc -l")) == ASK


def test_always_holds_for_the_exact_call_in_this_folder(folder: Path, tmp_path: Path) -> None:
    effect = command("git status")
    asked = request(COMMAND, effect)
    rule = Permissions(folder).remember(asked, say(Decision.ALWAYS, asked), "chat")
    assert rule is not None
    assert (rule.text, rule.folder) == ("run_command git status", str(folder))
    later = Permissions(folder)
    assert action(later, COMMAND, effect, chat="another") == RUN
    assert action(later, COMMAND, command("git status -s")) == ASK
    assert action(Permissions(tmp_path), COMMAND, effect) == ASK
    (tmp_path / "link").symlink_to(folder)
    assert action(Permissions(tmp_path / "link"), COMMAND, effect) == RUN


def test_always_everywhere_but_for_files_of_the_folder(folder: Path, tmp_path: Path) -> None:
    permissions = Permissions(folder)
    for tool, effect in ((COMMAND, command("git status")), (WRITE, named(WRITE, "a.txt"))):
        asked = request(tool, effect)
        permissions.remember(asked, say(Decision.ALWAYS, asked), "chat", everywhere=True)
    other = Permissions(tmp_path)
    assert action(other, COMMAND, command("git status")) == RUN
    assert action(other, WRITE, named(WRITE, "a.txt")) == ASK


@pytest.mark.parametrize("what", ["*", "**", "d/*", "d/**", "a\nb", "~", " a", "../a"])
def test_a_name_that_reads_as_more_is_not_offered_for_good(folder: Path, what: str) -> None:
    effect = named(WRITE, what)
    assert exact_pattern("write_file", effect) is None
    permissions = Permissions(folder)
    asked = request(WRITE, effect)
    permissions.remember(asked, say(Decision.ALWAYS, asked), "chat")
    assert action(permissions, WRITE, named(WRITE, "d/x")) == ASK
    assert action(Permissions(folder), WRITE, effect) == ASK


def test_no_answer_allows_a_command_as_a_whole(folder: Path) -> None:
    """Even where the plan of a tool says so: the words of the command are what counts."""
    permissions = Permissions(folder)
    for effect in (Effect("x", rule="run_command"), Effect("x", rule="run_command git *", argv=("git", "*"))):
        asked = request(COMMAND, effect)
        permissions.remember(asked, say(Decision.ALWAYS, asked), "chat")
    assert action(Permissions(folder), COMMAND, command("git status")) == ASK
    assert action(Permissions(folder), COMMAND, command("id")) == ASK
    asked = request(MCP, Effect("delete", rule="mcp__files__delete"))
    permissions.remember(asked, say(Decision.ALWAYS, asked), "chat")
    assert action(Permissions(folder), MCP, Effect("delete", detail="anything")) == RUN


@given(st.lists(st.text(max_size=6), min_size=1, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_a_remembered_command_covers_its_own_words_only(words: list[str], data: st.DataObject) -> None:
    effect = Effect("x", rule="run_command x", argv=("tool", *words))
    text = exact_pattern("run_command", effect)
    if text is None:
        return
    pattern = parse(text)
    assert pattern.argv == ("tool", *words)
    assert not pattern.wide
    other = data.draw(st.lists(st.text(max_size=6), max_size=4))
    rules = Permissions(Path.cwd(), allow=[text])
    verdict = action(rules, COMMAND, Effect("x", rule="run_command x", argv=("tool", *other)))
    assert (verdict == RUN) == (other == words)
