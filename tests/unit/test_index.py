"""The index says what the journals say: after any history, any damage to it, and beside any other process."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec.structs import replace

from coda_cli.engine.conversations import index_access, index_marks, index_reads, index_rows, index_scan, names
from coda_cli.engine.conversations.index import Index
from coda_cli.engine.conversations.info import HIT_END, HIT_START, TITLE_LENGTH, ConversationInfo, Filter, SearchHit
from coda_cli.engine.conversations.journal import Journal, Record, StoreError
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.conversations.tree import message_record
from coda_cli.engine.core.messages import (
    LLMMessage,
    MessageRole,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    assistant,
    user,
)

LONG = bool(os.environ.get("CODA_TEST_LONG"))


class Home:
    """A data folder, and the index of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "cache" / "index.sqlite3"
        self.index = self.another()
        self.folder = Folder(root, self.index)

    def another(self, file: Path | None = None) -> Index:
        """The index as another process has it."""
        return Index(self.root / "conversations", self.root / "blobs", file or self.cache)

    def say(self, chat: str, *texts: str) -> None:
        self.folder.create(chat)
        for number, text in enumerate(texts):
            self.folder.add_message(chat, assistant(text) if number % 2 else user(text))

    def tell(self, chat: str, **record: Any) -> None:
        self.folder.append(chat, lambda tail: [{"time": time.time(), **record}])

    def fresh(self) -> Index:
        """An index made from nothing."""
        return self.another(self.root / "other" / f"{time.monotonic_ns()}.sqlite3")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "data")
    yield home
    home.index.close()


def found(index: Index, text: str, where: Filter = Filter()) -> set[str]:  # noqa: B008 - frozen
    return {hit.message_id for hit in index.search(text, where, limit=1000)}


def snippets(index: Index, text: str) -> list[str]:
    return [hit.snippet for hit in index.search(text)]


def everything(index: Index) -> tuple[Any, ...]:
    """All that an index says, in an order that does not depend on its history."""
    words = ("alpha", "beta", "gamma", "alp", "北", "al -beta")
    hits = {word: sorted(map(_plain, index.search(word, limit=1000))) for word in words}
    return index.list(limit=1000), hits, index.totals(), index.tags(), sorted(index.with_prefix("", 1000))


def _plain(hit: SearchHit) -> tuple[str, str, str, float, str, float]:
    where = hit.conversation.file.name
    return where, hit.message_id, hit.role, hit.time, hit.snippet, round(hit.score, 9)


def marks(home: Home) -> list[str]:
    folder = home.cache.with_name(f"{home.cache.name}.dirty")
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# ---- what it says ---------------------------------------------------------------------------------------------


