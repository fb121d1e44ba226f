"""The session of a chat: what waits, what goes along, what is numbered, and that nothing wedges it."""

import pytest

from coda_cli.chat.shell import ShellResult
from coda_cli.engine.core.errors import LLMConnectionError, UsageError
from coda_cli.engine.core.messages import ImagePart
from coda_cli.engine.providers.scripted import Reply
from tests.unit.chat_front import provider_of, session_with

PICTURE = ImagePart(data=b"x" * 10, media_type="image/png", name="pic.png")


async def test_what_waits_is_asked_when_the_answer_is_done_and_only_then() -> None:
    session = session_with(["A", "B", "C"])
    first = session.ask("one")
    session.enqueue("two")
    session.enqueue("three", [PICTURE])
    assert session.ask_next() is None, "the first answer is under way"
    await first
    while (generation := session.ask_next()) is not None:
        await generation
    assert [entry.text for entry in await session.entries()] == ["one", "A", "two", "B", "three", "C"]
    assert session.queue == []


async def test_a_failed_or_stopped_answer_keeps_what_waits() -> None:
    session = session_with([Reply(error=LLMConnectionError("refused")), Reply(text="x " * 100, delay=0.01), "C"])
    session.enqueue("later")
    with pytest.raises(LLMConnectionError):
        await session.ask("one")
    assert session.ask_next() is None
    generation = await session.retry()
    async for event in generation.events():
        if event.type == "response_chunk":
            generation.cancel()
    assert session.ask_next() is None
    assert [one.text for one in session.queue] == ["later"]
    await (await session.retry())
    following = session.ask_next()
    assert following is not None
    await following


async def test_output_of_the_shell_goes_along_with_the_next_question_once() -> None:
    session = session_with(["A", "B"])
    session.join_shell(ShellResult("ls", "a ``` b\n", 0, 0, stopped=False))
    await session.ask("what is it?")
    await session.ask("and now?")
    first, second = (request.messages[-1].content for request in provider_of(session).requests)
    assert first == "Output of `ls` in my shell:\n\n````\na ``` b\n````\n\nwhat is it?"
    assert second == "and now?"


async def test_an_edited_question_keeps_its_attachments_unless_it_gets_others() -> None:
    session = session_with(["A", "B", "C"])
    await session.ask("look", [PICTURE])
    [question, _] = await session.entries()
    session.editing = question.id
    await (await session.submit("look closer"))
    assert [one.name for one in (await session.entries())[0].attached] == ["pic.png"]
    session.editing = question.id
    await (await session.submit("another", [PICTURE.model_copy(update={"name": "other.png"})]))
    first = (await session.entries())[0]
    assert ([one.name for one in first.attached], first.place, first.siblings) == (["other.png"], 3, 3)
    assert session.editing is None


@pytest.mark.parametrize(("place", "text"), [("1", "one"), ("2", "A"), ("-1", "B"), ("-4", "one")])
async def test_messages_have_numbers(place: str, text: str) -> None:
    session = session_with(["A", "B"])
    await session.ask("one")
    await session.ask("two")
    assert (await session.message(place)).message.content == text
    node = await session.message(place)
    assert await session.message(node.message.message_id[4:14]) is node


@pytest.mark.parametrize("place", ["0", "5", "-5", "", "x", "9" * 30, "msg-", "²", "1.5"])
async def test_a_number_that_no_message_has_is_told(place: str) -> None:
    session = session_with(["A", "B"])
    await session.ask("one")
    await session.ask("two")
    with pytest.raises(UsageError) as caught:
        await session.message(place)
    assert caught.value.hint == "messages are numbered from 1 to 4"


async def test_a_chat_that_is_opened_goes_on_with_its_own_model() -> None:
    session = session_with(["A"], other=["B"])
    await session.switch_model("other")
    await session.ask("one")
    opened = session.conversation_id
    assert opened is not None
    session.begin_new()
    await session.switch_model("fake")
    await session.ask("two")
    await session.switch_to(opened)
    assert session.spec.provider == "other"
    assert [entry.text for entry in await session.entries()] == ["one", "B"]


async def test_an_incognito_session_writes_nothing() -> None:
    from coda_cli import paths

    session = session_with(["A"], log=False)
    session.history.add("x")
    session.drafts.save(None, "y")
    await session.ask("one")
    await session.entries()
    assert not paths.data_dir().exists()


async def test_a_comparison_can_be_settled_on_the_first_answer_there_is() -> None:
    session = session_with([Reply(error=LLMConnectionError("refused"))], other=["B"])
    comparison = await session.compare([session.parse("fake"), session.parse("other")], "which?")
    for one in comparison.contenders:
        [event async for event in one.generation.events()]
    await session.settle(comparison, None)
    assert [entry.text for entry in await session.entries()] == ["which?", "B"]
    assert session.spec.provider == "fake", "nothing was chosen"
