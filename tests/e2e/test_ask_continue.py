"""`coda ask -c`, `--cid` and `--fork`: going on with a conversation from another process."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program
from tests.servers.script import say
from tests.servers.threaded import ThreadedServer
from tests.servers.vendors import FakeVendor
from tests.servers.wire import stream_reply


@pytest.fixture
def coda(tmp_path: Path) -> Program:
    program = Program(tmp_path)
    program.scripted("first", "second", "third")
    return program


def journals(coda: Program) -> list[list[dict[str, Any]]]:
    files = sorted((coda.home / "data" / "conversations").glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]


def said(journal: list[dict[str, Any]]) -> list[str]:
    return [part["text"] for record in journal if record["type"] == "message" for part in record["parts"]]


def test_continue_sends_what_was_said_before_to_the_model_that_said_it(coda: Program) -> None:
    with ThreadedServer(FakeVendor("openai")) as fake:
        for text in ("Blue.", "Because.", "Elsewhere.", "Yes."):
            fake.server.queue(stream_reply("openai", say(text)))
        coda.served_by(fake.url)
        assert coda.run("ask", "-m", "fake/other", "-s", "Be brief.", "Which colour?").text == "Blue.\n"
        assert coda.run("ask", "-c", "Why?").text == "Because.\n"
        assert coda.run("ask", "-c", "-s", "", "Sure?").code == 0
        sent: list[Any] = [request.json for request in fake.server.requests]
    assert [request["model"] for request in sent] == ["other", "other", "other"]
    assert [(m["role"], m["content"]) for m in sent[1]["messages"]] == [
        ("system", "Be brief."),
        ("user", "Which colour?"),
        ("assistant", "Blue."),
        ("user", "Why?"),
    ]
    assert sent[2]["messages"][0]["role"] == "user"  # an empty system prompt takes the earlier one back
    [journal] = journals(coda)
    assert said(journal) == ["Which colour?", "Blue.", "Why?", "Because.", "Sure?", "Elsewhere."]


def test_cid_takes_the_beginning_of_an_id_and_json_names_it(coda: Program) -> None:
    one = coda.run("ask", "one", "--json").json["conversation_id"]
    coda.run("ask", "two")
    again = coda.run("ask", "--cid", one[len("conv-") :][:8], "three", "--json").json
    assert again["conversation_id"] == one
    assert sorted(len(said(journal)) for journal in journals(coda)) == [2, 4]


def test_fork_leaves_the_original_alone_and_names_it(coda: Program) -> None:
    original = coda.run("ask", "one", "--json").json["conversation_id"]
    before = said(journals(coda)[0])
    copy = coda.run("ask", "-c", "--fork", "two", "--json").json["conversation_id"]
    assert copy != original
    by_id = {journal[0]["id"]: journal for journal in journals(coda)}
    assert said(by_id[original]) == before
    assert said(by_id[copy])[:3] == [*before, "two"]
    assert by_id[copy][0]["origin"]["conversation"] == original


def test_several_models_answer_one_question_beside_each_other(coda: Program) -> None:
    ran = coda.run("ask", "-m", "s/a", "-m", "s/b", "both?", "--output-format", "json")
    ids = {json.loads(line)["conversation_id"] for line in ran.text.splitlines()}
    [journal] = journals(coda)
    assert ids == {journal[0]["id"]}
    question, *answers = [record for record in journal if record["type"] == "message"]
    assert question["role"] == "user"
    assert {answer["parent"] for answer in answers} == {question["id"]}
    assert {answer["model"] for answer in answers} == {"a", "b"}


def test_no_log_reads_what_was_said_and_writes_nothing(coda: Program) -> None:
    coda.run("ask", "one")
    before = {file: file.read_bytes() for file in coda.home.rglob("*") if file.is_file() and "cache" not in file.parts}
    ran = coda.run("ask", "-c", "-n", "two")
    assert (ran.code, ran.text) == (0, "first\n")
    after = {file: file.read_bytes() for file in coda.home.rglob("*") if file.is_file() and "cache" not in file.parts}
    assert after == before


@pytest.mark.parametrize(
    ("flags", "said_why", "code"),
    [
        (["-c"], "no conversation to continue", 2),
        (["--cid", "nope"], "no conversation 'nope'", 2),
        (["--cid", ""], "no conversation ''", 2),
        (["-c", "--cid", "x"], "--cid a certain one", 2),
        (["--fork"], "--fork copies a conversation", 2),
    ],
)
def test_what_cannot_be_continued_is_told(coda: Program, flags: list[str], said_why: str, code: int) -> None:
    ran = coda.run("ask", *flags, "hi")
    assert ran.code == code
    assert said_why in ran.error
    assert "hint:" in ran.error
    assert ran.out == b""


def test_an_answer_comes_even_where_nothing_can_be_kept(coda: Program) -> None:
    (coda.home / "data").write_text("a file where the folder should be")
    ran = coda.run("ask", "hi")
    assert ran.text == "first\n"
    assert "not saved" in ran.error
    assert ran.code == 0


def test_files_are_the_users_own(coda: Program) -> None:
    coda.run("ask", "hi", umask=0)
    for path in (coda.home / "data").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (coda.home / "data").stat().st_mode & 0o777 == 0o700


def test_what_no_longer_fits_is_told_on_stderr_and_kept(coda: Program) -> None:
    summary = "They spoke of colours."
    coda.scripted("first", summary, more="[conversation]\nmax_messages = 3")
    for question in ("one", "two"):
        assert coda.run("ask", *(["-c"] if question != "one" else []), question).code == 0
    summarised = coda.run("ask", "-c", "three")
    assert "older message" in summarised.error
    assert "summarised for the model" in summarised.error
    assert summarised.code == 0
    off = {"CODA_CONVERSATION__AUTO_SUMMARIZE": "false"}
    trimmed = [coda.run("ask", "-c", question, env=off) for question in ("four", "five")]
    assert "warning:" in trimmed[-1].error
    assert "not sent for want of room, but kept" in trimmed[-1].error
    [journal] = journals(coda)
    assert [text for text in said(journal) if text in ("one", "two", "three", "four", "five")] == [
        "one",
        "two",
        "three",
        "four",
        "five",
    ]