def test_nothing_is_made_before_the_first_call_nor_told_of_an_empty_folder(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    assert not home.root.exists()
    assert home.index.list() == []
    assert home.index.search("anything") == []
    assert home.index.get("c") is None
    assert (home.index.totals().conversations, home.index.tags(), home.index.with_prefix("")) == (0, [], [])
    assert home.index.rebuild() == 0
    home.index.close()


def test_a_row_says_what_the_conversation_adds_up_to(home: Home) -> None:
    home.say("c", "  What is\n\na monad?  ", "A burrito")
    answer = assistant("Or a monoid")
    usage = {"input_tokens": 10, "output_tokens": 5}
    answer.metadata = {"provider": "openai", "model": "gpt", "usage": usage, "cost": 0.25}
    home.folder.add_message("c", answer)
    home.tell("c", type="tags", tags=["Maths", "Later"])
    info = home.index.get("c")
    file = home.folder.own_file("c")
    assert info is not None
    assert replace(info, created=0.0, updated=0.0) == ConversationInfo(
        id="c",
        title="What is a monad?",
        created=0.0,
        updated=0.0,
        messages=3,
        file=file,
        size=file.stat().st_size,
        tags=("Maths", "Later"),
        provider="openai",
        model="gpt",
        tokens=15,
        cost=0.25,
    )
    assert info == home.folder.rows(Filter(), limit=1)[0] == Folder(home.root).rows(Filter(), limit=1)[0]
    home.tell("c", type="title", title="Monads")
    renamed = home.index.get("c")
    assert renamed is not None
    assert renamed.title == "Monads"


def test_a_long_first_question_gives_a_title_of_whole_words(home: Home) -> None:
    home.say("c", "word " * 100)
    home.say("d", "学" * 500)
    titles = {info.id: info.title for info in home.index.list()}
    assert titles["c"].endswith("word…")
    assert all(len(title) <= TITLE_LENGTH for title in titles.values())


def test_lists_are_pinned_first_then_by_activity_and_come_in_pages(home: Home) -> None:
    for number in range(6):
        home.say(f"c{number}", f"question {number}")
        home.tell(f"c{number}", type="tags", tags=["even" if number % 2 == 0 else "Odd"])
    home.tell("c1", type="pin", pinned=True)
    home.tell("c5", type="pin", pinned=True)
    home.tell("c5", type="pin", pinned=False)
    assert [info.id for info in home.index.list()] == ["c1", "c5", "c4", "c3", "c2", "c0"]
    assert [info.id for info in home.index.list(limit=2, offset=2)] == ["c4", "c3"]
    assert [info.id for info in home.index.list(Filter(tag="odd"))] == ["c1", "c5", "c3"]
    assert [info.id for info in home.index.list(Filter(pinned=True))] == ["c1"]
    times = {info.id: info.updated for info in home.index.list()}
    assert {info.id for info in home.index.list(Filter(since=times["c2"], until=times["c4"]))} == {"c2", "c3", "c4"}
    assert home.index.tags() == [("even", 3), ("Odd", 3)]
    assert home.index.list(limit=0) == home.index.list(limit=-5) == home.index.list(offset=10**30) == []
    assert len(home.index.list(limit=10**30, offset=-1)) == 6


def test_lists_and_searches_take_the_provider_and_the_model_of_the_latest_answer(home: Home) -> None:
    for chat, model in (("a", "one"), ("b", "two")):
        home.say(chat, "alpha")
        for name in ("first", model):
            answer = assistant("alpha beta")
            answer.metadata = {"provider": "openai", "model": name}
            home.folder.add_message(chat, answer)
    assert [info.id for info in home.index.list(Filter(model="two"))] == ["b"]
    assert home.index.list(Filter(model="first")) == home.index.list(Filter(provider="anthropic")) == []
    assert {hit.conversation.id for hit in home.index.search("beta", Filter(provider="openai", model="one"))} == {"a"}


def test_a_search_finds_messages_with_a_piece_of_their_text(home: Home) -> None:
    home.say("c", "filler " * 200 + "the Café in Zürich " + "filler " * 200, "no such place")
    home.say("d", "zurich cafe cafe")
    hits = home.index.search("zürich cafe")
    assert {hit.conversation.id for hit in hits} == {"c", "d"}
    assert hits[0].conversation.id == "d"  # the shorter one says more of it
    assert hits[0].score > hits[1].score
    assert f"the {HIT_START}Café{HIT_END} in {HIT_START}Zürich{HIT_END} filler" in hits[1].snippet
    assert len(hits[1].snippet) < 400
    assert (hits[1].role, home.folder.load("c").nodes[hits[1].message_id].message.created) == ("user", hits[1].time)
    assert [hit.conversation.id for hit in home.index.search("cafe", limit=1, offset=1)] == ["c"]


def test_of_a_word_that_is_everywhere_the_latest_texts_are_ranked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_reads, "CANDIDATES", 5)
    for number in range(8):
        home.say(f"c{number}", f"everywhere {number}")
        os.utime(home.folder.own_file(f"c{number}"), (number, number))
    for index in (home.index, home.fresh()):
        assert {hit.conversation.id for hit in index.search("everywhere")} == {f"c{number}" for number in range(3, 8)}
        assert [hit.conversation.id for hit in index.search("everywhere 1")] == ["c1"]


def test_marks_of_a_hit_in_a_text_itself_are_no_marks(home: Home) -> None:
    home.say("c", f"evil {HIT_START}text{HIT_END} here")
    (snippet,) = snippets(home.index, "here")
    assert (snippet.count(HIT_START), snippet.count(HIT_END)) == (1, 1)


