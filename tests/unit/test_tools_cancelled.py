"""An answer with tools is stopped after every step of the event loop: what is kept is whole and nothing runs on.

A step is a callback that the loop is given. CODA_TEST_LONG=1 stops after each of them, else after every seventh.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.core.config import LLMConfig, LLMProvider, ProviderConfig
from coda_cli.engine.core.messages import LLMMessage, ToolResultPart
from coda_cli.engine.core.tools import INTERRUPTED, Approval, ApprovalRequest, Decision
from coda_cli.engine.core.usage import Status
from coda_cli.engine.manager import LLMManager
from coda_cli.engine.providers.scripted import Reply, ScriptedProvider
from coda_cli.engine.tools.base import ToolContext
from coda_cli.engine.tools.manager import ToolManager

EVERY: Final = 1 if os.environ.get("CODA_TEST_LONG") else 7
GUARD: Final = 20.0


class Yes:
    """Says yes a moment later."""

    async def approve(self, request: ApprovalRequest) -> Approval:
        await asyncio.sleep(0.002)
        return Approval(Decision.ONCE, request.digest)

    async def ask(self, question: str, choices: Sequence[str]) -> str | None:
        await asyncio.sleep(0.002)
        return "yes"


class Sitting:
    """A manager over *store* whose model calls all kinds of tools. `inside` are the tools that run now."""

    def __init__(self, folder: Path, store: ConversationManager) -> None:
        self.inside: set[str] = set()
        self.began: list[str] = []
        config = ProviderConfig(provider=LLMProvider.SCRIPTED, max_retries=0)
        self.manager = LLMManager(LLMConfig(providers={"s": config}, default_provider="s"), store=store)
        both = [("threaded", "{}"), ("awaited", "{}"), ("ask_user", '{"question": "Go on?"}')]
        write = [("write_file", json.dumps({"path": "a.txt", "content": "x"})), ("nothing", "{}")]
        self.provider = ScriptedProvider(
            config, replies=[Reply("Let me see.", tool_calls=both), Reply(tool_calls=write), "Done."]
        )
        self.manager._providers["s"] = self.provider
        tools = ToolManager([self._awaited(), self._threaded()], folder=folder)
        self.manager.tools = tools
        self.manager.approver = Yes()

    def _awaited(self) -> Any:
        async def awaited() -> str:
            """Awaits."""
            with self._within("awaited"):
                for _ in range(3):
                    await asyncio.sleep(0.001)
            return "awaited"

        return awaited

    def _threaded(self) -> Any:
        def threaded(context: ToolContext) -> str:
            """Works in a thread."""
            with self._within("threaded"):
                context.progress("half\n")
                context.cancelled.wait(0.003)
            return "threaded"

        return threaded

    def _within(self, name: str) -> _Within:
        return _Within(self, name)


class _Within:
    def __init__(self, sitting: Sitting, name: str) -> None:
        self._sitting, self._name = sitting, name

    def __enter__(self) -> None:
        self._sitting.began.append(self._name)
        self._sitting.inside.add(self._name)

    def __exit__(self, *_: object) -> None:
        self._sitting.inside.discard(self._name)


@asynccontextmanager
async def counting(most: int, reached: Any) -> AsyncIterator[list[int]]:
    """Call *reached* once when the loop was given *most* callbacks. Gives how many there were."""
    loop = asyncio.get_running_loop()
    count, home = [0], threading.get_ident()
    call_soon, call_safe = loop.call_soon, loop.call_soon_threadsafe

    def step() -> None:
        count[0] += 1
        if count[0] == most:
            call_soon(reached) if threading.get_ident() == home else call_safe(reached)

    def soon(callback: Any, *args: Any, **more: Any) -> Any:
        step()
        return call_soon(callback, *args, **more)

    def safe(callback: Any, *args: Any, **more: Any) -> Any:
        step()
        return call_safe(callback, *args, **more)

    loop.call_soon, loop.call_soon_threadsafe = soon, safe  # type: ignore[method-assign, assignment]  # taken back below
    try:
        yield count
    finally:
        del loop.call_soon, loop.call_soon_threadsafe


def whole(messages: Sequence[LLMMessage]) -> None:
    """Every call has one result, in the message behind it and in its order; no result is without a call.

    A message that was itself cut short asks for nothing any more.
    """
    for place, message in enumerate(messages):
        calls = [call.id for call in message.tool_calls]
        behind = messages[place + 1] if place + 1 < len(messages) else None
        results = [part.id for part in behind.parts if isinstance(part, ToolResultPart)] if behind else []
        cut_short = behind is None and message.status == Status.INTERRUPTED.value
        assert calls == results or not calls or cut_short, (calls, results)
        own = [part.id for part in message.parts if isinstance(part, ToolResultPart)]
        assert not own or own == [call.id for call in messages[place - 1].tool_calls]


async def stopped(folder: Path, most: int) -> bool:
    """Stop an answer after *most* steps, look at what is there, ask again. Whether it had ended before."""
    (folder / "a.txt").unlink(missing_ok=True)
    one = Sitting(folder, ConversationManager())
    name = f"c{most}"
    generation = one.manager.generate_response("go", conversation_id=name)
    tasks = asyncio.all_tasks()
    async with counting(most, generation.cancel) as count:
        async with asyncio.timeout(GUARD):
            events = [event async for event in generation.events()]
        ended_first = count[0] < most
    assert [event.seq for event in events] == list(range(len(events)))
    ends = time.monotonic() + GUARD
    while one.inside or asyncio.all_tasks() - tasks:  # what is stopped may clean up for a moment
        assert time.monotonic() < ends, (one.inside, asyncio.all_tasks() - tasks)
        await asyncio.sleep(0.001)
    began = list(one.began)
    two = Sitting(folder, ConversationManager())  # what is on the disk, as another program finds it
    two.provider.replies = ["Here."]
    two.provider.__post_init__()
    known = True
    try:
        kept = await two.manager.store.messages(name)
    except KeyError:
        known, kept = False, []
    whole(kept)
    for message in kept:
        for part in message.parts:
            if isinstance(part, ToolResultPart) and part.name == "write_file" and part.text != INTERRUPTED:
                assert part.is_error or (folder / "a.txt").exists()
    response = await two.manager.generate_response("and now?", conversation_id=name)
    assert response.content == "Here."
    if known and kept:
        whole(two.provider.requests[-1].messages)
    assert (two.began, one.began) == ([], began), "nothing is done again"
    await one.manager.aclose()
    await two.manager.aclose()
    return ended_first


async def test_wherever_an_answer_is_stopped_its_calls_have_results_and_nothing_runs_on(tmp_path: Path) -> None:
    for most in range(1, 3000, EVERY):
        if await stopped(tmp_path, most):
            break
    else:
        pytest.fail("it never ended by itself")
    assert most > 100
    assert (tmp_path / "a.txt").exists()
