"""What is true now: what a newer word ends and what it does not, what a "forget" means, and that it stays forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.memory.manager import MemoryManager
from tests.unit.test_memory import held, memory_in, said, texts


async def told(memory: MemoryManager, *lines: str) -> None:
    for line in lines:
        await memory.notice(said(line))


@pytest.mark.parametrize(
    ("known", "heard"),
    [
        ("I live in Basel", "I moved to the backend team"),
        ("I live in Basel", "I moved from vim to emacs"),
        ("I live in Basel", "I live in constant fear of deadlines"),
        ("I work at Novartis", "I work with Python every day"),
        ("I work at Novartis", "I work hard these days"),
        ("I work at Novartis", "I joined the meeting late"),
        ("I work at Novartis", "Remember that I started reading Dune"),
        ("My wife is Anna", "My wife is pregnant"),
        ("My car is a Volvo", "My car is blue"),
        ("My company is Acme", "My company is hiring"),
        ("My manager is Tom", "My manager is angry today"),
        ("I prefer tabs in Go", "I prefer spaces in Python"),
        ("I prefer metric units", "My oven in the kitchen shows fahrenheit"),
        ("I prefer metric units", "Remember that I prefer Celsius"),
        ("Always answer in German", "I have to write in English for my thesis"),
        ("I prefer detailed explanations", "My clients like short replies"),
        ("The database is Postgres", "Remember that the database is slow"),
        ("The project is written in Rust", "Remember that the project is late"),
    ],
)
async def test_an_offhand_sentence_ends_nothing_that_is_still_true(tmp_path: Path, known: str, heard: str) -> None:
    memory = memory_in(tmp_path)
    await memory.add(known)
    await told(memory, heard)
    assert known in await held(memory)


@pytest.mark.parametrize(
    ("known", "heard"),
    [
        ("I live in Bern", "Actually I moved to Basel"),
        ("I like tea", "Remember that I don't like tea"),
        ("I'm allergic to peanuts", "Remember that I'm no longer allergic to peanuts"),
        ("I am vegetarian", "Remember that I am not vegetarian any more"),
        ("My wife is Anna", "Remember that my wife is Berta"),
        ("My favorite color is blue", "Remember that my favourite colour is red"),
        ("Ich wohne in Bern", "Merk dir, dass ich in Basel wohne"),
        ("I live in Bern", "Remember that I live in Basel"),
        ("My flight to Basel leaves on Friday evening", "Remember that my flight to Basel leaves on Sunday evening"),
    ],
)
async def test_what_cannot_both_be_true_ends_the_older(tmp_path: Path, known: str, heard: str) -> None:
    memory = memory_in(tmp_path)
    await memory.add(known)
    await told(memory, heard)
    now = await held(memory)
    assert known not in now
    assert len(now) == 1


async def test_a_german_wish_is_kept_as_a_sentence(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await told(memory, "Merk dir, dass ich in Bern wohne")
    assert await held(memory) == ["Ich wohne in Bern"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("My flight home from Lisbon goes via Frankfurt airport", "My flight home from Lisbon goes via Dublin airport"),
        ("My son Tim likes football in the park", "My son Tom likes football in the park"),
        ("The shop opens at nine in the morning", "The shop opens at ten in the morning"),
    ],
)
async def test_another_word_in_its_place_is_no_duplicate(tmp_path: Path, one: str, other: str) -> None:
    memory = memory_in(tmp_path)
    await told(memory, f"Remember that {one[0].lower()}{one[1:]}", f"Remember that {other[0].lower()}{other[1:]}")
    assert other in await held(memory)


async def test_what_a_model_says_of_the_user_is_what_they_said_themselves(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await told(memory, "Remember that I prefer detailed explanations", "Remember that I live in Bern")
    assert await memory.known("The user prefers detailed explanations") is not None
    done = await memory.add("The user lives in Basel")
    assert done.action == "replaced"
    assert "I live in Bern" not in await held(memory)


# ---- forgetting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("I work at Novartis", "Forget that I work at Roche"),
        ("My name is Bob", "Forget that my name is Alice"),
        ("Always answer in German", "Forget that I should answer in English"),
        ("I prefer short answers", "Forget that I prefer long answers"),
        ("I don't like tea", "Forget that I like tea"),
        ("My wife is Anna", "Forget my wife's birthday"),
        ("My draft is about whales", "Please delete my draft"),
        ("My files are in /home/x", "Delete my files"),
    ],
)
async def test_what_was_not_named_is_not_forgotten(tmp_path: Path, known: str, asked: str) -> None:
    memory = memory_in(tmp_path)
    await memory.add(known)
    await told(memory, asked)
    assert await held(memory) == [known]


async def test_what_held_before_is_forgotten_and_what_holds_stays(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await told(memory, "Remember that I live in Bern", "Actually I live in Basel", "Forget that I live in Bern")
    assert [one.text for one in await memory.list(ended=True)] == ["I live in Basel"]
    await told(memory, "Remember that I prefer tabs", "Remember that I prefer spaces", "Forget that I prefer tabs")
    assert sorted(await held(memory)) == ["I live in Basel", "I prefer spaces"]


async def test_the_same_thing_in_other_words_goes_with_it(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.add("I live in Basel")
    await memory.add("I moved to Basel")
    await told(memory, "Forget that I live in Basel")
    assert await memory.list(ended=True) == []


async def test_everything_at_once_is_for_the_persons_own_hand(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.add("I live in Basel")
    for text in ("Forget everything about me", "Forget everything you know about me", "Forget everything"):
        (done,) = await memory.notice(said(text))
        assert (done.action, "forget --all" in done.text) == ("refused", True), text
    assert await memory.forget_all() == 1
    assert await memory.list(ended=True) == []


async def test_nothing_of_it_comes_back_by_the_gist_of_a_chat(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    chat = [
        {"role": "user", "text": "Remember that my dog is called Zorgblatt", "id": "m1"},
        {"role": "user", "text": "What should I feed Zorgblatt?", "id": "m2"},
        {"role": "user", "text": "Which flowers bloom in May?", "id": "m3"},
    ]
    await told(memory, "Remember that my dog is called Zorgblatt")
    await memory.ended("c1", "Food for Zorgblatt", chat)
    assert "Zorgblatt" in memory.file.read_text()
    await told(memory, "Forget that my dog is called Zorgblatt")
    await memory.ended("c1", "Food for Zorgblatt", chat)  # the other chat is left only now
    await memory.ended(
        "c2", "", [*chat, {"role": "user", "text": "Forget that my dog is called Zorgblatt", "id": "m4"}]
    )
    assert await texts(memory, "What is my dog called?") == []
    for file in memory.file.parent.iterdir():
        assert b"zorgblatt" not in file.read_bytes().lower(), file
    assert all(one.text.endswith("Which flowers bloom in May?") for one in await memory.list("gist"))


async def test_no_word_of_it_stays_in_the_index(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    done = await memory.add("My therapist is called Quetzalcoatl")
    assert await texts(memory, "Who is my therapist?") == ["My therapist is called Quetzalcoatl"]
    await memory.forget(done.memory_id)
    for number in range(3):
        await memory.add(f"I have book number {number}")
        await texts(memory, "Who is my therapist?")
    memory.close()
    for file in (tmp_path / "cache").iterdir():
        assert b"quetz" not in file.read_bytes().lower(), file


async def test_what_is_told_again_may_be_spoken_of_again(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await told(memory, "Remember that my dog is called Zorgblatt", "Forget that my dog is called Zorgblatt")
    await told(memory, "Remember that my dog is called Zorgblatt")
    await memory.ended("c1", "", [{"role": "user", "text": "What should I feed Zorgblatt?", "id": "m2"}])
    assert [one.text for one in await memory.list("gist")] == ["asked: What should I feed Zorgblatt?"]


# ---- by hand --------------------------------------------------------------------------------------------------------


async def test_what_has_ended_can_be_revived(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    first = await memory.add("I live in Bern")
    await memory.add("I live in Basel")
    assert (await memory.revive(first.memory_id)).text == "I live in Bern"
    assert await held(memory) == ["I live in Bern"]
    with pytest.raises(UsageError):
        await memory.revive("mnothing")


async def test_an_edit_ends_what_it_contradicts(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.add("I live in Bern")
    other = await memory.add("I like the Rhine")
    await memory.edit(other.memory_id, "I live in Basel")
    assert await held(memory) == ["I live in Basel"]


async def test_what_is_known_of_the_person_is_told_when_they_ask(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    await memory.add("My name is Ana")
    for question in ("What do you know about me?", "Tell me about myself", "Who am I?", "Was weißt du über mich?"):
        assert await texts(memory, question) == ["My name is Ana"], question


async def test_the_newest_preferences_come_first(tmp_path: Path) -> None:
    memory = memory_in(tmp_path)
    for number in range(60):
        await memory.add(f"I prefer thing number {number}", "preference")
    await memory.add("I prefer metric units", "preference")
    first, *_ = await memory.preferences(Situation("How tall is it?", day="2026-11-24"))
    assert first.text == "I prefer metric units"
