"""An answer is kept while it streams, about once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from coda_cli import LLMConfig, LLMManager, Reply, ScriptedProvider
from coda_cli.engine import checkpoints
from coda_cli.engine.checkpoints import Checkpoints
from coda_cli.engine.clock import SystemClock
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.memory import MemoryShelf
from coda_cli.engine.core.errors import CodaError
from coda_cli.engine.core.events import ResponseChunk
from coda_cli.engine.core.messages import LLMMessage, Part, ReasoningPart, TextPart


class Ticking:
    """A clock that is a quarter of a second later each time it is read."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        self.time += 0.25
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class Keeping(ConversationManager):
    """A store that remembers its checkpoints."""

    def __init__(self) -> None:
        super().__init__(MemoryShelf())
        self.pieces: list[tuple[str, str, str | None]] = []

    async def checkpoint(
        self, conversation_id: str, message: LLMMessage, parts: Sequence[Part], parent: str | None
    ) -> None:
        text = "".join(part.text for part in parts if isinstance(part, TextPart | ReasoningPart))
        self.pieces.append((message.message_id, text, parent))


async def test_an_answer_is_kept_in_pieces_while_it_comes_and_whole_at_its_end() -> None:
    store = Keeping()
    provider = ScriptedProvider(replies=[Reply(" ".join(f"word{n}" for n in range(40)), reasoning="hm hm")])
    manager = LLMManager(LLMConfig(providers={"fake": provider.config}), store=store, clock=Ticking())
    manager._providers["fake"] = provider
    response = await manager.generate_response("go")
    question, answer = await store.messages(response.conversation_id)
    assert len(store.pieces) >= 4
    assert {(message_id, parent) for message_id, _, parent in store.pieces} == {
        (answer.message_id, question.message_id)
    }
    kept = "".join(text for _, text, _ in store.pieces)
    assert ("hm hm" + response.content).startswith(kept)
    assert answer.content == response.content


async def test_a_checkpoint_that_fails_does_not_stop_the_answer() -> None:
    async def full(parts: Sequence[Part]) -> None:
        raise CodaError("no space left")

    checkpoints = Checkpoints(full, Ticking(), "fake")
    for _ in range(10):
        checkpoints.add(ResponseChunk(delta="x"))
        await asyncio.sleep(0)
    await checkpoints.stop()
    assert checkpoints.failed is not None


async def test_two_answers_of_one_conversation_are_branches_below_their_questions() -> None:
    provider = ScriptedProvider(replies=[Reply("first", delay=0.01), Reply("second")])
    manager = LLMManager(LLMConfig(providers={"fake": provider.config}))
    manager._providers["fake"] = provider
    slow, quick = (manager.generate_response(text, conversation_id="c") for text in ("one?", "two?"))
    await asyncio.gather(slow, quick)
    asked = [[message.content for message in request.messages] for request in provider.requests]
    assert asked == [["one?"], ["one?", "two?"]]


async def test_what_came_before_a_stall_is_kept_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY", 0.01)
    kept: list[Part] = []
    done = asyncio.Event()

    async def keep(parts: Sequence[Part]) -> None:
        kept.extend(parts)
        done.set()

    pieces = Checkpoints(keep, SystemClock(), "fake")
    pieces.add(ResponseChunk(delta="half a "))
    pieces.add(ResponseChunk(delta="word"))
    await asyncio.wait_for(done.wait(), 10)
    await pieces.stop()
    assert "".join(part.text for part in kept if isinstance(part, TextPart)) == "half a word"