def test_everything_that_was_said_is_found_and_thoughts_are_not(home: Home) -> None:
    home.folder.create("c")
    parts = [
        ReasoningPart(text="pondering"),
        TextPart(text="Let me look"),
        ToolCallPart(id="1", name="shell", arguments='{"command": "git rebase"}'),
    ]
    home.folder.add_message("c", LLMMessage(role=MessageRole.ASSISTANT, parts=parts, message_id="call"))
    result = ToolResultPart(id="1", name="shell", text="needle\0in " + "hay " * 30_000 + "straw")  # over a blob's limit
    home.folder.add_message("c", LLMMessage(role=MessageRole.TOOL, parts=[result], message_id="result"))
    assert found(home.index, "rebase") == found(home.index, "look") == {"call"}
    assert found(home.index, "needle") == found(home.index, "straw") == {"result"}
    assert found(home.index, "pondering") == set()


def test_an_unfinished_answer_is_found_also_across_its_pieces_and_its_end_takes_its_place(home: Home) -> None:
    home.say("c", "question")
    answer = LLMMessage(role=MessageRole.ASSISTANT, message_id="a")
    assert home.index.list()[0].messages == 1
    for piece in ("The cro", "codile ", "waits 北", "京"):
        home.folder.checkpoint("c", answer, [TextPart(text=piece)], None)
        assert home.index.list()[0].messages == 2
    assert (
        found(home.index, "crocodile") == found(home.index, "北京") == found(home.another(), '"codile waits"') | {"a"}
    )
    answer.parts = [TextPart(text="The alligator waits")]
    home.folder.add_message("c", answer)
    assert found(home.index, "crocodile") == set()
    assert found(home.index, "alligator") == {"a"}
    assert home.index.list()[0].messages == 2


def test_a_hidden_message_is_not_found_until_it_is_shown_again(home: Home) -> None:
    home.folder.create("c")
    home.folder.add_message("c", LLMMessage(role=MessageRole.USER, parts=[TextPart(text="alpha")], message_id="m"))
    home.tell("c", type="hide", message="m", hidden=True)
    assert found(home.index, "alpha") == set()
    home.tell("c", type="hide", message="m", hidden=False)
    assert found(home.index, "alpha") == {"m"}


def test_any_id_tag_and_title_pass_and_prefixes_of_ids_are_exact(home: Home) -> None:
    ids = ["", "a", "a\0b", "ab", "aB", "\ud800", "\ud800x", "😀", "%", "_", "é", "x" * 10_000, "../x"]
    for name in ids:
        home.say(name, "hello")
        home.tell(name, type="title", title=f"title of {name}")
        home.tell(name, type="tags", tags=[f"tag of {name}"])
    for name in ids:
        info = home.index.get(name)
        assert info is not None
        assert (info.id, info.title, info.tags) == (name, f"title of {name}", (f"tag of {name}",))
        assert [row.id for row in home.index.list(Filter(tag=f"tag of {name}"))] in ([name], ["aB", "ab"])
        assert set(home.index.with_prefix(name, 100)) == {one for one in ids if one.startswith(name)}
    assert len(home.index.with_prefix("a", 2)) == 2


def test_a_rebuild_tells_how_far_it_is(home: Home) -> None:
    for number in range(4):
        home.say(f"c{number}", "hello")
    steps: list[tuple[int, int]] = []
    assert home.index.rebuild(lambda done, total: steps.append((done, total))) == 4
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


# ---- the same as a rebuild, whatever happened ------------------------------------------------------------------

CHATS = st.sampled_from(["one", "two", "three"])
TEXT = st.lists(st.sampled_from(["alpha", "beta", "gamma", "北京", "e\u0301", "\ud800", "x"]), max_size=4).map(" ".join)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), CHATS, TEXT),
        st.tuples(st.just("answer"), CHATS, TEXT),
        st.tuples(st.just("piece"), CHATS, TEXT),
        st.tuples(st.just("title"), CHATS, TEXT),
        st.tuples(st.just("tags"), CHATS, TEXT),
        st.tuples(st.just("pin"), CHATS, st.booleans()),
        st.tuples(st.just("hide"), CHATS, st.integers(0, 3)),
        st.tuples(
            st.sampled_from(
                (
                    *("delete", "restore", "copy", "crash", "crash before", "torn", "edit", "cut", "junk", "other"),
                    *("rm", "twin", "headless", "touch"),
                )
            ),
            CHATS,
            st.integers(0, 3),
        ),
        st.tuples(st.sampled_from(("query", "lose", "corrupt", "lose marks", "reopen")), CHATS, st.integers(0, 2**32)),
    ),
    max_size=25 if not LONG else 80,
)


