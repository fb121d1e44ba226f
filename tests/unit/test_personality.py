"""PersonalityManager: personas and their files, traits in words, adapting, undoing, fading, and where it is kept."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli import PersonalityManager, PromptEnhancer, paths
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.engine.core.ports import PersonaPort
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.personality.persona import Persona, parse_persona, persona_file, personas_dir
from coda_cli.engine.personality.topics import BOUND
from coda_cli.engine.personality.traits import NEUTRAL, TRAITS, sentences, small_sentence
from tests.unit.wire_cases import VirtualClock

DAY = 86_400.0
EIGHT = [
    "code-reviewer",
    "default",
    "editor",
    "patient-teacher",
    "researcher",
    "rubber-duck",
    "terse-engineer",
    "translator",
]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def manager(clock: VirtualClock) -> PersonalityManager:
    return PersonalityManager(clock=clock)


def said(text: str, **more: object) -> Situation:
    return Situation(question=text, **more)  # type: ignore[arg-type]  # fields by name


def save(name: str, text: str) -> None:
    personas_dir().mkdir(parents=True, exist_ok=True)
    persona_file(name).write_text(text, encoding="utf-8")


# ---- personas ---------------------------------------------------------------------------------------------------


def test_eight_come_along_and_all_of_them_can_be_used(manager: PersonalityManager) -> None:
    assert sorted(manager.names()) == EIGHT
    assert manager.names()[0] == "default"
    assert manager.problems == []
    for name in EIGHT:
        persona = manager.get(name)
        assert persona.description
        assert set(persona.traits) == set(TRAITS)
        if name != "default":
            assert len(persona.prompt) > 150
            assert persona.brief.count(".") == 1
            assert persona.greeting


def test_the_default_adds_nothing_to_a_plain_request(manager: PersonalityManager) -> None:
    assert manager.prompt(Situation(question="What is 2+2?")) == ""
    assert manager.prompt(Situation(question="What is 2+2?", small=True)) == ""


def test_it_is_the_port_that_the_engine_asks(manager: PersonalityManager) -> None:
    port: PersonaPort = manager
    assert port.prompt(Situation()) == ""


def test_a_persons_own_persona_wins_over_the_one_of_the_same_name(manager: PersonalityManager) -> None:
    save("editor", 'description = "Mine"\nprompt = "Cut."\n')
    save("captain", 'prompt = "Ahoy."\ntemperature = 1\nmodel = "fast"\ntools = ["read_file"]\n[traits]\nhumour = 0.9')
    assert "captain" in manager.names()
    own = manager.use("captain")
    assert (own.model, own.temperature, own.tools, own.own) == ("fast", 1.0, ("read_file",), True)
    assert manager.prompt(Situation()).startswith("Ahoy.\n\nBe witty")
    assert manager.use("editor").description == "Mine"


def test_an_unknown_persona_is_told_with_the_nearest(manager: PersonalityManager) -> None:
    with pytest.raises(UsageError, match="no persona") as caught:
        manager.use("editr")
    assert caught.value.hint == "did you mean `editor`?"
    assert manager.persona.name == "default"
    with pytest.raises(UsageError):
        PersonalityManager("../../etc/passwd")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("prompt = ", "bad TOML"),
        ("promt = 'x'", "promt: there is no such key"),
        ("prompt = 3", "prompt: expected text"),
        ("temperature = 'hot'", "temperature: expected a number from 0 to 2"),
        ("temperature = nan", "temperature: expected a number"),
        ("tools = 'all'", "tools: expected a list"),
        ("[traits]\nverbosty = 0.5", "traits.verbosty: there is no such trait"),
        ("[traits]\nverbosity = 2", "traits.verbosity: expected a number from 0 to 1"),
        ("[traits]\nverbosity = true", "traits.verbosity"),
        ("traits = 1", "traits: expected a table"),
        ("name = 'other'", "name: the file is called bad"),
        ("x = " + "[" * 5000, "bad TOML"),
        ("prompt = '" + "x" * 70_000 + "'", "larger than 64 KiB"),
    ],
)
def test_a_bad_file_is_told_and_costs_nothing_else(manager: PersonalityManager, text: str, complaint: str) -> None:
    save("bad", text)
    assert "bad" not in manager.names()
    assert len(manager.names()) == 8
    assert complaint in manager.problems[0]
    with pytest.raises(ConfigError) as caught:
        manager.use("bad")
    assert caught.value.hint
    assert manager.persona.name == "default"


def test_a_file_of_other_bytes_and_a_folder_are_bad_files_too(manager: PersonalityManager) -> None:
    personas_dir().mkdir(parents=True)
    persona_file("latin").write_bytes(b"description = '\xe9'")
    persona_file("folder").mkdir()
    assert len(manager.problems) == 2
    assert len(manager.names()) == 8


@given(st.text(max_size=200))
def test_no_text_in_a_persona_file_ends_in_anything_but_a_persona_or_a_word_about_it(text: str) -> None:
    try:
        made: Persona | ConfigError = parse_persona(text, Path("x.toml"))
    except ConfigError as error:
        made = error
    assert isinstance(made, Persona) or made.hint


# ---- traits in words --------------------------------------------------------------------------------------------

values = st.floats(0, 1)
all_traits = st.fixed_dictionaries(dict.fromkeys(TRAITS, values))


def test_at_neutral_nothing_is_said() -> None:
    assert sentences(dict.fromkeys(TRAITS, NEUTRAL)) == []
    assert sentences(dict.fromkeys(TRAITS, 0.6)) == []


def test_the_extremes_say_what_can_be_checked() -> None:
    assert sentences({"verbosity": 0.2}) == ["Answer in at most three sentences."]
    assert sentences({"humour": 0.0, "verbosity": 0.35}) == [
        "Make no jokes and no puns.",
        "Keep answers short: one paragraph, unless more is asked for.",
    ]


@given(all_traits)
def test_at_most_four_sentences_the_most_extreme_first(traits: dict[str, float]) -> None:
    told = sentences(traits)
    assert len(told) <= 4
    assert len(set(told)) == len(told)
    extreme = max(abs(value - NEUTRAL) for value in traits.values())
    assert bool(told) == (extreme >= 0.15 - 1e-6) or abs(extreme - 0.15) < 1e-6
    if told:
        first = next(name for name in TRAITS if sentences({name: traits[name]}) == told[:1])
        assert abs(traits[first] - NEUTRAL) == pytest.approx(extreme, abs=1e-5)


@given(all_traits)
def test_a_small_model_gets_one_sentence_verbosity_first(traits: dict[str, float]) -> None:
    told = small_sentence(traits)
    assert told.count(".") <= 1
    if traits["verbosity"] <= 0.2:
        assert told == "Answer in one short sentence."
    assert small_sentence(dict.fromkeys(TRAITS, NEUTRAL), "You are a duck.") == "You are a duck."


# ---- adapting ---------------------------------------------------------------------------------------------------


async def test_feedback_acts_at_once_and_is_told(manager: PersonalityManager) -> None:
    adapted = await manager.heard(said("Shorter please!"))
    assert [(a.trait, a.before, a.after, a.cause) for a in adapted] == [("verbosity", 0.5, 0.3, "you said: shorter")]
    assert manager.prompt(Situation()) == "Keep answers short: one paragraph, unless more is asked for."
    await manager.heard(said("Still too long"))
    assert manager.prompt(Situation()) == "Answer in at most three sentences."
    assert manager.prompt(Situation(small=True)) == "Answer in one short sentence."


async def test_a_complaint_ends_the_opposite_at_once(clock: VirtualClock) -> None:
    save("chatty", "[traits]\nverbosity = 0.95\nformality = 0.05")
    manager = PersonalityManager("chatty", clock)
    adapted = await manager.heard(said("too long, and be more formal"))
    assert [(one.trait, one.after) for one in adapted] == [("verbosity", 0.5), ("formality", 0.5)]
    assert manager.prompt(Situation()) == ""


async def test_stop_joking_goes_all_the_way(clock: VirtualClock) -> None:
    save("clown", "[traits]\nhumour = 1")
    manager = PersonalityManager("clown", clock)
    assert "witty" in manager.prompt(Situation())
    [adapted] = await manager.heard(said("stop joking"))
    assert (adapted.before, adapted.after) == (1.0, 0.1)
    assert manager.prompt(Situation()) == "Make no jokes and no puns."
    assert list(await manager.heard(said("stop joking"))) == []


async def test_a_question_about_the_phrase_changes_nothing(manager: PersonalityManager) -> None:
    assert list(await manager.heard(said("What does 'shorter please' mean?"))) == []
    assert manager.changes() == []
    assert not (paths.data_dir() / "personas.json").exists()


async def test_topics_lean_within_their_bounds_and_never_change_a_neutral_prompt(manager: PersonalityManager) -> None:
    for _ in range(20):
        await manager.heard(said("urgent: the server is down"))
        await manager.heard(said("I feel so lonely"))
        assert all(abs(value - NEUTRAL) <= BOUND + 1e-9 for value in manager.state().traits.values())
    assert manager.prompt(Situation()) == ""
    assert all(change.cause.startswith("topic: ") for change in manager.changes())


async def test_a_topic_is_told_only_where_a_model_is_told_something_else(clock: VirtualClock) -> None:
    save("close", "[traits]\nverbosity = 0.4")
    manager = PersonalityManager("close", clock)
    assert list(await manager.heard(said("Why does this Python function raise an exception?"))) == []
    assert [change.cause for change in manager.changes()] == ["topic: technical", "topic: technical"]
    assert "verbosity" in [adapted.trait for adapted in await manager.heard(said("urgent!"))]
    assert manager.prompt(Situation()) == "Keep answers short: one paragraph, unless more is asked for."


async def test_the_same_topic_again_writes_nothing(manager: PersonalityManager) -> None:
    for _ in range(4):
        await manager.heard(said("Write me a poem about rain"))
    file = paths.data_dir() / "personas.json"
    before = file.stat()
    await manager.heard(said("Write me a poem about snow"))
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert file.stat().st_ino == before.st_ino


async def test_what_has_changed_fades_over_days(manager: PersonalityManager, clock: VirtualClock) -> None:
    await manager.heard(said("shorter please"))
    await manager.heard(said("urgent!"))
    seen = [manager.state().traits["verbosity"]]
    for _ in range(8):
        clock.time += 7 * DAY
        seen.append(manager.state().traits["verbosity"])
    assert seen == sorted(seen)
    assert seen[0] == pytest.approx(0.25)
    assert seen[2] == pytest.approx(0.4)
    clock.time += 60 * DAY
    assert manager.state().traits["verbosity"] == NEUTRAL
    assert manager.changes() == []
    assert manager.state().mood == "calm"


async def test_the_prompt_stays_the_same_for_a_day(manager: PersonalityManager, clock: VirtualClock) -> None:
    clock.time = 20_000 * DAY
    await manager.heard(said("shorter please, and be more formal"))
    first = manager.prompt(Situation())
    for _ in range(23):
        clock.time += 3600
        assert manager.prompt(Situation()) == first


async def test_a_change_is_undone_by_its_id(manager: PersonalityManager) -> None:
    await manager.heard(said("shorter please"))
    await manager.heard(said("be more formal"))
    ids = [change.id for change in manager.changes()]
    assert ids == ["c2", "c1"]
    undone = manager.undo("c1")
    assert (undone.trait, undone.before, undone.after) == ("verbosity", 0.3, 0.5)
    assert manager.prompt(Situation()) == "Write formally."
    with pytest.raises(UsageError, match="no change"):
        manager.undo("c1")
    await manager.heard(said("shorter please"))
    assert manager.changes()[0].id == "c3", "an id is never given twice"
    assert manager.reset() == 2
    assert manager.prompt(Situation()) == ""


async def test_traits_and_mood_survive_a_prompt_that_does_not_fit(manager: PersonalityManager) -> None:
    save("saga", 'prompt = """\n' + "Tell of the sea and its ships.\n" * 200 + '"""\n')
    manager.use("saga")
    await manager.heard(said("shorter please"))
    enhancer = PromptEnhancer(persona=manager, sections=["persona"])
    told = await enhancer.assemble(None, said("How are you feeling?"))
    assert "Keep answers short" in told.text
    assert "your mood is attentive" in told.text
    assert "Tell of the sea" in told.text
    assert told.sections[0].cut
    save("saga", 'prompt = "' + "Tell of the sea and its ships. " * 200 + '"\n')
    manager.use("saga")
    assert (await enhancer.assemble(None, Situation())).text.startswith("Keep answers short")


async def test_each_persona_has_its_own_changes(manager: PersonalityManager) -> None:
    await manager.heard(said("shorter please"))
    manager.use("translator")
    assert manager.changes() == []
    manager.use("default")
    assert len(manager.changes()) == 1


# ---- mood -------------------------------------------------------------------------------------------------------


async def test_the_mood_is_spoken_of_only_when_asked(manager: PersonalityManager) -> None:
    await manager.heard(said("Why does this Python function raise an exception?"))
    assert manager.state().mood == "focused"
    assert "focused" not in manager.prompt(said("And now?"))
    assert "your mood is focused" in manager.prompt(said("How are you feeling?"))
    assert "your mood is focused" in manager.prompt(said("How are you feeling?", small=True))


async def test_the_mood_follows_what_came_lately(manager: PersonalityManager, clock: VirtualClock) -> None:
    await manager.heard(said("Write me a poem about rain"))
    assert manager.state().mood == "playful"
    await manager.heard(said("Thanks!"))
    assert manager.state().mood == "pleased"
    clock.time += 2 * DAY
    assert manager.state().mood == "calm"


# ---- where it is kept -------------------------------------------------------------------------------------------


async def test_another_process_goes_on_where_this_one_was(manager: PersonalityManager, clock: VirtualClock) -> None:
    await manager.heard(said("shorter please"))
    other = PersonalityManager(clock=clock)
    assert other.state() == manager.state()
    other.undo("c1")
    assert manager.changes() == []


async def test_the_state_is_private(manager: PersonalityManager) -> None:
    await manager.heard(said("shorter please"))
    file = paths.data_dir() / "personas.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {entry.name for entry in file.parent.iterdir()} == {"personas.json", ".personas.json.lock"}


async def test_incognito_adapts_and_keeps_nothing(manager: PersonalityManager) -> None:
    await manager.heard(said("be more formal"))
    before = (paths.data_dir() / "personas.json").read_bytes()
    here = said("shorter please", incognito=True, conversation_id="secret")
    [adapted] = await manager.heard(here)
    assert manager.prompt(here) == "Keep answers short: one paragraph, unless more is asked for."
    assert manager.prompt(said("", incognito=True, conversation_id="other")) == ""
    assert manager.prompt(Situation()) == "Write formally."
    assert manager.undo(adapted.id, "secret").after == NEUTRAL
    assert manager.prompt(here) == ""
    assert (paths.data_dir() / "personas.json").read_bytes() == before


WRITER = """
import asyncio, sys
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.personality.manager import PersonalityManager
async def main():
    manager = PersonalityManager(sys.argv[1])
    for text in ["be more formal", "less formal"] * 5:
        await manager.heard(Situation(question=text))
