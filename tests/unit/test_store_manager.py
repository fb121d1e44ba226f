"""The journals as the store that the manager writes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from coda_cli import LLMConfig, LLMConnectionError, LLMError, LLMManager, Reply, ScriptedProvider
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.events import ProviderEvent
from coda_cli.engine.core.messages import MessageRole, user
from coda_cli.engine.core.ports import ProviderRequest


class Watching(ScriptedProvider):
    """A provider that looks at the disk when it is asked."""

    def watch(self, root: Path) -> None:
        self._root = root
        self.seen: list[list[str]] = []

    async def stream(self, request: ProviderRequest) -> AsyncGenerator[ProviderEvent, None]:
        folder = Folder(self._root)
        self.seen.append([message.content for message in await asyncio.to_thread(folder.messages, "c")])
        async for event in super().stream(request):
            yield event


def manager(tmp_path: Path, *replies: Reply | str) -> tuple[LLMManager, Watching]:
    provider = Watching(replies=replies)
    provider.watch(tmp_path / "data")
    provider.config.max_retries = 0
    config = LLMConfig(providers={"fake": provider.config}, default_provider="fake")
    made = LLMManager(config, store=ConversationManager(Folder(tmp_path / "data")))
    made._providers["fake"] = provider
    return made, provider


async def test_the_question_is_on_disk_before_the_request_leaves(tmp_path: Path) -> None:
    llm, provider = manager(tmp_path, "one", "two")
    async with llm:
        await llm.generate_response("first", conversation_id="c")
        await llm.continue_conversation("c", "second")
        assert provider.seen == [["first"], ["first", "one", "second"]]
    messages = Folder(tmp_path / "data").messages("c")
    assert [message.content for message in messages] == ["first", "one", "second", "two"]
    assert messages[1].metadata["model"] == "scripted"
    assert messages[1].metadata["usage"]["output_tokens"] == 1
    async with manager(tmp_path, "x")[0] as another:
        with pytest.raises(LLMError):
            await another.continue_conversation("unknown", "hello")


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply("a part", end=False), "incomplete"),
        (Reply("a part", error=LLMConnectionError("cut")), "error"),
        (Reply("a part"), "complete"),
    ],
)
async def test_an_answer_is_kept_with_its_status(tmp_path: Path, reply: Reply, status: str) -> None:
    llm, _ = manager(tmp_path, reply)
    async with llm:
        try:
            await llm.generate_response("q", conversation_id="c")
        except LLMError:
            assert status != "complete"
    kept = Folder(tmp_path / "data").messages("c")
    assert [(message.content, message.status) for message in kept] == [("q", "complete"), ("a part", status)]


async def test_a_stopped_answer_is_kept_as_interrupted(tmp_path: Path) -> None:
    llm, _ = manager(tmp_path, Reply("one two three four", delay=0.01))
    async with llm:
        generation = llm.generate_response("q", conversation_id="c")
        async for _chunk in generation:
            generation.cancel()
        await generation
    question, answer = Folder(tmp_path / "data").messages("c")
    assert answer.status == "interrupted"
    assert answer.content.startswith("one")
    assert question.content == "q"


async def test_two_answers_at_once_stand_each_below_its_question(tmp_path: Path) -> None:
    llm, _ = manager(tmp_path, "same")
    async with llm:

        async def ask(question: str) -> None:
            await llm.generate_response(question, conversation_id="c")

        await asyncio.gather(*(ask(f"q{number}") for number in range(4)))
    chat = Folder(tmp_path / "data").load("c")
    assert len(chat.nodes) == 8
    for node in chat.nodes.values():
        if node.message.role is MessageRole.ASSISTANT:
            assert node.parent is not None
            assert chat.nodes[node.parent].message.role is MessageRole.USER
    assert not chat.problems


async def test_the_store_is_as_exact_as_the_port_says(tmp_path: Path) -> None:
    store = ConversationManager(Folder(tmp_path / "data"))
    with pytest.raises(KeyError):
        await store.messages("c")
    with pytest.raises(KeyError):
        await store.append("c", user("x"))
    assert await store.create("c")
    assert not await store.create("c")
    assert await store.messages("c") == []
    message = user("hello")
    await store.append("c", message)
    assert await store.messages("c") == [message]