def _do(home: Home, what: str, chat: str, arg: Any) -> None:
    folder, file = home.folder, home.folder.own_file(chat)
    match what:
        case "query":
            everything(home.index)
            return
        case "lose":
            home.cache.unlink(missing_ok=True)
            return
        case "lose marks":
            shutil.rmtree(home.cache.with_name(f"{home.cache.name}.dirty"), ignore_errors=True)
            return
        case "reopen":
            home.index.close()
            return
        case "corrupt":
            _flip(home.cache, arg)
            return
        case "restore":
            if not file.exists() and any(path.name == file.name for path in folder.trashed()):
                folder.restore(chat)
            return
    folder.create(chat)
    file = folder.find(chat) or file  # a copy may stand in for it
    raw = file.read_bytes()
    messages = list(folder.load(chat).nodes) or ["nobody"]
    match what:
        case "say":
            folder.add_message(chat, user(arg))
        case "answer":
            answer = assistant(arg)
            answer.metadata = {"provider": "p", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 2}}
            folder.add_message(chat, answer)
        case "piece":
            folder.checkpoint(chat, LLMMessage(role="assistant", message_id="open"), [TextPart(text=arg)], None)
        case "title":
            home.tell(chat, type="title", title=arg)
        case "tags":
            home.tell(chat, type="tags", tags=arg.split())
        case "pin":
            home.tell(chat, type="pin", pinned=arg)
        case "hide":
            home.tell(chat, type="hide", message=messages[arg % len(messages)], hidden=arg % 2 == 0)
        case "delete":
            folder.delete(chat)
        case "copy":
            (folder.conversations / f"copy {arg}.jsonl").write_bytes(raw)
        case "crash":  # after the record was written, before the index was told
            home.index.dirty(file)
            Folder(home.root).add_message(chat, assistant("alpha crash"))
        case "crash before":
            home.index.dirty(file)
        case "torn":
            file.write_bytes(raw + b'{"type":"message","id":"to')
        case "edit":
            file.write_bytes(raw.replace(b"alpha", b"gamma"))
        case "cut":
            file.write_bytes(raw[: len(raw) * arg // 4])
        case "junk":
            file.write_bytes(
                raw + b"\0\0junk\n" + b'{"type":"tags","tags":7}\n{"type":"message","id":[1],"parts":[{}]}\n'
            )
        case "other":  # a program without an index
            Folder(home.root).add_message(chat, user("beta elsewhere"))
        case "rm":
            file.unlink()
        case "twin":
            (folder.conversations / f"copy {arg}.jsonl").unlink(missing_ok=True)
        case "headless":
            file.write_bytes(raw.partition(b"\n")[2])
        case "touch":
            os.utime(file, ns=(arg, arg))


def _flip(file: Path, seed: int) -> None:
    """Change bytes of *file* in place, through no SQLite."""
    if not file.exists():
        return
    size = file.stat().st_size
    with file.open("r+b") as opened:
        for step in range(1 + seed % 5):
            opened.seek((seed * (step + 7919)) % max(size, 1))
            opened.write(bytes([seed >> step & 0xFF]) * (seed % 300))


@settings(
    max_examples=40 if not LONG else 2_000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=OPERATIONS)
def test_after_any_history_the_index_says_what_a_new_one_says(tmp_path: Path, operations: list[Any]) -> None:
    home = Home(tmp_path / str(time.monotonic_ns()))
    home.folder.conversations.mkdir(parents=True)
    damaged = False
    for what, chat, arg in operations:
        damaged = damaged or what == "corrupt"
        _do(home, what, chat, arg)
    said = everything(home.index)
    if damaged:  # a flipped letter inside a text or number is no damage that SQLite knows: but a rebuild ends it
        home.index.rebuild()
        said = everything(home.index)
    fresh = home.fresh()
    assert said == everything(fresh)
    in_memory = home.another(home.root / "no folder")
    (home.root / "no folder").mkdir()
    assert said == everything(in_memory)
    for index in (home.index, fresh, in_memory):
        index.close()
    shutil.rmtree(home.root)


@settings(
    max_examples=60 if not LONG else 2_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    records=st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["conversation", "message", "checkpoint", "title", "tags", "pin", "hide", "future"]
                )
            },
            optional={
                "id": st.sampled_from(["a", "b", 7, None]),
                "role": st.sampled_from([*MessageRole, "narrator", None, []]),
                "parts": st.sampled_from(
                    [[], [{"type": "text", "text": "alpha"}], [{"type": "new", "text": "beta"}], 7]
                ),
                "time": st.sampled_from([1.0, 5, -1, 1e300, "x", True, None]),
                "title": st.sampled_from(["", "t", None, 7]),
                "tags": st.sampled_from([["x"], ["x", "X", 7], "x", None]),
                "pinned": st.sampled_from([True, 0, "x"]),
                "hidden": st.booleans(),
                "message": st.sampled_from(["a", "b", None, 7, []]),
                "provider": st.sampled_from(["p", "", None, 7]),
                "model": st.sampled_from(["m", "", None]),
                "usage": st.sampled_from([{"input_tokens": 3, "output_tokens": 4}, {}, None, 7]),
                "cost": st.sampled_from([0.5, 1, None, "x"]),
                "schema": st.sampled_from([1, 2, 0, "x"]),
            },
        ),
        max_size=8,
    )
)
def test_rows_of_any_records_are_those_of_the_tree(tmp_path: Path, records: list[Record]) -> None:
    home = Home(tmp_path / str(time.monotonic_ns()))
    home.folder.conversations.mkdir(parents=True)
    first = {"type": "conversation", "id": "c", "schema": 1, "time": 3.0}
    lines = [json.dumps({"seq": seq, **record}) for seq, record in enumerate([first, *records])]
    home.folder.own_file("c").write_text("\n".join(lines) + "\n")
    by_tree = Folder(home.root).rows(Filter(), limit=9)
    assert home.index.list() == by_tree
    shown = {
        i for i, node in home.folder.load("c").nodes.items() if "alpha" in node.message.content and not node.hidden
    }
    assert found(home.index, "alpha") == shown
    home.index.close()


