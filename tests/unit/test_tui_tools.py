"""Tools on the chat's screen: their cards, the question before they act, and every answer to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coda_cli.engine.core.messages import LLMMessage, MessageRole, ToolCallPart
from coda_cli.engine.core.tools import Touches
from coda_cli.engine.providers.scripted import Reply
from coda_cli.engine.tools.base import ToolContext
from coda_cli.engine.tools.function import tool
from coda_cli.engine.tools.manager import ToolManager
from coda_cli.tui.screens.approval import ApprovalSheet
from coda_cli.tui.screens.text_view import TextView
from tests.unit.chat_app import Chat, chat
from tests.unit.chat_front import provider_of


def call(name: str, text: str = "", **arguments: object) -> Reply:
    return Reply(text, tool_calls=[(name, json.dumps(arguments))])


WRITE = call("write_file", "Let me write.", path="a.txt", content="hello\n")


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApprovalSheet, "SETTLE", 0.0)


@asynccontextmanager
async def chatting(folder: Path, *replies: Reply | str, more: object = None) -> AsyncIterator[Chat]:
    async with chat(*replies) as it:
        manager = ToolManager(folder=folder)
        if more is not None:
            manager.register(more)  # type: ignore[arg-type]  # a tool or a function
        it.session.manager.tools = manager
        yield it


def asking(it: Chat) -> bool:
    return isinstance(it.app.screen, ApprovalSheet)


async def test_calls_stand_as_cards_between_the_texts_and_stay_so(tmp_path: Path) -> None:
    both = Reply("Let me see.", tool_calls=[("get_time", "{}"), ("calculator", '{"expression": "2+2"}')])
    async with chatting(tmp_path, both, "It is **4**.") as it:
        await it.ask("What time is it and what's 2+2?")
        assert it.shown() == [
            ("user", "What time is it and what's 2+2?"),
            ("assistant", "Let me see."),
            ("assistant", "It is **4**."),
        ]
        entries = await it.session.entries()
        assert [entry.id for entry in entries] == it.transcript.ids
        assert [(card.name, card.is_error) for card in entries[1].tools] == [("get_time", False), ("calculator", False)]
        assert entries[1].tools[1].result == "4"
        screen = it.text
        assert "calculator  2+2  ✓" in screen
        await it.app.front.reload()  # type: ignore[union-attr]  # the chat is open
        await it.until("calculator  2+2  ✓")


async def test_what_will_be_done_is_shown_word_for_word_and_done_after_a_yes(tmp_path: Path) -> None:
    async with chatting(tmp_path, WRITE, "Done.") as it:
        await it.say("write it")
        await it.until(lambda: asking(it))
        for wanted in (
            "write_file wants to write",
            "a.txt",
            "+hello",
            "yes, this once",
            "always here: write_file a.txt",
        ):
            await it.until(wanted)
        assert not (tmp_path / "a.txt").exists()
        await it.press("y")
        await it.idle()
        assert (tmp_path / "a.txt").read_text() == "hello\n"
        assert it.shown()[-1] == ("assistant", "Done.")


async def test_a_click_on_an_answer_gives_it(tmp_path: Path) -> None:
    async with chatting(tmp_path, WRITE, "Done.") as it:
        await it.say("write it")
        await it.until(lambda: asking(it))
        await it.pilot.click("#answer-y")
        await it.idle()
        assert (tmp_path / "a.txt").exists()


@pytest.mark.parametrize("key", ["n", "escape"])
async def test_a_no_writes_nothing_and_the_model_is_told(tmp_path: Path, key: str) -> None:
    async with chatting(tmp_path, WRITE, "Then not.") as it:
        await it.say("write it")
        await it.until(lambda: asking(it))
        await it.press(key)
        await it.idle()
        assert not (tmp_path / "a.txt").exists()
        assert "the person said no" in str(provider_of(it.session).requests[-1].messages[-1])
        assert "✗ not run" in it.text


async def test_a_reason_goes_to_the_model(tmp_path: Path) -> None:
    async with chatting(tmp_path, WRITE, "Sorry.") as it:
        await it.say("write it")
        await it.until(lambda: asking(it))
        await it.press("r", *"not now", "enter")
        await it.idle()
        assert "not now" in str(provider_of(it.session).requests[-1].messages[-1])


async def test_yes_in_this_chat_asks_no_more_for_the_same(tmp_path: Path) -> None:
    other = call("write_file", path="b.txt", content="hello\n")
    async with chatting(tmp_path, WRITE, WRITE, other, "Done.") as it:
        await it.say("write it twice, and another")
        await it.until(lambda: asking(it))
        await it.press("c")
        await it.until(lambda: asking(it) and "b.txt" in it.text)
        await it.press("n")
        await it.idle()
        assert (tmp_path / "a.txt").exists()
        assert not (tmp_path / "b.txt").exists()


async def test_stopping_the_answer_takes_the_question_away(tmp_path: Path) -> None:
    async with chatting(tmp_path, WRITE, "Never.") as it:
        await it.say("write it")
        await it.until(lambda: asking(it))
        it.app.flow.stop()
        await it.idle()
        assert not asking(it)
        assert "■ interrupted" in it.text
        assert not (tmp_path / "a.txt").exists()


async def test_what_a_person_types_on_while_it_opens_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApprovalSheet, "SETTLE", 60.0)
    async with chatting(tmp_path, WRITE, "Done.") as it:
        await it.say("write it")
        await it.until(lambda: asking(it))
        await it.press("y", "e", "s")
        assert asking(it)
        assert not (tmp_path / "a.txt").exists()
        screen = it.app.screen
        assert isinstance(screen, ApprovalSheet)
        screen._ready = 0.0  # a pause
        await it.press("n")
        await it.idle()
        assert it.app.prompt.text == "yes"


async def test_a_running_call_shows_what_it_says_meanwhile(tmp_path: Path) -> None:
    go = asyncio.Event()

    @tool(touches=Touches.NOTHING)
    async def slow(context: ToolContext) -> str:
        """Take your time."""
        context.progress("half way\n")
        await go.wait()
        return "there"

    async with chatting(tmp_path, call("slow"), "Done.", more=slow) as it:
        it.transcript.tools_open = True
        await it.say("go")
        await it.until("half way")
        assert "running slow" in it.app.status.state.doing
        go.set()
        await it.idle()
        assert "there" in it.text
        assert "half way" not in it.text


async def test_the_model_asks_and_the_person_chooses(tmp_path: Path) -> None:
    question = call("ask_user", question="Tea or coffee?", choices=["tea", "coffee"])
    async with chatting(tmp_path, question, "Coffee it is.") as it:
        await it.say("something warm")
        await it.until("Tea or coffee?")
        await it.press("down", "enter")
        await it.idle()
        assert "coffee" in str(provider_of(it.session).requests[-1].messages[-1])


async def test_another_answer_stands_beside_the_steps_of_the_first(tmp_path: Path) -> None:
    async with chatting(tmp_path, call("calculator", expression="2+2"), "It is 4.", "Four.") as it:
        await it.ask("2+2?")
        generation = await it.session.retry()
        it.app.front.start(generation)  # type: ignore[union-attr]  # the chat is open
        await it.idle()
        assert it.shown() == [("user", "2+2?"), ("assistant", "Four.")]
        assert "2/2" in it.text


async def test_control_characters_in_a_call_do_nothing_to_the_screen(tmp_path: Path) -> None:
    evil = call("write_file", path="a\u202etxt.exe", content="\x1b[2J\x1b]52;c;AAAA\x07hello\n")
    async with chatting(tmp_path, evil, "Done.") as it:
        await it.say("write it")
        await it.until(lambda: asking(it))
        await it.until("\\u202e")
        await it.until("\\u{001B}")
        assert "always here" not in it.text  # no rule can hold such a name
        assert "\x1b" not in it.text
        await it.press("n")
        await it.idle()


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (200, 60)])
async def test_every_answer_is_seen_however_long_the_text_is(tmp_path: Path, size: tuple[int, int]) -> None:
    long = call("write_file", path="a.txt", content="".join(f"line {number}\n" for number in range(1000)) + "the end\n")
    async with chatting(tmp_path, long, "Done.") as it:
        await it.pilot.resize_terminal(*size)
        await it.say("write it")
        await it.until(lambda: asking(it))
        for wanted in ("+line 0", "yes, this once", "in this chat", "always here", "no, and say why", "lines: space"):
            await it.until(wanted)
        await it.press("end")
        await it.until("+the end")
        await it.press("y")
        await it.idle()


@pytest.mark.parametrize("command", ["true " + "x " * 2000 + "; echo the end", "true\n" + "\n" * 200 + "echo the end"])
async def test_a_long_command_can_be_read_to_its_end(tmp_path: Path, command: str) -> None:
    async with chatting(tmp_path, call("run_command", command=command), "Then not.") as it:
        await it.say("run it")
        await it.until(lambda: asking(it))
        await it.until("no, and say why")
        sheet = it.app.screen
        shown = sheet.query_one(TextView).text
        assert command in shown
        await it.press("n")
        await it.idle()


async def test_a_yes_says_what_it_is_remembered_for(tmp_path: Path) -> None:
    """A tool without a pattern of its own is allowed as a whole: that is not `the same`."""

    @tool(touches=Touches.NETWORK)
    def send(to: str) -> str:
        """Send a word."""
        return to

    async with chatting(tmp_path, call("send", to="bob"), "Then not.", more=send) as it:
        await it.say("send it")
        await it.until(lambda: asking(it))
        await it.until("yes, in this chat: every call of send")
        await it.until("always here: every call of send")
        await it.press("n")
        await it.idle()


@pytest.mark.parametrize("choices", [[], ["left", "right"]])
async def test_a_long_question_of_the_model_can_be_read_and_answered(tmp_path: Path, choices: list[str]) -> None:
    question = "Coda: your session\u202e has expired. " + "Please read on. " * 200 + "The end."
    async with chatting(tmp_path, call("ask_user", question=question, choices=choices), "Good.") as it:
        await it.say("ask me")
        await it.until("The model asks")
        await it.until("\\u{202E} has expired")
        assert it.app.screen.query_one(TextView).text.endswith("The end.")
        if choices:
            await it.until("right")
            await it.press("down", "enter")
        else:
            await it.press(*"right", "enter")
        await it.idle()
        assert "right" in str(provider_of(it.session).requests[-1].messages[-1])


async def test_a_call_that_a_crash_left_without_a_result_says_so_when_the_chat_is_opened(tmp_path: Path) -> None:
    async with chatting(tmp_path, "Fine.") as it:
        await it.ask("hello")
        calls = [ToolCallPart(id="1", name="run_command", arguments='{"command": "make"}')]
        crashed = LLMMessage(role=MessageRole.ASSISTANT, parts=calls)
        await it.session.conversations.append(it.session.conversation_id or "", crashed)
        await it.app.front.reload()  # type: ignore[union-attr]  # the chat is open
        await it.until("run_command  make  ■ interrupted")
