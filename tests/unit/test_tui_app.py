"""The chat as a whole: how it begins and ends, what it keeps, long chats, the screens over it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from coda_cli import paths
from coda_cli.chat.entry import Entry
from coda_cli.engine.core.messages import assistant, user
from coda_cli.engine.providers.scripted import Reply
from coda_cli.tui.pages import PAGE
from coda_cli.tui.starting import progress_of, who_answers
from coda_cli.tui.status import Status
from tests.unit.chat_app import chat
from tests.unit.chat_front import session_with
from tests.unit.screen_host import HOSTILE, every_size


async def kept(count: int) -> str:
    """A chat of *count* messages on the disk."""
    store = session_with().conversations
    await store.create_conversation("conv-long")
    for number in range(count):
        message = assistant(f"answer {number}") if number % 2 else user(f"question {number}")
        await store.add_message("conv-long", message)
    return "conv-long"


@every_size
async def test_the_chat_stands_at_every_size(size: tuple[int, int]) -> None:
    async with chat("# A title\n\nand words", size=size) as it:
        await it.ask("a question")
        assert "Ask anything" in it.text
        assert "and words" in it.text
        await it.press("ctrl+b")
        await it.until("a question")
        assert "Ask" in it.text
        await it.pilot.resize_terminal(20, 6)
        await it.pilot.resize_terminal(*size)
        await it.until("and words")


async def test_what_is_sent_before_the_engine_is_loaded_is_asked_when_it_is() -> None:
    session = session_with(["early answer"])
    async with chat(session=session, typed="typed before") as it:
        assert it.app.prompt.text == "typed before"
        await it.press("enter")
        await it.until("early answer")


async def test_a_long_chat_opens_at_its_end_and_older_messages_come_when_they_are_looked_for() -> None:
    session = session_with()
    session.conversation_id = await kept(PAGE * 2 + 60)
    async with chat(session=session) as it:
        assert len(it.transcript.ids) == PAGE
        assert f"answer {PAGE * 2 + 59}" in it.text
        await it.press("shift+tab", "g")
        await it.until(lambda: len(it.transcript.ids) > PAGE)
        await it.press("escape", "ctrl+f", *"question 2", "space")
        await it.press("backspace", "enter")
        await it.until(lambda: len(it.transcript.ids) == PAGE * 2 + 60)
        assert len(it.app.pages.entries) == PAGE * 2 + 60
        await it.press("escape")
        await it.ask("one more")
        assert it.transcript.ids == [entry.id for entry in await it.session.entries()]


async def test_a_message_that_is_not_loaded_yet_is_gone_to() -> None:
    session = session_with()
    name = session.conversation_id = await kept(PAGE * 2)
    first = (await session.entries())[4].id
    async with chat(session=session) as it:
        assert first not in it.transcript.ids
        assert it.app.front is not None
        await it.app.front.go_to(name, first, "question 4")
        await it.until("question 4")
        assert first in it.transcript.ids


def entries(*names: str) -> list[Entry]:
    return [Entry(name, "user", f"text of {name}") for name in names]


@pytest.mark.parametrize("after", ["abcd", "abce", "acd", "ab", "", "abcdef", "xabcd", "abxcd", "bcd", "dcba", "axyz"])
async def test_whatever_becomes_of_a_chat_the_transcript_shows_it_and_notes_stay_above_the_change(after: str) -> None:
    async with chat() as it:
        it.app.pages.open(entries(*"abcd"))
        it.app.pages.sync(entries(*after))
        assert it.transcript.ids == list(after)
        assert [one.id for one in it.app.pages.entries] == list(after)


async def test_leaving_keeps_the_draft_and_a_new_chat_takes_it_over() -> None:
    async with chat() as it:
        await it.type("half a thought")
        await it.app.leave()
    async with chat() as it:
        assert it.app.prompt.text == "half a thought"


@pytest.mark.parametrize("text", ["", "words"])
async def test_ctrl_c_empties_the_prompt_and_twice_quits(text: str) -> None:
    async with chat() as it:
        await it.type(text)
        await it.press("ctrl+c")
        assert it.app.prompt.text == ""
        assert it.app._exit is False
        await it.press("ctrl+c")
        await it.until(lambda: it.app._exit)


async def test_a_chat_that_cannot_be_opened_ends_with_its_error() -> None:
    from coda_cli.engine.core.errors import ConfigError
    from coda_cli.tui import themes
    from coda_cli.tui.app import CodaApp, Start

    def broken() -> object:
        raise ConfigError("this is wrong", hint="mend it")

    app = CodaApp(broken, Start(themes.load("coda-dark")))  # type: ignore[arg-type]  # it gives nothing back
    async with app.run_test() as pilot:
        while app.failure is None:
            await pilot.pause(0.01)
    assert app.failure.hint == "mend it"
    assert app.return_value == ConfigError("").exit_code


async def test_who_answers_is_told_once_with_the_way_to_another() -> None:
    from coda_cli import bootstrap
    from coda_cli.chat.session import ChatSession
    from coda_cli.settings.schema import ProviderSettings, Settings

    settings = Settings(providers={"local": ProviderSettings(type="local")})
    session = ChatSession(bootstrap.wire(settings, log=True, environ={}, choose=True))
    line = await who_answers(session)
    assert line is not None
    assert line.startswith("local answers: no key, no Ollama; it is tiny")
    assert "/model" in line
    assert "/key" in line
    assert await who_answers(session) is None
    (paths.cache_dir() / "last-choice").unlink()
    session.incognito = True
    assert await who_answers(session) is not None
    assert not (paths.cache_dir() / "last-choice").exists()


async def test_a_download_tells_how_far_it_is_from_its_own_thread() -> None:
    status, loop = Status(), asyncio.get_running_loop()
    told: list[str] = []
    status.doing = lambda what, **_: told.append(what)  # type: ignore[method-assign]  # no screen is needed
    progress = progress_of(status, loop)
    await asyncio.to_thread(progress, 0, 0)
    await asyncio.to_thread(progress, 46_500_000, 93_000_000)
    await asyncio.to_thread(progress, 93_000_000, 93_000_000)
    await asyncio.sleep(0)
    assert told == [
        "fetching the built-in model, once: 0 MB",
        "fetching the built-in model, once: 50 % of 93 MB",
        "starting the model",
    ]


async def test_keys_can_be_given_to_other_actions() -> None:
    async with chat(keys={"find": "f3", "send": "f4"}) as it:
        await it.press("f3")
        assert it.app.query_one("#find").display
        await it.press("escape", "a", "f4")
        await it.until("An answer.")


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("/help", "Help"), ("/tree", "switch there"), ("/inspect", "Timeline"), ("/context", "in all"),
        ("/settings", "Settings"), ("/theme", "Theme"), ("/model", "Model"), ("/resume", "Chats"),
        ("/search words", "Chats"), ("/usage", "Tokens and cost"),
    ],
)  # fmt: skip
async def test_the_screens_open_and_escape_leads_back(line: str, seen: str) -> None:
    async with chat("some words") as it:
        await it.ask("hello")
        await it.say(line)
        await it.until(lambda: len(it.app.screen_stack) == 2 and seen in it.text)
        for _ in range(3):
            await it.press("escape")
        await it.until(lambda: len(it.app.screen_stack) == 1)
        await it.idle()
        assert it.app.prompt.has_focus
        assert not it.errors()


async def test_raw_shows_answers_as_they_were_written_and_mouse_is_given_away() -> None:
    async with chat("**bold** and `code`") as it:
        await it.ask("hello")
        assert "**bold**" not in it.text
        await it.say("/raw")
        await it.until("**bold** and `code`")
        await it.ask("again")
        assert it.text.count("**bold** and `code`") == 2
        await it.say("/raw")
        await it.until(lambda: "**bold**" not in it.text)
        await it.say("/mouse")
        await it.until(lambda: not it.app.mouse_taken)


async def test_a_theme_by_its_name_is_worn_and_kept_and_a_wrong_one_told() -> None:
    async with chat() as it:
        await it.say("/theme nord")
        await it.until(lambda: any("nord" in told for told in it.told()))
        assert it.app.chat_theme.name == "nord"
        assert 'theme = "nord"' in paths.config_file().read_text()
        await it.ask("/theme nothing")
        assert "there is no theme" in it.errors()[0]


async def test_hostile_text_everywhere_is_text() -> None:
    session = session_with([HOSTILE, Reply(HOSTILE, reasoning=HOSTILE)])
    async with chat(session=session, size=(120, 40)) as it:
        await it.press("ctrl+b")
        await it.ask(HOSTILE.replace("\ud800", ""))
        await it.say("again")
        await it.say(HOSTILE.replace("\ud800", "").replace("\r\n", " "))
        await it.idle()
        it.app.tell(HOSTILE)
        it.app.note(HOSTILE)
        it.app.attached.append(Path(HOSTILE.replace("\x00", "").replace("/", "")))
        it.app.show_attached()
        it.app.status.tell(model=HOSTILE)
        await it.pilot.pause()
        assert "[@click=app.quit]x[/]" in it.text
        shown = it.text.replace("\n", "")
        assert not {character for character in shown if ord(character) < 32 or 0x7F <= ord(character) < 0xA0}
        assert "\u202e" not in shown


async def test_the_end_of_an_answer_that_nobody_saw_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    async with chat(bell_after=0.0) as it:
        rung: list[bool] = []
        monkeypatch.setattr(it.app, "bell", lambda: rung.append(True))
        await it.ask("seen")
        assert not rung
        it.app.on_app_blur()
        await it.ask("unseen")
        assert rung


def test_what_is_used_of_textual_past_its_documents_is_still_there() -> None:
    from textual.app import App
    from textual.drivers.linux_driver import LinuxDriver

    assert callable(LinuxDriver._enable_mouse_support)
    assert callable(LinuxDriver._disable_mouse_support)
    assert callable(App._close_messages_no_wait)
    assert callable(App._fatal_error)
