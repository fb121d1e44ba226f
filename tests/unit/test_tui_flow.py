"""Questions and answers on the screen: ask, stream, stop, queue, fail, answer again, edit, versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from coda_cli.engine.core.errors import LLMConnectionError
from coda_cli.engine.core.messages import ImagePart
from coda_cli.engine.providers.scripted import Reply
from tests.unit.chat_app import Chat, chat
from tests.unit.chat_front import provider_of

SLOW = Reply("one two three four five six seven eight nine ten", delay=0.2)


async def streaming(it: Chat, text: str = "one two") -> None:
    """Until a part of the answer is there."""
    await it.until(text)
    assert it.app.flow.busy


def kinds(it: Chat) -> list[str]:
    return [kind for kind, _ in it.shown()]


async def test_an_answer_comes_and_what_is_shown_is_what_is_kept() -> None:
    async with chat("**Bold** words.") as it:
        await it.ask("a question")
        assert it.shown() == [("user", "a question"), ("assistant", "**Bold** words.")]
        assert it.transcript.ids == [entry.id for entry in await it.session.entries()]
        assert "Bold words." in it.text
        assert not it.app.status.state.doing


async def test_the_first_question_of_the_command_line_is_asked_at_once() -> None:
    async with chat("Yes.", first="from outside") as it:
        await it.until("Yes.")
        await it.idle()
        assert it.shown() == [("user", "from outside"), ("assistant", "Yes.")]


@pytest.mark.parametrize("focus", ["prompt", "transcript"])
async def test_escape_stops_the_answer_and_keeps_its_part_wherever_the_focus_is(focus: str) -> None:
    async with chat(SLOW) as it:
        await it.say("count")
        await streaming(it)
        if focus == "transcript":
            await it.press("shift+tab")
        await it.press("escape")
        await it.idle()
        kind, text = it.shown()[-1]
        assert kind == "assistant"
        assert text.startswith("one two")
        assert "ten" not in text
        assert (await it.session.entries())[-1].status == "interrupted"
        assert "interrupted" in it.text or "stopped" in it.text


async def test_questions_wait_for_the_answer_under_way_and_are_asked_in_order() -> None:
    async with chat(Reply("first answer here", delay=0.4), "second answer", "third answer") as it:
        await it.say("one?")
        await it.say("two?")
        await it.say("three?")
        assert [one.text for one in it.session.queue] == ["two?", "three?"]
        assert "1. two?" in it.text
        assert "2 wait for the answer" in it.text
        await it.until(lambda: len(it.shown()) == 6 and not it.app.flow.busy)
        assert [text for _, text in it.shown()] == [
            "one?", "first answer here", "two?", "second answer", "three?", "third answer",
        ]  # fmt: skip
        assert "wait" not in it.text


async def test_what_waits_stays_after_a_stop_and_enter_in_an_empty_prompt_asks_it() -> None:
    async with chat(SLOW, "second answer") as it:
        await it.say("one?")
        await it.say("two?")
        await streaming(it)
        await it.press("escape")
        await it.idle()
        assert [one.text for one in it.session.queue] == ["two?"]
        await it.press("enter")
        await it.until("second answer")
        await it.idle()
        assert not it.session.queue


async def test_what_waits_can_be_edited_and_taken_out() -> None:
    async with chat(SLOW, "x") as it:
        await it.say("one?")
        await it.say("two?")
        await it.say("three?")
        await it.say("/queue")
        await it.until("Questions that wait")
        await it.press("enter")
        await it.until("Edit it")
        await it.press("enter")
        await it.until(lambda: it.app.prompt.text == "two?")
        assert [one.text for one in it.session.queue] == ["three?"]
        await it.press("ctrl+u")
        await it.say("/queue")
        await it.until("Questions that wait")
        await it.press("enter")
        await it.until("Take it out")
        await it.press("down", "enter")
        await it.until(lambda: not it.session.queue)
        await it.press("escape")
        await it.idle()


async def test_a_question_from_the_queue_keeps_its_files(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("the text of the file")
    async with chat(SLOW, "seen") as it:
        await it.say("one?")
        await it.say(f"read @{file}")
        await it.until(lambda: bool(it.session.queue))
        it.app.work(it.app.front.command("/queue") if it.app.front else it.app.show_title())
        await it.until("Questions that wait")
        await it.press("enter")
        await it.until("Edit it")
        await it.press("enter")
        await it.until(lambda: it.app.prompt.text.startswith("read @"))
        await it.press("escape")
        await it.idle()
        await it.press("ctrl+u")
        await it.ask("in other words")
        request = provider_of(it.session).requests[-1]
        assert "the text of the file" in request.messages[-1].content
        assert "the text of the file" not in it.text  # a name, not the whole file


async def test_a_failure_stands_with_its_hint_and_r_asks_again() -> None:
    dead = Reply(error=LLMConnectionError("can't connect", provider="fake", hint="start the server"))
    async with chat(dead, "it lives") as it:
        await it.ask("are you there?")
        assert it.errors() == ["can't connect"]
        assert "start the server" in it.text
        await it.press("shift+tab", "r")
        await it.until("it lives")
        await it.idle()
        assert it.shown() == [("user", "are you there?"), ("assistant", "it lives")]


async def test_a_defect_while_an_answer_is_shown_is_told_and_the_next_question_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with chat("one", "two") as it:
        feed = it.transcript.feed
        secret = "sk-secret"

        def broken(text: str) -> None:
            monkeypatch.setattr(it.transcript, "feed", feed)
            raise RuntimeError(secret)

        monkeypatch.setattr(it.transcript, "feed", broken)
        await it.ask("first?")
        assert "this is a defect in Coda: RuntimeError" in it.errors()[0]
        assert secret not in it.text
        assert not it.app.status.state.doing
        await it.ask("second?")
        assert it.shown()[-1] == ("assistant", "two")
        it.app.told.clear()


async def test_a_retry_is_another_version_and_brackets_walk_through_them() -> None:
    async with chat("the first answer", "the second answer") as it:
        await it.ask("question")
        await it.press("shift+tab", "r")
        await it.until("the second answer")
        await it.idle()
        assert "‹ 2/2 ›" in it.text
        await it.press("left_square_bracket")
        await it.until("the first answer")
        assert "‹ 1/2 ›" in it.text
        assert "the second answer" not in it.text
        await it.press("left_square_bracket")
        await it.until(lambda: "there is none beyond this one" in it.told())
        await it.press("right_square_bracket")
        await it.until("‹ 2/2 ›")
        await it.press("k", "right_square_bracket")
        await it.until(lambda: "there is one version of this" in it.told())


async def test_escape_twice_edits_the_last_question_and_the_old_one_stays_beside_it() -> None:
    async with chat("first", "second") as it:
        await it.ask("old words")
        await it.press("escape", "escape")
        await it.until(lambda: it.app.prompt.text == "old words")
        assert it.app.query_one("#prompt-row").has_class("-editing")
        await it.press("ctrl+u")
        await it.ask("new words")
        assert [text for kind, text in it.shown() if kind != "note"] == ["new words", "second"]
        assert "‹ 2/2 ›" in it.text
        assert not it.app.query_one("#prompt-row").has_class("-editing")


@pytest.mark.parametrize("way", ["enter", "escape"])
async def test_an_edit_that_is_given_up_asks_nothing_and_brings_the_prompt_back(way: str) -> None:
    async with chat("first", "second") as it:
        await it.ask("old words")
        await it.type("half a thought")
        await it.press("shift+tab", "k", "e")
        await it.until(lambda: it.app.prompt.text == "old words")
        if way == "enter":
            await it.press("ctrl+u")
        await it.press(way)
        await it.until(lambda: it.session.editing is None)
        assert it.app.prompt.text == "half a thought"
        assert "the edit is given up" in it.told()
        await it.press("ctrl+u")
        await it.ask("next")
        assert [text for kind, text in it.shown() if kind != "note"] == ["old words", "first", "next", "second"]


async def test_a_name_in_a_big_paste_attaches_nothing(tmp_path: Path) -> None:
    file = tmp_path / "private.txt"
    file.write_text("the private text")
    async with chat("ok") as it:
        await it.ask("look at this:\n" + f"see @{file}\n" * 40)
        assert "the private text" not in provider_of(it.session).requests[-1].messages[-1].content
        await it.ask(f"and @{file}")
        assert "the private text" in provider_of(it.session).requests[-1].messages[-1].content


async def test_a_question_whose_file_cannot_be_read_comes_back_with_its_paste(tmp_path: Path) -> None:
    file = tmp_path / "unknown.bin"
    file.write_bytes(bytes(range(256)) * 10)
    async with chat("ok") as it:
        await it.type(f"see @{file} and ")
        await it.type("a line\n" * 40)
        before = it.app.prompt.expanded
        await it.press("enter")
        await it.idle()
        assert it.errors()
        assert it.app.prompt.expanded == before
        assert not provider_of(it.session).requests


async def test_the_reading_of_files_lets_no_later_question_overtake(tmp_path: Path) -> None:
    file = tmp_path / "slow.txt"
    file.write_text("x" * 50_000)
    async with chat("one", "two") as it:
        await it.say(f"first @{file}")
        await it.say("second")
        await it.until(lambda: len([kind for kind in kinds(it) if kind == "assistant"]) == 2)
        await it.idle()
        asked = [text for kind, text in it.shown() if kind == "user"]
        assert [text[:6] for text in asked] == ["first ", "second"]


async def test_a_message_that_is_hidden_leaves_and_restore_brings_it_back() -> None:
    async with chat("one", "two") as it:
        await it.ask("first?")
        await it.ask("second?")
        await it.press("shift+tab", "k", "k", "k", "d")
        await it.until(lambda: "hidden, and no longer sent; /restore brings it back" in it.told())
        assert [text for _, text in it.shown()] == ["first?", "second?", "two"] or [text for _, text in it.shown()] == [
            "one",
            "second?",
            "two",
        ]
        await it.press("escape")
        await it.ask("/restore")
        assert [text for kind, text in it.shown() if kind != "note"] == ["first?", "one", "second?", "two"]


async def test_a_pin_while_an_answer_streams_disturbs_nothing() -> None:
    async with chat("one", SLOW) as it:
        await it.ask("first?")
        await it.say("second?")
        await streaming(it)
        await it.press("shift+tab", "k", "k", "k", "p")
        await it.until("★ pinned")
        await it.until(lambda: not it.app.flow.busy)
        assert it.shown()[-1] == ("assistant", SLOW.text)


@pytest.mark.parametrize("key", ["r", "f", "d", "e", "left_square_bracket"])
async def test_what_would_change_the_branch_waits_for_the_end_of_the_answer(key: str) -> None:
    async with chat("one", SLOW) as it:
        await it.ask("first?")
        await it.say("second?")
        await streaming(it)
        before = kinds(it)
        await it.press("shift+tab", "k", key)
        await it.until(lambda: any("an answer is under way" in told for told in it.told()))
        assert kinds(it)[: len(before)] == before
        await it.press("escape")
        await it.idle()


async def test_notes_and_errors_stay_where_they_are_when_the_chat_changes() -> None:
    async with chat("one") as it:
        await it.ask("first?")
        it.app.note("something to remember")
        await it.press("shift+tab", "k", "k", "p")
        await it.until("★ pinned")
        assert it.notes() == ["something to remember"]


async def test_images_that_go_along_are_named_at_once(tmp_path: Path) -> None:
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001"
        "e221bc330000000049454e44ae426082"
    )
    (tmp_path / "dot.png").write_bytes(png)
    async with chat(SLOW) as it:
        await it.say(f"what is @{tmp_path / 'dot.png'}")
        await it.until("+ dot.png")
        await streaming(it)
        await it.press("escape")
        await it.idle()
        parts = provider_of(it.session).requests[-1].messages[-1].parts
        assert any(isinstance(part, ImagePart) for part in parts)


async def test_the_title_that_a_model_gives_is_in_the_sidebar(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chat("an answer", "Gardens in spring") as it:
        it.session.settings.auto_title = True
        await it.press("ctrl+b")
        await it.ask("tell me of gardens")
        await it.until("Gardens in spring")


async def test_the_wait_for_a_retry_counts_down_and_escape_ends_it() -> None:
    from coda_cli.engine.core.errors import LLMRateLimitError

    busy = Reply(error=LLMRateLimitError("too many requests", provider="fake", retry_after=30.0))
    async with chat(busy, "done") as it:
        it.session.manager.config.providers["fake"].max_retries = 2
        provider_of(it.session).config.max_retries = 2
        await it.say("now")
        await it.until("retry 1 of 2 in")
        await it.press("escape")
        await it.idle()
        assert not it.app.status.state.doing
