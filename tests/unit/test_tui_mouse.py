"""With the mouse alone: another chat, another model, a setting, back again."""

from __future__ import annotations

from coda_cli.engine.core.messages import assistant, user
from coda_cli.settings.load import load_settings
from coda_cli.tui.screens.chats import Chats
from coda_cli.tui.screens.help import Help
from coda_cli.tui.screens.models import Models
from coda_cli.tui.screens.picker import Picker
from coda_cli.tui.screens.rows import RowList
from coda_cli.tui.screens.settings import SettingsScreen
from coda_cli.tui.sidebar import Sidebar
from tests.unit.chat_app import Chat, chat
from tests.unit.chat_front import session_with


async def click(it: Chat, text: str) -> None:
    """Click on the first place where *text* stands on the screen."""
    await it.until(text)
    lines = it.text.splitlines()
    y = next(place for place, line in enumerate(lines) if text in line)
    await it.pilot.click(offset=(lines[y].index(text) + 1, y))
    await it.pilot.pause()


async def test_a_chat_in_the_sidebar_opens() -> None:
    session = session_with()
    for name in ("boat", "garden"):
        await session.conversations.create_conversation(f"conv-{name}", title=f"the {name}")
        await session.conversations.add_message(f"conv-{name}", user(f"about the {name}"))
        await session.conversations.add_message(f"conv-{name}", assistant("so"))
    async with chat(session=session, sidebar=True, size=(100, 30)) as it:
        await click(it, "the boat")
        await it.until("about the boat")
        assert it.session.conversation_id == "conv-boat"
        assert it.app.prompt.has_focus
        await click(it, "the garden")
        await it.until("about the garden")


async def test_the_model_in_the_status_line_opens_the_picker_and_a_click_takes_one() -> None:
    async with chat() as it:
        await click(it, "fake/fake-model")
        await it.until(lambda: isinstance(it.app.screen, Models))
        await click(it, "other/other-model")
        await it.until(lambda: it.app.status.state.model == "other/other-model")
        assert len(it.app.screen_stack) == 1
        assert it.session.spec.provider == "other"


async def test_the_menu_leads_to_the_settings_and_a_click_turns_one() -> None:
    async with chat(size=(100, 40)) as it:
        await click(it, "Ctrl+P menu")
        await it.until(lambda: isinstance(it.app.screen, Picker))
        it.app.screen.query_one(RowList).scroll_end(animate=False)
        await click(it, "/settings")
        await it.until(lambda: isinstance(it.app.screen, SettingsScreen))
        await it.until("not set")
        await click(it, "sidebar  ")
        await click(it, "sidebar  ")
        await it.until(lambda: it.app.screen_stack[0].query_one(Sidebar).display)
        assert load_settings(environ={}).sidebar
        await click(it, "esc close")
        await it.until(lambda: len(it.app.screen_stack) == 1)


async def test_the_menu_leads_to_the_chats_and_a_click_on_the_row_under_the_cursor_opens_it() -> None:
    session = session_with()
    await session.conversations.create_conversation("conv-boat", title="the boat")
    await session.conversations.add_message("conv-boat", user("about the boat"))
    async with chat(session=session, size=(100, 40)) as it:
        await click(it, "Ctrl+P menu")
        await click(it, "/resume")
        await it.until(lambda: isinstance(it.app.screen, Chats))
        await click(it, "the boat")
        await it.until(lambda: it.session.conversation_id == "conv-boat")


async def test_the_other_parts_of_the_status_line() -> None:
    async with chat(size=(100, 30)) as it:
        await click(it, "F1 help")
        await it.until(lambda: isinstance(it.app.screen, Help))
        await click(it, "esc close")
        await click(it, "/128k")
        await it.until("2 Parts")
        await click(it, "esc close")
        await it.until(lambda: len(it.app.screen_stack) == 1)
        y = it.app.size.height - 1
        await it.pilot.click(offset=(60, y))  # nothing stands there
        await it.pilot.pause()
        assert len(it.app.screen_stack) == 1
