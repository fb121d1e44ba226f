"""`/persona`: who answers, choosing another, and taking changes back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from coda_cli import PersonalityManager
from coda_cli.chat.commands_persona import COMMANDS
from coda_cli.engine.core.errors import ConfigError, UsageError
from coda_cli.engine.core.prompts import Situation
from coda_cli.engine.personality.persona import persona_file, personas_dir
from coda_cli.engine.prompting.enhancer import PromptEnhancer
from coda_cli.engine.tools.manager import ToolManager
from tests.unit.chat_front import Recorder, provider_of, session_with

[PERSONA] = COMMANDS


@pytest.fixture
def front() -> Recorder:
    front = Recorder(session_with())
    front.session.manager.personality = PersonalityManager()
    return front


def manager_of(front: Recorder) -> PersonalityManager:
    found = front.session.manager.personality
    assert isinstance(found, PersonalityManager)
    return found


async def test_what_has_changed_is_shown_with_its_cause_and_what_the_model_is_told(front: Recorder) -> None:
    await manager_of(front).heard(Situation(question="shorter please"))
    await PERSONA.run(front, "")
    page = front.documents["Persona"]
    assert "**default**" in page
    assert "Mood: attentive" in page
    assert "> Keep answers short: one paragraph" in page
    assert "| verbosity | 0.30 | 0.50 |" in page
    assert "| `c1` | verbosity | -0.20 | you said: shorter |" in page


async def test_the_default_says_that_it_adds_nothing(front: Recorder) -> None:
    await PERSONA.run(front, "")
    assert "It adds nothing to what you ask." in front.documents["Persona"]


async def test_another_persona_is_named_or_chosen_and_greets(front: Recorder) -> None:
    await PERSONA.run(front, "rubber-duck")
    assert manager_of(front).persona.name == "rubber-duck"
    assert front.notes[-1].startswith("Quack.")
    front.choices = [1]
    await PERSONA.run(front, "list")
    assert [option.label for option in front.options[-1]][:2] == ["default", "code-reviewer"]
    assert manager_of(front).persona.name == "code-reviewer"
    front.choices = [None]
    await PERSONA.run(front, "list")
    assert manager_of(front).persona.name == "code-reviewer"


async def test_an_unknown_persona_changes_nothing(front: Recorder) -> None:
    with pytest.raises(UsageError, match="no persona"):
        await PERSONA.run(front, "pirate")
    personas_dir().mkdir(parents=True)
    persona_file("pirate").write_text("oops")
    with pytest.raises(ConfigError, match="bad TOML"):
        await PERSONA.run(front, "pirate")
    assert manager_of(front).persona.name == "default"


async def test_a_change_is_taken_back_by_its_id_or_the_latest(front: Recorder) -> None:
    for text in ("shorter please", "be more formal"):
        await manager_of(front).heard(Situation(question=text))
    await PERSONA.run(front, "undo c1")
    assert front.notes[-1] == "verbosity is 0.50 now, it was 0.30 (undone: you said: shorter)"
    await PERSONA.run(front, "undo")
    assert manager_of(front).changes() == []
    with pytest.raises(UsageError, match="nothing has changed"):
        await PERSONA.run(front, "undo")


async def test_without_an_id_the_latest_wish_is_taken_back_before_any_topic(front: Recorder) -> None:
    manager = manager_of(front)
    await manager.heard(Situation(question="shorter please"))
    await manager.heard(Situation(question="be gentler"))
    await manager.heard(Situation(question="urgent: the server is down"))
    await PERSONA.run(front, "undo")
    assert front.notes[-2:] == [
        "directness is 0.55 now, it was 0.35 (undone: you said: be gentler)",
        "empathy is 0.50 now, it was 0.70 (undone: you said: be gentler)",
    ]
    await PERSONA.run(front, "undo")
    assert {change.kind for change in manager.changes()} == {"topic"}
    await PERSONA.run(front, "undo")
    assert manager.changes() == []


async def test_an_undo_that_changes_nothing_says_so(front: Recorder) -> None:
    written("long", "[traits]\nverbosity = 0.9\n")
    await PERSONA.run(front, "long")
    for _ in range(2):
        await manager_of(front).heard(Situation(question="longer please"))
    await PERSONA.run(front, "undo c1")
    assert front.notes[-1].startswith("verbosity stays 1.00, it would be the same without this")
    await PERSONA.run(front, "undo")
    assert front.notes[-1] == "verbosity is 0.90 now, it was 1.00 (undone: you said: longer)"


async def test_what_is_shown_as_told_is_what_is_told(front: Recorder) -> None:
    written("saga", 'prompt = """\n' + "Tell of the sea and its ships.\n" * 200 + '"""\n[traits]\nhumour = 0.9\n')
    await PERSONA.run(front, "saga")
    assert any("600 fit" in note for note in front.notes)
    await PERSONA.run(front, "")
    page = front.documents["Persona"]
    assembled = await PromptEnhancer(persona=manager_of(front), sections=["persona"]).assemble(None, Situation())
    quoted = "\n".join(line[2:] for line in page.split("\n") if line.startswith("> "))
    assert quoted == assembled.text
    assert "witty" in quoted
    assert "It is not told all: the end of the persona does not fit." in page


async def test_a_tiny_model_is_shown_the_one_sentence_that_it_gets(
    front: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_of(front.session)
    tiny = replace(provider.profile("fake-model"), tiny=True)
    monkeypatch.setattr(provider, "profile", lambda _: tiny)
    await PERSONA.run(front, "rubber-duck")
    await PERSONA.run(front, "")
    [line] = [line for line in front.documents["Persona"].split("\n") if line.startswith("> ")]
    assert line == f"> {manager_of(front).persona.brief}"


async def test_tools_that_nobody_knows_are_told_and_refuse_nothing(front: Recorder) -> None:
    front.session.manager.tools = ToolManager()
    written("smith", 'tools = ["read_fil", "math", "get_*", "mcp__git__log", "my*"]\n')
    await PERSONA.run(front, "smith")
    assert manager_of(front).persona.name == "smith"
    assert [note for note in front.notes if "no tool" in note] == [
        'smith: no tool is known that is called "read_fil", did you mean `read_file`?',
        'smith: no tool is known that is called "my*"; is it one of your own?',
    ]
    await PERSONA.run(front, "")
    assert "read_fil" in front.documents["Persona"]


async def test_a_reset_asks_first(front: Recorder) -> None:
    await manager_of(front).heard(Situation(question="shorter please"))
    await PERSONA.run(front, "reset")  # and no
    assert len(manager_of(front).changes()) == 1
    front.confirms = [True]
    await PERSONA.run(front, "reset")
    assert manager_of(front).changes() == []


async def test_an_incognito_chat_shows_its_own_changes_only() -> None:
    front = Recorder(session_with(log=False))
    manager = front.session.manager.personality = PersonalityManager()
    await manager.heard(Situation(question="be more formal"))
    front.session.conversation_id = "secret"
    await manager.heard(Situation(question="shorter please", conversation_id="secret", incognito=True))
    await PERSONA.run(front, "")
    assert "verbosity" in front.documents["Persona"]
    assert "formality" not in front.documents["Persona"]
    await PERSONA.run(front, "undo")
    assert [change.trait for change in manager.changes()] == ["formality"]


async def test_without_personas_it_says_how_to_have_them(front: Recorder) -> None:
    front.session.manager.personality = None
    with pytest.raises(UsageError, match="switched off") as caught:
        await PERSONA.run(front, "")
    assert "personality_integration_enabled" in (caught.value.hint or "")


async def test_names_actions_and_changes_are_completed(front: Recorder) -> None:
    assert PERSONA.complete is not None
    assert [text for text, _ in PERSONA.complete(front, "tr")] == ["translator"]
    assert "undo" in [text for text, _ in PERSONA.complete(front, "")]
    await manager_of(front).heard(Situation(question="shorter please"))
    assert [text for text, _ in PERSONA.complete(front, "undo ")] == ["c1"]


def written(name: str, text: str) -> None:
    personas_dir().mkdir(parents=True, exist_ok=True)
    persona_file(name).write_text(text)


async def test_a_persona_brings_its_model_and_tools_and_gives_them_back(front: Recorder) -> None:
    session, before = front.session, front.session.spec
    written("captain", 'prompt = "Be a captain."\nmodel = "anthropic/claude-haiku-5"\ntools = ["calculator"]\n')
    written("cook", 'prompt = "Be a cook."\nmodel = "ollama/pasta"\n')
    await PERSONA.run(front, "captain")
    assert (session.spec_name(session.spec), session.tools) == ("anthropic/claude-haiku-5", ("calculator",))
    assert front.notes[-2:] == ["with anthropic/claude-haiku-5", "it may call calculator"]
    await PERSONA.run(front, "cook")
    assert (session.spec_name(session.spec), session.tools) == ("ollama/pasta", None)
    await PERSONA.run(front, "default")
    assert (session.spec, session.tools) == (before, None)


async def test_what_the_person_has_named_no_persona_takes_away(front: Recorder) -> None:
    session = front.session
    written("captain", 'prompt = "Be a captain."\nmodel = "anthropic/claude-haiku-5"\ntools = ["calculator"]\n')
    await session.switch_model("openai/gpt-6-luna")
    session.tools, session.named_tools = ("get_time",), True
    await PERSONA.run(front, "captain")
    assert (session.spec_name(session.spec), session.tools) == ("openai/gpt-6-luna", ("get_time",))
    assert "you have chosen openai/gpt-6-luna, so it is not anthropic/claude-haiku-5" in front.notes
