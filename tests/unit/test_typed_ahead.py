"""Keys in one read with the key that opens a screen: they are for that screen, in their order, and none is lost."""

from __future__ import annotations

from typing import Any

import pytest
from textual import events

from coda_cli.engine.core.messages import assistant, user
from coda_cli.tui.screens.ask_text import AskText
from coda_cli.tui.screens.chats import Chats
from coda_cli.tui.screens.help import Help
from coda_cli.tui.screens.models import Models
from coda_cli.tui.screens.picker import FilterInput, Picker
from coda_cli.tui.screens.settings import SettingsScreen
from tests.unit.chat_app import Chat, chat
from tests.unit.chat_front import session_with

_CHARACTERS = {"enter": "\r", "tab": "\t", "space": " "}


def at_once(it: Chat, *keys: str) -> None:
    """All *keys* as one read of the terminal brings them."""
    for key in keys:
        it.app.post_message(events.Key(key, _CHARACTERS.get(key, key if len(key) == 1 else None)))


async def until_open(it: Chat, kind: type[Any], typed: str) -> None:
    """Until a screen of *kind* is on top and has *typed* in its line."""

    def there() -> bool:
        screen = it.app.screen
        return isinstance(screen, kind) and [line.value for line in screen.query(FilterInput)] == [typed]

    await it.until(there)


@pytest.mark.parametrize(
    ("opens", "kind"),
    [
        (["ctrl+s"], Chats), (["f2"], Models), (["f1"], Help), (["ctrl+p"], Picker),
        ([*"/settings", "enter"], SettingsScreen), ([*"/model", "enter"], Models), ([*"/resume", "enter"], Chats),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "".join(value),
)  # fmt: skip
async def test_what_is_typed_behind_an_opening_key_is_for_what_opens(opens: list[str], kind: type[Any]) -> None:
    async with chat() as it:
        at_once(it, *opens, *"xyz")
        await until_open(it, kind, "xyz")
        assert it.app.prompt.text == ""
        assert not it.shown()


async def test_what_was_typed_before_the_opening_key_stays_in_the_prompt() -> None:
    async with chat() as it:
        at_once(it, *"draft", "f2", *"mod")
        await until_open(it, Models, "mod")
        assert it.app.prompt.text == "draft"


async def test_letters_and_enter_behind_the_key_choose_what_fits_them() -> None:
    async with chat() as it:
        at_once(it, "f2", *"other", "enter", *"and on")
        await it.until(lambda: it.session.spec.provider == "other")
        await it.until(lambda: it.app.prompt.text == "and on")
        assert [kind for kind, _ in it.shown()] == ["note"]
        assert it.app.status.state.model == "other/other-model"


async def test_from_the_palette_into_the_next_screen() -> None:
    async with chat() as it:
        at_once(it, "ctrl+p", *"/model", "enter", *"oth", "enter")
        await it.until(lambda: it.session.spec.provider == "other")
        assert it.app.prompt.text == ""


async def test_a_question_and_a_command_that_opens_nothing_hold_no_letter_back() -> None:
    async with chat("one", "two") as it:
        at_once(it, *"hello", "enter", *"next")
        await it.until(lambda: it.app.prompt.text == "next")
        await it.idle()
        it.app.prompt.clear()
        at_once(it, *"/raw", "enter", *"more")
        await it.until(lambda: it.app.prompt.text == "more")
        assert not it.app._ahead


async def test_enter_behind_the_letters_of_a_search_opens_its_first_hit() -> None:
    session = session_with()
    for name, said in (("conv-boat", "where to moor the boat"), ("conv-bed", "what to sow in the bed")):
        await session.conversations.create_conversation(name, title=name)
        await session.conversations.add_message(name, user(said))
        await session.conversations.add_message(name, assistant("so"))
    async with chat(session=session) as it:
        at_once(it, "ctrl+s", *"moor", "enter")
        await it.until(lambda: it.session.conversation_id == "conv-boat" and len(it.app.screen_stack) == 1)
        await it.press("ctrl+s")
        await it.until(lambda: "conv-bed" in it.text)
        at_once(it, *"sow", "enter")
        await it.until(lambda: it.session.conversation_id == "conv-bed" and len(it.app.screen_stack) == 1)
        assert it.app.prompt.text == ""


async def test_a_search_without_a_hit_opens_nothing_on_enter() -> None:
    session = session_with()
    await session.conversations.create_conversation("conv-boat", title="boat")
    await session.conversations.add_message("conv-boat", user("where to moor"))
    async with chat(session=session) as it:
        at_once(it, "ctrl+s", *"zebra", "enter")
        await it.until("nothing was ever said like this")
        assert isinstance(it.app.screen, Chats)


async def test_a_title_typed_behind_the_key_that_renames_is_the_title() -> None:
    session = session_with()
    await session.conversations.create_conversation("conv-boat", title="boat")
    await session.conversations.add_message("conv-boat", user("where to moor"))
    async with chat(session=session) as it:
        await it.press("ctrl+s")
        await it.until("boat")
        at_once(it, "ctrl+r", *"yard")
        await it.until(lambda: isinstance(it.app.screen, AskText))
        await it.until("boatyard")


async def test_a_message_is_asked_again_with_the_model_that_was_typed_at_once() -> None:
    async with chat() as it:
        await it.ask("hello")
        await it.press("shift+tab")
        at_once(it, "R", *"other", "enter")
        await it.until(lambda: it.session.spec.provider == "other")
        await it.idle()
        assert it.shown()[-1] == ("assistant", "Another.")
        assert not it.told()


async def test_a_key_pressed_before_the_chat_is_open_opens_its_screen_then() -> None:
    from coda_cli.tui import themes
    from coda_cli.tui.app import CodaApp, Start

    session = session_with()
    app = CodaApp(lambda: session, Start(themes.load("coda-dark")))
    async with app.run_test(size=(80, 24)) as pilot:
        it = Chat(app, pilot, session)
        at_once(it, "f2", *"oth")
        await until_open(it, Models, "oth")
        assert app.prompt.text == ""
    await session.manager.aclose()