def test_roles_are_those_of_messages() -> None:
    assert set(index_rows.ROLES) == {role.value for role in MessageRole}


# ---- others write too -----------------------------------------------------------------------------------------


def test_what_is_done_to_the_folder_by_hand_is_seen(home: Home) -> None:
    home.say("c", "alpha")
    home.say("d", "beta")
    file = home.folder.own_file("c")
    assert len(home.index.list()) == 2
    copy = file.with_name("my copy.jsonl")
    shutil.copy(file, copy)
    assert len(home.index.list()) == 2  # the same conversation: shown once, as the store opens it
    file.unlink()
    assert {info.file for info in home.index.list()} == {copy, home.folder.own_file("d")}
    assert home.folder.find("c") == copy
    other = json.loads(copy.read_text().splitlines()[0]) | {"id": "e"}
    (file.parent / "renamed").write_text(json.dumps(other) + "\n")
    (file.parent / "renamed").rename(copy)  # in the place of another
    assert {info.id for info in home.index.list()} == {"d", "e"}
    assert (home.folder.find("c"), home.folder.find("e")) == (None, copy)
    Folder(home.root).add_message("d", user("gamma"))
    assert [info.messages for info in home.index.list() if info.id == "d"] == [2]
    assert found(home.index, "gamma")
    copy.write_bytes(b"")
    assert [info.id for info in home.index.list()] == ["d"]


def test_an_edit_by_hand_is_seen_at_once_where_it_is_shown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_scan, "SWEEP", 0)
    home.say("c", "alpha")
    assert home.index.get("c")
    file = home.folder.own_file("c")
    file.write_bytes(file.read_bytes().replace(b"alpha", b"gamma"))
    assert snippets(home.index, "alpha") == []
    assert [info.title for info in home.index.list()] == ["gamma"]
    assert snippets(home.index, "gamma") == [f"{HIT_START}gamma{HIT_END}"]
    file.write_bytes(file.read_bytes().replace(b"gamma", b"delta"))
    assert (info := home.index.get("c")) is not None
    assert info.title == "delta"


