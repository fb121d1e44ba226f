"""`coda history` as a person meets it: on pipes and terminals, with nothing there, with damage, and twice at once."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest

from coda_cli.engine.conversations import operations
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.messages import LLMMessage, MessageRole, TextPart, user
from coda_cli.markdown.text import cells
from tests.e2e.program import Program, Ran, finish, foreign
from tests.e2e.test_completion import offered

ONE = "conv-1111111111aaaaaaaaaa"
TWO = "conv-2222222222bbbbbbbbbb"
SGR = re.compile(rb"\x1b\[[0-9;]*m")
EVIL = "\x1b[2J\x1b]0;owned\x07 \u202etitle\r\nof \x9b31m evil"

READING = ["list", "search x", "tags", "restore", "stats", "verify", "rebuild-index", "list --pinned --since 3d"]
COMMANDS = [
    "list",
    "search",
    "show",
    "rename",
    "tag",
    "tags",
    "pin",
    "unpin",
    "rate",
    "fork",
    "delete",
    "restore",
    "export",
    "import",
    "backup",
    "verify",
    "rebuild-index",
    "stats",
]
ROW = {
    "id",
    "title",
    "created",
    "updated",
    "messages",
    "tags",
    "pinned",
    "provider",
    "model",
    "tokens",
    "cost_usd",
    "size",
}


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def folder(coda: Program) -> Folder:
    """Two conversations, the newer one with branches."""
    made = Folder(coda.home / "data")
    made.create(ONE)
    say(made, ONE, "What is a monad?", "A **monad** is a monoid in the category of endofunctors.")
    made.create(TWO)
    say(made, TWO, "这个标题很长" * 9, "第一个回答", "第二个回答 with a needle")
    return made


def say(folder: Folder, chat: str, question: str, *answers: str) -> None:
    asked = user(question)
    folder.add_message(chat, asked)
    for answer in answers:
        told = {
            "provider": "openai",
            "model": "gpt-6.1-sol",
            "usage": {"input_tokens": 10, "output_tokens": 20},
            "cost": 0.0012,
        }
        message = LLMMessage(role=MessageRole.ASSISTANT, parts=[TextPart(text=answer)], metadata=told)
        folder.add_message(chat, message, asked.message_id)


def history(coda: Program, line: str, *more: str) -> Ran:
    return coda.run("history", *line.split(), *more)


# ---- nothing there --------------------------------------------------------------------------------------------------


def test_without_a_conversation_everything_is_friendly_and_leaves_no_trace(coda: Program) -> None:
    runs = coda.run_all([["history", *line.split(), *more] for line in READING for more in ([], ["--json"])])
    for ran in runs:
        assert ran.code == 0, ran.error
        assert "error" not in ran.error
    texts, parsed = runs[::2], [ran.json for ran in runs[1::2]]
    assert "no conversations yet" in texts[0].error
    assert texts[0].out == b""
    assert parsed[:4] == [[], [], [], []]
    assert parsed[4]["conversations"] == 0
    assert parsed[5]["findings"] == []
    missing = history(coda, "show -")
    assert missing.code == 2
    assert "hint:" in missing.error
    assert coda.files() == []


def test_every_command_explains_itself_with_an_example(coda: Program) -> None:
    runs = coda.run_all([["history", "--help"], *(["history", name, "--help"] for name in COMMANDS)])
    for name, ran in zip(["", *COMMANDS], runs, strict=True):
        assert ran.code == 0, name
        assert "Example" in ran.text, name
        assert "coda history" in ran.text or "coda ask --cid" in ran.text, name
        assert max(map(len, ran.text.splitlines())) <= 100, name
    for name in COMMANDS:
        assert f"\n  {name} " in runs[0].text


# ---- the way of a conversation --------------------------------------------------------------------------------------


def test_a_conversation_from_ask_is_found_labelled_deleted_and_restored(coda: Program) -> None:
    coda.scripted("The answer is forty-two.")
    assert coda.run("ask", "what is the answer?").code == 0
    (row,) = history(coda, "list --json").json
    assert row["title"] == "what is the answer?"
    assert row["messages"] == 2
    assert row["model"] == "parrot"
    (hit,) = history(coda, "search forty --json").json
    assert hit["conversation"]["id"] == row["id"]
    assert [hit["snippet"][start:end] for start, end in hit["hits"]] == ["forty"]
    assert hit["role"] == "assistant"
    short = row["id"][5:13]
    assert history(coda, f"rename {short} Deep Thought").code == 0
    assert history(coda, f"tag {short} book +later --json").json == ["book", "later"]
    assert history(coda, f"tag {short} --remove LATER").text == "book\n"
    assert history(coda, f"pin {short}").code == 0
    assert "rated good" in history(coda, f"rate {short} good").error
    assert "rated good" in history(coda, f"export {short}").text
    assert history(coda, f"rate {short} good --message 1").code == 2
    (row,) = history(coda, "list --pinned --tag book --json").json
    assert (row["title"], row["pinned"], row["tags"]) == ("Deep Thought", True, ["book"])
    assert history(coda, "tags --json").json == [{"tag": "book", "conversations": 1}]
    copy = history(coda, "fork - --at 1").text.strip()
    assert copy.startswith("conv-")
    assert coda.run("ask", "--cid", copy, "and why?").code == 0
    assert history(coda, f"show {copy} --json").json["records"][0]["origin"]["conversation"] == row["id"]
    deleted = history(coda, f"delete {short}")
    assert f"history restore {row['id']}" in deleted.error
    assert [one["id"] for one in history(coda, "list --json").json] == [copy]
    assert history(coda, f"show {short}").code == 2
    assert [one["id"] for one in history(coda, "restore --json").json] == [row["id"]]
    assert history(coda, f"restore {short}").code == 0
    assert {one["id"] for one in history(coda, "list --json").json} == {copy, row["id"]}
    assert history(coda, "verify").code == 0
    assert history(coda, f"restore {short}").code == 2


def test_filters_limits_and_offsets(coda: Program, folder: Folder) -> None:
    for number in range(5):
        folder.create(f"chat-{number}")
        folder.add_message(f"chat-{number}", user(f"filler number {number}"))
    operations.tag(folder, "chat-1", ["Two Words"])

    def ids(line: str, *more: str) -> list[str]:
        return [row["id"] for row in history(coda, line, *more, "--json").json]

    assert len(ids("list")) == 7
    assert len(ids("list -l 3")) == 3
    assert ids("list --limit 3") + ids("list --limit 9 --offset 3") == ids("list")
    assert ids("list --tag", "two words") == ["chat-1"]
    assert set(ids("list --model gpt-6.1-sol")) == set(ids("list --model openai/gpt-6.1-sol")) == {ONE, TWO}
    assert ids("list --provider nobody") == []
    assert ids("list --until 2020-01-01") == []
    assert len(ids("list --since yesterday --until today")) == 7
    assert len(history(coda, "search filler --limit 2 --json").json) == 2
    assert len(history(coda, "search filler --offset 4 --json").json) == 1
    wrong = history(coda, "list --since whenever")
    assert wrong.code == 2
    assert "hint:" in wrong.error


# ---- what is printed ------------------------------------------------------------------------------------------------


def test_the_json_has_the_keys_that_are_documented(coda: Program, folder: Folder) -> None:
    listed, found = history(coda, "list --json").json, history(coda, "search needle --json").json
    assert ROW | {"file"} == set(listed[0])
    assert set(found[0]) == {"conversation", "message_id", "role", "time", "snippet", "hits", "score"}
    assert set(found[0]["conversation"]) == ROW | {"file"}
    stats = history(coda, "stats --json").json
    sums = {"conversations", "messages", "tokens", "cost_usd"}
    assert set(stats) == sums | {"size", "folder", "unreadable", "months", "models"}
    assert stats["models"] == [
        {"model": "openai/gpt-6.1-sol", "conversations": 2, "messages": 3, "tokens": 90, "cost_usd": 0.0036}
    ]
    assert set(stats["months"][0]) == sums | {"month"}
    page = Path(__file__).parents[2].joinpath("docs", "history.md").read_text("utf-8")
    for key in [*listed[0], *found[0], *stats, *history(coda, "verify --json").json]:
        assert f"`{key}`" in page, key


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lists_fit_the_terminal(coda: Program, folder: Folder, columns: int) -> None:
    folder.create("evil \x1b[2J id")
    say(folder, "evil \x1b[2J id", EVIL + " needle", EVIL * 20)
    operations.tag(folder, "evil \x1b[2J id", [EVIL, "工作"])
    operations.pin(folder, "evil \x1b[2J id")
    for line in (["list"], ["search", "needle"], ["tags"], ["show", "-", "--tree"], ["show", TWO], ["stats"]):
        with coda.terminal("history", *line, columns=columns) as terminal:
            assert terminal.end() == 0, terminal.text
        assert foreign(terminal.raw) == set(), line
        for shown in terminal.text.splitlines():
            assert cells(shown) <= columns
        for title in ("owned", "list"):
            assert terminal.screen.title != title
        if line == ["list"]:
            rows = terminal.text.splitlines()
            assert len(rows) == 4  # the heading, and one line each
            assert rows[0].startswith("ID")
            assert "* " in rows[1]
            assert ("这个标题" in terminal.text) is True


def test_colour_only_where_it_is_wanted(coda: Program, folder: Folder) -> None:
    for line in (["list"], ["search", "monad"], ["show", ONE], ["show", TWO, "--tree"]):
        piped = coda.run("history", *line)
        assert b"\x1b" not in piped.out
        with coda.terminal("history", *line) as coloured:
            assert coloured.end() == 0
        assert SGR.search(coloured.raw)
        with coda.terminal("history", *line, env={"NO_COLOR": "1"}) as plain:
            assert plain.end() == 0
        assert not SGR.search(plain.raw)


def test_show_on_a_pipe_is_the_text_and_on_a_terminal_markdown(coda: Program, folder: Folder) -> None:
    piped = history(coda, f"show {ONE}")
    assert "A **monad** is a monoid" in piped.text
    with coda.terminal("history", "show", ONE) as terminal:
        assert terminal.end() == 0
    assert "A monad is a monoid" in terminal.text
    assert "第二个回答" in history(coda, "show -").text
    assert "第一个回答" not in history(coda, "show -").text
    first = next(iter(json.loads(history(coda, "show - --json").text)["records"][2:3]))["id"]
    assert "第一个回答" in history(coda, f"show - --branch {first}").text
    last = history(coda, f"show {ONE} --last 1").text
    assert "What is a monad?" not in last.split("\n", 1)[1]
    assert "monoid" in last


def test_a_closed_pipe_is_quiet(coda: Program, folder: Folder) -> None:
    for number in range(40):
        folder.create(f"chat-{number}")
        folder.add_message(f"chat-{number}", user("filler " * 300))
    for line in ("list --limit 1000", "search filler --limit 1000", "export chat-1", "list --json --limit 99"):
        for unbuffered in ("", "1"):
            child = coda.start("history", *line.split(), env={"PYTHONUNBUFFERED": unbuffered})
            assert child.stdout is not None
            child.stdout.close()
            child.stdout = None
            ran = finish(child)
            assert ran.code == 141, (line, ran.error)
            assert ran.err == b""


# ---- export, import, backup -----------------------------------------------------------------------------------------


def test_exports_are_private_files_and_json_comes_back_without_a_loss(
    coda: Program, folder: Folder, tmp_path: Path
) -> None:
    for name in ("chat.md", "chat.json", "chat.html"):
        assert history(coda, f"export {TWO} -o {name}").code == 0
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert "第二个回答" in (tmp_path / "chat.md").read_text("utf-8")
    assert (tmp_path / "chat.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert history(coda, f"export {TWO} --json").out == (tmp_path / "chat.json").read_bytes()
    (tmp_path / "other").mkdir()
    again = Program(tmp_path / "other")
    done = again.run("history", "import", str(tmp_path / "chat.json"), "--json")
    assert done.json[0]["created"] == [TWO]
    assert again.run("history", "export", TWO, "--format", "json").out == (tmp_path / "chat.json").read_bytes()
    assert history(coda, "export --all -o all --format md").code == 0
    assert len(list((tmp_path / "all").glob("*.md"))) == 2
    for wrong in (f"export {TWO} --json --branch x", "export --all", "export", f"export {TWO} -o nowhere/x.md"):
        assert history(coda, wrong).code == 2, wrong


def test_an_import_that_fails_in_part_says_so_and_exits_with_1(coda: Program, folder: Folder, tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_bytes(history(coda, f"export {ONE} --json").out)
    (tmp_path / "bad.json").write_text("{}")
    ran = history(coda, "import good.json bad.json missing.json")
    assert ran.code != 0
    assert "good.json: 0 new" in ran.text
    assert "bad.json" in ran.error
    assert "missing.json" in ran.error


def test_a_backup_moves_everything_to_another_machine(coda: Program, folder: Folder, tmp_path: Path) -> None:
    made = history(coda, "backup")
    assert made.code == 0
    archive = tmp_path / made.text.strip()
    assert archive.name.startswith("coda-backup-")
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert history(coda, f"backup {archive.name}").code == 2  # never overwritten
    (tmp_path / "other").mkdir()
    there = Program(tmp_path / "other")
    assert there.run("history", "backup", "--restore", str(archive), "--json").json["created"] != []
    assert there.run("history", "list").text == history(coda, "list").text
    assert there.run("history", "verify").code == 0
    again = there.run("history", "backup", "--restore", str(archive), "--json").json
    assert (again["created"], again["copied"], len(again["unchanged"])) == ([], [], 2)
    archive.write_bytes(archive.read_bytes()[:200])
    broken = there.run("history", "backup", "--restore", str(archive))
    assert broken.code in (1, 2)
    assert there.run("history", "list").text == history(coda, "list").text


# ---- damage and company ---------------------------------------------------------------------------------------------


def test_one_bad_file_hides_no_other_and_verify_tells_and_mends_it(coda: Program, folder: Folder) -> None:
    (folder.conversations / "noise.jsonl").write_bytes(os.urandom(500))
    (folder.conversations / "folder.jsonl").mkdir()
    (folder.conversations / "nothing.jsonl").touch()
    with folder.own_file(ONE).open("ab") as file:
        file.write(b'{"type":"mess')
    listed = history(coda, "list --json")
    assert listed.code == 0
    assert {ONE, TWO} <= {row["id"] for row in listed.json}
    assert "monoid" in history(coda, f"show {ONE}").text
    told = history(coda, "verify --json")
    assert told.code == 1
    kinds = {(Path(finding["file"]).name, finding["kind"]) for finding in told.json["findings"]}
    assert (folder.own_file(ONE).name, "torn-tail") in kinds
    assert ("folder.jsonl", "stranger") in kinds
    assert ("nothing.jsonl", "empty") in kinds
    text = history(coda, "verify")
    assert text.code == 1
    assert "--fix" in text.error
    assert history(coda, "verify --fix").code == 1
    (folder.conversations / "folder.jsonl").rmdir()
    after = history(coda, "verify")
    assert after.code == 0, after.text
    assert list(folder.backups.iterdir()) != []


def test_two_terminals_label_one_conversation_and_nothing_is_lost(coda: Program, folder: Folder) -> None:
    runs = coda.run_all([["history", "tag", ONE, f"tag{number}"] for number in range(6)])
    assert [ran.code for ran in runs] == [0] * 6
    assert set(history(coda, f"tag {ONE} --json").json) == {f"tag{number}" for number in range(6)}
    assert history(coda, "verify").code == 0


def test_an_index_that_is_deleted_or_damaged_is_made_again(coda: Program, folder: Folder) -> None:
    before = history(coda, "list").text
    index = coda.home / "cache" / "index.sqlite3"
    for damage in (index.unlink, lambda: index.write_bytes(b"not a database" * 500)):
        damage()
        assert history(coda, "list").text == before
    rebuilt = history(coda, "rebuild-index --json").json
    assert rebuilt["conversations"] == 2
    assert history(coda, "list").text == before


def test_deleting_several_asks_on_a_terminal_only(coda: Program, folder: Folder) -> None:
    for answer, code, left in ((b"n\n", 1, 2), (b"\n", 1, 2), (b"y\n", 0, 0)):
        with coda.terminal("history", "delete", ONE, TWO) as terminal:
            terminal.until(lambda text: "[y/N]" in text)
            os.write(terminal._master, answer)
            assert terminal.end() == code
        assert len(history(coda, "list --json").json) == left
    assert history(coda, f"restore {ONE} {TWO}").code == 0
    with coda.terminal("history", "delete", ONE, TWO, "--yes") as terminal:
        assert terminal.end() == 0
    assert history(coda, f"restore {ONE} {TWO}").code == 0
    assert history(coda, f"delete {ONE} {TWO}").code == 0  # a script is not asked


# ---- speed and completion -------------------------------------------------------------------------------------------


def test_ids_are_completed_from_the_index_only(coda: Program, folder: Folder) -> None:
    assert offered(coda, "coda history show conv-1") == []  # no index yet, and none is made
    assert not (coda.home / "cache").exists()
    folder.create("$(touch pwned)")
    folder.create("conv-1 two words")
    history(coda, "list")
    assert offered(coda, "coda history show conv-1") == [ONE]
    assert offered(coda, "coda history show $") == []
    assert "list" in offered(coda, "coda history li")


def test_list_and_search_load_no_model_of_a_message_and_no_event_loop(coda: Program, folder: Folder) -> None:
    history(coda, "list")
    code = (
        "import sys\nfrom coda_cli.__main__ import main\nsys.argv = ['coda', 'history', {line}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = ['asyncio', 'rich', 'httpx2', 'openai', 'coda_cli.engine.core.messages', 'coda_cli.settings.load']\n"
        "print('heavy:', [name for name in heavy if name in sys.modules])\n"
    )
    for line in ("'list'", "'search', 'monad'", "'list', '--json'"):
        ran = coda.run(python=["-c", code.replace("{line}", line)])
        assert ran.text.splitlines()[-1] == "heavy: []", line
