"""A long answer at full speed: it ends before the view has drawn it."""

from __future__ import annotations

from tests.unit.chat_app import chat

LONG = "".join(f"{number},*many*,`code`;" for number in range(6000)) + "END"  # no space: it comes in one piece


async def test_a_long_answer_that_comes_at_once_is_shown_once() -> None:
    async with chat(LONG) as it:
        await it.ask("all of it, please")
        await it.until("END")
        assert it.shown() == [("user", "all of it, please"), ("assistant", LONG)]
        assert it.transcript.ids == [entry.id for entry in await it.session.entries()]


async def test_the_next_question_stands_below_a_long_answer() -> None:
    async with chat(LONG, "short") as it:
        await it.say("one?")
        await it.say("two?")
        await it.until(lambda: len(it.shown()) == 4 and not it.app.flow.busy)
        assert [text for _, text in it.shown()] == ["one?", LONG, "two?", "short"]
