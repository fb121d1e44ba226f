"""ConversationManager: the seed's calls, the tree's moves, lists and searches, on disk and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from coda_cli import LLMConfig, LLMManager, ScriptedProvider
from coda_cli.engine.conversations.info import Filter
from coda_cli.engine.conversations.journal import StoreError
from coda_cli.engine.conversations.manager import ConversationManager
from coda_cli.engine.conversations.memory import MemoryShelf
from coda_cli.engine.conversations.operations import ConversationNotFoundError, NothingToDoError
from coda_cli.engine.conversations.store import Folder
from coda_cli.engine.core.messages import LLMMessage, MessageRole, assistant, user

Make = Callable[[], ConversationManager]


@pytest.fixture(params=["disk", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "disk":
        return lambda: ConversationManager(Folder(tmp_path / "data"))
    return lambda: ConversationManager(MemoryShelf())


async def talk(manager: ConversationManager, conversation_id: str, *texts: str) -> list[LLMMessage]:
    await manager.create_conversation(conversation_id)
    messages = [user(text) if number % 2 == 0 else assistant(text) for number, text in enumerate(texts)]
    for message in messages:
        await manager.add_message(conversation_id, message)
    return messages


async def contents(manager: ConversationManager, conversation_id: str) -> list[str]:
    return [message.content for message in await manager.messages(conversation_id)]


async def test_the_calls_of_the_seed(make: Make) -> None:
    conv_manager = make()
    conversation = await conv_manager.create_conversation("my-conversation")
    assert conversation.id == "my-conversation"
    message = LLMMessage(role=MessageRole.USER, content="Hello, world!")
    await conv_manager.add_message("my-conversation", message)
    context = await conv_manager.get_conversation_context("my-conversation", max_tokens=4000)
    assert [one.content for one in context] == ["Hello, world!"]
    again = await conv_manager.create_conversation("my-conversation")
    assert [node.message.content for node in again.path()] == ["Hello, world!"]


async def test_a_context_keeps_the_newest_that_fit_and_leaves_out_what_is_hidden(make: Make) -> None:
    manager = make()
    messages = await talk(manager, "c", "old " * 400, "answer", "new", "reply")
    few = await manager.get_conversation_context("c", max_tokens=100)
    assert [message.content for message in few] == ["new", "reply"]
    await manager.hide("c", messages[2].message_id)
    everything = await manager.get_conversation_context("c")
    assert [message.message_id for message in everything] == [messages[i].message_id for i in (0, 1, 3)]


async def test_undo_and_redo_move_the_head_and_a_new_question_ends_redo(make: Make) -> None:
    manager = make()
    messages = await talk(manager, "c", "q1", "a1", "q2", "a2")
    await manager.undo("c")
    assert await contents(manager, "c") == ["q1", "a1"]
    await manager.undo("c")
    assert await manager.head("c") is None
    with pytest.raises(NothingToDoError):
        await manager.undo("c")
    await manager.redo("c")
    await manager.redo("c")
    assert await manager.head("c") == messages[3].message_id
    with pytest.raises(NothingToDoError):
        await manager.redo("c")
    await manager.undo("c")
    await manager.add_message("c", user("q2 again"))
    with pytest.raises(NothingToDoError):
        await manager.redo("c")
    assert await contents(manager, "c") == ["q1", "a1", "q2 again"]


async def test_branches_and_siblings(make: Make) -> None:
    manager = make()
    q1, a1, q2, a2 = await talk(manager, "c", "q1", "a1", "q2", "a2")
    other = assistant("a1, once more")
    await manager.add_message("c", other, q1.message_id)
    assert await manager.siblings("c", a1.message_id) == [a1.message_id, other.message_id]
    assert await contents(manager, "c") == ["q1", "a1, once more"]
    await manager.branch("c", a1.message_id)
    assert await manager.head("c") == a2.message_id
    edited = user("q1, edited")
    await manager.add_message("c", edited, "")
    assert await manager.siblings("c", q1.message_id) == [q1.message_id, edited.message_id]
    await manager.set_head("c", q2.message_id)
    assert await contents(manager, "c") == ["q1", "a1", "q2"]
    with pytest.raises(StoreError):
        await manager.branch("c", "nobody")


async def test_a_fork_copies_the_branch_its_marks_and_its_summary(make: Make) -> None:
    manager = make()
    messages = await talk(manager, "c", "q1", "a1", "q2", "a2")
    await manager.rename("c", " the\n title ")
    await manager.tag("c", add=["work"])
    await manager.pin("c", message_id=messages[0].message_id)
    await manager.rate("c", messages[1].message_id, "good")
    await manager.summarise("c", [messages[0].message_id, messages[1].message_id], "they spoke", "m")
    copy = await manager.fork("c", messages[2].message_id, new="copy")
    assert [node.message for node in copy.path()] == messages[:3]
    assert copy.origin == {"conversation": "c", "message": messages[2].message_id}
    assert (copy.title, copy.tags) == ("the title", ["work"])
    assert copy.nodes[messages[0].message_id].pinned
    assert copy.nodes[messages[1].message_id].rating == "good"
    found = copy.summary_for(copy.path())
    assert found is not None
    assert found.text == "they spoke"
    await manager.add_message("copy", user("only here"))
    assert await contents(manager, "c") == ["q1", "a1", "q2", "a2"]
    with pytest.raises(StoreError):
        await manager.fork("c", new="copy")


async def test_uncompact_undoes_the_summary_in_force(make: Make) -> None:
    manager = make()
    messages = await talk(manager, "c", "q1", "a1", "q2", "a2")
    ids = [message.message_id for message in messages]
    await manager.summarise("c", ids[:2], "first", "m")
    await manager.summarise("c", ids[:3], "second", "m")
    assert (await manager.uncompact("c")).text == "second"
    assert (await manager.uncompact("c")).text == "first"
    with pytest.raises(NothingToDoError):
        await manager.uncompact("c")


async def test_lists_searches_and_labels(make: Make) -> None:
    manager = make()
    await talk(manager, "one", "the zebra crossed", "indeed")
    await talk(manager, "two", "nothing here", "at all")
    await manager.tag("one", add=["Work", "work", " "])
    await manager.pin("one")
    assert [info.id for info in await manager.list_conversations()] == ["one", "two"]
    assert [info.tags for info in await manager.list_conversations(Filter(tag="work"))] == [("Work",)]
    assert [hit.conversation.id for hit in await manager.search("zebra")] == ["one"]
    latest = await manager.latest()
    assert latest is not None
    assert latest.id == "two"  # a tag or a pin is no activity
    await manager.tag("one", remove=["WORK"])
    assert (await manager.open("one")).tags == []
    await manager.rename("two", "A title")
    assert (await manager.open("two")).name == "A title"
    await manager.rename("two", "")
    assert (await manager.open("two")).name == "nothing here"


async def test_delete_and_restore(make: Make) -> None:
    manager = make()
    await talk(manager, "c", "q", "a")
    await manager.delete("c")
    assert await manager.list_conversations() == []
    with pytest.raises(ConversationNotFoundError):
        await manager.open("c")
    await manager.restore("c")
    assert await contents(manager, "c") == ["q", "a"]
    with pytest.raises(StoreError):
        await manager.restore("c")


async def test_ids_are_found_by_how_they_begin(make: Make) -> None:
    manager = make()
    for name in ("conv-abc1", "conv-abd2", "other"):
        await manager.create_conversation(name)
    assert await manager.find("conv-abc1") == "conv-abc1"
    assert await manager.find("abc") == "conv-abc1"
    assert await manager.find("oth") == "other"
    with pytest.raises(ConversationNotFoundError, match="several"):
        await manager.find("ab")
    with pytest.raises(ConversationNotFoundError, match="no conversation"):
        await manager.find("zzz")
    with pytest.raises(KeyError):
        await manager.find("")


async def test_what_is_asked_of_one_conversation_happens_in_order(make: Make) -> None:
    manager = make()
    await manager.create_conversation("c")
    await asyncio.gather(*(manager.add_message("c", user(str(number))) for number in range(40)))
    assert await contents(manager, "c") == [str(number) for number in range(40)]


async def test_a_retry_stands_beside_the_answer_and_keeps_the_question(make: Make) -> None:
    store = make()
    provider = ScriptedProvider(replies=["one", "two"])
    manager = LLMManager(LLMConfig(providers={"s": provider.config}, default_provider="s"), store=store)
    manager._providers["s"] = provider
    first = await manager.generate_response("q?", system_prompt="Be brief.")
    conversation = await store.open(first.conversation_id)
    question = conversation.path()[0].message.message_id
    second = await manager.retry(first.conversation_id, question)
    conversation = await store.open(first.conversation_id)
    assert [node.message.content for node in conversation.path()] == ["q?", second.content]
    assert len(conversation.siblings(conversation.path()[1].message.message_id)) == 2
    assert [m.content for m in provider.requests[1].messages] == ["Be brief.", "q?"]
    edited = await manager.generate_response("q, edited?", conversation_id=first.conversation_id, parent="")
    conversation = await store.open(first.conversation_id)
    assert [node.message.content for node in conversation.path()] == ["q, edited?", edited.content]
    assert len(conversation.roots) == 2
