"""What changes of a persona come to: undoing as an inverse, and lists that never grow for ever."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import assume, given, settings, strategies as st

from coda_cli import PersonalityManager
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.personality.persona import persona_file, personas_dir
from coda_cli.engine.personality.state import MOST_WISHES
from coda_cli.engine.personality.traits import NEUTRAL
from tests.unit.wire_cases import VirtualClock

DAY = 86_400.0


@pytest.fixture
def manager() -> PersonalityManager:
    return PersonalityManager(clock=VirtualClock())


def said(text: str, **more: object) -> Situation:
    return Situation(question=text, **more)  # type: ignore[arg-type]  # fields by name


async def test_an_undo_gives_what_would_be_there_without_the_change(manager: PersonalityManager) -> None:
    await manager.heard(said("stop joking"))
    await manager.heard(said("be funnier"))
    assert manager.state().traits["humour"] == NEUTRAL
    undone = manager.undo("c1")
    assert (undone.before, undone.after) == (0.5, 0.7)
    assert manager.undo("c2").after == NEUTRAL


WISHES = ("shorter please", "as short as possible", "longer please", "stop joking", "be funnier", "too formal", "eli5")
TOPICS = ("urgent!", "I feel so lonely", "I want to understand integrals for my exam", "```\nx = 1\n```")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((*WISHES, *TOPICS)), st.integers(0, 6)), min_size=1, max_size=9),
    st.integers(0, 8),
    st.sampled_from([0.0, 0.5, 0.95]),
)
def test_undoing_is_an_inverse(said_when: list[tuple[str, int]], place: int, verbosity: float) -> None:
    place %= len(said_when)
    assume(said_when[place][0] in WISHES)
    personas_dir().mkdir(parents=True, exist_ok=True)
    persona_file("here").write_text(f"[traits]\nverbosity = {verbosity}")

    def told(skip: int | None) -> tuple[PersonalityManager, str, str]:
        clock = VirtualClock()
        manager, chat, made = PersonalityManager("here", clock), "" if skip is None else "other", ""
        for number, (text, days) in enumerate(said_when):
            clock.time += days * DAY
            if number == skip:
                continue
            asyncio.run(manager.heard(said(text, incognito=True, conversation_id=chat)))
            if number == place:
                wishes = [one for one in manager._incognito[chat].of("here").changes if one.kind == "feedback"]
                made = wishes[-1].id
        return manager, chat, made

    with_it, chat, made = told(None)
    with_it.undo(made, chat)
    without, other, _ = told(place)
    expected = without.state(other).traits
    assert with_it.state(chat).traits == pytest.approx(expected, abs=0.011)


async def test_a_wish_that_was_fulfilled_already_holds_once_the_first_is_undone(manager: PersonalityManager) -> None:
    await manager.heard(said("stop joking"))
    assert list(await manager.heard(said("no more jokes"))) == []
    undone = manager.undo("c1")
    assert (undone.before, undone.after) == (0.1, 0.1)
    assert [change.cause for change in manager.changes()] == ["you said: no more jokes"]
    assert manager.undo_latest()[0].after == NEUTRAL


async def test_topics_never_push_a_wish_out(manager: PersonalityManager) -> None:
    await manager.heard(said("shorter please"))
    for _ in range(60):
        await manager.heard(said("I feel so lonely since the breakup"))
        await manager.heard(said("Why does this Python function raise an exception?"))
    assert manager.state().traits["verbosity"] == 0.3
    kinds = [change.kind for change in manager.changes()]
    assert (kinds.count("feedback"), kinds.count("topic")) == (1, 4)


async def test_many_wishes_become_one_and_none_is_lost(manager: PersonalityManager) -> None:
    await manager.heard(said("shorter please"))
    for _ in range(30):
        await manager.heard(said("be more formal"))
        await manager.heard(said("less formal"))
    await manager.heard(said("be more formal"))
    formality = [change for change in manager.changes() if change.trait == "formality"]
    assert MOST_WISHES - 1 <= len(formality) <= MOST_WISHES
    assert manager.state().traits["formality"] == pytest.approx(0.7)
    assert manager.state().traits["verbosity"] == 0.3