def test_an_unreadable_or_broken_file_hides_no_other(home: Home) -> None:
    home.say("c", "alpha")
    folder = home.folder.conversations
    (folder / "empty.jsonl").touch()
    (folder / "zeros.jsonl").write_bytes(b"\0" * 5000)
    (folder / "text.jsonl").write_text("no json\n" * 20)
    (folder / "a folder.jsonl").mkdir()
    (folder / "nowhere.jsonl").symlink_to(folder / "nothing")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / os.fsdecode(b"\xff\xfe.jsonl")).write_bytes(home.folder.own_file("c").read_bytes())
    (folder / "notes.txt").write_text("not ours")
    assert [info.id for info in home.index.list()] == ["c"]
    assert home.index.rebuild() == 1
    assert everything(home.index) == everything(home.fresh())


def test_a_conversation_that_lost_its_first_line_goes_by_its_file(home: Home) -> None:
    home.say("c", "alpha")
    file = home.folder.own_file("c")
    file.write_bytes(file.read_bytes().partition(b"\n")[2])
    (info,) = home.index.list()
    assert (info.id, info.title) == (file.stem, "alpha")
    assert home.folder.find(info.id) == file


def test_a_folder_that_cannot_be_read_is_an_error_and_not_an_empty_list(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    home.root.mkdir()
    (home.root / "conversations").write_text("a file in its place")
    with pytest.raises(StoreError, match="can't read"):
        home.index.list()


def test_the_mark_of_a_writer_that_died_is_heeded_and_goes_when_it_has_settled(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_scan, "SWEEP", 0)
    home.say("c", "alpha", "beta")
    home.say("d", "alpha", "beta")
    home.index.list()
    assert marks(home) == []
    script = (
        "import sys, os; from pathlib import Path; from tests.unit.test_index import Home\n"
        "from coda_cli.engine.core.messages import user\n"
        "home = Home(Path(sys.argv[1])); home.index.changed = lambda *a: os._exit(9)\n"
        "home.folder.add_message('c', user('crashed'))"
    )
    assert subprocess.run([sys.executable, "-c", script, str(home.root)], check=False).returncode == 9
    assert len(marks(home)) == 1
    assert len(found(home.index, "crashed")) == 1
    assert len(marks(home)) == 1  # it may be a living one in another container
    monkeypatch.setattr(index_marks, "SETTLED", -1.0)
    assert len(found(home.index, "crashed")) == 1
    assert marks(home) == []


def test_a_mark_is_not_lifted_while_its_writer_may_still_write(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_scan, "SWEEP", 0)
    monkeypatch.setattr(index_marks, "SETTLED", -1.0)
    home.say("c", "alpha", "beta")
    home.index.dirty(home.folder.own_file("c"))  # and waits for the journal's lock
    other = home.another()
    assert len(other.list()) == 1
    Folder(home.root).add_message("c", user("late"))  # and dies
    assert len(found(other, "late")) == 1
    other.close()


def test_an_answer_is_taken_in_at_once_and_reads_only_what_is_new(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.say("c", *(f"text {number}" for number in range(200)))
    home.index.list()
    starts: list[int] = []
    lines = Journal.lines

    def watched(self: Journal, start: int = 0) -> Any:
        starts.append(start)
        return lines(self, start)

    monkeypatch.setattr(Journal, "lines", watched)
    size = home.folder.own_file("c").stat().st_size
    home.folder.add_message("c", assistant("an answer"))
    assert starts == [size]
    assert marks(home) == []
    assert found(home.index, "answer")
    assert starts == [size]


def test_a_list_looks_at_no_more_files_for_more_conversations(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_scan, "SWEEP", 10)
    monkeypatch.setattr(names, "_TICK", 0.0)
    looked: list[Path] = []
    stat_one = index_scan._stamp

    def watched(file: Path) -> tuple[int, int, int, int] | None:
        looked.append(file)
        return stat_one(file)

    monkeypatch.setattr(index_scan, "_stamp", watched)
    counts = []
    for number in range(120):
        home.say(f"c{number}", "alpha", "beta")
        if number in (40, 119):
            home.index.list()
            looked.clear()
            home.index.list(limit=5)
            home.index.search("alpha", limit=5)
            counts.append(len(looked))
    assert counts[0] == counts[1] == 2 * (10 + 5)


def test_eight_processes_write_while_one_searches(home: Home) -> None:
    writers, appends = 8, 60 if LONG else 12
    home.folder.create("shared")
    script = (
        "import sys; from pathlib import Path; from tests.unit.test_index import Home\n"
        "from coda_cli.engine.core.messages import user, assistant\n"
        "home = Home(Path(sys.argv[1])); me = sys.argv[2]; home.folder.create('own ' + me)\n"
        "for number in range(int(sys.argv[3])):\n"
        "    for chat in ('shared', 'own ' + me):\n"
        "        home.folder.add_message(chat, (user, assistant)[number % 2](f'alpha by{me}n{number}'))\n"
        "        if number % 5 == 4: home.index.search('alpha')\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(home.root), str(number), str(appends)])
        for number in range(writers)
    ]
    seen = 0
    while any(process.poll() is None for process in processes):
        now = len(home.index.search("alpha", limit=10_000))
        assert now >= seen
        seen = now
    assert [process.returncode for process in processes] == [0] * writers
    assert home.index.totals().messages == 2 * writers * appends
    assert len(found(home.index, "by3n7")) == 2
    assert everything(home.index) == everything(home.fresh())


def test_threads_share_one_index(home: Home) -> None:
    failures: list[BaseException] = []

    def work(me: int) -> None:
        try:
            for number in range(8):
                home.say(f"chat {me}", f"alpha {number}", "beta")
                home.index.search("alpha")
                home.index.list()
        except BaseException as exc:  # told below
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(home.index.search("alpha", limit=100)) == 32
    assert everything(home.index) == everything(home.fresh())


def test_a_fork_opens_its_own(home: Home) -> None:
    home.say("c", "alpha", "beta")
    assert home.index.list()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            home.say("from the child", "alpha", "beta")
            code = 0 if len(home.index.search("alpha")) == 2 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    home.say("d", "alpha", "gamma")
    assert len(home.index.search("alpha")) == 3


# ---- damage ---------------------------------------------------------------------------------------------------


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 + 100)


def _version(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def _no_table(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("DROP TABLE message")
    db.close()


def _no_row(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("DELETE FROM meta")
    db.close()


def _wrong_values(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("UPDATE chat SET name = key, tags = 'x', updated = x'00', id = NULL")
    db.close()


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _copied(file: Path) -> None:
    copy = file.with_suffix(".copy")
    shutil.copy(file, copy)
    copy.replace(file)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda file: file.unlink(),
    "all of the cache is missing": lambda file: shutil.rmtree(file.parent),
    "empty": lambda file: os.truncate(file, 0),
    "cut": _truncate,
    "garbage": lambda file: file.write_bytes(b"garbage " * 10_000),
    "zeros": lambda file: file.write_bytes(b"\0" * file.stat().st_size),
    "another version": _version,
    "a table is missing": _no_table,
    "it belongs to nobody": _no_row,
    "values of wrong types": _wrong_values,
    "a folder in its place": _folder,
    "another inode": _copied,
}


@pytest.mark.parametrize("open_now", [True, False], ids=["open", "closed"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_made_again_without_a_word(home: Home, damage: str, open_now: bool) -> None:
    for number in range(30):
        home.say(f"c{number}", f"alpha {number}", "beta " * number)
    before = everything(home.index)
    if not open_now:
        home.index.close()
    DAMAGES[damage](home.cache)
    home.say("c7", "gamma", "after the damage")
    after = everything(home.index)
    assert len(after[0]) == len(before[0]) == 30
    assert found(home.index, "after damage")
    assert after == everything(home.fresh())


def test_bytes_flipped_in_the_index_never_raise(home: Home) -> None:
    for number in range(20):
        home.say(f"c{number}", f"alpha {number}", "beta " * number)
    home.index.list()
    home.index.close()
    sound = home.cache.read_bytes()
    for seed in range(400 if LONG else 40):
        home.cache.write_bytes(sound)
        for suffix in ("-wal", "-shm"):
            home.cache.with_name(home.cache.name + suffix).unlink(missing_ok=True)
        _flip(home.cache, 7919 * seed + seed)
        everything(home.index)
        home.folder.add_message("c3", assistant("alpha"))
        home.index.close()
    home.index.rebuild()
    assert everything(home.index) == everything(home.fresh())


def test_an_index_of_another_folder_is_not_believed(tmp_path: Path) -> None:
    shared = tmp_path / "cache" / "index.sqlite3"
    homes = [Home(tmp_path / name) for name in ("one", "two")]
    for home in homes:
        home.index = home.another(shared)
        home.folder = Folder(home.root, home.index)
    for turn in range(3):
        for home in homes:
            home.say(home.root.name, f"alpha {turn}", "beta")
            assert {info.id for info in home.index.list()} == {home.root.name}
            assert len(home.index.search("alpha")) == turn + 1
    for home in homes:
        home.index.close()


def test_a_cache_that_takes_no_files_is_done_without(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    home.root.mkdir()
    home.cache.parent.write_text("a file in the folder's place")
    home.say("c", "alpha", "beta")
    assert [info.id for info in home.index.list()] == ["c"]
    home.say("c", "gamma", "delta")
    file = home.folder.own_file("c")
    assert len(found(home.index, "gamma")) == 1
    file.write_bytes(file.read_bytes().replace(b"gamma", b"kappa"))
    assert (len(found(home.index, "gamma")), len(found(home.index, "kappa"))) == (0, 1)
    assert home.index.rebuild() == 1
    home.cache.parent.unlink()  # and when it can be kept again, it is
    assert found(home.index, "kappa")
    assert home.cache.exists()
    home.index.close()


def test_a_locked_index_holds_nobody_up_and_is_used_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_access, "WAIT", 0.05)
    monkeypatch.setattr(index_access, "WRITER_WAIT", 0.05)
    monkeypatch.setattr(index_access, "ANEW", 0.0)
    home.say("c", "alpha", "beta")
    home.index.list()
    home.index.close()
    locker = sqlite3.connect(home.cache, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    home.say("c", "gamma", "delta")
    home.say("d", "new", "newer")
    assert {info.id for info in home.index.list()} == {"c", "d"}
    assert found(home.index, "gamma")
    locker.execute("ROLLBACK")
    locker.close()
    other = home.another()
    assert found(other, "newer") == found(home.index, "newer") != set()
    with sqlite3.connect(home.cache) as kept:
        assert kept.execute("SELECT count(*) FROM chat").fetchone() == (2,)
    kept.close()
    other.close()


def test_the_writer_never_hears_of_a_broken_index(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.say("c", "alpha", "beta")
    home.index.list()

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(index_access, "catch_up", fail)
    home.say("c", "gamma", "delta")
    home.folder.delete("c")
    home.folder.restore("c")
    monkeypatch.undo()
    assert found(home.index, "delta")


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_only_the_user_may_read_it(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        home = Home(tmp_path / "data")
        home.say("c", "alpha", "beta")
        home.index.list()
        home.say("c", "gamma", "delta")
        home.index.dirty(home.folder.own_file("c"))
        cache = list(home.cache.parent.rglob("*"))
        home.index.close()
    finally:
        os.umask(before)
    assert {path.name for path in cache} >= {"index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm"}
    for path in (home.cache.parent, *(path for path in cache if path.exists())):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_an_index_that_was_opened_to_others_is_closed_again(home: Home) -> None:
    home.say("c", "alpha", "beta")
    home.index.list()
    home.index.close()
    home.cache.chmod(0o644)
    home.index.list()
    assert stat.S_IMODE(home.cache.stat().st_mode) == 0o600


def test_after_a_boot_every_file_is_looked_at_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_scan, "SWEEP", 0)
    home.say("c", "alpha", "beta")
    home.index.list()
    Folder(home.root).add_message("c", user("before the power cut"))  # and its mark and commit are lost with it
    assert snippets(home.index, "power") == []
    monkeypatch.setattr(index_scan, "_boot", lambda: "another")
    assert len(snippets(home.index, "power")) == 1


def test_a_record_made_by_hand_with_the_stores_own_words_is_found(home: Home) -> None:
    home.say("c", "alpha")
    home.folder.append("c", lambda tail: [message_record(user("by hand"), tail.head)])
    assert len(found(home.index, "hand")) == 1
