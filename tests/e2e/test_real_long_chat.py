"""A long conversation with the real built-in model, past its window: it goes on, and nothing of it is lost.

With `CODA_TEST_LONG=1` the window is the model's own 8,192 tokens instead of one that is quick to fill.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from coda_cli import LLMConfig, LLMManager, LLMProvider, ProviderConfig, Status
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.events import ContextCompacted, ContextTrimmed, ResponseComplete
from coda_cli.engine.providers.local import llama_server
from tests.weights import smollm2_path

LIMIT = 1800.0  # seconds after which something hangs
FACT = "The harbour town lies at the mouth of a slow river, and every evening the boats come home with mackerel. "


async def test_a_conversation_past_the_window_of_the_real_model(tmp_path: Path) -> None:
    long = bool(os.environ.get("CODA_TEST_LONG"))
    window, turns, words = (8192, 16, 24) if long else (320, 4, 2)
    config = LLMConfig(
        providers={
            "local": ProviderConfig(
                provider=LLMProvider.LOCAL, model=str(smollm2_path()), max_tokens=16, extra_params={"n_ctx": window}
            )
        },
        default_provider="local",
    )
    store = ConversationManager(Folder(tmp_path / "data"))
    told: list[ContextCompacted] = []
    trimmed: list[ContextTrimmed] = []
    try:
        async with asyncio.timeout(LIMIT), LLMManager(config, store=store) as manager:
            for number in range(turns):
                question = f"Part {number} of my story. {FACT * words}What did the boats bring?"
                last = None
                async for event in manager.generate_response(question, conversation_id="story").events():
                    if isinstance(event, ContextCompacted):
                        told.append(event)
                    elif isinstance(event, ContextTrimmed):
                        trimmed.append(event)
                    elif isinstance(event, ResponseComplete):
                        last = event
                assert last is not None, number
                assert last.status == Status.COMPLETE.value
                assert last.content.strip()
                assert last.usage.input_tokens <= window
    finally:
        await asyncio.to_thread(llama_server.close_all)
    assert told or trimmed  # a model this small may fail to write a summary: then what is left out is told
    again = await ConversationManager(Folder(tmp_path / "data")).open("story")
    said = [node.message.content for node in again.path()]
    assert len(said) == 2 * turns
    assert [text.split(" of my story")[0] for text in said[::2]] == [f"Part {number}" for number in range(turns)]
    if told:
        kept = await store.stored_branch("story")
        assert kept.summary is not None
        assert set(told[-1].covers) <= {node.message.message_id for node in again.path()}
        while (await store.stored_branch("story")).summary is not None:
            await store.uncompact("story")
        assert len((await store.stored_branch("story")).messages) == 2 * turns
