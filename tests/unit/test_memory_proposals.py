"""What a model proposes to remember: made of the person's own words, kept apart, and nothing before they say so."""

from __future__ import annotations

import asyncio
import json
import stat

import pytest
from typer.testing import CliRunner

from coda_cli.chat.commands_memory import COMMANDS
from coda_cli.chat.proposing import finished
from coda_cli.chat.remembering import remember_end
from coda_cli.cli import memory as command
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.memory.proposals import MOST, Proposal, asked, read_proposals
from coda_cli.engine.providers.scripted import Reply
from tests.unit.chat_front import Recorder, session_with

[MEMORY] = COMMANDS
SAID = ["I live in Basel and my cat is called Pixel.", "I always want short answers. Fix this loop: while True: pass"]


def answer(*memories: tuple[str, str]) -> str:
    return json.dumps({"memories": [{"text": text, "kind": kind} for text, kind in memories]})


def test_what_the_person_said_is_proposed_and_what_a_model_made_up_is_not() -> None:
    found = read_proposals(
        f"Here you are:\n```json\n{answer(('I live in Basel', 'fact'), ('I want short answers', 'preference'))}\n```",
        SAID,
    )
    assert found == [Proposal("I live in Basel", "fact"), Proposal("I want short answers", "preference")]
    assert read_proposals(answer(("I work at a bank in Geneva", "fact")), SAID) == []
    assert read_proposals(answer(("My cat is called Pixel", "gist")), SAID) == [
        Proposal("My cat is called Pixel", "fact")
    ]


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "[]", "{", '{"memories": 5}', '{"memories": [5, {"text": 7}, {"kind": "fact"}]}', "{" * 5000],
)
def test_what_is_no_answer_proposes_nothing(text: str) -> None:
    assert read_proposals(text, SAID) == []


def test_a_flood_is_cut_and_only_the_persons_words_are_sent() -> None:
    assert len(read_proposals(answer(*[("I live in Basel", "fact")] * 100), SAID)) == MOST
    sent = asked(["x" * 10_000, "the end"])
    assert sent[-1].content.endswith("the end")
    assert len(sent[-1].content) < 7_000


async def test_a_proposal_counts_only_once_the_person_keeps_it() -> None:
    memory = MemoryManager(semantic=False)
    assert await memory.propose([Proposal("My cat is called Pixel", "fact"), Proposal("My key is sk-1", "fact")]) >= 1
    assert await memory.propose([Proposal("My cat is called Pixel", "fact")]) == 0
    assert await memory.recall(Situation("what is my cat called?", day="2026-11-24"), 500) == []
    assert await memory.list() == []
    first, *_ = await memory.proposals()
    file = memory.file.with_name("memory-proposals.jsonl")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = await memory.decide(first.id, keep=True)
    assert kept is not None
    assert kept.action == "stored"
    [found] = await memory.recall(Situation("what is my cat called?", day="2026-11-24"), 500)
    assert found.text == "My cat is called Pixel"
    assert await memory.propose([Proposal("My cat is called Pixel", "fact")]) == 0
    assert first.id not in file.read_text()


async def test_a_secret_is_not_even_proposed() -> None:
    memory = MemoryManager(semantic=False)
    assert await memory.propose([Proposal("my password is hunter2", "fact")]) == 0
    assert await memory.proposals() == []


def front_with(text: str, *, choices: tuple[int | None, ...] = ()) -> Recorder:
    front = Recorder(session_with(["Hello.", text]), choices=choices)
    front.session.manager.memory = MemoryManager(semantic=False)
    return front


async def test_in_a_chat_the_model_proposes_and_the_person_decides_about_each() -> None:
    front = front_with(
        answer(("I live in Basel", "fact"), ("My cat is called Pixel", "fact"), ("I want short answers", "preference")),
        choices=(0, 1, None),
    )
    await front.session.ask(" ".join(SAID))
    await MEMORY.run(front, "propose")
    memory = front.session.manager.memory
    assert isinstance(memory, MemoryManager)
    assert [one.text for one in await memory.list()] == ["I live in Basel"]
    assert [one.text for one in await memory.proposals()] == ["I want short answers"]
    assert front.notes[-1] == "1 of 3 remembered, 1 left for later"


@pytest.mark.parametrize(("wanted", "waiting"), [(True, 1), (False, 0)])
async def test_at_the_end_of_a_chat_it_happens_only_where_it_was_asked_for(wanted: bool, waiting: int) -> None:
    front = front_with(answer(("I live in Basel", "fact")))
    front.session.settings.propose_memories = wanted
    await front.session.ask(" ".join(SAID))
    await remember_end(front.session)
    assert await finished(front.session) == waiting
    assert not front.session.asides


async def test_a_model_that_does_not_answer_holds_no_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coda_cli.chat.proposing.PATIENCE", 0.05)
    front = Recorder(session_with(["Hello.", Reply("{}", delay=30.0)]))
    front.session.manager.memory = MemoryManager(semantic=False)
    front.session.settings.propose_memories = True
    await front.session.ask(" ".join(SAID))
    await remember_end(front.session)
    async with asyncio.timeout(30):
        assert await finished(front.session) == 0


def test_on_the_command_line_they_are_listed_kept_and_dropped() -> None:
    async def prepare() -> list[str]:
        memory = MemoryManager(semantic=False)
        await memory.propose([Proposal("I live in Basel", "fact"), Proposal("I row on Sundays", "fact")], "c1")
        return [one.id for one in await memory.proposals()]

    first, second = asyncio.run(prepare())
    run = CliRunner().invoke
    assert "I row on Sundays" in run(command.app, ["proposals"]).stdout
    assert run(command.app, ["review"]).exit_code != 0  # nobody to ask
    done = run(command.app, ["review", "--keep", first, "--drop", second, "--json"])
    assert [one["action"] for one in json.loads(done.stdout)] == ["stored", "dropped"]
    assert json.loads(run(command.app, ["proposals", "--json"]).stdout) == []
    assert [one["text"] for one in json.loads(run(command.app, ["list", "--json"]).stdout)] == ["I live in Basel"]
