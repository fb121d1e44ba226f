"""Memory as a person meets it: told once, known in the next chat, corrected, forgotten, and never a secret."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.prompts import Noticed, Situation
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.memory.record import Kind

DAY = "2026-11-24"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def said(text: str, **more: object) -> Situation:
    """What a person says, in a chat of their own."""
    return Situation(text, day=DAY, **more)  # type: ignore[arg-type]  # each test knows its fields


def memory_in(tmp_path: Path, *, semantic: bool = False, clock: Clock | None = None) -> MemoryManager:
    """A memory of its own folder."""
    file = tmp_path / "data" / "memory.jsonl"
    return MemoryManager(file, cache=tmp_path / "cache", semantic=semantic, clock=clock or Clock())


async def texts(memory: MemoryManager, question: str, **more: object) -> list[str]:
    """What is recalled for *question*."""
    return [note.text for note in await memory.recall(said(question, **more), 500)]


async def held(memory: MemoryManager) -> list[str]:
    """What holds now."""
    return [one.text for one in await memory.list()]


async def test_a_preference_that_was_told_once_holds_in_every_later_chat(tmp_path: Path) -> None:
    told = await memory_in(tmp_path).notice(
        said("Remember that I prefer detailed explanations", conversation_id="c1", message_id="m1")
    )
    assert [(one.action, one.text, one.kind) for one in told] == [
        ("stored", "I prefer detailed explanations", "preference")
    ]
    later = memory_in(tmp_path)
    (note,) = await later.preferences(said("Explain monads", conversation_id="c2"))
    assert (note.text, note.day, note.source) == ("I prefer detailed explanations", DAY, "c1#m1")
    assert await later.recall(said("Explain monads", conversation_id="c2"), 500) == []


async def test_a_fact_is_recalled_where_it_matters_and_nowhere_else(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(
        said("Remember that my cat is called Pixel. Please remember that the staging server is haddock.")
    )
    assert await texts(memory, "What is the name of my cat?") == ["My cat is called Pixel"]
    assert await texts(memory, "Where does the staging server run?") == ["The staging server is haddock"]
    assert await texts(memory, "How do I sort a list in Python?") == []


async def test_saying_the_same_again_merges(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said("Remember that I am allergic to peanuts."))
    (told,) = await memory.notice(said("please remember: I'm allergic to peanuts!"))
    assert told.action == "merged"
    assert await held(memory) == ["I am allergic to peanuts"]


async def test_a_contradiction_ends_the_older_one_and_does_not_erase_it(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said("Remember that I live in Lisbon"))
    (told,) = await memory.notice(said("Actually I moved to Berlin."))
    assert (told.action, told.text) == ("replaced", "I moved to Berlin")
    assert await held(memory) == ["I moved to Berlin"]
    old, new = sorted(await memory.list(ended=True), key=lambda one: one.holds)
    assert (old.text, old.ended_by, old.holds) == ("I live in Lisbon", new.id, False)


async def test_what_is_forgotten_is_gone_from_the_file(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said("Remember that my sister is called Vera"))
    await memory.notice(said("Remember that I collect fountain pens"))
    (told,) = await memory.notice(said("Forget that my sister is called Vera"))
    assert (told.action, told.text) == ("forgotten", "My sister is called Vera")
    assert "Vera" not in memory.file.read_text()
    assert await texts(memory, "What is the name of my sister?") == []
    assert await held(memory) == ["I collect fountain pens"]


async def test_what_nobody_clearly_meant_is_not_forgotten(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said("Remember that our parser is written by hand"))
    for text in (
        "Forget it.",
        "forget that",
        "Forget about the parser, let's do the lexer first.",
    ):
        assert list(await memory.notice(said(text))) == [], text
    (told,) = await memory.notice(said("Forget that I exist"))
    assert (told.action, told.text) == ("unknown", "I exist")
    assert await held(memory) == ["Our parser is written by hand"]


async def test_everything_about_a_thing_may_be_forgotten_at_once(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    for text in ("the Apollo budget is 40k", "Anna leads Apollo", "tea is at four"):
        await memory.notice(said(f"Remember that {text}"))
    told = await memory.notice(said("Forget everything about Apollo"))
    assert {one.text for one in told} == {"The Apollo budget is 40k", "Anna leads Apollo"}
    assert await held(memory) == ["Tea is at four"]


async def test_incognito_neither_reads_nor_writes(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.add("My cat is called Pixel")
    before = memory.file.read_bytes()
    for situation in (said("Remember that I like tea", incognito=True), said("my cat?", incognito=True)):
        assert list(await memory.notice(situation)) == []
        assert list(await memory.recall(situation, 500)) == []
        assert list(await memory.preferences(situation)) == []
    assert memory.file.read_bytes() == before
    assert not (tmp_path / "data" / "memory.given.jsonl").exists()


async def test_memory_that_is_off_does_nothing(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    memory.enabled = False
    assert list(await memory.notice(said("Remember that I like tea"))) == []
    assert list(await memory.preferences(said("Hi"))) == []
    await memory.ended("c1", "A title", [{"role": "user", "text": "Let's use Rust for the parser"}])
    assert not memory.file.parent.exists()


async def test_a_memory_given_before_comes_first_and_none_comes_twice(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    for text in (
        "The parser of Coda is written by hand",
        "The parser tests run on Fridays",
        "Parser errors carry a hint",
    ):
        await memory.add(text)
    first = await memory.recall(said("the parser?", conversation_id="c"), 500)
    given = (first[-1].id, first[0].id)
    again = await memory.recall(said("the parser?", conversation_id="c", given=given), 500)
    assert [note.id for note in again][:2] == list(given)
    assert len({note.id for note in again}) == len(again)
    elsewhere = await memory.recall(said("How is the weather?", conversation_id="c", given=given), 500)
    assert [note.id for note in elsewhere] == list(given)


async def test_what_was_given_and_has_ended_since_is_given_no_more(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said("Remember that our database is MySQL"))
    (note,) = await memory.recall(said("Which database do we use?"), 500)
    await memory.notice(said("Remember that our database is now PostgreSQL"))
    again = await memory.recall(said("Which database do we use?", given=(note.id,)), 500)
    assert [one.text for one in again] == ["Our database is now PostgreSQL"]


async def test_an_index_that_somebody_else_holds_is_left_to_them(tmp_path: Path) -> None:
    import sqlite3

    memory = memory_in(tmp_path)
    await memory.add("The parser is by hand")
    await memory.warm()
    index = tmp_path / "cache" / "memory.sqlite3"
    other = sqlite3.connect(index, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    inode = index.stat().st_ino
    memory.close()
    assert await texts(memory, "the parser?") == ["The parser is by hand"]
    assert index.stat().st_ino == inode
    other.execute("ROLLBACK")
    other.close()


async def test_what_is_recalled_fits_the_budget(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    for number in range(20):
        await memory.add(f"Server number {number} stands in hall {number * 7} and has {'many ' * 10}disks")
    notes = await memory.recall(said("In which hall stands our server number 5?"), 60)
    assert len(notes) > 0
    assert sum(len(note.text) for note in notes) <= 4 * 60
    assert list(await memory.recall(said("In which hall stands our server number 5?"), 0)) == []


async def test_a_note_bound_to_a_folder_is_recalled_there_only(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    here, there = tmp_path / "project", tmp_path / "other"
    (told,) = await memory.notice(said("Remember that in this project the tests need Docker", folder=here))
    assert told.kind == "note"
    assert await texts(memory, "What do the tests need?", folder=here / "src") == [
        "In this project the tests need Docker"
    ]
    assert await texts(memory, "What do the tests need?", folder=there) == []
    assert await texts(memory, "What do the tests need?") == []


SECRETS = (
    "my API key is sk-proj-abcdEFGH1234567890abcdEFGH",
    "the token is ghp_0123456789abcdefABCDEF0123456789abcd",
    "my password is hunter2",
    "the password for the router: correct horse",
    "mein Passwort ist Sommer2026",
    "my card number is 4111 1111 1111 1111",
    "my card is 5500-0000-0000-0004",
    "my IBAN is DE89 3704 0044 0532 0130 00",
    "my account is GB82WEST12345698765432",
    "-----BEGIN OPENSSH PRIVATE KEY----- abc",
    "AKIAIOSFODNN7EXAMPLE is the key of the bucket",
    "the database is postgres://coda:s3cret@db.example/coda",
    "my PIN is 4921",
    "the JWT is eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
    "the deploy value is aB3dE5gH7jK9mN1pQ3sT5vX7zA2c",
)
HARMLESS = (
    "my order number is 4111 1111 1111 1112",
    "passwords are stored in the keyring",
    "the password is stored in 1Password",
    "my phone number is +49 30 1234567",
    "the commit is 3a5ab02",
    "the build id is 123456789012",
    "I keep my keys in a drawer",
    "the key of the song is D minor",
    "the run is 0f8fad5b-d9cd-469f-a165-70867728950e",
)


@pytest.mark.parametrize("text", SECRETS)
async def test_a_secret_is_refused_told_and_written_nowhere(tmp_path: Path, text: str) -> None:
    memory = memory_in(tmp_path)
    (told,) = await memory.notice(said(f"Remember that {text}"))
    assert told.action == "refused"
    assert "never remembered" in told.text
    assert not any(word in told.text for word in text.split() if any(char.isdigit() for char in word))
    assert not memory.file.exists()


@pytest.mark.parametrize("text", HARMLESS)
async def test_what_only_resembles_a_secret_is_kept(tmp_path: Path, text: str) -> None:
    (told,) = await memory_in(tmp_path).notice(said(f"Remember that {text}"))
    assert told.action == "stored"


async def test_the_file_can_be_read_and_is_private(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said("Remember that I live in Köln", conversation_id="c1", message_id="m1"))
    await memory.recall(said("Where do I live?"), 100)
    (line,) = memory.file.read_text("utf-8").splitlines()
    assert json.loads(line)["text"] == "I live in Köln"
    assert "Köln" in line
    for path in (*memory.file.parent.iterdir(), *(tmp_path / "cache").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(memory.file.parent.stat().st_mode) == 0o700


async def test_an_answer_can_tell_which_memories_it_was_given(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.add("The staging server is haddock", conversation="c1", message="m1")
    (note,) = await memory.recall(said("Which is the staging server?", conversation_id="c2", message_id="m7"), 100)
    await memory.recall(said("And its port?", conversation_id="c2", message_id="m9", given=(note.id,)), 100)
    kept, answers = await memory.why(note.id)
    assert (kept.conversation, kept.message, kept.uses) == ("c1", "m1", 1)
    assert [(one.conversation, one.message) for one in answers] == [("c2", "m9"), ("c2", "m7")]


async def test_what_was_decided_last_week_is_found_with_its_lines(tmp_path: Path) -> None:
    clock = Clock()
    memory = memory_in(tmp_path, clock=clock)
    clock.now -= timedelta(days=7)
    talk = [
        {"id": "m1", "role": "user", "text": "How should we write the parser?"},
        {"id": "m2", "role": "assistant", "text": "By hand or with a generator."},
        {"id": "m3", "role": "user", "text": "OK. Let's use a hand-written recursive descent parser."},
    ]
    await memory.ended("c1", "Parser design", talk)
    await memory.ended("c9", "Holidays", [{"id": "m1", "role": "user", "text": "Where is it warm in May?"}])
    clock.now += timedelta(days=7)
    (note, *_) = await memory.recall(said("what did we decide about the parser last week?", conversation_id="c2"), 300)
    assert note.source == "c1#m3"
    assert "recursive descent" in note.text
    assert note.kind == "gist"


async def test_a_conversation_that_goes_on_leaves_one_gist(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    talk = [{"role": "user", "text": "Let's use Rust for the lexer"}]
    await memory.ended("c1", "Lexer", talk)
    (first,) = await memory.list("gist")
    await memory.ended("c1", "Lexer", [*talk, {"role": "user", "text": "We decided to name it Flea"}])
    (second,) = await memory.list("gist")
    assert second.id == first.id
    assert "Flea" in second.text


async def test_nothing_is_remembered_of_an_empty_conversation(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.ended("c1", "Nothing", [])
    await memory.ended("c2", "Greeting", [{"role": "assistant", "text": "Hello"}])
    assert await memory.list() == []


async def test_by_hand_a_memory_is_added_edited_and_forgotten(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    added = await memory.add("I play the cello", "fact")
    assert added == Noticed("stored", added.memory_id, "I play the cello", "fact")
    assert (await memory.edit(added.memory_id[:6], "I play the viola")).text == "I play the viola"
    assert await texts(memory, "Do I play the viola?") == ["I play the viola"]
    assert await texts(memory, "Do I play the cello?") != ["I play the cello"]
    assert (await memory.edit(added.memory_id, "my password is hunter2")).action == "refused"
    assert (await memory.forget(added.memory_id)).action == "forgotten"
    with pytest.raises(UsageError, match="there is no memory"):
        await memory.get(added.memory_id)


async def test_two_opposite_choices_are_never_taken_for_the_same(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said("I prefer tabs over spaces"))
    (told,) = await memory.notice(said("I prefer spaces over tabs"))
    assert told.action == "replaced"
    assert await held(memory) == ["I prefer spaces over tabs"]


@pytest.mark.parametrize(
    "question", ['"', "' OR 1=1 --", "NEAR(a b)", "a AND", "*", "text:foo", "\x00\x00", "\ud800", "日本", "-"]
)
async def test_any_question_is_a_safe_query(tmp_path: Path, question: str) -> None:
    memory = memory_in(tmp_path)
    await memory.add("AND OR NOT NEAR are words too")
    await memory.recall(said(question + " parser " + question), 100)


async def test_a_chinese_memory_is_found_by_a_part_of_it(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.add("我的猫叫小白")
    assert await texts(memory, "猫叫什么") == ["我的猫叫小白"]


async def test_recall_is_the_same_however_often_the_index_is_lost(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    for text in ("The parser is by hand", "The lexer is by hand", "Tea is at four"):
        await memory.add(text)
    before = await texts(memory, "parser and lexer by hand")
    index = tmp_path / "cache" / "memory.sqlite3"
    for damage in (index.unlink, lambda: index.write_bytes(b"no database"), lambda: index.write_bytes(b"")):
        memory.close()
        damage()
        assert await texts(memory, "parser and lexer by hand") == before != []


async def test_without_a_cache_folder_the_memory_works(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    memory = memory_in(tmp_path)
    await memory.add("The parser is by hand")
    assert await texts(memory, "the parser?") == ["The parser is by hand"]


async def test_many_tasks_at_once_lose_nothing(tmp_path: Path) -> None:
    one, other = memory_in(tmp_path), memory_in(tmp_path)
    kinds: tuple[Kind, ...] = ("fact", "preference")
    await asyncio.gather(
        *((one if n % 2 else other).add(f"Thing {n} is {n * 37}", kinds[n % 2]) for n in range(40)),
        *((one if n % 2 else other).recall(said(f"Thing {n}"), 100) for n in range(10)),
    )
    assert len(await one.list()) == 40


def test_a_memory_that_is_made_and_not_used_loads_nothing() -> None:
    import subprocess

    code = (
        "import sys, asyncio; from coda_cli.engine.memory.manager import MemoryManager as M;"
        "from coda_cli.engine.core.prompts import Situation as S;"
        "m = M(enabled=False); asyncio.run(m.notice(S('remember that I x'))); asyncio.run(m.recall(S('x'), 9));"
        "print([n for n in ('sqlite3', 'numpy', 'wordllama', 'coda_cli.engine.memory.index') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_what_was_told_before_is_found_when_asked_for_what_was_before(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said("Remember that my editor is Vim"))
    await memory.notice(said("Remember that my editor is now Helix"))
    assert await texts(memory, "Which editor do I use?") == ["My editor is now Helix"]
    assert (await texts(memory, "Which editor did I use before?"))[0] == "My editor is Vim"


async def test_meaning_finds_what_words_alone_do_not(tmp_path: Path) -> None:
    memory = memory_in(tmp_path, semantic=True)
    for text in ("The web dashboard is a Svelte application", "The window in the study is broken", "Tea is at four"):
        await memory.add(text)
    question = "What framework is the dashboard built with?"
    assert await texts(memory, question) == ["The web dashboard is a Svelte application"]
    assert await texts(memory_in(tmp_path), question) == []
    assert await texts(memory, "What is the capital of Mongolia?") == []
    dashboard = next(one for one in await memory.list() if "Svelte" in one.text)
    await memory.edit(dashboard.id, "The cellar is damp")
    assert await texts(memory, question) == []


async def test_a_log_of_use_that_has_grown_is_folded_and_nothing_is_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coda_cli.engine.memory.used.MAX_BYTES", 600)
    memory = memory_in(tmp_path)
    added = await memory.add("The parser is by hand")
    for number in range(20):
        await memory.recall(said("the parser?", conversation_id=f"c{number}"), 100)
    kept, answers = await memory.why(added.memory_id)
    assert kept.uses == 20
    assert answers[0].conversation == "c19"
    assert (tmp_path / "data" / "memory.given.jsonl").stat().st_size < 900


@pytest.mark.parametrize(
    ("first", "second", "held_after"),
    [
        ("my editor is Vim", "my editor is Helix", ["My editor is Helix"]),
        ("our database is MySQL", "the database is PostgreSQL", ["The database is PostgreSQL"]),
        ("I work at Brightwell", "I joined Nordlicht", ["I joined Nordlicht"]),
        ("I prefer short answers", "I prefer detailed explanations", ["I prefer detailed explanations"]),
        ("we use Redis for the cache", "we use Valkey for the cache", ["We use Valkey for the cache"]),
        ("my brother is a doctor", "my brother is in Rome", ["My brother is a doctor", "My brother is in Rome"]),
        ("I like tea", "I like coffee", ["I like coffee", "I like tea"]),
        (
            "we use Redis for the cache",
            "we use Redis for sessions",
            ["We use Redis for sessions", "We use Redis for the cache"],
        ),
        ("the lexer is slow", "the parser is slow", ["The lexer is slow", "The parser is slow"]),
        ("port 80 is open", "port 81 is open", ["Port 80 is open", "Port 81 is open"]),
        ("I eat meat", "I do not eat meat", ["I do not eat meat"]),
    ],
)
async def test_only_what_cannot_both_be_true_ends_the_older(
    tmp_path: Path, first: str, second: str, held_after: list[str]
) -> None:
    memory = memory_in(tmp_path)
    await memory.notice(said(f"Remember that {first}"))
    await memory.notice(said(f"Remember that {second}"))
    assert sorted(await held(memory)) == held_after


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("A sensor counts as dead after 45 minutes", "A sensor counts as dead after 20 minutes"),
        ("I live in Lisbon", "We've moved, we live at 5 Mill Lane now"),
        ("I work at Brightwell", "I've started working for Nordlicht"),
    ],
)
async def test_a_newer_value_ends_the_older_one(tmp_path: Path, older: str, newer: str) -> None:
    memory = memory_in(tmp_path)
    await memory.add(older)
    await memory.add(newer)
    assert await held(memory) == [newer]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I work four days a week and have Fridays off", "I've started eating fish again, but still no meat"),
        ("Server 1 runs Debian in the old rack", "Server 2 runs Debian in the old rack"),
        ("I work at Brightwell", "I've joined the choir in our street"),
    ],
)
async def test_what_is_about_something_else_ends_nothing(tmp_path: Path, one: str, other: str) -> None:
    memory = memory_in(tmp_path)
    await memory.add(one)
    await memory.add(other)
    assert sorted(await held(memory)) == sorted([one, other])