asyncio.run(main())
"""


def test_several_processes_lose_nothing() -> None:
    names = ["default", "editor", "default"]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in names]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    value = json.loads((paths.data_dir() / "personas.json").read_text())
    kept = {name: part["changes"] for name, part in value["personas"].items()}
    assert {name: len(changes) for name, changes in kept.items()} == {"default": 20, "editor": 10}
    ids = [change["id"] for changes in kept.values() for change in changes]
    assert len(set(ids)) == 30


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"\xff\xfe", b"null", b'{"personas": 3}', b"[" * 100_000, b" " * (1024 * 1024 + 1)],
    ids=["torn", "list", "bytes", "null", "number", "deep", "large"],
)
async def test_a_state_that_cannot_be_used_is_told_and_kept_aside(manager: PersonalityManager, content: bytes) -> None:
    file = paths.data_dir() / "personas.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert manager.prompt(Situation()) == ""
    assert "cannot be used" in manager.problems[0]
    await manager.heard(said("shorter please"))
    assert file.with_name("personas.json.bad-1").read_bytes() == content
    assert len(manager.changes()) == 1
    assert manager.problems == []


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
change_like = st.fixed_dictionaries(
    {},
    optional={
        name: json_values | st.sampled_from(["c1", "verbosity", "topic", "feedback", 0.2, 1.79e9, 10**400])
        for name in ("id", "trait", "delta", "cause", "time", "kind")
    },
)


@settings(max_examples=60)
@given(st.lists(change_like | json_values, max_size=4), st.lists(json_values, max_size=3), json_values)
def test_odd_entries_in_the_state_are_left_out(changes: list[object], signals: list[object], following: object) -> None:
    file = paths.data_dir() / "personas.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {"changes": changes, "signals": signals}
    file.write_text(json.dumps({"following": following, "personas": {"default": kept, "x": signals}}))
    state = PersonalityManager(clock=VirtualClock()).state()
    assert all(0 <= value <= 1 for value in state.traits.values())


async def test_a_disk_that_takes_nothing_is_an_error_for_a_person(manager: PersonalityManager) -> None:
    paths.data_dir().parent.mkdir(parents=True)
    paths.data_dir().write_text("in the way")
    with pytest.raises(ConfigError, match="cannot keep") as caught:
        await manager.heard(said("shorter please"))
    assert caught.value.hint
    assert manager.prompt(Situation()) == ""
