"""`/tools`, `/approval`, `/permissions`, and what tools take of the window in `/context`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coda_cli.chat.commands import complete, run
from coda_cli.chat.shares import of_request
from coda_cli.engine.core.errors import UsageError
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.personality.manager import PersonalityManager
from coda_cli.engine.tools.manager import ToolManager
from coda_cli.engine.tools.permissions import Permissions
from tests.unit.chat_front import Recorder, provider_of, session_with


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setenv("CODA_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Recorder(session_with())


def tools_of(front: Recorder) -> ToolManager:
    found = front.session.manager.tools
    assert isinstance(found, ToolManager)
    return found


async def told_of(front: Recorder) -> list[str]:
    """The tools that the model is told of with the next question."""
    await front.session.ask("hello")
    return [tool.name for tool in provider_of(front.session).requests[-1].tools]


async def test_all_tools_are_there_until_a_person_chooses(front: Recorder) -> None:
    there = [name for name in tools_of(front).names() if not name.endswith("_memory")]  # memory is off here
    assert await told_of(front) == there
    await run(front, "/tools calculator, time")
    chosen = await told_of(front)
    assert {"calculator", "get_time"} <= set(chosen)
    assert "write_file" not in chosen
    await run(front, "/tools none")
    assert await told_of(front) == []
    await run(front, "/tools all")
    assert "write_file" in await told_of(front)


async def test_the_list_marks_those_the_model_may_call(front: Recorder) -> None:
    await run(front, "/tools calculator")
    await run(front, "/tools")
    page = front.documents["Tools"]
    assert "| `calculator` | ✓ | nothing |" in page
    assert "| `write_file` |  | writes |" in page
    assert "Mode: **ask**" in page


async def test_a_misspelt_tool_changes_nothing(front: Recorder) -> None:
    await run(front, "/tools calculater")
    assert isinstance(front.errors[-1], UsageError)
    assert "calculator" in (front.errors[-1].hint or "")
    assert front.session.tools is None


def mode_of(front: Recorder) -> str:
    return front.session.manager.config.function_calling.approval_mode


async def test_the_mode_is_chosen_and_everything_only_after_a_yes(front: Recorder) -> None:
    await run(front, "/approval read-only")
    assert mode_of(front) == "read-only"
    await run(front, "/approval all")  # and no
    assert mode_of(front) == "read-only"
    front.confirms = [True]
    await run(front, "/approval all")
    assert mode_of(front) == "all"
    await run(front, "/approval sometimes")
    assert isinstance(front.errors[-1], UsageError)
    assert [one.text for one in complete("/approval acc", front)] == ["accept-edits"]


async def test_a_rule_is_listed_and_taken_back(front: Recorder) -> None:
    rules = tools_of(front).permissions
    assert isinstance(rules, Permissions)
    await run(front, "/permissions")
    assert "no rules" in front.notes[-1]
    rules.add("run_command git status")
    front.choices, front.confirms = [0], [True]
    await run(front, "/permissions")
    assert "run_command git status" in front.options[0][0].label
    assert rules.rules() == []


async def test_context_shows_what_the_tools_take(front: Recorder) -> None:
    async def taken() -> int:
        await run(front, "/context")
        found = re.search(r"\| tools \| ([\d,]+) \| (\d+) \|", front.documents["What the model gets"])
        return int(found[1].replace(",", "")) if found else 0

    few = await taken()
    for number in range(100):

        def more(text: str) -> str:
            """One of a hundred more tools, with a line or two about what it is good for."""
            return text

        more.__name__ = f"more_{number}"
        tools_of(front).register(more)
    assert 100 < few < await taken() - 100 * 20
    await run(front, "/tools none")
    assert await taken() == 0


async def test_context_shows_the_sections_of_the_system_prompt(front: Recorder) -> None:
    manager = front.session.manager
    await manager.set_memory_manager(MemoryManager())
    await manager.set_personality_manager(PersonalityManager("terse-engineer"))
    await front.session.ask("Remember that I prefer short answers")
    await run(front, "/context")
    page = front.documents["What the model gets"]
    for part in ("persona", "preferences", "day and system", "tools", "questions"):
        assert re.search(rf"^\| {part} \| [1-9][\d,]* \|", page, re.MULTILINE), part
    shares = of_request(
        manager.tokens.counter("fake", "fake-model"),
        provider_of(front.session).requests[-1],
        front.session.generation.outcome.sections,  # type: ignore[union-attr]  # it has ended
    )
    assert {"persona", "day and system", "tools", "questions"} <= {share.name for share in shares}
    assert all(share.tokens > 0 for share in shares)
