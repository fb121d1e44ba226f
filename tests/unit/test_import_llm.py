"""llm's logs.db arrives from both of its layouts, and once from a database that holds both."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from coda_cli.engine.conversations.history import sendable
from coda_cli.engine.conversations.importers import ImportReport, import_file
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.messages import ImagePart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from tests.archives import insert, llm_classic, llm_database, llm_message, png
from tests.unit.wire_cases import LONG


def bring(tmp_path: Path, path: Path) -> tuple[Folder, ImportReport]:
    folder = Folder(tmp_path / "store")
    return folder, import_file(folder, path)


def llm_store(path: Path) -> Path:
    """One thread with a tool, and a thread that forks off it after the first question."""
    with closing(llm_database(path, store=True)) as db:
        system = llm_message(db, "s", None, "system", ("text", "Be brief", None))
        attached = ("attachment", None, {"attachment": {"id": "a1"}})
        borrowed = ("text", None, {"text_ref": [{"fragment": 1}, {"literal": " What is it?"}]})
        question = llm_message(db, "q", system, "user", borrowed, attached)
        call = ("tool_call", None, {"name": "look", "arguments": {"at": "it"}, "tool_call_id": "t1"})
        asked = llm_message(db, "c", question, "assistant", ("reasoning", "hm", None), call)
        result = ("tool_result", None, {"name": "look", "output": "whiskers", "tool_call_id": "t1"})
        seen = llm_message(db, "r", asked, "tool", result)
        answer = llm_message(db, "a", seen, "assistant", ("text", "A cat.", None))
        other = llm_message(db, "o", question, "assistant", ("text", "A dog.", None))
        insert(db, "fragments", id=1, hash="h", content="Context first.")
        insert(db, "attachments", id="a1", type="image/png", content=png())
        insert(db, "threads", id="t", name="Cats", tip_message_hash=answer)
        insert(db, "threads", id="f", name="Dogs", tip_message_hash=other, forked_from="t")
        common = {"model": "gpt-5", "resolved_model": "gpt-5-2026"}
        turns = [("1", "t", question, asked), ("2", "t", seen, answer), ("3", "f", question, other)]
        for key, thread, parent, tip in turns:
            insert(
                db, "turns", id=key, thread_id=thread, parent_message_hash=parent, tip_message_hash=tip, input_tokens=9,
                output_tokens=2, duration_ms=1500, datetime_utc=f"2026-08-01T10:00:0{key}", **common,
            )  # fmt: skip
        db.commit()
    return path


def test_the_classic_layout_arrives_with_pictures_fragments_and_tools(tmp_path: Path) -> None:
    folder, report = bring(tmp_path, llm_classic(tmp_path / "logs.db"))
    assert (report.created, report.problems) == (["llm-c1"], [])
    conversation = folder.load("llm-c1")
    assert (conversation.title, conversation.created) == ("A cat", 1714557600.5)
    path = [node.message for node in conversation.path()]
    assert [message.role.value for message in path] == ["system", "user", "assistant", "tool", "assistant"]
    assert path[0].content == "Be brief"  # once, not with every call
    assert path[1].content == "Context first.\nWhat is it?[attached file: /etc/hostname]"  # named, never opened
    assert [part.data for part in path[1].parts if isinstance(part, ImagePart)] == [png()]
    assert path[2].parts == [ToolCallPart(id="t1", name="look", arguments='{"at": "it"}')]
    assert path[3].parts == [ToolResultPart(id="t1", name="look", text="whiskers")]
    assert path[2].metadata == {
        "model": "gpt-4o-mini", "usage": {"input_tokens": 10, "output_tokens": 5}, "latency": 1.5,
    }  # fmt: skip
    assert sendable(path) == path


def test_the_newer_layout_arrives_with_its_threads(tmp_path: Path) -> None:
    folder, report = bring(tmp_path, llm_store(tmp_path / "logs.db"))
    assert (report.created, report.problems) == (["llm-t", "llm-f"], [])
    path = [node.message for node in folder.load("llm-t").path()]
    assert [message.message_id for message in path] == ["s", "q", "c", "r", "a"]
    assert path[1].content == "Context first. What is it?"
    assert [part.data for part in path[1].parts if isinstance(part, ImagePart)] == [png()]
    assert path[2].parts == [
        ReasoningPart(text="hm"), ToolCallPart(id="t1", name="look", arguments='{"at": "it"}'),
    ]  # fmt: skip
    assert path[3].parts == [ToolResultPart(id="t1", name="look", text="whiskers")]
    assert path[4].metadata["model"] == "gpt-5-2026"
    assert path[4].metadata["usage"] == {"input_tokens": 9, "output_tokens": 2}
    assert path[4].created == path[3].created > path[2].created
    fork = folder.load("llm-f")
    assert (fork.title, [node.message.content for node in fork.path()][2:]) == ("Dogs", ["A dog."])


def test_a_conversation_that_goes_on_in_the_newer_layout_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    with closing(llm_database(path, store=True)) as db:
        insert(db, "conversations", id="c1", name="Old", model="m")
        row = {"conversation_id": "c1", "model": "m", "datetime_utc": "2026-01-01T00:00:00"}
        insert(db, "responses", id="r1", prompt="one?", response="one.", **row)
        insert(db, "responses", id="r2", prompt="two?", response="two.", **row)  # written to both
        keys = None
        for key, role, text in (
            ("h1", "user", "one?"), ("h2", "assistant", "one."), ("h3", "user", "two?"), ("h4", "assistant", "two."),
        ):  # fmt: skip
            keys = llm_message(db, key, keys, role, ("text", text, None))
        insert(db, "threads", id="c1", name="Old", tip_message_hash="h4")
        turn = {"model": "m", "datetime_utc": "2026-08-01T00:00:00"}
        insert(db, "turns", id="r2", thread_id="c1", parent_message_hash="h3", tip_message_hash="h4", **turn)
        db.commit()
    folder, report = bring(tmp_path, path)
    assert report.created == ["llm-c1"]
    conversation = folder.load("llm-c1")
    assert [node.message.content for node in conversation.path()] == ["one?", "one.", "two?", "two."]
    assert len(conversation.nodes) == 4


def test_the_same_database_again_changes_nothing_and_a_later_one_adds_what_is_new(tmp_path: Path) -> None:
    path = llm_classic(tmp_path / "logs.db")
    bring(tmp_path, path)
    folder, report = bring(tmp_path, path)
    assert report.unchanged == ["llm-c1"]
    with closing(sqlite3.connect(path)) as db:
        insert(db, "responses", id="r3", conversation_id="c1", prompt="Sure?", response="Yes", system="Be brief")
        insert(db, "responses", id="r4", conversation_id=None, prompt="alone", response="here")
        db.commit()
    folder, report = bring(tmp_path, path)
    assert (report.created, report.updated) == (["llm-r4"], ["llm-c1"])
    assert [node.message.content for node in folder.load("llm-c1").path()][-2:] == ["Sure?", "Yes"]


def test_another_database_and_a_damaged_one_are_told(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE things (id)")
        db.execute("CREATE VIEW responses AS WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT * FROM n")
    with pytest.raises(UsageError, match="not llm's"):  # and the view, which never ends, is not asked
        bring(tmp_path, other)
    path = tmp_path / "big.db"
    with closing(llm_database(path)) as db:
        for number in range(300):
            insert(db, "responses", id=f"r{number:03}", prompt="x" * 2000, response="y")
        db.commit()
    raw = bytearray(path.read_bytes())
    raw[len(raw) * 2 // 3 : len(raw) * 2 // 3 + 8192] = b"\xff" * 8192
    path.write_bytes(raw)
    _, report = bring(tmp_path, path)
    assert 0 < len(report.created) < 300
    assert "can't be read to its end" in report.problems[0]


def test_rows_of_any_kind_in_any_column_are_taken_as_far_as_they_make_sense(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    with closing(llm_database(path, store=True)) as db:
        insert(
            db, "responses", id=5, conversation_id=b"\xff\0", prompt=b"blob", response=1.5, datetime_utc=float("inf")
        )
        insert(db, "responses", id="ok", prompt="q", response="a", duration_ms="soon", input_tokens=-1)
        db.execute("INSERT INTO responses (id, prompt) VALUES ('utf', CAST(x'ff41' AS TEXT))")
        llm_message(db, "a", "b", "user", ("text", "a", None))
        llm_message(db, "b", "a", "wizard", ("text", "b", None), ("new", None, {"x": 1}))
        insert(db, "parts", message_hash="a", position="x", type="tool_call", payload="{not json")
        insert(db, "turns", id="t1", thread_id="loop", tip_message_hash="a")
        insert(db, "turns", id="t2", thread_id="gap", tip_message_hash="gone")
        insert(db, "turns", id=None, thread_id=7, tip_message_hash="a")
        db.commit()
    folder, report = bring(tmp_path, path)
    assert {"llm-ok", "llm-utf", "llm-loop", "llm-7"} <= set(report.created)
    assert folder.load("llm-utf").path()[0].message.parts == [TextPart(text="\ufffdA")]
    assert folder.load("llm-loop").nodes.keys() == {"a"}


_cell = st.none() | st.integers(-5, 5) | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
_key = st.sampled_from(["a", "b", "c", None]) | _cell
_tables: dict[str, list[str]] = {
    "responses": ["id", "conversation_id", "prompt", "system", "response", "model", "datetime_utc", "duration_ms"],
    "messages": ["hash", "parent_hash", "role"],
    "parts": ["message_hash", "position", "type", "text", "payload"],
    "turns": ["id", "thread_id", "tip_message_hash", "parent_message_hash", "datetime_utc", "input_tokens"],
    "threads": ["id", "name", "tip_message_hash"],
    "tool_calls": ["response_id", "name", "arguments", "tool_call_id"],
    "prompt_attachments": ["response_id", "attachment_id"],
}
_row = st.sampled_from(sorted(_tables)).flatmap(
    lambda table: st.tuples(st.just(table), st.fixed_dictionaries(dict.fromkeys(_tables[table], _key)))
)


@settings(max_examples=500 if LONG else 40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_row, max_size=12))
def test_whatever_stands_in_the_tables_nothing_breaks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, dict[str, Any]]]
) -> None:
    root = tmp_path_factory.mktemp("any")
    with closing(llm_database(root / "logs.db", store=True)) as db:
        for table, values in rows:
            try:
                insert(db, table, **values)
            except (sqlite3.IntegrityError, UnicodeEncodeError):
                continue  # the same key twice, or half a character: no database holds that
        db.commit()
    folder, report = bring(root, root / "logs.db")
    for made in report.created:
        assert folder.load(made).problems == []
    _, again = bring(root, root / "logs.db")
    assert (again.created, again.updated) == ([], [])
