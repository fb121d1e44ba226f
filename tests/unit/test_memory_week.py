"""A week with a memory: tell, be asked, contradict, recall in another chat, forget; and nothing of it comes back.

On a scripted model, and on the real embedded engine. What a model is given is what counts here, not how it answers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.events import MemoryUpdate
from coda_cli.engine.core.messages import MessageRole
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.memory.manager import MemoryManager
from coda_cli.engine.providers.scripted import ScriptedProvider
from tests.weights import smollm2_path

MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)


class Week:
    """One person, one memory, a new process and a new chat every day."""

    def __init__(self, config: ProviderConfig | None = None) -> None:
        self.day = MONDAY
        self.config = config
        self.system = ""
        self.changes: list[dict[str, Any]] = []

    def memory(self) -> MemoryManager:
        return MemoryManager(clock=lambda: self.day)

    async def say(self, text: str, *, days: int = 0) -> str:
        """Say it, *days* later than the last time, in a chat of its own; the answer."""
        self.day += timedelta(days=days)
        config = self.config or ProviderConfig(provider=LLMProvider.SCRIPTED)
        made = LLMManager(LLMConfig(providers={"m": config}, default_provider="m"), store=ConversationManager())
        if self.config is None:
            made._providers["m"] = ScriptedProvider(replies=["Fine."])
        await made.set_memory_manager(self.memory())
        async with made:
            generation = made.generate_response(text)
            self.changes = []
            async for event in generation.events():
                if isinstance(event, MemoryUpdate):
                    self.changes += event.changes
            outcome = generation.outcome
            assert outcome is not None
            assert outcome.request is not None
            self.system = "\n".join(m.content for m in outcome.request.messages if m.role is MessageRole.SYSTEM)
            assert made.memory is not None
            said = [{"role": m.role.value, "text": m.content, "id": m.message_id} for m in
                    await made.store.messages(outcome.response.conversation_id)]  # fmt: skip
            await made.memory.ended(outcome.response.conversation_id, "", said)
            return outcome.response.content

    def did(self) -> list[str]:
        """What was done to the memory by the last thing that was said."""
        return [str(change["action"]) for change in self.changes]

    async def known(self) -> list[str]:
        """What `/memory list` shows, gists of chats left out."""
        return [one.text for one in await self.memory().list() if one.kind != "gist"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


async def test_a_week_on_a_scripted_model(home: Path) -> None:
    week = Week()
    await week.say("Remember that I live in Bern")
    assert week.did() == ["stored"]
    await week.say("Remember that I prefer short answers")
    assert sorted(await week.known()) == ["I live in Bern", "I prefer short answers"]

    await week.say("Which museums are near where I live?", days=1)
    assert "Bern" in week.system
    assert "short answers" in week.system
    await week.say("What is a monad?", days=1)
    assert "Bern" not in week.system  # not a word about what does not matter
    assert "short answers" in week.system

    await week.say("Actually I moved to Basel", days=1)
    assert week.did() == ["replaced"]
    await week.say("Which museums are near where I live?")
    assert "Basel" in week.system
    assert "I live in Bern" not in week.system
    ended = [one.text for one in await week.memory().list(ended=True)]
    assert "I live in Bern" in ended  # ended, not erased

    await week.say("My key is sk-live-4f9a8b7c6d5e4f3a2b1c0d9e8f7a. Remember that key", days=1)
    assert "sk-live" not in (home / "data" / "memory.jsonl").read_text()

    await week.say("Forget that I prefer short answers", days=1)
    assert week.did() == ["forgotten"]
    await week.say("What is a functor?", days=1)
    assert "short answers" not in week.system
    assert all("short answers" not in text for text in await week.known())


async def test_the_same_on_the_real_embedded_engine() -> None:
    """135 million parameters get at most two memories in their prompt; all is kept all the same."""
    weights = smollm2_path()
    week = Week(ProviderConfig(provider=LLMProvider.LOCAL, model=str(weights), max_tokens=24))
    assert await week.say("Remember that I live in Bern")
    assert week.did() == ["stored"]
    assert await week.say("Actually I moved to Basel", days=2)
    assert week.did() == ["replaced"]
    assert len(week.system) < 200
    assert await week.say("Forget that I live in Basel", days=2)
    assert week.did() == ["forgotten"]
    assert await week.known() == []
